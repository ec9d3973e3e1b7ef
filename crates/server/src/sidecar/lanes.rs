//! Whoever asks about the same thing waits for one question; how many may wait has a bound.

use symbolon_core::Fault;
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

/// How many questions may be under way at once. Inclusive: strangers who make cookies up wait for each other, and take
/// no turn from those who follow the feed.
pub(super) const LANES: usize = 32;

/// How many may wait for a turn, or have it. Inclusive; whoever comes later is told to come again.
pub(super) const WAITING_MAX: usize = 1024;

/// The lanes that questions wait in.
pub(super) struct Lanes {
    lanes: [Mutex<()>; LANES],
    waiting: Semaphore,
}

/// A turn, until it is dropped.
pub(super) struct Turn<'a> {
    _alone: MutexGuard<'a, ()>,
    _counted: SemaphorePermit<'a>,
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self { lanes: Default::default(), waiting: Semaphore::new(WAITING_MAX) }
    }

    /// Waits for a turn in the lane of what is asked about.
    ///
    /// # Errors
    /// [`Fault::Busy`]: too many wait.
    pub(super) async fn turn(&self, digest: &[u8; 32]) -> Result<Turn<'_>, Fault> {
        let counted = self.waiting.try_acquire().map_err(|_| Fault::Busy)?;
        let lane = usize::from(digest[0]) % LANES;
        Ok(Turn { _alone: self.lanes[lane].lock().await, _counted: counted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn whoever_comes_when_too_many_wait_is_told_so_and_a_turn_that_ends_makes_room() {
        let lanes = Arc::new(Lanes::new());
        let first = lanes.turn(&[0; 32]).await.unwrap();
        let waits = |_| {
            let lanes = Arc::clone(&lanes);
            tokio::spawn(async move { lanes.turn(&[0; 32]).await.map(drop) })
        };
        let waiting: Vec<_> = (1..WAITING_MAX).map(waits).collect();
        while lanes.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(lanes.turn(&[1; 32]).await, Err(Fault::Busy)), "whichever lane it is");
        drop(first);
        for one in waiting {
            one.await.unwrap().unwrap();
        }
        assert!(lanes.turn(&[1; 32]).await.is_ok());
    }

    #[tokio::test]
    async fn who_asks_about_the_same_waits_and_who_asks_about_something_else_does_not() {
        let lanes = Lanes::new();
        let _first = lanes.turn(&[0; 32]).await.unwrap();
        assert!(lanes.turn(&[1; 32]).await.is_ok());
        let mut same = Box::pin(lanes.turn(&[0; 32]));
        let waker = std::task::Waker::noop();
        assert!(same.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    }
}
