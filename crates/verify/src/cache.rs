//! Tokens that were verified already, by their whole text.
//!
//! A set-associative table: a token's hash names a set of four places. A hit takes no lock, allocates nothing
//! and counts no reference, so that threads which verify one hot token do not wait for each other. The hash
//! only finds the place; the whole token is compared. Four bytes of a header cannot make a forged token
//! equal to a genuine one, so nothing here rests on the hash but the time that a look-up takes.
//!
//! What a hit proves is what cannot change: signature, type, issuer, audience, and the claims. Time, the mirror
//! and the policy are asked every time. Of a token that was asked about it proves that the authority said so.

use crate::claims::{Claims, Verified};
use crate::mirror::{Digests, Judgement, Mirror};
use arc_swap::{ArcSwapOption, Guard};
use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use std::hash::BuildHasher;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use symbolon_core::{KeyId, Timestamp};
use symbolon_wire::feed::TargetKind;

/// How many tokens are kept by default.
pub(crate) const ENTRIES_DEFAULT: usize = 16_384;

/// The most that a caller may ask for. Inclusive: about a gigabyte.
pub(crate) const ENTRIES_MAX: usize = 1 << 20;

/// How many places a set has: as many as share a cache line with their tags.
const WAYS: usize = 4;

/// Verified tokens.
pub(crate) struct Cache {
    sets: Box<[Set]>,
    hasher: SeedableRandomState,
}

#[derive(Default)]
#[repr(align(64))]
struct Set {
    /// The whole hash of the token in each place, looked at before the token.
    tags: [AtomicU64; WAYS],
    places: [ArcSwapOption<Warm>; WAYS],
}

/// A token that was verified.
pub(crate) struct Warm {
    token: Box<str>,
    verified: Verified,
    /// From when it is good. Inclusive.
    begins: Timestamp,
    /// Which key signed it.
    kid: Option<KeyId>,
    /// Whether it says nothing itself, and all of this is the authority's answer.
    opaque: bool,
    /// The generation of the issuer's keys when it was verified.
    keys: u64,
    /// How often the feed had been taken up when the authority was asked and said that it is good; none if it was not.
    listed_at: Option<u64>,
    /// The generation of the target keys under which `digests` are.
    target_keys: u64,
    /// The mirror's sequence at which nothing was known against it.
    clear_at: AtomicU64,
    /// Its targets, each from when it was first needed.
    digests: [OnceLock<Digests>; 4],
}

/// A token that was found; it cannot be taken away while this lives.
pub(crate) struct Hit(Guard<Option<Arc<Warm>>>);

/// What a token was verified with.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    /// From when it is good. Inclusive.
    pub(crate) begins: Timestamp,
    /// Which key signed it.
    pub(crate) kid: Option<KeyId>,
    /// Whether it says nothing itself.
    pub(crate) opaque: bool,
    /// The generation of the issuer's keys, read before they were.
    pub(crate) keys: u64,
    /// How often the feed had been taken up when the authority was asked about it, if it was.
    pub(crate) listed_at: Option<u64>,
}

impl Cache {
    /// A cache for about so many tokens, hashed from a seed that nobody else knows.
    pub(crate) fn new(entries: usize) -> Self {
        let secret = std::hash::RandomState::new().hash_one(entries);
        Self::seeded(entries, SeedableRandomState::with_seed(secret, SharedSeed::global_random()))
    }

    /// The same from a seed that everybody knows, where each run must do the same.
    pub(crate) fn predictable(entries: usize) -> Self {
        Self::seeded(entries, SeedableRandomState::fixed())
    }

    fn seeded(entries: usize, hasher: SeedableRandomState) -> Self {
        let sets = entries.min(ENTRIES_MAX).div_ceil(WAYS).next_power_of_two();
        Self { sets: (0..sets).map(|_| Set::default()).collect(), hasher }
    }

    /// Finds a token that was verified under keys of that generation.
    #[inline]
    pub(crate) fn find(&self, token: &str, keys: u64) -> Option<Hit> {
        let (hash, set) = self.place(token);
        for (tag, place) in set.tags.iter().zip(&set.places) {
            if tag.load(Ordering::Acquire) != hash {
                continue;
            }
            let found = place.load();
            if found.as_ref().is_some_and(|warm| warm.keys == keys && *warm.token == *token) {
                return Some(Hit(found));
            }
        }
        None
    }

    /// Keeps a token in an empty place, else in that of the one that would end first.
    pub(crate) fn insert(&self, warm: &Arc<Warm>) {
        let (hash, set) = self.place(&warm.token);
        let rank = |place: &ArcSwapOption<Warm>| match &*place.load() {
            Some(other) if other.token == warm.token => (0, Timestamp::default()),
            Some(other) if other.keys == warm.keys => (2, other.verified.claims().exp),
            Some(_) | None => (1, Timestamp::default()),
        };
        let worst = (0..WAYS).min_by_key(|way| rank(&set.places[*way])).unwrap_or(0);
        // Between the two a look-up compares whole tokens, and so finds the right one or none.
        set.places[worst].store(Some(Arc::clone(warm)));
        set.tags[worst].store(hash, Ordering::Release);
    }

    fn place(&self, token: &str) -> (u64, &Set) {
        let hash = self.hasher.hash_one(token.as_bytes());
        (hash, &self.sets[hash as usize & (self.sets.len() - 1)])
    }
}

impl Warm {
    pub(crate) fn new(token: &str, claims: &Claims<'_>, origin: &Origin, target_keys: u64) -> Self {
        Self {
            token: token.into(),
            verified: claims.to_verified(),
            begins: origin.begins,
            kid: origin.kid,
            opaque: origin.opaque,
            keys: origin.keys,
            listed_at: origin.listed_at,
            target_keys,
            clear_at: AtomicU64::new(u64::MAX),
            digests: Default::default(),
        }
    }

    pub(crate) const fn begins(&self) -> Timestamp {
        self.begins
    }

    pub(crate) const fn kid(&self) -> Option<KeyId> {
        self.kid
    }

    pub(crate) const fn is_opaque(&self) -> bool {
        self.opaque
    }

    /// Whether the authority was asked about it since the feed was taken up so often.
    pub(crate) fn is_listed_at(&self, taken: u64) -> bool {
        self.listed_at == Some(taken)
    }

    pub(crate) const fn origin(&self) -> Origin {
        let Self { begins, kid, opaque, keys, listed_at, .. } = *self;
        Origin { begins, kid, opaque, keys, listed_at }
    }

    pub(crate) fn claims(&self) -> Claims<'_> {
        self.verified.claims()
    }

    /// What the mirror knows against it. `sequence` was read before the token was looked up.
    ///
    /// # Errors
    /// Targets are digested under other keys than when it was verified.
    #[inline]
    pub(crate) fn judge(
        &self,
        mirror: &Mirror,
        sequence: u64,
    ) -> Result<Option<Judgement>, OtherKeys> {
        if self.clear_at.load(Ordering::Relaxed) == sequence {
            return Ok(None);
        }
        let keys = mirror.target_keys();
        if keys.generation != self.target_keys {
            return Err(OtherKeys);
        }
        let claims = self.claims();
        let judged = mirror.judge_by(&claims.ver, self.kid, |kind| {
            let own = &self.digests[place_of(kind)];
            if let Some(digests) = own.get() {
                return Some(*digests);
            }
            let digests = keys.digests(kind, &claims)?;
            // Whoever comes second computed the same.
            let _ = own.set(digests);
            Some(digests)
        });
        if judged.is_none() {
            // An older sequence may be written over a newer one; then the next look-up is made once too often.
            self.clear_at.store(sequence, Ordering::Relaxed);
        }
        Ok(judged)
    }
}

/// Targets are digested under other keys now.
pub(crate) struct OtherKeys;

impl Deref for Hit {
    type Target = Warm;

    fn deref(&self) -> &Warm {
        self.0.as_deref().expect("only a token that is there was found")
    }
}

const fn place_of(kind: TargetKind) -> usize {
    match kind {
        TargetKind::Token => 0,
        TargetKind::Session => 1,
        TargetKind::Subject => 2,
        TargetKind::Client => 3,
    }
}
