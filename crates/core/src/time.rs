//! Instants and how they are compared. Nothing here asks for the time: it is always an argument.

pub use core::time::Duration;

/// How far the wall clock may leave the boot clock (or the store's) before refresh and sweeping stop.
/// Inclusive: exactly this far still agrees. DESIGN.md §4.1 "Time".
pub const CLOCK_DRIFT_MAX: Duration = Duration::from_secs(60);

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Rules compare milliseconds; what travels in a token is whole seconds, rounded down once, here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The instant that many milliseconds after the Unix epoch.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// The instant that many seconds after the Unix epoch; saturates far beyond any calendar.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down (RFC 7519 §2, NumericDate).
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The same instant without its fraction of a second.
    pub const fn floor_second(self) -> Self {
        Self::from_seconds(self.as_seconds())
    }

    /// The instant `span` later; saturates.
    pub const fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// The instant `span` earlier; never before the epoch.
    pub const fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long after `earlier` this is; zero if it is before.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whether two clocks may both be believed: they differ by [`CLOCK_DRIFT_MAX`] at most.
    pub fn agrees_with(self, other: Self) -> bool {
        self.since(other) <= CLOCK_DRIFT_MAX && other.since(self) <= CLOCK_DRIFT_MAX
    }
}

const fn millis(span: Duration) -> u64 {
    let whole = span.as_millis();
    if whole <= u64::MAX as u128 { whole as u64 } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_before_another_is_zero_after_it() {
        let (early, late) = (Timestamp::from_seconds(5), Timestamp::from_seconds(9));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.since(early), Duration::from_secs(4));
    }

    #[test]
    fn seconds_are_rounded_down() {
        assert_eq!(Timestamp::from_millis(1_999).as_seconds(), 1);
        assert_eq!(Timestamp::from_millis(1_999).floor_second(), Timestamp::from_seconds(1));
    }

    #[test]
    fn sums_saturate_instead_of_wrapping() {
        let end = Timestamp::from_millis(u64::MAX).after(Duration::from_secs(1));
        assert_eq!(end.as_millis(), u64::MAX);
        assert_eq!(Timestamp::default().after(Duration::MAX).as_millis(), u64::MAX);
    }

    #[test]
    fn clocks_agree_up_to_and_including_a_minute() {
        let clock = Timestamp::from_seconds(1_000);
        for (other, agrees) in [(1_060, true), (1_061, false), (940, true), (939, false)] {
            assert_eq!(clock.agrees_with(Timestamp::from_seconds(other)), agrees, "{other}");
        }
    }
}
