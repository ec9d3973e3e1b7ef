//! `POST /oauth2/introspect`: whether an access token is in force now (RFC 7662).
//!
//! A refresh token is always inactive here: a resource server that took one for an access token would
//! accept a credential that lives for months.

use super::auth;
use super::body::Form;
use super::edge::{Context, no_store};
use super::oauth_error::OAuthError;
use crate::api_keys::ApiScope;
use crate::app::App;
use crate::keys::client_subject;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use symbolon_core::{ClientId, Denial, Fault, SessionId, Timestamp, Ver, Verdict};
use symbolon_wire::{Jti, ParsedClaims};

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
    let Some(token) = own_token(app, text) else { return Ok(inactive) };
    match token.verdict(app, at).await? {
        Some(Verdict::Live) if at < token.expires_at => Ok(token.into_answer()),
        Some(Verdict::Live | Verdict::Stale(_) | Verdict::Revoked(_)) | None => Ok(inactive),
    }
}

/// An access token that this authority signed.
struct OwnToken {
    holder: Holder,
    jti: [u8; 16],
    ver: Ver,
    expires_at: Timestamp,
    claims: Map<String, Value>,
}

/// In whose name it speaks.
enum Holder {
    /// A person's session.
    Session(SessionId),
    /// A client itself.
    Client(ClientId),
}

impl OwnToken {
    /// What holds of it now; `None` if its session, or its client, is not there any more.
    async fn verdict(&self, app: &App, at: Timestamp) -> Result<Option<Verdict>, Fault> {
        match &self.holder {
            Holder::Session(sid) => {
                let Some(loaded) = app.store.session(*sid).await? else { return Ok(None) };
                let client = app.config.clients.get(&loaded.session.client);
                Ok(client.map(|own| loaded.judge(&self.jti, &self.ver, &own.policy, at)))
            }
            Holder::Client(id) => {
                let known = app.config.clients.contains_key(id);
                let judge = || app.store.cutoffs().judge_client(id, &self.jti, &self.ver);
                Ok(known.then(judge))
            }
        }
    }

    fn into_answer(mut self) -> Value {
        self.claims.insert("active".into(), Value::Bool(true));
        self.claims.insert("token_type".into(), Value::String("Bearer".into()));
        Value::Object(self.claims)
    }
}

fn own_token(app: &App, text: &str) -> Option<OwnToken> {
    let payload = app.keys.verify(text)?;
    let claims = ParsedClaims::of(&payload).ok()?;
    if *claims.iss != *app.config.issuer {
        return None;
    }
    Some(OwnToken {
        holder: holder(&claims)?,
        jti: Jti::parse(&claims.jti).ok()?.0,
        ver: claims.ver,
        expires_at: claims.exp,
        claims: serde_json::from_slice(payload.bytes()).ok()?,
    })
}

fn holder(claims: &ParsedClaims<'_>) -> Option<Holder> {
    if let Some(sid) = claims.sid {
        return Some(Holder::Session(sid));
    }
    let client = ClientId::parse(&claims.client_id).ok()?;
    (*claims.sub == *client_subject(&client)).then_some(Holder::Client(client))
}

/// Whether a text is an access token of ours, in force or not.
pub fn is_own_access_token(app: &App, text: &str) -> bool {
    own_token(app, text).is_some()
}
