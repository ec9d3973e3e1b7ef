//! Readings of the clocks: an argument of every check, so that a test may say what time it is.

use std::time::Duration;
use symbolon_core::Timestamp;

/// What the clocks say.
///
/// Two of them, since they fail in different ways: a token's `exp` is an instant of the calendar, but
/// how old knowledge is must not depend on a wall clock that somebody may set back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// The wall clock: against it `exp`, `nbf` and `iat` are read.
    pub wall: Timestamp,
    /// A clock that never steps, since any fixed point of its own; against it ages are measured.
    ///
    /// It should count the time during which the machine was suspended: otherwise a woken laptop
    /// believes that its knowledge is fresh.
    pub monotonic: Duration,
}

impl Now {
    /// Reads the clocks of this machine.
    ///
    /// On Linux the steady clock is `CLOCK_BOOTTIME`, which counts suspended time; elsewhere it is
    /// that of [`std::time::Instant`], which may not. A wall clock before 1970 reads as 1970, under
    /// which every token is dated too far ahead and refused.
    #[expect(
        clippy::disallowed_methods,
        reason = "the rim of the verifier: callers may pass their own"
    )]
    pub fn read() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since.unwrap_or_default().as_millis();
        let wall = Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        Self { wall, monotonic: steady() }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn steady() -> Duration {
    let read = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(read.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(read.tv_nsec).unwrap_or_default())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(
    clippy::disallowed_methods,
    reason = "the rim of the verifier: callers may pass their own"
)]
fn steady() -> Duration {
    /// An `Instant` has no number; its distance from the first one read has.
    static ORIGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    ORIGIN.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steady_clock_never_goes_back() {
        let readings: Vec<_> = (0..100).map(|_| Now::read().monotonic).collect();
        assert!(readings.is_sorted());
    }
}
