//! A set of keys that verify (RFC 7517 §5).

use crate::json::{self, Object};
use crate::jwk::{self, PublicJwk};
use crate::verifying_key::VerifyingKey;
use crate::{Malformed, Type};
use serde_json::value::RawValue;

/// The longest text of a set that is read, in bytes. Inclusive.
pub const KEY_SET_BYTES_MAX: usize = 64 * 1024;

/// How many keys a set may have, those that are passed over included. Inclusive.
pub const KEYS_MAX: usize = 64;

/// Keys that verify, all symmetric or all asymmetric, no two of one name.
///
/// A set may hold shared secrets, so it has no `Debug`.
pub struct KeySet {
    keys: Vec<VerifyingKey>,
    ignored: usize,
}

impl KeySet {
    /// Reads a JWK Set.
    ///
    /// Keys of an unknown `kty` are passed over and counted, as RFC 7517 §5 asks; a key of a known
    /// kind that cannot be used is refused, and so is a set that leaves no key.
    ///
    /// # Errors
    /// The member that is wrong, such as `keys[2].crv`.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() > KEY_SET_BYTES_MAX {
            return Err(Malformed::new("keys", "is longer than 64 KiB"));
        }
        let object = Object::parse(text, "keys")?;
        let listed = object.raw("keys").ok_or(Malformed::new("keys", "is missing"))?;
        let texts: Vec<&RawValue> = serde_json::from_str(listed.get())
            .map_err(|_| Malformed::new("keys", "must be an array"))?;
        if texts.len() > KEYS_MAX {
            return Err(Malformed::new("keys", "has more than 64 keys"));
        }
        let keys = texts.iter().enumerate().filter_map(|(index, text)| read(index, text));
        let keys = Self::from_keys(keys.collect::<Result<_, _>>()?)?;
        Ok(Self { ignored: texts.len() - keys.keys.len(), ..keys })
    }

    /// A set of keys that are already parsed.
    ///
    /// # Errors
    /// None at all, two of one name, or symmetric and asymmetric ones together.
    pub fn from_keys(keys: Vec<VerifyingKey>) -> Result<Self, Malformed> {
        let Some(first) = keys.first() else {
            return Err(Malformed::new("keys", "has no key that we can use"));
        };
        if keys.iter().any(|key| key.algorithm().is_symmetric() != first.algorithm().is_symmetric())
        {
            // RFC 8725 §3.1: the shape of set that lets a public key be taken for a MAC key.
            return Err(Malformed::new("keys", "mixes symmetric and asymmetric keys"));
        }
        let mut kids: Vec<_> = keys.iter().filter_map(VerifyingKey::kid).collect();
        kids.sort_unstable();
        if kids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Malformed::new("kid", "names two keys"));
        }
        Ok(Self { keys, ignored: 0 })
    }

    /// The keys.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// How many keys were passed over because their `kty` is unknown.
    pub const fn ignored(&self) -> usize {
        self.ignored
    }

    /// Whether all that verifies under `other` verifies here: no key of it is missing, renamed or another.
    ///
    /// Secrets are not looked at, so a set that has one covers none. Nor does one of several keys cover one
    /// alone, which also verifies what names no key.
    pub fn covers(&self, other: &Self) -> bool {
        let same_without_name = (self.keys.len() == 1) == (other.keys.len() == 1);
        same_without_name && other.keys.iter().all(|key| self.keys.iter().any(|own| own.is(key)))
    }

    /// The key that a header names; without a name, the only key there is.
    pub(crate) fn select(&self, kid: Option<&str>) -> Option<&VerifyingKey> {
        match (kid, &*self.keys) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid() == Some(kid)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }

    /// The key and the type of a header segment that our authority wrote, found by comparison.
    pub(crate) fn known_header(&self, segment: &str) -> Option<(&VerifyingKey, Type)> {
        self.keys.iter().find_map(|key| Some((key, key.known_header(segment)?)))
    }
}

/// A published set of our own keys, as text (RFC 7517 §5).
pub fn key_set_json<'a>(keys: impl IntoIterator<Item = &'a PublicJwk>) -> String {
    let keys: Vec<_> = keys.into_iter().map(PublicJwk::to_json).collect();
    format!("{{\"keys\":[{}]}}", keys.join(","))
}

fn read(index: usize, text: &RawValue) -> Option<Result<VerifyingKey, Malformed>> {
    if !json::is_strict(text, 2) {
        let why = "is not an object, names a member twice, or nests too deep";
        return Some(Err(Malformed::named(&format!("keys[{index}]"), why)));
    }
    jwk::read(text.get())
        .and_then(|jwk| jwk.as_ref().map(VerifyingKey::from_jwk).transpose())
        .map_err(|wrong| wrong.within(&format!("keys[{index}]")))
        .transpose()
}
