//! Redeeming tickets: whether one was used, only the authority knows.

use super::http::{FetchError, Http};
use super::questions::{ANSWER_MAX, OPEN_MAX};
use super::url::Issuer;
use crate::{Policy, Presented, Rejected, Unknown, Verified, Verifier};
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use symbolon_core::Reason;
use symbolon_wire::{Malformed, SecretText};
use tokio::sync::Semaphore;

/// The longest ticket, in bytes. Inclusive; the authority's own are shorter.
pub(crate) const TICKET_BYTES_MAX: usize = 256;

/// The way to where tickets are redeemed.
pub(crate) struct Tickets {
    pub(crate) http: Arc<Http>,
    pub(crate) issuer: Issuer,
    pub(crate) authorization: HeaderValue,
    open: Semaphore,
}

/// Who came with a ticket, and the access token that it earned: for whoever must check again, as a socket does that
/// stays open. Has no `Debug`: it holds a token.
pub struct Redeemed {
    /// Who it is.
    pub verified: Verified,
    token: SecretText,
}

impl Redeemed {
    /// The access token, for this audience alone. Show it to nobody else.
    pub fn token(&self) -> &str {
        self.token.expose()
    }
}

impl Tickets {
    pub(crate) fn new(http: Arc<Http>, issuer: Issuer, authorization: HeaderValue) -> Self {
        Self { http, issuer, authorization, open: Semaphore::new(OPEN_MAX) }
    }

    async fn redeem(&self, ticket: &str, audience: &str) -> Result<SecretText, Rejected> {
        let away = Rejected::Unverifiable(Unknown::Session);
        // Nobody waits: a ticket that was sent twice would be used up by the first.
        let Ok(_place) = self.open.try_acquire() else { return Err(away) };
        let body = json!({"ticket": ticket, "audience": audience}).to_string();
        let at = self.issuer.at("/v1/tickets/redeem");
        let told = self.http.post_json_told(&at, &self.authorization, body, ANSWER_MAX).await;
        read(told)
    }
}

impl Verifier {
    /// Redeems a ticket that came in place of a header, for a WebSocket, an EventSource or a download, and checks the
    /// token that it earned as [`Verifier::admit`] does. Needs the API key of `Builder::feed` or
    /// `Builder::introspection`.
    ///
    /// Security: the authority is asked each time, since a ticket is good for one use across all services. Take it from
    /// a parameter named `ticket` of the few routes that need it, and keep that parameter out of your logs; whoever reads
    /// it there comes too late.
    ///
    /// # Errors
    /// Why the request is not let in: [`Rejected::Expired`] says that the ticket was used or is over, and that another
    /// must be asked for. An authority that cannot be reached is [`Rejected::Unverifiable`].
    pub async fn redeem(&self, ticket: &str, policy: &Policy) -> Result<Redeemed, Rejected> {
        let token = self.ask_for_token(ticket).await;
        let token = token.inspect_err(|rejected| self.expected.rejections.count(rejected))?;
        let verified = self.admit(&Presented::bearer(token.expose()), policy).await?;
        Ok(Redeemed { verified, token })
    }

    async fn ask_for_token(&self, ticket: &str) -> Result<SecretText, Rejected> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_ticket = ticket.starts_with("sym_tk_") && ticket.bytes().all(plain);
        if !is_ticket || TICKET_BYTES_MAX < ticket.len() {
            return Err(Rejected::Malformed(FORGED));
        }
        match self.net.as_ref().and_then(|net| net.tickets.as_ref()) {
            Some(tickets) => tickets.redeem(ticket, &self.expected.audience).await,
            None => {
                tracing::warn!("a ticket came, and there is no API key to redeem it with");
                Err(Rejected::Unverifiable(Unknown::Session))
            }
        }
    }
}

const FORGED: Malformed = Malformed::new("ticket", "is not a ticket of this authority");

/// What the authority's answer means.
fn read(told: Result<(StatusCode, Bytes), FetchError>) -> Result<SecretText, Rejected> {
    let away = Rejected::Unverifiable(Unknown::Session);
    let (status, body) = told.map_err(|why| {
        tracing::warn!(%why, "a ticket could not be redeemed");
        away.clone()
    })?;
    let object: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    match (status.as_u16(), text("type").and_then(|word| word.strip_prefix("urn:symbolon:"))) {
        (200, _) => text("access_token").map(|token| SecretText::new(token.to_owned())).ok_or(away),
        (400, _) => Err(Rejected::Malformed(FORGED)),
        (404, _) => Err(Rejected::Revoked { ended: None }),
        (409, Some("session-ended")) => {
            Err(Rejected::Revoked { ended: text("reason").and_then(Reason::parse) })
        }
        (409, _) => Err(Rejected::Expired),
        (status, _) => {
            tracing::error!(status, "the authority redeems no tickets for this API key");
            Err(away)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Option<Rejected> {
        read(Ok((status.try_into().unwrap(), Bytes::from(body.to_owned())))).err()
    }

    #[test]
    fn every_answer_means_one_thing() {
        assert_eq!(said(200, r#"{"access_token":"a.b.c"}"#), None);
        let away = Rejected::Unverifiable(Unknown::Session);
        for (status, body, rejected) in [
            (200, "{}", away.clone()),
            (400, "{}", Rejected::Malformed(FORGED)),
            (401, "{}", away.clone()),
            (403, "{}", away.clone()),
            (404, "{}", Rejected::Revoked { ended: None }),
            (409, r#"{"type":"urn:symbolon:already-used"}"#, Rejected::Expired),
            (409, r#"{"type":"urn:symbolon:expired"}"#, Rejected::Expired),
            (
                409,
                r#"{"type":"urn:symbolon:session-ended","reason":"kicked"}"#,
                Rejected::Revoked { ended: Some(Reason::Kicked) },
            ),
            (503, "", away.clone()),
        ] {
            assert_eq!(said(status, body), Some(rejected), "{status} {body}");
        }
        assert_eq!(read(Err(FetchError::Late)).err(), Some(away));
    }
}
