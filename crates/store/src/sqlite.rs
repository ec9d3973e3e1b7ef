//! The store in one SQLite file: one writer that groups what waits into one durable commit, readers
//! beside it, and an ends log.

mod again;
mod backup;
mod catch_up;
mod change;
mod checkpoint;
mod compact;
mod copy;
mod ends;
mod examine;
mod files;
mod import;
mod list;
mod moves;
mod open;
mod queue;
mod read;
mod restore;
mod schema;
mod step;
#[cfg(test)]
mod tests;
mod write;

pub use again::Replayed;
pub use backup::{Copied, backup};
pub use restore::{Restore, Restored, Source, restore};

use crate::latency::{Latency, Waits};
use crate::{Kind, Record, Refusal, short};
use change::{Change, Done, Put, Seen, Spend, Task, Work};
pub use examine::{EndsState, Examined};
use queue::Queue;
use read::Readers;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;
use symbolon_core::{Cutoffs, Fault, Loaded, SessionId, Subject, Timestamp};
use tokio::sync::{Semaphore, oneshot, watch};

/// How many lists are read at once. Inclusive; more wait.
const LISTS_MAX: usize = 2;

/// What a process opens the store for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// To serve: everything, and nobody else may meanwhile.
    Serve,
    /// To operate, from a command line: records alone, also while another process serves.
    Operate,
}

/// The store in one SQLite file. Clones share it; the last one that is dropped closes it.
#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

struct Inner {
    role: Role,
    readers: Arc<Readers>,
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    lists: Semaphore,
    threads: Vec<JoinHandle<()>>,
    /// The database, and which file was its ends log when it was opened.
    ends: (PathBuf, Option<(u64, u64)>),
    /// Held for life.
    _lock: Option<File>,
}

/// What the writer publishes after each commit.
struct Shared {
    cutoffs: RwLock<(Arc<Cutoffs>, u64)>,
    moves: AtomicU64,
    /// The position of the newest durable event.
    head: watch::Sender<u64>,
    latest: AtomicU64,
    commits: AtomicU64,
    latency: Latency,
    /// The last commit failed.
    failing: AtomicBool,
    /// The ends log lacks something that was committed.
    ends_behind: AtomicBool,
    /// Whether a token of another system may be known: only then is one ever looked for.
    imported: AtomicBool,
    hasher: std::hash::RandomState,
}

impl Shared {
    fn new(cutoffs: Cutoffs, latest: Timestamp, head: u64) -> Self {
        Self {
            cutoffs: RwLock::new((Arc::new(cutoffs), 0)),
            moves: AtomicU64::new(0),
            head: watch::Sender::new(head),
            latest: AtomicU64::new(latest.as_millis()),
            commits: AtomicU64::new(0),
            latency: Latency::default(),
            failing: AtomicBool::new(false),
            ends_behind: AtomicBool::new(false),
            imported: AtomicBool::new(false),
            hasher: std::hash::RandomState::new(),
        }
    }

    /// What is in force. To be asked *before* a snapshot is read: what it lacks of the snapshot makes
    /// a decision be made again, never pass unseen.
    fn seen(&self) -> Seen {
        let moves = self.moves.load(Ordering::Acquire);
        let (cutoffs, cutoffs_version) =
            self.cutoffs.read().unwrap_or_else(PoisonError::into_inner).clone();
        Seen { cutoffs, cutoffs_version, moves, subject: None }
    }

    /// Wakes who follows the events, if there are new ones.
    fn tell_head(&self, head: u64) {
        self.head.send_if_modified(|told| std::mem::replace(told, head) != head);
    }

    fn hash(&self, subject: &Subject) -> u64 {
        std::hash::BuildHasher::hash_one(&self.hasher, subject)
    }
}

impl Sqlite {
    /// Opens, or creates, the store at `path`.
    ///
    /// # Errors
    /// The file is newer, damaged, foreign, in use, or cannot be read.
    pub fn open(path: &Path, role: Role) -> Result<Self, Refusal> {
        open::open(path, role).map(|inner| Self(Arc::new(inner)))
    }

    /// Looks at every row, page and record, also while another process serves. Changes nothing.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub fn examine(path: &Path) -> Result<Examined, Refusal> {
        examine::examine(path)
    }

    /// Looks at the ends log alone, also while another process serves. Changes nothing.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn ends_log(path: &Path) -> Result<EndsState, Refusal> {
        examine::ends_log(path)
    }

    pub(crate) fn ends_log_in_place(&self) -> bool {
        let (path, opened) = &self.0.ends;
        examine::ends_file(path) == *opened
    }

    pub(crate) async fn session(&self, sid: SessionId) -> Result<Option<Loaded>, Fault> {
        self.serving()?;
        let cutoffs = self.0.shared.seen().cutoffs;
        let stored = self.0.readers.with(|connection| read::session(connection, sid))?;
        Ok(stored.map(|stored| stored.under(&cutoffs)))
    }

    pub(crate) fn cutoffs(&self) -> Arc<Cutoffs> {
        self.0.shared.seen().cutoffs
    }

    pub(crate) fn latest_instant(&self) -> Timestamp {
        Timestamp::from_millis(self.0.shared.latest.load(Ordering::Acquire))
    }

    /// How many commits the writer made since the store was opened; each served all who waited.
    pub fn commits(&self) -> u64 {
        self.0.shared.commits.load(Ordering::Relaxed)
    }

    pub(crate) fn head(&self) -> u64 {
        *self.0.shared.head.borrow()
    }

    pub(crate) fn head_asked(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn asks(&self) -> Option<watch::Receiver<Instant>> {
        None
    }

    pub(crate) fn heads(&self) -> watch::Receiver<u64> {
        self.0.shared.head.subscribe()
    }

    pub(crate) fn waits(&self) -> Waits {
        self.0.shared.latency.waits()
    }

    pub(crate) fn lost(&self) -> u64 {
        // Whatever was answered is on disk.
        0
    }

    pub(crate) fn takes_writes(&self) -> bool {
        let Shared { failing, ends_behind, .. } = &*self.0.shared;
        !failing.load(Ordering::Acquire) && !ends_behind.load(Ordering::Acquire)
    }

    pub(crate) fn refusing_since(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.queue.waiting()
    }

    pub(crate) async fn spend(
        &self,
        digest: [u8; 32],
        value: &[u8],
        until: Timestamp,
        at: Timestamp,
    ) -> Result<Option<Vec<u8>>, Fault> {
        self.serving()?;
        short(value)?;
        let earlier = self.0.readers.with(|connection| read::spent(connection, &digest, at))?;
        if earlier.is_some() {
            return Ok(earlier);
        }
        let spend = Spend { digest, value: value.to_vec(), until, at };
        Ok(self.submit(Task::Spend(spend)).await?.earlier)
    }

    pub(crate) async fn record(&self, kind: Kind, name: &str) -> Result<Option<Record>, Fault> {
        self.0.readers.with(|connection| read::record(connection, kind, name))
    }

    pub(crate) async fn records(&self, kind: Kind) -> Result<Vec<Record>, Fault> {
        self.0.readers.with(|connection| read::records(connection, kind))
    }

    pub(crate) async fn put_record(
        &self,
        kind: Kind,
        name: &str,
        value: &[u8],
        expected: Option<u64>,
    ) -> Result<bool, Fault> {
        short(value)?;
        let put = Put { kind, name: name.into(), value: value.to_vec(), expected };
        Ok(self.submit(Task::Put(put)).await?.applied)
    }

    /// Hands work to the writer and waits until it is durable.
    async fn submit(&self, task: Task) -> Result<Done, Fault> {
        let (reply, done) = oneshot::channel();
        self.0.queue.push([Work { task, reply }].into_iter())?;
        self.0.shared.latency.of(answered(done)).await
    }

    /// Hands several changes to the writer at once, so that they share a commit.
    async fn submit_all(&self, changes: Vec<Change>) -> Result<Vec<Done>, Fault> {
        let with_reply = |change| {
            let (reply, done) = oneshot::channel();
            (Work { task: Task::Change(Box::new(change)), reply }, done)
        };
        let (work, waiting): (Vec<_>, Vec<_>) = changes.into_iter().map(with_reply).unzip();
        self.0.queue.push(work.into_iter())?;
        let mut all = Vec::with_capacity(waiting.len());
        for done in waiting {
            all.push(answered(done).await?);
        }
        Ok(all)
    }

    fn serving(&self) -> Result<(), Fault> {
        match self.0.role {
            Role::Serve => Ok(()),
            Role::Operate => {
                Err(Fault::Store("this process opened the store for its records alone".into()))
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

impl read::Stored {
    fn under(self, cutoffs: &Arc<Cutoffs>) -> Loaded {
        Loaded { session: self.session, subject: self.subject, cutoffs: Arc::clone(cutoffs) }
    }
}

async fn answered(done: oneshot::Receiver<Result<Done, Fault>>) -> Result<Done, Fault> {
    done.await.unwrap_or_else(|_| Err(Fault::Store("the store's writer is gone".into())))
}

/// What the database said, which never repeats a value that it was given.
fn fault(error: &rusqlite::Error) -> Fault {
    Fault::Store(error.to_string())
}

/// A lock, also after a panic elsewhere: what we guard is consistent between any two statements.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
