//! The one secret from which all others derive (RFC 5869; DESIGN.md §4.1).

use crate::access_token::JtiKey;
use crate::api_key::ApiKeyDigests;
use crate::csrf::CsrfKey;
use crate::dpop::DpopNonces;
use crate::feed::TargetKey;
use crate::handle::HandleKeys;
use crate::imported_token::ImportedTokens;
use crate::jwe::SealingKey;
use crate::one_time::OneTimeKeys;
use crate::refresh_token::RefreshTokenKeys;
use crate::sealer::Sealer;
use crate::secret::SecretText;
use crate::shard::ShardKey;
use crate::{Malformed, base64url, drawn};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::{hmac, rand::SecureRandom};
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

/// How long a master key is, in bytes.
pub const MASTER_KEY_BYTES: usize = 32;

/// The master key: kept extracted (RFC 5869 §2.2), so its own bytes are not kept at all.
pub struct MasterKey(Prk);

impl MasterKey {
    /// Reads 32 bytes written as base64url, base64 or hexadecimal; white space around is ignored.
    ///
    /// # Errors
    /// Another length, or bytes that nobody drew at random: a server with a guessable master key
    /// is worse than one that does not start (the lesson of Nacos QVD-2023-6271).
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let bytes = decode(text.trim())?;
        check_entropy(&bytes)?;
        Ok(Self::from_bytes(&bytes))
    }

    /// Draws a key and returns it with the text under which [`Self::parse`] will find it again.
    ///
    /// `None` if the source of randomness fails.
    pub fn generate(rng: &dyn SecureRandom) -> Option<(Self, SecretText)> {
        let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
        rng.fill(&mut *bytes).ok()?;
        Some((Self::from_bytes(&bytes), SecretText::new(base64url::encode(&*bytes))))
    }

    fn from_bytes(bytes: &[u8; MASTER_KEY_BYTES]) -> Self {
        Self(Salt::new(HKDF_SHA256, b"symbolon master key v1").extract(bytes))
    }

    /// The MAC keys of refresh tokens: `current` mints, none below `oldest` is accepted.
    pub fn refresh_token_keys(&self, oldest: u16, current: u16) -> RefreshTokenKeys {
        RefreshTokenKeys::new(self.purpose("refresh token keys"), oldest, current)
    }

    /// The keys of handles.
    pub fn handle_keys(&self) -> HandleKeys {
        HandleKeys::new(&self.purpose("handles"))
    }

    /// The key of the tokens that pages show beside their cookie.
    pub fn csrf_key(&self) -> CsrfKey {
        CsrfKey::new(&self.purpose("csrf"))
    }

    /// The keys of one-time credentials.
    pub fn one_time_keys(&self) -> OneTimeKeys {
        OneTimeKeys::new(&self.purpose("one-time"))
    }

    /// The keys under which tokens of other systems are known.
    pub fn imported_tokens(&self) -> ImportedTokens {
        ImportedTokens::new(&self.purpose("imported tokens"))
    }

    /// The key that names access tokens.
    pub fn jti_key(&self) -> JtiKey {
        JtiKey::new(self.purpose("jti").bytes(&[]))
    }

    /// The key that gives subjects their shard.
    pub fn shard_key(&self) -> ShardKey {
        ShardKey::new(self.purpose("shard").mac_key(&[]))
    }

    /// The key under which the targets of revocations travel.
    pub fn target_key(&self) -> TargetKey {
        TargetKey::new(self.purpose("feed targets").bytes(&[]))
    }

    /// The nonces that proofs of a key repeat.
    pub fn dpop_nonces(&self) -> DpopNonces {
        DpopNonces::new(self.purpose("dpop nonces").mac_key(&[]))
    }

    /// The key under which private keys are kept at rest.
    pub fn sealer(&self) -> Sealer {
        Sealer::new(&self.purpose("sealing").bytes(&[]))
    }

    /// The key from which everything is drawn for encrypted tokens.
    pub fn token_sealing_key(&self) -> SealingKey {
        SealingKey::new(self.purpose("encrypted tokens").mac_key(&[]))
    }

    /// The key under which API keys are known.
    pub fn api_key_digests(&self) -> ApiKeyDigests {
        ApiKeyDigests::new(self.purpose("api key digest").mac_key(&[]))
    }

    /// The key under which the bodies of idempotent requests are recognised.
    pub fn idempotency_digest_key(&self) -> DigestKey {
        DigestKey(self.purpose("idempotency digest").mac_key(&[]))
    }

    /// A key of its own for each purpose, so that no output of one can be taken for another's.
    fn purpose(&self, label: &str) -> Derived {
        let mut secret = Zeroizing::new([0; 32]);
        expand(&self.0, &[b"symbolon ", label.as_bytes()], &mut secret);
        Derived(Prk::new_less_safe(HKDF_SHA256, &*secret))
    }
}

/// A keyed digest that tells equal inputs from different ones without keeping them.
pub struct DigestKey(hmac::Key);

impl DigestKey {
    /// The digest of some bytes.
    pub fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&self.0, bytes).as_ref());
        digest
    }
}

/// The root of all keys of one purpose.
pub(crate) struct Derived(Prk);

impl Derived {
    /// The root that 32 bytes are which a keyed digest gave.
    pub(crate) fn of(digest: &[u8]) -> Self {
        Self(Prk::new_less_safe(HKDF_SHA256, digest))
    }

    pub(crate) fn bytes(&self, info: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0; 32]);
        expand(&self.0, &[info], &mut bytes);
        bytes
    }

    pub(crate) fn mac_key(&self, info: &[u8]) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &*self.bytes(info))
    }
}

fn expand(root: &Prk, info: &[&[u8]], out: &mut [u8; 32]) {
    root.expand(info, Length32)
        .and_then(|key| key.fill(out))
        .expect("HKDF-SHA-256 yields 32 bytes: fewer than 255 blocks");
}

struct Length32;

impl KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

fn decode(text: &str) -> Result<Zeroizing<[u8; MASTER_KEY_BYTES]>, Malformed> {
    // The length alone tells the three apart: 64 digits, or 43 or 44 characters.
    let decoded = match text.len() {
        64 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()),
        44 if text.contains(['+', '/']) => BASE64.decode(text.as_bytes()),
        44 => BASE64URL.decode(text.as_bytes()),
        43 if text.contains(['+', '/']) => BASE64_NOPAD.decode(text.as_bytes()),
        43 => data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()),
        _ => return Err(refused("must be 32 bytes, as base64url, base64 or hexadecimal")),
    };
    let decoded = Zeroizing::new(decoded.map_err(|_| refused(NOT_ENCODED))?);
    let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
    bytes.copy_from_slice(decoded.get(..).filter(|d| d.len() == 32).ok_or(refused(NOT_ENCODED))?);
    Ok(bytes)
}

const NOT_ENCODED: &str = "is not base64url, base64 or hexadecimal";

/// Refuses what is surely not random; 32 random bytes fail here less than once in 2^40 draws.
fn check_entropy(bytes: &[u8; MASTER_KEY_BYTES]) -> Result<(), Malformed> {
    if drawn::distinct(bytes) < 16 || drawn::repeats(bytes) {
        return Err(refused(drawn::REPEATS));
    }
    if drawn::is_typed(bytes) {
        return Err(refused(drawn::TYPED));
    }
    if drawn::counts(bytes) {
        return Err(refused(drawn::COUNTS));
    }
    match drawn::is_published(bytes) {
        true => Err(refused(drawn::PUBLISHED)),
        false => Ok(()),
    }
}

fn refused(why: &'static str) -> Malformed {
    Malformed::new("master key", why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;

    const GOOD: &str = "q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU";

    fn why(text: &str) -> String {
        MasterKey::parse(text).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_generated_key_is_read_back_from_its_text_to_the_same_derived_keys() {
        let (key, text) = MasterKey::generate(&SystemRandom::new()).unwrap();
        let again = MasterKey::parse(&format!("{}\n", text.expose())).ok().unwrap();
        let digest = |key: &MasterKey| key.idempotency_digest_key().digest(b"x");
        assert_eq!(digest(&key), digest(&again));
    }

    #[test]
    fn one_key_may_be_written_in_three_ways() {
        let bytes = data_encoding::BASE64URL_NOPAD.decode(GOOD.as_bytes()).unwrap();
        for text in [
            GOOD.to_owned(),
            BASE64URL.encode(&bytes),
            BASE64.encode(&bytes),
            BASE64_NOPAD.encode(&bytes),
            HEXLOWER_PERMISSIVE.encode(&bytes).to_uppercase(),
        ] {
            assert_eq!(why(&text), "", "{text}");
        }
    }

    #[test]
    fn a_key_that_nobody_drew_at_random_is_refused() {
        assert!(why("").contains("32 bytes"));
        assert!(why(&GOOD[..42]).contains("32 bytes"));
        assert!(why(&"0".repeat(64)).contains("repeats"));
        assert!(why(&"0123456789abcdef".repeat(4)).contains("repeats"));
        assert!(why(&BASE64.encode(b"correct horse battery staple 123")).contains("typed"));
        let counting: Vec<u8> = (0..32).collect();
        assert!(why(&BASE64.encode(&counting)).contains("counts up"));
        let of_nothing = crate::sha256(b"").0;
        assert!(why(&BASE64.encode(&of_nothing)).contains("published"));
        assert!(why(&"g".repeat(64)).contains("hexadecimal"));
    }

    #[test]
    fn keys_of_different_purposes_differ() {
        let key = MasterKey::parse(GOOD).ok().unwrap();
        let labels = [
            "refresh token keys",
            "handles",
            "one-time",
            "imported tokens",
            "jti",
            "shard",
            "sealing",
            "api key digest",
            "feed targets",
            "encrypted tokens",
            "dpop nonces",
        ];
        let mut seen: Vec<_> = labels.iter().map(|label| key.purpose(label).bytes(&[])).collect();
        seen.sort_by(|one, other| one.as_slice().cmp(other.as_slice()));
        assert!(seen.windows(2).all(|pair| *pair[0] != *pair[1]));
        let purpose = key.purpose("refresh token keys");
        assert_ne!(*purpose.bytes(&[0, 1]), *purpose.bytes(&[1, 0]));
    }
}
