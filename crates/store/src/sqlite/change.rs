//! What the writer is asked to do: decided, encoded and conditional, so that it only compares and sets.

use super::ends::Lost;
use crate::Retention;
use crate::codec;
use crate::{Kind, OldToken};
use std::sync::Arc;
use symbolon_core::{Cutoffs, Event, Fault, Session, SessionId, Subject, SubjectState, Timestamp};
use tokio::sync::oneshot;

/// One piece of work and who waits for it.
pub(super) struct Work {
    pub(super) task: Task,
    pub(super) reply: oneshot::Sender<Result<Done, Fault>>,
}

/// What is to be done.
pub(super) enum Task {
    Change(Box<Change>),
    Spend(Spend),
    Put(Put),
    Import(Imports),
    Know(Vec<OldToken>),
    Forget(Forget),
    /// Nothing but this: that the ends log holds all that was committed.
    Settle,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Done {
    /// Whether it was done; if not, another came first.
    pub(super) applied: bool,
    /// The head of the feed after it.
    pub(super) position: u64,
    /// What was spent earlier, if that is why it was not done.
    pub(super) earlier: Option<Vec<u8>>,
    /// Rows that left.
    pub(super) forgotten: usize,
    /// Which of the sessions that were to be imported are new.
    pub(super) created: Vec<bool>,
}

/// What a decision was made on: it is committed only if all of this still holds.
#[derive(Clone)]
pub(super) struct Seen {
    /// The cut-offs and which they are.
    pub(super) cutoffs: Arc<Cutoffs>,
    pub(super) cutoffs_version: u64,
    /// How many moves of subjects had been published.
    pub(super) moves: u64,
    /// The hash of the subject it concerns.
    pub(super) subject: Option<u64>,
}

/// A change of sessions, a subject or the cut-offs, with its events.
pub(super) struct Change {
    pub(super) seen: Seen,
    pub(super) sessions: Vec<SessionWrite>,
    pub(super) subject: Option<(Subject, Vec<u8>)>,
    pub(super) ban: Option<SubjectState>,
    /// Whether decisions about the same subject that were made before this must be made again.
    pub(super) moves: bool,
    pub(super) cutoffs: Option<Arc<Cutoffs>>,
    pub(super) events: Vec<EventWrite>,
    /// The latest instant that it writes.
    pub(super) latest: Timestamp,
}

/// A conditional write of one session.
pub(super) enum SessionWrite {
    /// If there is none of this name.
    Create { sid: SessionId, subject: Subject, row: Vec<u8> },
    /// If it is still at `version`; the row is of the next.
    Update { sid: SessionId, version: u64, ended: bool, row: Vec<u8> },
    /// If it is still at `version`.
    Forget { sid: SessionId, version: u64 },
}

/// An event, encoded; its place is known at the commit.
pub(super) struct EventWrite {
    pub(super) body: Vec<u8>,
    pub(super) keep_until: Timestamp,
}

impl Change {
    pub(super) fn new(seen: Seen) -> Self {
        Self {
            seen,
            sessions: Vec::new(),
            subject: None,
            ban: None,
            moves: false,
            cutoffs: None,
            events: Vec::new(),
            latest: Timestamp::default(),
        }
    }

    pub(super) fn update(&mut self, session: &Session, version: u64) {
        let row = codec::session::encode(session, version + 1);
        self.latest = self.latest.max(session.last_used_at).max(session.rotation.at);
        let (sid, ended) = (session.sid, session.end.is_some());
        self.sessions.push(SessionWrite::Update { sid, version, ended, row });
    }

    pub(super) fn create(&mut self, session: &Session) {
        let (sid, subject) = (session.sid, session.subject.clone());
        let row = codec::session::encode(session, FIRST_VERSION);
        self.latest = self.latest.max(session.created_at).max(session.rotation.at);
        self.moves = true;
        self.sessions.push(SessionWrite::Create { sid, subject, row });
    }

    pub(super) fn replace_subject(&mut self, before: &SubjectState, state: &SubjectState) {
        self.moves = true;
        self.subject = Some((state.subject.clone(), codec::subject::encode(state)));
        self.ban = (before.ban != state.ban).then(|| state.clone());
    }

    pub(super) fn publish(&mut self, events: &[Event]) {
        let latest = events.iter().map(|event| event.at).max();
        self.latest = self.latest.max(latest.unwrap_or_default());
        self.events.extend(events.iter().map(EventWrite::new));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
            && self.events.is_empty()
            && self.subject.is_none()
            && self.cutoffs.is_none()
    }

    /// What the ends log must hold of it, beside its events.
    pub(super) fn ban_record(&self) -> Option<Lost> {
        let state = self.ban.as_ref()?;
        Some(Lost::Ban { subject: state.subject.clone(), ban: state.ban.clone() })
    }
}

impl EventWrite {
    pub(super) fn new(event: &Event) -> Self {
        Self { body: codec::event::encode(event), keep_until: event.at.max(event.expires_at) }
    }
}

impl Lost {
    /// What the ends log must hold of a record that is written: that an API key's was replaced.
    pub(super) fn of(kind: Kind, (name, version): (&str, u64), value: &[u8]) -> Option<Self> {
        match kind {
            Kind::ApiKey if FIRST_VERSION < version => {
                Some(Self::ApiKey { name: name.to_owned(), version, value: value.to_vec() })
            }
            Kind::ApiKey
            | Kind::SigningKey
            | Kind::Client
            | Kind::Verifier
            | Kind::Lease
            | Kind::Meta => None,
        }
    }
}

/// Which clients were switched off or on between two cut-offs.
pub(super) fn switched<'a>(
    before: &'a Cutoffs,
    after: &'a Cutoffs,
) -> impl Iterator<Item = Lost> + 'a {
    let was = |client| before.clients.get(client).is_some_and(|state| state.disabled);
    after
        .clients
        .iter()
        .filter(move |(client, state)| was(client) != state.disabled)
        .map(|(client, state)| Lost::Switch { client: client.clone(), disabled: state.disabled })
}

/// The version that a new session's row has, and a new record.
pub(super) const FIRST_VERSION: u64 = 1;

/// One use of something that has only one.
pub(super) struct Spend {
    pub(super) digest: [u8; 32],
    pub(super) value: Vec<u8>,
    pub(super) until: Timestamp,
    pub(super) at: Timestamp,
}

/// A compare-and-set of a small record.
pub(super) struct Put {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) value: Vec<u8>,
    pub(super) expected: Option<u64>,
}

/// Sessions of another system, all decided on what was `seen`.
pub(super) struct Imports {
    pub(super) seen: Seen,
    pub(super) rows: Vec<Arriving>,
}

/// One of them: written if there is none of this name.
pub(super) struct Arriving {
    pub(super) sid: SessionId,
    pub(super) subject: Subject,
    /// The hash of the subject.
    pub(super) hash: u64,
    pub(super) row: Vec<u8>,
    /// The row of its subject, if that was unknown.
    pub(super) known: Option<Vec<u8>>,
    pub(super) at: Timestamp,
}

/// Old events, spent entries and old tokens of other systems leave.
pub(super) struct Forget {
    pub(super) keep: Retention,
    /// Now: what was to be kept until before it, is not needed.
    pub(super) now: Timestamp,
    pub(super) limit: usize,
}
