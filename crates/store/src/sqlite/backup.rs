//! Copying a database into one file, also while an authority serves from it.
//!
//! The copy is of one instant: pages are read under one snapshot, beside the writer, which waits for
//! nobody. It carries everything but the ends log, which is there to be newer than any copy.

use super::write::PUT_SINGLE;
use super::{fault, files, open, read, schema, write};
use crate::Refusal;
use crate::codec::seal;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use symbolon_core::{Fault, StoreEpoch, Timestamp};

/// How many pages are copied at once: 4 MiB. Between two such, progress is told.
const PAGES: i32 = 2048;

/// After so many of them the copy is synced, so that the disk is never asked for much at once while
/// commits wait for it.
const SYNC_STEPS: usize = 4;

/// A copy of a database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copied {
    /// When it was made.
    pub at: Timestamp,
    /// Its size.
    pub bytes: u64,
    /// How many sessions it has whose end was not written.
    pub sessions: u64,
    /// The store epoch that it is of.
    pub epoch: StoreEpoch,
    /// The head of its feed.
    pub position: u64,
}

/// Copies the database at `path` into the new file `to`, which its owner alone may read. `told` hears how
/// much is done, of how much.
///
/// # Errors
/// There is no such database, it is not ours, `to` exists, or either could not be read or written. Nothing
/// is left at `to` then.
pub fn backup(
    path: &Path,
    to: &Path,
    at: Timestamp,
    told: impl FnMut(u64, u64),
) -> Result<Copied, Refusal> {
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(Refusal::Exists { path: to.into() });
    }
    let from = source(path)?;
    let part = files::beside(to, ".part");
    let copied = copy(&from, path, &part, told)
        .and_then(|()| finish(&part, at))
        .and_then(|copied| publish(&part, to).map(|()| copied));
    if copied.is_err() {
        for ending in ["", "-wal", "-shm"] {
            // What is left of it has a name that nothing reads.
            let _tried = files::remove(&files::beside(&part, ending));
        }
    }
    copied
}

/// A connection that reads a database of ours, of a version that we know.
fn source(path: &Path) -> Result<Connection, Refusal> {
    if !path.exists() {
        return Err(Refusal::Missing { path: path.into() });
    }
    let unreadable = |error| Refusal::unreadable(path, &error);
    let connection = open::reader(path).map_err(unreadable)?;
    if !open::is_ours(&connection).map_err(unreadable)? {
        return Err(Refusal::Foreign { path: path.into() });
    }
    match schema::version(&connection, path)? {
        0 => Err(Refusal::Missing { path: path.into() }),
        _ => Ok(connection),
    }
}

fn copy(
    from: &Connection,
    path: &Path,
    part: &Path,
    mut told: impl FnMut(u64, u64),
) -> Result<(), Refusal> {
    let unreadable = |error| Refusal::unreadable(path, &error);
    let unwritten = |error: &dyn core::fmt::Display| Refusal::io(part, error);
    let file = files::create(part).map_err(|error| unwritten(&error))?;
    let mut to = fresh(part).map_err(|error| unwritten(&error))?;
    // Held until the end: what is committed meanwhile neither shows nor makes the copy begin again.
    let snapshot = from.unchecked_transaction().map_err(unreadable)?;
    read::head(&snapshot).map_err(|fault| open::damaged(path, &fault))?;
    let backup = Backup::new(&snapshot, &mut to).map_err(unreadable)?;
    for step in 1.. {
        let went = backup.step(PAGES).map_err(|error| unwritten(&error))?;
        let progress = backup.progress();
        let total = u64::from(progress.pagecount.unsigned_abs());
        told(total - u64::from(progress.remaining.unsigned_abs()).min(total), total);
        match went {
            StepResult::Done => break,
            StepResult::More if step % SYNC_STEPS != 0 => {}
            StepResult::More => file.sync_data().map_err(|error| unwritten(&error))?,
            StepResult::Busy | StepResult::Locked | _ => {
                return Err(unwritten(&"the database is locked"));
            }
        }
    }
    Ok(())
}

/// A connection to a file that is of no use until it is whole, so nothing is done for its safety.
fn fresh(part: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let to = Connection::open_with_flags(part, flags)?;
    to.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(()))?;
    to.pragma_update(None, "synchronous", "OFF")?;
    Ok(to)
}

/// Writes down when the copy was made, and looks at what it has.
fn finish(part: &Path, at: Timestamp) -> Result<Copied, Refusal> {
    let connection = open::writer(part).map_err(|error| Refusal::io(part, &error))?;
    let copied = mark(&connection, at).map_err(|fault| Refusal::io(part, &fault))?;
    open::fold(connection).map_err(|error| Refusal::io(part, &error))?;
    files::sync(part).map_err(|error| Refusal::io(part, &error))?;
    let bytes = std::fs::metadata(part).map_err(|error| Refusal::io(part, &error))?.len();
    Ok(Copied { bytes, ..copied })
}

fn mark(connection: &Connection, at: Timestamp) -> Result<Copied, Fault> {
    let value = seal(at.as_millis().to_le_bytes().to_vec(), &[read::COPIED.as_bytes()]);
    let put = connection.execute(PUT_SINGLE, (read::COPIED, value));
    put.map_err(|error| fault(&error))?;
    describe(connection)
}

/// What a database has. Its size is known to the file system.
pub(super) fn describe(connection: &Connection) -> Result<Copied, Fault> {
    Ok(Copied {
        at: match read::copied_at(connection)? {
            Some(at) => at,
            None => read::latest(connection)?,
        },
        bytes: 0,
        sessions: read::alive(connection)?,
        epoch: write::epoch(connection)?,
        position: read::head(connection)?,
    })
}

/// Gives the copy its name. A link, unlike a rename, never takes the place of what came there meanwhile.
fn publish(part: &Path, to: &Path) -> Result<(), Refusal> {
    let io = |error: std::io::Error| Refusal::io(to, &error);
    match std::fs::hard_link(part, to) {
        Ok(()) => files::remove(part).map_err(io)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Refusal::Exists { path: to.into() });
        }
        // Not every file system has links.
        Err(_) => std::fs::rename(part, to).map_err(io)?,
    }
    files::sync_directory_of(to).map_err(io)
}
