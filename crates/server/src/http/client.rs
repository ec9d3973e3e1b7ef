//! `GET` and `PUT /v1/clients/{client_id}`: a client's configuration, and the switches that an operator sets.

use super::auth::{self, Caller};
use super::body::{Object, json_bytes, parse_json};
use super::client_view::ClientView;
use super::edge::Context;
use super::ending::{self, Why};
use super::problem::Problem;
use super::query::Query;
use super::subject::replaced;
use super::version;
use crate::api_keys::ApiScope;
use crate::app::App;
use crate::config::Client;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::ETAG;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use std::sync::Arc;
use symbolon_core::epoch::ReplayFor;
use symbolon_core::revocation::Below;
use symbolon_core::switches::{REPLAY_FOR_MAX, Switches};
use symbolon_core::{Cutoffs, Reason, Replay, Timestamp};

/// The body of `PUT /v1/clients/{client_id}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchesRequest {
    disabled: Option<bool>,
    reason: Option<String>,
    note: Option<String>,
    replay: Option<Object<ReplayRequest>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayRequest {
    mode: String,
    until: u64,
}

/// Shows a client.
///
/// # Errors
/// The caller may not; there is no such client in the configuration.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::Admin).await?;
    Query::read(&uri, &[])?;
    let client = configured(&app, &caller, id)?;
    let (cutoffs, at) = (app.store.cutoffs(), app.now()?);
    let etag = version::etag(cutoffs.client_version(&client.id));
    Ok(([(ETAG, etag)], Json(ClientView::new(client, &cutoffs, at))).into_response())
}

/// Replaces a client's switches as a whole: a member left out is what it is by default, on and as configured.
///
/// # Errors
/// The caller may not; a member is wrong; the client is at another version than `If-Match` names.
pub async fn put(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::Admin).await?;
    Query::read(&uri, &[])?;
    let client = configured(&app, &caller, id)?;
    let expected = version::expected(&headers)?;
    let Object(request): Object<SwitchesRequest> = parse_json(&json_bytes(&headers, body).await?)?;
    let at = app.now()?;
    let (switches, reason) = (request.switches(at)?, request.reason()?);
    let act = context.act(caller.actor(), ending::note_of(request.note.as_deref())?);
    let put = Put { client, switches, why: Why { reason, act, at }, expected };
    let done = app.store.bump(|now| Ok(put.decide(now))).await?;
    let reply = done.reply.map_err(|version| version::mismatch("client", version))?;
    if reply.changed {
        put.note(&context);
    }
    Ok(replaced(reply))
}

fn configured<'a>(
    app: &'a App,
    caller: &Caller,
    id: Result<Path<String>, PathRejection>,
) -> Result<&'a Client, Problem> {
    let none = || Problem::not_found("There is no such client in the configuration.");
    let Path(id) = id.map_err(|_| none())?;
    let client = app.client(&id).ok_or_else(none)?;
    match caller.reaches(&client.id) {
        true => Ok(client),
        false => Err(Problem::forbidden("key-limited", "The API key is limited to other clients.")),
    }
}

/// A replacement, parsed.
struct Put<'a> {
    client: &'a Client,
    switches: Switches,
    why: Why,
    expected: Option<Vec<Below>>,
}

/// What [`Put::decide`] comes to, as [`symbolon_store::Store::bump`] takes it.
type Decided = (Cutoffs, Vec<symbolon_core::Event>, Result<symbolon_core::person::Replaced, Below>);

impl Put<'_> {
    fn decide(&self, now: Cutoffs) -> Decided {
        let mut after = now.clone();
        let (id, expected) = (&self.client.id, self.expected.as_deref());
        match after.replace_switches(id, &self.switches, expected, &self.why.bump(now.epoch)) {
            Ok((replaced, events)) => (after, events, Ok(replaced)),
            Err(version) => (now, Vec::new(), Err(version)),
        }
    }

    /// Says in the log what the history has too.
    fn note(&self, context: &Context) {
        let (request_id, client) = (&*context.request_id, self.client.id.as_str());
        let replay = self.switches.replay.map(|own| own.replay.as_str());
        let (disabled, by) = (self.switches.disabled, super::session_view::by(&self.why.act.actor));
        tracing::info!(request_id, client, disabled, replay, by, "client switched");
    }
}

impl SwitchesRequest {
    fn switches(&self, at: Timestamp) -> Result<Switches, Problem> {
        let replay = self.replay.as_ref().map(|Object(replay)| replay.check(at)).transpose()?;
        Ok(Switches { disabled: self.disabled.unwrap_or_default(), replay })
    }

    fn reason(&self) -> Result<Reason, Problem> {
        let Some(word) = &self.reason else { return Ok(Reason::ClientDisabled) };
        let known = "must be one of the stable reasons, such as `client_disabled` or `admin`";
        Reason::parse(word).ok_or_else(|| Problem::member("reason", known))
    }
}

impl ReplayRequest {
    fn check(&self, at: Timestamp) -> Result<ReplayFor, Problem> {
        let unknown = || Problem::member("replay.mode", "must be `enforce`, `report` or `off`");
        let replay = Replay::parse(&self.mode).ok_or_else(unknown)?;
        let until = Timestamp::from_seconds(self.until);
        match (at < until, until <= at.after(REPLAY_FOR_MAX)) {
            (true, true) => Ok(ReplayFor { replay, until }),
            (false, _) => Err(Problem::member("replay.until", "lies in the past")),
            (true, false) => Err(Problem::member(
                "replay.until",
                "lies more than 30 days ahead; what is to last longer belongs into the configuration",
            )),
        }
    }
}
