//! `POST /oauth2/token` for a service itself: client credentials (RFC 6749 §4.4).

use super::body::Form;
use super::dpop::ShownKey;
use super::edge::no_store;
use super::oauth_error::OAuthError;
use super::token::TOKEN_PATH;
use super::tokens::Unwritten;
use crate::app::App;
use crate::config::{Client, Preset};
use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use symbolon_core::{Digest, Fault, Timestamp, scope};

/// What a service is given: no refresh token (RFC 6749 §4.4.3), and no session. Has no `Debug`: it is made
/// of a token.
#[derive(Serialize)]
struct Answer {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: String,
}

/// Answers a client that has authenticated.
///
/// # Errors
/// It may not ask for this; it is switched off; scope or resource are not its own.
pub async fn answer(
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Response, OAuthError> {
    if client.preset != Preset::Service || !client.is_confidential() {
        let why = "Client credentials are for confidential clients of the preset `service`.";
        return Err(OAuthError::unauthorized_client(why));
    }
    let recipients = app.recipients(client, &[], form.get("resource"));
    let recipients = recipients.ok_or_else(OAuthError::invalid_target)?;
    // Those in place now, should a key have been revoked since this request began.
    let (at, keys) = (app.now()?, app.keys.newest());
    let jkt = proved(app, headers, at).await?;
    let terms = keys.terms(&client.policy, &recipients.signer).ok_or(Fault::Contention)?;
    let grant = app.store.cutoffs().grant_client(&client.id, &terms, at)?;
    let grant = grant.map_err(|denial| {
        app.metrics.refused(&client.id, denial);
        OAuthError::client_denied(denial)
    })?;
    let grant = grant.bound_to(jkt);
    let scope = scope::narrow(&client.policy.scope, form.get("scope"));
    let scope = scope.ok_or_else(OAuthError::invalid_scope)?;
    let (issuer, drawn) = (&app.config.issuer, app.random()?);
    let issued = keys.client_token(issuer, (&grant, &scope), &recipients, &drawn);
    let token = issued.map_err(|error| OAuthError::from(Unwritten::from(error)))?.token;
    app.metrics.granted_to_client(&client.id);
    let answer = Answer {
        access_token: token.expose().to_owned(),
        token_type: if jkt.is_some() { "DPoP" } else { "Bearer" },
        expires_in: grant.expires_in(at),
        scope: scope.to_string(),
    };
    let mut response = Json(answer).into_response();
    no_store(response.headers_mut());
    Ok(response)
}

/// The key that the token is bound to: that of the proof, if the service shows one (RFC 9449 §5).
async fn proved(
    app: &App,
    headers: &HeaderMap,
    at: Timestamp,
) -> Result<Option<Digest>, OAuthError> {
    let shown = ShownKey::read(app, headers, TOKEN_PATH, at);
    let key = shown.key()?;
    shown.spend(app, key, at).await?.key()
}
