//! Which sessions were used, until the authority is told.
//!
//! A request whose session was marked within the minute costs one look at one word: no lock, no allocation.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use symbolon_core::{SessionId, Timestamp};

/// How many sessions may wait until the authority is told of them. Inclusive; beyond it the use of longest ago
/// is forgotten.
pub(crate) const WAITING_MAX: usize = 1 << 16;

/// A session is marked once in so many seconds.
const EVERY_SECONDS: u64 = 60;

/// How many sessions are known to be marked already. Two that share a place are marked more often than needed.
const PLACES: usize = 1 << 16;

/// Marks, each in a word: which minute, and enough of the session's name to tell it from others of its place.
const MINUTE_BITS: u32 = 24;

/// The uses that were seen.
pub(crate) struct Activity {
    marked: Box<[AtomicU64]>,
    waiting: Mutex<Waiting>,
}

/// The last use of each session, and the same by age.
#[derive(Default)]
struct Waiting {
    last: HashMap<SessionId, Timestamp>,
    by_age: BTreeSet<(Timestamp, SessionId)>,
    dropped: u64,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            marked: (0..PLACES).map(|_| AtomicU64::new(u64::MAX)).collect(),
            waiting: Mutex::default(),
        }
    }

    /// A session was used.
    #[inline]
    pub(crate) fn mark(&self, sid: SessionId, at: Timestamp) {
        let (place, mark) = place(&sid, at);
        if self.marked[place].load(Ordering::Relaxed) == mark {
            return;
        }
        // Whoever comes between the two marks the same once more.
        self.marked[place].store(mark, Ordering::Relaxed);
        self.waiting().add(sid, at);
    }

    /// Takes the uses of longest ago, at most so many.
    pub(crate) fn take(&self, most: usize) -> Vec<(SessionId, Timestamp)> {
        let mut waiting = self.waiting();
        std::iter::from_fn(|| waiting.oldest()).take(most).collect()
    }

    /// Gives back what could not be told; a later use of the same session takes its place.
    pub(crate) fn give_back(&self, uses: Vec<(SessionId, Timestamp)>) {
        let mut waiting = self.waiting();
        uses.into_iter().for_each(|(sid, at)| waiting.add(sid, at));
    }

    /// How many sessions wait, and how many were forgotten untold.
    pub(crate) fn figures(&self) -> (usize, u64) {
        let waiting = self.waiting();
        (waiting.by_age.len(), waiting.dropped)
    }

    /// The authority will never want these.
    pub(crate) fn drop_all(&self, uses: &[(SessionId, Timestamp)]) {
        self.waiting().dropped += uses.len() as u64;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // A panic between the two collections would leave a use that is told twice or never: neither harms.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn add(&mut self, sid: SessionId, at: Timestamp) {
        let before = self.last.get(&sid).copied();
        if before.is_some_and(|before| at <= before) {
            return;
        }
        if let Some(before) = before {
            self.by_age.remove(&(before, sid));
        }
        self.last.insert(sid, at);
        self.by_age.insert((at, sid));
        if WAITING_MAX < self.by_age.len() {
            self.oldest();
            self.dropped += 1;
        }
    }

    fn oldest(&mut self) -> Option<(SessionId, Timestamp)> {
        let (at, sid) = self.by_age.pop_first()?;
        self.last.remove(&sid);
        Some((sid, at))
    }
}

/// Where a session is marked, and how. Its name is the authority's, drawn by chance but for its first two bytes,
/// so it needs no hash, and strangers cannot choose where they are.
fn place(sid: &SessionId, at: Timestamp) -> (usize, u64) {
    let [_, _, name @ .., _, _, _, _, _, _] = *sid.as_bytes();
    let (name, minute) = (u64::from_le_bytes(name), at.as_seconds() / EVERY_SECONDS);
    let minute = minute & ((1 << MINUTE_BITS) - 1);
    let rest = name & !((1 << MINUTE_BITS) - 1);
    (name as usize & (PLACES - 1), rest | minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid(n: u64) -> SessionId {
        let mut bytes = [0; 16];
        bytes[2..10].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
        SessionId::from_bytes(bytes)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_040 + seconds)
    }

    #[test]
    fn a_session_is_marked_once_a_minute_however_often_it_is_used() {
        let activity = Activity::new();
        for second in 0..60 {
            activity.mark(sid(1), at(second));
        }
        assert_eq!(activity.take(10), [(sid(1), at(0))]);
        activity.mark(sid(1), at(59));
        assert_eq!(activity.take(10), [], "it was told for this minute");
        activity.mark(sid(1), at(60));
        assert_eq!(activity.take(10), [(sid(1), at(60))]);
    }

    #[test]
    fn the_last_use_of_a_session_is_told_and_the_oldest_first() {
        let activity = Activity::new();
        for (n, seconds) in [(1, 0), (2, 60), (3, 120), (1, 180)] {
            activity.mark(sid(n), at(seconds));
        }
        let first = activity.take(2);
        assert_eq!(first, [(sid(2), at(60)), (sid(3), at(120))]);
        activity.mark(sid(2), at(240));
        activity.give_back(first);
        let rest = activity.take(10);
        assert_eq!(rest, [(sid(3), at(120)), (sid(1), at(180)), (sid(2), at(240))]);
        assert_eq!(activity.figures(), (0, 0));
    }

    #[test]
    fn beyond_the_bound_the_use_of_longest_ago_is_forgotten_and_counted() {
        let activity = Activity::new();
        let most = WAITING_MAX as u64;
        for n in 0..most + 3 {
            activity.mark(sid(n), at(n));
        }
        assert_eq!(activity.figures(), (WAITING_MAX, 3));
        assert_eq!(activity.take(1), [(sid(3), at(3))]);
        activity.give_back(vec![(sid(1), at(1)), (sid(2), at(2))]);
        assert_eq!(activity.figures(), (WAITING_MAX, 4));
        assert_eq!(activity.take(1), [(sid(2), at(2))], "of those given back, too");
    }

    #[test]
    fn sessions_that_share_a_place_are_all_told() {
        let activity = Activity::new();
        let sharing = |n: u8| {
            let mut bytes = [7; 16];
            bytes[9] = n;
            SessionId::from_bytes(bytes)
        };
        for round in 0..2 {
            for n in 0..3 {
                activity.mark(sharing(n), at(round));
            }
        }
        assert_eq!(activity.take(10).len(), 3);
    }
}
