//! What a decision asks a store for: encoded and conditional, so that a store only compares and sets.

use crate::codec;
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::{
    Cutoffs, Decision, Event, Fault, Session, SessionId, Shard, Subject, SubjectDecision,
    SubjectState, Timestamp,
};

/// A change of sessions, a subject or the cut-offs, with its events.
pub(crate) struct Change<S> {
    pub(crate) seen: S,
    pub(crate) sessions: Vec<SessionWrite>,
    pub(crate) subject: Option<(Subject, Vec<u8>)>,
    pub(crate) ban: Option<SubjectState>,
    /// Whether decisions about the same subject that were made before this must be made again.
    pub(crate) moves: bool,
    pub(crate) cutoffs: Option<Arc<Cutoffs>>,
    pub(crate) events: Vec<EventWrite>,
    /// The latest instant that it writes.
    pub(crate) latest: Timestamp,
}

/// A conditional write of one session.
pub(crate) enum SessionWrite {
    /// If there is none of this name.
    Create { sid: SessionId, subject: Subject, row: Vec<u8> },
    /// If it is still at `version`; the row is of the next.
    Update { sid: SessionId, version: u64, ended: bool, row: Vec<u8> },
    /// If it is still at `version`.
    Forget { sid: SessionId, version: u64 },
}

/// An event, encoded; its place is known at the commit.
pub(crate) struct EventWrite {
    pub(crate) body: Vec<u8>,
    pub(crate) keep_until: Timestamp,
}

impl<S> Change<S> {
    pub(crate) fn new(seen: S) -> Self {
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

    pub(crate) fn update(&mut self, session: &Session, version: u64) {
        let row = codec::session::encode(session, version + 1);
        self.latest = self.latest.max(session.last_used_at).max(session.rotation.at);
        let (sid, ended) = (session.sid, session.end.is_some());
        self.sessions.push(SessionWrite::Update { sid, version, ended, row });
    }

    pub(crate) fn create(&mut self, session: &Session) {
        let (sid, subject) = (session.sid, session.subject.clone());
        let row = codec::session::encode(session, FIRST_VERSION);
        self.latest = self.latest.max(session.created_at).max(session.rotation.at);
        self.moves = true;
        self.sessions.push(SessionWrite::Create { sid, subject, row });
    }

    pub(crate) fn replace_subject(&mut self, before: &SubjectState, state: &SubjectState) {
        self.moves = true;
        self.subject = Some((state.subject.clone(), codec::subject::encode(state)));
        self.ban = (before.ban != state.ban).then(|| state.clone());
    }

    pub(crate) fn publish(&mut self, events: &[Event]) {
        let latest = events.iter().map(|event| event.at).max();
        self.latest = self.latest.max(latest.unwrap_or_default());
        self.events.extend(events.iter().map(EventWrite::new));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
            && self.events.is_empty()
            && self.subject.is_none()
            && self.cutoffs.is_none()
    }
}

impl EventWrite {
    pub(crate) fn new(event: &Event) -> Self {
        Self { body: codec::event::encode(event), keep_until: event.at.max(event.expires_at) }
    }
}

/// The version that a new session's row has, and a new record.
pub(crate) const FIRST_VERSION: u64 = 1;

/// What a decision about one session asks for.
pub(crate) fn change_of<S, R>(
    seen: S,
    sid: SessionId,
    version: u64,
    decision: &Decision<R>,
) -> Result<Change<S>, Fault> {
    let mut change = Change::new(seen);
    if let Some(session) = &decision.session {
        if session.sid != sid {
            return Err(misnamed(session));
        }
        change.update(session, version);
    }
    change.publish(&decision.events);
    Ok(change)
}

pub(crate) fn subject_change<S, R>(
    seen: S,
    versions: &BTreeMap<SessionId, u64>,
    decision: &SubjectDecision<R>,
) -> Result<Change<S>, Fault> {
    let mut change = Change::new(seen);
    for session in &decision.changed {
        let version = versions.get(&session.sid).ok_or_else(|| misnamed(session))?;
        change.update(session, *version);
    }
    if let Some(session) = &decision.created {
        change.create(session);
    }
    change.publish(&decision.events);
    Ok(change)
}

fn misnamed(session: &Session) -> Fault {
    Fault::Store(format!("a decision changed session {:?}, which it was not given", session.sid))
}

pub(crate) fn with_versions(
    rows: impl Iterator<Item = (Session, u64)>,
) -> (Vec<Session>, BTreeMap<SessionId, u64>) {
    rows.map(|(session, version)| (session.clone(), (session.sid, version))).unzip()
}

/// The first and the last name that a session of this shard can have.
pub(crate) fn range(shard: Shard) -> (SessionId, SessionId) {
    (SessionId::new(shard, [0; 14]), SessionId::new(shard, [0xFF; 14]))
}
