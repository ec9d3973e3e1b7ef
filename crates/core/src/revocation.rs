//! What is revoked, how, why and by whom: the event that a commit carries.

use crate::change::Change;
use crate::id::{ClientId, KeyId, SessionId, StoreEpoch, Subject};
use crate::session::Session;
use crate::time::{Duration, Timestamp};
use std::sync::Arc;

/// The largest leeway any verifier may grant; an event outlives its last token by this much.
pub const LEEWAY_MAX: Duration = Duration::from_secs(60);

/// Why a session ended or may not renew. The words are stable: API, SDK and people are told them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    /// Its owner signed out.
    SignedOut,
    /// An operator ended it.
    Kicked,
    /// A newer sign-in took its place.
    Displaced,
    /// Its subject is not allowed back.
    Banned,
    /// Its subject's password changed.
    PasswordChanged,
    /// Its subject's roles or claims changed.
    PermissionsChanged,
    /// A used refresh token came back.
    Replayed,
    /// A token came without the key or features that it is bound to.
    BindingMismatch,
    /// It was not used for longer than its idle timeout.
    Idle,
    /// It reached its absolute timeout.
    Expired,
    /// The key that signed its tokens is no longer trusted.
    KeyCompromised,
    /// Its client is switched off.
    ClientDisabled,
    /// An administrator's decision of another kind.
    Admin,
}

impl Reason {
    /// All of them, in the order of DESIGN.md §4.3.
    pub const ALL: [Self; 13] = [
        Self::SignedOut,
        Self::Kicked,
        Self::Displaced,
        Self::Banned,
        Self::PasswordChanged,
        Self::PermissionsChanged,
        Self::Replayed,
        Self::BindingMismatch,
        Self::Idle,
        Self::Expired,
        Self::KeyCompromised,
        Self::ClientDisabled,
        Self::Admin,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Kicked => "kicked",
            Self::Displaced => "displaced",
            Self::Banned => "banned",
            Self::PasswordChanged => "password_changed",
            Self::PermissionsChanged => "permissions_changed",
            Self::Replayed => "replayed",
            Self::BindingMismatch => "binding_mismatch",
            Self::Idle => "idle",
            Self::Expired => "expired",
            Self::KeyCompromised => "key_compromised",
            Self::ClientDisabled => "client_disabled",
            Self::Admin => "admin",
        }
    }

    /// The reason that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// Whether what an event hits must renew or must sign in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// Must sign in again.
    Revoked,
    /// Must renew; nobody is logged out.
    Stale,
}

/// Below which counter the tokens of a subject, a client or everything are hit. Exclusive.
///
/// A token is below iff `(its store epoch, its counter) < (epoch, counter)`: no clock is involved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Below {
    /// The store epoch in which the bound was set.
    pub epoch: StoreEpoch,
    /// The counter as the bump left it.
    pub counter: u64,
}

/// What an event hits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// One access token, by its `jti`.
    Token([u8; 16]),
    /// One session.
    Session(SessionId),
    /// Every token of a subject that is below.
    Subject(Subject, Below),
    /// Every token of a client that is below.
    Client(ClientId, Below),
    /// Every token that a key signed.
    Key(KeyId),
    /// Every token that is below.
    Everything(Below),
    /// No token: what people may do changed, and nothing was revoked.
    Nothing(Change),
}

/// Who acted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Actor {
    /// A rule of the authority itself, such as an idle timeout.
    Authority,
    /// The authority because it was time, by the name of the schedule.
    Schedule(Arc<str>),
    /// A trusted back end or an operator, by the name of the API key.
    ApiKey(Arc<str>),
    /// Whoever may open the admin socket on the authority's own machine, by their user id.
    Operator(u32),
    /// An application, by its `client_id`.
    Client(ClientId),
    /// The person whose session it is.
    Person(Subject),
}

/// Who did something, and from where: stored in the commit of every act that revokes, or that changes what
/// people may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Act {
    /// Who.
    pub actor: Actor,
    /// What they wrote about it, at most 500 bytes.
    pub note: Option<Arc<str>>,
    /// The address the request came from.
    pub ip: Option<Arc<str>>,
    /// The `X-Request-Id` of the request; empty for the authority's own acts.
    pub request_id: Arc<str>,
}

impl Act {
    /// An act of the authority itself.
    pub fn authority() -> Self {
        Self { actor: Actor::Authority, note: None, ip: None, request_id: "".into() }
    }
}

/// Whose a session is: what the history is searched by, also once the session is forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whose {
    /// Whom it was for.
    pub subject: Subject,
    /// Through which application.
    pub client: ClientId,
}

/// One revocation, committed with the change that caused it; or a change that revoked nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// When it was decided.
    pub at: Timestamp,
    /// What it hits.
    pub target: Target,
    /// Whose session it hits, where the target names a session.
    pub whose: Option<Whose>,
    /// Must renew, or must sign in.
    pub effect: Effect,
    /// Why.
    pub reason: Reason,
    /// Until when a mirror keeps it: the latest `exp` issued for the target and the largest leeway.
    /// Inclusive: an entry may leave only after this instant has passed in feed time.
    pub expires_at: Timestamp,
    /// Who did it.
    pub act: Act,
}

impl Event {
    /// Whom it hits, if it is about one subject.
    pub fn subject(&self) -> Option<&Subject> {
        match &self.target {
            Target::Session(_) | Target::Token(_) => self.whose.as_ref().map(|own| &own.subject),
            Target::Subject(subject, _) => Some(subject),
            Target::Nothing(change) => change.subject(),
            Target::Client(..) | Target::Key(_) | Target::Everything(_) => None,
        }
    }

    /// Through which client, if it is about one.
    pub fn client(&self) -> Option<&ClientId> {
        match &self.target {
            Target::Session(_) | Target::Token(_) => self.whose.as_ref().map(|own| &own.client),
            Target::Client(client, _) => Some(client),
            Target::Nothing(change) => change.client(),
            Target::Subject(..) | Target::Key(_) | Target::Everything(_) => None,
        }
    }

    /// Whether it hit a session: by name, or as a bound above its birth that was set while it lived. A change that
    /// hit nothing counts where it is about that session.
    pub fn hits(&self, session: &Session) -> bool {
        let lived = session.end.as_ref().is_none_or(|end| self.at <= end.at);
        match &self.target {
            Target::Session(sid) => *sid == session.sid,
            Target::Subject(subject, below) => {
                lived && *subject == session.subject && session.born.of_subject() < *below
            }
            Target::Client(client, below) => {
                lived && *client == session.client && session.born.of_client() < *below
            }
            Target::Everything(below) => lived && session.born.of_everything() < *below,
            Target::Nothing(change) => change.session() == Some(session.sid),
            Target::Token(_) | Target::Key(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_from_its_word() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::parse("tired"), None);
    }

    #[test]
    fn bounds_compare_by_epoch_first() {
        let old = Below { epoch: StoreEpoch(1), counter: 9 };
        assert!(old < Below { epoch: StoreEpoch(2), counter: 0 });
        assert!(old < Below { epoch: StoreEpoch(1), counter: 10 });
    }
}
