//! What the authority says otherwise than by an access token.

use super::{Keys, Signer, added_claims, texts};
use serde_json::{Map, Value};
use symbolon_core::{Grant, Loaded};
use symbolon_wire::{Algorithm, CryptoFailed, HookCall, IssueError};

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
        self.with_claims(issuer, (grant, &grant.scope, false), to, |claims| {
            Ok(claims.describe(&self.jti, grant.session.generation).0)
        })
    }

    /// What a thin token of this session leaves out now, and what it would call that.
    ///
    /// # Errors
    /// The claims of the session and of its subject cannot stand together.
    pub fn left_out(&self, loaded: &Loaded) -> Result<Map<String, Value>, IssueError> {
        let added = added_claims(&loaded.session.claims, &loaded.subject.claims)?;
        let roles = texts(loaded.roles());
        let mut claims: Map<_, _> = serde_json::from_str(&added.to_text()).unwrap_or_default();
        claims.insert("rights".into(), self.jti.rights(&roles, &added).into());
        claims.insert("roles".into(), roles.into());
        Ok(claims)
    }

    /// A question to a back end, signed by a key that is published: that of this algorithm if one signs, since
    /// whoever is asked checks such signatures anyway. A key of EdDSA is always there.
    ///
    /// # Errors
    /// The library failed.
    pub fn sign_hook_call(
        &self,
        alg: Algorithm,
        call: &HookCall<'_>,
    ) -> Result<String, CryptoFailed> {
        let of = |alg| self.usable.iter().find(|(own, _)| *own == Signer::Own(alg));
        let (_, kids) = of(alg).or_else(|| of(Algorithm::EdDsa)).ok_or(CryptoFailed)?;
        call.sign(self.signing(*kids.last().ok_or(CryptoFailed)?)?)
    }
}
