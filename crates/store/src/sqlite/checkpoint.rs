//! Writing the write-ahead log back into the database, beside the writer, so that commits do not wait.
//!
//! Once so many rows were written, a thread of its own writes back what is in the log, twice: the second
//! pass finds only what came during the first. Then the writer writes back the little that is left and
//! begins the log from its start, so that its file is overwritten, which a disk syncs faster than growth.

use super::{locked, open};
use rusqlite::Connection;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// After so many rows the log is written back. It holds about as many pages then, and at most twice as
/// many when the writer begins it anew.
const ROWS: usize = 16_384;

/// How often the thread goes over the log before the writer takes the rest.
const PASSES: usize = 2;

/// Who tells whom that the log is long.
#[derive(Default)]
pub(super) struct Checkpointer {
    state: Mutex<State>,
    wanted: Condvar,
    catch_up: AtomicBool,
}

#[derive(Default)]
struct State {
    rows: usize,
    closed: bool,
}

impl Checkpointer {
    /// The writer wrote so many rows.
    pub(super) fn wrote(&self, rows: usize) {
        let mut state = locked(&self.state);
        state.rows += rows;
        if ROWS <= state.rows {
            self.wanted.notify_one();
        }
    }

    /// Whether the writer is to write back the rest now; asked once.
    pub(super) fn asks_to_catch_up(&self) -> bool {
        self.catch_up.load(Ordering::Acquire) && self.catch_up.swap(false, Ordering::AcqRel)
    }

    pub(super) fn close(&self) {
        locked(&self.state).closed = true;
        self.wanted.notify_one();
    }

    /// Works until closed.
    pub(super) fn run(&self, path: &Path) {
        while self.wait() {
            match write_back(path) {
                Ok(()) => self.catch_up.store(true, Ordering::Release),
                Err(error) => {
                    tracing::warn!(%error, "the write-ahead log was not written back; it grows");
                }
            }
        }
    }

    fn wait(&self) -> bool {
        let mut state = locked(&self.state);
        while state.rows < ROWS && !state.closed {
            state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.rows = 0;
        !state.closed
    }
}

fn write_back(path: &Path) -> rusqlite::Result<()> {
    let connection = open::checkpointer(path)?;
    for _ in 0..PASSES {
        passive(&connection)?;
    }
    Ok(())
}

/// Writes back what can be without waiting for anybody.
pub(super) fn passive(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
