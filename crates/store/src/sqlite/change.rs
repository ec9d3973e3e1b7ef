//! What the writer is asked to do: decided, encoded and conditional, so that it only compares and sets.

use super::ends::Lost;
use crate::Retention;
use crate::change::FIRST_VERSION;
use crate::{Kind, OldToken};
use std::sync::Arc;
use symbolon_core::{Cutoffs, Fault, SessionId, Subject, Timestamp};
use tokio::sync::oneshot;

/// A change, and what it was decided on.
pub(super) type Change = crate::change::Change<Seen>;

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

impl Change {
    /// What the ends log must hold of it, beside its events.
    pub(super) fn ban_record(&self) -> Option<Lost> {
        let state = self.ban.as_ref()?;
        Some(Lost::Ban { subject: state.subject.clone(), ban: state.ban.clone() })
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
