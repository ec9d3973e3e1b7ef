//! Opening: who may, what is refused, and the settings of each connection.

use super::checkpoint::{self, Checkpointer};
use super::moves::Moves;
use super::queue::Queue;
use super::read::{self, Readers};
use super::write::Writer;
use super::{Inner, LISTS_MAX, Role, Shared, again, schema};
use crate::Refusal;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use symbolon_core::{Fault, SessionId};
use tokio::sync::Semaphore;

/// How long a connection waits for another process's commit, in milliseconds.
const BUSY_MS: u32 = 5000;

/// What the writer keeps of the database in memory, in KiB.
const WRITER_CACHE_KIB: i64 = 128 * 1024;

/// What each reader keeps; a commit by the writer empties it.
const READER_CACHE_KIB: i64 = 256;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

pub(super) fn open(path: &Path, role: Role) -> Result<Inner, Refusal> {
    let lock = lock(path)?;
    if lock.is_none() && role == Role::Serve {
        return Err(Refusal::InUse { path: path.into() });
    }
    examine(path)?;
    prepare(path, lock.is_some())?;
    let alone = lock.is_some();
    let lock = lock.filter(|_| role == Role::Serve);
    start(path, (role, alone), lock)
}

/// The lock that a serving process holds, if nobody else does.
pub(super) fn lock(path: &Path) -> Result<Option<File>, Refusal> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&beside);
    let file = file.map_err(|error| Refusal::io(&beside, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Refusal::io(&beside, &error)),
    }
}

/// Refuses, before the database engine touches it, what is no database.
pub(super) fn examine(path: &Path) -> Result<(), Refusal> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Refusal::io(path, &error)),
    };
    let length = file.metadata().map_err(|error| Refusal::io(path, &error))?.len();
    let mut start = [0; MAGIC.len() + size_of::<u16>()];
    let damaged = |what: &str| Err(Refusal::Damaged { path: path.into(), what: what.into() });
    match file.read_exact(&mut start) {
        Err(_) if length == 0 => return Ok(()),
        Ok(()) if start.starts_with(MAGIC) => {}
        Ok(()) | Err(_) => return damaged("its first bytes are not a database's"),
    }
    let page = u16::from_be_bytes([start[MAGIC.len()], start[MAGIC.len() + 1]]);
    // While a log lies beside it, a last page that is cut off may be in the log.
    let whole = length.is_multiple_of(u64::from(page).max(1)) || log_beside(path);
    if whole { Ok(()) } else { damaged("it ends within a page") }
}

fn log_beside(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(PathBuf::from(log)).is_ok_and(|log| 0 < log.len())
}

/// Checks whose file it is and of which version, and brings it to ours.
pub(super) fn prepare(path: &Path, alone: bool) -> Result<(), Refusal> {
    let unreadable = |error| Refusal::unreadable(path, &error);
    let mut connection = connect(path).map_err(unreadable)?;
    if !is_ours(&connection).map_err(unreadable)? {
        return Err(Refusal::Foreign { path: path.into() });
    }
    let found = schema::version(&connection, path)?;
    if schema::is_current(found) {
        return Ok(());
    }
    if !alone {
        return Err(Refusal::InUse { path: path.into() });
    }
    connection.pragma_update(None, "page_size", schema::PAGE_BYTES).map_err(unreadable)?;
    write_ahead(&connection).map_err(unreadable)?;
    schema::migrate(&mut connection, path)
}

pub(super) fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(id == schema::APPLICATION_ID || (id == 0 && tables == 0))
}

fn start(path: &Path, (role, alone): (Role, bool), lock: Option<File>) -> Result<Inner, Refusal> {
    let unreadable = |error| Refusal::unreadable(path, &error);
    let mut connection = writer(path).map_err(unreadable)?;
    let damaged = |fault: Fault| damaged(path, &fault);
    let ends = match role {
        Role::Serve => {
            checkpoint::settle(&connection).map_err(|fault| Refusal::io(path, &fault))?;
            Some(again::reconcile(&mut connection, path)?)
        }
        Role::Operate => None,
    };
    probe(&connection).map_err(damaged)?;
    let latest = read::latest(&connection).map_err(damaged)?;
    let cutoffs = read::cutoffs(&connection).map_err(damaged)?;
    let (queue, checkpointer) = (Arc::new(Queue::default()), Arc::new(Checkpointer::default()));
    let head = read::head(&connection).map_err(damaged)?;
    let shared = Arc::new(Shared::new(cutoffs, latest, head));
    shared.imported.store(read::any_imported(&connection).map_err(damaged)?, Ordering::Release);
    let writer = Writer {
        path: path.into(),
        head,
        connection,
        queue: Arc::clone(&queue),
        shared: Arc::clone(&shared),
        checkpointer: Arc::clone(&checkpointer),
        ends,
        latest_stored: latest.as_millis(),
        moves: Moves::default(),
        // Whoever writes first after a crash settles what it left; a server has done so by now.
        suspect: alone && role == Role::Operate,
    };
    let threads = spawn(path, writer, checkpointer).map_err(|error| Refusal::io(path, &error))?;
    let readers = Arc::new(Readers::new(path.into()));
    let lists = Semaphore::new(LISTS_MAX);
    let ends = (path.to_owned(), super::examine::ends_file(path));
    Ok(Inner { role, readers, queue, shared, lists, threads, ends, _lock: lock })
}

pub(super) fn damaged(path: &Path, fault: &Fault) -> Refusal {
    Refusal::Damaged { path: path.into(), what: fault.to_string() }
}

/// Reads one row at each end, so that a file that is damaged through and through is refused at once.
fn probe(connection: &Connection) -> Result<(), Fault> {
    read::sessions(connection, (&[], SessionId::from_bytes([0xFF; 16])), 1)?;
    let head = read::head(connection)?;
    read::events_after(connection, head.saturating_sub(1), 1).map(|_| ())
}

fn spawn(
    path: &Path,
    writer: Writer,
    checkpointer: Arc<Checkpointer>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let path = path.to_owned();
    let other = Arc::clone(&checkpointer);
    let beside = std::thread::Builder::new()
        .name("store-checkpoint".into())
        .spawn(move || other.run(&path))?;
    let first = std::thread::Builder::new().name("store-writer".into()).spawn(move || {
        writer.run();
        checkpointer.close();
    })?;
    Ok(vec![first, beside])
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(core::time::Duration::from_millis(BUSY_MS.into()))?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Else a statement is planned anew whenever its parameters change: a fifth of a reader's time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

pub(super) fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
}

/// The connection that commits: each commit is on the disk before it returns.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    Ok(connection)
}

/// Closes a connection so that all it wrote is in the one file.
pub(super) fn fold(connection: Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}

/// A connection that writes the log back.
pub(super) fn checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}
