//! How old the mirror is: the authority's time less the instant up to which it was read.
//!
//! Both are words of their own, and any pair of them is true: each says something signed that does not become
//! false. Rounding makes the mirror older, never younger.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use symbolon_core::Timestamp;

const READY: u64 = 1;
const CLOCK: u64 = 2;
const VOUCHED: u64 = 4;
const FOLLOWED: u64 = 8;

/// Without all of these there is no age.
const AGED: u64 = READY | CLOCK | VOUCHED;

/// In microseconds.
#[derive(Default)]
pub(super) struct Freshness {
    /// What is known, a bit each.
    known: AtomicU64,
    read_at: AtomicU64,
    /// The authority's time less the steady clock's, modulo the word.
    ahead: AtomicU64,
}

impl Freshness {
    pub(super) fn follow(&self) {
        self.known.fetch_or(FOLLOWED, Ordering::Release);
    }

    pub(super) fn is_followed(&self) -> bool {
        self.known.load(Ordering::Acquire) & FOLLOWED != 0
    }

    pub(super) fn ready(&self) {
        self.known.fetch_or(READY, Ordering::Release);
    }

    pub(super) fn vouch(&self, read_at: Timestamp) {
        self.read_at.store(micros(read_at), Ordering::Release);
        self.known.fetch_or(VOUCHED, Ordering::Release);
    }

    pub(super) fn set_clock(&self, authority: Timestamp, monotonic: Duration) {
        let steady = monotonic.as_micros() as u64;
        self.ahead.store(micros(authority).wrapping_sub(steady), Ordering::Release);
        self.known.fetch_or(CLOCK, Ordering::Release);
    }

    /// What time it is at the authority, or a little later; none before it was asked.
    #[cfg(feature = "net")]
    pub(super) fn authority(&self, monotonic: Duration) -> Option<Timestamp> {
        let known = self.known.load(Ordering::Acquire) & CLOCK != 0;
        let steady = monotonic.as_micros() as u64;
        let authority = self.ahead.load(Ordering::Acquire).wrapping_add(steady);
        known.then(|| Timestamp::from_millis(authority / 1000))
    }

    pub(super) fn age(&self, monotonic: Duration) -> Option<Duration> {
        if self.known.load(Ordering::Acquire) & AGED != AGED {
            return None;
        }
        let steady = monotonic.as_nanos().div_ceil(1000) as u64;
        let authority = self.ahead.load(Ordering::Acquire).wrapping_add(steady);
        let read_at = self.read_at.load(Ordering::Acquire);
        Some(Duration::from_micros(authority.saturating_sub(read_at)))
    }
}

const fn micros(at: Timestamp) -> u64 {
    at.as_millis().saturating_mul(1000)
}
