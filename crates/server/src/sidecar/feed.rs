//! `/v1/feed` for verifiers behind: the authority's own frames, and what only the authority can answer passed up.

use super::{KNOWN_FOR, Sidecar};
use crate::feed::{Follower, Refused, RelayedPart};
use crate::http::body::json_bytes;
use crate::http::edge::no_store;
use crate::http::feed::{Asked, events, refused};
use crate::http::problem::Problem;
use crate::standing::Standing;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio::time::timeout;

/// `GET /v1/feed`: follows the feed after a cursor.
///
/// # Errors
/// The caller may not; the cursor is none (400) or not held here (410); the authority is not heard.
pub(super) async fn stream(
    State(sidecar): State<Sidecar>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    sidecar.caller(&headers).await?;
    let asked = Asked::stream(&uri, &headers)?;
    let good = Arc::new(AtomicBool::new(true));
    let standing = Standing::elsewhere(Arc::clone(&good));
    let follower =
        Follower::after(&sidecar.inner.relay.feed, asked.after, standing).map_err(refused)?;
    // There are as many of these as there are followers, of whom there are so many at the most.
    tokio::spawn(sidecar.clone().watch(headers, Arc::downgrade(&good)));
    Ok(events(follower.into_body()))
}

/// `GET /v1/feed/poll`: the next part. A question for the time is the authority's to answer.
///
/// # Errors
/// As [`stream`]'s.
pub(super) async fn poll(
    State(sidecar): State<Sidecar>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = sidecar.caller(&headers).await?;
    let asked = Asked::poll(&uri)?;
    let after = asked.after.ok_or_else(|| Problem::member("after", "is missing"))?;
    if asked.nonce.is_some() {
        let path = uri.path_and_query().map_or("/v1/feed/poll", |whole| whole.as_str());
        let answer = sidecar.inner.upstream.get(path, Some(&caller)).await?.or_refusal()?;
        return Ok(events(Body::from(answer.body)));
    }
    let part = RelayedPart::after(&sidecar.inner.relay.feed, after, asked.wait).map_err(refused)?;
    Ok(events(match asked.wait.is_zero() {
        true => Body::from(part.ready().await.map_err(refused)?),
        false => part.into_body(),
    }))
}

/// `GET /v1/feed/snapshot`: the newest that the authority signed and that this feed goes on from.
///
/// # Errors
/// The caller may not; there is none yet.
pub(super) async fn snapshot(
    State(sidecar): State<Sidecar>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    sidecar.caller(&headers).await?;
    Asked::nothing(&uri)?;
    let bytes = sidecar.inner.relay.snapshot();
    let bytes = bytes.ok_or_else(|| refused(Refused::NotReady))?;
    let mut response = ([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response();
    no_store(response.headers_mut());
    Ok(response)
}

/// `POST /v1/feed/applied`, `/v1/feed/ended` and `/v1/activity`: passed up as the caller's own.
///
/// # Errors
/// What the authority refuses; it cannot be asked.
pub(super) async fn pass_up(
    State(sidecar): State<Sidecar>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = sidecar.caller(&headers).await?;
    Asked::nothing(&uri)?;
    let json = json_bytes(&headers, body).await?;
    let answer = sidecar.inner.upstream.post(uri.path(), &caller, json).await?.or_refusal()?;
    if answer.status == StatusCode::NO_CONTENT {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(([(CONTENT_TYPE, "application/json")], answer.body).into_response())
}

impl Sidecar {
    /// Puts the key of an open stream to the authority again, for as long as the stream is read.
    async fn watch(self, headers: HeaderMap, good: Weak<AtomicBool>) {
        loop {
            // Nothing but time is waited for: the judgement before it is good for as long.
            let _ = timeout(KNOWN_FOR, std::future::pending::<()>()).await;
            let Some(good) = good.upgrade() else { return };
            let refused = self.caller(&headers).await.err();
            let gone = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
            if refused.is_some_and(|problem| gone.contains(&problem.status())) {
                good.store(false, Ordering::Relaxed);
                return;
            }
        }
    }

    async fn caller(&self, headers: &HeaderMap) -> Result<axum::http::HeaderValue, Problem> {
        self.inner.callers.check(&self.inner.upstream, headers).await
    }
}
