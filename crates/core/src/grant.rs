//! A grant: everything that an answer's tokens are made from, so that equal questions get equal bytes.

use crate::binding::Network;
use crate::client::ClientPolicy;
use crate::epoch::{Cutoffs, Ver};
use crate::id::{Digest, KeyId, StoreEpoch};
use crate::imprint::Bound;
use crate::loaded::{Loaded, Verdict};
use crate::revocation::{Effect, Reason};
use crate::scope;
use crate::session::{Rotation, Session};
use crate::time::{CLOCK_DRIFT_MAX, Duration, Timestamp};
use std::sync::Arc;

/// How far two believed clocks may be apart: one ahead of the boot clock, the other behind. Inclusive.
const CLOCKS_APART_MAX: Duration = CLOCK_DRIFT_MAX.saturating_mul(2);

/// What an answer may be made with.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// The client's rules.
    pub policy: &'a ClientPolicy,
    /// The key that signs now, of the algorithm that the audience wants.
    pub key: KeyId,
    /// The keys of that algorithm that may still sign what they signed before. Holds `key` too.
    pub keys_usable: &'a [KeyId],
}

impl Terms<'_> {
    /// A rotation that happens now.
    pub(crate) fn rotation(&self, epoch: StoreEpoch, at: Timestamp) -> Rotation {
        Rotation { at, epoch, key: self.key, access_ttl: self.policy.access_ttl }
    }
}

/// How a grant came about, for counting.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// A sign-in.
    Started,
    /// The family advanced.
    Advanced,
    /// The newest generation was answered again; nothing changed.
    Repeated,
    /// The family was carried forward past what the store had lost.
    FastForwarded,
    /// The person proved more of themselves; the family stays where it is.
    SteppedUp,
}

/// A session's newest tokens, as terms: `wire` turns them into text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The session as committed; its generation and rotation are the refresh token's.
    pub session: Session,
    /// What its access token allows: of what the session was granted, as much as its client may have now.
    pub scope: Arc<str>,
    /// The subject's roles.
    pub roles: Arc<[Arc<str>]>,
    /// The subject's claims, under which the session's own lie: a JSON object's text, or empty.
    pub subject_claims: Arc<str>,
    /// The four counters.
    pub ver: Ver,
    /// `iat` of the access token: whole seconds.
    pub issued_at: Timestamp,
    /// `exp` of the access token: whole seconds, exclusive, never past the session's absolute end.
    pub expires_at: Timestamp,
    /// The key that signs it.
    pub key: KeyId,
    /// When the refresh token dies if it is not used: the earlier of idle and absolute end.
    pub refresh_expires_at: Timestamp,
    /// The thumbprint of the key that whoever shows its access token must prove (`cnf.jkt`, RFC 9449 §6.1).
    pub jkt: Option<Digest>,
    /// The digest of the features that whoever shows it must have.
    pub features: Option<Bound<Digest>>,
    /// The network from which it must be shown.
    pub network: Option<Bound<Network>>,
    /// How it came about.
    pub outcome: Outcome,
    /// What an operator should be alerted to, though the setting let it pass.
    pub alert: Option<Reason>,
    /// What was in force when it was decided.
    pub cutoffs: Arc<Cutoffs>,
}

impl Grant {
    /// Whether its access token may not be given out: the key that is to sign it, or the token itself,
    /// was revoked by name.
    pub fn is_revoked(&self, jti: &[u8; 16]) -> bool {
        self.cutoffs.tokens.contains_key(jti) || self.cutoffs.keys.contains_key(&self.key)
    }

    /// What a verifier would have to say of a token of it by this name, if the name was revoked.
    pub fn named(&self, jti: &[u8; 16]) -> Option<Verdict> {
        let own = self.cutoffs.tokens.get(jti)?;
        Some(match own.effect {
            Effect::Revoked => Verdict::Revoked(own.reason),
            Effect::Stale => Verdict::Stale(own.reason),
        })
    }

    /// The same, with an access token that is dated `at` and signed by the key that signs now.
    pub fn dated_afresh(&self, terms: &Terms<'_>, at: Timestamp) -> Self {
        let at = self.session.not_before(at);
        let (session, issued_at) = (&self.session, at.floor_second());
        let expires_at = issued_at.after(session.rotation.access_ttl);
        Self {
            issued_at,
            expires_at: expires_at.min(session.absolute_expires_at(terms.policy)),
            key: terms.key,
            ..self.clone()
        }
    }

    /// `expires_in`: seconds of life left, counted from `at`, rounded up; at least 1.
    pub fn expires_in(&self, at: Timestamp) -> u64 {
        seconds_left(self.expires_at, at)
    }

    /// `refresh_expires_in`: seconds until the refresh token dies unused, rounded up; at least 1.
    pub fn refresh_expires_in(&self, at: Timestamp) -> u64 {
        seconds_left(self.refresh_expires_at, at)
    }
}

/// Seconds until then, rounded up; at least 1.
pub fn seconds_left(end: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(end.since(at).as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}

impl Loaded {
    /// The newest tokens of this session.
    ///
    /// The access token is that of the last rotation, to the byte, unless its key may no longer sign or
    /// under a quarter of its life is left and another would live longer: then it is dated afresh, beside the
    /// same refresh token.
    pub(crate) fn grant(&self, terms: &Terms<'_>, outcome: Outcome, at: Timestamp) -> Grant {
        let (session, last) = (&self.session, &self.session.rotation);
        let dated = last.at.floor_second();
        let absolute = session.absolute_expires_at(terms.policy);
        let ends = dated.after(last.access_ttl);
        let fresh_enough = last.access_ttl / 4 <= ends.since(at) || absolute <= ends;
        let may_sign =
            terms.keys_usable.contains(&last.key) && !self.cutoffs.keys.contains_key(&last.key);
        let (issued_at, key) = match may_sign && fresh_enough {
            true => (dated, last.key),
            false => (at.floor_second(), terms.key),
        };
        Grant {
            session: session.clone(),
            scope: scope::within(&session.scope, &terms.policy.scope),
            roles: self.subject.roles.clone(),
            subject_claims: self.subject.claims.clone(),
            ver: self.cutoffs.ver(&session.client, &self.subject),
            issued_at,
            expires_at: issued_at.after(last.access_ttl).min(absolute),
            key,
            refresh_expires_at: session.refresh_expires_at(terms.policy),
            jkt: session.proves_key(&terms.policy.binding),
            features: session.shows_features(&terms.policy.binding),
            network: session.shows_network(&terms.policy.binding),
            outcome,
            alert: None,
            cutoffs: Arc::clone(&self.cutoffs),
        }
    }
}

impl Session {
    /// Remembers until when a token of this session can live, for the expiry of its end's event.
    pub(crate) fn note_issued(&mut self, grant: &Grant) {
        self.0.tokens_live_until = self.tokens_live_until.max(grant.expires_at);
    }

    /// The latest instant at which an access token issued up to `at` can still be accepted, without
    /// leeway: repeated answers may be dated afresh without a write, and by a clock that was ahead.
    pub fn tokens_live_until(&self, at: Timestamp) -> Timestamp {
        let unwritten = at.after(CLOCKS_APART_MAX).after(self.rotation.access_ttl);
        self.tokens_live_until.max(unwritten)
    }
}
