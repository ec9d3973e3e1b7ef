//! `POST /v1/operations` and `POST /v1/operations/redeem`: one sensitive act, once.
//!
//! A back end that has just had the person confirm an act asks for an operation token for exactly that request; the
//! service that acts redeems it. What is confirmed is what happens, and it happens once.

use super::auth;
use super::edge::{Context, no_store};
use super::one_time::{self, Redeemed};
use super::problem::Problem;
use super::session::{no_such_session, reaches};
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use symbolon_core::Digest;
use symbolon_core::one_time::OPERATION_LIFE_MAX;
use symbolon_core::target::is_method;
use symbolon_wire::{OneTimeKind, parse_thumbprint, request_digest, session_id_text};

/// The longest path of a request that an operation token is for, in bytes, query included. Inclusive.
pub const PATH_BYTES_MAX: usize = 2048;

/// The body of `POST /v1/operations`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationRequest {
    session_id: String,
    method: String,
    path: String,
    body_sha256: Option<String>,
    expires_in: Option<u64>,
}

/// The body of `POST /v1/operations/redeem`. Has no `Debug`: it holds a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedeemOperation {
    operation_token: String,
    method: String,
    path: String,
    body_sha256: Option<String>,
}

#[derive(Serialize)]
struct Made {
    operation_token: String,
    expires_in: u64,
}

/// In whose session it was redeemed.
#[derive(Serialize)]
struct Confirmed {
    session_id: String,
    subject: String,
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<Arc<str>>,
    amr: Vec<Arc<str>>,
    auth_time: u64,
}

/// Makes an operation token for one request of a session.
///
/// # Errors
/// The caller may not; a member is wrong; there is no such session within its reach, or it is over.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let scope = ApiScope::SessionsStart;
    let (caller, asked) =
        auth::caller_says::<OperationRequest>(&app, &context, request, scope).await?;
    let sid = one_time::session_id(&asked.session_id)?;
    let purpose = digest(&asked.method, &asked.path, asked.body_sha256.as_deref())?;
    let life = one_time::life(asked.expires_in, OPERATION_LIFE_MAX)?;
    let found = app.store.session(sid).await?.filter(|found| reaches(&caller, found));
    let found = found.ok_or_else(no_such_session)?;
    let text = one_time::make(&app, (OneTimeKind::Operation, purpose, life), &found, app.now()?)?;
    let operation_token = text.expose().to_owned();
    Ok(never_kept(Made { operation_token, expires_in: life.as_secs() }))
}

/// Redeems an operation token for the request that is about to be done.
///
/// # Errors
/// The caller may not; the token is used, over, or for another request; its session is over.
pub async fn redeem(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let scope = ApiScope::RevocationsRead;
    let (caller, asked) =
        auth::caller_says::<RedeemOperation>(&app, &context, request, scope).await?;
    let purpose = digest(&asked.method, &asked.path, asked.body_sha256.as_deref())?;
    let shown = (OneTimeKind::Operation, &*asked.operation_token);
    let redeemed = one_time::redeem(&app, shown, purpose, |found| reaches(&caller, found)).await?;
    let request_id = &*context.request_id;
    let sid = session_id_text(redeemed.loaded.session.sid);
    tracing::info!(request_id, sid, "operation redeemed");
    Ok(never_kept(Confirmed::new(&redeemed)))
}

impl Confirmed {
    fn new(redeemed: &Redeemed<'_>) -> Self {
        let session = &redeemed.loaded.session;
        Self {
            session_id: session_id_text(session.sid),
            subject: session.subject.as_str().to_owned(),
            client_id: session.client.as_str().to_owned(),
            acr: session.acr.clone(),
            amr: session.amr.to_vec(),
            auth_time: session.authenticated_at.as_seconds(),
        }
    }
}

/// Reads which request is meant. It is compared byte for byte: what is written otherwise is another request.
fn digest(method: &str, path: &str, body: Option<&str>) -> Result<Digest, Problem> {
    if !is_method(method) {
        return Err(Problem::member("method", "must be the method as it is sent, such as POST"));
    }
    let visible = path.bytes().all(|byte| byte.is_ascii_graphic());
    if !path.starts_with('/') || !visible || PATH_BYTES_MAX < path.len() {
        let why = "must be the path as it is sent, query included, of at most 2048 bytes";
        return Err(Problem::member("path", why));
    }
    let wrong = |_| {
        Problem::member(
            "body_sha256",
            "must be the SHA-256 of the body: 43 characters of base64url",
        )
    };
    let body = body.map(parse_thumbprint).transpose().map_err(wrong)?;
    Ok(request_digest(method, path, body))
}

fn never_kept(answer: impl Serialize) -> Response {
    let mut response = Json(answer).into_response();
    no_store(response.headers_mut());
    response
}
