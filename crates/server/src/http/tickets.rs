//! `POST /v1/tickets` and `POST /v1/tickets/redeem`: one use in place of a header.
//!
//! A browser cannot set a header on a WebSocket, an EventSource or a download, and a token in a URL would stand in
//! logs for as long as it lives. A ticket stands there too, and is worth nothing by then.

use super::auth;
use super::edge::{Context, no_store};
use super::one_time::{self, Redeemed, Unredeemed};
use super::problem::Problem;
use super::session::{no_such_session, reaches};
use super::tokens::{Unwritten, Writing};
use crate::api_keys::ApiScope;
use crate::app::App;
use crate::keys::Recipients;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use symbolon_core::one_time::TICKET_LIFE_MAX;
use symbolon_core::{Fault, Loaded, Timestamp};
use symbolon_wire::{OneTimeKind, SecretText, audience_digest, session_id_text};

/// What may be said about a new ticket.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MyTicketRequest {
    audience: Option<String>,
    expires_in: Option<u64>,
}

/// The body of `POST /v1/tickets`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketRequest {
    session_id: String,
    audience: Option<String>,
    expires_in: Option<u64>,
}

/// The body of `POST /v1/tickets/redeem`. Has no `Debug`: it holds a ticket.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedeemTicket {
    ticket: String,
    audience: String,
}

#[derive(Serialize)]
struct Made {
    ticket: String,
    expires_in: u64,
}

/// What a ticket earned. Has no `Debug`: it is a token.
#[derive(Serialize)]
struct Earned {
    session_id: String,
    subject: String,
    client_id: String,
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
}

/// Makes a ticket for a session.
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
        auth::caller_says::<TicketRequest>(&app, &context, request, scope).await?;
    let sid = one_time::session_id(&asked.session_id)?;
    let found = app.store.session(sid).await?.filter(|found| reaches(&caller, found));
    let wish = MyTicketRequest { audience: asked.audience, expires_in: asked.expires_in };
    made(&app, &found.ok_or_else(no_such_session)?, &wish, app.now()?)
}

/// Makes a ticket as wished, and answers it.
///
/// # Errors
/// A member is wrong; the session is over.
pub(super) fn made(
    app: &App,
    loaded: &Loaded,
    wish: &MyTicketRequest,
    at: Timestamp,
) -> Result<Response, Problem> {
    let life = one_time::life(wish.expires_in, TICKET_LIFE_MAX)?;
    let none = || Problem::member("audience", "is not one that this session's tokens may be for");
    let client = app.config.clients.get(&loaded.session.client).ok_or_else(no_such_session)?;
    let own = app.recipients(client, &loaded.session.audience, wish.audience.as_deref());
    let own = own.ok_or_else(none)?;
    let audience = own.names.first().filter(|name| is_served(app, name)).ok_or_else(none)?;
    let purpose = audience_digest(audience);
    let text = one_time::make(app, (OneTimeKind::Ticket, purpose, life), loaded, at)?;
    let ticket = text.expose().to_owned();
    Ok(never_kept(Made { ticket, expires_in: life.as_secs() }))
}

/// Whether tickets are for it: for the authority itself there are none, since whoever redeems one would have a token
/// for the person's own devices.
fn is_served(app: &App, audience: &str) -> bool {
    app.config.audience(audience).is_some()
}

/// Redeems a ticket for an audience.
///
/// # Errors
/// The caller may not; the ticket is used, over, or for another audience; its session is over.
pub async fn post_redeem(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let scope = ApiScope::RevocationsRead;
    let (caller, asked) = auth::caller_says::<RedeemTicket>(&app, &context, request, scope).await?;
    let may = |found: &Loaded| reaches(&caller, found);
    let earned = redeem(&app, &asked.ticket, &asked.audience, may).await?;
    let request_id = &*context.request_id;
    tracing::info!(request_id, sid = earned.session_id, "ticket redeemed");
    Ok(never_kept(Earned {
        session_id: earned.session_id,
        subject: earned.subject,
        client_id: earned.client_id,
        access_token: earned.token.expose().to_owned(),
        token_type: "Bearer",
        expires_in: earned.expires_in,
    }))
}

/// What a ticket earned its holder.
pub struct Ticket {
    /// The token.
    pub token: SecretText,
    session_id: String,
    subject: String,
    client_id: String,
    expires_in: u64,
}

/// Redeems a ticket: of all who ask, one is given an access token for that audience alone.
///
/// # Errors
/// Why not; nothing is spent then, unless the token could not be made.
pub async fn redeem(
    app: &App,
    ticket: &str,
    audience: &str,
    reaches: impl Fn(&Loaded) -> bool,
) -> Result<Ticket, Unredeemed> {
    let shown = (OneTimeKind::Ticket, ticket);
    let redeemed = one_time::redeem(app, shown, audience_digest(audience), reaches).await?;
    written(app, &redeemed, audience).map_err(|unwritten| {
        Unredeemed::Fault(match unwritten {
            Unwritten::TooLong { bytes } => {
                Fault::Store(format!("the token would have {bytes} bytes; 4096 is the most"))
            }
            Unwritten::Fault(fault) => fault,
        })
    })
}

fn written(app: &App, redeemed: &Redeemed<'_>, audience: &str) -> Result<Ticket, Unwritten> {
    let Redeemed { loaded, client, at } = redeemed;
    let none = || Fault::Store("an audience that a ticket is for is not configured".into());
    let own = app.recipients(client, &loaded.session.audience, Some(audience)).ok_or_else(none)?;
    let recipients = Recipients { names: [Arc::from(audience)].into(), ..own };
    let grant = loaded.grant_by_ticket(&app.terms(client, &recipients.signer)?, *at);
    let writing = Writing { app, client, at: *at };
    let (issued, grant) = writing.access_token(&grant, &recipients, &grant.scope)?;
    Ok(Ticket {
        token: issued.token,
        session_id: session_id_text(loaded.session.sid),
        subject: loaded.session.subject.as_str().to_owned(),
        client_id: client.id.as_str().to_owned(),
        expires_in: grant.expires_in(*at),
    })
}

fn never_kept(answer: impl Serialize) -> Response {
    let mut response = Json(answer).into_response();
    no_store(response.headers_mut());
    response
}
