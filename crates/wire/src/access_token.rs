//! Issuing access tokens (RFC 9068 §2; DESIGN.md §4.2).

use crate::extra_claims::ExtraClaims;
use crate::secret::SecretText;
use crate::signing_key::{CryptoFailed, SigningKey};
use crate::{Malformed, Type, base64url};
use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use std::fmt;
use symbolon_core::imprint::{Bound, Imprint, Imprints};
use symbolon_core::{Digest, Generation, SessionId, Timestamp, Ver};
use zeroize::{Zeroize, Zeroizing};

/// The longest token that is issued, in bytes. Inclusive.
pub const ISSUED_BYTES_MAX: usize = 4 * 1024;

/// The size above which a token deserves a warning, in bytes: proxies begin to refuse headers.
pub const ISSUED_BYTES_WARN: usize = 1536;

/// What an access token says; `jti` is computed, so that equal claims make an equal token.
pub struct Claims<'a> {
    /// Who issued it.
    pub iss: &'a str,
    /// Whom it is about.
    pub sub: &'a str,
    /// Whom it is for.
    pub aud: &'a [&'a str],
    /// Through which client.
    pub client_id: &'a str,
    /// When; written in whole seconds.
    pub iat: Timestamp,
    /// Until when; written in whole seconds. Exclusive.
    pub exp: Timestamp,
    /// What it allows, names separated by one space (RFC 9068 §2.2.3).
    pub scope: Option<&'a str>,
    /// The session; a client's own token has none.
    pub sid: Option<SessionId>,
    /// The counters that revocation compares.
    pub ver: Ver,
    /// When the subject last signed in (RFC 9068 §2.2.1).
    pub auth_time: Option<Timestamp>,
    /// How strongly.
    pub acr: Option<&'a str>,
    /// By which methods.
    pub amr: &'a [&'a str],
    /// The subject's roles (RFC 9068 §2.2.3.1).
    pub roles: &'a [&'a str],
    /// The thumbprint of the key that the holder must show (RFC 9449 §6.1).
    pub jkt: Option<Digest>,
    /// What the holder's features and network are compared with; never without a session.
    pub imprints: Imprints,
    /// What the back end adds.
    pub extra: &'a ExtraClaims<'a>,
}

impl Claims<'_> {
    /// Signs the token of a session's generation (or 0 without a session).
    ///
    /// With EdDSA, RS256 and HS256 equal arguments give equal bytes.
    ///
    /// # Errors
    /// The token would be longer than 4 KiB, or the library failed.
    pub fn issue(
        &self,
        key: &SigningKey,
        typ: Type,
        jti_key: &JtiKey,
        generation: Generation,
    ) -> Result<Issued, IssueError> {
        let sid = self.sid.unwrap_or(NO_SESSION);
        self.sign(key, typ, jti_key, (sid.as_bytes(), generation))
    }

    /// Signs a token that has no session, such as a client's own. It is named after bytes that were drawn
    /// for it alone: two of one second are two tokens, and revoking one leaves the other.
    ///
    /// # Errors
    /// The token would be longer than 4 KiB, or the library failed.
    pub fn issue_once(
        &self,
        key: &SigningKey,
        typ: Type,
        jti_key: &JtiKey,
        drawn: &[u8; 16],
    ) -> Result<Issued, IssueError> {
        self.sign(key, typ, jti_key, (drawn, Generation(0)))
    }

    /// What the token of a session's generation would say, and its name, without making it: for whoever asks
    /// about a session and holds no JWT of it.
    pub fn describe(&self, jti_key: &JtiKey, generation: Generation) -> (Vec<u8>, Jti) {
        let sid = self.sid.unwrap_or(NO_SESSION);
        let (mut payload, jti) = self.payload(jti_key, (sid.as_bytes(), generation));
        payload.drain(..CONTEXT_BYTES);
        (payload, jti)
    }

    fn sign(
        &self,
        key: &SigningKey,
        typ: Type,
        jti_key: &JtiKey,
        named_after: (&[u8; 16], Generation),
    ) -> Result<Issued, IssueError> {
        let (payload, jti) = self.payload(jti_key, named_after);
        let payload = &payload[CONTEXT_BYTES..];
        let bytes = key.token_bytes(typ, payload.len());
        if bytes > ISSUED_BYTES_MAX {
            return Err(IssueError::TooLong { bytes });
        }
        Ok(Issued { token: SecretText::new(key.sign(typ, payload)?), jti })
    }

    /// All claims, behind what the token is named after.
    fn payload(
        &self,
        jti_key: &JtiKey,
        (context, generation): (&[u8; 16], Generation),
    ) -> (Vec<u8>, Jti) {
        let mut payload = Vec::with_capacity(PAYLOAD_BYTES_TYPICAL);
        payload.extend_from_slice(context);
        payload.extend_from_slice(&generation.0.to_be_bytes());
        self.write(&mut payload);
        let jti = jti_key.name(&mut payload);
        name(&mut payload, "jti");
        base64(&mut payload, &jti.0);
        payload.push(b'}');
        (payload, jti)
    }

    /// Writes the object up to `jti`, without the closing brace.
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"iss\":");
        string(out, self.iss);
        member(out, "sub", self.sub);
        out.extend_from_slice(b",\"aud\":");
        match self.aud {
            [one] => string(out, one),
            several => strings(out, several),
        }
        member(out, "client_id", self.client_id);
        number(out, "iat", self.iat.as_seconds());
        number(out, "exp", self.exp.as_seconds());
        if let Some(scope) = self.scope {
            member(out, "scope", scope);
        }
        if let Some(sid) = self.sid {
            name(out, "sid");
            base64(out, sid.as_bytes());
        }
        let Ver { store, subject, client, everything } = self.ver;
        name(out, "ver");
        json(out, &[u64::from(store.0), subject, client, everything]);
        self.write_authentication(out);
        self.write_confirmation(out);
        self.extra.append_members(out);
    }

    /// What is only reported stands outside `cnf`, of which nobody may pass over what they do not understand.
    fn write_confirmation(&self, out: &mut Vec<u8>) {
        let jkt = self.jkt.as_ref().map(|jkt| ("jkt", &jkt.0[..]));
        let Imprints { features, network } = &self.imprints;
        let parts = [("features", features), ("network", network)];
        for (claim, jkt, enforced) in [("cnf", jkt, true), ("cnf_reported", None, false)] {
            let of = |(name, own): (_, &'_ Option<Bound<Imprint>>)| {
                let own = own.as_ref().filter(|own| own.enforced == enforced)?;
                Some((name, own.to.0))
            };
            let imprints = parts.map(of);
            let imprints = imprints.iter().flatten().map(|(name, bytes)| (*name, &bytes[..]));
            let mut members = jkt.into_iter().chain(imprints).peekable();
            if members.peek().is_none() {
                continue;
            }
            name(out, claim);
            for (at, (member, bytes)) in members.enumerate() {
                out.extend_from_slice(if at == 0 { b"{\"" } else { b",\"" });
                out.extend_from_slice(member.as_bytes());
                out.extend_from_slice(b"\":");
                base64(out, bytes);
            }
            out.push(b'}');
        }
    }

    fn write_authentication(&self, out: &mut Vec<u8>) {
        if let Some(at) = self.auth_time {
            number(out, "auth_time", at.as_seconds());
        }
        if let Some(acr) = self.acr {
            member(out, "acr", acr);
        }
        for (claim, values) in [("amr", self.amr), ("roles", self.roles)] {
            if !values.is_empty() {
                name(out, claim);
                strings(out, values);
            }
        }
    }
}

/// A token that was issued.
pub struct Issued {
    /// Its text.
    pub token: SecretText,
    /// Its name, for logs and for revoking it alone.
    pub jti: Jti,
}

/// The name of a token (RFC 7519 §4.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Jti(pub [u8; 16]);

impl Jti {
    /// The name that a claim's text is.
    ///
    /// # Errors
    /// It is not 16 bytes of canonical base64url.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        base64url::decode_exact(text, "jti").map(Self)
    }

    /// The claim's text: 22 characters of base64url.
    pub fn to_text(self) -> String {
        base64url::encode(&self.0)
    }
}

/// The key under which tokens are named: a name says nothing about what it was made of.
pub struct JtiKey(Zeroizing<[u8; 32]>);

impl JtiKey {
    pub(crate) const fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// A name proves nothing, it only has to be another for every other token and to hide the
    /// generation. So it is one SHA-256 with the key at the end, at half the price of an HMAC:
    /// 2 % of an Ed25519 token.
    fn name(&self, claims_in_context: &mut Vec<u8>) -> Jti {
        let len = claims_in_context.len();
        claims_in_context.extend_from_slice(&*self.0);
        let mut jti = [0; 16];
        jti.copy_from_slice(&digest(&SHA256, claims_in_context).as_ref()[..16]);
        claims_in_context[len..].zeroize();
        claims_in_context.truncate(len);
        Jti(jti)
    }
}

/// Why a token was not issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueError {
    /// The claims are too many.
    TooLong {
        /// How long the token would have been.
        bytes: usize,
    },
    /// The library failed.
    Crypto(CryptoFailed),
}

impl From<CryptoFailed> for IssueError {
    fn from(failed: CryptoFailed) -> Self {
        Self::Crypto(failed)
    }
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => {
                write!(f, "the token would have {bytes} bytes, more than {ISSUED_BYTES_MAX}")
            }
            Self::Crypto(failed) => failed.fmt(f),
        }
    }
}

impl std::error::Error for IssueError {}

/// What the name is computed over besides the claims: sid and generation, or what was drawn, stand in front
/// of them.
const CONTEXT_BYTES: usize = 20;

/// What stands there for a token without a session.
const NO_SESSION: SessionId = SessionId::from_bytes([0; 16]);

/// Room for the claims of a usual token and what goes around them, in bytes.
const PAYLOAD_BYTES_TYPICAL: usize = 768;

fn member(out: &mut Vec<u8>, claim: &str, value: &str) {
    name(out, claim);
    string(out, value);
}

fn number(out: &mut Vec<u8>, claim: &str, value: u64) {
    name(out, claim);
    json(out, &value);
}

fn name(out: &mut Vec<u8>, claim: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(claim.as_bytes());
    out.extend_from_slice(b"\":");
}

fn strings(out: &mut Vec<u8>, values: &[&str]) {
    for (index, value) in values.iter().enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        string(out, value);
    }
    out.extend_from_slice(if values.is_empty() { b"[]" } else { b"]" });
}

fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    base64url::append_bytes(bytes, out);
    out.push(b'"');
}

fn string(out: &mut Vec<u8>, value: &str) {
    json(out, value);
}

/// Much faster than `write!`, which formats numbers through a trait object.
fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("it is JSON, and a vector takes every write");
}
