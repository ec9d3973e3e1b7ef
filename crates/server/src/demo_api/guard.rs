//! The guard before a route: a token that suffices, or a challenge.

use super::answer::Problem;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
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
}

/// Who was let in, for the handler. Holds the token, so it has no `Debug`.
#[derive(Clone)]
pub(super) struct Admitted {
    pub(super) verified: Arc<Verified>,
    /// For asking again as long as a socket is open.
    pub(super) token: SecretText,
}

impl Guard {
    pub(super) fn new(verifier: Verifier, policy: Policy) -> Self {
        Self { verifier, policy: Arc::new(policy), tickets: false }
    }

    /// The same for a route that browsers cannot send a header to.
    pub(super) fn or_ticket(self) -> Self {
        Self { tickets: true, ..self }
    }

    /// The one ticket of a request without a header; two credentials are none.
    fn ticket<'r>(&self, headers: &HeaderMap, uri: &'r Uri) -> Option<&'r str> {
        let query = uri.query().filter(|_| self.tickets)?;
        let mut tickets = query.split('&').filter_map(|pair| pair.strip_prefix("ticket="));
        let bare = !headers.contains_key(AUTHORIZATION);
        tickets.next().filter(|_| bare && tickets.next().is_none())
    }

    /// Whether a token is in force now.
    pub(super) async fn check(&self, token: &str) -> Result<Verified, Rejected> {
        self.verifier.admit(&Presented::bearer(token), &self.policy).await
    }

    async fn admitted(&self, headers: &HeaderMap, uri: &Uri) -> Result<Admitted, Rejected> {
        if let Some(ticket) = self.ticket(headers, uri) {
            let redeemed = self.verifier.redeem(ticket, &self.policy).await?;
            let token = SecretText::new(redeemed.token().to_owned());
            return Ok(Admitted { verified: Arc::new(redeemed.verified), token });
        }
        let presented = presented(headers)?;
        let verified = self.verifier.admit(&presented, &self.policy).await?;
        let token = SecretText::new(presented.token.to_owned());
        Ok(Admitted { verified: Arc::new(verified), token })
    }
}

/// Lets a request through with its [`Admitted`], or answers it.
pub(super) async fn admit(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    match guard.admitted(request.headers(), request.uri()).await {
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
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(only), None) => Presented::from_authorization(only.to_str().ok()),
        (None, _) | (Some(_), Some(_)) => Err(Rejected::Missing),
    }
}
