//! A key that signs, parsed once and kept sealed at rest.

use crate::jwk::{HMAC_KEY_BYTES_MIN, PublicJwk, key_id_text};
use crate::jws::header_segment;
use crate::sealer::Sealer;
use crate::shared_secret::SharedSecret;
use crate::verifying_key::VerifyingKey;
use crate::{Algorithm, Malformed, Type, base64url};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use std::fmt;
use symbolon_core::KeyId;
use zeroize::Zeroizing;

/// A key that signs tokens of one algorithm.
pub struct SigningKey {
    kid: KeyId,
    alg: Algorithm,
    pair: Pair,
    /// The header segments of its tokens, one per [`Type`].
    headers: [Box<str>; 2],
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Secret { mac: Box<hmac::Key>, bytes: Zeroizing<Vec<u8>> },
}

/// The cryptographic library could not: no memory, or no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CryptoFailed;

impl fmt::Display for CryptoFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cryptographic library failed")
    }
}

impl std::error::Error for CryptoFailed {}

impl From<Unspecified> for CryptoFailed {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

impl SigningKey {
    /// Draws a new key; RSA ones have 2048 bits and take a second or so.
    ///
    /// # Errors
    /// The library failed.
    pub fn generate(alg: Algorithm) -> Result<Self, CryptoFailed> {
        let pair = match alg {
            Algorithm::EdDsa => Pair::Ed25519(Ed25519KeyPair::generate()?),
            Algorithm::Es256 => {
                Pair::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?)
            }
            Algorithm::Rs256 => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048)?),
            Algorithm::Hs256 => {
                let mut bytes = Zeroizing::new(vec![0; HMAC_KEY_BYTES_MIN]);
                aws_lc_rs::rand::SecureRandom::fill(&SystemRandom::new(), &mut bytes)?;
                secret_pair(bytes)
            }
        };
        Ok(Self::new(pair))
    }

    /// Takes the secret that an HS256 audience shares with us.
    pub fn from_secret(secret: SharedSecret) -> Self {
        Self::new(secret_pair(secret.into_bytes()))
    }

    /// Takes a key that somebody brings: PKCS #8 in DER (RFC 5958), Ed25519, P-256, or RSA of 2048 to 8192
    /// bits.
    ///
    /// # Errors
    /// It is none of these.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, Malformed> {
        let what = "is not a private key of Ed25519, P-256, or RSA of 2048 to 8192 bits";
        let kinds = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
        let pair = kinds.into_iter().find_map(|alg| parse(alg, der).ok());
        pair.map(Self::new).ok_or(Malformed::new("key", what))
    }

    /// Opens a key that [`Self::to_sealed`] closed.
    ///
    /// # Errors
    /// Another master key, a changed byte, or another key's name.
    pub fn from_sealed(sealer: &Sealer, kid: KeyId, sealed: &[u8]) -> Result<Self, Malformed> {
        let opened = sealer.open(sealed, &context(kid))?;
        let refused = Malformed::new("sealed key", "does not hold the key of that name");
        let (tag, private) = opened.split_first().ok_or(refused.clone())?;
        let alg = Algorithm::ALL.into_iter().find(|alg| tag_of(*alg) == *tag);
        let pair = parse(alg.ok_or(refused.clone())?, private).map_err(|_| refused.clone())?;
        let key = Self::new(pair);
        if key.kid == kid { Ok(key) } else { Err(refused) }
    }

    /// Closes the private key for the store.
    ///
    /// # Errors
    /// The library failed.
    pub fn to_sealed(&self, sealer: &Sealer) -> Result<Vec<u8>, CryptoFailed> {
        let mut private = Zeroizing::new(vec![tag_of(self.alg)]);
        match &self.pair {
            Pair::Ed25519(pair) => private.extend_from_slice(pair.to_pkcs8v1()?.as_ref()),
            Pair::P256(pair) => private.extend_from_slice(pair.to_pkcs8v1()?.as_ref()),
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der()?;
                private.extend_from_slice(der.as_ref());
            }
            Pair::Secret { bytes, .. } => private.extend_from_slice(bytes),
        }
        sealer.seal(&private, &context(self.kid)).ok_or(CryptoFailed)
    }

    fn new(pair: Pair) -> Self {
        let (alg, kid) = (pair.algorithm(), pair.key_id());
        let text = key_id_text(kid);
        let headers = Type::ALL.map(|typ| header_segment(alg, typ.name(), &text).into_boxed_str());
        Self { kid, alg, pair, headers }
    }

    /// The key's name, which its tokens carry.
    pub const fn kid(&self) -> KeyId {
        self.kid
    }

    /// The one algorithm that it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// The key for the published set; `None` if it is a shared secret.
    pub fn public_jwk(&self) -> Option<PublicJwk> {
        self.pair.public_jwk()
    }

    /// The key that verifies what this one signs.
    pub fn verifying_key(&self) -> VerifyingKey {
        match &self.pair {
            Pair::Secret { mac, .. } => {
                VerifyingKey::from_secret(&key_id_text(self.kid), mac.clone())
            }
            Pair::Ed25519(_) | Pair::P256(_) | Pair::Rsa(_) => self
                .public_jwk()
                .and_then(|jwk| VerifyingKey::from_public(&jwk).ok())
                .expect("the public half of a key pair is a key"),
        }
    }

    /// Signs a payload of any kind as a compact JWS (RFC 7515 §7.1) of the given type.
    ///
    /// # Errors
    /// The library failed.
    pub fn sign(&self, typ: Type, payload: &[u8]) -> Result<String, CryptoFailed> {
        let header = self.header(typ);
        let mut token = String::with_capacity(self.token_bytes(typ, payload.len()));
        token.push_str(header);
        token.push('.');
        base64url::append(payload, &mut token);
        self.append_signature(&mut token)?;
        Ok(token)
    }

    /// Signs a payload as something that is no token of anybody's, so that `typ` tells it from every one.
    pub(crate) fn sign_as(&self, typ: &str, payload: &[u8]) -> Result<String, CryptoFailed> {
        let mut text = header_segment(self.alg, typ, &key_id_text(self.kid));
        text.push('.');
        base64url::append(payload, &mut text);
        self.append_signature(&mut text)?;
        Ok(text)
    }

    /// Signs a payload under a header that is written out.
    pub(crate) fn sign_under(&self, header: &str, payload: &[u8]) -> Result<String, CryptoFailed> {
        let mut text = base64url::encode(header.as_bytes());
        text.push('.');
        base64url::append(payload, &mut text);
        self.append_signature(&mut text)?;
        Ok(text)
    }

    /// How long the token around a payload will be, in bytes: known before anything is signed.
    pub(crate) fn token_bytes(&self, typ: Type, payload_bytes: usize) -> usize {
        let signature = base64url::encoded_len(self.pair.signature_bytes());
        self.header(typ).len() + 1 + base64url::encoded_len(payload_bytes) + 1 + signature
    }

    fn header(&self, typ: Type) -> &str {
        let [access_token, jwt] = &self.headers;
        match typ {
            Type::AccessTokenJwt => access_token,
            Type::Jwt => jwt,
        }
    }

    fn append_signature(&self, token: &mut String) -> Result<(), CryptoFailed> {
        let message = token.as_bytes();
        match &self.pair {
            Pair::Ed25519(pair) => append(pair.try_sign(message)?.as_ref(), token),
            Pair::P256(pair) => append(pair.sign(&SystemRandom::new(), message)?.as_ref(), token),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)?;
                append(&signature, token);
            }
            Pair::Secret { mac, .. } => append(hmac::sign(mac, message).as_ref(), token),
        }
        Ok(())
    }
}

impl Pair {
    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::P256(_) => Algorithm::Es256,
            Self::Rsa(_) => Algorithm::Rs256,
            Self::Secret { .. } => Algorithm::Hs256,
        }
    }

    fn key_id(&self) -> KeyId {
        match (self.public_jwk(), self) {
            (Some(jwk), _) => jwk.key_id(),
            // A thumbprint would publish a digest of the secret; a MAC under it says nothing.
            (None, Self::Secret { mac, .. }) => {
                let mut kid = [0; 12];
                kid.copy_from_slice(&hmac::sign(mac, b"symbolon kid").as_ref()[..12]);
                KeyId(kid)
            }
            (None, Self::Ed25519(_) | Self::P256(_) | Self::Rsa(_)) => {
                unreachable!("only a shared secret has no public half")
            }
        }
    }

    fn public_jwk(&self) -> Option<PublicJwk> {
        match self {
            Self::Ed25519(pair) => {
                let x = pair.public_key().as_ref().try_into().expect("Ed25519 keys have 32 bytes");
                Some(PublicJwk::Ed25519 { x })
            }
            Self::P256(pair) => Some(p256_jwk(pair.public_key().as_ref())),
            Self::Rsa(pair) => Some(rsa_jwk(pair.public_key().as_ref())),
            Self::Secret { .. } => None,
        }
    }

    fn signature_bytes(&self) -> usize {
        match self {
            Self::Ed25519(_) | Self::P256(_) => 64,
            Self::Rsa(pair) => pair.public_modulus_len(),
            Self::Secret { .. } => 32,
        }
    }
}

fn append(signature: &[u8], token: &mut String) {
    token.push('.');
    base64url::append(signature, token);
}

fn secret_pair(bytes: Zeroizing<Vec<u8>>) -> Pair {
    Pair::Secret { mac: Box::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes)), bytes }
}

fn parse(alg: Algorithm, private: &[u8]) -> Result<Pair, KeyRejected> {
    Ok(match alg {
        Algorithm::EdDsa => Pair::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(private)?),
        Algorithm::Es256 => {
            Pair::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private)?)
        }
        Algorithm::Rs256 => Pair::Rsa(RsaKeyPair::from_pkcs8(private)?),
        Algorithm::Hs256 => secret_pair(Zeroizing::new(private.to_vec())),
    })
}

/// What a sealed key is bound to: one key's seal cannot stand in another's place.
fn context(kid: KeyId) -> Vec<u8> {
    [b"symbolon signing key ".as_slice(), &kid.0].concat()
}

/// The byte before a sealed key; never changed, since stores keep it.
const fn tag_of(alg: Algorithm) -> u8 {
    match alg {
        Algorithm::EdDsa => 1,
        Algorithm::Es256 => 2,
        Algorithm::Rs256 => 3,
        Algorithm::Hs256 => 4,
    }
}

/// From the uncompressed point of SEC 1 §2.3.3.
fn p256_jwk(point: &[u8]) -> PublicJwk {
    let (x, y) = point[1..].split_at(32);
    let coordinate = |bytes: &[u8]| bytes.try_into().expect("P-256 coordinates have 32 bytes");
    PublicJwk::P256 { x: coordinate(x), y: coordinate(y) }
}

/// From the `RSAPublicKey` of RFC 8017 §A.1.1: a sequence of two integers, in DER.
fn rsa_jwk(der: &[u8]) -> PublicJwk {
    let (sequence, _) = der_value(der);
    let (n, rest) = der_value(sequence);
    let (e, _) = der_value(rest);
    PublicJwk::Rsa { n: unsigned(n).to_vec(), e: unsigned(e).to_vec() }
}

/// The contents of the first value and what follows it. Our library wrote the text.
fn der_value(der: &[u8]) -> (&[u8], &[u8]) {
    let lengths = usize::from(der[1]);
    let (len, start) = match lengths {
        0..0x80 => (lengths, 2),
        _ => {
            let end = 2 + lengths - 0x80;
            (der[2..end].iter().fold(0, |len, byte| len * 256 + usize::from(*byte)), end)
        }
    };
    der[start..].split_at(len)
}

/// DER puts a zero before an integer whose first bit is set.
fn unsigned(integer: &[u8]) -> &[u8] {
    match integer {
        [0, rest @ ..] => rest,
        all => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeySet, verify};

    fn sealer() -> Sealer {
        Sealer::new(&[7; 32])
    }

    #[test]
    fn every_algorithm_signs_what_its_verifying_key_verifies_also_after_a_restart() {
        for alg in Algorithm::ALL {
            let key = SigningKey::generate(alg).unwrap();
            let sealed = key.to_sealed(&sealer()).unwrap();
            let again = SigningKey::from_sealed(&sealer(), key.kid(), &sealed).ok().unwrap();
            let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
            for typ in Type::ALL {
                let token = again.sign(typ, b"{}").unwrap();
                assert_eq!(token.len(), key.token_bytes(typ, 2));
                let payload = verify(&keys, alg, &token).ok().unwrap();
                assert_eq!((payload.bytes(), payload.typ()), (&b"{}"[..], Some(typ)));
            }
        }
    }

    #[test]
    fn a_sealed_key_shows_nothing_and_serves_one_name_and_master_key_only() {
        let key = SigningKey::from_secret(SharedSecret::assume_drawn(&[0x5a; 32]));
        let sealed = key.to_sealed(&sealer()).unwrap();
        assert!(!sealed.windows(8).any(|window| window == [0x5a; 8]));
        assert!(SigningKey::from_sealed(&sealer(), KeyId([0; 12]), &sealed).is_err());
        assert!(SigningKey::from_sealed(&Sealer::new(&[8; 32]), key.kid(), &sealed).is_err());
    }

    #[test]
    fn a_published_key_is_found_under_the_name_that_its_tokens_carry() {
        for alg in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            let key = SigningKey::generate(alg).unwrap();
            let jwk = key.public_jwk().unwrap();
            let keys = KeySet::parse(&crate::key_set_json([&jwk])).ok().unwrap();
            let token = key.sign(Type::AccessTokenJwt, b"{}").unwrap();
            assert!(verify(&keys, alg, &token).is_ok());
            assert_eq!(keys.keys()[0].kid(), Some(&*key_id_text(key.kid())));
        }
    }

    #[test]
    fn a_key_that_somebody_brings_is_known_by_what_it_is() {
        for alg in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            let own = SigningKey::generate(alg).unwrap();
            let der = match &own.pair {
                Pair::Ed25519(pair) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
                Pair::P256(pair) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
                Pair::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).unwrap().as_ref().to_vec(),
                Pair::Secret { .. } => unreachable!("not among them"),
            };
            let brought = SigningKey::from_pkcs8(&der).ok().unwrap();
            assert_eq!((brought.algorithm(), brought.kid()), (alg, own.kid()));
        }
        for wrong in [&b""[..], b"-----BEGIN PRIVATE KEY-----", &[0x30; 48]] {
            assert!(SigningKey::from_pkcs8(wrong).is_err());
        }
    }

    #[test]
    fn a_shared_secret_is_never_published() {
        let key = SigningKey::from_secret(SharedSecret::assume_drawn(&[1; 32]));
        assert!(key.public_jwk().is_none());
    }
}
