//! `POST /v1/gateway/token`: what stands behind a session's cookie, for a sidecar, which cannot open it itself.
//!
//! It is told what the gateway of the authority would have shown an upstream, and what a request must be to have been
//! meant; so whoever holds a cookie learns nothing here that a check would not give.

use super::session;
use super::{Admitted, Refused};
use crate::api_keys::ApiScope;
use crate::app::App;
use crate::http::auth;
use crate::http::body::{Object, json_bytes, parse_json};
use crate::http::edge::{Context, no_store};
use crate::http::problem::Problem;
use crate::http::query::Query;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use symbolon_core::Reason;
use symbolon_verify::Rejected;

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CookieRequest {
    cookie: String,
    audience: String,
}

/// The answer. Has no `Debug`: it holds a token.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum Told {
    /// The session lives.
    Behind {
        /// The short token.
        access_token: String,
        /// For how many seconds it need not be asked for again; an event may make that shorter.
        keep_for: u64,
        /// The origins whose pages may act with the cookie.
        origins: Vec<Arc<str>>,
        /// What a page without an origin shows.
        csrf: String,
    },
    /// Nobody passes with it.
    Refused {
        /// `untrusted`: none of ours; `revoked`: the session is over; `binding`: more must be shown.
        refused: String,
        /// Why it is over, if that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// Answers a sidecar.
///
/// # Errors
/// The caller may not; the store could not answer.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::RevocationsRead).await?;
    Query::read(&uri, &[])?;
    let Object(CookieRequest { cookie, audience }) =
        parse_json(&json_bytes(&headers, body).await?)?;
    let at = app.now()?;
    let found = session::behind(&app, &cookie, &audience).await;
    let told = match found {
        Ok((Admitted::Read(read), _)) if !reaches(&app, &caller, &read.client) => {
            return Err(Problem::forbidden(
                "key-limited",
                "The API key is limited to other clients.",
            ));
        }
        Ok((_, behind)) => Told::Behind {
            access_token: behind.token.expose().to_owned(),
            keep_for: behind.until.since(at).as_secs(),
            origins: behind.origins.clone(),
            csrf: behind.csrf.expose().to_owned(),
        },
        Err(Refused::Fault(fault)) => return Err(fault.into()),
        Err(refused) => Told::of(&refused),
    };
    let mut response = (StatusCode::OK, Json(told)).into_response();
    no_store(response.headers_mut());
    Ok(response)
}

fn reaches(app: &App, caller: &auth::Caller, client: &str) -> bool {
    app.client(client).is_some_and(|client| caller.reaches(&client.id))
}

impl Told {
    fn of(refused: &Refused) -> Self {
        let (word, reason) = match refused {
            Refused::Rejected(Rejected::Revoked { ended }) => ("revoked", *ended),
            Refused::Rejected(Rejected::Binding) => ("binding", None),
            Refused::Rejected(_)
            | Refused::Fault(_)
            | Refused::Cookie(_)
            | Refused::TwoCredentials
            | Refused::Forged(_) => ("untrusted", None),
        };
        let reason = reason.map(Reason::as_str).map(str::to_owned);
        Self::Refused { refused: word.to_owned(), reason }
    }
}
