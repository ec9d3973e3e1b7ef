//! Client credentials (RFC 6749 §4.4): what a client earns for itself, without a session.

use crate::denial::{Denial, Fault};
use crate::epoch::{Cutoffs, Ver};
use crate::grant::{Terms, seconds_left};
use crate::id::{ClientId, Digest, KeyId};
use crate::loaded::Verdict;
use crate::revocation::{Effect, Reason};
use crate::time::{Duration, Timestamp};

/// Everything that a client's own access token is made from, but its scope and its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientGrant {
    /// Whose.
    pub client: ClientId,
    /// The four counters; that of the subject is 0, since a client is no subject.
    pub ver: Ver,
    /// `iat`: whole seconds.
    pub issued_at: Timestamp,
    /// `exp`: whole seconds, exclusive.
    pub expires_at: Timestamp,
    /// How old the knowledge may be by which it is let in, if the client says so.
    pub staleness: Option<Duration>,
    /// The key that signs it.
    pub key: KeyId,
    /// The thumbprint of the key that whoever shows it must prove (`cnf.jkt`, RFC 9449 §6.1).
    pub jkt: Option<Digest>,
}

impl ClientGrant {
    /// The same for whoever proves a key, if one was proved when it was asked for (RFC 9449 §5).
    #[must_use]
    pub fn bound_to(self, jkt: Option<Digest>) -> Self {
        Self { jkt, ..self }
    }

    /// `expires_in`: seconds of life left, counted from `at`, rounded up; at least 1.
    pub fn expires_in(&self, at: Timestamp) -> u64 {
        seconds_left(self.expires_at, at)
    }
}

impl Cutoffs {
    /// Decides what a client that showed its secret is given. Nothing is committed: whoever asked while a
    /// bump was being written holds a token below its bound.
    ///
    /// # Errors
    /// [`Fault::Contention`] when the key that is to sign was revoked and this process does not know its
    /// successor yet.
    pub fn grant_client(
        &self,
        client: &ClientId,
        terms: &Terms<'_>,
        at: Timestamp,
    ) -> Result<Result<ClientGrant, Denial>, Fault> {
        if self.client(client).disabled {
            return Ok(Err(Denial::ClientDisabled));
        }
        if self.keys.contains_key(&terms.key) {
            return Err(Fault::Contention);
        }
        let issued_at = at.floor_second();
        Ok(Ok(ClientGrant {
            client: client.clone(),
            ver: self.ver_of(client, 0),
            issued_at,
            expires_at: issued_at.after(terms.policy.access_ttl),
            staleness: terms.policy.staleness,
            key: terms.key,
            jkt: None,
        }))
    }

    /// What holds of a client's own access token of that name that carries `ver`. Its signature was found
    /// right, by a key that was not revoked. There is no birth to compare, so a revoked bound is compared
    /// with the token itself.
    pub fn judge_client(&self, client: &ClientId, jti: &[u8; 16], ver: &Ver) -> Verdict {
        let state = self.client(client);
        let (own, all) = (ver.of_client(), ver.of_everything());
        let revoked = state.epochs.revokes(own).or_else(|| self.everything.revokes(all));
        let stale = state.epochs.outdates(own).or_else(|| self.everything.outdates(all));
        match (revoked, self.tokens.get(jti), stale) {
            (Some(bound), _, _) => Verdict::Revoked(bound.reason),
            (None, Some(named), _) if named.effect == Effect::Revoked => {
                Verdict::Revoked(named.reason)
            }
            (None, _, _) if state.disabled => Verdict::Stale(Reason::ClientDisabled),
            (None, Some(named), _) => Verdict::Stale(named.reason),
            (None, None, Some(bound)) => Verdict::Stale(bound.reason),
            (None, None, None) => Verdict::Live,
        }
    }
}
