//! "No" on `/v1`: `application/problem+json` (RFC 9457). The only place, with [`super::oauth_error`],
//! that knows status codes.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use symbolon_core::{Denial, Duration, Fault, Reason};
use symbolon_verify::Rejected;
use symbolon_wire::Malformed;

/// A refusal or failure, before the request's id is known to it; [`super::edge`] writes it out.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    member: Option<String>,
    reason: Option<Reason>,
    /// Whether a token was shown that is bound to other features or another network.
    elsewhere: bool,
    retry_after: Option<u64>,
    figure: Option<Figure>,
}

/// A number that belongs to a problem: one at most, since all of them travel with every result.
#[derive(Clone, Copy, Debug)]
enum Figure {
    Matched(u64),
    AgeMs(u64),
}

#[derive(Serialize)]
struct Body9457<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
}

impl Problem {
    /// The status that it is answered with.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// A problem of any kind.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let detail = detail.into();
        let (member, reason, elsewhere) = (None, None, false);
        let (retry_after, figure) = (None, None);
        Self { status, code, title, detail, member, reason, elsewhere, retry_after, figure }
    }

    /// The request is wrong in one member.
    pub fn member(member: impl Into<String>, why: impl std::fmt::Display) -> Self {
        let member = member.into();
        let detail = format!("`{member}` {why}");
        let problem = Self::new(StatusCode::BAD_REQUEST, "malformed", "Malformed request", detail);
        Self { member: Some(member), ..problem }
    }

    /// Nobody we know is asking.
    pub fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized", detail)
    }

    /// The access token that was shown is not, or no longer, one that counts (RFC 6750 §3.1).
    pub fn invalid_token(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid-token", "Invalid token", detail)
    }

    /// The access token is bound to other features or another network than it was shown with.
    pub fn elsewhere() -> Self {
        Self { elsewhere: true, ..Self::invalid_token(&Rejected::Elsewhere.to_string()) }
    }

    /// Somebody we know asks for what they may not.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, "Forbidden", detail)
    }

    /// There is no such thing, or not for this caller.
    pub fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// The same with a reason: why a session ended or may not renew.
    pub fn because(self, reason: Option<Reason>) -> Self {
        Self { reason, ..self }
    }

    /// The same with the seconds after which a retry makes sense.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same, saying which line of the body is meant.
    pub fn in_line(self, number: usize) -> Self {
        Self { detail: format!("Line {number}: {}", self.detail), ..self }
    }

    /// The same with how many things it would have hit.
    pub fn matching(self, matched: u64) -> Self {
        Self { figure: Some(Figure::Matched(matched)), ..self }
    }

    /// The same with how old is what it goes by.
    pub fn aged(self, age: Option<Duration>) -> Self {
        let millis = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        Self { figure: age.map(|age| Figure::AgeMs(millis(age))), ..self }
    }

    /// What a status without a body of its own is told: no such path, wrong method, too large.
    pub fn of_status(status: StatusCode) -> Self {
        let (code, title, detail) = match status {
            StatusCode::NOT_FOUND => ("not-found", "Not found", "There is nothing at this path."),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method-not-allowed", "Method not allowed", "See the `Allow` header.")
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                ("too-large", "Body too large", "The body is larger than this call takes.")
            }
            StatusCode::REQUEST_TIMEOUT => {
                ("timeout", "Request timeout", "The request was not complete in time.")
            }
            _ => ("refused", "Refused", "The request could not be answered."),
        };
        Self::new(status, code, title, detail)
    }

    /// Its status, its detail, and after how many seconds to try again.
    pub(super) fn into_parts(self) -> (StatusCode, String, Option<u64>) {
        (self.status, self.detail, self.retry_after)
    }

    /// What happened, for whoever reads it.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The answer, under the id of its request.
    pub(super) fn render(&self, request_id: &str, headers: &mut HeaderMap) -> (StatusCode, Body) {
        let (matched, age_ms) = match self.figure {
            Some(Figure::Matched(matched)) => (Some(matched), None),
            Some(Figure::AgeMs(age)) => (None, Some(age)),
            None => (None, None),
        };
        let body = Body9457 {
            r#type: format!("urn:symbolon:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            member: self.member.as_deref(),
            reason: self.reason.map(Reason::as_str),
            request_id,
            retry_after: self.retry_after,
            matched,
            age_ms,
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // A gateway has challenges of its own.
        if self.status == StatusCode::UNAUTHORIZED && !headers.contains_key(WWW_AUTHENTICATE) {
            // RFC 6750 §3.1: who showed a token is told that it is the token.
            let challenge = match self.code {
                "invalid-token" if self.elsewhere => {
                    "Bearer realm=\"symbolon\", error=\"invalid_token\", reason=\"binding\""
                }
                "invalid-token" => "Bearer realm=\"symbolon\", error=\"invalid_token\"",
                _ => "Bearer realm=\"symbolon\"",
            };
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        (self.status, Body::from(serde_json::to_vec(&body).unwrap_or_default()))
    }

    /// The stable code, for the log.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let code = match fault {
            Fault::Impossible { .. } => "store-lost-writes",
            Fault::Clock => "clock",
            Fault::Store(_) => "store",
            Fault::Contention => "contention",
            Fault::Busy => "busy",
            Fault::Exhausted => "exhausted",
        };
        tracing::error!(code, %fault, "could not answer");
        let detail = "The authority could not do this now. Try again: asking twice does no harm.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "Try again", detail).retry_after(1)
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        Self::member(malformed.member(), malformed.why())
    }
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        let (status, code, title, detail) = match denial {
            Denial::UnknownSession | Denial::ForeignToken => {
                (StatusCode::NOT_FOUND, "not-found", "Not found", "There is no such session.")
            }
            Denial::ClientDisabled => (
                StatusCode::FORBIDDEN,
                "client-disabled",
                "Client disabled",
                "The client is switched off.",
            ),
            Denial::Banned(_) => (
                StatusCode::FORBIDDEN,
                "banned",
                "Banned",
                "The subject is not allowed to sign in.",
            ),
            Denial::Ended(_) | Denial::Replayed => (
                StatusCode::CONFLICT,
                "session-ended",
                "Session ended",
                "This session is over; start another.",
            ),
            Denial::DeviceLimit => (
                StatusCode::CONFLICT,
                "device_limit",
                "Device limit",
                "The subject is signed in on as many devices as the client allows; end one first.",
            ),
            Denial::ProofNeeded => (
                StatusCode::BAD_REQUEST,
                "proof-needed",
                "Proof needed",
                "Show a fresh proof of the key.",
            ),
        };
        Self::new(status, code, title, detail).because(denial.reason())
    }
}
