//! Session ids: where a subject's sessions live, and the text of a `sid`.

use crate::{Malformed, base64url};
use aws_lc_rs::hmac;
use symbolon_core::{SessionId, Shard};

/// The key that gives subjects their shard: a store can route by it and learns no subject from it.
pub struct ShardKey(hmac::Key);

impl ShardKey {
    pub(crate) const fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    /// Where a subject's sessions live.
    pub fn shard(&self, subject: &str) -> Shard {
        let digest = hmac::sign(&self.0, subject.as_bytes());
        Shard([digest.as_ref()[0], digest.as_ref()[1]])
    }
}

/// The text of a session id: 22 characters of base64url.
pub fn session_id_text(sid: SessionId) -> String {
    base64url::encode(sid.as_bytes())
}

/// Reads the text of a session id.
///
/// # Errors
/// Anything but 22 characters of canonical base64url.
pub fn parse_session_id(text: &str) -> Result<SessionId, Malformed> {
    base64url::decode_exact(text, "sid").map(SessionId::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_22_characters_and_has_one_spelling() {
        let sid = SessionId::new(Shard([255, 1]), [9; 14]);
        let text = session_id_text(sid);
        assert_eq!(text.len(), 22);
        assert_eq!(parse_session_id(&text), Ok(sid));
        assert!(parse_session_id(&text[..21]).is_err());
        // The last character carries four unused bits.
        assert!(parse_session_id(&format!("{}R", &text[..21])).is_err());
    }

    #[test]
    fn a_subject_keeps_its_shard_and_the_key_decides_it() {
        let key = |byte| ShardKey::new(hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32]));
        assert_eq!(key(1).shard("42"), key(1).shard("42"));
        let differs = |subject: &str| key(1).shard(subject) != key(2).shard(subject);
        assert!(["42", "43", "44"].into_iter().any(differs));
    }
}
