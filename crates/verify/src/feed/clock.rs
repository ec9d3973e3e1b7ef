//! The authority's time, carried by a clock of ours that never steps.

use crate::Now;
use std::time::Duration;
use symbolon_core::Timestamp;

/// How often the authority is asked what time it is, at least.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// Between two questions, whatever raised suspicion.
const ASK_PAUSE: Duration = Duration::from_secs(1);

/// How far a checkpoint or the wall clock may leave what was expected before it raises suspicion. Inclusive.
const SUSPICIOUS: Duration = Duration::from_secs(2);

/// Never behind the authority's own clock, as far as its signed words tell.
///
/// What errs here errs towards a later time, so that knowledge looks older than it is, never younger.
#[derive(Default)]
pub(super) struct Clock {
    /// The authority's time at an instant of the steady clock.
    known: Option<(Timestamp, Duration)>,
    asked_at: Option<Duration>,
    answered_at: Option<Duration>,
    /// The wall clock at an instant of the steady one.
    wall: Option<(Timestamp, Duration)>,
    suspects: bool,
}

impl Clock {
    /// What time it is at the authority, at the latest.
    pub(super) fn at(&self, monotonic: Duration) -> Option<Timestamp> {
        self.known.map(|(said, at)| said.after(monotonic.saturating_sub(at)))
    }

    /// The reading that [`Clock::at`] extends.
    pub(super) const fn reading(&self) -> Option<(Timestamp, Duration)> {
        self.known
    }

    /// Whether the authority ever answered.
    pub(super) const fn is_known(&self) -> bool {
        self.answered_at.is_some()
    }

    /// Whether the authority should be asked.
    pub(super) fn is_due(&self, monotonic: Duration) -> bool {
        let passed = |since: Option<Duration>, pause| {
            since.is_none_or(|since| pause <= monotonic.saturating_sub(since))
        };
        passed(self.asked_at, ASK_PAUSE) && (self.suspects || passed(self.answered_at, ASK_EVERY))
    }

    pub(super) const fn ask(&mut self, monotonic: Duration) {
        self.asked_at = Some(monotonic);
    }

    /// Takes an answer to a question that was sent at `asked_at`, even one that came slowly and therefore errs
    /// more than the last: the authority's clock may have been set in between.
    ///
    /// `vouched` is the instant that the authority vouched for last: if its clock was set back behind that, what
    /// it vouched for would look fresh until the clock has passed it again. So the time runs on as it was until the
    /// authority has vouched for something by its new clock.
    pub(super) fn answer(&mut self, said: Timestamp, asked_at: Duration, vouched: Timestamp) {
        self.suspects = said < vouched;
        self.answered_at = Some(asked_at);
        if self.suspects && self.known.is_some() {
            return;
        }
        self.known = Some((said.max(vouched), asked_at));
    }

    /// Hears what time it was when something was signed: it cannot be earlier now.
    pub(super) fn hear(&mut self, said: Timestamp, now: Now) {
        match self.at(now.monotonic) {
            Some(at) if at < said => {
                self.known = Some((said, now.monotonic));
                self.suspects = true;
            }
            Some(at) => self.suspects |= SUSPICIOUS < at.since(said),
            None => {}
        }
    }

    /// Compares the two clocks of this machine: where they part, it may have been suspended unnoticed.
    pub(super) fn tick(&mut self, now: Now) {
        let (wall, at) = *self.wall.get_or_insert((now.wall, now.monotonic));
        let expected = wall.after(now.monotonic.saturating_sub(at));
        let ahead = now.wall.since(expected);
        if SUSPICIOUS < ahead.max(expected.since(now.wall)) {
            // Until the answer is here, all that may have passed counts as passed.
            self.known = self.known.map(|(said, at)| (said.after(ahead), at));
            self.wall = Some((now.wall, now.monotonic));
            self.suspects = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Now {
        let monotonic = Duration::from_secs(seconds);
        Now { wall: Timestamp::from_seconds(1_000_000 + seconds), monotonic }
    }

    fn answered(said: u64, asked_at: u64) -> Clock {
        let mut clock = Clock::default();
        let asked_at = Duration::from_secs(asked_at);
        clock.answer(Timestamp::from_seconds(said), asked_at, Timestamp::default());
        clock
    }

    fn reads(clock: &Clock, seconds: u64) -> Option<u64> {
        clock.at(Duration::from_secs(seconds)).map(Timestamp::as_seconds)
    }

    #[test]
    fn a_slow_answer_makes_the_time_later_and_never_earlier() {
        // Asked at 10; the authority signed 500 somewhen before 14.
        assert_eq!(reads(&answered(500, 10), 14), Some(504));
        assert_eq!(reads(&Clock::default(), 14), None);
    }

    #[test]
    fn a_later_time_in_a_checkpoint_is_believed_and_an_earlier_one_is_asked_about() {
        let mut clock = answered(500, 10);
        clock.hear(Timestamp::from_seconds(530), at(12));
        assert_eq!(reads(&clock, 12), Some(530));
        assert!(clock.is_due(Duration::from_secs(12)));
        let mut clock = answered(500, 10);
        clock.hear(Timestamp::from_seconds(490), at(12));
        assert_eq!(reads(&clock, 12), Some(502));
        assert!(clock.is_due(Duration::from_secs(12)));
    }

    #[test]
    fn the_authority_is_asked_each_minute_and_after_suspicion_at_most_each_second() {
        let mut clock = answered(500, 10);
        clock.ask(Duration::from_secs(10));
        assert!(!clock.is_due(Duration::from_secs(69)));
        assert!(clock.is_due(Duration::from_secs(70)));
        clock.suspects = true;
        assert!(!clock.is_due(Duration::from_millis(10_900)));
        assert!(clock.is_due(Duration::from_secs(11)));
    }

    #[test]
    fn an_authority_whose_clock_was_set_back_makes_nothing_look_fresh() {
        let mut clock = answered(500, 10);
        let vouched = Timestamp::from_seconds(505);
        for asked_at in 20..30 {
            clock.answer(Timestamp::from_seconds(400), Duration::from_secs(asked_at), vouched);
        }
        assert_eq!(reads(&clock, 30), Some(520), "however often it answers");
        assert!(clock.is_due(Duration::from_secs(30)));
        let vouched = Timestamp::from_seconds(401);
        clock.answer(Timestamp::from_seconds(402), Duration::from_secs(31), vouched);
        assert_eq!(reads(&clock, 31), Some(402));
        let mut first = Clock::default();
        first.answer(Timestamp::from_seconds(400), Duration::from_secs(20), vouched);
        assert_eq!(reads(&first, 23), Some(404), "nor at the first answer");
    }

    #[test]
    fn time_that_only_the_wall_clock_saw_counts_until_the_authority_was_asked() {
        let mut clock = answered(500, 10);
        clock.tick(at(10));
        clock.tick(at(11));
        assert!(!clock.is_due(Duration::from_secs(11)));
        let mut woken = at(12);
        woken.wall = woken.wall.after(Duration::from_secs(3600));
        clock.tick(woken);
        assert_eq!(reads(&clock, 12), Some(500 + 2 + 3600));
        assert!(clock.is_due(Duration::from_secs(12)));
        // Set back again: nothing gets younger by that.
        clock.tick(at(13));
        assert_eq!(reads(&clock, 13), Some(500 + 3 + 3600));
    }
}
