//! `POST /oauth2/introspect`: whether an access token is in force now (RFC 7662).
//!
//! Of a token that lasts as long as its session it is said what holds now; `exp` is then how long that may be
//! believed by whoever follows the feed.
//!
//! A refresh token is always inactive here: a resource server that took one for an access token would
//! accept a credential that lives for months.

use super::auth;
use super::body::Form;
use super::edge::{Context, no_store};
use super::oauth_error::OAuthError;
use super::own_token::OwnToken;
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use symbolon_core::{Denial, Fault};

/// Answers a resource server. Inactive is `{"active":false}` and nothing else, whatever the cause.
///
/// # Errors
/// The caller is not who it says; the store could not be read, which is never "inactive".
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, OAuthError> {
    let form = authenticated(&app, &context, &headers, body).await?;
    let answer = introspect(&app, form.require("token")?).await?;
    app.metrics.introspected(answer["active"] == true);
    let mut response = Json(answer).into_response();
    no_store(response.headers_mut());
    Ok(response)
}

/// An API key with `revocations:read`, or a confidential client.
async fn authenticated(
    app: &App,
    context: &Context,
    headers: &HeaderMap,
    body: Body,
) -> Result<Form, OAuthError> {
    if auth::shows_api_key(headers) {
        auth::caller(app, context, headers, ApiScope::RevocationsRead).await?;
        return Form::read(headers, body).await;
    }
    let form = Form::read(headers, body).await?;
    if !headers.contains_key(AUTHORIZATION) && form.get("client_id").is_none() {
        return Err(OAuthError::invalid_client("Say who asks (RFC 7662 §2.1).", true));
    }
    let client = auth::client(app, context, headers, &form)?;
    if app.store.cutoffs().client(&client.id).disabled {
        return Err(OAuthError::client_denied(Denial::ClientDisabled));
    }
    match client.is_confidential() {
        true => Ok(form),
        false => Err(OAuthError::unauthorized_client(
            "Only a confidential client or an API key with `revocations:read` may introspect.",
        )),
    }
}

async fn introspect(app: &App, text: &str) -> Result<Value, Fault> {
    let inactive = json!({"active": false});
    let at = app.now()?;
    let Some(token) = OwnToken::read(app, text) else { return Ok(inactive) };
    let says = token.held(app, at).await?.and_then(|held| held.says.ok());
    Ok(says.map_or(inactive, active))
}

/// What is said of a token that is in force: all that it says itself.
pub(crate) fn active(mut claims: Map<String, Value>) -> Value {
    claims.insert("active".into(), Value::Bool(true));
    let by_key = claims.get("cnf").is_some_and(|cnf| cnf.get("jkt").is_some());
    let kind = if by_key { "DPoP" } else { "Bearer" };
    claims.insert("token_type".into(), Value::String(kind.into()));
    Value::Object(claims)
}
