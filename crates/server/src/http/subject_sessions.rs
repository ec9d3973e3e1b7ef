//! `GET` and `DELETE /v1/subjects/{sub}/sessions`: all sessions of one subject.

use super::auth;
use super::body;
use super::edge::Context;
use super::ending::{self, Ending};
use super::problem::Problem;
use super::query::Query;
use super::sessions::{Wanted, list, read_state};
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use std::sync::Arc;
use symbolon_core::{ClientId, LoadedSubject, Subject, Which, id};

/// Lists a subject's sessions: those that are active, unless `state` says otherwise.
///
/// # Errors
/// The caller may not; a filter is wrong.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sub: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::SessionsRead).await?;
    let query = Query::read(&uri, &["client_id", "device_class", "state", "limit", "cursor"])?;
    let state = read_state(&query)?.unwrap_or(Some(true));
    let wanted = Wanted::read(&query, Some(read(sub)?), state)?;
    list(&app, &caller, &wanted).await
}

/// Ends those of a subject's sessions that the filters name; without filters, all.
///
/// # Errors
/// The caller may not; a filter is wrong; the store could not write.
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sub: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::SessionsEnd).await?;
    caller.subject_wide("end a subject's sessions at large")?;
    let known = ["except", "device_class", "device_id", "client_id", "reason", "note", "wait"];
    body::none(body).await?;
    let query = Query::read(&uri, &known)?;
    let Ending { reason, act, wait } = Ending::read(&query, &context, caller.actor())?;
    let (subject, which) = (read(sub)?, which(&query)?);
    let at = app.now()?;
    let shard = app.keys.shards.shard(subject.as_str());
    let decide =
        |now: LoadedSubject| Ok(now.end_sessions(&which, (reason, &act), &app.policies, at));
    ending::say_waits(&app, wait).await;
    let done = app.store.step_subject(&subject, shard, decide).await?;
    Ok(ending::ended_by(&app, &context, done, wait).await)
}

fn which(query: &Query) -> Result<Which, Problem> {
    Ok(Which {
        only: None,
        except: query.sid("except")?,
        class: query.device_class()?,
        device_id: query.parse("device_id", "1 to 255 bytes of text", |t| id::name(t).ok())?,
        client: query.parse("client_id", "a client's name", |c| ClientId::parse(c).ok())?,
    })
}

/// Reads the subject of a path.
///
/// # Errors
/// It is none.
pub fn read(path: Result<Path<String>, PathRejection>) -> Result<Subject, Problem> {
    let Path(text) = path.map_err(|_| Problem::member("subject", "is not valid UTF-8"))?;
    Subject::parse(&text).map_err(|why| Problem::member("subject", why))
}
