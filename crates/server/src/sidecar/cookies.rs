//! Sessions that live in a cookie: what stands behind one the authority alone can tell, and it is asked once; from
//! then on the token behind it is verified here, like any other, until the feed says that something happened to it.

use super::lanes::Lanes;
use super::upstream::Upstream;
use crate::http::gateway::behind::{Behind, Kept};
use crate::http::gateway::token::Told;
use crate::http::gateway::verifier::Verifiers;
use crate::http::gateway::{Admitted, ByCookie, Refused};
use axum::http::HeaderValue;
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;
use symbolon_core::{Duration, Fault, Reason};
use symbolon_verify::{Distrust, Now, Policy, Presented, Rejected};
use symbolon_wire::{SecretText, sha256};

/// The longest cookie that is asked about, in bytes. Inclusive.
const COOKIE_BYTES_MAX: usize = 128;

/// Asks the authority about cookies, and keeps what it says.
pub(super) struct Cookies {
    /// How they are called.
    pub(super) named: symbolon_wire::Cookies,
    pub(super) upstream: Arc<Upstream>,
    pub(super) authorization: HeaderValue,
    pub(super) verifiers: Arc<Verifiers>,
    pub(super) policy: Policy,
    pub(super) kept: Kept,
    /// Who asks about the same cookie at the same time asks once.
    pub(super) asking: Lanes,
}

impl Cookies {
    /// What is kept, if the feed has said nothing against it.
    pub(super) fn at_once(&self, shown: &Presented<'_>, audience: &str) -> Option<ByCookie> {
        let now = Now::read();
        let behind = self.kept.find(shown.token, audience, now.wall)?;
        let verifier = self.verifiers.get(audience)?;
        let verified =
            verifier.verify(&shown.behind(behind.token.expose()), &self.policy, now).ok()?;
        Some((Admitted::Verified(verified), behind))
    }

    /// What the authority says.
    pub(super) async fn behind(
        &self,
        shown: &Presented<'_>,
        audience: &str,
    ) -> Result<ByCookie, Refused> {
        let cookie = shown.token;
        let verifier = self.verifiers.get(audience);
        let verifier = verifier.ok_or(Rejected::Untrusted(Distrust::Audience))?;
        if COOKIE_BYTES_MAX < cookie.len() {
            return Err(Rejected::Untrusted(Distrust::Signature).into());
        }
        let _turn = self.asking.turn(&sha256(cookie.as_bytes()).0).await?;
        if let Some(known) = self.at_once(shown, audience) {
            return Ok(known);
        }
        let behind = Arc::new(self.ask(cookie, audience).await?);
        let presented = shown.behind(behind.token.expose());
        let verified = verifier.admit(&presented, &self.policy).await?;
        self.kept.keep(cookie, audience, &behind);
        Ok((Admitted::Verified(verified), behind))
    }

    async fn ask(&self, cookie: &str, audience: &str) -> Result<Behind, Refused> {
        let away = || Fault::Store("the authority could not be asked about a cookie".into());
        let body = Bytes::from(json!({"cookie": cookie, "audience": audience}).to_string());
        let at = Now::read().wall;
        let answer = self.upstream.post("/v1/gateway/token", &self.authorization, body).await;
        let answer = answer.ok().and_then(|answer| answer.or_refusal().ok()).ok_or_else(away)?;
        match serde_json::from_slice(&answer.body).map_err(|_| away())? {
            Told::Behind { access_token, keep_for, origins, csrf } => Ok(Behind {
                token: SecretText::new(access_token),
                origins,
                csrf: SecretText::new(csrf),
                until: at.after(Duration::from_secs(keep_for)),
            }),
            Told::Refused { refused, reason } => Err(match &*refused {
                "revoked" => Rejected::Revoked { ended: reason.as_deref().and_then(Reason::parse) },
                "binding" => Rejected::Binding,
                _ => Rejected::Untrusted(Distrust::Signature),
            }
            .into()),
        }
    }
}
