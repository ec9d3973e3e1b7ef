//! `POST /v1/subjects/{sub}/erase`: everything ends, and the person is forgotten.

use super::auth;
use super::body;
use super::edge::Context;
use super::ending::{self, Ending};
use super::problem::Problem;
use super::query::Query;
use super::subject_sessions::read;
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use std::sync::Arc;
use symbolon_core::LoadedSubject;

/// Erases a subject. Counters stay, so that no token of before comes back to life, and so does the bare
/// fact of a ban; the history keeps what was done until it is forgotten by itself.
///
/// # Errors
/// The caller may not; a parameter is wrong; the store could not write, and then nothing was erased.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sub: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::SubjectsWrite).await?;
    caller.subject_wide("erase a subject")?;
    body::none(body).await?;
    let query = Query::read(&uri, &ending::PARAMETERS)?;
    let Ending { reason, act, wait } = Ending::read(&query, &context, caller.actor())?;
    let (subject, at) = (read(sub)?, app.now()?);
    let decide = |now: LoadedSubject| Ok(now.erase((reason, &act), &app.policies, at));
    let shard = app.keys.shards.shard(subject.as_str());
    ending::say_waits(&app, wait).await;
    let done = app.store.step_subject_whole(&subject, shard, decide).await?;
    Ok(ending::ended_by(&app, &context, done, wait).await)
}
