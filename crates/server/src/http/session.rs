//! `GET` and `DELETE /v1/sessions/{sid}`: one session.

use super::auth::{self, Caller};
use super::body;
use super::cookies;
use super::edge::Context;
use super::ending::{self, Ending};
use super::problem::Problem;
use super::query::Query;
use super::session_view::SessionView;
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use std::sync::Arc;
use symbolon_core::person::Gone;
use symbolon_core::{Decision, Loaded, SessionId};
use symbolon_store::Committed;
use symbolon_wire::parse_session_id;

/// Shows a session.
///
/// # Errors
/// The caller may not; there is no such session within its reach.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sid: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::SessionsRead).await?;
    Query::read(&uri, &[])?;
    let loaded = app.store.session(read(sid)?).await?.filter(|found| reaches(&caller, found));
    let loaded = loaded.ok_or_else(no_such_session)?;
    Ok(Json(SessionView::new(&app, &loaded, app.now()?)).into_response())
}

/// Ends a session; one that has ended already is answered `"ended":[]`.
///
/// # Errors
/// The caller may not; there is no such session within its reach; the store could not write.
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sid: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::SessionsEnd).await?;
    let sid = read(sid)?;
    body::none(body).await?;
    let query = Query::read(&uri, &ending::PARAMETERS)?;
    let Ending { reason, act, wait } = Ending::read(&query, &context, caller.actor())?;
    let at = app.now()?;
    let decide = |now: Loaded| {
        if !reaches(&caller, &now) {
            return Ok(Decision::unchanged(None));
        }
        let id = now.session.client.clone();
        let policy = app.policies.of(&now.session.client);
        let gone = Gone { sid, client: now.session.client.clone(), reason };
        let ended = now.end(reason, &act, &policy, at);
        Ok(ended.map(|by_this| Some((by_this.then_some(gone), id))))
    };
    ending::say_waits(&app, wait).await;
    let done = app.store.step(sid, decide).await?.ok_or_else(no_such_session)?;
    let (gone, id) = done.reply.ok_or_else(no_such_session)?;
    let done = Committed { reply: gone.into_iter().collect(), position: done.position };
    let client = app.config.clients.get(&id);
    let set_cookie = client.map(|own| cookies::cleared(&app, own)).unwrap_or_default();
    Ok(ending::signed_out(&app, &context, done, (wait, set_cookie)).await)
}

/// Reads the session of a path.
///
/// # Errors
/// It is none.
pub fn read(path: Result<Path<String>, PathRejection>) -> Result<SessionId, Problem> {
    let wrong = || Problem::member("session_id", "must be 22 characters of base64url");
    let Path(text) = path.map_err(|_| wrong())?;
    parse_session_id(&text).map_err(|_| wrong())
}

/// Whether a caller may see and touch a session.
pub(super) fn reaches(caller: &Caller, loaded: &Loaded) -> bool {
    caller.reaches(&loaded.session.client)
}

/// There is none, or none that the caller reaches: which of both is not told.
pub fn no_such_session() -> Problem {
    Problem::not_found("There is no session of this name, or it is not within reach.")
}
