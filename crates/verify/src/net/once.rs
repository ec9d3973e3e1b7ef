//! Using up tokens that let in once: whether one was used, at this service or another, only the authority knows.

use super::http::{FetchError, Http};
use super::questions::{ANSWER_MAX, OPEN_MAX, WAITING_MAX};
use super::url::Issuer;
use crate::proof::Name;
use crate::{Distrust, Policy, Rejected, Unknown, Verified, Verifier};
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use symbolon_core::Reason;
use symbolon_wire::SecretText;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The way to where tokens are used up.
pub(crate) struct Uses {
    http: Arc<Http>,
    issuer: Issuer,
    authorization: HeaderValue,
    waiting: Semaphore,
    open: Semaphore,
}

impl Uses {
    pub(crate) fn new(http: Arc<Http>, issuer: Issuer, authorization: HeaderValue) -> Self {
        let (waiting, open) = (Semaphore::new(WAITING_MAX), Semaphore::new(OPEN_MAX));
        Self { http, issuer, authorization, waiting, open }
    }

    /// No two requests share an answer: it is good for one of them.
    async fn redeem(&self, token: &str) -> Result<(), Rejected> {
        let away = Rejected::Unverifiable(Unknown::Session);
        let Ok(_place) = self.waiting.try_acquire() else { return Err(away) };
        let Ok(Ok(_open)) = timeout(ANSWER_MAX, self.open.acquire()).await else {
            return Err(away);
        };
        let body = json!({ "token": token }).to_string();
        let at = self.issuer.at("/v1/tokens/redeem");
        read(self.http.post_json_told(&at, &self.authorization, body, ANSWER_MAX).await)
    }
}

impl Verifier {
    /// Uses up a genuine token that is for one use, for a request that it suffices for. Its proof goes first: whoever
    /// repeats one that was overheard uses up nothing by it.
    pub(super) async fn use_once(
        &self,
        token: &str,
        policy: &Policy,
        (signed, proof): (Verified, Option<Name>),
    ) -> Result<Verified, Rejected> {
        // It would be let in without the roles that it leaves out; our authority issues none such.
        if signed.claims().lacks_rights() {
            return Err(Rejected::Unverifiable(Unknown::Session));
        }
        policy.permits(&signed.claims(), self.now().wall)?;
        self.expected.spend(proof, self.now())?;
        // The authority cannot open what it sealed for somebody else's key; it knows what it signed.
        let opened = self.expected.opened(token)?;
        let signed_text = opened.as_ref().map_or(token, SecretText::expose);
        match self.net.as_ref().and_then(|net| net.uses.as_ref()) {
            Some(uses) => uses.redeem(signed_text).await?,
            None => {
                tracing::warn!(
                    "a token for one use came, and there is no API key to redeem it with"
                );
                return Err(Rejected::Unverifiable(Unknown::Session));
            }
        }
        self.expected.note_use(&signed.claims(), self.now());
        Ok(signed)
    }
}

/// What the authority's answer means.
fn read(told: Result<(StatusCode, Bytes), FetchError>) -> Result<(), Rejected> {
    let away = Rejected::Unverifiable(Unknown::Session);
    let (status, body) = told.map_err(|why| {
        tracing::warn!(%why, "a token for one use could not be redeemed");
        away.clone()
    })?;
    let object: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    match (status.as_u16(), text("type").and_then(|word| word.strip_prefix("urn:symbolon:"))) {
        (200, _) if object.get("active") == Some(&Value::Bool(true)) => Ok(()),
        (200, _) => Err(away),
        (400, _) => Err(Rejected::Untrusted(Distrust::Signature)),
        (404, _) => Err(Rejected::Revoked { ended: None }),
        (409, Some("session-ended")) => {
            Err(Rejected::Revoked { ended: text("reason").and_then(Reason::parse) })
        }
        (409, Some("expired")) => Err(Rejected::Expired),
        (409, Some("stale")) => Err(Rejected::Stale),
        (409, _) => Err(Rejected::Used),
        (status, _) => {
            tracing::error!(status, "the authority redeems no tokens for this API key");
            Err(away)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_means_one_thing() {
        let away = Rejected::Unverifiable(Unknown::Session);
        for (status, body, rejected) in [
            (200, r#"{"active":true}"#, None),
            (200, "{}", Some(away.clone())),
            (400, "{}", Some(Rejected::Untrusted(Distrust::Signature))),
            (401, "{}", Some(away.clone())),
            (404, "{}", Some(Rejected::Revoked { ended: None })),
            (409, r#"{"type":"urn:symbolon:already-used"}"#, Some(Rejected::Used)),
            (409, r#"{"type":"urn:symbolon:expired"}"#, Some(Rejected::Expired)),
            (409, r#"{"type":"urn:symbolon:stale"}"#, Some(Rejected::Stale)),
            (
                409,
                r#"{"type":"urn:symbolon:session-ended","reason":"kicked"}"#,
                Some(Rejected::Revoked { ended: Some(Reason::Kicked) }),
            ),
            (503, "", Some(away.clone())),
        ] {
            let told = read(Ok((status.try_into().unwrap(), Bytes::from(body.to_owned()))));
            assert_eq!(told.err(), rejected, "{status} {body}");
        }
        assert_eq!(read(Err(FetchError::Late)).err(), Some(away));
    }
}
