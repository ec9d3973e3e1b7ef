//! How the demo API says no: `application/problem+json`, and a challenge where a token is at fault.

use crate::http::dpop::DPOP_NONCE;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use symbolon_verify::{Reason, Rejected};

/// A refusal.
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    reason: Option<Reason>,
    challenge: Option<String>,
    dpop_nonce: Option<String>,
}

impl Problem {
    /// A refusal for which no token is at fault.
    pub(super) fn new(status: StatusCode, code: &'static str, detail: &str) -> Self {
        Self {
            status,
            code,
            detail: detail.to_owned(),
            reason: None,
            challenge: None,
            dpop_nonce: None,
        }
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        let status = StatusCode::from_u16(rejected.status()).unwrap_or(StatusCode::UNAUTHORIZED);
        let code = match status == StatusCode::FORBIDDEN {
            true => "insufficient-scope",
            false => "unauthorized",
        };
        let reason = if let Rejected::Revoked { ended } = &rejected { *ended } else { None };
        let challenge = Some(rejected.challenge());
        let dpop_nonce = rejected.dpop_nonce().map(str::to_owned);
        Self { status, code, detail: rejected.to_string(), reason, challenge, dpop_nonce }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:symbolon:{}", self.code),
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(reason) = self.reason {
            body["reason"] = json!(reason.as_str());
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let challenge = self.challenge.and_then(|text| HeaderValue::try_from(text).ok());
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = self.dpop_nonce.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(DPOP_NONCE, nonce);
        }
        response
    }
}

/// What one token may see is not for a cache (advisory CVE-2025-48947).
pub(super) async fn never_kept(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The names that requests are given: a process's own, and a count.
pub(super) struct Names {
    process: String,
    count: AtomicU64,
}

impl Names {
    pub(super) fn new(process: [u8; 4]) -> Arc<Self> {
        let process = format!("demo-{:08x}", u32::from_be_bytes(process));
        Arc::new(Self { process, count: AtomicU64::new(0) })
    }

    fn next(&self) -> String {
        format!("{}-{:x}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}

/// Names the request in its answer, as the authority does.
pub(super) async fn named(
    State(names): State<Arc<Names>>,
    request: Request,
    next: Next,
) -> Response {
    let id = names.next();
    let mut response = next.run(request).await;
    tracing::debug!(request_id = id, status = response.status().as_u16(), "the demo API answered");
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}
