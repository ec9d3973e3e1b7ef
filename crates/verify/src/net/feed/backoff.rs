//! How long to wait before the next try, so that a crowd of verifiers does not come back as one.

use super::random::jitter;
use std::time::Duration;

/// Before the second try; doubled each time.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait between tries. Inclusive.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Counts failures since something went well.
#[derive(Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    /// Something went well.
    pub(super) const fn reset(&mut self) {
        self.0 = 0;
    }

    /// How long to wait after one more failure: between half and the whole of a doubled span.
    pub(super) fn wait(&mut self) -> Duration {
        let span = FIRST.saturating_mul(2u32.saturating_pow(self.0)).min(WAIT_MAX);
        self.0 = self.0.saturating_add(1);
        jitter(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_are_never_shorter_than_half() {
        let mut backoff = Backoff::default();
        for span in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let span = Duration::from_millis(span);
            let wait = backoff.wait();
            assert!(span / 2 <= wait && wait <= span, "{wait:?} of {span:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
    }
}
