//! What is known of revocations: simple and correct, behind the interface that the quick one keeps.

use crate::Claims;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
use symbolon_core::{Below, Effect, KeyId, Reason, Timestamp};
use symbolon_wire::feed::{Entry, Hit, TargetDigest, TargetKey, TargetKind};
use symbolon_wire::session_id_text;

/// What a mirror says of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Judgement {
    pub(crate) effect: Effect,
    pub(crate) reason: Reason,
}

/// Every revocation that can still hit a living token.
#[derive(Default)]
pub(crate) struct Mirror {
    known: RwLock<Known>,
    sequence: AtomicU64,
}

#[derive(Default)]
struct Known {
    entries: HashMap<(Place, bool), Entry>,
    keys: Vec<TargetKey>,
    read_at: Option<Timestamp>,
    clock: Option<(Timestamp, Duration)>,
    forgotten: Timestamp,
    ready: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Digest(TargetDigest),
    Key(KeyId),
    Everything,
}

impl Mirror {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds, then publishes; adding again changes nothing.
    pub(crate) fn apply(&self, entries: &[Entry]) {
        self.write(|known| entries.iter().for_each(|entry| known.add(entry)));
        self.sequence.fetch_add(1, Ordering::Release);
    }

    /// Looks targets up under this key from now on, and under those before it.
    pub(crate) fn use_target_key(&self, key: TargetKey) {
        self.write(|known| {
            known.keys.retain(|old| !old.is(&key));
            known.keys.insert(0, key);
            known.keys.truncate(2);
        });
    }

    /// Drops what no living token can be hit by.
    pub(crate) fn forget(&self, feed_time: Timestamp) {
        self.write(|known| {
            known.entries.retain(|_, entry| feed_time <= entry.expires_at);
            known.forgotten = known.forgotten.max(feed_time);
        });
    }

    /// The last instant to which something was forgotten.
    pub(crate) fn forgotten(&self) -> Timestamp {
        self.read(|known| known.forgotten)
    }

    /// The newest checkpoint that was verified: newest by arrival, since the authority's clock may be set back.
    pub(crate) fn vouch(&self, read_at: Timestamp) {
        self.write(|known| known.read_at = Some(read_at));
    }

    pub(crate) fn set_clock(&self, authority: Timestamp, monotonic: Duration) {
        self.write(|known| known.clock = Some((authority, monotonic)));
    }

    pub(crate) fn ready(&self) {
        self.write(|known| known.ready = true);
    }

    /// How old the knowledge is; none before it is whole.
    pub(crate) fn age(&self, monotonic: Duration) -> Option<Duration> {
        self.read(|known| {
            let (authority, at) = known.clock.filter(|_| known.ready)?;
            let now = authority.after(monotonic.saturating_sub(at));
            known.read_at.map(|read_at| now.since(read_at))
        })
    }

    pub(crate) fn judge(&self, claims: &Claims<'_>, kid: Option<KeyId>) -> Option<Judgement> {
        self.read(|known| {
            let revoked = known.judge(claims, kid, Effect::Revoked);
            revoked.or_else(|| known.judge(claims, kid, Effect::Stale))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.read(|known| known.entries.len())
    }

    fn read<R>(&self, look: impl FnOnce(&Known) -> R) -> R {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Known {
    fn add(&mut self, entry: &Entry) {
        let place = match entry.hit {
            Hit::Token(digest) | Hit::Session(digest) => Place::Digest(digest),
            Hit::Subject(digest, _) | Hit::Client(digest, _) => Place::Digest(digest),
            Hit::Key(kid) => Place::Key(kid),
            Hit::Everything(_) => Place::Everything,
        };
        let slot = self.entries.entry((place, entry.effect == Effect::Stale)).or_insert(*entry);
        if (slot.hit.below(), slot.expires_at) < (entry.hit.below(), entry.expires_at) {
            *slot = *entry;
        }
    }

    fn judge(&self, claims: &Claims<'_>, kid: Option<KeyId>, effect: Effect) -> Option<Judgement> {
        let hits = |place: Place, counter: Option<Below>| {
            let entry = self.entries.get(&(place, effect == Effect::Stale))?;
            let hit = entry.hit.below().is_none_or(|below| counter.is_some_and(|own| own < below));
            hit.then_some(Judgement { effect, reason: entry.reason })
        };
        let sid = claims.sid.map(session_id_text);
        let named = self.keys.iter().find_map(|key| {
            let hits =
                |kind, text: &str, counter| hits(Place::Digest(key.digest(kind, text)), counter);
            sid.as_deref()
                .and_then(|sid| hits(TargetKind::Session, sid, None))
                .or_else(|| hits(TargetKind::Subject, claims.sub, Some(claims.ver.of_subject())))
                .or_else(|| {
                    hits(TargetKind::Client, claims.client_id, Some(claims.ver.of_client()))
                })
                .or_else(|| hits(TargetKind::Token, claims.jti, None))
        });
        let everything = || hits(Place::Everything, Some(claims.ver.of_everything()));
        named.or_else(|| kid.and_then(|kid| hits(Place::Key(kid), None))).or_else(everything)
    }
}
