//! Proofs that a key is held, as text (DPoP, RFC 9449): points 2 to 7 of its §4.3, and the nonces of §8.
//!
//! A proof brings its own key, which everywhere else in this crate is a reason to refuse. It vouches for nothing but
//! that whoever signed it holds that key; what the proof must say to be good for a request is `symbolon_core::dpop`'s.

use crate::json::{self, Object};
use crate::jwk::{self, Material, PublicJwk};
use crate::jws::{Compact, HEADER_BYTES_MAX, Refused, SIGNATURE_BYTES_MAX};
use crate::secret::same_bytes;
use crate::verifying_key::VerifyingKey;
use crate::{Algorithm, CryptoFailed, Malformed, SigningKey, base64url, sha256};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;
use serde_json::value::RawValue;
use std::borrow::Cow;
use symbolon_core::dpop::{DpopProof, Nonce, ProofClaims, nonce_span};
use symbolon_core::target::is_method;
use symbolon_core::{Digest, StoreEpoch, Timestamp};

pub use symbolon_core::dpop::Url;

/// The longest proof that is looked at, in bytes. Inclusive.
pub const PROOF_BYTES_MAX: usize = 8 * 1024;

/// The longest `jti` and the longest `nonce` of a proof, in bytes. Inclusive.
pub const NAME_BYTES_MAX: usize = 256;

/// The longest RSA modulus of a proof's key, in bits: a stranger chooses it. Inclusive.
pub const PROOF_RSA_BITS_MAX: usize = 4096;

/// What proofs may be signed with.
pub const PROOF_ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

/// Opens a proof: checks its form, and its signature by the key that it brings.
///
/// # Errors
/// Why it is no proof of any key; see [`Refused`].
pub fn open_dpop_proof(text: &str) -> Result<DpopProof, Refused> {
    if PROOF_BYTES_MAX < text.len() {
        return Err(Malformed::new("proof", "is longer than 8 KiB").into());
    }
    let parts = Compact::split(text)?;
    let key = header(parts.header)?;
    let mut buffer = [0; SIGNATURE_BYTES_MAX];
    let signature = base64url::decode_into(parts.signature, &mut buffer, "signature")?;
    VerifyingKey::nameless(&key)?.check(parts.signed.as_bytes(), signature)?;
    let payload = base64url::decode(parts.payload, "payload")?;
    Ok(claims(Digest(key.thumbprint()), &payload)?)
}

/// A proof that is to be made, as a client makes one (RFC 9449 §4.2).
#[derive(Clone, Copy, Debug)]
pub struct NewProof<'a> {
    /// Its name; nobody may be able to guess it, and no two proofs of a key share one.
    pub jti: &'a str,
    /// The method of the request that it is for.
    pub method: &'a str,
    /// The URL of that request.
    pub url: &'a str,
    /// Now.
    pub at: Timestamp,
    /// The access token that goes with it.
    pub access_token: Option<&'a str>,
    /// What the server sent as `DPoP-Nonce`.
    pub nonce: Option<&'a str>,
}

impl NewProof<'_> {
    /// Signs it by a key, whose public half it brings.
    ///
    /// # Errors
    /// The key is a shared secret, which has no public half; the library failed.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CryptoFailed> {
        let jwk = key.public_jwk().ok_or(CryptoFailed)?;
        let (alg, jwk) = (jwk.algorithm().name(), jwk.bare_json());
        let header = format!("{{\"typ\":\"dpop+jwt\",\"alg\":\"{alg}\",\"jwk\":{jwk}}}");
        let mut claims = serde_json::json!({
            "jti": self.jti, "htm": self.method, "htu": self.url, "iat": self.at.as_seconds(),
        });
        if let Some(token) = self.access_token {
            claims["ath"] = base64url::encode(&access_token_hash(token).0).into();
        }
        if let Some(nonce) = self.nonce {
            claims["nonce"] = nonce.into();
        }
        key.sign_under(&header, claims.to_string().as_bytes())
    }
}

/// What `ath` must be for an access token: the SHA-256 of its text.
pub fn access_token_hash(token: &str) -> Digest {
    sha256(token.as_bytes())
}

/// Reads the header: nothing of it is obeyed but the key, whose algorithm is its own.
fn header(segment: &str) -> Result<PublicJwk, Refused> {
    if HEADER_BYTES_MAX < segment.len() {
        return Err(Malformed::new("header", "is too long").into());
    }
    let bytes = base64url::decode(segment, "header")?;
    let text = utf8(&bytes, "header")?;
    let header = Object::parse(text, "header")?;
    for name in ["crit", "b64", "jku", "x5u", "x5c", "enc", "zip"] {
        if header.has(name) {
            return Err(Malformed::new(name, "is not understood").into());
        }
    }
    if !header.members().all(|(_, value)| json::is_strict(value, 1)) {
        return Err(Malformed::new("header", "names a member twice or nests too deep").into());
    }
    if header.required("typ")? != "dpop+jwt" {
        return Err(Malformed::new("typ", "must be dpop+jwt").into());
    }
    let own = header.raw("jwk").ok_or(Malformed::new("jwk", "is missing"))?;
    let key = public(own.get()).map_err(|wrong| wrong.within("jwk"))?;
    match header.required("alg")? == key.algorithm().name() {
        true => Ok(key),
        false => Err(Refused::Algorithm),
    }
}

/// The key, without any private part.
fn public(text: &str) -> Result<PublicJwk, Malformed> {
    let read = jwk::read(text)?.ok_or(Malformed::new("kty", "must be OKP, EC or RSA"))?;
    match read.material {
        Material::Public(PublicJwk::Rsa { n, .. }) if PROOF_RSA_BITS_MAX / 8 < n.len() => {
            Err(Malformed::new("n", "is longer than 4096 bits"))
        }
        Material::Public(key) => Ok(key),
        Material::Secret(_) => Err(Malformed::new("kty", "is that of a secret")),
    }
}

/// The claims found so far.
#[derive(Default)]
struct Read<'a> {
    jti: Option<Cow<'a, str>>,
    htm: Option<Cow<'a, str>>,
    htu: Option<Cow<'a, str>>,
    iat: Option<Timestamp>,
    ath: Option<Digest>,
    nonce: Option<Cow<'a, str>>,
}

impl<'a> Read<'a> {
    fn claim(&mut self, name: &str, value: &'a RawValue) -> Result<(), Malformed> {
        match name {
            "jti" => self.jti = Some(short(value, "jti")?),
            "htm" => self.htm = Some(json::string(value, "htm")?),
            "htu" => self.htu = Some(json::string(value, "htu")?),
            "iat" => self.iat = Some(crate::claims::instant(value, "iat")?),
            "ath" => {
                let text = json::string(value, "ath")?;
                self.ath = Some(base64url::decode_exact(&text, "ath").map(Digest)?);
            }
            "nonce" => self.nonce = Some(short(value, "nonce")?),
            _ if !json::is_strict(value, 1) => {
                return Err(Malformed::new("claims", "name a member twice or nest too deep"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn claims(key: Digest, payload: &[u8]) -> Result<DpopProof, Malformed> {
    let mut read = Read::default();
    json::each_member(utf8(payload, "claims")?, "claims", |name, value| read.claim(&name, value))?;
    let (jti, htm) = (there(read.jti, "jti")?, there(read.htm, "htm")?);
    if !is_method(&htm) {
        return Err(Malformed::new("htm", "is not a method"));
    }
    let url = Url::parse(&there(read.htu, "htu")?);
    Ok(DpopProof::assume_genuine(ProofClaims {
        key,
        name: name(&key, &jti),
        method: htm.into(),
        url: url.map_err(|_| Malformed::new("htu", "is not a URL of http or https"))?,
        issued_at: there(read.iat, "iat")?,
        access_token: read.ath,
        nonce: read.nonce.map(Into::into),
    }))
}

/// A proof's name among all: of this key.
fn name(key: &Digest, jti: &str) -> [u8; 16] {
    let mut context = Context::new(&SHA256);
    context.update(&key.0);
    context.update(jti.as_bytes());
    let mut name = [0; 16];
    name.copy_from_slice(&context.finish().as_ref()[..16]);
    name
}

fn short<'a>(value: &'a RawValue, member: &'static str) -> Result<Cow<'a, str>, Malformed> {
    match json::string(value, member)? {
        text if text.is_empty() => Err(Malformed::new(member, "is empty")),
        text if NAME_BYTES_MAX < text.len() => Err(Malformed::new(member, "is too long")),
        text => Ok(text),
    }
}

fn there<T>(claim: Option<T>, name: &'static str) -> Result<T, Malformed> {
    claim.ok_or(Malformed::new(name, "is missing"))
}

fn utf8<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed::new(what, "is not UTF-8"))
}

/// The nonces that proofs repeat: derived from the time, never stored, the same at every node that has the key.
///
/// A nonce says when a proof was made by the clock of who handed it out (RFC 9449 §4.3, point 11). One is handed out
/// for `NONCE_SPAN` and accepted for twice that, in its own store epoch alone.
#[derive(Clone)]
pub struct DpopNonces {
    key: hmac::Key,
    epoch: StoreEpoch,
}

/// How many bytes of the MAC a nonce shows.
const NONCE_BYTES: usize = 16;

impl DpopNonces {
    pub(crate) const fn new(key: hmac::Key) -> Self {
        Self { key, epoch: StoreEpoch(0) }
    }

    /// Nonces under a key that several processes share, or that one drew for itself.
    pub fn of_secret(secret: &[u8; 32]) -> Self {
        Self::new(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The same of a store epoch; else they are of none.
    #[must_use]
    pub fn in_epoch(&self, epoch: StoreEpoch) -> Self {
        Self { key: self.key.clone(), epoch }
    }

    /// The nonce to hand out now.
    pub fn current(&self, at: Timestamp) -> String {
        base64url::encode(&self.mac(nonce_span(at)))
    }

    /// Whose nonce a proof repeats.
    pub fn recognise(&self, proof: &DpopProof, at: Timestamp) -> Nonce {
        let Some(nonce) = &proof.nonce else { return Nonce::None };
        let Ok(shown) = base64url::decode_exact::<NONCE_BYTES>(nonce, "nonce") else {
            return Nonce::Foreign;
        };
        let span = nonce_span(at);
        let is = |span| same_bytes(&self.mac(span), &shown);
        match is(span) || span.checked_sub(1).is_some_and(is) {
            true => Nonce::Ours,
            false => Nonce::Foreign,
        }
    }

    fn mac(&self, span: u64) -> [u8; NONCE_BYTES] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&self.epoch.0.to_be_bytes());
        context.update(&span.to_be_bytes());
        let mut cut = [0; NONCE_BYTES];
        cut.copy_from_slice(&context.sign().as_ref()[..NONCE_BYTES]);
        cut
    }
}
