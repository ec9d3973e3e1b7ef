//! The way to the authority for what a sidecar passes up: bounded in number, in size and in time.

use super::SetupError;
use crate::http::problem::Problem;
use crate::outbound::{Outbound, outbound};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use symbolon_core::Duration;
use symbolon_wire::feed::{ENTRIES_MAX, RECORD_BYTES};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How many questions may be with the authority at once. Inclusive; more wait for their turn.
pub const QUESTIONS_MAX: usize = 64;

/// How many may be there or wait. Inclusive; one more is refused at once.
pub const WAITING_MAX: usize = 512;

/// How long an answer may take, the turn included. Inclusive.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The longest answer, in bytes. Inclusive: what a poll may bring.
pub(super) const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How long a snapshot may take. Inclusive.
pub(super) const SNAPSHOT_MAX: Duration = Duration::from_secs(120);

/// The longest snapshot, in bytes. Inclusive.
const SNAPSHOT_BYTES_MAX: usize = ENTRIES_MAX * RECORD_BYTES + 8 * 1024;

/// What the authority said.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there was no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoAnswer {
    /// Nothing answers there, or the connection broke.
    Unreachable,
    /// It took too long.
    Late,
    /// Too many ask.
    Crowded,
}

impl From<NoAnswer> for Problem {
    fn from(why: NoAnswer) -> Self {
        let detail = match why {
            NoAnswer::Unreachable => "The authority cannot be reached from this sidecar.",
            NoAnswer::Late => "The authority did not answer this sidecar in time.",
            NoAnswer::Crowded => "Too many questions for the authority wait at this sidecar.",
        };
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "authority-away", "Try again", detail).retry_after(1)
    }
}

/// Asks the authority. Follows no redirect: an API key travels.
pub(super) struct Upstream {
    client: Outbound,
    base: Box<str>,
    waiting: Semaphore,
    open: Semaphore,
}

impl Upstream {
    /// `base` is the authority's URL.
    pub(super) fn new(base: &str) -> Result<Self, SetupError> {
        let client =
            outbound().map_err(|_| SetupError::Verifier(symbolon_verify::SetupError::Tls))?;
        let base = base.trim_end_matches('/').into();
        let (waiting, open) = (Semaphore::new(WAITING_MAX), Semaphore::new(QUESTIONS_MAX));
        Ok(Self { client, base, waiting, open })
    }

    /// Asks for something, as somebody or as nobody.
    pub(super) async fn get(
        &self,
        path: &str,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, NoAnswer> {
        self.ask(self.request(Method::GET, path, authorization, Bytes::new())).await
    }

    /// Sends JSON.
    pub(super) async fn post(
        &self,
        path: &str,
        authorization: &HeaderValue,
        json: Bytes,
    ) -> Result<Answer, NoAnswer> {
        let mut request = self.request(Method::POST, path, Some(authorization), json);
        let kind = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        self.ask(request).await
    }

    /// Asks what its gate says of a request with this method, path and these headers.
    pub(super) async fn check(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
    ) -> Result<Answer, NoAnswer> {
        let Some(uri) = self.try_at(path) else { return Err(NoAnswer::Unreachable) };
        let mut request = Request::new(Full::default());
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
        *request.headers_mut() = headers;
        self.ask(request).await
    }

    /// Asks about a token (RFC 7662 §2.1), as somebody.
    pub(super) async fn introspect(
        &self,
        authorization: &HeaderValue,
        token: &str,
    ) -> Result<Answer, NoAnswer> {
        let form = format!("token={}", utf8_percent_encode(token, NON_ALPHANUMERIC));
        let path = "/oauth2/introspect";
        let mut request = self.request(Method::POST, path, Some(authorization), form.into());
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        self.ask(request).await
    }

    /// Fetches a snapshot, which may be large.
    pub(super) async fn snapshot(&self, authorization: &HeaderValue) -> Result<Answer, NoAnswer> {
        let path = "/v1/feed/snapshot";
        let request = self.request(Method::GET, path, Some(authorization), Bytes::new());
        let whole = self.exchange(request, SNAPSHOT_BYTES_MAX);
        timeout(SNAPSHOT_MAX, whole).await.unwrap_or(Err(NoAnswer::Late))
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let _place = self.waiting.try_acquire().map_err(|_| NoAnswer::Crowded)?;
        let asking = async {
            let _turn = self.open.acquire().await.map_err(|_| NoAnswer::Crowded)?;
            self.exchange(request, ANSWER_BYTES_MAX).await
        };
        timeout(ANSWER_MAX, asking).await.unwrap_or(Err(NoAnswer::Late))
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<Answer, NoAnswer> {
        let answer = self.client.request(request).await.map_err(|_| NoAnswer::Unreachable)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, bytes_max).collect().await;
        let body = body.map_err(|_| NoAnswer::Unreachable)?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        authorization: Option<&HeaderValue>,
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.at(path);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(authorization) = authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        request
    }

    /// A path, or RFC 8414's place of the metadata, which is between host and path.
    fn at(&self, path: &str) -> Uri {
        let text = match path == super::METADATA {
            true => {
                let host_at = self.base.find("://").map_or(0, |at| at + 3);
                let end = self.base[host_at..].find('/').map_or(self.base.len(), |at| host_at + at);
                let (origin, below) = self.base.split_at(end);
                format!("{origin}{path}{below}")
            }
            false => format!("{}{path}", self.base),
        };
        text.parse().expect("a parsed base, and a path that was read, make a URL")
    }

    /// The same of a path that a stranger wrote.
    fn try_at(&self, path: &str) -> Option<Uri> {
        format!("{}{path}", self.base).parse().ok()
    }
}

impl Answer {
    /// Whether it is a problem as an authority writes it.
    pub(super) fn is_of_an_authority(&self) -> bool {
        let told: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let kind = told.get("type").and_then(Value::as_str);
        kind.is_some_and(|kind| kind.starts_with("urn:symbolon:"))
    }

    /// What it is, for a caller behind; what the authority refused is told as it told it.
    pub(super) fn or_refusal(self) -> Result<Self, Problem> {
        if self.status.is_success() {
            return Ok(self);
        }
        let told: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let detail = told.get("detail").and_then(Value::as_str);
        let detail = detail.unwrap_or("The authority refused this and did not say why.");
        let problem = Problem::new(self.status, "refused", "Refused by the authority", detail);
        let retry = told.get("retry_after").and_then(Value::as_u64);
        Err(retry.map_or(problem.clone(), |seconds| problem.retry_after(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_of_an_authority_below_a_path_is_before_that_path() {
        for (base, path, at) in [
            (
                "https://a.example",
                super::super::METADATA,
                "https://a.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://a.example/b/",
                super::super::METADATA,
                "https://a.example/.well-known/oauth-authorization-server/b",
            ),
            ("https://a.example/b", "/v1/feed/ended", "https://a.example/b/v1/feed/ended"),
        ] {
            assert_eq!(Upstream::new(base).unwrap().at(path).to_string(), at);
        }
    }
}
