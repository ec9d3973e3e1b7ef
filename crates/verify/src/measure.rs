//! Not part of the interface: what the benchmarks and the tests of this workspace reach inside with.
//!
//! Nothing here is kept from one version to the next.

use crate::cache::Cache;
use crate::mirror::Mirror;
use crate::told::Told;
use crate::{
    Builder, Claims, Now, Policy, Presented, Rejected, SetupError, Timestamp, Verified, Verifier,
};
use std::sync::Arc;
use std::time::Duration;
use symbolon_core::KeyId;
use symbolon_wire::KeySet;
use symbolon_wire::feed::{Entry, TargetKey};

/// A mirror that is filled by hand.
#[derive(Clone)]
pub struct Filled(Arc<Mirror>);

impl Filled {
    /// A mirror as a verifier has it.
    #[expect(clippy::new_without_default, reason = "there is nothing default about a mirror")]
    pub fn new() -> Self {
        Self::bounded(crate::mirror::ENTRIES_MAX)
    }

    /// A mirror that holds at most so many.
    pub fn bounded(entries_max: usize) -> Self {
        let mirror = Mirror::bounded(entries_max);
        mirror.follow();
        Self(Arc::new(mirror))
    }

    /// An offline verifier that looks into this mirror.
    ///
    /// # Errors
    /// As [`Builder::offline`].
    pub fn verifier(&self, builder: Builder, keys: KeySet) -> Result<Verifier, SetupError> {
        let mut expected = builder.expected()?;
        expected.mirror = Arc::clone(&self.0);
        let verifier = Verifier::without_network(expected);
        verifier.replace_keys(keys);
        Ok(verifier)
    }

    /// The same that would ask; what it is told it is told by [`tell`].
    ///
    /// # Errors
    /// As [`Builder::offline`].
    pub fn asking(&self, builder: Builder, keys: KeySet) -> Result<Verifier, SetupError> {
        let mut expected = builder.expected()?;
        expected.mirror = Arc::clone(&self.0);
        expected.asks = true;
        let verifier = Verifier::without_network(expected);
        verifier.replace_keys(keys);
        Ok(verifier)
    }

    /// The same with a cache that does the same at every run.
    ///
    /// # Errors
    /// As [`Builder::offline`].
    pub fn predictable(&self, builder: Builder, keys: KeySet) -> Result<Verifier, SetupError> {
        let mut expected = builder.expected()?;
        expected.mirror = Arc::clone(&self.0);
        expected.cache = Some(Cache::predictable(crate::cache::ENTRIES_DEFAULT));
        let verifier = Verifier::without_network(expected);
        verifier.replace_keys(keys);
        Ok(verifier)
    }

    /// Adds.
    pub fn apply(&self, entries: &[Entry]) {
        self.0.apply(entries);
    }

    /// Digests targets under another key.
    pub fn use_target_key(&self, key: TargetKey) {
        self.0.use_target_key(key);
    }

    /// Lets go of what ended.
    pub fn forget(&self, feed_time: Timestamp) {
        self.0.forget(feed_time);
    }

    /// Is of this age from that instant of the steady clock on.
    pub fn vouch(&self, at: Timestamp, monotonic: Duration) {
        self.0.vouch(at);
        self.0.set_clock(at, monotonic);
        self.0.ready();
    }

    /// How old it is.
    pub fn age(&self, monotonic: Duration) -> Option<Duration> {
        self.0.age(monotonic)
    }

    /// Whether anything is known against a token.
    pub fn hits(&self, claims: &Claims<'_>, kid: Option<KeyId>) -> bool {
        self.0.judge(claims, kid).is_some()
    }

    /// Whether anything is known against a session of that digest: one look-up.
    pub fn find(&self, digest: &[u8; 16]) -> bool {
        self.0.has_session(digest)
    }

    /// How many marks are kept.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rises with everything that is added.
    pub fn sequence(&self) -> u64 {
        self.0.sequence()
    }
}

/// Tells a verifier the body of an answer about an opaque token; `None`: it is older than what is known.
///
/// # Errors
/// As [`Verifier::check`].
pub fn tell(
    verifier: &Verifier,
    token: &str,
    body: &[u8],
    policy: &Policy,
    now: Now,
) -> Result<Option<Verified>, Rejected> {
    tell_shown(verifier, &Presented::bearer(token), body, policy, now)
}

/// The same of a token that came with more.
///
/// # Errors
/// As [`Verifier::check`].
pub fn tell_shown(
    verifier: &Verifier,
    presented: &Presented<'_>,
    body: &[u8],
    policy: &Policy,
    now: Now,
) -> Result<Option<Verified>, Rejected> {
    let sent = verifier.expected.before_asking(presented.token, None);
    let told = verifier.expected.take((presented, &sent), body, policy, now)?;
    Ok(match told {
        Told::Good(verified) => Some(verified),
        Told::Outdated => None,
    })
}
