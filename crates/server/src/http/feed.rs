//! `GET /v1/feed`, `/v1/feed/poll` and `/v1/feed/snapshot`: what verifiers are told (docs/DESIGN.md §4.4).

use super::auth::{self, Caller};
use super::edge::{Context, no_store};
use super::problem::Problem;
use super::query::Query;
use crate::api_keys::ApiScope;
use crate::app::{App, Live};
use crate::config::parse_duration;
use crate::feed::{Follower, Poll, Refused};
use crate::standing::Standing;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use symbolon_core::Duration;
use symbolon_wire::feed::{Cursor, NONCE_CHARS_MAX};

/// How long a poll may wait for something to be told. Inclusive.
pub const POLL_WAIT_MAX: Duration = Duration::from_secs(30);

/// Where a stream that broke goes on, as browsers say it (WHATWG HTML §9.2).
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Follows the feed after a cursor, in `after` or `Last-Event-ID`; without one, from now on.
///
/// # Errors
/// The caller may not; the cursor is none (400), or too old or of another feed (410); it is not ready.
pub async fn stream(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (caller, query) = asked(&app, (&context, &headers), &uri, &["after"]).await?;
    // Whoever comes back repeats the URL that it began with: where it stood is newer.
    let stood = headers.get(LAST_EVENT_ID).map(|value| value.to_str().map(cursor));
    let after = match stood {
        Some(Ok(Some(cursor))) => Some(cursor),
        Some(Ok(None) | Err(_)) => return Err(Problem::member("Last-Event-ID", NO_CURSOR)),
        None => query.parse("after", "a cursor of this feed", cursor)?,
    };
    let standing = Standing::of(&app.store, caller.key());
    let follower = Follower::after(&app.feed, after, standing).map_err(refused)?;
    Ok(events(follower.into_body()))
}

/// The next part of the feed, which ends with a checkpoint; waits for it if asked to.
///
/// # Errors
/// As [`stream`]'s; without a `wait`, that the store could not be read.
pub async fn poll(
    State(live): State<Live>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let app = live.now();
    let known = ["after", "wait", "nonce"];
    let (_, query) = asked(&app, (&context, &headers), &uri, &known).await?;
    let after = query.parse("after", "a cursor of this feed", cursor)?;
    let after = after.ok_or_else(|| Problem::member("after", "is missing"))?;
    let wait = query.parse("wait", "a duration up to 30s, such as `20s`", |text| {
        parse_duration(text).ok().filter(|wait| *wait <= POLL_WAIT_MAX)
    })?;
    let nonce = query.parse("nonce", "1 to 64 visible characters of ASCII", |text| {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        (plain && text.len() <= NONCE_CHARS_MAX).then(|| text.to_owned())
    })?;
    let wait = wait.unwrap_or_default();
    app.feed.caught_up(&app.store).await.map_err(refused)?;
    let poll = Poll::after(&live, after, nonce, wait).map_err(refused)?;
    let body = if wait.is_zero() { Body::from(poll.now()?) } else { poll.into_body() };
    Ok(events(body))
}

/// Everything that a verifier must know, at one place of the feed.
///
/// # Errors
/// The caller may not; it is not ready, or too many are being sent.
pub async fn snapshot(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    asked(&app, (&context, &headers), &uri, &[]).await?;
    app.feed.caught_up(&app.store).await.map_err(refused)?;
    let bytes = app.feed.snapshot(&app).await?.map_err(refused)?;
    let mut response = ([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response();
    no_store(response.headers_mut());
    Ok(response)
}

/// Who may ask, and what for. A key that is limited to named clients may not: the feed is about everybody.
pub(super) async fn asked(
    app: &App,
    (context, headers): (&Context, &HeaderMap),
    uri: &Uri,
    known: &[&str],
) -> Result<(Caller, Query), Problem> {
    let caller = auth::caller(app, context, headers, ApiScope::RevocationsRead).await?;
    caller.subject_wide("follow the feed")?;
    Ok((caller, Query::read(uri, known)?))
}

const NO_CURSOR: &str = "must be a cursor of this feed";

fn cursor(text: &str) -> Option<Cursor> {
    Cursor::parse(text).ok()
}

/// Server-sent events, past proxies that would hold them back.
pub(super) fn events(body: Body) -> Response {
    let mut response = ([(CONTENT_TYPE, "text/event-stream")], body).into_response();
    no_store(response.headers_mut());
    let no = HeaderValue::from_static("no");
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), no);
    response
}

/// Why the feed is not given.
pub(super) fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Gone => {
            let detail = "The cursor is too old, or not one of this feed: of another store epoch, or \
                          changed on the way. Begin again with `GET /v1/feed/snapshot`.";
            Problem::new(StatusCode::GONE, "cursor-gone", "Cursor gone", detail)
        }
        Refused::NotReady => {
            let detail = "The feed is being read, or the store cannot be read just now.";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(status, "feed-not-ready", "Try again", detail).retry_after(1)
        }
        Refused::Crowded => {
            let detail = "As many follow as may, or too many snapshots are being sent.";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(status, "feed-crowded", "Try again", detail).retry_after(1)
        }
    }
}
