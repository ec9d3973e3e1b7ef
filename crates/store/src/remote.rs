//! A store on a server of its own, which many processes share: what is the same whichever engine it is.
//!
//! An [`Engine`] loads, compares and sets; here decisions are asked for, again when another came first, lists
//! are walked in bounded steps, and what the engine said last is kept for those who may not wait.

mod copy;
mod decide;
mod import;
mod list;
mod shared;

pub(crate) use shared::Shared;

use crate::change::{self, EventWrite};
use crate::codec::{self, seal};
use crate::copy::{self as copied, Part};
use crate::latency::Waits;
use crate::{EVENTS_MAX, Kind, OldToken, Record, Retention, Rows, short};
use std::sync::Arc;
use std::time::Instant;
use symbolon_core::{
    Cutoffs, Digest, Event, Fault, Loaded, Session, SessionId, Shard, Subject, SubjectState,
    Timestamp,
};
use tokio::sync::watch;

/// A change, and what it was decided on.
pub(crate) type Change = change::Change<Seen>;

/// What a decision was made on: it is committed only if all of this still holds.
#[derive(Clone)]
pub(crate) struct Seen {
    /// The cut-offs, and which they are.
    pub(crate) cutoffs: Arc<Cutoffs>,
    pub(crate) cutoffs_version: u64,
    /// The subject that it concerns; `None`: none.
    pub(crate) about: Option<About>,
}

/// A subject, where it lives, and how often it had moved: each of its sign-ins and each write of its state is
/// a move.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) subject: Subject,
    pub(crate) shard: Shard,
    pub(crate) moves: u64,
}

/// A session as it was at one instant, with all that a rule looks at.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) session: Session,
    pub(crate) version: u64,
    pub(crate) subject: SubjectState,
    /// How often the subject had moved.
    pub(crate) moves: u64,
    pub(crate) cutoffs: Arc<Cutoffs>,
    pub(crate) cutoffs_version: u64,
}

/// A subject as it was at one instant, with those of its rows that were asked for, by name, each with its
/// version.
pub(crate) struct StoredSubject {
    pub(crate) state: SubjectState,
    pub(crate) moves: u64,
    pub(crate) rows: Vec<(Session, u64)>,
    pub(crate) cutoffs: Arc<Cutoffs>,
    pub(crate) cutoffs_version: u64,
}

/// What became of a change.
pub(crate) enum Outcome {
    /// It is durable, and this is a head of the feed that covers it.
    Committed(u64),
    /// Another came first and nothing was written; the session that a step was about as it is now, where the
    /// engine gave it with its answer.
    Raced(Option<Box<Stored>>),
}

/// One of another system's sessions: written if there is none of this name.
pub(crate) struct Arriving {
    pub(crate) sid: SessionId,
    pub(crate) about: About,
    pub(crate) row: Vec<u8>,
    /// The row of its subject, if that was unknown.
    pub(crate) known: Option<Vec<u8>>,
    pub(crate) at: Timestamp,
}

/// What sessions of another system are decided on: for each, its subject's state and moves and whether its old
/// token is known.
pub(crate) struct Awaited {
    pub(crate) of_each: Vec<(SubjectState, u64, bool)>,
    pub(crate) cutoffs: Arc<Cutoffs>,
    pub(crate) cutoffs_version: u64,
}

/// One use of something that has only one.
pub(crate) struct Spend<'a> {
    pub(crate) digest: [u8; 32],
    pub(crate) value: &'a [u8],
    pub(crate) until: Timestamp,
    pub(crate) at: Timestamp,
}

/// What an engine must do. Each call is one round trip or a few, is answered within a bound of the engine's
/// own, and says [`Fault::Store`] when it could not: after a failed commit it is not known whether it was made.
pub(crate) trait Engine: Send + Sync + 'static {
    /// A session with its subject and the cut-offs.
    fn session(&self, sid: SessionId)
    -> impl Future<Output = Result<Option<Stored>, Fault>> + Send;

    /// A subject and those of its rows that are asked for.
    fn of_subject(
        &self,
        subject: &Subject,
        shard: Shard,
        which: Rows,
    ) -> impl Future<Output = Result<StoredSubject, Fault>> + Send;

    /// The cut-offs, and which they are.
    fn cutoffs(&self) -> impl Future<Output = Result<(Arc<Cutoffs>, u64), Fault>> + Send;

    /// Commits a change that is not empty, if all that it was decided on still holds.
    fn commit(&self, change: Change) -> impl Future<Output = Result<Outcome, Fault>> + Send;

    /// A head of the feed that covers every event that was committed about sessions of this shard, or about
    /// what is above all subjects, before it was asked for.
    fn head(&self, shard: Option<Shard>) -> impl Future<Output = Result<u64, Fault>> + Send;

    /// At most `limit` sessions after `after`, which may be the beginning of a name, up to and with `last`, in
    /// the order of their names.
    fn sessions(
        &self,
        after: &[u8],
        last: SessionId,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Stored>, Fault>> + Send;

    /// At most `limit` events after a position, oldest first, without gaps.
    fn events_after(
        &self,
        position: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(u64, Event)>, Fault>> + Send;

    /// Those of the `count` events after a position that are still needed at `at`.
    fn needed(
        &self,
        after: u64,
        count: u64,
        at: Timestamp,
    ) -> impl Future<Output = Result<Vec<(u64, Event)>, Fault>> + Send;

    /// Where the events after `end` begin: before the next one that there is, if an engine leaves positions out, and
    /// beyond every head if there is none.
    fn skip(&self, end: u64) -> impl Future<Output = Result<u64, Fault>> + Send {
        async move { Ok(end) }
    }

    /// How much it is known to have lost after it was acknowledged.
    fn lost(&self) -> u64 {
        0
    }

    /// Commits several changes, each for itself, and says which were made.
    fn commit_each(
        &self,
        changes: Vec<Change>,
    ) -> impl Future<Output = Result<Vec<bool>, Fault>> + Send;

    /// Old events, spent things and old tokens leave, a bounded number of each; how many did. `now`: what was to
    /// be kept until before it is not needed.
    fn forget(
        &self,
        keep: Retention,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<usize, Fault>> + Send;

    /// Spends what can be spent once; else what the first use kept.
    fn spend(
        &self,
        spend: Spend<'_>,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, Fault>> + Send;

    /// A small record.
    fn record(
        &self,
        kind: Kind,
        name: &str,
    ) -> impl Future<Output = Result<Option<Record>, Fault>> + Send;

    /// All records of a kind, by name.
    fn records(&self, kind: Kind) -> impl Future<Output = Result<Vec<Record>, Fault>> + Send;

    /// Writes a record if it is still at `expected`; `value` is short enough.
    fn put_record(
        &self,
        kind: Kind,
        name: &str,
        value: &[u8],
        expected: Option<u64>,
    ) -> impl Future<Output = Result<bool, Fault>> + Send;

    /// What the decisions on these sessions of another system look at: one of each, in the same order.
    fn awaited(
        &self,
        of: &[(Subject, Shard, Digest)],
    ) -> impl Future<Output = Result<Awaited, Fault>> + Send;

    /// Writes those of them that are new, if cut-offs and subjects still are as they were seen; which ones were
    /// new. `None`: another came first, and the whole chunk is to be decided on again: what of it was written
    /// already will not be new then.
    fn arrive(
        &self,
        cutoffs_version: u64,
        rows: Vec<Arriving>,
    ) -> impl Future<Output = Result<Option<Vec<bool>>, Fault>> + Send;

    /// Makes old tokens known; one that is known stays what it was.
    fn know(&self, tokens: &[OldToken]) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Some subjects, spent things or old tokens after those that were given already, in whatever order: each
    /// that was there before the first call and still is when it is reached.
    fn listed(
        &self,
        part: Part,
        after: Option<&[u8]>,
    ) -> impl Future<Output = Result<copied::Rows, Fault>> + Send;

    /// The session that an old token belongs to.
    fn imported(
        &self,
        digest: &Digest,
    ) -> impl Future<Output = Result<Option<SessionId>, Fault>> + Send;
}

/// A store on a server of its own. Clones share it; the last one that is dropped closes it.
pub(crate) struct Remote<E>(Arc<Inner<E>>);

struct Inner<E> {
    engine: Arc<E>,
    shared: Arc<Shared>,
    /// Ends with the last clone: what follows the engine in the background watches the other end.
    _open: watch::Sender<()>,
}

impl<E> Clone for Remote<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: Engine> Remote<E> {
    /// Puts an engine and what is known of it together. Whatever follows the engine in the background ends when
    /// the sender of `open` is gone.
    pub(crate) fn new(engine: Arc<E>, shared: Arc<Shared>, open: watch::Sender<()>) -> Self {
        Self(Arc::new(Inner { engine, shared, _open: open }))
    }

    pub(crate) fn engine(&self) -> &E {
        &self.0.engine
    }

    pub(crate) fn ends_log_in_place(&self) -> bool {
        // There is none: what an engine kept, it keeps.
        true
    }

    pub(crate) fn cutoffs(&self) -> Arc<Cutoffs> {
        self.0.shared.cutoffs()
    }

    pub(crate) fn latest_instant(&self) -> Timestamp {
        self.0.shared.latest()
    }

    pub(crate) fn head(&self) -> u64 {
        self.0.shared.head()
    }

    pub(crate) fn head_asked(&self) -> Option<Instant> {
        Some(self.0.shared.asked())
    }

    pub(crate) fn asks(&self) -> Option<watch::Receiver<Instant>> {
        Some(self.0.shared.asks())
    }

    pub(crate) fn heads(&self) -> watch::Receiver<u64> {
        self.0.shared.heads()
    }

    pub(crate) fn waits(&self) -> Waits {
        self.0.shared.waits()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.shared.waiting()
    }

    pub(crate) fn lost(&self) -> u64 {
        self.engine().lost()
    }

    pub(crate) fn takes_writes(&self) -> bool {
        self.0.shared.takes_writes()
    }

    pub(crate) fn refusing_since(&self) -> Option<Instant> {
        self.0.shared.refusing_since()
    }

    pub(crate) async fn session(&self, sid: SessionId) -> Result<Option<Loaded>, Fault> {
        Ok(self.engine().session(sid).await?.map(Stored::into_loaded))
    }

    pub(crate) async fn events_after(
        &self,
        position: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Fault> {
        self.engine().events_after(position, limit.min(EVENTS_MAX)).await
    }

    pub(crate) async fn spend(
        &self,
        digest: [u8; 32],
        value: &[u8],
        until: Timestamp,
        at: Timestamp,
    ) -> Result<Option<Vec<u8>>, Fault> {
        short(value)?;
        let spending = self.engine().spend(Spend { digest, value, until, at });
        self.0.shared.writing(spending).await
    }

    pub(crate) async fn record(&self, kind: Kind, name: &str) -> Result<Option<Record>, Fault> {
        self.engine().record(kind, name).await
    }

    pub(crate) async fn records(&self, kind: Kind) -> Result<Vec<Record>, Fault> {
        self.engine().records(kind).await
    }

    pub(crate) async fn put_record(
        &self,
        kind: Kind,
        name: &str,
        value: &[u8],
        expected: Option<u64>,
    ) -> Result<bool, Fault> {
        short(value)?;
        let putting = self.engine().put_record(kind, name, value, expected);
        self.0.shared.writing(putting).await
    }
}

impl Stored {
    pub(crate) fn into_loaded(self) -> Loaded {
        Loaded { session: self.session, subject: self.subject, cutoffs: self.cutoffs }
    }

    fn seen(&self) -> Seen {
        let about = About {
            subject: self.session.subject.clone(),
            shard: self.session.sid.shard(),
            moves: self.moves,
        };
        Seen {
            cutoffs: Arc::clone(&self.cutoffs),
            cutoffs_version: self.cutoffs_version,
            about: Some(about),
        }
    }
}

impl EventWrite {
    /// Its bytes, sealed without its place, which the engine gives it.
    pub(crate) fn sealed(&self) -> Vec<u8> {
        seal(self.body.clone(), &[&0_u64.to_le_bytes()])
    }
}

/// An event from the bytes that [`EventWrite::sealed`] made.
pub(crate) fn event(sealed: &[u8]) -> Result<Event, Fault> {
    Ok(codec::event::decode(0, sealed)?)
}
