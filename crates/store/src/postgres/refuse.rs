//! Why a PostgreSQL store was not opened.

use super::place::Place;
use super::trouble::said;
use crate::Refusal;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// What an error while opening means.
pub(super) fn error(place: &Place, error: &Error) -> Refusal {
    let (at, what) = (place.shown(), said(error));
    match error.code() {
        Some(code) if denied(code) => Refusal::Rights { at, what },
        Some(_) | None if what.contains("does not allow writes") => Refusal::Setting {
            at,
            what: "it is a standby or read-only".into(),
            instead:
                "name the primary; with several hosts in the URL the one that takes writes is \
                found"
                    .into(),
        },
        Some(_) | None => Refusal::Unreachable { at, what },
    }
}

/// Whether the server knew us and said no.
fn denied(code: &SqlState) -> bool {
    let class = code.code().get(..2);
    class == Some("28")
        || [
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::INVALID_CATALOG_NAME,
            SqlState::UNDEFINED_DATABASE,
        ]
        .contains(code)
}

pub(super) fn foreign(place: &Place) -> Refusal {
    Refusal::AnotherProgram { at: place.shown() }
}

pub(super) fn newer(place: &Place, found: usize, known: usize) -> Refusal {
    Refusal::NewerSchema { at: place.shown(), found, known }
}

pub(super) fn damaged(place: &Place, what: String) -> Refusal {
    Refusal::NotAsWritten { at: place.shown(), what }
}
