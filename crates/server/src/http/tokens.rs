//! From a grant to the text of an answer: RFC 6749 §5.1.

use super::edge::no_store;
use crate::app::App;
use crate::keys::Recipients;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use symbolon_core::{Grant, Reason, SessionId, Timestamp};
use symbolon_wire::{ISSUED_BYTES_WARN, IssueError, session_id_text};

/// What a client is given. Has no `Debug`: it is made of tokens.
#[derive(Serialize)]
pub struct TokenAnswer {
    session_id: String,
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: String,
    refresh_expires_in: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    displaced: Option<Vec<EndedSession>>,
}

/// A session that an act ended.
#[derive(Serialize, Clone)]
pub struct EndedSession {
    session_id: String,
    reason: &'static str,
}

impl From<(SessionId, Reason)> for EndedSession {
    fn from((sid, reason): (SessionId, Reason)) -> Self {
        Self { session_id: session_id_text(sid), reason: reason.as_str() }
    }
}

impl TokenAnswer {
    /// Signs and writes the tokens of a grant.
    ///
    /// # Errors
    /// The access token would be longer than 4 KiB, or the library failed.
    pub fn new(
        app: &App,
        grant: &Grant,
        recipients: &Recipients,
        scope: &str,
        at: Timestamp,
    ) -> Result<Self, IssueError> {
        let access = app.keys.access_token(&app.config.issuer, grant, recipients, scope)?;
        let access_token = access.token.expose().to_owned();
        if ISSUED_BYTES_WARN < access_token.len() {
            let (jti, bytes) = (access.jti.to_text(), access_token.len());
            tracing::warn!(
                jti,
                bytes,
                "an access token is large; some proxies refuse such headers"
            );
        }
        Ok(Self {
            session_id: session_id_text(grant.session.sid),
            access_token,
            token_type: "Bearer",
            expires_in: grant.expires_in(at),
            refresh_token: app.keys.refresh_token(grant).expose().to_owned(),
            refresh_expires_in: grant.refresh_expires_in(at),
            scope: scope.to_owned(),
            displaced: None,
        })
    }

    /// The same, naming the sessions that left for this one.
    pub fn displacing(self, displaced: Vec<(SessionId, Reason)>) -> Self {
        Self { displaced: Some(displaced.into_iter().map(EndedSession::from).collect()), ..self }
    }

    /// The answer; never to be kept by anything on the way.
    pub fn into_answer(self, status: StatusCode) -> Response {
        let mut response = (status, Json(self)).into_response();
        no_store(response.headers_mut());
        response
    }
}
