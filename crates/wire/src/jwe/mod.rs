//! Access tokens that only their resource server can read: JSON Web Encryption in its compact form (RFC 7516 §3.1)
//! around a signed token (RFC 7519 §5.2).
//!
//! There is one content encryption, A256GCM, and three ways to its key: [`KeyManagement`]. Nothing of a header is
//! obeyed: `alg` and `enc` are compared with the key's, `kid` only picks among keys that are here, and what would
//! bring a key, compress, or be critical is refused. What was opened is a text and nothing more: encrypted is not
//! signed (CVE-2026-29000), so whoever opens a token verifies what was in it.

mod agreement;
mod compact;
mod content;
mod key;
mod open;
mod seal;

pub use compact::UnverifiedJwe;
pub use key::{GeneratedKey, SecretKeyPair};
pub use open::{DECRYPTION_KEYS_MAX, DecryptionKey, DecryptionKeys, Unopened};
pub use seal::{EncryptionKey, SealingKey};

/// How a recipient gets at the key of the content (RFC 7518 §4.1).
///
/// It is fixed to a key, as a signature algorithm is (RFC 8725 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyManagement {
    /// A key for this token alone is wrapped under one that both sides agree on (§4.6). The issuer knows only the
    /// recipient's public key, and cannot open what it sealed.
    EcdhEsA256Kw,
    /// A key for this token alone is wrapped under one that both sides know (§4.4).
    A256Kw,
    /// Both sides know the key of all contents (§4.5).
    Dir,
}

impl KeyManagement {
    /// All of them, the one to prefer first.
    pub const ALL: [Self; 3] = [Self::EcdhEsA256Kw, Self::A256Kw, Self::Dir];

    /// The name in a header's or a key's `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
            Self::A256Kw => "A256KW",
            Self::Dir => "dir",
        }
    }

    /// The one of that exact name; names are case-sensitive (RFC 7516 §4.1.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }

    /// Whether whoever can seal can also open.
    pub const fn is_symmetric(self) -> bool {
        match self {
            Self::A256Kw | Self::Dir => true,
            Self::EcdhEsA256Kw => false,
        }
    }
}

/// The one content encryption: `enc` of every header (RFC 7518 §5.3).
pub const ENC: &str = "A256GCM";

/// How long every symmetric key is here, in bytes.
const KEY_BYTES: usize = 32;

/// Whether a text has the five segments of an encrypted token; it may still be anything.
pub fn is_encrypted(token: &str) -> bool {
    // The dots of a stranger's text are not counted to its end.
    token.bytes().filter(|byte| *byte == b'.').take(5).count() == 4
}
