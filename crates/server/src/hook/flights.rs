//! Questions under way: whoever shows the same token while one is asked about it waits for the same answer.

use super::call::Unheard;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use symbolon_core::{
    Below, Duration, Generation, RefreshToken, SessionId, StoreEpoch, Timestamp, Word,
};
use tokio::sync::OnceCell;

/// How many questions one back end may have open, or answered lately. Inclusive; one more is not asked.
pub(super) const FLIGHTS_MAX: usize = 10_000;

/// How long after the question its answer is given to whoever shows the same token again: whom it refused does not
/// have it asked, and written into the history, at every try.
pub(super) const KEPT: Duration = Duration::from_secs(5);

/// How often what is old is forgotten: an answer may be as long as somebody's rights.
const SWEPT: Duration = Duration::from_secs(1);

/// What was said, once it is.
pub(super) type Flight = Arc<OnceCell<Result<Word, Unheard>>>;

/// Which token it is about, and which version of its subject.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct About(SessionId, StoreEpoch, Generation, Below);

impl About {
    /// A token, and its subject as it is.
    pub(super) fn token(token: &RefreshToken, version: Below) -> Self {
        Self(token.sid(), token.epoch(), token.generation(), version)
    }
}

/// Questions by the token that they are about.
#[derive(Default)]
pub(super) struct Flights(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_token: HashMap<About, (Flight, Timestamp)>,
    swept_at: Timestamp,
}

impl Flights {
    /// The question about a token, asked or not; `None`: there are too many.
    pub(super) fn join(&self, about: About, at: Timestamp) -> Option<Flight> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((flight, until)) = known.by_token.get(&about)
            && at < *until
        {
            return Some(Arc::clone(flight));
        }
        if known.swept_at.after(SWEPT) <= at {
            known.by_token.retain(|_, (_, until)| at < *until);
            known.swept_at = at;
        }
        if FLIGHTS_MAX <= known.by_token.len() {
            return None;
        }
        let flight = Flight::default();
        known.by_token.insert(about, (Arc::clone(&flight), at.after(KEPT)));
        Some(flight)
    }

    /// Forgets a question that nobody answered: whoever comes later has it asked again.
    pub(super) fn leave(&self, about: About, flight: &Flight) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.by_token.get(&about).is_some_and(|(own, _)| Arc::ptr_eq(own, flight)) {
            known.by_token.remove(&about);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(n: u32) -> About {
        let version = Below { epoch: StoreEpoch(0), counter: 0 };
        About(SessionId::from_bytes([1; 16]), StoreEpoch(0), Generation(n), version)
    }

    fn s(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000 + seconds)
    }

    #[test]
    fn one_token_has_one_question_until_its_answer_is_old() {
        let flights = Flights::default();
        let first = flights.join(token(1), s(0)).unwrap();
        assert!(Arc::ptr_eq(&first, &flights.join(token(1), s(4)).unwrap()));
        assert!(!Arc::ptr_eq(&first, &flights.join(token(2), s(4)).unwrap()));
        assert!(!Arc::ptr_eq(&first, &flights.join(token(1), s(5)).unwrap()));
    }

    #[test]
    fn a_question_that_nobody_answered_is_asked_again() {
        let flights = Flights::default();
        let first = flights.join(token(1), s(0)).unwrap();
        flights.leave(token(1), &first);
        let second = flights.join(token(1), s(0)).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        flights.leave(token(1), &first);
        assert!(Arc::ptr_eq(&second, &flights.join(token(1), s(0)).unwrap()));
    }

    #[test]
    fn what_is_old_is_forgotten_whoever_asks_next() {
        let flights = Flights::default();
        flights.join(token(1), s(0)).unwrap();
        flights.join(token(2), s(4)).unwrap();
        flights.join(token(3), s(5)).unwrap();
        let known = flights.0.lock().unwrap();
        let mut left: Vec<_> = known.by_token.keys().map(|about| about.2.0).collect();
        left.sort_unstable();
        assert_eq!(left, [2, 3]);
    }

    #[test]
    fn a_crowd_is_bounded_and_makes_room_when_its_answers_are_old() {
        let flights = Flights::default();
        let most = u32::try_from(FLIGHTS_MAX).unwrap();
        assert!((0..most).all(|n| flights.join(token(n), s(0)).is_some()));
        assert!(flights.join(token(most), s(4)).is_none());
        assert!(flights.join(token(0), s(4)).is_some(), "who waits already, waits on");
        assert!(flights.join(token(most), s(5)).is_some());
    }
}
