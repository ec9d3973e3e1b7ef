//! Which subjects moved lately: so that a decision about a subject's sessions that did not see the
//! latest sign-in, bump or ban is made again. In memory, since one process alone writes sessions.

use super::change::Seen;
use std::collections::HashMap;

/// How many subjects are remembered. Inclusive; when there are more, all are forgotten at once, and
/// decisions that were under way are made again.
const REMEMBERED_MAX: usize = 65_536;

/// Numbers the moves and remembers each subject's last one.
#[derive(Default)]
pub(super) struct Moves {
    count: u64,
    forgotten: u64,
    last: HashMap<u64, u64>,
}

impl Moves {
    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether the subject of a decision moved since the decision looked.
    pub(super) fn outdates(&self, seen: &Seen) -> bool {
        seen.subject.is_some_and(|subject| self.moved_since(subject, seen.moves))
    }

    /// Whether a subject moved since there had been so many moves.
    pub(super) fn moved_since(&self, subject: u64, moves: u64) -> bool {
        if moves == self.count {
            return false;
        }
        moves < self.forgotten || self.last.get(&subject).is_some_and(|last| moves < *last)
    }

    /// The subject moves now.
    pub(super) fn note(&mut self, subject: u64) {
        self.count += 1;
        if self.last.len() >= REMEMBERED_MAX {
            self.last.clear();
            self.forgotten = self.count;
        }
        self.last.insert(subject, self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn seen(subject: u64, moves: u64) -> Seen {
        Seen { cutoffs: Arc::default(), cutoffs_version: 0, moves, subject: Some(subject) }
    }

    #[test]
    fn only_a_move_of_the_same_subject_outdates() {
        let mut moves = Moves::default();
        moves.note(7);
        assert!(moves.outdates(&seen(7, 0)));
        assert!(!moves.outdates(&seen(7, 1)));
        assert!(!moves.outdates(&seen(8, 0)));
    }

    #[test]
    fn forgetting_outdates_every_older_decision() {
        let mut moves = Moves::default();
        for subject in 0..=REMEMBERED_MAX as u64 {
            moves.note(subject);
        }
        assert!(moves.outdates(&seen(1 << 40, 5)));
        assert!(!moves.outdates(&seen(1 << 40, moves.count())));
    }
}
