//! Tickets at a gate: for a WebSocket, an EventSource or a download, which cannot send a header.

use super::authority::admitted;
use super::behind::Shown;
use super::described::Described;
use super::{Admitted, Gateway, Outcome, Refused};
use crate::app::App;
use crate::http::one_time::Unredeemed;
use crate::http::own_token::OwnToken;
use crate::http::tickets;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use symbolon_core::gateway::Needs;
use symbolon_core::{Denial, Fault, Unfit};
use symbolon_verify::{Distrust, Rejected};
use symbolon_wire::SecretText;

/// The name of the parameter.
const PARAMETER: &str = "ticket=";

/// The ticket of a request whose rule takes one. A request with a header has no need of it, and two are none: nobody
/// knows which of them the upstream would take.
pub(super) fn shown<'t>(
    needs: &Needs,
    described: &Described<'t>,
    headers: &HeaderMap,
) -> Option<&'t str> {
    if !needs.tickets || headers.contains_key(AUTHORIZATION) {
        return None;
    }
    let (_, query) = described.target.split_once('?')?;
    let mut tickets = query.split('&').filter_map(|pair| pair.strip_prefix(PARAMETER));
    tickets.next().filter(|_| tickets.next().is_none())
}

impl Gateway {
    /// Redeems a ticket, which is used up by it even if who shows it has not enough.
    pub(super) async fn redeem<'h>(&self, needs: &Needs, ticket: &str) -> Outcome<'h> {
        match self.judge.redeem(ticket, &needs.audience).await {
            Ok((admitted, token)) => self.suffices(needs, admitted, Shown::Earned(token)),
            Err(refused) => Outcome::Refused(refused),
        }
    }
}

/// Redeems a ticket at the authority itself.
pub(super) async fn redeem(
    app: &App,
    ticket: &str,
    audience: &str,
) -> Result<(Admitted, SecretText), Refused> {
    let earned = tickets::redeem(app, ticket, audience, |_| true).await.map_err(refused)?;
    let token = OwnToken::read(app, earned.token.expose());
    let claims = token.as_ref().and_then(OwnToken::claims);
    let claims = claims.ok_or(Fault::Store("our own token could not be read".into()))?;
    Ok((admitted(claims), earned.token))
}

/// In a gate's words: what is used up or over is to be replaced by another, which `expired` says.
fn refused(unredeemed: Unredeemed) -> Refused {
    let rejected = match unredeemed {
        Unredeemed::Malformed(malformed) => Rejected::Malformed(malformed),
        Unredeemed::Used | Unredeemed::Unfit(Unfit::Expired | Unfit::Forgotten) => {
            Rejected::Expired
        }
        Unredeemed::Unfit(Unfit::OtherPurpose) => Rejected::Untrusted(Distrust::Audience),
        Unredeemed::Unfit(Unfit::Denied(Denial::Ended(reason))) => {
            Rejected::Revoked { ended: Some(reason) }
        }
        Unredeemed::Unfit(Unfit::Denied(Denial::ClientDisabled)) => Rejected::Stale,
        Unredeemed::Unknown | Unredeemed::Unfit(Unfit::Denied(_)) => {
            Rejected::Revoked { ended: None }
        }
        Unredeemed::Fault(fault) => return Refused::Fault(fault),
    };
    Refused::Rejected(rejected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn found<'t>(target: &'t str, tickets: bool, headers: &HeaderMap) -> Option<&'t str> {
        let needs = Needs {
            audience: "api".into(),
            scopes: Vec::new(),
            roles: Vec::new(),
            max_age: None,
            acr: Vec::new(),
            tickets,
            renews: false,
        };
        shown(&needs, &Described { method: "GET", target, site: None, ip: None }, headers)
    }

    #[test]
    fn a_ticket_is_one_parameter_of_a_rule_that_takes_tickets() {
        let none = HeaderMap::new();
        assert_eq!(found("/live?ticket=t", true, &none), Some("t"));
        assert_eq!(found("/live?a=b&ticket=t&c", true, &none), Some("t"));
        assert_eq!(found("/live?ticket=t", false, &none), None);
        assert_eq!(found("/live?ticket=t&ticket=t", true, &none), None);
        assert_eq!(found("/live?xticket=t", true, &none), None);
        assert_eq!(found("/live", true, &none), None);
        let mut with = HeaderMap::new();
        with.insert(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
        assert_eq!(found("/live?ticket=t", true, &with), None);
    }
}
