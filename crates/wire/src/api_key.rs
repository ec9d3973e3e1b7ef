//! API keys and client secrets: their text, and the digests that are all we keep of them.

use crate::secret::{SecretText, same_bytes};
use crate::{Malformed, base64url};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

/// What every API key begins with.
pub const API_KEY_PREFIX: &str = "sym_ak_";

/// What every client secret that we draw begins with.
pub const CLIENT_SECRET_PREFIX: &str = "sym_cs_";

/// The name of an API key: it is not secret, and it is how a key is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId(pub [u8; 8]);

impl ApiKeyId {
    /// The text of the name: 11 characters of base64url.
    pub fn to_text(self) -> String {
        base64url::encode(&self.0)
    }

    /// Reads the text of a name.
    ///
    /// # Errors
    /// Anything but 11 characters of canonical base64url.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        base64url::decode_exact(text, "id").map(Self)
    }
}

/// What is kept of an API key. It is of use to nobody, but no business of a log either.
#[derive(Clone, Copy)]
pub struct ApiKeyDigest([u8; 32]);

impl ApiKeyDigest {
    /// A digest as the store kept it.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest for the store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The key under which API keys are digested: a copy of the store tests no guess.
pub struct ApiKeyDigests(hmac::Key);

impl ApiKeyDigests {
    pub(crate) const fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    /// Makes a key out of randomness: its name, its text for the caller, its digest for the store.
    pub fn mint(&self, random: &[u8; 32]) -> (ApiKeyId, SecretText, ApiKeyDigest) {
        let mut id = [0; 8];
        id.copy_from_slice(&random[..8]);
        let text = prefixed(API_KEY_PREFIX, random);
        (ApiKeyId(id), text, self.digest(random))
    }

    /// Reads a presented key; it is nobody's until [`PresentedApiKey::is`] says so.
    ///
    /// # Errors
    /// Text that is not an API key.
    pub fn parse(&self, text: &str) -> Result<PresentedApiKey, Malformed> {
        let refused = Malformed::new("api key", "is not an API key");
        let encoded = text.strip_prefix(API_KEY_PREFIX).ok_or(refused.clone())?;
        let bytes: Zeroizing<[u8; 32]> =
            Zeroizing::new(base64url::decode_exact(encoded, "api key").map_err(|_| refused)?);
        let mut id = [0; 8];
        id.copy_from_slice(&bytes[..8]);
        Ok(PresentedApiKey { id: ApiKeyId(id), digest: self.digest(&bytes) })
    }

    fn digest(&self, key: &[u8; 32]) -> ApiKeyDigest {
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&self.0, key).as_ref());
        ApiKeyDigest(digest)
    }
}

/// A key that somebody presented.
pub struct PresentedApiKey {
    id: ApiKeyId,
    digest: ApiKeyDigest,
}

impl PresentedApiKey {
    /// The name under which to look it up.
    pub const fn id(&self) -> ApiKeyId {
        self.id
    }

    /// Whether it is the key whose digest was kept; in constant time.
    pub fn is(&self, kept: &ApiKeyDigest) -> bool {
        same_bytes(&self.digest.0, &kept.0)
    }
}

/// Makes a client secret out of randomness.
pub fn client_secret(random: &[u8; 32]) -> SecretText {
    prefixed(CLIENT_SECRET_PREFIX, random)
}

/// What a configuration keeps of a client's secret: `sha256:` + base64url of its SHA-256.
///
/// The digest is fast on purpose: secrets are drawn with 256 bits, not chosen by people.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of a secret.
    pub fn of(secret: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(hash)
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// Another scheme, or not 32 bytes of base64url; a secret in clear is refused with the rest.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let why = "must be sha256: and 43 characters of base64url";
        let refused = Malformed::new("secret_hash", why);
        let encoded = text.strip_prefix(SCHEME).ok_or(refused.clone())?;
        base64url::decode_exact(encoded, "secret_hash").map(Self).map_err(|_| refused)
    }

    /// The text form, for a configuration file.
    pub fn to_text(&self) -> String {
        format!("{SCHEME}{}", base64url::encode(&self.0))
    }

    /// Whether a presented text is the secret; in constant time.
    pub fn is_of(&self, presented: &str) -> bool {
        same_bytes(&Self::of(presented).0, &self.0)
    }
}

const SCHEME: &str = "sha256:";

fn prefixed(prefix: &str, bytes: &[u8]) -> SecretText {
    let mut text = String::with_capacity(prefix.len() + base64url::encoded_len(bytes.len()));
    text.push_str(prefix);
    base64url::append(bytes, &mut text);
    SecretText::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests() -> ApiKeyDigests {
        ApiKeyDigests::new(hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]))
    }

    fn random() -> [u8; 32] {
        std::array::from_fn(|at| at as u8 * 7)
    }

    #[test]
    fn a_minted_key_is_found_by_its_name_and_known_by_its_digest() {
        let (id, text, kept) = digests().mint(&random());
        let presented = digests().parse(text.expose()).ok().unwrap();
        assert_eq!(presented.id(), id);
        assert_eq!(ApiKeyId::parse(&id.to_text()), Ok(id));
        assert!(presented.is(&kept));
        assert!(presented.is(&ApiKeyDigest::from_bytes(*kept.as_bytes())));
    }

    #[test]
    fn no_single_changed_bit_passes_for_the_key() {
        let (_, _, kept) = digests().mint(&random());
        for bit in 0..256 {
            let mut changed = random();
            changed[bit / 8] ^= 1 << (bit % 8);
            let text = prefixed(API_KEY_PREFIX, &changed);
            assert!(!digests().parse(text.expose()).ok().unwrap().is(&kept), "bit {bit}");
        }
    }

    #[test]
    fn other_text_is_no_api_key() {
        let (_, text, _) = digests().mint(&random());
        let text = text.expose();
        for other in ["", "sym_ak_", &text[..text.len() - 1], &format!("{text}="), &text[7..]] {
            assert!(digests().parse(other).is_err(), "{other}");
        }
        assert!(digests().parse(client_secret(&random()).expose()).is_err());
        assert!(digests().parse(&format!("sym_rt_{}", &text[7..])).is_err());
    }

    #[test]
    fn another_digest_key_does_not_know_the_key() {
        let (_, text, kept) = digests().mint(&random());
        let other = ApiKeyDigests::new(hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]));
        assert!(!other.parse(text.expose()).ok().unwrap().is(&kept));
    }

    #[test]
    fn a_secret_is_known_by_its_hash_whoever_chose_it() {
        for secret in [client_secret(&random()).expose(), "s3cr3t", "", "密码"] {
            let hash = SecretHash::of(secret);
            let again = SecretHash::parse(&hash.to_text()).ok().unwrap();
            assert!(again.is_of(secret));
            assert!(!again.is_of(&format!("{secret} ")));
        }
        assert_eq!(
            SecretHash::of("abc").to_text(),
            "sha256:ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
        );
        for text in [
            "",
            "abc",
            "sha256:",
            "sha256:abc",
            "SHA256:ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
        ] {
            assert!(SecretHash::parse(text).is_err(), "{text}");
        }
    }
}
