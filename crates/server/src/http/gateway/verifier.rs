//! What a token is worth, by a verifier for each audience: for processes without a store.

use super::{Admitted, Judge, Refused};
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_verify::{Claims, Distrust, Policy, Presented, Rejected, Verifier};

/// A verifier for each audience that rules may name.
pub type Verifiers = BTreeMap<Arc<str>, Verifier>;

/// A judge that asks the verifier of the audience, which asks the authority where the policy says so.
pub fn judge(verifiers: Arc<Verifiers>, policy: Policy) -> Judge {
    let policy = Arc::new(policy);
    Arc::new(move |token, audience| {
        let (verifiers, policy) = (Arc::clone(&verifiers), Arc::clone(&policy));
        Box::pin(async move {
            let nobodys = Refused::Rejected(Rejected::Untrusted(Distrust::Audience));
            let verifier = verifiers.get(&audience).ok_or(nobodys)?;
            let verified = verifier.admit(&Presented::bearer(token.expose()), &policy).await?;
            Ok(admitted(&verified.claims()))
        })
    })
}

/// What a good token says, for the upstream.
pub(crate) fn admitted(claims: &Claims<'_>) -> Admitted {
    Admitted {
        subject: claims.sub.to_owned(),
        session: claims.session_id(),
        client: claims.client_id.to_owned(),
        scope: claims.scope.unwrap_or_default().to_owned(),
        roles: claims.roles().map(str::to_owned).collect(),
    }
}
