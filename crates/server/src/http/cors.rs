//! Which pages may call: the origins that a client lists, and no others.

use super::edge::Context;
use super::oauth_error::OAuthError;
use crate::app::App;
use crate::config::Client;
use axum::Extension;
use axum::extract::State;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// `OPTIONS` before a page's request: the client is not known yet, so any client's origin will do.
pub async fn preflight(
    State(app): State<Arc<App>>,
    Extension(_): Extension<Context>,
    headers: HeaderMap,
) -> Response {
    let origin = headers.get(ORIGIN);
    let listed = |origin: &&HeaderValue| app.config.clients.values().any(|c| lists(c, origin));
    let mut response = StatusCode::NO_CONTENT.into_response();
    let out = response.headers_mut();
    out.insert(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(listed) {
        out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        out.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
        out.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(
                "authorization, content-type, dpop, x-refresh-token, x-symbolon-features",
            ),
        );
        out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response
}

/// The origin that a request comes from, once some client lists it.
pub struct Allowed(Option<HeaderValue>);

/// Checks where a page's request comes from, before it is known which client's page it is.
///
/// # Errors
/// No client lists the origin.
pub fn check_any(app: &App, headers: &HeaderMap) -> Result<Allowed, OAuthError> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(Allowed(None)) };
    let listed = app.config.clients.values().any(|client| lists(client, origin));
    match listed {
        true => Ok(Allowed(Some(origin.clone()))),
        false => Err(OAuthError::foreign_origin()),
    }
}

/// Checks that a page's request comes from an origin of this very client.
///
/// # Errors
/// The client does not list the origin.
pub fn check(client: &Client, headers: &HeaderMap) -> Result<(), OAuthError> {
    match headers.get(ORIGIN) {
        Some(origin) if !lists(client, origin) => Err(OAuthError::foreign_origin()),
        Some(_) | None => Ok(()),
    }
}

/// The same where the browser itself adds the credential: there must be an origin, or another site could have written
/// the request (RFC 6265 §8.2).
///
/// # Errors
/// There is none, or the client does not list it.
pub fn require(client: &Client, headers: &HeaderMap) -> Result<(), OAuthError> {
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) if lists(client, origin) => Ok(()),
        (Some(_), _) => Err(OAuthError::foreign_origin()),
        (None, _) => Err(OAuthError::no_origin()),
    }
}

impl Allowed {
    /// Lets the page read the answer, refusals included.
    pub fn expose(self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        let Some(origin) = self.0 else { return response };
        let out = response.headers_mut();
        out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        out.insert(VARY, HeaderValue::from_static("Origin"));
        out.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(
                "www-authenticate, x-request-id, retry-after, dpop-nonce, x-access-token, x-refresh-token",
            ),
        );
        response
    }
}

fn lists(client: &Client, origin: &HeaderValue) -> bool {
    client.origins.iter().any(|own| own.as_bytes() == origin.as_bytes())
}
