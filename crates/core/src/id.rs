//! Names of things: who, through what, on which sign-in.

use core::fmt;
use std::sync::Arc;

/// The longest subject, client name or device member, in bytes. Inclusive.
pub const NAME_BYTES_MAX: usize = 255;

/// Where a subject's sessions live: a keyed digest of the subject, so that any store can route a
/// token to its subject's place without knowing the subject.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shard(pub [u8; 2]);

/// One sign-in: the `sid` claim, and the family that its refresh tokens belong to.
///
/// Sixteen bytes: two of the subject's [`Shard`], fourteen random. Its text form is 22 characters of
/// base64url, which is `wire`'s matter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// Names a new session of a subject that lives in `shard`.
    pub fn new(shard: Shard, random: [u8; 14]) -> Self {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&shard.0);
        bytes[2..].copy_from_slice(&random);
        Self(bytes)
    }

    /// The session that these bytes name.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Where its subject's sessions live.
    pub const fn shard(&self) -> Shard {
        Shard([self.0[0], self.0[1]])
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The number of a refresh token in its family; the first is 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Generation(pub u32);

impl Generation {
    /// The generation that an advance leads to; `None` after four billion.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// Whether `self` is the one just before `later`.
    pub fn precedes(self, later: Self) -> bool {
        self.next() == Some(later)
    }
}

/// How often this store may have lost acknowledged writes: raised by a restore or a fail-over.
///
/// DESIGN.md §4.4: nothing issued before a loss of writes is confused with what came after.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct StoreEpoch(pub u32);

/// What a session's refresh tokens mix in, so that the MAC key alone mints nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 8]);

/// The name of a signing key (`kid`): the first 12 bytes of its RFC 7638 thumbprint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId(pub [u8; 12]);

/// The SHA-256 of a public key (`jkt`, RFC 9449 §6.1) or of a client's features.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Digest(pub [u8; 32]);

/// Why a text cannot be a name; a whole sentence's predicate, such as "is empty".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAName(pub &'static str);

impl fmt::Display for NotAName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotAName {}

/// Whom a session is for (`sub`): 1 to 255 bytes of UTF-8 without control characters.
///
/// A person's never begins with `client:`; a client's own token has `client:<client_id>`
/// (RFC 9068 §5: subjects of people and of clients never collide).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Subject(Arc<str>);

impl Subject {
    /// What a client's own subject begins with, and a person's never does.
    pub const CLIENT_PREFIX: &'static str = "client:";

    /// Reads a person's subject.
    ///
    /// # Errors
    /// Empty, over 255 bytes, a control character, or the prefix of clients.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        if text.starts_with(Self::CLIENT_PREFIX) {
            return Err(NotAName("begins with `client:`, which is kept for clients' own tokens"));
        }
        name(text).map(Self)
    }

    /// The subject's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The application that asks (`client_id`, RFC 6749 §2.2): 1 to 255 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// Reads a client's name.
    ///
    /// # Errors
    /// Empty, over 255 bytes, or anything but visible ASCII.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(NotAName("has a character that is not visible ASCII"));
        }
        name(text).map(Self)
    }

    /// The client's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads any bounded name: 1 to 255 bytes without control characters.
///
/// # Errors
/// Empty, too long, or with a control character.
pub fn name(text: &str) -> Result<Arc<str>, NotAName> {
    if text.is_empty() {
        return Err(NotAName("is empty"));
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NotAName("is longer than 255 bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(NotAName("has a control character"));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_begins_with_its_subjects_shard() {
        let sid = SessionId::new(Shard([7, 9]), [1; 14]);
        assert_eq!(sid.shard(), Shard([7, 9]));
        assert_eq!(sid.as_bytes()[2..], [1; 14]);
        assert_eq!(format!("{sid:?}"), "0709".to_owned() + &"01".repeat(14));
    }

    #[test]
    fn a_subject_is_1_to_255_bytes_without_control_characters() {
        assert_eq!(Subject::parse("").unwrap_err().to_string(), "is empty");
        assert!(Subject::parse(&"a".repeat(255)).is_ok());
        assert!(Subject::parse(&"a".repeat(256)).is_err());
        assert_eq!(Subject::parse("用户 10086").map(|it| it.as_str() == "用户 10086"), Ok(true));
        assert!(Subject::parse("a\nb").is_err());
        assert!(Subject::parse("a\u{85}b").is_err());
    }

    #[test]
    fn a_persons_subject_never_looks_like_a_clients() {
        assert!(Subject::parse("client:web").is_err());
        assert!(Subject::parse("clients").is_ok());
    }

    #[test]
    fn a_client_id_is_visible_ascii() {
        assert_eq!(ClientId::parse("web-1").map(|web| web.as_str() == "web-1"), Ok(true));
        for bad in ["", "a b", "é", "a\t"] {
            assert!(ClientId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn generations_end_instead_of_wrapping() {
        assert_eq!(Generation(u32::MAX).next(), None);
        assert!(Generation(3).precedes(Generation(4)));
        assert!(!Generation(4).precedes(Generation(4)));
    }
}
