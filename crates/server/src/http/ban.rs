//! `PUT` and `DELETE /v1/subjects/{sub}/ban`: a subject that is not allowed back, for a time or for good.

use super::auth;
use super::body::{self, Object, json_bytes, parse_json};
use super::edge::Context;
use super::ending;
use super::problem::Problem;
use super::query::Query;
use super::subject::replaced;
use super::subject_sessions::read;
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use symbolon_core::subject::{BAN_FOR_MAX, Ban};
use symbolon_core::{LoadedSubject, Reason, Timestamp};

/// What a reason may be.
const KNOWN: &str = "one of the stable reasons, such as `banned` or `key_compromised`";

/// The body of `PUT /v1/subjects/{sub}/ban`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BanRequest {
    until: Option<u64>,
    reason: Option<String>,
    note: Option<String>,
}

/// Bans a subject: all its sessions end, and it cannot sign in.
///
/// # Errors
/// The caller may not; a member is wrong; the store could not write, and then nothing was banned.
pub async fn put(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sub: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::SubjectsWrite).await?;
    caller.subject_wide("ban a subject")?;
    let wait = ending::wait_of(Query::read(&uri, &["wait"])?.get("wait"))?;
    let subject = read(sub)?;
    let Object(request): Object<BanRequest> = parse_json(&json_bytes(&headers, body).await?)?;
    let at = app.now()?;
    let ban = request.check(at)?;
    let act = context.act(caller.actor(), ban.note.clone());
    let decide = |now: LoadedSubject| Ok(now.ban(ban.clone(), &act, &app.policies, at));
    let shard = app.keys.shards.shard(subject.as_str());
    ending::say_waits(&app, wait).await;
    let done = app.store.step_subject(&subject, shard, decide).await?;
    Ok(ending::ended_by(&app, &context, done, wait).await)
}

/// Lifts a ban: the subject may sign in again, and no session that the ban ended revives.
///
/// # Errors
/// The caller may not; the store could not write.
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sub: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::SubjectsWrite).await?;
    caller.subject_wide("lift a ban")?;
    body::none(body).await?;
    let query = Query::read(&uri, &["reason", "note"])?;
    let why = query.parse("reason", KNOWN, Reason::parse)?.unwrap_or(Reason::Banned);
    let act = context.act(caller.actor(), ending::note_of(query.get("note"))?);
    let (subject, at) = (read(sub)?, app.now()?);
    let shard = app.keys.shards.shard(subject.as_str());
    let decide = |now: LoadedSubject| Ok(now.unban((why, &act), at));
    let done = app.store.step_subject(&subject, shard, decide).await?;
    Ok(replaced(done.reply))
}

impl BanRequest {
    fn check(self, at: Timestamp) -> Result<Ban, Problem> {
        Ok(Ban {
            since: at,
            until: self.until.map(|until| future(until, at)).transpose()?,
            reason: self.reason.as_deref().map_or(Ok(Reason::Banned), reason)?,
            note: ending::note_of(self.note.as_deref())?,
        })
    }
}

fn future(seconds: u64, at: Timestamp) -> Result<Timestamp, Problem> {
    let until = Timestamp::from_seconds(seconds);
    let why = match (at < until, until <= at.after(BAN_FOR_MAX)) {
        (true, true) => return Ok(until),
        (false, _) => "lies in the past; it is a time in whole seconds since 1970",
        (true, false) => {
            "lies more than 100 years ahead; a ban without `until` lasts until it is lifted"
        }
    };
    Err(Problem::member("until", why))
}

fn reason(word: &str) -> Result<Reason, Problem> {
    Reason::parse(word).ok_or_else(|| Problem::member("reason", format!("must be {KNOWN}")))
}
