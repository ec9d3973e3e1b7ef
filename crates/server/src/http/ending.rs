//! What every call that ends sessions takes and answers.

use super::edge::Context;
use super::problem::Problem;
use super::query::Query;
use super::tokens::EndedSession;
use crate::app::App;
use crate::config::parse_duration;
use crate::feed::{Heard, WAIT_MAX, until_applied};
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use symbolon_core::client::ACCESS_TTL_MAX;
use symbolon_core::epoch::Bump;
use symbolon_core::person::{Ended, Gone};
use symbolon_core::revocation::{Act, Actor, LEEWAY_MAX};
use symbolon_core::{Duration, Reason, StoreEpoch, Timestamp};
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
    /// How long to wait until every verifier has heard, if at all.
    pub wait: Option<Duration>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    verifiers: Option<Heard>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    set_cookie: Vec<String>,
}

impl Ending {
    /// Reads `reason`, `note` and `wait`.
    ///
    /// # Errors
    /// An unknown reason, a note that is too long, or a `wait` that is no duration or too long.
    pub fn read(query: &Query, context: &Context, actor: Actor) -> Result<Self, Problem> {
        let wait = wait_of(query.get("wait"))?;
        let known = "one of the stable reasons, such as `kicked` or `password_changed`";
        let reason = query.parse("reason", known, Reason::parse)?.unwrap_or(Reason::Kicked);
        let note = note_of(query.get("note"))?;
        Ok(Self { reason, act: context.act(actor, note), wait })
    }
}

/// Reads how long to wait for verifiers.
///
/// # Errors
/// It is no duration, or longer than anybody may wait.
pub fn wait_of(text: Option<&str>) -> Result<Option<Duration>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let wait = parse_duration(text).ok().filter(|wait| *wait <= WAIT_MAX);
    wait.map(Some)
        .ok_or_else(|| Problem::member("wait", "must be a duration up to 10s, such as `2s`"))
}

/// Says that somebody is going to wait, if they are: to be said before what they wait for is committed. If it cannot be
/// said, verifiers that report to another node are named as ones that have not applied it.
pub async fn say_waits(app: &App, wait: Option<Duration>) {
    if let Err(fault) = app.feed.say_waits(app, wait).await {
        tracing::warn!(%fault, "the other nodes were not told that somebody waits for verifiers");
    }
}

/// Waits until every verifier has heard of what stands at a position, if that was asked for.
pub async fn heard(app: &App, position: u64, wait: Option<Duration>) -> Option<Heard> {
    Some(until_applied(app, position, wait?).await)
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

/// Counts the sessions that a call ended, waits if that was asked for, and answers it.
pub async fn ended_by(
    app: &App,
    context: &Context,
    done: Committed<Ended>,
    wait: Option<Duration>,
) -> Response {
    done.reply.iter().for_each(|gone| note(app, context, gone));
    let verifiers = heard(app, done.position, wait).await;
    ended((done.reply, done.position), verifiers)
}

/// The same for the one session that a browser was in, with the lines that take its cookies away.
pub async fn signed_out(
    app: &App,
    context: &Context,
    done: Committed<Ended>,
    (wait, set_cookie): (Option<Duration>, Vec<String>),
) -> Response {
    done.reply.iter().for_each(|gone| note(app, context, gone));
    let verifiers = heard(app, done.position, wait).await;
    let ended = done.reply.into_iter().map(EndedSession::from).collect();
    Json(Answer { ended, position: done.position, verifiers, set_cookie }).into_response()
}

/// Counts a session that ended, and says so in the log.
pub fn note(app: &App, context: &Context, gone: &Gone) {
    app.metrics.ended(&gone.client, gone.reason);
    let (request_id, reason) = (&*context.request_id, gone.reason.as_str());
    tracing::info!(request_id, sid = session_id_text(gone.sid), reason, "session ended");
}

/// The answer of an ending call.
pub fn ended((sessions, position): (Ended, u64), verifiers: Option<Heard>) -> Response {
    let ended = sessions.into_iter().map(EndedSession::from).collect();
    Json(Answer { ended, position, verifiers, set_cookie: Vec::new() }).into_response()
}
