//! `POST /oauth2/revoke`: signing out with a refresh token, of which any genuine generation will do, or with an
//! opaque access token (RFC 7009).

use super::auth;
use super::body::Form;
use super::cookies;
use super::cors;
use super::delivery;
use super::edge::Context;
use super::ending;
use super::oauth_error::OAuthError;
use super::own_token::OwnToken;
use crate::app::App;
use crate::config::{Client, Delivery};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use symbolon_core::person::Gone;
use symbolon_core::revocation::Actor;
use symbolon_core::{Loaded, Reason};
use symbolon_wire::HandleKind;

/// Ends the session of a refresh token, or of an opaque access token. Text that is no token of this client is answered 200 and changes
/// nothing (RFC 7009 §2.2): whoever asks learns nothing about it.
///
/// # Errors
/// The client is not who it says; the store could not write, and then nothing was revoked.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, OAuthError> {
    let origin = cors::check_any(&app, &headers)?;
    Ok(origin.expose(answer(&app, &context, &headers, body).await))
}

async fn answer(
    app: &App,
    context: &Context,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, OAuthError> {
    let form = Form::read(headers, body).await?;
    let client = auth::client(app, context, headers, &form)?;
    cors::check(client, headers)?;
    let text = match client.delivery {
        Delivery::Body => Some(form.require("token")?),
        Delivery::Cookie => delivery::presented(app, client, headers, form.get("token"))?,
        Delivery::Headers => {
            let found = delivery::presented(app, client, headers, form.get("token"))?;
            Some(found.map_or_else(|| form.require("token"), Ok)?)
        }
    };
    let mut response = match text {
        Some(text) => revoke(app, context, client, text).await?,
        None => StatusCode::OK.into_response(),
    };
    cookies::put(&mut response, &cookies::cleared(app, client));
    Ok(response)
}

async fn revoke(
    app: &App,
    context: &Context,
    client: &Client,
    text: &str,
) -> Result<Response, OAuthError> {
    let at = app.now()?;
    let act = context.act(Actor::Client(client.id.clone()), None);
    let ending = (&act, &client.policy);
    let (sid, done) = if let Ok(handle) = app.keys.handles.open(HandleKind::AccessToken, text) {
        let decide = |now: Loaded| Ok(now.sign_out_by_handle(&handle, &client.id, ending, at));
        (handle.sid(), app.store.step(handle.sid(), decide).await?)
    } else if let Some(token) = app.refresh_token(text).await? {
        let decide = |now: Loaded| Ok(now.sign_out(&token, &client.id, ending, at));
        (token.sid(), app.store.step(token.sid(), decide).await?)
    } else {
        return not_ours(app, text);
    };
    if done.is_some_and(|done| done.reply) {
        let client = client.id.clone();
        ending::note(app, context, &Gone { sid, client, reason: Reason::SignedOut });
    }
    Ok(StatusCode::OK.into_response())
}

/// A JWT is not revoked here: it is one of many of its session, or lasts as long as that, and then a person signs out
/// at `/v1/me`.
fn not_ours(app: &App, text: &str) -> Result<Response, OAuthError> {
    match OwnToken::read(app, text).is_some() {
        true => Err(OAuthError::unsupported_token_type()),
        false => Ok(StatusCode::OK.into_response()),
    }
}
