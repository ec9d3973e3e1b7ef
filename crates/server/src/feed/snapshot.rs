//! Snapshots: built once for all who ask at about the same time.

use super::entries::is_needed;
use super::{Feed, Refused};
use crate::app::App;
use crate::clock::monotonic;
use axum::body::Bytes;
use std::sync::Arc;
use symbolon_core::{Duration, Fault};
use symbolon_wire::feed::{Checkpoint, Cursor, write_snapshot};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

/// How many snapshots may be in memory at once, those still being sent included. Inclusive; each is shared by
/// any number of readers.
pub const SNAPSHOTS_MAX: usize = 8;

/// How long a snapshot is given to who comes later, while nothing more is revoked. Exclusive.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// The newest snapshot, and how many more there may be.
pub(super) struct Snapshots {
    newest: Mutex<Option<Newest>>,
    room: Arc<Semaphore>,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { newest: Mutex::default(), room: Arc::new(Semaphore::new(SNAPSHOTS_MAX)) }
    }
}

/// A snapshot, where it stands, and when it was begun.
struct Newest {
    bytes: Bytes,
    cursor: Cursor,
    begun: Duration,
}

/// A snapshot that gives its room back when its last reader is done.
struct Kept {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Feed {
    /// Everything that a mirror must know now.
    ///
    /// # Errors
    /// The feed is not ready or too many snapshots are under way; the clocks disagree, or it could not be
    /// signed.
    pub async fn snapshot(&self, app: &Arc<App>) -> Result<Result<Bytes, Refused>, Fault> {
        let came = monotonic();
        let mut newest = self.snapshots.newest.lock().await;
        // Who waited while one was written takes it if it was begun later: a crowd needs two at most.
        let is_new = |own: &&Newest| {
            let age = monotonic().saturating_sub(own.begun);
            came < own.begun || (age < SHARED_FOR && self.head() == Some(own.cursor))
        };
        if let Some(own) = newest.as_ref().filter(is_new).filter(|_| self.is_ready()) {
            return Ok(Ok(own.bytes.clone()));
        }
        *newest = None;
        let Ok(room) = Arc::clone(&self.snapshots.room).try_acquire_owned() else {
            return Ok(Err(Refused::Crowded));
        };
        if !self.is_ready() {
            return Ok(Err(Refused::NotReady));
        }
        let (app, begun) = (Arc::clone(app), monotonic());
        let built = spawn_blocking(move || build(&app, room)).await;
        let built = built.map_err(|_| Fault::Store("a snapshot could not be written".into()))?;
        let (bytes, cursor) = built?;
        *newest = Some(Newest { bytes: bytes.clone(), cursor, begun });
        Ok(Ok(bytes))
    }

    /// Whether more is revoked than anybody can be told.
    pub(super) fn is_overfull(&self) -> bool {
        self.state().entries.is_overfull()
    }

    pub(super) fn head(&self) -> Option<Cursor> {
        self.state().log.as_ref().map(super::Log::head)
    }

    fn is_ready(&self) -> bool {
        let state = self.state();
        state.log.is_some() && state.readable && !state.entries.is_overfull()
    }
}

fn build(app: &App, room: OwnedSemaphorePermit) -> Result<(Bytes, Cursor), Fault> {
    let unsigned = || Fault::Store("a snapshot could not be signed".into());
    let (chunks, cursor, read_at) = {
        let state = app.feed.state();
        let log = state.log.as_ref().ok_or_else(unsigned)?;
        (state.entries.share(), log.head(), log.read_at())
    };
    // A clock that was set back a little does not make it signed before it was read.
    let now = app.now()?.max(read_at);
    let records = chunks.iter().flat_map(|chunk| chunk.iter());
    let records: Vec<_> = records.filter(|record| is_needed(record, now)).copied().collect();
    let iss = app.config.issuer.to_string();
    let sign = |digest| {
        let (nonce, snapshot) = (None, Some(digest));
        app.keys.sign_checkpoint(&Checkpoint { iss, cursor, read_at, now, nonce, snapshot })
    };
    let bytes = write_snapshot(&cursor, &app.keys.targets, &records, sign);
    let bytes = bytes.map_err(|_| unsigned())?;
    Ok((Bytes::from_owner(Kept { bytes, _room: room }), cursor))
}
