//! Writing the write-ahead log back into the database, beside the writer, so that commits do not wait.
//!
//! Once so many rows were written, a thread of its own writes back what is in the log, twice: the second
//! pass finds only what came during the first. Then the writer writes back the little that is left and
//! begins the log from its start, so that its file is overwritten, which a disk syncs faster than growth.
//!
//! A failed sync is told once: the system drops what it could not write and the next sync succeeds. So
//! nothing here tries a sync again and calls it done, see `docs/decisions/0021`.

use super::{fault, files, locked, open};
use rusqlite::{Connection, Transaction, TransactionBehavior, ffi};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use symbolon_core::Fault;

/// After so many rows the log is written back. It holds about as many pages then, and at most twice as
/// many when the writer begins it anew.
const ROWS: usize = 16_384;

/// How often the thread goes over the log before the writer takes the rest.
const PASSES: usize = 2;

/// How much of the log is written over itself at once, in bytes.
const PART: usize = 1024 * 1024;

/// The exit code of a process that ends because the database was not synced: "could not".
const UNSYNCED: i32 = 3;

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
                    end_if_unsynced(&error);
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

/// Writes back all of the log, syncs the database and empties the log: of what the system read back to us
/// nothing is left then that it only believes to be on the disk. A log that others still read is written
/// over itself instead.
pub(super) fn settle(connection: &Connection) -> Result<(), Fault> {
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    match busy.inspect_err(end_if_unsynced) {
        Ok(0) => Ok(()),
        // A copy is being made, say: what is read there must stay.
        Ok(1..) | Ok(..0) => write_again(connection),
        Err(error) => Err(fault(&error)),
    }
}

/// Writes the log over itself and syncs it, while nobody appends to it.
fn write_again(connection: &Connection) -> Result<(), Fault> {
    let alone = Transaction::new_unchecked(connection, TransactionBehavior::Immediate);
    let _alone = alone.map_err(|error| fault(&error))?;
    let log = files::beside(Path::new(connection.path().unwrap_or_default()), "-wal");
    let written = || {
        let file = OpenOptions::new().read(true).write(true).open(&log)?;
        let (mut part, mut at) = (vec![0; PART], 0);
        loop {
            let read = file.read_at(&mut part, at)?;
            if read == 0 {
                return file.sync_data();
            }
            file.write_all_at(&part[..read], at)?;
            at += read as u64;
        }
    };
    written().map_err(|error| Fault::Store(format!("the write-ahead log was not synced: {error}")))
}

/// Ends the process if the database was not synced. The pages in doubt may count as written back already, so
/// that this process would never write them again; the next start reads the whole log and does.
pub(super) fn end_if_unsynced(error: &rusqlite::Error) {
    let Some(code) = error.sqlite_error().map(|error| error.extended_code) else { return };
    if code == ffi::SQLITE_IOERR_FSYNC {
        tracing::error!(%error, "the database was not synced: ending, so that a start writes it again");
        std::process::exit(UNSYNCED);
    }
}
