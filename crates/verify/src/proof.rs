//! The proof of the key that a token is bound to, at every request (DPoP, RFC 9449 §7).

use crate::presented::Scheme;
use crate::{Now, Presented, Rejected, Unknown};
use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use symbolon_core::Digest;
use symbolon_core::dpop::{Asked, DpopProof, Flaw, NONCE_SPAN, PROOF_REMEMBERED, Url};
use symbolon_wire::{DpopNonces, Refused, access_token_hash, open_dpop_proof};

/// How many proofs are remembered at most, so that none is used twice. Inclusive; beyond it no bound token is let in
/// until the oldest are forgotten, two to three minutes after they were used.
pub(crate) const PROOFS_MAX: usize = 1 << 20;

/// Why a proof does not let a token in that is bound to a key. The client makes another one and asks again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadProof {
    why: Why,
    /// What the next proof is to repeat, if that is of use.
    nonce: Option<Box<str>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Why {
    Missing,
    Refused(Refused),
    Flaw(Flaw),
}

impl BadProof {
    /// What the next proof must repeat: the value of the header `DPoP-Nonce` of the answer.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// The word of RFC 9449 §7.1 and §9.
    pub(crate) const fn error(&self) -> &'static str {
        match self.nonce {
            Some(_) => "use_dpop_nonce",
            None => "invalid_dpop_proof",
        }
    }
}

impl fmt::Display for BadProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Missing => f.write_str("the one header `DPoP` with a proof is missing"),
            Why::Refused(refused) => write!(f, "the header `DPoP` is no proof: {refused}"),
            Why::Flaw(flaw) => flaw.fmt(f),
        }
    }
}

/// The name of a proof that is good, and that is used up once its request is let in.
pub(crate) type Name = [u8; 16];

/// What proofs are checked with, and those that were used: for whoever knows by other means than a [`Verifier`] which key
/// a token is bound to. Each verifier has its own.
///
/// [`Verifier`]: crate::Verifier
pub struct Proofs {
    nonces: Option<DpopNonces>,
    used: Used,
}

impl Proofs {
    /// With these nonces; without any, a late proof is refused and none is offered in its place.
    pub fn new(nonces: Option<DpopNonces>) -> Self {
        Self { nonces, used: Used::default() }
    }

    /// Checks what was shown for a token that is bound to a key of this thumbprint, or to none, and uses the proof up.
    ///
    /// # Errors
    /// As [`Verifier::check`](crate::Verifier::check)'s about bound tokens.
    pub fn admit(
        &self,
        presented: &Presented<'_>,
        jkt: Option<Digest>,
        now: Now,
    ) -> Result<(), Rejected> {
        let name = self.check(presented, jkt, None, (now, None))?;
        name.map_or(Ok(()), |name| self.spend(name, now))
    }

    /// Checks what was shown for a token that is bound to `jkt`.
    ///
    /// # Errors
    /// [`Rejected::Binding`] for a bearer, and for a good proof by another key; [`Rejected::Proof`] for what is to be
    /// made anew.
    pub(crate) fn check(
        &self,
        presented: &Presented<'_>,
        jkt: Option<Digest>,
        base: Option<&str>,
        (now, lent): (Now, Option<DpopNonces>),
    ) -> Result<Option<Name>, Rejected> {
        let jkt = match (jkt, presented.scheme) {
            (None, Scheme::Bearer) | (_, Scheme::Unshown) => return Ok(None),
            // RFC 9449 §7.2: what is bound is no bearer token, and what is a bearer token is not bound.
            (None, Scheme::Dpop) | (Some(_), Scheme::Bearer) => return Err(Rejected::Binding),
            (Some(jkt), Scheme::Dpop) => jkt,
        };
        let (method, url) = addressed(presented, base)?;
        let nonces = self.nonces.as_ref().or(lent.as_ref());
        let bad = |why, cured: bool| {
            let nonce = nonces.filter(|_| cured).map(|own| own.current(now.wall).into());
            Rejected::Proof(BadProof { why, nonce })
        };
        let text = presented.proof.ok_or_else(|| bad(Why::Missing, false))?;
        let proof = open_dpop_proof(text).map_err(|why| bad(Why::Refused(why), false))?;
        let access_token = Some(access_token_hash(presented.token));
        let asked = Asked { method, url: &url, access_token, nonce: false };
        let proved = proof.proves(&asked, whose(nonces, &proof, now), now.wall);
        match proved.map_err(|flaw| bad(Why::Flaw(flaw), flaw.is_cured_by_nonce()))? {
            key if key == jkt => Ok(Some(proof.name)),
            _ => Err(Rejected::Binding),
        }
    }

    /// Uses a proof up.
    ///
    /// # Errors
    /// It was used before; too many are remembered.
    pub(crate) fn spend(&self, name: Name, now: Now) -> Result<(), Rejected> {
        let used = || Rejected::Proof(BadProof { why: Why::Flaw(Flaw::Used), nonce: None });
        match self.used.add(name, now.monotonic) {
            Added::New => Ok(()),
            Added::Again => Err(used()),
            Added::Full => Err(Rejected::Unverifiable(Unknown::Proofs)),
        }
    }
}

/// A nonce is recognised only by who hands them out.
fn whose(nonces: Option<&DpopNonces>, proof: &DpopProof, now: Now) -> symbolon_core::dpop::Nonce {
    match (nonces, &proof.nonce) {
        (Some(own), _) => own.recognise(proof, now.wall),
        // Another's, that an impartial client repeats everywhere: it proves nothing, and harms nothing.
        (None, _) => symbolon_core::dpop::Nonce::None,
    }
}

/// The request that a proof must be for.
fn addressed<'a>(
    presented: &Presented<'a>,
    base: Option<&str>,
) -> Result<(&'a str, Url), Rejected> {
    let unknown = Rejected::Unverifiable(Unknown::Url);
    let (method, url) = presented.request.ok_or(unknown.clone())?;
    let read = match (url.starts_with('/'), base) {
        (true, Some(base)) => Url::parse(&format!("{base}{url}")),
        (true, None) => return Err(unknown),
        (false, _) => Url::parse(url),
    };
    Ok((method, read.map_err(|_| unknown)?))
}

/// On how many locks the proofs that were used are spread.
const LANES: usize = 16;

/// How long a lane fills one set before the next.
const FILLED_FOR: Duration = NONCE_SPAN;

/// So many sets hold every proof for as long as it could be good.
const SETS: usize = 1 + (PROOF_REMEMBERED.as_secs() / FILLED_FOR.as_secs()) as usize;

/// The proofs that were used lately.
#[derive(Default)]
struct Used([Mutex<Lane>; LANES]);

#[derive(Default)]
struct Lane {
    /// How often the oldest set was emptied, since the clock began.
    turn: u64,
    sets: [HashSet<Name>; SETS],
}

enum Added {
    New,
    Again,
    Full,
}

impl Used {
    fn add(&self, name: Name, monotonic: Duration) -> Added {
        let lane = &self.0[usize::from(name[0]) % LANES];
        // A set is whole whatever panicked while it was held.
        let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
        lane.turn_to(monotonic.as_secs() / FILLED_FOR.as_secs());
        if lane.sets.iter().any(|set| set.contains(&name)) {
            return Added::Again;
        }
        if PROOFS_MAX / LANES <= lane.sets.iter().map(HashSet::len).sum() {
            return Added::Full;
        }
        let current = lane.turn as usize % SETS;
        lane.sets[current].insert(name);
        Added::New
    }
}

impl Lane {
    /// Empties the sets whose time has passed. A clock that goes back empties none.
    fn turn_to(&mut self, turn: u64) {
        let passed = turn.saturating_sub(self.turn);
        for past in 0..passed.min(SETS as u64) {
            self.sets[(turn - past) as usize % SETS].clear();
        }
        self.turn = self.turn.max(turn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u32) -> Name {
        let mut name = [0; 16];
        name[..4].copy_from_slice(&number.to_le_bytes());
        name[4..8].copy_from_slice(&number.to_le_bytes());
        name
    }

    fn is_new(used: &Used, number: u32, seconds: u64) -> bool {
        matches!(used.add(name(number), Duration::from_secs(seconds)), Added::New)
    }

    #[test]
    fn a_proof_is_remembered_for_as_long_as_it_could_be_good_and_then_forgotten() {
        for at in [0, 59, 60, 12_345, u64::from(u32::MAX)] {
            let used = Used::default();
            assert!(is_new(&used, 1, at));
            for later in [0, 1, 59, 60, 119, 120] {
                assert!(!is_new(&used, 1, at + later), "{later} s after {at}");
            }
            assert!(is_new(&used, 1, at + 180), "three minutes after {at}");
        }
    }

    #[test]
    fn a_long_silence_forgets_everything_and_a_clock_that_goes_back_nothing() {
        let used = Used::default();
        assert!(is_new(&used, 1, 1000));
        assert!(!is_new(&used, 1, 900));
        assert!(is_new(&used, 2, 100_000) && is_new(&used, 1, 100_000));
        assert!(!is_new(&used, 1, 100_000));
    }

    #[test]
    fn beyond_the_bound_nothing_new_is_taken_until_the_oldest_are_forgotten() {
        let used = Used::default();
        let lane = PROOFS_MAX / LANES;
        let of_one_lane = |number: usize| (number * LANES) as u32;
        for number in 0..lane {
            assert!(is_new(&used, of_one_lane(number), 0));
        }
        let next = name(of_one_lane(lane));
        assert!(matches!(used.add(next, Duration::from_secs(120)), Added::Full));
        assert!(matches!(used.add(name(0), Duration::from_secs(120)), Added::Again));
        assert!(matches!(used.add(next, Duration::from_secs(180)), Added::New));
    }
}
