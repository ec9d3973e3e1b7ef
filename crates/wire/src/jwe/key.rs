//! The keys of both sides, as they stand in files and settings (RFC 7517).

use super::agreement::{Curve, Point};
use super::content::Key;
use super::open::{DecryptionKey, Opens};
use super::seal::{EncryptionKey, Seals};
use super::{ENC, KEY_BYTES, KeyManagement};
use crate::json::Object;
use crate::jwk::KID_BYTES_MAX;
use crate::secret::SecretText;
use crate::shared_secret::SharedSecret;
use crate::signing_key::CryptoFailed;
use crate::{Malformed, base64url};
use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

/// The longest text of a key that is read, in bytes. Inclusive.
const TEXT_BYTES_MAX: usize = 4096;

impl EncryptionKey {
    /// Reads a recipient's public key: a JWK on P-256 or X25519, for `ECDH-ES+A256KW`.
    ///
    /// # Errors
    /// The member that is wrong; a private key, which is nobody's but the recipient's.
    pub fn from_public_jwk(text: &str) -> Result<Self, Malformed> {
        let object = object(text)?;
        if let Some(name) = ["d", "k"].into_iter().find(|name| object.has(name)) {
            let why = "makes this a private key: give the public half alone, and make a new pair";
            return Err(Malformed::new(name, why));
        }
        let curve = curve(&object)?;
        check_purpose(&object, KeyManagement::EcdhEsA256Kw)?;
        let point = Point::of(curve, &object)?;
        // Whether it is on its curve is seen at the first agreement: that is now.
        let probe = PrivateKey::generate(curve.algorithm());
        let probe = probe.map_err(|_| Malformed::new("key", "could not be tried"))?;
        super::agreement::agreed(&probe, &point, b"")
            .map_err(|_| Malformed::new("x", "is not a point of the curve"))?;
        let kid = kid(&object)?.unwrap_or_else(|| thumbprint(&point));
        Ok(Self::new(&kid, Seals::Agreement(point)))
    }
}

impl DecryptionKey {
    /// Reads a private or secret JWK: P-256 or X25519 with `d`, for `ECDH-ES+A256KW`; `oct` of 32 bytes with `alg`, for
    /// `A256KW` or `dir`. Without `kid` the key is named by its thumbprint (RFC 7638), or by a keyed digest of a secret.
    ///
    /// # Errors
    /// The member that is wrong.
    pub fn from_jwk(text: &str) -> Result<Self, Malformed> {
        let object = object(text)?;
        if object.required("kty")? == "oct" {
            let alg = secret_algorithm(&object)?;
            return SecretKeyPair::parse(alg, text).map(|pair| pair.opens);
        }
        let curve = curve(&object)?;
        check_purpose(&object, KeyManagement::EcdhEsA256Kw)?;
        let point = Point::of(curve, &object)?;
        let d = Zeroizing::new(base64url::decode_exact::<KEY_BYTES>(&object.required("d")?, "d")?);
        let private = PrivateKey::from_private_key(curve.algorithm(), &*d)
            .map_err(|_| Malformed::new("d", "is not a private key of the curve"))?;
        let own = Point::of_private(curve, &private);
        if !own.is_ok_and(|own| own.bytes() == point.bytes()) {
            return Err(Malformed::new("d", "is not the private half of the public members"));
        }
        let kid = kid(&object)?.unwrap_or_else(|| thumbprint(&point));
        Ok(Self::new(&kid, Opens::Agreement(curve, private)))
    }
}

/// Both halves of a key that both sides know.
pub struct SecretKeyPair {
    /// What seals.
    pub seals: EncryptionKey,
    /// What opens.
    pub opens: DecryptionKey,
}

impl SecretKeyPair {
    /// Reads the contents of a key's file: 32 bytes as base64url, base64 or hexadecimal, or a JWK of `kty: oct`.
    ///
    /// # Errors
    /// Another length; an algorithm without a secret; what nobody drew at random.
    pub fn parse(alg: KeyManagement, text: &str) -> Result<Self, Malformed> {
        if !alg.is_symmetric() {
            return Err(NO_SECRET);
        }
        let text = text.trim();
        let (name, key) = match text.starts_with('{') {
            true => of_jwk(alg, text)?,
            false => (None, of_text(text)?),
        };
        SharedSecret::parse(&*key)?;
        let kid = name.unwrap_or_else(|| keyed_name(&key));
        let (seals, opens) = match alg {
            KeyManagement::A256Kw => (Seals::Wrapping(key.clone()), Opens::Wrapping(key)),
            KeyManagement::Dir => (Seals::Content(key.clone()), Opens::Content(key)),
            KeyManagement::EcdhEsA256Kw => return Err(NO_SECRET),
        };
        let (seals, opens) = (EncryptionKey::new(&kid, seals), DecryptionKey::new(&kid, opens));
        Ok(Self { seals, opens })
    }
}

const NO_SECRET: Malformed = Malformed::new("alg", "has no secret that both sides know");

/// A key that was just drawn, as text.
pub struct GeneratedKey {
    /// What the recipient keeps: a private or secret JWK.
    pub private: SecretText,
    /// What the authority is told; `None`: the same secret.
    pub public: Option<String>,
}

impl GeneratedKey {
    /// Draws one; that of an agreement is on P-256, which every library has.
    ///
    /// # Errors
    /// The library failed.
    pub fn draw(alg: KeyManagement) -> Result<Self, CryptoFailed> {
        let mut bytes: Key = Zeroizing::new([0; KEY_BYTES]);
        SystemRandom::new().fill(&mut *bytes)?;
        let name = alg.name();
        if alg.is_symmetric() {
            let (kid, k) = (keyed_name(&bytes), Zeroizing::new(base64url::encode(&*bytes)));
            let private = format!(
                "{{\"kty\":\"oct\",\"use\":\"enc\",\"alg\":\"{name}\",\"kid\":\"{kid}\",\"k\":\"{}\"}}",
                *k
            );
            return Ok(Self { private: SecretText::new(private), public: None });
        }
        let private = PrivateKey::from_private_key(Curve::P256.algorithm(), &*bytes);
        let private = private.map_err(|_| CryptoFailed)?;
        let point = Point::of_private(Curve::P256, &private)?;
        let members = point.members();
        let kid = thumbprint(&point);
        let public = format!("{{{members},\"use\":\"enc\",\"alg\":\"{name}\",\"kid\":\"{kid}\"}}");
        let d = Zeroizing::new(base64url::encode(&*bytes));
        let private = format!("{},\"d\":\"{}\"}}", &public[..public.len() - 1], *d);
        Ok(Self { private: SecretText::new(private), public: Some(public) })
    }
}

fn object(text: &str) -> Result<Object<'_>, Malformed> {
    if TEXT_BYTES_MAX < text.len() {
        return Err(Malformed::new("key", "is longer than 4 KiB"));
    }
    Object::parse(text, "key")
}

fn curve(object: &Object<'_>) -> Result<Curve, Malformed> {
    let why = "must be EC or OKP: a key to agree with, on P-256 or X25519";
    Curve::of(object)?.ok_or(Malformed::new("kty", why))
}

/// The key must be for encrypting by exactly this algorithm (RFC 7517 §4.2, §4.4).
fn check_purpose(object: &Object<'_>, alg: KeyManagement) -> Result<(), Malformed> {
    if object.string("use")?.is_some_and(|purpose| purpose != "enc") {
        return Err(Malformed::new("use", "must be \"enc\": one key does not sign and encrypt"));
    }
    if object.string("enc")?.is_some_and(|enc| enc != ENC) {
        return Err(Malformed::new("enc", "must be A256GCM"));
    }
    match object.string("alg")? {
        Some(name) if name != alg.name() => {
            Err(Malformed::new("alg", "is not the algorithm that this key is for"))
        }
        Some(_) | None => Ok(()),
    }
}

/// A secret does not tell by its form what it is for.
fn secret_algorithm(object: &Object<'_>) -> Result<KeyManagement, Malformed> {
    let alg = KeyManagement::from_name(&object.required("alg")?);
    let alg = alg.filter(|alg| alg.is_symmetric());
    alg.ok_or(Malformed::new(
        "alg",
        "must be A256KW or dir: a secret does not tell which by itself",
    ))
}

fn of_jwk(alg: KeyManagement, text: &str) -> Result<(Option<String>, Key), Malformed> {
    let object = object(text)?;
    if object.required("kty")? != "oct" {
        return Err(Malformed::new("kty", "must be oct: a secret that both sides know"));
    }
    check_purpose(&object, alg)?;
    let key = base64url::decode_exact(&object.required("k")?, "k").map(Zeroizing::new)?;
    Ok((kid(&object)?, key))
}

fn of_text(text: &str) -> Result<Key, Malformed> {
    let encodings = [&HEXLOWER_PERMISSIVE, &BASE64URL_NOPAD, &BASE64URL, &BASE64, &BASE64_NOPAD];
    let decoded = encodings.into_iter().filter_map(|own| own.decode(text.as_bytes()).ok());
    let mut decoded = decoded.map(Zeroizing::new);
    let whole = decoded.find_map(|bytes| bytes[..].try_into().ok().map(Zeroizing::new));
    whole.ok_or(Malformed::new(
        "secret",
        "must be 32 bytes, as base64url, base64 or hexadecimal: openssl rand -base64 32 > FILE",
    ))
}

fn kid(object: &Object<'_>) -> Result<Option<String>, Malformed> {
    match object.string("kid")? {
        Some(kid) if kid.is_empty() => Err(Malformed::new("kid", "is empty")),
        Some(kid) if KID_BYTES_MAX < kid.len() => Err(Malformed::new("kid", "is too long")),
        kid => Ok(kid.map(std::borrow::Cow::into_owned)),
    }
}

/// The first 12 bytes of the thumbprint, as all keys of this house are named.
fn thumbprint(point: &Point) -> String {
    base64url::encode(&crate::sha256(format!("{{{}}}", point.members()).as_bytes()).0[..12])
}

/// A thumbprint would publish a digest of the secret; a MAC under it says nothing.
fn keyed_name(key: &Key) -> String {
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &**key), b"symbolon kid");
    base64url::encode(&mac.as_ref()[..12])
}
