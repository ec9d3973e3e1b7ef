//! Copying a store into another of whatever kind: what is in it, as it is, and nothing decided.
//!
//! What is copied is small records, subjects, sessions (ended ones too), what was spent, old tokens of imported
//! sessions, and the events. Nobody may serve from either store meanwhile. The cut-offs come last and open a
//! store epoch: positions of the feed are others in the copy, and whoever follows it begins anew and forgets
//! nothing.

use crate::OldToken;
use crate::change::{Change, FIRST_VERSION, SessionWrite};
use crate::codec;
use std::collections::HashSet;
use symbolon_core::{Event, Fault, Session, Shard, Subject, SubjectState, Timestamp};

/// The most rows that one call of [`Store::copy_out`](crate::Store::copy_out) gives, and one of
/// [`Store::copy_in`](crate::Store::copy_in) takes. Inclusive.
pub const COPY_MAX: usize = 512;

/// How often a row is tried again that somebody else's write kept from being written. Inclusive: nobody else is
/// to write, so it is seldom needed at all.
pub(crate) const TRIES_MAX: usize = 8;

/// What a store is made of, beside its records and its cut-offs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// What is known of subjects.
    Subjects,
    /// Sessions, ended ones too.
    Sessions,
    /// What can be spent once and was.
    Spent,
    /// Old refresh tokens of sessions that were imported.
    OldTokens,
    /// The events, in their order.
    Events,
}

impl Part {
    /// All of them, in the order in which they are to be copied.
    pub const ALL: [Self; 5] =
        [Self::Subjects, Self::Sessions, Self::Spent, Self::OldTokens, Self::Events];

    /// Its name for people and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subjects => "subjects",
            Self::Sessions => "sessions",
            Self::Spent => "spent",
            Self::OldTokens => "old tokens",
            Self::Events => "events",
        }
    }
}

/// Something that was spent. Has no `Debug`: the value may be somebody's secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Spent {
    /// What was spent, as a digest.
    pub digest: [u8; 32],
    /// What the first use kept.
    pub value: Vec<u8>,
    /// Until when it is remembered. Exclusive.
    pub until: Timestamp,
}

/// One row. Has no `Debug`, as [`Spent`] has none.
#[derive(Clone)]
pub enum Row {
    /// What is known of a subject.
    Subject(Box<SubjectState>),
    /// A session.
    Session(Box<Session>),
    /// Something that was spent.
    Spent(Spent),
    /// An old token.
    OldToken(OldToken),
    /// An event.
    Event(Box<Event>),
}

/// Some rows of one part.
#[derive(Clone)]
pub struct Rows {
    /// The rows; of events, in their order.
    pub rows: Vec<Row>,
    /// Where to go on; `None`: these were the last. Rows may be few, even none, and still not the last.
    pub next: Option<Vec<u8>>,
}

/// What a copy is made by.
pub struct Copying<'a> {
    /// Where a subject lives.
    pub shard_of: &'a (dyn Fn(&Subject) -> Shard + Send + Sync),
    /// Now: what was to be remembered until before it is left out.
    pub at: Timestamp,
    /// The events that are there from an earlier try; they are not written again.
    pub there: EventsThere,
}

/// Which events a copy has already.
#[derive(Clone, Default)]
pub struct EventsThere(HashSet<Vec<u8>>);

impl EventsThere {
    pub(crate) fn note(&mut self, event: &Event) {
        self.0.insert(codec::event::encode(event));
    }

    pub(crate) fn has(&self, event: &Event) -> bool {
        !self.0.is_empty() && self.0.contains(&codec::event::encode(event))
    }
}

/// The rows of one call, by what they are.
#[derive(Default)]
pub(crate) struct Sorted<'a> {
    pub(crate) subjects: Vec<&'a SubjectState>,
    pub(crate) sessions: Vec<&'a Session>,
    pub(crate) spent: Vec<&'a Spent>,
    pub(crate) tokens: Vec<OldToken>,
    pub(crate) events: Vec<&'a Event>,
}

impl<'a> Sorted<'a> {
    pub(crate) fn new(rows: &'a [Row], copying: &Copying<'_>) -> Result<Self, Fault> {
        if COPY_MAX < rows.len() {
            return Err(Fault::Store(format!("more than {COPY_MAX} rows to copy at once")));
        }
        let mut sorted = Self::default();
        for row in rows {
            match row {
                Row::Subject(state) => sorted.subjects.push(state),
                Row::Session(session) => sorted.sessions.push(session),
                Row::Spent(spent) if copying.at < spent.until => sorted.spent.push(spent),
                Row::OldToken(token) if copying.at < token.until => sorted.tokens.push(*token),
                Row::Spent(_) | Row::OldToken(_) => {}
                Row::Event(event) if copying.there.has(event) => {}
                Row::Event(event) => sorted.events.push(event),
            }
        }
        Ok(sorted)
    }
}

impl<S> Change<S> {
    /// Writes a session as it is, under the first version. One that has ended is not written as ended yet:
    /// [`Self::end_copied`] does that next.
    pub(crate) fn copy(&mut self, session: &Session) {
        self.create(session);
        let last = session.end.as_ref().map_or(session.last_used_at, |end| end.at);
        self.latest = self.latest.max(session.last_used_at).max(last);
    }

    /// Writes one that was just copied as ended.
    pub(crate) fn end_copied(&mut self, session: &Session) {
        let row = codec::session::encode(session, FIRST_VERSION + 1);
        let (sid, version) = (session.sid, FIRST_VERSION);
        self.sessions.push(SessionWrite::Update { sid, version, ended: true, row });
    }
}
