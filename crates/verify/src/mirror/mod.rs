//! The verifier's copy of what is revoked (DESIGN.md §4.3, §4.4): filled by the feed, read by every check.
//!
//! Readers wait for nobody. Writers are one at a time. A mirror that could not keep something says so by
//! having no age until all that it lost has ended: the policy of each route then decides.

mod entries;
mod freshness;
mod sync;
mod table;
mod targets;

use self::entries::{Entries, Writer};
use self::freshness::Freshness;
use self::sync::Published;
use self::table::{Mark, Name};
use self::targets::Kind;
use crate::Claims;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use symbolon_core::{Effect, KeyId, Reason, Timestamp, Ver};
use symbolon_wire::feed::{Entry, TargetKey, TargetKind};

pub(crate) use self::targets::{Digests, TargetKeys};

/// The most that a mirror holds. Inclusive: a snapshot has no more, and so many weigh about 750 MB.
pub(crate) const ENTRIES_MAX: usize = symbolon_wire::feed::ENTRIES_MAX;

/// What the mirror knows against a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Judgement {
    /// Must sign in, or must renew.
    pub(crate) effect: Effect,
    /// Why.
    pub(crate) reason: Reason,
}

/// What is revoked, as far as the feed was followed.
pub(crate) struct Mirror {
    entries: Entries,
    keys: Published<TargetKeys>,
    freshness: Freshness,
    /// Something that ends in the second before this could not be kept; zero if nothing was lost.
    lost: AtomicU64,
    /// How often the feed was taken up by a snapshot.
    taken: AtomicU64,
    writer: Mutex<Held>,
    entries_max: usize,
}

/// What belongs to whoever writes.
struct Held {
    writer: Writer,
    /// Until which second anything ever added is kept.
    latest: u64,
}

impl Mirror {
    /// A mirror that knows nothing, and says so: it has no age.
    pub(crate) fn new() -> Self {
        Self::bounded(ENTRIES_MAX)
    }

    pub(crate) fn bounded(entries_max: usize) -> Self {
        let (entries, writer) = Entries::new();
        Self {
            entries,
            keys: TargetKeys::published(),
            freshness: Freshness::default(),
            lost: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            writer: Mutex::new(Held { writer, latest: 0 }),
            entries_max,
        }
    }

    /// Somebody follows the feed and fills this.
    pub(crate) fn follow(&self) {
        self.freshness.follow();
    }

    /// Whether anybody does: else its silence is not that of an authority which cannot be heard.
    pub(crate) fn is_followed(&self) -> bool {
        self.freshness.is_followed()
    }

    /// The feed is taken up by a snapshot: at first, after a gap, and when the authority's store is another.
    pub(crate) fn take_up(&self) {
        self.taken.fetch_add(1, Ordering::Release);
    }

    /// How often it was.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// Adds what the feed or a snapshot says, and then publishes the sequence. Adding again changes nothing.
    pub(crate) fn apply(&self, entries: &[Entry]) {
        let mut held = self.held();
        for entry in entries {
            self.add(&mut held, entry);
        }
        self.entries.publish(&held.writer);
    }

    /// Digests targets under this key from now on, and under the one before it until all that was kept by
    /// now is forgotten.
    pub(crate) fn use_target_key(&self, key: TargetKey) {
        let held = self.held();
        let Some((keys, dropped)) = self.keys.load().with(key, held.latest) else { return };
        if let Some(until) = dropped {
            self.lose(until);
        }
        self.keys.store(Arc::new(keys));
        // Whoever found nothing under the old keys must look again.
        self.entries.publish(&held.writer);
    }

    /// Lets go of what ended before this instant of the feed. To be called about once a second.
    pub(crate) fn forget(&self, feed_time: Timestamp) {
        let mut held = self.held();
        let oldest = feed_time.as_millis().div_ceil(1000);
        self.entries.forget(&mut held.writer, oldest);
        let keys = self.keys.load().without_outlived(self.entries.oldest());
        if let Some(keys) = keys {
            self.keys.store(Arc::new(keys));
        }
    }

    /// The instant up to which it was forgotten what had ended.
    pub(crate) fn forgotten(&self) -> Timestamp {
        Timestamp::from_seconds(self.entries.oldest())
    }

    /// Everything that the authority had decided by then was applied. The last word counts, not the latest
    /// instant: once the authority's clock was set back, an instant ahead of it would look fresh for ever.
    pub(crate) fn vouch(&self, read_at: Timestamp) {
        self.freshness.vouch(read_at);
    }

    /// What the authority's clock said at that instant of the steady one, or later.
    pub(crate) fn set_clock(&self, authority: Timestamp, monotonic: Duration) {
        self.freshness.set_clock(authority, monotonic);
    }

    /// A snapshot was applied whole, and a fresh checkpoint followed.
    pub(crate) fn ready(&self) {
        self.freshness.ready();
    }

    /// How old the mirror is. None before it is ready, without a target key, and while something that it
    /// could not keep may still hit a token.
    pub(crate) fn age(&self, monotonic: Duration) -> Option<Duration> {
        let lost = self.lost.load(Ordering::Acquire);
        match lost <= self.entries.oldest() && self.keys.load().any() {
            true => self.freshness.age(monotonic),
            false => None,
        }
    }

    /// What time it is at the authority, as far as it was asked.
    #[cfg(feature = "net")]
    pub(crate) fn authority_time(&self, monotonic: Duration) -> Option<Timestamp> {
        self.freshness.authority(monotonic)
    }

    /// What is known against a token; revoked wins over stale.
    pub(crate) fn judge(&self, claims: &Claims<'_>, kid: Option<KeyId>) -> Option<Judgement> {
        let keys = self.keys.load();
        self.judge_by(&claims.ver, kid, |kind| keys.digests(kind, claims))
    }

    /// The same for whoever has the digests.
    #[inline]
    pub(crate) fn judge_by(
        &self,
        ver: &Ver,
        kid: Option<KeyId>,
        digests: impl Fn(TargetKind) -> Option<Digests>,
    ) -> Option<Judgement> {
        let mut stale = None;
        for kind in Kind::ALL {
            if !self.entries.has(kind.code()) {
                continue;
            }
            for name in names(kind, kid, &digests).iter().flatten() {
                let hits = |mark: &Mark| kind.hits(ver, mark.below);
                let [revoked, outdated] = self.entries.find(name).map(|mark| mark.filter(hits));
                if let Some(Mark { effect, reason, .. }) = revoked {
                    return Some(Judgement { effect, reason });
                }
                stale = stale.or(outdated);
            }
        }
        stale.map(|Mark { effect, reason, .. }| Judgement { effect, reason })
    }

    /// What is known against a key, and so against all that it signed.
    pub(crate) fn judge_key(&self, kid: KeyId) -> Option<Judgement> {
        let known = self.entries.find(&Kind::key_name(&kid.0)).into_iter().flatten().next();
        known.map(|Mark { effect, reason, .. }| Judgement { effect, reason })
    }

    /// The keys under which targets are digested. To be read after the sequence.
    pub(crate) fn target_keys(&self) -> impl std::ops::Deref<Target = Arc<TargetKeys>> {
        self.keys.load()
    }

    /// One look-up, to be measured.
    #[inline]
    pub(crate) fn has_session(&self, digest: &[u8; 16]) -> bool {
        self.entries.find(&Kind::Session.name(digest)).iter().any(Option::is_some)
    }

    /// How many marks are kept.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Rises with everything that is added. What was looked up after reading it holds as long as it does
    /// not change: only forgetting changes less, and that makes no good token bad.
    #[inline]
    pub(crate) fn sequence(&self) -> u64 {
        self.entries.sequence()
    }

    fn add(&self, held: &mut Held, entry: &Entry) {
        let expires_at = entry.expires_at.as_seconds();
        if expires_at < self.entries.oldest() {
            return;
        }
        let (name, below) = Kind::named(&entry.hit);
        let packed = below.map_or(Some(0), targets::pack);
        match packed.filter(|_| held.writer.kept() < self.entries_max) {
            Some(below) => {
                let mark = Mark { effect: entry.effect, reason: entry.reason, expires_at, below };
                self.entries.add(&mut held.writer, &name, &mark);
                held.latest = held.latest.max(expires_at);
            }
            None => self.lose(expires_at),
        }
    }

    /// Something could not be kept, so that until it has ended nothing can be vouched for.
    fn lose(&self, until: u64) {
        self.lost.fetch_max(until.saturating_add(1), Ordering::Release);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // What a panic left half done is whole for readers: every slot and table is.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under which names a token is looked up.
fn names(
    kind: Kind,
    kid: Option<KeyId>,
    digests: &impl Fn(TargetKind) -> Option<Digests>,
) -> [Option<Name>; 2] {
    match (kind, kind.digested()) {
        (_, Some(digested)) => digests(digested).map_or([None; 2], |own| own.names(kind)),
        (Kind::Key, None) => [kid.map(|kid| Kind::key_name(&kid.0)), None],
        (_, None) => [Some(kind.name(&[0; 16])), None],
    }
}
