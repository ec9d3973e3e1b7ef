//! The five segments of an encrypted token, and what its header says. Nobody has vouched for a word of it.

use super::agreement::{Curve, Point};
use super::content::{IV_BYTES, TAG_BYTES, WRAPPED_BYTES};
use super::{ENC, KeyManagement};
use crate::json::Object;
use crate::jwk::KID_BYTES_MAX;
use crate::jws::{HEADER_BYTES_MAX, TOKEN_BYTES_MAX, refuse_members};
use crate::{Malformed, base64url};

/// A text in five segments, decoded as far as their lengths are fixed.
pub(super) struct Compact<'t> {
    /// As it was written: what the tag is over.
    pub(super) header: &'t str,
    /// Empty under `dir`.
    pub(super) encrypted_key: &'t str,
    pub(super) iv: [u8; IV_BYTES],
    ciphertext: &'t str,
    tag: [u8; TAG_BYTES],
}

impl<'t> Compact<'t> {
    pub(super) fn split(token: &'t str) -> Result<Self, Malformed> {
        let refused = |why| Malformed::new("token", why);
        if TOKEN_BYTES_MAX < token.len() {
            return Err(refused("is longer than 16 KiB"));
        }
        let mut segments = token.splitn(6, '.');
        let mut next = || segments.next().ok_or(refused("does not have five segments"));
        let (header, encrypted_key, iv, ciphertext, tag) =
            (next()?, next()?, next()?, next()?, next()?);
        if segments.next().is_some() {
            return Err(refused("has more than five segments"));
        }
        Ok(Self {
            header,
            encrypted_key,
            iv: base64url::decode_exact(iv, "iv")?,
            ciphertext,
            tag: base64url::decode_exact(tag, "tag")?,
        })
    }

    /// The content as it travels, and the tag behind it.
    pub(super) fn sealed(&self) -> Result<Vec<u8>, Malformed> {
        let mut sealed = base64url::decode(self.ciphertext, "ciphertext")?;
        sealed.extend_from_slice(&self.tag);
        Ok(sealed)
    }

    /// The key, wrapped.
    pub(super) fn wrapped(&self) -> Result<[u8; WRAPPED_BYTES], Malformed> {
        base64url::decode_exact(self.encrypted_key, "encrypted_key")
    }
}

/// What a header says.
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    /// Under ECDH-ES.
    pub(super) ephemeral: Option<Ephemeral>,
}

/// What the sender brings to an agreement (RFC 7518 §4.6.1).
pub(super) struct Ephemeral {
    pub(super) point: Point,
    pub(super) apu: Vec<u8>,
    pub(super) apv: Vec<u8>,
}

impl Header {
    pub(super) fn read(segment: &str) -> Result<Self, Malformed> {
        let bytes = decoded(segment)?;
        let object = parsed(&bytes)?;
        check(&object)?;
        let alg = object.required("alg")?.into_owned();
        let kid = object.string("kid")?.map(std::borrow::Cow::into_owned);
        if kid.as_ref().is_some_and(|kid| KID_BYTES_MAX < kid.len()) {
            return Err(Malformed::new("kid", "is too long"));
        }
        if object.required("enc")? != ENC {
            return Err(Malformed::new("enc", "must be A256GCM"));
        }
        // RFC 7519 §5.2: what is inside is a token, and so signed; bare claims are never read.
        if !object.required("cty")?.eq_ignore_ascii_case("JWT") {
            return Err(Malformed::new("cty", "must be \"JWT\": what is inside must be signed"));
        }
        let agrees = alg == KeyManagement::EcdhEsA256Kw.name();
        let ephemeral = agrees.then(|| ephemeral(&object)).transpose()?;
        Ok(Self { alg, kid, ephemeral })
    }
}

fn decoded(segment: &str) -> Result<Vec<u8>, Malformed> {
    if HEADER_BYTES_MAX < segment.len() {
        return Err(Malformed::new("header", "is too long"));
    }
    base64url::decode(segment, "header")
}

fn parsed(bytes: &[u8]) -> Result<Object<'_>, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::new("header", "is not UTF-8"))?;
    Object::parse(text, "header")
}

/// Refuses what would bring a key, compress (RFC 8725 §3.6), or change the meaning of the rest; all else is ignored, as
/// RFC 7516 §4 demands, but never at the price of a member named twice.
fn check(header: &Object<'_>) -> Result<(), Malformed> {
    const REFUSED: [(&str, &str); 8] = [
        ("crit", "is not understood"),
        ("zip", "is not understood: nothing here is compressed"),
        ("b64", "belongs to a signed token"),
        ("jwk", "would bring a key with the token"),
        ("jku", "would bring a key with the token"),
        ("x5u", "would bring a key with the token"),
        ("x5c", "would bring a key with the token"),
        ("p2c", "is not understood: no key here is a password"),
    ];
    refuse_members(header, REFUSED)
}

fn ephemeral(header: &Object<'_>) -> Result<Ephemeral, Malformed> {
    let text = header.raw("epk").ok_or(Malformed::new("epk", "is missing"))?.get();
    let epk = Object::parse(text, "epk")?;
    if epk.has("d") {
        return Err(Malformed::new("epk.d", "is a private member in a public key"));
    }
    let curve = Curve::of(&epk).map_err(|wrong| wrong.within("epk"))?;
    let curve = curve.ok_or(Malformed::new("epk.kty", "must be EC or OKP"))?;
    let point = Point::of(curve, &epk).map_err(|wrong| wrong.within("epk"))?;
    let party = |name| match header.string(name)? {
        Some(text) => base64url::decode(&text, name),
        None => Ok(Vec::new()),
    };
    Ok(Ephemeral { point, apu: party("apu")?, apv: party("apv")? })
}

/// What an encrypted token says outside, for people who look at one; only its recipient can read more.
pub struct UnverifiedJwe {
    /// How the recipient gets at the key.
    pub alg: String,
    /// How the content is encrypted.
    pub enc: String,
    /// The name of the key that opens it.
    pub kid: Option<String>,
}

impl UnverifiedJwe {
    /// Reads a token's header.
    ///
    /// # Errors
    /// It is not an encrypted token in five segments.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        let bytes = decoded(Compact::split(text)?.header)?;
        let header = parsed(&bytes)?;
        Ok(Self {
            alg: header.required("alg")?.into_owned(),
            enc: header.required("enc")?.into_owned(),
            kid: header.string("kid")?.map(std::borrow::Cow::into_owned),
        })
    }
}
