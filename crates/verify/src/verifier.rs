//! The check of a token, in the order of RFC 9068 §4.

use crate::keys::Keys;
use crate::mirror::{Judgement, Mirror};
use crate::policy::{LEEWAY_MAX, Staleness};
use crate::status::Rejections;
use crate::{Builder, Claims, Distrust, Now, Policy, Presented, Rejected, Unknown, Verified};
use std::sync::Arc;
use std::time::Duration;
use symbolon_core::Effect;
use symbolon_wire::{Algorithm, KeySet, ParsedClaims, Payload, Refused, Type};

/// Verifies access tokens of one issuer for one audience.
///
/// Cloning is cheap, and all clones share keys. A check does no I/O and may run anywhere.
#[derive(Clone)]
pub struct Verifier {
    pub(crate) expected: Arc<Expected>,
    #[cfg(feature = "net")]
    pub(crate) net: Option<Arc<crate::net::Net>>,
}

/// What a token must be, and the keys to tell.
pub(crate) struct Expected {
    pub(crate) issuer: Box<str>,
    pub(crate) audience: Box<str>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) typ: Type,
    pub(crate) keys: Keys,
    pub(crate) mirror: Mirror,
    /// No knowledge that is older is good enough, whatever a policy says.
    pub(crate) max_staleness: Duration,
    pub(crate) rejections: Rejections,
    #[cfg(feature = "net")]
    pub(crate) sessions: crate::sessions::Sessions,
}

impl Verifier {
    /// Begins a verifier of that issuer's tokens; the name is compared exactly, byte for byte.
    pub fn builder(issuer: &str) -> Builder {
        Builder::new(issuer)
    }

    /// Checks a token and, if it is good, lets `f` read its claims.
    ///
    /// Synchronous and without I/O. The claims are borrowed, so nothing is copied that `f` does not copy.
    ///
    /// # Errors
    /// Why the request is not let in. [`Rejected::Ask`] where the policy asks for knowledge of revocations that
    /// is younger than what is there; without a feed there is none.
    pub fn check<R>(
        &self,
        presented: &Presented<'_>,
        policy: &Policy,
        now: Now,
        f: impl FnOnce(&Claims<'_>) -> R,
    ) -> Result<R, Rejected> {
        let checked = self.expected.check(presented, policy, now, |claims| {
            self.expected.not_ended(claims, policy, now)?;
            policy.permits(claims)?;
            Ok(f(claims))
        });
        checked
            .map_err(|rejected| self.want_keys_for(rejected))
            .inspect_err(|rejected| self.expected.rejections.count(rejected))
    }

    /// The same with an answer to keep.
    ///
    /// # Errors
    /// As [`Verifier::check`].
    pub fn verify(
        &self,
        presented: &Presented<'_>,
        policy: &Policy,
        now: Now,
    ) -> Result<Verified, Rejected> {
        self.check(presented, policy, now, |claims| claims.to_verified())
            .map(|verified| verified.of(&self.expected))
    }

    /// Puts other keys in the place of all that are known.
    ///
    /// For whoever brings keys by other means: a file, another runtime, the secret of HS256. A connected
    /// verifier overwrites them with what it fetches next.
    pub fn replace_keys(&self, keys: KeySet) {
        self.expected.keys.replace(keys);
    }

    pub(crate) fn without_network(expected: Expected) -> Self {
        Self {
            expected: Arc::new(expected),
            #[cfg(feature = "net")]
            net: None,
        }
    }

    /// A token that names no key of ours may name a newer one, if there is anywhere to look for it.
    #[cfg(feature = "net")]
    fn want_keys_for(&self, rejected: Rejected) -> Rejected {
        match (&self.net, &rejected) {
            (Some(net), Rejected::Unverifiable(Unknown::Key)) => net.want_keys(),
            (None, _) => return settled(rejected),
            (Some(_), _) => {}
        }
        rejected
    }

    #[cfg(not(feature = "net"))]
    fn want_keys_for(&self, rejected: Rejected) -> Rejected {
        settled(rejected)
    }
}

/// The rejection when no newer key is to be had.
pub(crate) fn settled(rejected: Rejected) -> Rejected {
    match rejected == Rejected::Unverifiable(Unknown::Key) {
        true => Rejected::Untrusted(Distrust::Key),
        false => rejected,
    }
}

impl Expected {
    /// Checks everything that the token itself can tell; `f` decides the rest.
    ///
    /// RFC 9068 §4 lists type, issuer, audience, signature, expiry. The signature comes first here,
    /// since nobody has vouched for a claim before it (OWASP ASVS 9.1.1); all of them must hold anyway.
    pub(crate) fn check<R>(
        &self,
        presented: &Presented<'_>,
        policy: &Policy,
        now: Now,
        f: impl FnOnce(&Claims<'_>) -> Result<R, Rejected>,
    ) -> Result<R, Rejected> {
        let keys = self.keys.current().ok_or(Rejected::Unverifiable(Unknown::Keys))?;
        let payload = self.signature(&keys, presented.token)?;
        if payload.typ() != Some(self.typ) {
            return Err(Rejected::Untrusted(Distrust::Type));
        }
        let parsed = ParsedClaims::of(&payload).map_err(Rejected::Malformed)?;
        self.meant_for_us(&parsed)?;
        in_time(&parsed, policy, now)?;
        if parsed.jkt.is_some() {
            // RFC 9449 §7.2: what was presented as a bearer token must not be a bound one.
            return Err(Rejected::Binding);
        }
        f(&Claims::assume_good(&parsed))
    }

    /// Tries the pinned algorithms; a wrong one is found out before any signature is computed.
    fn signature<'k>(&self, keys: &'k KeySet, token: &str) -> Result<Payload<'k>, Rejected> {
        let mut refused = Refused::Algorithm;
        for alg in &self.algorithms {
            match symbolon_wire::verify(keys, *alg, token) {
                Ok(payload) => return Ok(payload),
                Err(Refused::Algorithm) => {}
                Err(other) => {
                    refused = other;
                    break;
                }
            }
        }
        Err(match refused {
            Refused::Malformed(why) => Rejected::Malformed(why),
            Refused::Algorithm => Rejected::Untrusted(Distrust::Algorithm),
            Refused::UnknownKey => Rejected::Unverifiable(Unknown::Key),
            Refused::Signature => Rejected::Untrusted(Distrust::Signature),
        })
    }

    /// Names are compared whole (advisory CVE-2024-53861: an issuer's substring is not the issuer).
    fn meant_for_us(&self, claims: &ParsedClaims<'_>) -> Result<(), Rejected> {
        if *claims.iss != *self.issuer {
            return Err(Rejected::Untrusted(Distrust::Issuer));
        }
        match claims.aud.contains(&self.audience) {
            true => Ok(()),
            false => Err(Rejected::Untrusted(Distrust::Audience)),
        }
    }
}

impl Expected {
    /// What the mirror says, and whether it may say that at its age.
    pub(crate) fn not_ended(
        &self,
        claims: &Claims<'_>,
        policy: &Policy,
        now: Now,
    ) -> Result<(), Rejected> {
        if claims.exp.after(LEEWAY_MAX) < self.mirror.forgotten() {
            // Its revocations may be forgotten: a clock that was set back revives nothing.
            return Err(Rejected::Expired);
        }
        if let Some(Judgement { effect, reason }) = self.mirror.judge(claims, None) {
            return Err(match effect {
                Effect::Revoked => Rejected::Revoked { ended: Some(reason) },
                Effect::Stale => Rejected::Stale,
            });
        }
        let age = self.mirror.age(now.monotonic);
        let young = |bound: Duration| age.is_some_and(|age| age <= bound.min(self.max_staleness));
        match policy.staleness() {
            Staleness::Offline => Ok(()),
            Staleness::Strict(bound) | Staleness::Bounded(bound) if young(bound) => Ok(()),
            Staleness::Strict(_) if age.is_some() => Err(Rejected::Unverifiable(Unknown::Session)),
            Staleness::Strict(_) | Staleness::Bounded(_) => Err(Rejected::Ask),
        }
    }
}

fn in_time(claims: &ParsedClaims<'_>, policy: &Policy, now: Now) -> Result<(), Rejected> {
    let begins = claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat));
    if now.wall.after(policy.ahead()) < begins {
        return Err(Rejected::Untrusted(Distrust::NotYet));
    }
    match claims.exp.after(policy.after_expiry()) <= now.wall {
        true => Err(Rejected::Expired),
        false => Ok(()),
    }
}
