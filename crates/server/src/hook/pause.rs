//! When a back end that does not answer is left alone for a while, so that renewals do not wait for it one by one.

use symbolon_core::{Duration, Timestamp};

/// How many calls must fail one after the other. Inclusive.
pub(super) const FAILURES_MAX: u32 = 5;

/// The first pause; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause. Inclusive.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What is known of a back end's health.
#[derive(Default)]
pub(super) struct Pause {
    failures: u32,
    began: Timestamp,
    until: Timestamp,
}

impl Pause {
    /// Whether nobody is to be asked at `at`. The first caller after a pause asks, and the others wait for what comes
    /// of that for another while.
    pub(super) fn holds(&mut self, at: Timestamp) -> bool {
        if at < self.until {
            return true;
        }
        if FAILURES_MAX <= self.failures {
            self.until = at.after(PAUSE_MIN);
        }
        false
    }

    /// It answered.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    /// It did not. What was under way when a pause began is what that pause is for, and makes it no longer. `chance`
    /// shortens a pause by up to a half, so that not all nodes ask again at once.
    pub(super) fn failed(&mut self, asked_at: Timestamp, at: Timestamp, chance: u8) {
        if asked_at < self.began {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let Some(pauses) = self.failures.checked_sub(FAILURES_MAX) else { return };
        let whole = PAUSE_MIN.saturating_mul(1 << pauses.min(5)).min(PAUSE_MAX);
        let most = whole / 2;
        (self.began, self.until) = (at, at.after(whole - most * u32::from(chance) / 255));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000).after(Duration::from_millis(milliseconds))
    }

    fn failing(times: u32) -> Pause {
        let mut pause = Pause::default();
        (0..times).for_each(|_| pause.failed(ms(0), ms(0), 0));
        pause
    }

    #[test]
    fn a_few_failures_are_nobodys_outage() {
        assert!(!failing(FAILURES_MAX - 1).holds(ms(0)));
        let mut healed = failing(FAILURES_MAX - 1);
        healed.answered();
        healed.failed(ms(0), ms(0), 0);
        assert!(!healed.holds(ms(0)));
    }

    #[test]
    fn after_more_nobody_asks_for_a_while_and_then_one_does() {
        let mut pause = failing(FAILURES_MAX);
        assert!(pause.holds(ms(0)) && pause.holds(ms(999)));
        assert!(!pause.holds(ms(1000)), "the first after the pause asks");
        assert!(pause.holds(ms(1001)), "the others do not");
        pause.answered();
        assert!(!pause.holds(ms(1001)));
    }

    #[test]
    fn what_was_under_way_when_a_pause_began_makes_it_no_longer() {
        let mut pause = Pause::default();
        (0..32).for_each(|_| pause.failed(ms(0), ms(500), 0));
        assert!(pause.holds(ms(1499)) && !pause.holds(ms(1500)));
        pause.failed(ms(1500), ms(2000), 0);
        assert!(pause.holds(ms(3999)) && !pause.holds(ms(4000)), "the one who asked again does");
    }

    #[test]
    fn pauses_grow_up_to_a_bound_and_chance_shortens_them() {
        assert!(failing(FAILURES_MAX + 1).holds(ms(1999)));
        assert!(failing(1000).holds(ms(29_999)));
        assert!(!failing(1000).holds(ms(30_000)));
        let mut early = failing(FAILURES_MAX - 1);
        early.failed(ms(0), ms(0), 255);
        assert!(early.holds(ms(499)) && !early.holds(ms(500)));
    }
}
