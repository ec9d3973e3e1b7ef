//! The check of a token, in the order of RFC 9068 §4.

use crate::cache::{Cache, Origin, OtherKeys, Warm};
use crate::keys::Keys;
use crate::mirror::{Judgement, Mirror};
use crate::policy::{LEEWAY_MAX, Staleness};
use crate::presented::Scheme;
use crate::proof::{Name, Proofs};
use crate::status::{Hits, Rejections};
use crate::told::is_opaque;
use crate::{
    Builder, Claims, Distrust, Now, Policy, Presented, Rejected, Surroundings, Unknown, Verified,
};
use std::sync::Arc;
use std::time::Duration;
use symbolon_core::{Effect, Timestamp};
use symbolon_wire::{
    Algorithm, DecryptionKeys, KeySet, Malformed, ParsedClaims, Payload, Refused, SecretText, Type,
    Unopened, UnverifiedAccessToken, is_encrypted, parse_key_id,
};

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
    /// What opens encrypted tokens; without it there are none.
    pub(crate) decrypt: Option<DecryptionKeys>,
    /// Whether a token that is signed alone is refused.
    pub(crate) require_encrypted: bool,
    pub(crate) keys: Arc<Keys>,
    /// What was verified already, and what the authority told; none where nothing is to be kept.
    pub(crate) cache: Option<Cache>,
    /// Whether there is anybody to ask about a token.
    pub(crate) asks: bool,
    /// What is revoked; empty where no feed is followed.
    pub(crate) mirror: Arc<Mirror>,
    /// Where the service is reached.
    pub(crate) public_url: Option<Box<str>>,
    /// What the proofs of bound tokens are checked with.
    pub(crate) proofs: Arc<Proofs>,
    /// No knowledge that is older is good enough, whatever a policy says.
    pub(crate) max_staleness: Duration,
    pub(crate) rejections: Rejections,
    pub(crate) hits: Hits,
    #[cfg(feature = "net")]
    pub(crate) sessions: Arc<crate::sessions::Sessions>,
    /// Which sessions were used, if the authority is to be told.
    #[cfg(feature = "net")]
    pub(crate) activity: Option<Arc<crate::activity::Activity>>,
}

/// Whether a good token's session lives, as far as the policy lets us say so ourselves.
pub(crate) type Standing = Result<(), Rejected>;

impl Verifier {
    /// Begins a verifier of that issuer's tokens; the name is compared exactly, byte for byte.
    pub fn builder(issuer: &str) -> Builder {
        Builder::new(issuer)
    }

    /// Checks a token and, if it is good, lets `f` read its claims.
    ///
    /// Synchronous and without I/O. The claims are borrowed, so nothing is copied that `f` does not copy. A
    /// token that was verified before takes no lock and no allocation; let `f` be short all the same.
    ///
    /// # Errors
    /// Why the request is not let in. [`Rejected::Ask`] where only the authority can tell whether the session
    /// lives, or what it stands for: the verifier follows no feed, or its mirror is older than [`Policy::bounded`]
    /// allows; or the token is opaque, or stale and cannot be replaced, and was not asked about since.
    pub fn check<R>(
        &self,
        presented: &Presented<'_>,
        policy: &Policy,
        now: Now,
        f: impl FnOnce(&Claims<'_>) -> R,
    ) -> Result<R, Rejected> {
        let checked = self.expected.check(presented, policy, now, |claims, standing| {
            standing?;
            policy.permits(claims, now.wall)?;
            self.expected.spend(claims.proof, now)?;
            self.expected.note_use(claims, now);
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

    #[cfg(feature = "net")]
    pub(crate) fn sharing(&self, mut expected: Expected) -> Self {
        expected.asks = self.expected.asks;
        expected.sessions = Arc::clone(&self.expected.sessions);
        expected.activity = self.expected.activity.clone();
        Self { expected: Arc::new(expected), net: self.net.clone() }
    }

    #[cfg(not(feature = "net"))]
    pub(crate) fn sharing(&self, expected: Expected) -> Self {
        Self::without_network(expected)
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

const NO_DECRYPTION_KEY: Malformed =
    Malformed::new("token", "is encrypted, and there is no key here that opens it");

impl Expected {
    /// Checks everything that the token itself can tell, and what the mirror knows against it; `f` decides
    /// the rest.
    #[inline]
    pub(crate) fn check<R>(
        &self,
        presented: &Presented<'_>,
        policy: &Policy,
        now: Now,
        f: impl FnOnce(&Claims<'_>, Standing) -> Result<R, Rejected>,
    ) -> Result<R, Rejected> {
        // Both before the look-up: what is found was good at least until then.
        let keys = self.keys.generation();
        let sequence = self.mirror.sequence();
        let Some(warm) = self.cache.as_ref().and_then(|cache| cache.find(presented.token, keys))
        else {
            return self.check_cold(presented, policy, now, f);
        };
        if warm.is_opaque() {
            return self.check_told(&warm, sequence, (presented, policy, now), f);
        }
        let mut claims = warm.claims();
        in_time(warm.begins(), claims.exp, policy, now)?;
        match warm.judge(&self.mirror, sequence) {
            Ok(judged) => {
                self.hits.add();
                claims.proof = self.proved(presented, &claims, policy, now)?;
                f(&claims, self.standing(judged, &claims, policy, now))
            }
            // It must be verified anew to be told.
            Err(OtherKeys) => self.check_cold(presented, policy, now, f),
        }
    }

    /// RFC 9068 §4 lists type, issuer, audience, signature, expiry. The signature comes first here,
    /// since nobody has vouched for a claim before it (OWASP ASVS 9.1.1); all of them must hold anyway.
    fn check_cold<R>(
        &self,
        presented: &Presented<'_>,
        policy: &Policy,
        now: Now,
        f: impl FnOnce(&Claims<'_>, Standing) -> Result<R, Rejected>,
    ) -> Result<R, Rejected> {
        if is_opaque(presented.token) {
            return Err(self.unheard_of(presented.token, policy, now));
        }
        let generation = self.keys.generation();
        let keys = self.keys.current();
        let keys = keys.as_deref().ok_or(Rejected::Unverifiable(Unknown::Keys))?;
        let opened = self.opened(presented.token)?;
        let signed = opened.as_ref().map_or(presented.token, SecretText::expose);
        let payload =
            self.signature(keys, signed).map_err(|rejected| self.of_no_key(signed, rejected))?;
        if payload.typ() != Some(self.typ) {
            return Err(Rejected::Untrusted(Distrust::Type));
        }
        let parsed = ParsedClaims::of(&payload).map_err(Rejected::Malformed)?;
        self.meant_for_us(&parsed)?;
        let begins = parsed.nbf.map_or(parsed.iat, |nbf| nbf.max(parsed.iat));
        in_time(begins, parsed.exp, policy, now)?;
        let claims = Claims::assume_good(&parsed);
        let proof = self.proved(presented, &claims, policy, now)?;
        let claims = claims.with(proof);
        let kid = payload.key().kid().and_then(|kid| parse_key_id(kid).ok());
        match &self.cache {
            Some(cache) if !payload.key().algorithm().is_symmetric() => {
                let origin = Origin { begins, kid, opaque: false, keys: generation };
                let warm = self.keep(cache, presented.token, &claims, &origin);
                let judged = self.judge_new(&warm);
                let claims = warm.claims().with(proof);
                f(&claims, self.standing(judged, &claims, policy, now))
            }
            Some(_) | None => {
                let judged = self.mirror.judge(&claims, kid);
                f(&claims, self.standing(judged, &claims, policy, now))
            }
        }
    }

    /// What is in an encrypted token; `None`: it is signed alone. Nobody has vouched for what comes out.
    pub(crate) fn opened(&self, token: &str) -> Result<Option<SecretText>, Rejected> {
        match (is_encrypted(token), &self.decrypt) {
            (false, _) if self.require_encrypted => {
                Err(Rejected::Untrusted(Distrust::NotEncrypted))
            }
            (false, _) => Ok(None),
            (true, None) => Err(Rejected::Malformed(NO_DECRYPTION_KEY)),
            (true, Some(keys)) => keys.open(token).map(Some).map_err(|why| match why {
                Unopened::Malformed(why) => Rejected::Malformed(why),
                Unopened::Algorithm => Rejected::Untrusted(Distrust::Algorithm),
                Unopened::UnknownKey | Unopened::Failed => {
                    Rejected::Untrusted(Distrust::Encryption)
                }
            }),
        }
    }

    /// Checks what a token is bound to: features, network, and the proof of a key, of which it answers the name. That is
    /// used up by the request that is let in alone, so that one which must be asked about first is not taken for its own
    /// repetition.
    #[inline]
    pub(crate) fn proved(
        &self,
        presented: &Presented<'_>,
        claims: &Claims<'_>,
        policy: &Policy,
        now: Now,
    ) -> Result<Option<Name>, Rejected> {
        let bound = claims.jkt.is_some() || claims.imprints.is_some();
        match presented.scheme {
            Scheme::Bearer if !bound => return Ok(None),
            // Whoever asks compares.
            Scheme::Unshown => return Ok(None),
            Scheme::Bearer | Scheme::Dpop => {}
        }
        match self.bound(presented, claims, now) {
            Err(_) if policy.only_reports_bindings() => {
                self.rejections.report();
                Ok(None)
            }
            checked => checked,
        }
    }

    fn bound(
        &self,
        presented: &Presented<'_>,
        claims: &Claims<'_>,
        now: Now,
    ) -> Result<Option<Name>, Rejected> {
        if let (Some(imprints), Some(sid)) = (claims.imprints, claims.sid) {
            match presented.surroundings(sid, imprints)? {
                Surroundings::Same => {}
                Surroundings::Reported => self.rejections.report(),
            }
        }
        let lent = self.mirror.target_keys().dpop_nonces();
        let base = self.public_url.as_deref();
        self.proofs.check(presented, claims.jkt, base, (now, lent))
    }

    /// Uses up the proof of a request that is let in.
    pub(crate) fn spend(&self, proof: Option<Name>, now: Now) -> Result<(), Rejected> {
        proof.map_or(Ok(()), |name| self.proofs.spend(name, now))
    }

    /// A request was let in.
    #[cfg(feature = "net")]
    #[inline]
    pub(crate) fn note_use(&self, claims: &Claims<'_>, now: Now) {
        if let (Some(activity), Some(sid)) = (&self.activity, claims.sid) {
            // The authority counts no use that its own clock has not come to.
            let at = self.mirror.authority_time(now.monotonic).unwrap_or(now.wall);
            activity.mark(sid, at);
        }
    }

    #[cfg(not(feature = "net"))]
    #[inline]
    pub(crate) const fn note_use(&self, _: &Claims<'_>, _: Now) {}

    fn keep(&self, cache: &Cache, token: &str, claims: &Claims<'_>, origin: &Origin) -> Arc<Warm> {
        let generation = self.mirror.target_keys().generation;
        let warm = Arc::new(Warm::new(token, claims, origin, generation));
        cache.insert(&warm);
        warm
    }

    /// What the mirror knows against a token that was just kept.
    pub(crate) fn judge_new(&self, warm: &Warm) -> Option<Judgement> {
        let judged = warm.judge(&self.mirror, self.mirror.sequence());
        // Were targets given other keys in this instant, it is looked up without what was kept.
        judged.unwrap_or_else(|OtherKeys| self.mirror.judge(&warm.claims(), warm.kid()))
    }

    /// What a policy makes of it: nothing that is known is forgiven, and what is not known may be too old.
    pub(crate) fn standing(
        &self,
        judged: Option<Judgement>,
        claims: &Claims<'_>,
        policy: &Policy,
        now: Now,
    ) -> Standing {
        match judged.map(|Judgement { effect, reason }| (effect, reason)) {
            Some((Effect::Revoked, reason)) => Err(Rejected::Revoked { ended: Some(reason) }),
            Some((Effect::Stale, _)) => Err(self.outdated(claims)),
            // Looked at after the mirror: what ended it may be forgotten, and a wall clock that was set back revives
            // nothing.
            None if claims.exp.after(LEEWAY_MAX) < self.mirror.forgotten() => {
                Err(Rejected::Expired)
            }
            None => self.fresh(policy, now),
        }
    }

    pub(crate) fn fresh(&self, policy: &Policy, now: Now) -> Standing {
        let within = |bound: Duration| {
            let age = self.mirror.age(now.monotonic);
            age.is_some_and(|age| age <= bound.min(self.max_staleness))
        };
        match policy.staleness() {
            Staleness::Offline => Ok(()),
            Staleness::Strict(bound) | Staleness::Bounded(bound) if within(bound) => Ok(()),
            Staleness::Strict(_) if self.mirror.is_followed() => {
                Err(Rejected::Unverifiable(Unknown::Session))
            }
            Staleness::Strict(_) | Staleness::Bounded(_) => Err(Rejected::Ask),
        }
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

    /// What is said of a token whose key is not there: what is known against the key, for as long as it is. So whoever
    /// holds a token of a key that was withdrawn hears to renew it, before and after the key is gone from here; a stranger
    /// who writes the name of such a key hears the same, and it lets nobody in.
    #[cold]
    fn of_no_key(&self, token: &str, rejected: Rejected) -> Rejected {
        if rejected != Rejected::Unverifiable(Unknown::Key) {
            return rejected;
        }
        let kid = UnverifiedAccessToken::read(token).ok().and_then(|unverified| unverified.kid);
        let kid = kid.and_then(|kid| parse_key_id(&kid).ok());
        match kid.and_then(|kid| self.mirror.judge_key(kid)) {
            Some(Judgement { effect: Effect::Stale, .. }) => Rejected::Stale,
            Some(Judgement { effect: Effect::Revoked, reason }) => {
                Rejected::Revoked { ended: Some(reason) }
            }
            None => rejected,
        }
    }

    /// Names are compared whole (advisory CVE-2024-53861: an issuer's substring is not the issuer).
    pub(crate) fn meant_for_us(&self, claims: &ParsedClaims<'_>) -> Result<(), Rejected> {
        if *claims.iss != *self.issuer {
            return Err(Rejected::Untrusted(Distrust::Issuer));
        }
        match claims.aud.contains(&self.audience) {
            true => Ok(()),
            false => Err(Rejected::Untrusted(Distrust::Audience)),
        }
    }
}

pub(crate) fn in_time(
    begins: Timestamp,
    exp: Timestamp,
    policy: &Policy,
    now: Now,
) -> Result<(), Rejected> {
    if now.wall.after(policy.ahead()) < begins {
        return Err(Rejected::Untrusted(Distrust::NotYet));
    }
    match exp.after(policy.after_expiry()) <= now.wall {
        true => Err(Rejected::Expired),
        false => Ok(()),
    }
}
