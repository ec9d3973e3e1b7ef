//! The cookies of a session, as a back end hands them on (docs/INTERFACE.md, "Gateway").

use super::oauth_error::OAuthError;
use crate::app::App;
use crate::config::{Client, Delivery, Preset};
use axum::http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use axum::response::Response;
use symbolon_core::Grant;
use symbolon_core::Timestamp;
use symbolon_core::grant::seconds_left;
use symbolon_wire::{CookieKind, HandleKind};

/// The `Set-Cookie` lines of a new gateway session: its handle, and the token that pages show beside it.
pub fn of_session(app: &App, client: &Client, grant: &Grant, at: Timestamp) -> Vec<String> {
    let session = &grant.session;
    let life = seconds_left(session.absolute_expires_at(&client.policy), at);
    let handle = app.keys.handle(HandleKind::Cookie, grant);
    let csrf = app.keys.csrf.token(session.sid, session.salt);
    vec![
        app.cookies.set(CookieKind::Session, handle.expose(), life),
        app.cookies.set(CookieKind::Csrf, csrf.expose(), life),
    ]
}

/// The lines that take away what a browser holds of a client's sessions; none where it holds no cookie.
pub fn cleared(app: &App, client: &Client) -> Vec<String> {
    let kinds: &[CookieKind] = match (client.preset, client.delivery) {
        (Preset::GatewaySession, _) => &[CookieKind::Session, CookieKind::Csrf],
        (Preset::DualToken, Delivery::Cookie) => &[CookieKind::RefreshToken],
        (Preset::DualToken, Delivery::Body | Delivery::Headers)
        | (Preset::SlidingSession | Preset::OpaqueSession | Preset::Service, _) => &[],
    };
    kinds.iter().map(|kind| app.cookies.clear(*kind)).collect()
}

/// The line that sets the refresh token of a grant, for as long as it lives unused.
pub fn of_refresh_token(app: &App, grant: &Grant, at: Timestamp) -> String {
    let token = app.keys.refresh_token(grant);
    app.cookies.set(CookieKind::RefreshToken, token.expose(), grant.refresh_expires_in(at))
}

/// The refresh token in the cookies of a request.
///
/// # Errors
/// The cookies cannot be read: which of two is meant, nobody knows.
pub fn refresh_token<'h>(app: &App, headers: &'h HeaderMap) -> Result<Option<&'h str>, OAuthError> {
    let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    app.cookies.find(CookieKind::RefreshToken, lines).map_err(|malformed| {
        OAuthError::invalid_request(format!("`{}` {}.", malformed.member(), malformed.why()))
    })
}

/// Puts `Set-Cookie` lines into an answer.
pub fn put(response: &mut Response, lines: &[String]) {
    for line in lines {
        if let Ok(mut value) = HeaderValue::from_str(line) {
            value.set_sensitive(true);
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
}
