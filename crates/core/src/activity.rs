//! Use of a session that verifiers saw and the store did not: DESIGN.md §4.6.

use crate::client::ClientPolicy;
use crate::loaded::{Decision, Loaded};
use crate::session::{Session, Standing};
use crate::time::{Duration, Timestamp};

/// However long a session may idle, uses that are further apart than this move its idle end. Exclusive.
const STEP_MAX: Duration = Duration::from_secs(60 * 60);

/// What became of the uses of one session that were reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used {
    /// So many count: the session lives, and they are not dated ahead of the clock.
    pub accepted: usize,
    /// The idle end moved.
    pub extended: bool,
}

impl Used {
    /// Nothing counts, and nothing moved.
    pub const IGNORED: Self = Self { accepted: 0, extended: false };
}

impl ClientPolicy {
    /// Uses of a session that are further apart than this move its idle end: half of what it may idle, and an
    /// hour at the most. Exclusive.
    ///
    /// So a session of two hours and more is written at most once an hour, and one that is used at least once in
    /// half its idle time never ends for idleness. One that is used no more may end by so much earlier.
    pub fn activity_step(&self) -> Duration {
        (self.idle / 2).min(STEP_MAX)
    }
}

impl Loaded {
    /// The session was used at these instants, in any order and however often they are told: its idle end moves
    /// if the latest of them is far enough from the last use that is known.
    ///
    /// The absolute end never moves, what is over stays over, and a use that is dated ahead of `at` is none. No
    /// token changes by it, so nobody is told.
    pub fn used(
        mut self,
        uses: &[Timestamp],
        policy: &ClientPolicy,
        at: Timestamp,
    ) -> Decision<Used> {
        match self.standing(policy, at) {
            Standing::Ended(_) => return Decision::unchanged(Used::IGNORED),
            Standing::Over(end) => {
                let at = self.session.not_before(at);
                return self.write_end(end, at).map(|_| Used::IGNORED);
            }
            Standing::Active => {}
        }
        let past = uses.iter().copied().filter(|used| *used <= at);
        let accepted = past.clone().count();
        match past.max().filter(|latest| self.session.slides_to(*latest, policy)) {
            Some(latest) => {
                self.session.0.last_used_at = latest;
                let reply = Used { accepted, extended: true };
                Decision { session: Some(self.session), events: Vec::new(), reply }
            }
            None => Decision::unchanged(Used { accepted, extended: false }),
        }
    }
}

impl Session {
    pub(crate) fn slides_to(&self, used: Timestamp, policy: &ClientPolicy) -> bool {
        policy.activity_step() < used.since(self.last_used_at)
    }
}
