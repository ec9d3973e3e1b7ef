//! `/v1/me`: a person's own devices, for whoever holds an access token for the authority itself.

pub mod events;
pub mod events_stream;
pub mod sessions;
pub mod sign_out;
pub mod tickets;

use super::around::{Around, suits};
use super::edge::Context;
use super::own_token::{OwnToken, Unheld};
use super::problem::Problem;
use super::{auth, cors, dpop};
use crate::app::App;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use std::future::Future;
use symbolon_core::revocation::{Act, Actor};
use symbolon_core::{Loaded, Reason, Timestamp, Verdict};
use symbolon_verify::Presented;

/// The person who asks, by the session that they ask from.
pub(super) struct Person {
    /// Their session.
    pub(super) own: Loaded,
    /// When they ask.
    pub(super) at: Timestamp,
}

/// A request: its method, its path, and what it says.
type Asked<'r> = (&'r Method, &'r str, &'r HeaderMap);

/// Answers a person, and lets the pages of their client read the answer. Nothing on the way may keep it.
async fn answer(
    app: &App,
    asked: Asked<'_>,
    answer: impl Future<Output = Result<Response, Problem>>,
) -> Response {
    let origin = match cors::check_any(app, asked.2) {
        Ok(origin) => origin,
        Err(_) => return foreign_origin().into_response(),
    };
    let mut response = match dpop::refuse_token(app, asked) {
        Some(refusal) => origin.expose(refusal),
        None => origin.expose(answer.await),
    };
    let no_store = axum::http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

impl Person {
    /// Finds out who asks: the access token must be for the authority (`aud`), in force, and of a person.
    ///
    /// # Errors
    /// 401 if it is not; 403 if a page asks that is not of the token's client.
    async fn read(app: &App, context: &Context, headers: &HeaderMap) -> Result<Self, Problem> {
        match Self::read_even_if_stale(app, context, headers).await? {
            (person, None) => Ok(person),
            (_, Some(reason)) => {
                let problem = Problem::invalid_token("The access token must be renewed; refresh.");
                Err(problem.because(Some(reason)))
            }
        }
    }

    /// The same of a token that must be renewed, with the reason why it must: whoever cannot renew, because
    /// their client is switched off, can still leave.
    ///
    /// # Errors
    /// As [`Self::read`]'s, but for that.
    async fn read_even_if_stale(
        app: &App,
        context: &Context,
        headers: &HeaderMap,
    ) -> Result<(Self, Option<Reason>), Problem> {
        let Some((text, proved)) = auth::token(headers) else {
            let detail = "Send `Authorization: Bearer` and an access token for the authority: \
                          refresh with `resource` and the issuer.";
            return Err(Problem::unauthorized(detail));
        };
        let wrong = || Problem::invalid_token("This is no access token for the authority itself.");
        let token = OwnToken::read(app, text).ok_or_else(wrong)?;
        if token.jkt().is_some() != proved {
            let detail =
                "A token that is bound to a key is shown as `DPoP` with a proof, and no other is.";
            return Err(Problem::invalid_token(detail));
        }
        let at = app.now()?;
        let held = token.held(app, at).await?.ok_or_else(wrong)?;
        if !held.audience.iter().any(|name| *name == *app.config.issuer) {
            return Err(wrong());
        }
        let stale = stale(held.says.err())?;
        let own = held.session.ok_or_else(wrong)?;
        let shown = Around::new(headers, Some(context.address)).beside(Presented::bearer(text));
        // Both were looked for, so that nothing else can be wrong.
        suits(app, &own.session, &held.imprints, &shown).map_err(|_| Problem::elsewhere())?;
        let client = app.config.clients.get(&own.session.client).ok_or_else(wrong)?;
        cors::check(client, headers).map_err(|_| foreign_origin())?;
        Ok((Self { own, at }, stale))
    }

    /// An act of theirs.
    fn act(&self, context: &Context) -> Act {
        context.act(Actor::Person(self.own.session.subject.clone()), None)
    }
}

/// Why a token must be renewed that is not over.
fn stale(unheld: Option<Unheld>) -> Result<Option<Reason>, Problem> {
    match unheld {
        None | Some(Unheld::By(Verdict::Live)) => Ok(None),
        Some(Unheld::By(Verdict::Stale(reason))) => Ok(Some(reason)),
        Some(Unheld::By(Verdict::Revoked(reason))) => {
            let problem = Problem::invalid_token("The session is over; sign in again.");
            Err(problem.because(Some(reason)))
        }
        Some(Unheld::Expired) => {
            Err(Problem::invalid_token("The access token has expired; refresh."))
        }
    }
}

fn foreign_origin() -> Problem {
    let detail = "The page's origin is not among the `origins` of this client.";
    Problem::forbidden("foreign-origin", detail)
}
