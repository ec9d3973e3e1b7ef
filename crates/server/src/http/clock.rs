//! `POST /v1/clock`: an operator says that the wall clock is right, though it left the boot clock or lies
//! behind what the store has seen (DESIGN.md §4.1, "Time").

use super::auth;
use super::body::{Object, json_bytes, parse_json};
use super::edge::Context;
use super::problem::Problem;
use super::query::Query;
use crate::api_keys::ApiScope;
use crate::app::Live;
use crate::clock::accept;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockRequest {
    accept: bool,
}

/// Takes the wall clock for right from now on, also after a restart. Nothing that was closed by a later
/// instant reopens: a rule never acts before a session's last instant.
///
/// # Errors
/// The caller may not; `accept` is not `true`; the store could not write it down.
pub async fn post(
    State(live): State<Live>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let app = live.now();
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::Admin).await?;
    Query::read(&uri, &[])?;
    let Object(request): Object<ClockRequest> = parse_json(&json_bytes(&headers, body).await?)?;
    if !request.accept {
        return Err(Problem::member("accept", "must be true; there is nothing else to say here"));
    }
    let seen = app.store.latest_instant();
    accept(&app.store, seen).await?;
    live.change(|app| app.with_clock(app.clock.accepted(seen)));
    let (request_id, by) = (&*context.request_id, super::session_view::by(&caller.actor()));
    tracing::warn!(request_id, by, "the wall clock was accepted as it is");
    Ok(Json(json!({ "now": app.clock.wall().as_seconds() })).into_response())
}
