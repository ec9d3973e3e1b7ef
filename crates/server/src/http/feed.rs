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
    let caller = allowed(&app, (&context, &headers)).await?;
    let asked = Asked::stream(&uri, &headers)?;
    let standing = Standing::of(&app.store, caller.key());
    if let Some(after) = asked.after {
        app.feed.reach(&app.store, after).await.map_err(refused)?;
    }
    let follower = Follower::after(&app.feed, asked.after, standing).map_err(refused)?;
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
    allowed(&app, (&context, &headers)).await?;
    let Asked { after, wait, nonce } = Asked::poll(&uri)?;
    let after = after.ok_or_else(|| Problem::member("after", "is missing"))?;
    app.feed.reach(&app.store, after).await.map_err(refused)?;
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
    allowed(&app, (&context, &headers)).await?;
    Asked::nothing(&uri)?;
    app.feed.caught_up(&app.store).await.map_err(refused)?;
    let bytes = app.feed.snapshot(&app).await?.map_err(refused)?;
    let mut response = ([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response();
    no_store(response.headers_mut());
    Ok(response)
}

/// Who may ask. A key that is limited to named clients may not: the feed is about everybody.
async fn allowed(app: &App, (context, headers): (&Context, &HeaderMap)) -> Result<Caller, Problem> {
    let caller = auth::caller(app, context, headers, ApiScope::RevocationsRead).await?;
    caller.subject_wide("follow the feed")?;
    Ok(caller)
}

/// What somebody asks of the feed.
#[derive(Default)]
pub(crate) struct Asked {
    /// After which place; none: from now on.
    pub(crate) after: Option<Cursor>,
    /// How long to wait until there is something.
    pub(crate) wait: Duration,
    /// What the checkpoint must repeat.
    pub(crate) nonce: Option<String>,
}

impl Asked {
    /// Reads a question for the stream.
    ///
    /// # Errors
    /// An unknown parameter, or a cursor that is none.
    pub(crate) fn stream(uri: &Uri, headers: &HeaderMap) -> Result<Self, Problem> {
        let query = Query::read(uri, &["after"])?;
        // Whoever comes back repeats the URL that it began with: where it stood is newer.
        let stood = headers.get(LAST_EVENT_ID).map(|value| value.to_str().map(cursor));
        let after = match stood {
            Some(Ok(Some(cursor))) => Some(cursor),
            Some(Ok(None) | Err(_)) => return Err(Problem::member("Last-Event-ID", NO_CURSOR)),
            None => query.parse("after", "a cursor of this feed", cursor)?,
        };
        Ok(Self { after, ..Self::default() })
    }

    /// Reads a question for the next part.
    ///
    /// # Errors
    /// An unknown parameter, or one that is not what it must be.
    pub(crate) fn poll(uri: &Uri) -> Result<Self, Problem> {
        let query = Query::read(uri, &["after", "wait", "nonce"])?;
        let after = query.parse("after", "a cursor of this feed", cursor)?;
        let wait = query.parse("wait", "a duration up to 30s, such as `20s`", |text| {
            parse_duration(text).ok().filter(|wait| *wait <= POLL_WAIT_MAX)
        })?;
        let nonce = query.parse("nonce", "1 to 64 visible characters of ASCII", |text| {
            let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
            (plain && text.len() <= NONCE_CHARS_MAX).then(|| text.to_owned())
        })?;
        Ok(Self { after, wait: wait.unwrap_or_default(), nonce })
    }

    /// Reads the query of a call that takes none.
    ///
    /// # Errors
    /// There is a parameter.
    pub(crate) fn nothing(uri: &Uri) -> Result<(), Problem> {
        Query::read(uri, &[]).map(drop)
    }
}

const NO_CURSOR: &str = "must be a cursor of this feed";

fn cursor(text: &str) -> Option<Cursor> {
    Cursor::parse(text).ok()
}

/// Server-sent events, past proxies that would hold them back.
pub(crate) fn events(body: Body) -> Response {
    let mut response = ([(CONTENT_TYPE, "text/event-stream")], body).into_response();
    no_store(response.headers_mut());
    let no = HeaderValue::from_static("no");
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), no);
    response
}

/// Why the feed is not given.
pub(crate) fn refused(refused: Refused) -> Problem {
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
