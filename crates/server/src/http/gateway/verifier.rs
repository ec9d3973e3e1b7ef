//! What a token is worth, by a verifier for each audience: for processes without a store.

use super::{Admitted, Judge, Judges, Judging, Refused};
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_verify::{Distrust, Now, Policy, Presented, Rejected, Verifier};

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
}
