//! The same as an interceptor of tonic.

use super::{Admit, Admitted};
use crate::{Now, Presented, Rejected};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

/// Lets a call through with an [`Admitted`] among its extensions, or ends it with a status:
/// `UNAUTHENTICATED`, `PERMISSION_DENIED` where a scope or role is missing, and `UNAVAILABLE` where nothing
/// is wrong with the token so far as is known. The challenge is the metadata `www-authenticate`.
///
/// An interceptor cannot wait, so it asks nobody: under [`Policy::bounded`](crate::Policy::bounded) a call
/// that the mirror is too old to decide is `UNAVAILABLE`, and so is one with an opaque token that was not asked
/// about. Where that must be asked about, put the layer itself around the server instead: a tonic service is a
/// tower service.
impl Interceptor for Admit {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let (verifier, policy) = self.parts();
        let metadata = request.metadata();
        let verified = presented(metadata).and_then(|presented| {
            let shown = self.surrounded(presented, request.extensions(), metadata.as_ref());
            verifier.verify(&shown, policy, Now::read())
        });
        match verified {
            Ok(verified) => {
                request.extensions_mut().insert(Admitted::new(verified));
                Ok(request)
            }
            Err(rejected) => Err(status(&rejected)),
        }
    }
}

fn presented(metadata: &MetadataMap) -> Result<Presented<'_>, Rejected> {
    let mut values = metadata.get_all("authorization").iter();
    match (values.next(), values.next()) {
        (Some(only), None) => Presented::from_authorization(only.to_str().ok()),
        (None, _) | (Some(_), Some(_)) => Err(Rejected::Missing),
    }
}

fn status(rejected: &Rejected) -> Status {
    tracing::debug!(%rejected, "a call was not let in");
    let said = rejected.to_string();
    let mut status = match rejected {
        Rejected::InsufficientScope { .. } => Status::permission_denied(said),
        Rejected::Unverifiable(_) | Rejected::Ask => Status::unavailable(said),
        Rejected::Missing
        | Rejected::Malformed(_)
        | Rejected::Untrusted(_)
        | Rejected::Expired
        | Rejected::Stale
        | Rejected::Revoked { .. }
        | Rejected::InsufficientAuthentication { .. }
        | Rejected::Binding
        | Rejected::Elsewhere
        | Rejected::Proof(_) => Status::unauthenticated(said),
    };
    if let Ok(challenge) = MetadataValue::try_from(rejected.challenge()) {
        status.metadata_mut().insert("www-authenticate", challenge);
    }
    status
}
