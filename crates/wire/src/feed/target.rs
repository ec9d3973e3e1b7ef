//! Targets as digests: who listens to the feed learns of a target only if it holds a token of it.

use crate::{DpopNonces, Malformed, base64url};
use aws_lc_rs::hmac;
use symbolon_core::SessionId;
use zeroize::Zeroizing;

/// The key under which targets are digested; the snapshot delivers it.
#[derive(Clone)]
pub struct TargetKey {
    mac: hmac::Key,
    bytes: Zeroizing<[u8; 32]>,
}

/// A target as it travels: the first 16 bytes of an HMAC-SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TargetDigest(pub [u8; 16]);

/// What a digested target is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TargetKind {
    /// An access token, by the text of its `jti`.
    Token,
    /// A session, by the text of its `sid`.
    Session,
    /// A subject, by its `sub`.
    Subject,
    /// A client, by its `client_id`.
    Client,
}

impl TargetKind {
    /// The word before the value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::Subject => "subject",
            Self::Client => "client",
        }
    }
}

impl TargetKey {
    pub(crate) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { mac: hmac::Key::new(hmac::HMAC_SHA256, &*bytes), bytes }
    }

    /// Reads a key: 43 characters of base64url.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        base64url::decode_exact(text, "digest_key").map(|bytes| Self::new(Zeroizing::new(bytes)))
    }

    /// The digest of a target: HMAC over kind ‖ 0x00 ‖ value, where the value is the claim's text.
    pub fn digest(&self, kind: TargetKind, value: &str) -> TargetDigest {
        let mut mac = hmac::Context::with_key(&self.mac);
        mac.update(kind.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        let mut digest = [0; 16];
        digest.copy_from_slice(&mac.sign().as_ref()[..16]);
        TargetDigest(digest)
    }

    /// The digest of a session, as of the text of its `sid`, without writing that text down.
    pub fn digest_session(&self, sid: SessionId) -> TargetDigest {
        let mut text = [0; 22];
        base64url::encode_into(sid.as_bytes(), &mut text);
        let text = str::from_utf8(&text).expect("base64url is ASCII");
        self.digest(TargetKind::Session, text)
    }

    /// The nonces of all who have this key: the same at every verifier that follows one feed.
    pub fn dpop_nonces(&self) -> DpopNonces {
        // No kind of target is named so, and each is followed by a zero.
        let mut secret = [0; 32];
        secret.copy_from_slice(hmac::sign(&self.mac, b"dpop nonces").as_ref());
        DpopNonces::of_secret(&secret)
    }

    /// Whether the other is the same key.
    pub fn is(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&*self.bytes, &*other.bytes).is_ok()
    }

    pub(crate) fn to_text(&self) -> String {
        base64url::encode(&*self.bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_of_another_kind_has_another_digest() {
        let key = TargetKey::new(Zeroizing::new([7; 32]));
        let kinds =
            [TargetKind::Token, TargetKind::Session, TargetKind::Subject, TargetKind::Client];
        let mut seen: Vec<_> = kinds.map(|kind| key.digest(kind, "one")).into();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 4);
        assert_ne!(key.digest(TargetKind::Client, "on"), key.digest(TargetKind::Client, "one"));
    }

    #[test]
    fn a_session_is_digested_by_the_text_of_its_name() {
        let (key, sid) =
            (TargetKey::new(Zeroizing::new([7; 32])), SessionId::from_bytes([250; 16]));
        let text = crate::session_id_text(sid);
        assert_eq!(key.digest_session(sid), key.digest(TargetKind::Session, &text));
    }

    #[test]
    fn a_key_is_read_back_from_its_text() {
        let key = TargetKey::new(Zeroizing::new([7; 32]));
        let again = TargetKey::parse(&key.to_text()).ok().unwrap();
        assert!(again.is(&key));
        assert!(!again.is(&TargetKey::new(Zeroizing::new([8; 32]))));
        assert_eq!(again.digest(TargetKind::Token, "a"), key.digest(TargetKind::Token, "a"));
        assert!(TargetKey::parse("short").is_err());
    }
}
