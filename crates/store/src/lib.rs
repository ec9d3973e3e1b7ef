//! Where sessions live.
//!
//! A store decides nothing: it loads what a rule looks at, asks the rule on the caller's task, and
//! commits what the rule decided if nothing that it looked at has changed since; else it asks again.
//! Sessions and the events about them are committed together, the order of commits is the order of the
//! feed, and an answer leaves only after its commit is durable.
//!
//! [`Store`] has the verbs, documented once for every kind of store; `conformance` (feature of the same
//! name) tests them once.

mod change;
mod codec;
pub mod copy;
mod crc;
mod import;
pub mod latency;
pub mod postgres;
pub mod redis;
mod refusal;
mod remote;
pub mod sqlite;
mod walk;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

pub use self::redis::Redis;
pub use import::{Brought, IMPORT_MAX, Incoming, OldToken};
pub use latency::Waits;
pub use postgres::Postgres;
pub use refusal::Refusal;
pub use sqlite::{EndsState, Examined, Role, Sqlite};

use copy::{Copying, EventsThere, Part, Row};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use symbolon_core::{
    Cutoffs, Decision, Denial, Digest, Event, Fault, Import, Imported, Loaded, LoadedSubject,
    RefreshToken, SessionId, Shard, Subject, SubjectDecision, SubjectState, Timestamp,
};
use tokio::sync::watch;

/// How often a decision is asked for again when others keep coming first. Inclusive; beyond it the
/// caller is told [`Fault::Contention`].
pub const RACES_MAX: usize = 128;

/// The most sessions on a page. Inclusive; more are never given, however many are asked for.
pub const PAGE_MAX: usize = 1000;

/// The most rows that one call of [`Store::sessions`] or [`Store::history`] looks at. Inclusive.
pub const EXAMINED_MAX: usize = 8192;

/// The longest value that is spent or recorded, in bytes. Inclusive; a longer one is refused.
pub(crate) const VALUE_MAX: usize = 64 * 1024;

/// The most events that one call of [`Store::events_after`] gives. Inclusive.
pub const EVENTS_MAX: usize = 4096;

/// The most rows that one call of [`Store::expire`] looks at. Inclusive.
pub const SWEEP_MAX: usize = 512;

/// Which of a subject's rows a decision is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Those not written as ended.
    Alive,
    /// Those written as ended too.
    All,
}

/// A store of one of the kinds there are.
#[derive(Clone)]
pub enum Store {
    /// One file on this machine.
    Sqlite(Sqlite),
    /// Redis or Valkey, which many processes share.
    Redis(Redis),
    /// PostgreSQL, which many processes share.
    Postgres(Postgres),
}

/// What a decision answered, once it is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Committed<R> {
    /// The answer.
    pub reply: R,
    /// The head of the feed after the commit; if nothing was committed, a head that covers all that
    /// the decision saw.
    pub position: u64,
}

/// Which sessions are asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Of this subject, which lives in this shard; `None`: of all.
    pub subject: Option<(Subject, Shard)>,
    /// After this one: where the last page ended.
    pub after: Option<SessionId>,
    /// At most so many; see [`PAGE_MAX`].
    pub limit: usize,
}

/// A part of a list, in the order of the sessions' names.
#[derive(Clone, Debug)]
pub struct Page {
    /// The sessions.
    pub sessions: Vec<Loaded>,
    /// Where to go on; `None`: this was the last. A page may be short, even empty, and still not the
    /// last, since a call looks at [`EXAMINED_MAX`] rows at most.
    pub next: Option<SessionId>,
}

/// A part of the history, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    /// The events, each with its position.
    pub events: Vec<(u64, Event)>,
    /// Where to go on; `None`: the newest event was looked at. As with [`Page`], a part may be short
    /// and still not the last.
    pub next: Option<u64>,
}

/// What a chunk of the sweep did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Swept<R> {
    /// Where to go on; `None`: the end was reached.
    pub next: Option<SessionId>,
    /// What was decided of the sessions whose end was written.
    pub ended: Vec<R>,
    /// Rows of long-ended sessions, old events, spent things and old tokens that left.
    pub forgotten: usize,
}

/// How long, and how much of, what has ended is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Sessions that ended before, and events that nobody needs since, leave.
    pub since: Timestamp,
    /// So many events are kept at most; older ones leave as soon as no verifier needs them any more.
    pub events_max: u64,
    /// So many of the newest are kept whatever their age; at least one is.
    pub events_min: u64,
}

/// What a small record is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A key that signs tokens, encrypted.
    SigningKey,
    /// An API key, as a digest.
    ApiKey,
    /// A client that was registered rather than configured.
    Client,
    /// A verifier that reports what it applied.
    Verifier,
    /// Who may do a periodic task.
    Lease,
    /// What the authority remembers about itself.
    Meta,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::SigningKey, Self::ApiKey, Self::Client, Self::Verifier, Self::Lease, Self::Meta];

    /// The stored number: never reused, never reordered.
    const fn code(self) -> u8 {
        match self {
            Self::SigningKey => 1,
            Self::ApiKey => 2,
            Self::Client => 3,
            Self::Verifier => 4,
            Self::Lease => 5,
            Self::Meta => 6,
        }
    }
}

/// A small record. Has no `Debug`: its value may be somebody's secret, though encrypted or digested.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name among those of its kind.
    pub name: Arc<str>,
    /// What it says.
    pub value: Vec<u8>,
    /// What [`Store::put_record`] must be told to replace it.
    pub version: u64,
}

/// Asks whichever store there is.
macro_rules! each {
    ($self:expr, $store:ident => $ask:expr) => {
        match $self {
            Store::Sqlite($store) => $ask,
            Store::Redis(Redis($store)) => $ask,
            Store::Postgres(Postgres($store)) => $ask,
        }
    };
}

impl Store {
    /// Opens, or creates, the one-file store at `path`.
    ///
    /// # Errors
    /// The file is newer, damaged, foreign, in use, or cannot be read: nothing is served from it.
    pub fn open_sqlite(path: &Path, role: Role) -> Result<Self, Refusal> {
        Sqlite::open(path, role).map(Self::Sqlite)
    }

    /// Opens, or creates, the store on Redis or Valkey at `address`; others may have it open.
    ///
    /// # Errors
    /// A server cannot be reached, lets us not in, is no primary, too old or would evict sessions; what is
    /// there is newer, another program's, or the rest of a store.
    pub async fn open_redis(address: &redis::Address) -> Result<Self, Refusal> {
        Redis::open(address).await.map(Self::Redis)
    }

    /// Opens, or creates, the store in PostgreSQL at `address`; others may have it open.
    ///
    /// # Errors
    /// The server cannot be reached, lets us not in, or is no primary or too old; what is there is newer or another
    /// program's.
    pub async fn open_postgres(address: &postgres::Address) -> Result<Self, Refusal> {
        postgres::open(address).await.map(Self::Postgres)
    }

    /// Looks at every row, page and record of the one-file store at `path`, also while another process
    /// serves. Reads all of it and changes nothing.
    ///
    /// # Errors
    /// It cannot be read at all.
    pub fn examine_sqlite(path: &Path) -> Result<Examined, Refusal> {
        Sqlite::examine(path)
    }

    /// Looks at the ends log beside the one-file store at `path` alone, also while another process serves.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn ends_log_of_sqlite(path: &Path) -> Result<EndsState, Refusal> {
        Sqlite::ends_log(path)
    }

    /// Whether the ends log is still the file that was opened: what is appended to one that was moved away or
    /// removed protects nothing.
    pub fn ends_log_in_place(&self) -> bool {
        each!(self, store => store.ends_log_in_place())
    }

    /// Decides about one session; `None`: there is none of this name.
    ///
    /// `decide` may be asked several times and must be a pure function of what it is given. What it
    /// decides is committed only if session, subject and cut-offs are still those that it saw.
    ///
    /// # Errors
    /// What `decide` could not, or the store; nothing is committed then, except that after
    /// [`Fault::Store`] it is not known whether it was.
    pub async fn step<R>(
        &self,
        sid: SessionId,
        decide: impl Fn(Loaded) -> Result<Decision<R>, Fault> + Send + Sync,
    ) -> Result<Option<Committed<R>>, Fault> {
        each!(self, store => store.step(sid, decide).await)
    }

    /// Decides about a subject and all its sessions whose rows are not ended: sign-in, sign-out of many,
    /// roles, a ban. Of sign-ins that race for one subject each sees those that came first.
    ///
    /// # Errors
    /// As [`Self::step`]'s.
    pub async fn step_subject<R>(
        &self,
        subject: &Subject,
        shard: Shard,
        decide: impl Fn(LoadedSubject) -> Result<SubjectDecision<R>, Fault> + Send + Sync,
    ) -> Result<Committed<R>, Fault> {
        each!(self, store => store.step_subject(subject, shard, Rows::Alive, decide).await)
    }

    /// The same, given the subject's ended sessions too: for what must reach every row of a person. It
    /// reads as many rows as the subject ever had and that are not forgotten yet.
    ///
    /// # Errors
    /// As [`Self::step`]'s.
    pub async fn step_subject_whole<R>(
        &self,
        subject: &Subject,
        shard: Shard,
        decide: impl Fn(LoadedSubject) -> Result<SubjectDecision<R>, Fault> + Send + Sync,
    ) -> Result<Committed<R>, Fault> {
        each!(self, store => store.step_subject(subject, shard, Rows::All, decide).await)
    }

    /// Brings in sessions of another system, at most [`IMPORT_MAX`], in one commit, and says what became
    /// of each: one that is there, or whose old token is known, never comes again. Its old token is of no
    /// use before [`Self::know_tokens`]. Fast where the sessions come in the order of their names.
    ///
    /// # Errors
    /// As [`Self::step`]'s.
    pub async fn import(
        &self,
        chunk: &[Incoming],
        decide: impl Fn(&Import, &SubjectState, &Cutoffs) -> Result<Imported, Denial> + Send + Sync,
    ) -> Result<Vec<Brought>, Fault> {
        each!(self, store => store.import(chunk, decide).await)
    }

    /// Makes old tokens of imported sessions known, at most [`IMPORT_MAX`], in one commit; one that is
    /// known stays what it was. Fast where they come in the order of their digests.
    ///
    /// # Errors
    /// The store could not be written.
    pub async fn know_tokens(&self, tokens: &[OldToken]) -> Result<(), Fault> {
        each!(self, store => store.know_tokens(tokens).await)
    }

    /// What [`Self::import`] would answer now; nothing is committed, and a token that stands twice in the
    /// chunk is new twice.
    ///
    /// # Errors
    /// The store could not be read, or what it holds is damaged.
    pub async fn would_import(
        &self,
        chunk: &[Incoming],
        decide: impl Fn(&Import, &SubjectState, &Cutoffs) -> Result<Imported, Denial> + Send + Sync,
    ) -> Result<Vec<Brought>, Fault> {
        each!(self, store => store.would_import(chunk, decide).await)
    }

    /// The old token of an imported session, found by its keyed digest; `None` if none such was imported,
    /// or its session is forgotten. Where nothing was ever imported it costs nothing.
    ///
    /// # Errors
    /// The store could not be read, or what it holds is damaged.
    pub async fn imported(&self, digest: &Digest) -> Result<Option<RefreshToken>, Fault> {
        each!(self, store => store.imported(digest).await)
    }

    /// How long callers waited until their commit was durable, since the store was opened.
    pub fn waits(&self) -> Waits {
        each!(self, store => store.waits())
    }

    /// How much work waits for its commit now.
    pub fn waiting(&self) -> usize {
        each!(self, store => store.waiting())
    }

    /// Whether what was written last reached the disk. While it does not, whatever changes something is
    /// answered with [`Fault::Store`]; each commit that is asked for tries anew, the sweep's too.
    pub fn takes_writes(&self) -> bool {
        each!(self, store => store.takes_writes())
    }

    /// Since when a store on servers of its own has taken no write, by this process's monotonic clock; `None`: the
    /// last one was taken, or the store is a file.
    pub fn refusing_since(&self) -> Option<Instant> {
        each!(self, store => store.refusing_since())
    }

    /// How many commits or events a store on servers of its own is known to have lost after it acknowledged
    /// them, since it was made: in a change of primary, or a restart of a server that had not kept them.
    /// Verifiers that heard of a lost revocation go on refusing.
    pub fn lost(&self) -> u64 {
        each!(self, store => store.lost())
    }

    /// A session as it is now, ended ones too until they are forgotten.
    ///
    /// # Errors
    /// The store could not be read, or what it holds is damaged.
    pub async fn session(&self, sid: SessionId) -> Result<Option<Loaded>, Fault> {
        each!(self, store => store.session(sid).await)
    }

    /// A page of those sessions that `keep` wants, ended ones included.
    ///
    /// # Errors
    /// The store could not be read, what it holds is damaged, or too many lists are being read.
    pub async fn sessions(
        &self,
        query: &Query,
        keep: impl Fn(&Loaded) -> bool + Send + Sync,
    ) -> Result<Page, Fault> {
        each!(self, store => store.sessions(query, keep).await)
    }

    /// Shows every session once, in no order and from several threads, each as it is at some instant
    /// meanwhile: for counting.
    ///
    /// # Errors
    /// As [`Self::sessions`]'s.
    pub async fn survey(
        &self,
        look: impl Fn(&Loaded) + Send + Sync + 'static,
    ) -> Result<(), Fault> {
        each!(self, store => store.survey(Arc::new(look)).await)
    }

    /// Decides about what is above all subjects: bumps of clients and of everything.
    ///
    /// # Errors
    /// As [`Self::step`]'s.
    pub async fn bump<R>(
        &self,
        decide: impl Fn(Cutoffs) -> Result<(Cutoffs, Vec<Event>, R), Fault> + Send + Sync,
    ) -> Result<Committed<R>, Fault> {
        each!(self, store => store.bump(decide).await)
    }

    /// What is above all subjects, now.
    pub fn cutoffs(&self) -> Arc<Cutoffs> {
        each!(self, store => store.cutoffs())
    }

    /// The latest instant that was ever committed, to within a second after a restart. A wall clock
    /// far before it is wrong, or the store comes from the future.
    pub fn latest_instant(&self) -> Timestamp {
        each!(self, store => store.latest_instant())
    }

    /// Events after a position, oldest first, without gaps. If the first is not of the next position,
    /// those between were forgotten.
    ///
    /// # Errors
    /// The store could not be read, or what it holds is damaged.
    pub async fn events_after(
        &self,
        position: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Fault> {
        each!(self, store => store.events_after(position, limit).await)
    }

    /// Those events after a position that a verifier may still need at `at`, oldest first, however many were
    /// committed since: a part at a time, as [`Self::history`] gives them. For whoever begins to follow.
    ///
    /// # Errors
    /// As [`Self::events_after`]'s.
    pub async fn needed(&self, after: u64, at: Timestamp) -> Result<History, Fault> {
        each!(self, store => store.needed(after, at).await)
    }

    /// The position of the newest durable event, from memory. Whatever was answered is before it or at it.
    pub fn head(&self) -> u64 {
        each!(self, store => store.head())
    }

    /// Up to when [`Self::head`] is known to be the head of the log: the instant before the last poll of a store
    /// that others write to as well. `None`: nobody else does, so it always is.
    pub fn head_asked(&self) -> Option<Instant> {
        each!(self, store => store.head_asked())
    }

    /// The same, told to whoever waits whenever the log was asked for its head: what was committed anywhere before
    /// the instant that is told is in [`Self::head`]. `None`: nobody else writes to it.
    pub fn asks(&self) -> Option<watch::Receiver<Instant>> {
        each!(self, store => store.asks())
    }

    /// Whether other processes may write to it while this one does.
    pub fn is_shared(&self) -> bool {
        self.head_asked().is_some()
    }

    /// The position of the newest durable event, told to whoever waits as soon as it changes. What it says is
    /// read from memory: it wakes readers, who then ask the store itself.
    pub fn heads(&self) -> watch::Receiver<u64> {
        each!(self, store => store.heads())
    }

    /// Those events after a position that `keep` wants, oldest first, at most `limit`; see [`PAGE_MAX`].
    ///
    /// # Errors
    /// As [`Self::events_after`]'s.
    pub async fn history(
        &self,
        after: u64,
        limit: usize,
        keep: impl Fn(&Event) -> bool + Send + Sync,
    ) -> Result<History, Fault> {
        each!(self, store => store.history(after, limit, keep).await)
    }

    /// Spends what can be spent once. `None`: this was the first time before `until`, and `value` is
    /// kept; else the value kept by the first.
    ///
    /// # Errors
    /// The store could not be written or read.
    pub async fn spend(
        &self,
        digest: [u8; 32],
        value: &[u8],
        until: Timestamp,
        at: Timestamp,
    ) -> Result<Option<Vec<u8>>, Fault> {
        each!(self, store => store.spend(digest, value, until, at).await)
    }

    /// Sweeps up to `limit` sessions after `after`: commits the ends that `decide` finds, forgets
    /// sessions that ended before then, events that nobody needs since, or that are too many, and spent
    /// things that have expired.
    ///
    /// # Errors
    /// The store could not be read or written, or what it holds is damaged.
    pub async fn expire<R>(
        &self,
        after: Option<SessionId>,
        limit: usize,
        keep: Retention,
        decide: impl Fn(Loaded) -> Decision<R> + Send + Sync,
    ) -> Result<Swept<R>, Fault> {
        each!(self, store => store.expire(after, limit, keep, decide).await)
    }

    /// Rows of one part, after those that were given already: for [`Self::copy_in`] of another store.
    ///
    /// # Errors
    /// The store could not be read, or what it holds is damaged.
    pub async fn copy_out(&self, part: Part, after: Option<&[u8]>) -> Result<copy::Rows, Fault> {
        each!(self, store => store.copy_out(part, after).await)
    }

    /// Which events are here already: for a copy that goes on where it was cut short.
    ///
    /// # Errors
    /// The store could not be read, or what it holds is damaged.
    pub async fn events_there(&self) -> Result<EventsThere, Fault> {
        each!(self, store => store.events_there().await)
    }

    /// Takes rows in as they are, at most [`COPY_MAX`](copy::COPY_MAX), where nobody else writes. What is here
    /// already stays as it is, so a copy that was cut short may give them again.
    ///
    /// # Errors
    /// The store could not be written; some of the rows may have been.
    pub async fn copy_in(&self, rows: &[Row], copying: &Copying<'_>) -> Result<(), Fault> {
        each!(self, store => store.copy_in(rows, copying).await)
    }

    /// A small record; sees what other processes committed.
    ///
    /// # Errors
    /// The store could not be read, or what it holds is damaged.
    pub async fn record(&self, kind: Kind, name: &str) -> Result<Option<Record>, Fault> {
        each!(self, store => store.record(kind, name).await)
    }

    /// All records of a kind, by name; sees what other processes committed.
    ///
    /// # Errors
    /// The store could not be read, or what it holds is damaged.
    pub async fn records(&self, kind: Kind) -> Result<Vec<Record>, Fault> {
        each!(self, store => store.records(kind).await)
    }

    /// Writes a record if it is still at `expected` (`None`: if there is none); answers whether it was.
    ///
    /// # Errors
    /// The store could not be written.
    pub async fn put_record(
        &self,
        kind: Kind,
        name: &str,
        value: &[u8],
        expected: Option<u64>,
    ) -> Result<bool, Fault> {
        each!(self, store => store.put_record(kind, name, value, expected).await)
    }
}

fn short(value: &[u8]) -> Result<(), Fault> {
    if value.len() <= VALUE_MAX {
        return Ok(());
    }
    Err(Fault::Store(format!("a value of {} bytes is over the {VALUE_MAX} kept", value.len())))
}
