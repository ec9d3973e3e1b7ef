//! `GET` and `PUT /v1/subjects/{sub}`: what is known of a subject.

use super::auth;
use super::body::{Object, json_bytes, parse_json};
use super::edge::Context;
use super::problem::Problem;
use super::query::Query;
use super::start_request::{ROLES_MAX, claims, names};
use super::subject_devices::DevicesView;
use super::subject_sessions::read;
use super::version;
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::ETAG;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;
use symbolon_core::person::{Profile, Replaced};
use symbolon_core::subject::Ban;
use symbolon_core::{Fault, LoadedSubject, SubjectDecision, Timestamp};

/// The body of `PUT /v1/subjects/{sub}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileRequest {
    roles: Option<Vec<String>>,
    claims: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct SubjectView {
    subject: String,
    roles: Vec<Arc<str>>,
    claims: Box<RawValue>,
    ban: Option<BanView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<DevicesView>,
    version: String,
    active_sessions: usize,
}

#[derive(Serialize)]
struct BanView {
    since: u64,
    until: Option<u64>,
    reason: &'static str,
    note: Option<Arc<str>>,
}

#[derive(Serialize)]
struct ReplacedView {
    version: String,
    changed: bool,
}

/// Shows a subject; one that nobody mentioned yet has no roles, no claims and no sessions.
///
/// # Errors
/// The caller may not; the store could not be read.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sub: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::SessionsRead).await?;
    caller.subject_wide("look at a subject at large")?;
    Query::read(&uri, &[])?;
    let (subject, at) = (read(sub)?, app.now()?);
    let view = |now: LoadedSubject| {
        let view = SubjectView::new(&app, &now, at)?;
        Ok(SubjectDecision::unchanged((view, now.version())))
    };
    let shard = app.keys.shards.shard(subject.as_str());
    let (view, version) = app.store.step_subject(&subject, shard, view).await?.reply;
    Ok(([(ETAG, version::etag(version))], Json(view)).into_response())
}

/// Replaces a subject's roles and claims as a whole: a member left out is empty.
///
/// # Errors
/// The caller may not; a member is wrong; the subject is at another version than `If-Match` names.
pub async fn put(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sub: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::SubjectsWrite).await?;
    caller.subject_wide("write a subject")?;
    Query::read(&uri, &[])?;
    let (subject, expected) = (read(sub)?, version::expected(&headers)?);
    let Object(request): Object<ProfileRequest> = parse_json(&json_bytes(&headers, body).await?)?;
    let (profile, at) = (request.check(app.config.profile_bytes_max())?, app.now()?);
    let act = context.act(caller.actor(), None);
    let decide =
        |now: LoadedSubject| Ok(now.replace_profile(&profile, expected.as_deref(), &act, at));
    let shard = app.keys.shards.shard(subject.as_str());
    let done = app.store.step_subject(&subject, shard, decide).await?;
    done.reply.map(replaced).map_err(|version| version::mismatch("subject", version))
}

/// The answer of a call that changes a subject and ends nothing.
pub fn replaced(Replaced { version, changed }: Replaced) -> Response {
    let view = ReplacedView { version: version::text(version), changed };
    ([(ETAG, version::etag(version))], Json(view)).into_response()
}

impl ProfileRequest {
    fn check(self, bytes_max: usize) -> Result<Profile, Problem> {
        let roles = names(self.roles.unwrap_or_default(), "roles", ROLES_MAX)?;
        let claims = match claims(self.claims.as_deref())? {
            none if &*none == "{}" => "".into(),
            claims => claims,
        };
        check_size(&roles, &claims, bytes_max)?;
        Ok(Profile { roles, claims })
    }
}

/// Checks that roles and claims are not more than they may be together.
///
/// # Errors
/// They do not.
pub fn check_size(roles: &[Arc<str>], claims: &str, bytes_max: usize) -> Result<(), Problem> {
    let bytes = serde_json::to_vec(roles).map_or(0, |json| json.len()) + claims.len();
    if bytes <= bytes_max {
        return Ok(());
    }
    let why = format!("and claims have {bytes} bytes; {bytes_max} is the most");
    Err(Problem::member("roles", why))
}

impl SubjectView {
    fn new(app: &App, now: &LoadedSubject, at: Timestamp) -> Result<Self, Fault> {
        let state = &now.subject;
        let claims = if state.claims.is_empty() { "{}" } else { &state.claims };
        let damaged = |_| Fault::Store("a subject's claims are no JSON".into());
        Ok(Self {
            subject: state.subject.as_str().to_owned(),
            roles: state.roles.to_vec(),
            claims: RawValue::from_string(claims.to_owned()).map_err(damaged)?,
            ban: state.banned(at).map(BanView::new),
            devices: DevicesView::new(&state.devices),
            version: version::text(now.version()),
            active_sessions: now.count_active(&app.policies, at),
        })
    }
}

impl BanView {
    fn new(ban: &Ban) -> Self {
        Self {
            since: ban.since.as_seconds(),
            until: ban.until.map(Timestamp::as_seconds),
            reason: ban.reason.as_str(),
            note: ban.note.clone(),
        }
    }
}
