//! Who may make the playground act: whoever has the address that `dev` printed, from a page of the playground.

use super::Playground;
use crate::http::edge::no_store;
use crate::http::problem::Problem;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use symbolon_wire::SecretHash;

/// What a request must show.
pub(super) struct Gate {
    origin: String,
    key: SecretHash,
}

impl Gate {
    pub(super) fn new(origin: &str, key: SecretHash) -> Self {
        Self { origin: origin.to_owned(), key }
    }

    /// Whether the browser was asked for this very address, and not for a name that somebody pointed here (DNS
    /// rebinding).
    fn is_host(&self, headers: &HeaderMap) -> bool {
        let host = self.origin.strip_prefix("http://");
        host.is_some() && only(headers, &HOST) == host
    }

    /// Whether a page of ours asks that was opened with the key.
    fn opens(&self, headers: &HeaderMap) -> bool {
        let key = only(headers, &AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        only(headers, &ORIGIN) == Some(&self.origin) && key.is_some_and(|key| self.key.is_of(key))
    }
}

/// Two of a header are none: who knows which of them somebody else has checked.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    only.to_str().ok()
}

/// Answers under its own address alone.
pub(super) async fn hosted(
    State(own): State<Playground>,
    request: Request,
    next: Next,
) -> Response {
    let gate = &own.0.gate;
    if gate.is_host(request.headers()) {
        return next.run(request).await;
    }
    let detail =
        format!("The playground is at {}/playground and under no other name.", gate.origin);
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "wrong-host", "Wrong host", detail)
        .into_response()
}

/// Lets a page of ours through that was opened with the key.
pub(super) async fn guarded(
    State(own): State<Playground>,
    request: Request,
    next: Next,
) -> Response {
    if own.0.gate.opens(request.headers()) {
        return next.run(request).await;
    }
    let detail = "Open the address that `symbolon dev` printed, with what follows the `#`.";
    Problem::unauthorized(detail).into_response()
}

/// What it answers may hold tokens.
pub(super) async fn never_kept(mut response: Response) -> Response {
    no_store(response.headers_mut());
    response
}
