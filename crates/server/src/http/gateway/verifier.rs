//! What a token is worth, by a verifier for each audience: for processes without a store.

use super::renewal::Renewal;
use super::{Admitted, ByCookie, Judge, Judges, Judging, Redeeming, Refused, Renewing, Seeking};
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::{Fault, Timestamp};
use symbolon_verify::{Distrust, Now, Policy, Presented, Rejected, Verifier};
use symbolon_wire::SecretText;

/// A verifier for each audience that rules may name.
pub type Verifiers = BTreeMap<Arc<str>, Verifier>;

/// A judge that asks the verifier of the audience, which asks the authority where the policy says so.
pub fn judge(verifiers: Arc<Verifiers>, policy: Policy) -> Judge {
    Arc::new(Verifying { verifiers, policy })
}

struct Verifying {
    verifiers: Arc<Verifiers>,
    policy: Policy,
}

impl Judges for Verifying {
    fn at_once(&self, shown: &Presented<'_>, audience: &str) -> Option<Admitted> {
        let verifier = self.verifiers.get(audience)?;
        let verified = verifier.verify(shown, &self.policy, Now::read());
        verified.ok().map(Admitted::Verified)
    }

    fn judge<'a>(&'a self, shown: Presented<'a>, audience: &'a str) -> Judging<'a> {
        Box::pin(async move {
            let nobodys = Refused::Rejected(Rejected::Untrusted(Distrust::Audience));
            let verifier = self.verifiers.get(audience).ok_or(nobodys)?;
            let verified = verifier.admit(&shown, &self.policy).await?;
            Ok(Admitted::Verified(verified))
        })
    }

    fn behind_at_once(&self, _: &Presented<'_>, _: &str) -> Option<ByCookie> {
        None
    }

    fn behind<'a>(&'a self, _: Presented<'a>, _: &'a str) -> Seeking<'a> {
        Box::pin(async { Err(Rejected::Missing.into()) })
    }

    fn renew<'a>(&'a self, asked: Renewal<'a>) -> Renewing<'a> {
        Box::pin(async { Err(asked.why.into()) })
    }

    fn redeem<'a>(&'a self, ticket: &'a str, audience: &'a str) -> Redeeming<'a> {
        Box::pin(async move {
            let nobodys = Refused::Rejected(Rejected::Untrusted(Distrust::Audience));
            let verifier = self.verifiers.get(audience).ok_or(nobodys)?;
            let redeemed = verifier.redeem(ticket, &self.policy).await?;
            let token = SecretText::new(redeemed.token().to_owned());
            Ok((Admitted::Verified(redeemed.verified), token))
        })
    }

    fn now(&self) -> Result<Timestamp, Fault> {
        Ok(Now::read().wall)
    }
}
