//! A key that two sides agree on: ECDH-ES with the Concat KDF (RFC 7518 §4.6).

use super::KEY_BYTES;
use crate::json::Object;
use crate::{Malformed, base64url};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::kdf::{
    SskdfDigestAlgorithm, SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest,
};
use zeroize::Zeroizing;

/// The curves on which keys are agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    /// `kty: EC`.
    P256,
    /// `kty: OKP` (RFC 8037 §3.2).
    X25519,
}

impl Curve {
    pub(super) fn algorithm(self) -> &'static agreement::Algorithm {
        match self {
            Self::P256 => &ECDH_P256,
            Self::X25519 => &X25519,
        }
    }

    /// The curve that a key says it is on; `None`: it is no key to agree with.
    pub(super) fn of(object: &Object<'_>) -> Result<Option<Self>, Malformed> {
        match (&*object.required("kty")?, object.string("crv")?.as_deref()) {
            ("EC", Some("P-256")) => Ok(Some(Self::P256)),
            ("OKP", Some("X25519")) => Ok(Some(Self::X25519)),
            ("EC" | "OKP", _) => Err(Malformed::new("crv", "must be P-256 or X25519")),
            _ => Ok(None),
        }
    }
}

/// A public key of a curve. Whether it is on its curve is seen when it is used.
#[derive(Clone)]
pub(super) struct Point {
    pub(super) curve: Curve,
    /// SEC 1 §2.3.3 uncompressed, or the 32 bytes of RFC 7748.
    bytes: Vec<u8>,
}

impl Point {
    /// Reads the public members of a key.
    pub(super) fn of(curve: Curve, object: &Object<'_>) -> Result<Self, Malformed> {
        let coordinate = |name| base64url::decode_exact::<32>(&object.required(name)?, name);
        let bytes = match curve {
            Curve::P256 => [&[4][..], &coordinate("x")?, &coordinate("y")?].concat(),
            Curve::X25519 => coordinate("x")?.to_vec(),
        };
        Ok(Self { curve, bytes })
    }

    /// The public half of a private key.
    pub(super) fn of_private(curve: Curve, private: &PrivateKey) -> Result<Self, Unspecified> {
        Ok(Self { curve, bytes: private.compute_public_key()?.as_ref().to_vec() })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The members that make the key, in the order of RFC 7638 §3.3.
    pub(super) fn members(&self) -> String {
        let b64 = base64url::encode;
        match (self.curve, self.bytes.split_first_chunk::<33>()) {
            (Curve::P256, Some((x, y))) => {
                let (x, y) = (b64(&x[1..]), b64(y));
                format!("\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"{x}\",\"y\":\"{y}\"")
            }
            (Curve::P256 | Curve::X25519, _) => {
                format!("\"crv\":\"X25519\",\"kty\":\"OKP\",\"x\":\"{}\"", b64(&self.bytes))
            }
        }
    }

    /// How long [`Self::members`] is for any key of the curve, in bytes.
    pub(super) const fn members_bytes(curve: Curve) -> usize {
        match curve {
            Curve::P256 => 38 + 2 * 43,
            Curve::X25519 => 33 + 43,
        }
    }
}

/// The key that both sides agree on for this algorithm and these parties.
///
/// # Errors
/// The point is not on the curve, or of small order; nothing tells which.
pub(super) fn agreed(
    private: &PrivateKey,
    peer: &Point,
    info: &[u8],
) -> Result<Zeroizing<[u8; KEY_BYTES]>, Unspecified> {
    let public = UnparsedPublicKey::new(peer.curve.algorithm(), &peer.bytes);
    agree(private, public, Unspecified, |shared| {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        sskdf_digest(sha256()?, shared, info, &mut *key)?;
        Ok(key)
    })
}

fn sha256() -> Result<&'static SskdfDigestAlgorithm, Unspecified> {
    get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256).ok_or(Unspecified)
}

/// What the key is for and who the parties are (RFC 7518 §4.6.2, SP 800-56A §5.8.1.2).
pub(super) fn other_info(alg: &str, apu: &[u8], apv: &[u8], key_bits: u32) -> Vec<u8> {
    let mut info = Vec::with_capacity(16 + alg.len() + apu.len() + apv.len());
    for part in [alg.as_bytes(), apu, apv] {
        // All of them are bounded by that of a header.
        info.extend_from_slice(&(part.len() as u32).to_be_bytes());
        info.extend_from_slice(part);
    }
    info.extend_from_slice(&key_bits.to_be_bytes());
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7518_appendix_c_two_sides_agree_on_the_published_key() {
        let private = |d: &str| {
            let d = base64url::decode(d, "d").unwrap();
            PrivateKey::from_private_key(&ECDH_P256, &d).unwrap()
        };
        let alice = private("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
        let bob = private("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
        let text = r#"{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}"#;
        let object = Object::parse(text, "epk").unwrap();
        let public = Point::of(Curve::of(&object).unwrap().unwrap(), &object).unwrap();
        assert_eq!(public.bytes, Point::of_private(Curve::P256, &alice).unwrap().bytes);
        let info = other_info("A128GCM", b"Alice", b"Bob", 128);
        let key = agreed(&bob, &public, &info).unwrap();
        // The published key has 16 bytes, which one round of the digest gives first.
        assert_eq!(base64url::encode(&key[..16]), "VqqN6vgjbSBcIijNcacQGg");
        let bob = Point::of_private(Curve::P256, &bob).unwrap();
        assert_eq!(*agreed(&alice, &bob, &info).unwrap(), *key);
    }

    #[test]
    fn a_point_that_is_on_no_curve_or_of_small_order_agrees_on_nothing() {
        let p256 = PrivateKey::generate(&ECDH_P256).unwrap();
        let x25519 = PrivateKey::generate(&X25519).unwrap();
        let off = Point { curve: Curve::P256, bytes: [&[4][..], &[1; 64]].concat() };
        assert!(agreed(&p256, &off, b"").is_err());
        for small in [[0; 32], {
            let mut one = [0; 32];
            one[0] = 1;
            one
        }] {
            let small = Point { curve: Curve::X25519, bytes: small.to_vec() };
            assert!(agreed(&x25519, &small, b"").is_err());
        }
        let other = Point::of_private(Curve::X25519, &x25519).unwrap();
        assert!(agreed(&p256, &other, b"").is_err());
    }

    #[test]
    fn the_length_of_a_public_key_is_known_before_it_is_drawn() {
        for curve in [Curve::P256, Curve::X25519] {
            let private = PrivateKey::generate(curve.algorithm()).unwrap();
            let members = Point::of_private(curve, &private).unwrap().members();
            assert_eq!(members.len(), Point::members_bytes(curve), "{members}");
        }
    }
}
