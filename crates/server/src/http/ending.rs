//! What every call that ends sessions takes and answers.

use super::edge::Context;
use super::problem::Problem;
use super::query::Query;
use super::tokens::EndedSession;
use crate::app::App;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use symbolon_core::client::ACCESS_TTL_MAX;
use symbolon_core::epoch::Bump;
use symbolon_core::person::{Ended, Gone};
use symbolon_core::revocation::{Act, Actor, LEEWAY_MAX};
use symbolon_core::{Reason, StoreEpoch, Timestamp};
use symbolon_store::Committed;
use symbolon_wire::session_id_text;

/// The longest note, in bytes. Inclusive.
pub const NOTE_BYTES_MAX: usize = 500;

/// The parameters of every ending call.
pub const PARAMETERS: [&str; 3] = ["reason", "note", "wait"];

/// Why and by whom sessions are ended.
pub struct Ending {
    /// Why.
    pub reason: Reason,
    /// By whom.
    pub act: Act,
}

/// Why, by whom and when something above all sessions is revoked.
#[derive(Clone)]
pub struct Why {
    /// Why.
    pub reason: Reason,
    /// By whom.
    pub act: Act,
    /// When.
    pub at: Timestamp,
}

impl Why {
    /// A bump that hits tokens which live as long as any configuration lets them: another may have been in
    /// force when they were issued.
    pub fn bump(&self, epoch: StoreEpoch) -> Bump {
        Bump {
            epoch,
            reason: self.reason,
            at: self.at,
            tokens_live_until: self.at.after(ACCESS_TTL_MAX).after(LEEWAY_MAX),
            act: self.act.clone(),
        }
    }
}

#[derive(Serialize)]
struct Answer {
    ended: Vec<EndedSession>,
    position: u64,
}

impl Ending {
    /// Reads `reason`, `note` and `wait`.
    ///
    /// # Errors
    /// An unknown reason, a note that is too long, or `wait`, which comes with the feed.
    pub fn read(query: &Query, context: &Context, actor: Actor) -> Result<Self, Problem> {
        no_wait(query)?;
        let known = "one of the stable reasons, such as `kicked` or `password_changed`";
        let reason = query.parse("reason", known, Reason::parse)?.unwrap_or(Reason::Kicked);
        let note = note_of(query.get("note"))?;
        Ok(Self { reason, act: context.act(actor, note) })
    }
}

/// Refuses `wait`, which comes with the feed.
///
/// # Errors
/// It is there.
pub fn no_wait(query: &Query) -> Result<(), Problem> {
    if query.get("wait").is_some() { Err(wait_unavailable()) } else { Ok(()) }
}

/// Reads what somebody wrote about what they do.
///
/// # Errors
/// It is too long.
pub fn note_of(note: Option<&str>) -> Result<Option<Arc<str>>, Problem> {
    match note {
        Some(note) if NOTE_BYTES_MAX < note.len() => {
            Err(Problem::member("note", "is longer than 500 bytes"))
        }
        note => Ok(note.map(Into::into)),
    }
}

/// Counts the sessions that a call ended, and answers it.
pub fn ended_by(app: &App, context: &Context, done: Committed<Ended>) -> Response {
    done.reply.iter().for_each(|gone| note(app, context, gone));
    ended(done.reply, done.position)
}

/// Counts a session that ended, and says so in the log.
pub fn note(app: &App, context: &Context, gone: &Gone) {
    app.metrics.ended(&gone.client, gone.reason);
    let (request_id, reason) = (&*context.request_id, gone.reason.as_str());
    tracing::info!(request_id, sid = session_id_text(gone.sid), reason, "session ended");
}

/// The answer of an ending call.
pub fn ended(sessions: Ended, position: u64) -> Response {
    let ended = sessions.into_iter().map(EndedSession::from).collect();
    Json(Answer { ended, position }).into_response()
}

/// Nothing was done: whoever waits for verifiers must not be told that they have heard.
pub(super) fn wait_unavailable() -> Problem {
    let detail = "`wait` needs the revocation feed, which this version does not have. Nothing was \
                  ended: ask again without `wait`.";
    let status = StatusCode::NOT_IMPLEMENTED;
    Problem::new(status, "wait-unavailable", "Waiting is not available", detail)
}
