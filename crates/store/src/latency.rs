//! How long callers waited until their commit was durable, for whoever watches; it decides nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The upper ends of the buckets, in microseconds. Inclusive; one more bucket has all that took longer.
pub const BOUNDS_MICROS: [u64; 12] =
    [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 125_000, 250_000, 1_000_000];

/// The instant that it is, for bounds and ages; no rule sees it.
#[expect(
    clippy::disallowed_methods,
    reason = "how long ago something was asked; it decides nothing"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Counts waits; shared by all who wait.
#[derive(Default)]
pub(crate) struct Latency {
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    micros: AtomicU64,
}

/// What was counted since the store was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Waits {
    /// How many waits ended in each bucket.
    pub buckets: [u64; BOUNDS_MICROS.len() + 1],
    /// How long all of them took together, in microseconds.
    pub micros: u64,
}

impl Latency {
    /// Waits for `work` and counts how long that took.
    #[expect(clippy::disallowed_methods, reason = "a figure for people; it decides nothing")]
    pub(crate) async fn of<T>(&self, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let done = work.await;
        self.count(started.elapsed());
        done
    }

    pub(crate) fn count(&self, waited: Duration) {
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.iter().position(|bound| micros <= *bound);
        self.buckets[bucket.unwrap_or(BOUNDS_MICROS.len())].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn waits(&self) -> Waits {
        let buckets = self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
        Waits { buckets, micros: self.micros.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_counted_in_the_first_bucket_that_holds_it() {
        let latency = Latency::default();
        for micros in [0, 250, 251, 1_000_000, 1_000_001, 60_000_000] {
            latency.count(Duration::from_micros(micros));
        }
        let waits = latency.waits();
        assert_eq!((waits.buckets[0], waits.buckets[1], waits.buckets[11]), (2, 1, 1));
        assert_eq!(waits.buckets[12], 2, "what took longer than every bound");
        assert_eq!(waits.micros, 62_000_502);
    }
}
