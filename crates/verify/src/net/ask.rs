//! What is asked about a token, and what is made of the answer.

use super::feed::{jitter, rest};
use super::questions::{About, Answer};
use crate::told::Told;
use crate::{Policy, Presented, Rejected, Unknown, Verified, Verifier};
use std::time::Duration;
use symbolon_wire::SecretText;

/// How often one request asks while what it is told is older than what is known by then. Inclusive.
const QUESTIONS_MAX: u32 = 3;

/// Between those questions: whoever answers may hear of an event a little later than we do.
const AGAIN: Duration = Duration::from_millis(50);

impl Verifier {
    /// Asks about a token, of which `known` is known to be genuine, if anything is.
    pub(super) async fn ask(
        &self,
        presented: &Presented<'_>,
        policy: &Policy,
        known: Option<Verified>,
    ) -> Result<Verified, Rejected> {
        // The authority cannot open what it sealed for somebody else's key; it knows what it signed.
        let opened = self.expected.opened(presented.token).ok().flatten();
        let shown = opened.as_ref().map_or(presented.token, SecretText::expose);
        for _ in 0..QUESTIONS_MAX {
            let sent = self.expected.before_asking(presented.token, known.clone());
            let about = About { token: shown, is_known: sent.is_known() };
            let body = match self.answer(about).await {
                Answer::Active(body) => body,
                Answer::Inactive => return Err(self.why_inactive(presented, policy)),
                Answer::None => break,
            };
            let taken = self.expected.take((presented, &sent), &body, policy, self.now());
            match taken.inspect_err(log)? {
                Told::Good(verified) => return Ok(verified),
                Told::Outdated => rest(jitter(AGAIN)).await,
            }
        }
        Err(Rejected::Unverifiable(Unknown::Session))
    }

    async fn answer(&self, about: About<'_>) -> Answer {
        match &self.net {
            Some(net) => net.ask(about).await,
            None => Answer::None,
        }
    }

    /// Introspection tells no reason; by now the mirror may.
    fn why_inactive(&self, presented: &Presented<'_>, policy: &Policy) -> Rejected {
        match self.genuine(presented, policy) {
            Ok((_, Err(known @ (Rejected::Revoked { .. } | Rejected::Expired)), _))
            | Err(known @ Rejected::Expired) => known,
            Ok((verified, ..)) if self.expected.is_outdated(&verified) => Rejected::Stale,
            Ok(_) | Err(_) => Rejected::Revoked { ended: None },
        }
    }
}

fn log(rejected: &Rejected) {
    if let Rejected::Unverifiable(_) = rejected {
        tracing::warn!(
            "the authority's answer is not about the token, or lacks what a token must say"
        );
    }
}
