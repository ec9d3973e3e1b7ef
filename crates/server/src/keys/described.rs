//! What an access token would say, for whoever holds none that says it.

use super::Keys;
use symbolon_core::Grant;
use symbolon_wire::IssueError;

impl Keys {
    /// The claims of a grant's access token as JSON, without a signature: for whoever holds a handle.
    ///
    /// # Errors
    /// The claims of the session and of its subject cannot stand together.
    pub fn describe(
        &self,
        issuer: &str,
        grant: &Grant,
        to: &[&str],
    ) -> Result<Vec<u8>, IssueError> {
        self.with_claims(issuer, (grant, &grant.scope), to, |claims| {
            Ok(claims.describe(&self.jti, grant.session.generation).0)
        })
    }
}
