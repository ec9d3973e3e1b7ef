//! The two kinds of "no" that a rule can say. (The third, `Malformed`, is `wire`'s.)

use crate::id::{Generation, SessionId};
use crate::revocation::Reason;
use crate::time::Timestamp;
use core::fmt;

/// They may not. Audited, and committed like any other outcome.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Denial {
    /// The token is genuine, but there is no such session: swept long ago, or lost with a store.
    UnknownSession,
    /// The token belongs to another client.
    ForeignToken,
    /// The client is switched off; nothing ended, and enabling it heals this.
    ClientDisabled,
    /// The session is over, for this reason.
    Ended(Reason),
    /// A used refresh token came back to a client whose `replay` is `off`: refused, the session lives.
    Replayed,
    /// The application's back end was asked and says no, for this reason if it gave one; the session lives.
    Withheld(Option<Reason>),
    /// The proof was malformed, late or without the nonce: to be asked for again.
    ProofNeeded,
    /// The subject is banned, until then or for good.
    Banned(Option<Timestamp>),
    /// The sign-in would exceed a device limit whose overflow rule is `refuse`.
    DeviceLimit,
}

impl Denial {
    /// Why a session ended or may not renew, where that is what this denial says.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::ClientDisabled => Some(Reason::ClientDisabled),
            Self::Ended(reason) => Some(reason),
            Self::Replayed => Some(Reason::Replayed),
            Self::Withheld(reason) => reason,
            Self::Banned(_) => Some(Reason::Banned),
            Self::UnknownSession | Self::ForeignToken | Self::ProofNeeded | Self::DeviceLimit => {
                None
            }
        }
    }
}

/// We could not. Nothing was decided: retry, and page someone if it lasts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A genuine token of this store epoch is ahead of the store: it lost writes unnoticed.
    Impossible {
        /// Whose token it was.
        sid: SessionId,
        /// The generation presented.
        presented: Generation,
        /// The newest generation that the store knows.
        newest: Generation,
    },
    /// The wall clock left the boot clock or the store's by more than a minute.
    Clock,
    /// The store could not be read or written; what it said, without any secret.
    Store(String),
    /// Too many callers changed the same thing at once.
    Contention,
    /// More work is waiting than the bound allows.
    Busy,
    /// A counter reached its end.
    Exhausted,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Impossible { sid, presented, newest } => write!(
                f,
                "session {sid:?} was shown generation {} but the store knows only {}: the store \
                 lost acknowledged writes; run `symbolon restore --in-place` to open a new epoch",
                presented.0, newest.0
            ),
            Self::Clock => f.write_str(
                "the wall clock left the boot clock or the store's clock by more than 60 s; \
                 correct it; if it is right: symbolon doctor --accept-clock",
            ),
            Self::Store(said) => write!(f, "the store could not answer: {said}"),
            Self::Contention => f.write_str("too many callers changed the same session at once"),
            Self::Busy => f.write_str("too many requests are waiting for the store"),
            Self::Exhausted => f.write_str("a generation counter reached its end; sign in again"),
        }
    }
}

impl std::error::Error for Fault {}
