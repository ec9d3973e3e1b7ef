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
pub(super) struct Flights(Mutex<HashMap<About, (Flight, Timestamp)>>);

impl Flights {
    /// The question about a token, asked or not; `None`: there are too many.
    pub(super) fn join(&self, about: About, at: Timestamp) -> Option<Flight> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((flight, until)) = flights.get(&about)
            && at < *until
        {
            return Some(Arc::clone(flight));
        }
        if FLIGHTS_MAX <= flights.len() {
            flights.retain(|_, (_, until)| at < *until);
        }
        if FLIGHTS_MAX <= flights.len() {
            return None;
        }
        let flight = Flight::default();
        flights.insert(about, (Arc::clone(&flight), at.after(KEPT)));
        Some(flight)
    }

    /// Forgets a question that nobody answered: whoever comes later has it asked again.
    pub(super) fn leave(&self, about: About, flight: &Flight) {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if flights.get(&about).is_some_and(|(own, _)| Arc::ptr_eq(own, flight)) {
            flights.remove(&about);
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
    fn a_crowd_is_bounded_and_makes_room_when_its_answers_are_old() {
        let flights = Flights::default();
        let most = u32::try_from(FLIGHTS_MAX).unwrap();
        assert!((0..most).all(|n| flights.join(token(n), s(0)).is_some()));
        assert!(flights.join(token(most), s(4)).is_none());
        assert!(flights.join(token(0), s(4)).is_some(), "who waits already, waits on");
        assert!(flights.join(token(most), s(5)).is_some());
    }
}
