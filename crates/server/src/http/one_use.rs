//! `POST /v1/tokens/redeem`: an access token that lets in once (`one_use` of its audience), at one of all services.
//!
//! Every token is its own, those of a renewal that is answered again too, so that each who was given one can use it.
//! What is kept of a use is a name that says nothing, until no clock that is believed takes the token any more.

use super::auth;
use super::edge::{Context, no_store};
use super::introspect::active;
use super::own_token::{Held, OwnToken, Unheld};
use super::problem::Problem;
use super::session::no_such_session;
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use symbolon_core::one_time::use_remembered_until;
use symbolon_core::{ClientId, Denial, Fault, Timestamp, Verdict};

/// The body. Has no `Debug`: it holds a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedeemToken {
    token: String,
}

/// Uses up a token for the request that is about to be done.
///
/// # Errors
/// The caller may not; the token is none of ours, is for many uses, was used, or is not in force.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let scope = ApiScope::RevocationsRead;
    let (caller, asked) = auth::caller_says::<RedeemToken>(&app, &context, request, scope).await?;
    let at = app.now()?;
    let none = || Problem::member("token", "is no access token of this authority");
    let token = OwnToken::read(&app, &asked.token).ok_or_else(none)?;
    let Held { says, .. } = token.held(&app, at).await?.ok_or_else(no_such_session)?;
    let claims = says.map_err(problem)?;
    let client = claims.get("client_id").and_then(Value::as_str).unwrap_or_default();
    if !ClientId::parse(client).is_ok_and(|client| caller.reaches(&client)) {
        return Err(no_such_session());
    }
    if !is_for_one(&claims) {
        return Err(Problem::member(
            "token",
            "is good for many requests; verify it, and do not redeem it",
        ));
    }
    if !use_up(&app, &claims, at).await? {
        let detail = "It let a request in before, and is good for one. Renew, and try again.";
        let conflict = StatusCode::CONFLICT;
        return Err(Problem::new(conflict, "already-used", "Already used", detail));
    }
    let mut response = Json(active(claims)).into_response();
    no_store(response.headers_mut());
    Ok(response)
}

/// Whether a token that says this lets in once.
pub fn is_for_one(claims: &Map<String, Value>) -> bool {
    claims.get("one_use") == Some(&Value::Bool(true))
}

/// Uses up a token that says this and is in force: of all who ask, at every node, one is told `true`.
///
/// # Errors
/// It could not be found out, and perhaps it was used up.
pub async fn use_up(app: &App, claims: &Map<String, Value>, at: Timestamp) -> Result<bool, Fault> {
    let jti = claims.get("jti").and_then(Value::as_str).unwrap_or_default();
    let exp = claims.get("exp").and_then(Value::as_u64).unwrap_or_default();
    let until = use_remembered_until(Timestamp::from_seconds(exp));
    let name = app.keys.idempotency.digest(&[b"one_use\0", jti.as_bytes()].concat());
    let first = app.store.spend(name, USED, until, at).await?.is_none();
    app.metrics.used_up(if first { "redeemed" } else { "used" });
    Ok(first)
}

/// What is kept of one that was used; its name says all.
const USED: &[u8] = b"used";

fn problem(unheld: Unheld) -> Problem {
    let conflict = StatusCode::CONFLICT;
    match unheld {
        Unheld::By(Verdict::Revoked(reason)) => Denial::Ended(reason).into(),
        Unheld::By(Verdict::Stale(_)) => {
            let detail = "What it says has changed since. Renew, and try again.";
            Problem::new(conflict, "stale", "Stale", detail)
        }
        Unheld::Expired | Unheld::By(Verdict::Live) => {
            Problem::new(conflict, "expired", "Expired", "Its time is over. Renew, and try again.")
        }
    }
}
