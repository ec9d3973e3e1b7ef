//! Metadata and key set of the authority, passed on byte by byte and kept for when it is away.

use super::Sidecar;
use super::upstream::{Answer, Upstream};
use crate::clock::monotonic;
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::sync::atomic::Ordering;
use symbolon_core::Duration;
use tokio::sync::Mutex;

/// How long a document is passed on without asking again. Exclusive: however many ask here, the authority is asked
/// this often.
pub const FRESH_FOR: Duration = Duration::from_secs(5);

/// A document of the authority.
pub(super) struct Document {
    path: &'static str,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    at: Duration,
    headers: HeaderMap,
    body: Bytes,
}

impl Document {
    pub(super) fn at(path: &'static str) -> Self {
        Self { path, kept: Mutex::default() }
    }

    /// The document: as it is now, or as it was last while the authority cannot be asked.
    ///
    /// # Errors
    /// The authority cannot be asked and never was.
    pub(super) async fn get(
        &self,
        upstream: &Upstream,
        changed: bool,
    ) -> Result<(HeaderMap, Bytes), Problem> {
        let mut kept = self.kept.lock().await;
        let is_fresh = |own: &Kept| monotonic().saturating_sub(own.at) < FRESH_FOR && !changed;
        if !kept.as_ref().is_some_and(is_fresh) {
            match upstream.get(self.path, None).await.map(Answer::or_refusal) {
                Ok(Ok(answer)) => *kept = Some(Kept::of(&answer)),
                Ok(Err(refused)) if kept.is_none() => return Err(refused),
                Err(why) if kept.is_none() => return Err(why.into()),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        let own = kept.as_ref().ok_or(super::upstream::NoAnswer::Unreachable)?;
        Ok((own.headers.clone(), own.body.clone()))
    }
}

impl Kept {
    fn of(answer: &Answer) -> Self {
        let own = |name: HeaderName| answer.headers.get(&name).map(|value| (name, value.clone()));
        let headers = [CONTENT_TYPE, CACHE_CONTROL].into_iter().filter_map(own).collect();
        Self { at: monotonic(), headers, body: answer.body.clone() }
    }
}

/// `GET /.well-known/oauth-authorization-server`: the authority's own.
///
/// # Errors
/// It was never had.
pub(super) async fn metadata(State(sidecar): State<Sidecar>) -> Result<Response, Problem> {
    let document = sidecar.inner.metadata.get(&sidecar.inner.upstream, false).await?;
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
    /// The key set as the authority publishes it; fetched anew once the feed has said that it changed.
    pub(super) async fn jwks(&self) -> Result<(HeaderMap, Bytes), Problem> {
        let changed = self.inner.relay.keys_changed.swap(false, Ordering::AcqRel);
        self.inner.jwks.get(&self.inner.upstream, changed).await
    }
}
