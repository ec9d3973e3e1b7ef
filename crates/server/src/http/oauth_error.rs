//! "No" on `/oauth2`: the errors of RFC 6749 §5.2.

use super::problem::Problem;
use super::tokens::Unwritten;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use symbolon_core::{Denial, Fault, Reason};

/// A refusal or failure, before the request's id is known to it; [`super::edge`] writes it out.
#[derive(Clone, Debug)]
pub struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: String,
    reason: Option<Reason>,
    retry_after: Option<u64>,
    challenge: Option<&'static str>,
}

#[derive(Serialize)]
struct Body6749<'a> {
    error: &'a str,
    error_description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    request_id: &'a str,
}

impl OAuthError {
    fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        let description = description.into();
        Self { status, error, description, reason: None, retry_after: None, challenge: None }
    }

    /// A parameter is missing, repeated or unreadable.
    pub fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// The body is not a form, or is too large.
    pub fn bad_body(status: StatusCode, description: impl Into<String>) -> Self {
        Self::new(status, "invalid_request", description)
    }

    /// The client is unknown or did not authenticate; `basic` if it tried the `Authorization` header.
    pub fn invalid_client(description: &str, basic: bool) -> Self {
        let challenge = basic.then_some("Basic realm=\"symbolon\"");
        Self { challenge, ..Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description) }
    }

    /// The client failed to authenticate too often.
    pub fn too_many_failures(seconds: u64) -> Self {
        let description =
            "Too many failed attempts from this address. A right credential still works.";
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "invalid_client", description);
        Self { retry_after: Some(seconds), ..error }
    }

    /// The refresh token is not acceptable; forged, foreign and unknown ones are told nothing more.
    pub fn invalid_grant() -> Self {
        let description = "The refresh token is not valid for this client.";
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", description)
    }

    /// The client may not do this.
    pub fn unauthorized_client(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unauthorized_client", description)
    }

    /// The client authenticated, and its own state refuses it (RFC 6749 §5.2 `unauthorized_client`).
    pub fn client_denied(denial: Denial) -> Self {
        Self { error: "unauthorized_client", ..denial.into() }
    }

    /// A browser asks from an origin that the client does not list.
    pub fn foreign_origin() -> Self {
        let description =
            "This origin is not listed by the client (`origins` in its configuration).";
        Self::new(StatusCode::FORBIDDEN, "unauthorized_client", description)
    }

    /// The credential is a cookie, and nothing says that a page of the client asks.
    pub fn no_origin() -> Self {
        let description =
            "A refresh token in a cookie is read only where `Origin` names a page of the client.";
        Self::new(StatusCode::FORBIDDEN, "unauthorized_client", description)
    }

    /// There is no cookie with a refresh token: whoever asks is not signed in.
    pub fn no_cookie() -> Self {
        let description = "There is no cookie with a refresh token; sign in.";
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", description)
    }

    /// The grant type is not offered.
    pub fn unsupported_grant_type() -> Self {
        let description = "Only `refresh_token` and `client_credentials` are offered here.";
        Self::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", description)
    }

    /// The scope goes beyond what was granted, or is no scope.
    pub fn invalid_scope() -> Self {
        let description = "A request may narrow the scope that was granted, never widen it.";
        Self::new(StatusCode::BAD_REQUEST, "invalid_scope", description)
    }

    /// The resource is not one of the session's audiences (RFC 8707 §2).
    pub fn invalid_target() -> Self {
        let description =
            "`resource` must be an audience of this client, or the issuer where there is a person.";
        Self::new(StatusCode::BAD_REQUEST, "invalid_target", description)
    }

    /// The token is of a kind that cannot be revoked here (RFC 7009 §2.2.1).
    pub fn unsupported_token_type() -> Self {
        let description = "Send the refresh token: revoking it ends the session and its access tokens. \
             Without one, sign out at /v1/me.";
        Self::new(StatusCode::BAD_REQUEST, "unsupported_token_type", description)
    }

    /// The application's own back end says that the session may not be renewed now. The session lives, so that this
    /// is not the `invalid_grant` after which a client forgets its tokens.
    fn withheld(reason: Option<Reason>) -> Self {
        let description =
            "The application does not let this session be renewed now; it has not ended.";
        Self { reason, ..Self::new(StatusCode::BAD_REQUEST, "access_denied", description) }
    }

    /// The application's own back end could not be asked, and nothing is renewed without it.
    pub fn hook_away() -> Self {
        let description =
            "The application could not be asked whether this session may be renewed. Try again.";
        let error =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", description);
        Self { retry_after: Some(1), ..error }
    }

    /// The proof of a key is none, or none for this request (RFC 9449 §5).
    pub fn invalid_dpop_proof(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_dpop_proof", description)
    }

    /// The proof of a key must repeat the nonce of this answer (RFC 9449 §8).
    pub fn use_dpop_nonce(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "use_dpop_nonce", description)
    }

    /// The new access token would be too large to travel.
    pub fn token_too_large() -> Self {
        let description =
            "The subject's roles and claims no longer fit into an access token of 4 KiB.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", description)
    }

    /// The answer, under the id of its request.
    pub(super) fn render(&self, request_id: &str, headers: &mut HeaderMap) -> (StatusCode, Body) {
        let body = Body6749 {
            error: self.error,
            error_description: &self.description,
            reason: self.reason.map(Reason::as_str),
            request_id,
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        (self.status, Body::from(serde_json::to_vec(&body).unwrap_or_default()))
    }

    /// The error's word, for the log.
    pub(super) fn code(&self) -> &'static str {
        self.error
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What an API key is refused with, where OAuth's errors are spoken.
impl From<Problem> for OAuthError {
    fn from(problem: Problem) -> Self {
        let (status, description, retry_after) = problem.into_parts();
        let unknown = status == StatusCode::UNAUTHORIZED;
        let challenge = unknown.then_some("Bearer realm=\"symbolon\"");
        let error = match status {
            StatusCode::BAD_REQUEST => "invalid_request",
            StatusCode::FORBIDDEN => "unauthorized_client",
            StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
            _ => "invalid_client",
        };
        Self { retry_after, challenge, ..Self::new(status, error, description) }
    }
}

impl From<Fault> for OAuthError {
    fn from(fault: Fault) -> Self {
        tracing::error!(%fault, "could not answer");
        let description =
            "The authority could not do this now. Try again: asking twice does no harm.";
        let error =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", description);
        Self { retry_after: Some(1), ..error }
    }
}

impl From<Unwritten> for OAuthError {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::TooLong { .. } => Self::token_too_large(),
            Unwritten::Fault(fault) => fault.into(),
        }
    }
}

impl From<Denial> for OAuthError {
    fn from(denial: Denial) -> Self {
        let description = match denial {
            Denial::UnknownSession | Denial::ForeignToken => return Self::invalid_grant(),
            Denial::ClientDisabled => {
                "The client is switched off; nothing of it renews until it is on again."
            }
            Denial::Ended(_) => "The session is over; sign in again.",
            Denial::Replayed => "This refresh token was used before and its window is closed.",
            Denial::Banned(_) => "The subject is banned.",
            Denial::Withheld(_) => return Self::withheld(denial.reason()),
            Denial::ProofNeeded => "Show a fresh proof of the session's key.",
            Denial::DeviceLimit => "Too many devices.",
        };
        let error = Self::new(StatusCode::BAD_REQUEST, "invalid_grant", description);
        Self { reason: denial.reason(), ..error }
    }
}
