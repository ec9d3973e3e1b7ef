//! Issuing access tokens (RFC 9068 §2; DESIGN.md §4.2).

use crate::extra_claims::ExtraClaims;
use crate::secret::SecretText;
use crate::signing_key::{CryptoFailed, SigningKey};
use crate::{Malformed, Type, base64url};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use std::fmt;
use symbolon_core::imprint::{Bound, Imprint, Imprints};
use symbolon_core::{Digest, Duration, Generation, SessionId, Timestamp, Ver};
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
    /// How old the knowledge of revocations may be by which it is let in; written in whole seconds.
    pub staleness: Option<Duration>,
    /// Whether it lets in once, and must be redeemed at the authority.
    pub one_use: bool,
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
        self.sign(key, typ, jti_key, NamedAfter::Session(sid, generation))
    }

    /// Signs a token that is named after bytes which were drawn for it alone: a client's own, which has no session,
    /// or one for one use. Two of one second are two tokens, and revoking one leaves the other.
    ///
    /// # Errors
    /// The token would be longer than 4 KiB, or the library failed.
    pub fn issue_once(
        &self,
        key: &SigningKey,
        typ: Type,
        jti_key: &JtiKey,
        drawn: &[u8; DRAWN_BYTES],
    ) -> Result<Issued, IssueError> {
        self.sign(key, typ, jti_key, NamedAfter::Drawn(drawn))
    }

    /// What the token of a session's generation would say, and its name, without making it: for whoever asks
    /// about a session and holds no JWT of it.
    pub fn describe(&self, jti_key: &JtiKey, generation: Generation) -> (Vec<u8>, Jti) {
        let sid = self.sid.unwrap_or(NO_SESSION);
        let (mut payload, jti) = self.payload(jti_key, NamedAfter::Session(sid, generation));
        payload.drain(..CONTEXT_BYTES);
        (payload, jti)
    }

    fn sign(
        &self,
        key: &SigningKey,
        typ: Type,
        jti_key: &JtiKey,
        named_after: NamedAfter<'_>,
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
    fn payload(&self, jti_key: &JtiKey, named_after: NamedAfter<'_>) -> (Vec<u8>, Jti) {
        let mut payload = Vec::with_capacity(PAYLOAD_BYTES_TYPICAL);
        payload.extend_from_slice(&named_after.context());
        self.write(&mut payload);
        let jti = named_after.within(jti_key.name(&mut payload));
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
        if let Some(staleness) = self.staleness {
            number(out, "staleness", staleness.as_secs());
        }
        if self.one_use {
            out.extend_from_slice(b",\"one_use\":true");
        }
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

/// How many bytes are drawn for a token that is named after them.
pub const DRAWN_BYTES: usize = 8;

/// What makes the name of a token another than that of one which says the same.
#[derive(Clone, Copy)]
enum NamedAfter<'a> {
    /// The rotation that it is of.
    Session(SessionId, Generation),
    /// What was drawn; the name begins with it, so that whoever has the key can tell one that was made here.
    Drawn(&'a [u8; DRAWN_BYTES]),
}

impl NamedAfter<'_> {
    /// What stands in front of the claims when the name is computed.
    fn context(self) -> [u8; CONTEXT_BYTES] {
        let mut context = [0; CONTEXT_BYTES];
        match self {
            Self::Session(sid, generation) => {
                context[..16].copy_from_slice(sid.as_bytes());
                context[16..].copy_from_slice(&generation.0.to_be_bytes());
            }
            // No session is called so: fourteen bytes of its name are drawn.
            Self::Drawn(drawn) => {
                context[..DRAWN_BYTES].copy_from_slice(drawn);
                context[DRAWN_BYTES..].fill(0xff);
            }
        }
        context
    }

    /// The name, of what was computed.
    fn within(self, Jti(mut name): Jti) -> Jti {
        if let Self::Drawn(drawn) = self {
            name.copy_within(..16 - DRAWN_BYTES, DRAWN_BYTES);
            name[..DRAWN_BYTES].copy_from_slice(drawn);
        }
        Jti(name)
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

    /// What roles and added claims are called in a token that leaves them out: the same for whoever has the same,
    /// and nothing that could be guessed from the name.
    pub fn rights(&self, roles: &[&str], extra: &ExtraClaims<'_>) -> String {
        let mut left_out = b"symbolon rights\n".to_vec();
        strings(&mut left_out, roles);
        left_out.extend_from_slice(extra.to_text().as_bytes());
        self.name(&mut left_out).to_text()
    }

    /// Whether a payload is named as this key names the token of one of these generations of a session: then it was
    /// made here, whoever else may have the key that signed it.
    pub fn made_for_session(
        &self,
        payload: &[u8],
        sid: SessionId,
        generations: impl IntoIterator<Item = Generation>,
    ) -> bool {
        let Some((claims, jti)) = unnamed(payload) else { return false };
        let mut named = [&[0; CONTEXT_BYTES], claims].concat();
        generations.into_iter().any(|generation| {
            let after = NamedAfter::Session(sid, generation);
            named[..CONTEXT_BYTES].copy_from_slice(&after.context());
            is_equal(self.name(&mut named), jti)
        })
    }

    /// The same of a token that is named after what was drawn.
    pub fn made_for_one(&self, payload: &[u8]) -> bool {
        let Some((claims, jti)) = unnamed(payload) else { return false };
        let Some(drawn) = jti.0.first_chunk() else { return false };
        let after = NamedAfter::Drawn(drawn);
        let mut named = [&after.context(), claims].concat();
        is_equal(after.within(self.name(&mut named)), jti)
    }

    /// A name proves nothing to others, it only has to be another for every other token and to hide the
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

fn is_equal(own: Jti, shown: Jti) -> bool {
    verify_slices_are_equal(&own.0, &shown.0).is_ok()
}

/// A payload as it is named, and its name; none if it is not written as ours are.
fn unnamed(payload: &[u8]) -> Option<(&[u8], Jti)> {
    const NAME: &[u8] = b",\"jti\":\"";
    let (claims, end) = payload.split_at_checked(payload.len().checked_sub(NAME.len() + 24)?)?;
    let name = end.strip_prefix(NAME)?.strip_suffix(b"\"}")?;
    Some((claims, Jti::parse(std::str::from_utf8(name).ok()?).ok()?))
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
