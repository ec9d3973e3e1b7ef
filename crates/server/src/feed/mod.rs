//! The authority's side of the feed (docs/DESIGN.md §4.4): one task reads the store's events, and everybody
//! who follows is sent the same bytes.
//!
//! `wire::feed` knows the layouts. A reader costs its place in `log` and nothing else, so a slow one delays
//! nobody: it falls out of what is kept, is told so, and begins again with a snapshot.

mod awaited;
mod entries;
mod figures;
mod follow;
mod log;
mod own;
mod reading;
mod registered;
mod relayed;
mod snapshot;
mod tail;
#[cfg(test)]
mod tests;
mod verifiers;
mod wait;

pub use entries::{Entries, Record, is_needed};
pub use figures::Figures;
pub(crate) use follow::unfolded;
pub use follow::{Follower, Poll};
pub use log::{FRAMES_MAX, Log, Next, Part, Place, Sent, base};
pub use own::{Own, run as run_own};
pub use reading::{Answered, Reading, Stopped};
pub(crate) use relayed::RelayedPart;
pub use snapshot::SNAPSHOTS_MAX;
pub use tail::{TICK, run};
pub use verifiers::{BOUND_MAX, Name, Report, Row, VERIFIERS_MAX, Verifiers};
pub use wait::{Heard, WAIT_MAX, until_applied};

use crate::app::App;
use crate::clock::instant;
use awaited::Awaited;
use snapshot::Snapshots;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use symbolon_core::{Duration, Fault, StoreEpoch, Timestamp};
use symbolon_store::Store;
use symbolon_wire::feed::{Cursor, Frame};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

/// How many may follow at once, those who wait for a part included. Inclusive.
pub const FOLLOWERS_MAX: usize = 2048;

/// How long whoever asks for a part or a snapshot waits until the feed has all that was committed before. Inclusive.
pub const CATCH_UP_MAX: Duration = Duration::from_secs(1);

/// Why the feed is not given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// It is not read up to the store's head, or the store could not be read just now.
    NotReady,
    /// Too many follow, or too many snapshots are under way.
    Crowded,
    /// The cursor is too old, of another epoch, or of no feed of ours.
    Gone,
}

/// The feed of this process.
pub struct Feed {
    state: RwLock<State>,
    /// Counts up whenever there is something for those who follow.
    moved: watch::Sender<u64>,
    /// The signing keys changed.
    turned: Notify,
    followers: Arc<Semaphore>,
    dropped: AtomicU64,
    snapshots: Snapshots,
    /// Who reports what they applied.
    pub verifiers: Verifiers,
    /// Whether somebody at any node waits for reports.
    awaited: Awaited,
    /// What this process knows of the feed as a verifier does.
    pub own: Own,
}

#[derive(Default)]
struct State {
    /// `None` until it is read up to the store's head.
    log: Option<Log>,
    entries: Entries,
    /// The store could be read when it was asked last.
    readable: bool,
    /// When the newest checkpoint was signed.
    signed_at: Option<Timestamp>,
    closing: bool,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            state: RwLock::default(),
            moved: watch::Sender::new(0),
            turned: Notify::new(),
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
            dropped: AtomicU64::new(0),
            snapshots: Snapshots::default(),
            verifiers: Verifiers::default(),
            awaited: Awaited::default(),
            own: Own::default(),
        }
    }
}

impl Feed {
    /// Says that the signing keys changed: who follows is told at once.
    pub fn keys_turned(&self) {
        self.turned.notify_one();
    }

    /// Whether a cursor names a place in this feed. One that is too old to tell is let pass.
    ///
    /// # Errors
    /// It is of another epoch or of no feed of ours; the feed is not ready.
    pub fn check(&self, cursor: Cursor) -> Result<(), Refused> {
        let state = self.state();
        let log = state.log.as_ref().ok_or(Refused::NotReady)?;
        let head = log.head();
        let possible = cursor.epoch == head.epoch && cursor.position <= head.position;
        let known = log.place(Some(cursor)).is_some() || log.is_before(&cursor);
        if possible && known { Ok(()) } else { Err(Refused::Gone) }
    }

    /// Waits until all that is committed now is ready to be sent: whoever asks after an answer finds in the feed
    /// what was answered.
    ///
    /// # Errors
    /// It is not within [`CATCH_UP_MAX`].
    pub async fn caught_up(&self, store: &Store) -> Result<(), Refused> {
        let mut moved = self.moved.subscribe();
        let wanted = (store.cutoffs().epoch, *store.heads().borrow());
        let waiting = async { while !self.has_reached(wanted) && moved.changed().await.is_ok() {} };
        timeout(CATCH_UP_MAX, waiting).await.map_err(|_| Refused::NotReady)
    }

    /// Waits until a place that another node gave out is read here too: that of a verifier that comes from there. It is
    /// looked for once the store was asked for its head since, and then it is there or is none.
    ///
    /// # Errors
    /// The store could not be asked within [`CATCH_UP_MAX`], or what it has not be read.
    pub async fn reach(&self, store: &Store, cursor: Cursor) -> Result<(), Refused> {
        let Some(mut asks) = store.asks().filter(|_| self.is_before(cursor)) else { return Ok(()) };
        let came = instant();
        let asked =
            async { while *asks.borrow_and_update() < came && asks.changed().await.is_ok() {} };
        timeout(CATCH_UP_MAX, asked).await.map_err(|_| Refused::NotReady)?;
        self.caught_up(store).await
    }

    /// Says to all nodes that somebody is going to wait for verifiers; to be said before what they are to apply is
    /// committed.
    ///
    /// # Errors
    /// The store could not be read or written.
    pub async fn say_waits(&self, app: &App, wait: Option<Duration>) -> Result<(), Fault> {
        match wait.filter(|_| app.nodes.are_shared()) {
            Some(wait) => self.awaited.say(&app.store, app.now()?, wait).await,
            None => Ok(()),
        }
    }

    /// Whether a place is behind all that was read.
    fn is_before(&self, cursor: Cursor) -> bool {
        self.head()
            .is_some_and(|head| (head.epoch, head.position) < (cursor.epoch, cursor.position))
    }

    /// Asks whoever verifies to say at once what they applied.
    fn ask_for_reports(&self) {
        if let Some(log) = &mut self.state_mut().log {
            log.hint(Frame::Report.to_text().into());
        }
        self.wake();
    }

    /// Whether all up to a position is ready to be sent.
    fn has_reached(&self, (epoch, position): (StoreEpoch, u64)) -> bool {
        self.head().is_some_and(|head| head.epoch == epoch && position <= head.position)
    }

    /// The place of a new reader, who is counted as long as the permit is held.
    fn enter(&self, cursor: Option<Cursor>) -> Result<(Place, OwnedSemaphorePermit), Refused> {
        let state = self.state();
        let log = state.log.as_ref().filter(|_| !state.closing).ok_or(Refused::NotReady)?;
        let place = log.place(cursor).ok_or(Refused::Gone)?;
        let permit = Arc::clone(&self.followers).try_acquire_owned();
        Ok((place, permit.map_err(|_| Refused::Crowded)?))
    }

    /// For who follows something else of the store's: what tells that there is more, and a place among those
    /// who follow. The process stops once [`Self::is_closing`] says so.
    ///
    /// # Errors
    /// Too many follow.
    pub fn watch(&self) -> Result<(watch::Receiver<u64>, OwnedSemaphorePermit), Refused> {
        let permit = Arc::clone(&self.followers).try_acquire_owned();
        Ok((self.moved.subscribe(), permit.map_err(|_| Refused::Crowded)?))
    }

    /// What tells, about once a second and whenever the feed has more, that it is time to look; it takes no place.
    pub fn moves(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// Whether whoever follows is to go.
    pub fn is_closing(&self) -> bool {
        self.state().closing
    }

    /// What comes next for a reader; `None`: the process stops.
    fn next(&self, place: &mut Place) -> Option<Next> {
        let state = self.state();
        let next = state.log.as_ref().map_or(Next::Gone, |log| log.next(place));
        match next {
            Next::Gone => self.dropped.fetch_add(1, Ordering::Relaxed),
            Next::Frame(_) | Next::Nothing => 0,
        };
        (!state.closing).then_some(next)
    }

    /// Tells everybody to go, now and from now on.
    fn close(&self) {
        self.state_mut().closing = true;
        self.wake();
    }

    fn wake(&self) {
        self.moved.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
