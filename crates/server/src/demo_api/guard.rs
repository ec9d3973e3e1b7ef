//! The guard before a route: a token that suffices, or a challenge.

use super::answer::Problem;
use crate::http::around::Around;
use crate::http::dpop::DPOP;
use crate::http::serve::Peer;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use symbolon_verify::{Policy, Presented, Rejected, Verified, Verifier};
use symbolon_wire::SecretText;

/// What a route asks of its callers.
#[derive(Clone)]
pub(super) struct Guard {
    verifier: Verifier,
    policy: Arc<Policy>,
    tickets: bool,
    /// Where the demo API is reached.
    base: Arc<str>,
}

/// Who was let in, for the handler. Holds the token, so it has no `Debug`.
#[derive(Clone)]
pub(super) struct Admitted {
    pub(super) verified: Arc<Verified>,
    /// For asking again as long as a socket is open.
    pub(super) token: SecretText,
}

impl Guard {
    pub(super) fn new(verifier: Verifier, policy: Policy, base: Arc<str>) -> Self {
        Self { verifier, policy: Arc::new(policy), tickets: false, base }
    }

    /// The same for a route that browsers cannot send a header to.
    pub(super) fn or_ticket(self) -> Self {
        Self { tickets: true, ..self }
    }

    /// The one ticket of a request without a header; two credentials are none.
    fn ticket<'r>(&self, request: &'r Parts) -> Option<&'r str> {
        let query = request.uri.query().filter(|_| self.tickets)?;
        let mut tickets = query.split('&').filter_map(|pair| pair.strip_prefix("ticket="));
        let bare = !request.headers.contains_key(AUTHORIZATION);
        tickets.next().filter(|_| bare && tickets.next().is_none())
    }

    /// Whether a token is in force now. Its key was proved when it was shown.
    pub(super) async fn check(&self, token: &str) -> Result<Verified, Rejected> {
        let policy = (*self.policy).clone().report_bindings();
        self.verifier.admit(&Presented::bearer(token), &policy).await
    }

    async fn admitted(&self, request: &Parts) -> Result<Admitted, Rejected> {
        if let Some(ticket) = self.ticket(request) {
            let redeemed = self.verifier.redeem(ticket, &self.policy).await?;
            let token = SecretText::new(redeemed.token().to_owned());
            return Ok(Admitted { verified: Arc::new(redeemed.verified), token });
        }
        let url = format!("{}{}", self.base, request.uri.path());
        let headers = &request.headers;
        let presented = presented(headers)?.request(request.method.as_str(), &url);
        let presented = presented.proof(only(headers, &DPOP));
        // Nothing stands before it, so that whoever connects is who asks.
        let ip = match request.extensions.get::<Peer>() {
            Some(Peer::Address(address)) => Some(*address),
            Some(Peer::Operator(_)) | None => None,
        };
        let presented = Around::new(headers, ip).beside(presented);
        let verified = self.verifier.admit(&presented, &self.policy).await?;
        let token = SecretText::new(presented.token.to_owned());
        Ok(Admitted { verified: Arc::new(verified), token })
    }
}

/// Lets a request through with its [`Admitted`], or answers it.
pub(super) async fn admit(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let admitted = guard.admitted(&parts).await;
    let mut request = Request::from_parts(parts, body);
    match admitted {
        Ok(admitted) => {
            request.extensions_mut().insert(admitted);
            next.run(request).await
        }
        Err(rejected) => {
            tracing::debug!(%rejected, "the demo API refused a request");
            Problem::from(rejected).into_response()
        }
    }
}

/// Two tokens in one request are none: who knows which of them somebody else has checked.
fn presented(headers: &HeaderMap) -> Result<Presented<'_>, Rejected> {
    Presented::from_authorization(Some(only(headers, &AUTHORIZATION).ok_or(Rejected::Missing)?))
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    only.to_str().ok()
}
