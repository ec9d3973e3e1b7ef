//! The way to the writer: a bounded queue that is taken whole, so that what waited together is
//! committed together.

use super::change::Work;
use super::locked;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use symbolon_core::Fault;

/// How much work may wait. Inclusive; beyond it callers are told [`Fault::Busy`].
pub(super) const WAITING_MAX: usize = 8192;

/// The most work that shares one commit. Inclusive.
pub(super) const BATCH_MAX: usize = 512;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    closed: bool,
    writer_sleeps: bool,
}

impl Queue {
    /// Adds work, all of it or none.
    pub(super) fn push(&self, work: impl ExactSizeIterator<Item = Work>) -> Result<(), Fault> {
        let mut state = locked(&self.state);
        if state.closed {
            return Err(Fault::Store("the store is closing".into()));
        }
        if state.waiting.len() + work.len() > WAITING_MAX {
            return Err(Fault::Busy);
        }
        state.waiting.extend(work);
        let wake = state.writer_sleeps;
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// Waits for work and takes a batch of it; `false` once the queue is closed and empty.
    pub(super) fn take(&self, batch: &mut Vec<Work>) -> bool {
        let mut state = locked(&self.state);
        while state.waiting.is_empty() {
            if state.closed {
                return false;
            }
            state.writer_sleeps = true;
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.writer_sleeps = false;
        }
        let count = state.waiting.len().min(BATCH_MAX);
        batch.extend(state.waiting.drain(..count));
        true
    }

    /// How much waits now.
    pub(super) fn waiting(&self) -> usize {
        locked(&self.state).waiting.len()
    }

    /// Takes no more work; what waits is still done.
    pub(super) fn close(&self) {
        locked(&self.state).closed = true;
        self.ready.notify_one();
    }
}
