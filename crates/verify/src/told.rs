//! What the authority told of a token when it was asked, and how long that is believed.
//!
//! Two kinds of tokens are asked about: opaque ones, which say nothing themselves, and signed ones that a change has
//! made stale and that their client cannot replace. What is told is kept where verified tokens are, under the whole
//! token, and is judged as they are each time it is found.
//!
//! Question and event may race, and it does not matter who wins. An answer carries the counters at which it was
//! given, and a mark of the mirror is for a session that ended, which no later answer undoes, or for counters below
//! a bound. So an answer from before an event is hit by that event's mark, whether the mark came before it, between
//! question and answer or after it, and one from after it is not. Marks outlive what they hit, since no answer is
//! believed past its `exp`. What is hit when it comes is not kept, and never lets anyone in.

use crate::cache::{Origin, OtherKeys, Warm};
use crate::mirror::Judgement;
use crate::verifier::{Expected, Standing, in_time};
use crate::{Claims, Now, Policy, Presented, Rejected, Unknown, Verified};
use std::sync::Arc;
use symbolon_core::Effect;
use symbolon_wire::{HandleKind, Introspected, ParsedClaims, unverified_handle};

/// What became of an answer.
pub(crate) enum Told {
    /// The token is good, by an answer that nothing is known against.
    Good(Verified),
    /// The answer is from before something that is known by now.
    Outdated,
}

/// Whether a token says nothing itself.
pub(crate) fn is_opaque(token: &str) -> bool {
    token.starts_with(HandleKind::AccessToken.prefix())
}

impl Expected {
    /// Why a token is not let in that is opaque, and of which nothing was told.
    pub(crate) fn unheard_of(&self, token: &str, policy: &Policy, now: Now) -> Rejected {
        match unverified_handle(HandleKind::AccessToken, token) {
            Err(wrong) => Rejected::Malformed(wrong),
            // Its form is right, and that is all that can be seen. That a session of that name is over would be told
            // to whoever writes its name.
            Ok(_) => self.to_ask(policy, now),
        }
    }

    /// What is made of a token that a change has made stale: whoever can replace it does. The authority writes its own
    /// name into `aud` beside others for clients that cannot (DESIGN.md §4.6); if anybody else's token looked like
    /// that, it would be asked about in vain.
    #[cold]
    pub(crate) fn outdated(&self, claims: &Claims<'_>) -> Rejected {
        let for_itself = *self.audience == *self.issuer;
        let is_lasting = !for_itself && claims.aud().any(|name| *name == *self.issuer);
        match self.asks && is_lasting {
            true => Rejected::Ask,
            false => Rejected::Stale,
        }
    }

    /// Checks an opaque token by what was told of it.
    pub(crate) fn check_told<R>(
        &self,
        warm: &Warm,
        sequence: u64,
        (presented, policy, now): (&Presented<'_>, &Policy, Now),
        f: impl FnOnce(&Claims<'_>, Standing) -> Result<R, Rejected>,
    ) -> Result<R, Rejected> {
        let mut claims = warm.claims();
        let judged = warm.judge(&self.mirror, sequence);
        let judged = judged.unwrap_or_else(|OtherKeys| self.mirror.judge(&claims, None));
        match judged.map(|known| known.effect) {
            // Said however old the answer is: that it is kept proves that the token is genuine.
            Some(Effect::Revoked) => {}
            // Past its `exp`, by which no leeway counts, and once anything changed, an answer is not believed.
            Some(Effect::Stale) => return Err(self.to_ask(policy, now)),
            None if claims.exp <= now.wall => return Err(self.to_ask(policy, now)),
            None => in_time(warm.begins(), claims.exp, policy, now)?,
        }
        self.hits.add();
        claims.proof = self.proved(presented, &claims, policy, now)?;
        let standing = self.standing(judged, &claims, policy, now);
        // What would have ended the session may be forgotten by now; the authority knows.
        let is_over = standing == Err(Rejected::Expired);
        f(&claims, if is_over { Err(self.to_ask(policy, now)) } else { standing })
    }

    /// Takes the body of an answer about a token that is `active`. `sent` is of before the question.
    ///
    /// # Errors
    /// The token is not good; or this is not an answer about it, as if none had come.
    pub(crate) fn take(
        self: &Arc<Self>,
        (presented, sent): (&Presented<'_>, &Sent),
        body: &[u8],
        policy: &Policy,
        now: Now,
    ) -> Result<Told, Rejected> {
        let Ok(Introspected::Active(told)) = Introspected::parse(body) else {
            return Err(NO_ANSWER);
        };
        match (&sent.signed, &*told) {
            (Some(signed), Ok(told)) if !is_of_the_same(&signed.claims(), told) => Err(NO_ANSWER),
            (Some(signed), Ok(told)) if told.ver == signed.claims().ver => {
                match self.is_outdated(signed) {
                    true => Ok(Told::Outdated),
                    false => Ok(Told::Good(signed.clone())),
                }
            }
            // Whatever another kind of authority says beside yes, the token says itself.
            (Some(signed), Err(_)) if !self.is_outdated(signed) => Ok(Told::Good(signed.clone())),
            (None, Ok(told)) if !is_of_handle(presented.token, told, now) => Err(NO_ANSWER),
            (_, Ok(told)) => self.believe((presented, sent), told, policy, now),
            (_, Err(_)) => Err(NO_ANSWER),
        }
    }

    /// Takes what holds of a token, as it would be taken from one that says so itself.
    fn believe(
        self: &Arc<Self>,
        (presented, sent): (&Presented<'_>, &Sent),
        told: &ParsedClaims<'_>,
        policy: &Policy,
        now: Now,
    ) -> Result<Told, Rejected> {
        self.meant_for_us(told)?;
        if sent.signed.is_none() {
            // What a signed token is bound to was checked by what it says itself. An opaque one is bound to no key,
            // and what was presented as a bearer token must not be a bound one (RFC 9449 §7.2).
            told.jkt.map_or(Ok(()), |_| Err(Rejected::Binding))?;
            self.proved(presented, &Claims::assume_good(told), policy, now)?;
        }
        let warm = Arc::new(self.told(presented.token, &Claims::assume_good(told), sent));
        match self.judge_new(&warm) {
            Some(Judgement { effect: Effect::Revoked, reason }) => {
                return Err(Rejected::Revoked { ended: Some(reason) });
            }
            Some(Judgement { effect: Effect::Stale, .. }) => return Ok(Told::Outdated),
            None => in_time(warm.begins(), told.exp, policy, now)?,
        }
        if let Some(cache) = self.cache.as_ref().filter(|_| sent.may_keep()) {
            cache.insert(&warm);
        }
        match self.fresh(policy, now) {
            // It has just been asked about.
            Ok(()) | Err(Rejected::Ask) => Ok(Told::Good(warm.claims().to_verified().of(self))),
            Err(too_old) => Err(too_old),
        }
    }

    /// Whether anything is known against what a signed token says itself.
    pub(crate) fn is_outdated(&self, signed: &Verified) -> bool {
        self.mirror.judge(&signed.claims(), None).is_some()
    }

    /// What is to be known of a token before it is asked about; `known` is what is known to be genuine of it.
    pub(crate) fn before_asking(&self, token: &str, known: Option<Verified>) -> Sent {
        let keys = self.keys.generation();
        let found = self.cache.as_ref().and_then(|cache| cache.find(token, keys));
        let origin = found.map(|warm| warm.origin());
        Sent { keys, origin, signed: known.filter(|_| !is_opaque(token)) }
    }

    fn told(&self, token: &str, claims: &Claims<'_>, sent: &Sent) -> Warm {
        let of_answer = Origin { begins: claims.iat, kid: None, opaque: true, keys: sent.keys };
        let origin = match sent.signed {
            // The signature is still by that key.
            Some(_) => sent.origin.unwrap_or(of_answer),
            None => of_answer,
        };
        Warm::new(token, claims, &origin, self.mirror.target_keys().generation)
    }

    /// Whom a policy closes the route to while the mirror is too old, nobody need ask about.
    fn to_ask(&self, policy: &Policy, now: Now) -> Rejected {
        match self.fresh(policy, now) {
            Err(too_old @ Rejected::Unverifiable(_)) => too_old,
            Ok(()) | Err(_) if self.asks => Rejected::Ask,
            Ok(()) | Err(_) => Rejected::Unverifiable(Unknown::Opaque),
        }
    }
}

/// As if nobody had answered.
const NO_ANSWER: Rejected = Rejected::Unverifiable(Unknown::Session);

/// What was known of a token before it was asked about.
pub(crate) struct Sent {
    /// The generation of the issuer's keys.
    keys: u64,
    /// What it was verified with, if it is kept.
    origin: Option<Origin>,
    /// What it says itself, if it does.
    signed: Option<Verified>,
}

impl Sent {
    /// Whether it was let in before: no stranger's text.
    #[cfg(feature = "net")]
    pub(crate) const fn is_known(&self) -> bool {
        self.signed.is_some() || self.origin.is_some()
    }

    /// A signed token is kept only beside what it was verified with.
    const fn may_keep(&self) -> bool {
        self.signed.is_none() || self.origin.is_some()
    }
}

/// Whether an answer is about this very token; what may differ is what a change can change.
fn is_of_the_same(signed: &Claims<'_>, told: &ParsedClaims<'_>) -> bool {
    signed.iss == told.iss
        && signed.sub == told.sub
        && signed.client_id == told.client_id
        && signed.jti == told.jti
        && signed.jkt == told.jkt
        && signed.imprints.copied().unwrap_or_default() == told.imprints
        && signed.sid == told.sid
        && told.exp <= signed.exp
}

/// Whether an answer is about the session that an opaque token names, and is good for any time at all.
fn is_of_handle(token: &str, told: &ParsedClaims<'_>, now: Now) -> bool {
    let sid = unverified_handle(HandleKind::AccessToken, token);
    sid.is_ok_and(|sid| told.sid == Some(sid)) && now.wall < told.exp
}
