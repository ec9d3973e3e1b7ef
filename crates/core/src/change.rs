//! What an operator changes without revoking anything: the history has it, and no token is hit by it.

use crate::client::Replay;
use crate::epoch::{Bump, ReplayFor};
use crate::id::{ClientId, SessionId, StoreEpoch, Subject};
use crate::revocation::{Below, Effect, Event, Target, Whose};

/// A bound that no token is below: what verifiers are told of a [`Change`], so that their log has no gap.
pub const BELOW_NOTHING: Below = Below { epoch: StoreEpoch(0), counter: 0 };

/// A change of what people may do that ends nothing and makes nothing stale.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A subject may sign in again.
    BanLifted(Subject),
    /// A subject may have other numbers of sessions than its clients' settings say, or the same again.
    DevicesLimited(Subject),
    /// A client that was switched off goes on.
    ClientEnabled(ClientId),
    /// Used refresh tokens of a client are treated otherwise than its settings say, for a while.
    ReplaySet(ClientId, ReplayFor),
    /// They are treated as its settings say, before that while was over.
    ReplayEnded(ClientId),
    /// The signing keys turned before their time; at once, or with an announcement.
    KeysTurned {
        /// Whether the new ones sign at once.
        at_once: bool,
    },
    /// The person of a session proved more of themselves.
    SteppedUp(SessionId, Whose),
    /// The back end of an application said that a session may not be renewed now; it lives.
    Withheld(SessionId, Whose),
}

impl Change {
    /// The stable word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::BanLifted(_) => "ban_lifted",
            Self::DevicesLimited(_) => "devices_limited",
            Self::ClientEnabled(_) => "client_enabled",
            Self::ReplaySet(_, ReplayFor { replay: Replay::Enforce, .. }) => "replay_enforced",
            Self::ReplaySet(_, ReplayFor { replay: Replay::Report, .. }) => "replay_reported",
            Self::ReplaySet(_, ReplayFor { replay: Replay::Off, .. }) => "replay_off",
            Self::ReplayEnded(_) => "replay_as_configured",
            Self::KeysTurned { at_once: false } => "keys_announced",
            Self::KeysTurned { at_once: true } => "keys_turned",
            Self::SteppedUp(..) => "stepped_up",
            Self::Withheld(..) => "withheld",
        }
    }

    /// The subject that it is about, if it is about one.
    pub const fn subject(&self) -> Option<&Subject> {
        match self {
            Self::BanLifted(subject) | Self::DevicesLimited(subject) => Some(subject),
            Self::SteppedUp(_, whose) | Self::Withheld(_, whose) => Some(&whose.subject),
            Self::ClientEnabled(_)
            | Self::ReplaySet(..)
            | Self::ReplayEnded(_)
            | Self::KeysTurned { .. } => None,
        }
    }

    /// The client that it is about, if it is about one.
    pub const fn client(&self) -> Option<&ClientId> {
        match self {
            Self::ClientEnabled(client)
            | Self::ReplaySet(client, _)
            | Self::ReplayEnded(client) => Some(client),
            Self::SteppedUp(_, whose) | Self::Withheld(_, whose) => Some(&whose.client),
            Self::BanLifted(_) | Self::DevicesLimited(_) | Self::KeysTurned { .. } => None,
        }
    }

    /// The session that it is about, if it is about one.
    pub const fn session(&self) -> Option<SessionId> {
        match self {
            Self::SteppedUp(sid, _) | Self::Withheld(sid, _) => Some(*sid),
            Self::BanLifted(_)
            | Self::DevicesLimited(_)
            | Self::ClientEnabled(_)
            | Self::ReplaySet(..)
            | Self::ReplayEnded(_)
            | Self::KeysTurned { .. } => None,
        }
    }

    /// Its line in the history, for the reason, at the instant and by whoever the bump says. No verifier needs
    /// to keep it.
    pub fn event(self, bump: &Bump) -> Event {
        let event = bump.event(Target::Nothing(self), Effect::Stale);
        Event { expires_at: bump.at, ..event }
    }
}
