//! Opening: what a resource server does before it verifies.

use super::agreement::{Curve, agreed, other_info};
use super::compact::{Compact, Header};
use super::content::{self, Key};
use super::{KEY_BYTES, KeyManagement};
use crate::Malformed;
use crate::secret::SecretText;
use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::error::Unspecified;
use std::fmt;
use std::sync::Arc;

/// How many keys may open tokens at once. Inclusive: one, and those before it while senders change over.
pub const DECRYPTION_KEYS_MAX: usize = 16;

/// A key that opens tokens by one algorithm. It is a secret, so it has no `Debug`. Cloning is cheap.
#[derive(Clone)]
pub struct DecryptionKey {
    kid: Arc<str>,
    alg: KeyManagement,
    opens: Arc<Opens>,
}

pub(super) enum Opens {
    Agreement(Curve, PrivateKey),
    Wrapping(Key),
    Content(Key),
}

impl DecryptionKey {
    pub(super) fn new(kid: &str, opens: Opens) -> Self {
        let alg = match opens {
            Opens::Agreement(..) => KeyManagement::EcdhEsA256Kw,
            Opens::Wrapping(_) => KeyManagement::A256Kw,
            Opens::Content(_) => KeyManagement::Dir,
        };
        Self { kid: kid.into(), alg, opens: Arc::new(opens) }
    }

    /// The key's name, which tokens for it carry.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm that it opens.
    pub const fn algorithm(&self) -> KeyManagement {
        self.alg
    }

    /// The key of a token's content.
    fn content_key(&self, token: &Compact<'_>, header: &Header) -> Result<Key, Unopened> {
        match (&*self.opens, &header.ephemeral) {
            (Opens::Content(key), _) => match token.encrypted_key {
                "" => Ok(key.clone()),
                // RFC 7516 §5.2, step 10: there is nothing to unwrap.
                _ => Err(Malformed::new("encrypted_key", "must be empty under dir").into()),
            },
            (Opens::Wrapping(kek), _) => Ok(content::unwrap(kek, &token.wrapped()?)?),
            (Opens::Agreement(curve, private), Some(sent)) if *curve == sent.point.curve => {
                let info = other_info(&header.alg, &sent.apu, &sent.apv, 8 * KEY_BYTES as u32);
                let kek = agreed(private, &sent.point, &info)?;
                Ok(content::unwrap(&kek, &token.wrapped()?)?)
            }
            (Opens::Agreement(..), _) => Err(Unopened::Failed),
        }
    }
}

/// The keys that open tokens, no two of one name. They are secrets, so there is no `Debug`.
pub struct DecryptionKeys(Vec<DecryptionKey>);

impl DecryptionKeys {
    /// Takes them.
    ///
    /// # Errors
    /// None at all, more than 16, or two of one name.
    pub fn new(keys: Vec<DecryptionKey>) -> Result<Self, Malformed> {
        let refused = |why| Err(Malformed::new("keys", why));
        match keys.len() {
            0 => return refused("has no key that opens anything"),
            1..=DECRYPTION_KEYS_MAX => {}
            _ => return refused("has more than 16 keys"),
        }
        let mut kids: Vec<_> = keys.iter().map(DecryptionKey::kid).collect();
        kids.sort_unstable();
        match kids.windows(2).any(|pair| pair[0] == pair[1]) {
            true => Err(Malformed::new("kid", "names two keys")),
            false => Ok(Self(keys)),
        }
    }

    /// Opens a token with the key that it names, or, if it names none, with the only one there is.
    ///
    /// What comes out is proved by nothing: it is to be verified as any token is.
    ///
    /// # Errors
    /// Why it cannot be opened. From the first use of a key on, nothing tells which step failed.
    pub fn open(&self, token: &str) -> Result<SecretText, Unopened> {
        let token = Compact::split(token)?;
        let header = Header::read(token.header)?;
        let key = self.select(header.kid.as_deref()).ok_or(Unopened::UnknownKey)?;
        if header.alg != key.alg.name() {
            return Err(Unopened::Algorithm);
        }
        let mut sealed = zeroize::Zeroizing::new(token.sealed()?);
        let cipher = content::cipher(&key.content_key(&token, &header)?)?;
        let opened = content::open(&cipher, token.iv, token.header.as_bytes(), &mut sealed)?.len();
        sealed.truncate(opened);
        String::from_utf8(std::mem::take(&mut *sealed))
            .map(SecretText::new)
            .map_err(|_| Unopened::Failed)
    }

    fn select(&self, kid: Option<&str>) -> Option<&DecryptionKey> {
        match (kid, &*self.0) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid() == kid),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

/// Why a token was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unopened {
    /// It is not an encrypted token that this house reads.
    Malformed(Malformed),
    /// Its `alg` is not the key's.
    Algorithm,
    /// No key here has that name, or it names none and there are several.
    UnknownKey,
    /// The key that it names does not open it: it is another key, or something was changed.
    Failed,
}

impl From<Malformed> for Unopened {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

impl From<Unspecified> for Unopened {
    fn from(_: Unspecified) -> Self {
        Self::Failed
    }
}

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => why.fmt(f),
            Self::Algorithm => f.write_str("alg: is not the algorithm of the key"),
            Self::UnknownKey => f.write_str("kid: names no key that is here"),
            Self::Failed => f.write_str("token: cannot be opened"),
        }
    }
}

impl std::error::Error for Unopened {}
