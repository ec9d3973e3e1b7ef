//! `POST /v1/feed/applied`: a verifier says up to where it applied the feed.

use super::auth::{self, Caller};
use super::body::{Object, json_bytes, parse_json};
use super::edge::Context;
use super::feed::refused;
use super::problem::Problem;
use super::query::Query;
use crate::api_keys::ApiScope;
use crate::app::App;
use crate::feed::{Name, Report, VERIFIERS_MAX};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use symbolon_core::Duration;
use symbolon_wire::feed::Cursor;

/// The longest name of an instance, in characters. Inclusive.
pub const INSTANCE_CHARS_MAX: usize = 64;

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Applied {
    instance: String,
    cursor: String,
    max_staleness_ms: u64,
    #[serde(default)]
    offline_routes: u32,
    age_ms: Option<u64>,
}

/// Notes what a verifier applied, and remembers that it is there.
///
/// # Errors
/// The caller may not; a member is wrong; the cursor is of another feed (410); too many verifiers live.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::RevocationsRead).await?;
    caller.subject_wide("follow the feed")?;
    Query::read(&uri, &[])?;
    let Object(applied): Object<Applied> = parse_json(&json_bytes(&headers, body).await?)?;
    let (name, report) = applied.check(&caller)?;
    app.feed.reach(&app.store, report.cursor).await.map_err(refused)?;
    app.feed.caught_up(&app.store).await.map_err(refused)?;
    app.feed.check(report.cursor).map_err(refused)?;
    if !app.feed.verifiers.report(&name, &report, app.clock.wall()) {
        let detail = format!("{VERIFIERS_MAX} verifiers are live, and no more are counted.");
        let status = StatusCode::CONFLICT;
        return Err(Problem::new(status, "too-many-verifiers", "Too many verifiers", detail));
    }
    if let Err(fault) = app.feed.verifiers.keep(&app, &name).await {
        // It counts all the same, as long as this process lives.
        tracing::warn!(%fault, instance = name.instance, "a verifier could not be remembered");
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl Applied {
    fn check(self, caller: &Caller) -> Result<(Name, Report), Problem> {
        let plain = self.instance.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain || !(1..=INSTANCE_CHARS_MAX).contains(&self.instance.len()) {
            let why = "must be 1 to 64 visible characters of ASCII";
            return Err(Problem::member("instance", why));
        }
        let key = match caller {
            Caller::Key(record) => record.name.clone(),
            Caller::Operator(_) => "operator".to_owned(),
        };
        let report = Report {
            cursor: Cursor::parse(&self.cursor)
                .map_err(|_| Problem::member("cursor", "must be a cursor of this feed"))?,
            bound: Duration::from_millis(self.max_staleness_ms),
            offline_routes: self.offline_routes,
            age: self.age_ms.map(Duration::from_millis),
        };
        Ok((Name { key, instance: self.instance }, report))
    }
}
