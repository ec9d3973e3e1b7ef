//! Metadata and key set of the authority, passed on byte by byte and kept for when it is away.

use super::Sidecar;
use super::upstream::{Answer, NoAnswer, Upstream};
use crate::clock::monotonic;
use crate::http::Stop;
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::sync::atomic::{AtomicU64, Ordering};
use symbolon_core::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a document is passed on without asking again. Exclusive: however many ask here, the authority is asked
/// this often.
pub const FRESH_FOR: Duration = Duration::from_secs(5);

/// The same after it could not be had. Exclusive.
const AGAIN: Duration = Duration::from_secs(1);

/// How old what is kept for an outage may be when it begins, whether anybody asks or not.
const KEPT_EVERY: Duration = Duration::from_secs(60);

/// A document of the authority.
pub(super) struct Document {
    path: &'static str,
    state: Mutex<Known>,
}

/// What is known of a document.
#[derive(Default)]
struct Known {
    /// When to ask again.
    due: Duration,
    /// How often it had changed when it was asked for last.
    changes: u64,
    last: Option<(HeaderMap, Bytes)>,
}

impl Document {
    pub(super) fn at(path: &'static str) -> Self {
        Self { path, state: Mutex::default() }
    }

    /// The document: as it is now, or as it was last while the authority cannot be asked. `changes` counts how often
    /// the authority said that it is another.
    ///
    /// # Errors
    /// The authority cannot be asked and never was.
    pub(super) async fn get(
        &self,
        upstream: &Upstream,
        changes: &AtomicU64,
    ) -> Result<(HeaderMap, Bytes), Problem> {
        let mut known = self.state.lock().await;
        let changes = changes.load(Ordering::Acquire);
        if known.changes != changes || known.due <= monotonic() {
            let answer = upstream.get(self.path, None).await;
            let fetched = answer.map_err(Problem::from).and_then(Answer::or_refusal);
            let pause = if fetched.is_ok() { FRESH_FOR } else { AGAIN };
            known.due = monotonic().saturating_add(pause);
            match fetched {
                Ok(answer) => {
                    // Only now: whoever gives up on the way leaves it to the next one.
                    known.changes = changes;
                    known.last = Some(passed_on(answer));
                }
                Err(why) if known.last.is_none() => return Err(why),
                Err(_) => {}
            }
        }
        known.last.clone().ok_or_else(|| NoAnswer::Unreachable.into())
    }
}

fn passed_on(answer: Answer) -> (HeaderMap, Bytes) {
    let own = |name: HeaderName| answer.headers.get(&name).map(|value| (name, value.clone()));
    let headers = [CONTENT_TYPE, CACHE_CONTROL].into_iter().filter_map(own).collect();
    (headers, answer.body)
}

/// `GET /.well-known/oauth-authorization-server`: the authority's own.
///
/// # Errors
/// It was never had.
pub(super) async fn metadata(State(sidecar): State<Sidecar>) -> Result<Response, Problem> {
    let document = sidecar.metadata().await?;
    Ok(document.into_response())
}

/// `GET /.well-known/jwks.json`: the authority's own.
///
/// # Errors
/// It was never had.
pub(super) async fn jwks(State(sidecar): State<Sidecar>) -> Result<Response, Problem> {
    Ok(sidecar.jwks().await?.into_response())
}

impl Sidecar {
    /// Keeps both for an outage that may come, until told to stop.
    pub(super) async fn keep_documents(&self, mut stop: Stop) {
        loop {
            let metadata = self.metadata().await;
            let had = metadata.and(self.jwks().await).is_ok();
            let pause = if had { KEPT_EVERY } else { AGAIN };
            if timeout(pause, stop.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
        }
    }

    /// The key set as the authority publishes it; fetched anew once the feed has said that it changed.
    pub(super) async fn jwks(&self) -> Result<(HeaderMap, Bytes), Problem> {
        self.inner.jwks.get(&self.inner.upstream, &self.inner.relay.keys_changed).await
    }

    /// The metadata, of which no feed says that they changed.
    pub(super) async fn metadata(&self) -> Result<(HeaderMap, Bytes), Problem> {
        self.inner.metadata.get(&self.inner.upstream, &AtomicU64::new(0)).await
    }
}
