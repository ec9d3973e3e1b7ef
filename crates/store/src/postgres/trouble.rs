//! What an error of the server means for whoever waits.

use symbolon_core::Fault;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Why something was not done.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// Nothing was written, and it may be tried again: somebody else was in the way.
    Again(Fault),
    /// Nothing was written, and it may be tried again on another connection.
    Reconnect(Fault),
    /// It cannot be done, or it is not known whether it was.
    Over(Fault),
}

impl Trouble {
    pub(super) fn again(why: &str) -> Self {
        Self::Reconnect(Fault::Store(why.to_owned()))
    }

    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Again(fault) | Self::Reconnect(fault) | Self::Over(fault) => fault,
        }
    }

    /// The trouble of a statement that was asked before its transaction's commit: the commit did nothing, if the
    /// server said so. Without its answer both may have come through.
    pub(super) fn before_commit(error: &Error) -> Self {
        match error.as_db_error() {
            Some(_) => Self::from_ref(error),
            None => Self::Over(fault(error)),
        }
    }

    /// The trouble of a commit itself: nobody knows, save where the server says that it rolled back.
    pub(super) fn of_commit(error: &Error) -> Self {
        match error.code() {
            Some(code) if in_the_way(code) => Self::Again(fault(error)),
            Some(_) | None => Self::Over(fault(error)),
        }
    }

    fn from_ref(error: &Error) -> Self {
        match error.code() {
            Some(code) if in_the_way(code) => Self::Again(fault(error)),
            Some(code) if elsewhere(code) => Self::Reconnect(fault(error)),
            Some(_) => Self::Over(fault(error)),
            None => Self::Reconnect(fault(error)),
        }
    }
}

/// The trouble of a reading, or of a statement whose transaction was not committed yet.
impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::from_ref(&error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Over(fault)
    }
}

/// Another transaction was there first: the server rolled ours back.
fn in_the_way(code: &SqlState) -> bool {
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::UNIQUE_VIOLATION,
    ]
    .contains(code)
}

/// This server ends, begins, or is no primary any more.
fn elsewhere(code: &SqlState) -> bool {
    let class = code.code().get(..2);
    class == Some("08") || class == Some("57") || *code == SqlState::READ_ONLY_SQL_TRANSACTION
}

/// What the server or the system said, without any value that was sent.
pub(super) fn said(error: &Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} (SQLSTATE {})", error.message(), error.code().code()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

pub(super) fn fault(error: &Error) -> Fault {
    Fault::Store(format!("PostgreSQL: {}", said(error)))
}
