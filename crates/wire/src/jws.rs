//! JSON Web Signatures in their compact form (RFC 7515 §3.1, §5.2, §7.1).
//!
//! This layer knows keys, algorithms and types; what a payload says is for others. Nothing of a
//! header is obeyed: `alg` is compared, `kid` only picks among keys that we already trust, and a
//! header that would bring a key, or change what is signed, is refused (RFC 8725 §3.1, §3.10).

use crate::json::Object;
use crate::jwk::KID_BYTES_MAX;
use crate::key_set::KeySet;
use crate::verifying_key::VerifyingKey;
use crate::{Algorithm, Malformed, Type, base64url};
use std::borrow::Cow;
use std::fmt;

/// The longest token that is looked at, in bytes. Inclusive.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Verifies a token against a set of keys; `alg` is the one that the caller pins.
///
/// The payload may be any bytes, as RFC 7515 has it: whoever reads claims out of it asks for an
/// object. Allocates the payload and nothing else, if our authority wrote the header.
///
/// # Errors
/// Why the token is refused; see [`Refused`].
pub fn verify<'k>(keys: &'k KeySet, alg: Algorithm, token: &str) -> Result<Payload<'k>, Refused> {
    let parts = Compact::split(token)?;
    let (key, typ) = match keys.known_header(parts.header) {
        Some((key, typ)) => (key, Some(typ)),
        None => read_header(keys, parts.header)?,
    };
    if key.algorithm() != alg {
        return Err(Refused::Algorithm);
    }
    let mut buffer = [0; SIGNATURE_BYTES_MAX];
    let signature = base64url::decode_into(parts.signature, &mut buffer, "signature")?;
    key.check(parts.signed.as_bytes(), signature)?;
    Ok(Payload { bytes: base64url::decode(parts.payload, "payload")?, typ, key })
}

/// Verifies what [`SigningKey::sign_as`](crate::SigningKey) signed as exactly this type, under whichever
/// published key it names; a shared secret vouches for nothing here.
pub(crate) fn verify_as(keys: &KeySet, typ: &str, text: &str) -> Result<Vec<u8>, Refused> {
    let parts = Compact::split(text)?;
    let header = Header::read(parts.header)?;
    let key = keys.select(header.kid.as_deref()).ok_or(Refused::UnknownKey)?;
    if header.alg != key.algorithm().name() || key.algorithm().is_symmetric() {
        return Err(Refused::Algorithm);
    }
    if header.typ.as_deref() != Some(typ) {
        return Err(Malformed::new("typ", "is not the expected one").into());
    }
    let mut buffer = [0; SIGNATURE_BYTES_MAX];
    let signature = base64url::decode_into(parts.signature, &mut buffer, "signature")?;
    key.check(parts.signed.as_bytes(), signature)?;
    Ok(base64url::decode(parts.payload, "payload")?)
}

/// A payload whose signature was verified: holding one is the proof.
pub struct Payload<'k> {
    bytes: Vec<u8>,
    typ: Option<Type>,
    key: &'k VerifyingKey,
}

impl<'k> Payload<'k> {
    /// What was signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the token declares itself to be; `None` if it says nothing, or nothing that we issue.
    pub const fn typ(&self) -> Option<Type> {
        self.typ
    }

    /// The key that signed it.
    pub const fn key(&self) -> &'k VerifyingKey {
        self.key
    }
}

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It is not a token that this house reads.
    Malformed(Malformed),
    /// Its `alg` is not the key's, or the key's is not the one that the caller pinned.
    Algorithm,
    /// No key of the set has that name, or the token names none and the set has several.
    UnknownKey,
    /// The signature is not by that key over these bytes.
    Signature,
}

impl From<Malformed> for Refused {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => why.fmt(f),
            Self::Algorithm => f.write_str("alg: is not the algorithm that is expected"),
            Self::UnknownKey => f.write_str("kid: names no key of the set"),
            Self::Signature => f.write_str("signature: does not verify"),
        }
    }
}

impl std::error::Error for Refused {}

/// The header segment that our authority writes, ready to be compared or sent.
pub(crate) fn header_segment(alg: Algorithm, typ: &str, kid: &str) -> String {
    let (alg, kid) = (alg.name(), serde_json::Value::from(kid));
    base64url::encode(format!("{{\"alg\":\"{alg}\",\"typ\":\"{typ}\",\"kid\":{kid}}}").as_bytes())
}

/// The longest signature: RSA's is as long as its modulus. Inclusive.
pub(crate) const SIGNATURE_BYTES_MAX: usize = crate::jwk::RSA_BITS_MAX / 8;

/// The longest header segment that is parsed, in bytes: it is parsed before anything is verified.
/// Inclusive.
pub(crate) const HEADER_BYTES_MAX: usize = 2048;

/// The header and payload segments of a token, not looked into.
pub(crate) fn split(token: &str) -> Result<(&str, &str), Malformed> {
    Compact::split(token).map(|parts| (parts.header, parts.payload))
}

/// The three segments of a token.
pub(crate) struct Compact<'t> {
    /// Header, dot and payload: what the signature is over.
    pub(crate) signed: &'t str,
    pub(crate) header: &'t str,
    pub(crate) payload: &'t str,
    pub(crate) signature: &'t str,
}

impl<'t> Compact<'t> {
    /// Finds exactly two dots, without looking further than the third.
    pub(crate) fn split(token: &'t str) -> Result<Self, Malformed> {
        let refused = |why| Malformed::new("token", why);
        if token.len() > TOKEN_BYTES_MAX {
            return Err(refused("is longer than 16 KiB"));
        }
        let (header, rest) =
            token.split_once('.').ok_or(refused("does not have three segments"))?;
        let (payload, signature) =
            rest.split_once('.').ok_or(refused("does not have three segments"))?;
        if signature.contains('.') {
            // Five segments are a JWE: encrypted is not signed (advisory CVE-2026-29000).
            return Err(refused("has more than three segments"));
        }
        let signed = &token[..header.len() + 1 + payload.len()];
        Ok(Self { signed, header, payload, signature })
    }
}

/// Reads a header that we did not write, and finds its key.
fn read_header<'k>(
    keys: &'k KeySet,
    segment: &str,
) -> Result<(&'k VerifyingKey, Option<Type>), Refused> {
    let header = Header::read(segment)?;
    let key = keys.select(header.kid.as_deref()).ok_or(Refused::UnknownKey)?;
    match header.alg == key.algorithm().name() {
        true => Ok((key, header.typ.as_deref().and_then(Type::from_name))),
        false => Err(Refused::Algorithm),
    }
}

/// What a header says.
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
}

impl Header {
    fn read(segment: &str) -> Result<Self, Malformed> {
        if segment.len() > HEADER_BYTES_MAX {
            return Err(Malformed::new("header", "is too long"));
        }
        let bytes = base64url::decode(segment, "header")?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| Malformed::new("header", "is not UTF-8"))?;
        let header = Object::parse(text, "header")?;
        check_header(&header)?;
        let kid = header.string("kid")?.map(Cow::into_owned);
        if kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
            return Err(Malformed::new("kid", "is too long"));
        }
        let alg = header.required("alg")?.into_owned();
        Ok(Self { alg, typ: header.string("typ")?.map(Cow::into_owned), kid })
    }
}

/// Refuses the members that would bring a key or change the meaning of the rest; all others are
/// ignored, as RFC 7515 §4 demands, but never at the price of a member named twice.
fn check_header(header: &Object<'_>) -> Result<(), Malformed> {
    const REFUSED: [(&str, &str); 8] = [
        ("crit", "is not understood"),
        ("b64", "is not understood"),
        ("jwk", "would bring a key with the token"),
        ("jku", "would bring a key with the token"),
        ("x5u", "would bring a key with the token"),
        ("x5c", "would bring a key with the token"),
        ("enc", "belongs to an encrypted token"),
        ("zip", "belongs to an encrypted token"),
    ];
    refuse_members(header, REFUSED)
}

/// Refuses the members of a header that are named here, and one that is there twice.
pub(crate) fn refuse_members(
    header: &Object<'_>,
    refused: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> Result<(), Malformed> {
    if let Some((name, why)) = refused.into_iter().find(|(name, _)| header.has(name)) {
        return Err(Malformed::new(name, why));
    }
    match header.members().all(|(_, value)| crate::json::is_strict(value, 1)) {
        true => Ok(()),
        false => Err(Malformed::new("header", "names a member twice or nests too deep")),
    }
}
