//! What a rule is given and what it gives back: one transaction's worth, nothing else.

use crate::client::ClientPolicy;
use crate::denial::Denial;
use crate::epoch::{Cutoffs, Ver};
use crate::grant::{Grant, Outcome, Terms};
use crate::id::ClientId;
use crate::refresh::RefreshToken;
use crate::revocation::{Act, Effect, Event, Reason};
use crate::session::{End, Session, Standing};
use crate::subject::SubjectState;
use crate::time::Timestamp;
use std::sync::Arc;

/// A session with all that a rule about it looks at, read in one go.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The session.
    pub session: Session,
    /// Its subject.
    pub subject: SubjectState,
    /// Everything above.
    pub cutoffs: Arc<Cutoffs>,
}

/// What is to be committed, all or nothing, and what to answer once it is.
#[derive(Clone, Debug)]
pub struct Decision<R> {
    /// The session as it is from now on; `None`: unchanged.
    pub session: Option<Session>,
    /// What every verifier must hear of it.
    pub events: Vec<Event>,
    /// The answer; a refusal is an answer, not a failed transaction.
    pub reply: R,
}

impl<R> Decision<R> {
    /// Nothing to commit.
    pub fn unchanged(reply: R) -> Self {
        Self { session: None, events: Vec::new(), reply }
    }

    /// The same commit with another answer.
    pub fn map<S>(self, answer: impl FnOnce(R) -> S) -> Decision<S> {
        Decision { session: self.session, events: self.events, reply: answer(self.reply) }
    }
}

/// What a verifier would have to say of an access token now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is in force.
    Live,
    /// Must renew.
    Stale(Reason),
    /// Must sign in.
    Revoked(Reason),
}

impl Verdict {
    /// What a verifier would have to say where a rule refuses; `None`: it knows of no such token.
    pub fn of_denial(denial: Denial) -> Option<Self> {
        match denial {
            Denial::Ended(reason) => Some(Self::Revoked(reason)),
            Denial::ClientDisabled => Some(Self::Stale(Reason::ClientDisabled)),
            Denial::Banned(_) => Some(Self::Revoked(Reason::Banned)),
            Denial::UnknownSession
            | Denial::ForeignToken
            | Denial::Replayed
            | Denial::Withheld(_)
            | Denial::ProofNeeded
            | Denial::DeviceLimit => None,
        }
    }
}

impl Loaded {
    /// Whether the session may be used at `at`.
    pub fn standing(&self, policy: &ClientPolicy, at: Timestamp) -> Standing {
        self.session.standing(&self.subject, &self.cutoffs, policy, self.session.not_before(at))
    }

    /// Whether its client is switched off.
    pub fn client_disabled(&self) -> bool {
        self.cutoffs.clients.get(&self.session.client).is_some_and(|client| client.disabled)
    }

    /// Ends the session, if it has not ended: answers whether this did it.
    pub fn end(
        mut self,
        reason: Reason,
        act: &Act,
        policy: &ClientPolicy,
        at: Timestamp,
    ) -> Decision<bool> {
        let at = self.session.not_before(at);
        match self.standing(policy, at) {
            Standing::Ended(_) => Decision::unchanged(false),
            Standing::Over(end) => self.write_end(end, at).map(|_| false),
            Standing::Active => {
                let event = self.session.end(reason, at, act.clone());
                Decision { session: Some(self.session), events: vec![event], reply: true }
            }
        }
    }

    /// Ends the session on its owner's word: any genuine generation signs out (RFC 7009 §2.1), whoever
    /// else's token changes nothing.
    pub fn sign_out(
        self,
        token: &RefreshToken,
        client: &ClientId,
        ending: (&Act, &ClientPolicy),
        at: Timestamp,
    ) -> Decision<bool> {
        if self.session.salt != token.salt() || self.session.client != *client {
            return Decision::unchanged(false);
        }
        self.end(Reason::SignedOut, ending.0, ending.1, at)
    }

    /// Writes down an end that was only derived so far, such as a timeout that passed.
    pub fn expire(self, policy: &ClientPolicy, at: Timestamp) -> Decision<Option<Reason>> {
        let at = self.session.not_before(at);
        match self.standing(policy, at) {
            Standing::Active | Standing::Ended(_) => Decision::unchanged(None),
            Standing::Over(end) => self.write_end(end, at).map(Some),
        }
    }

    /// The newest tokens again, without counting as a use: for a repeated `Idempotency-Key`.
    ///
    /// # Errors
    /// The reason why the session ended; its client is switched off.
    pub fn repeat(self, terms: &Terms<'_>, at: Timestamp) -> Result<Grant, Denial> {
        match self.standing(terms.policy, at) {
            Standing::Ended(end) | Standing::Over(end) => Err(Denial::Ended(end.reason)),
            Standing::Active if self.client_disabled() => Err(Denial::ClientDisabled),
            Standing::Active => {
                Ok(self.grant(terms, Outcome::Repeated, self.session.not_before(at)))
            }
        }
    }

    /// What holds of an access token of this session of that name that carries `ver` (RFC 7662 §2.2
    /// `active`). Its signature was found right, by a key that was not revoked.
    pub fn judge(
        &self,
        jti: &[u8; 16],
        ver: &Ver,
        policy: &ClientPolicy,
        at: Timestamp,
    ) -> Verdict {
        let client = self.cutoffs.client(&self.session.client);
        let stale = self
            .subject
            .epochs
            .outdates(ver.of_subject())
            .or_else(|| client.epochs.outdates(ver.of_client()))
            .or_else(|| self.cutoffs.everything.outdates(ver.of_everything()));
        match self.standing(policy, at) {
            Standing::Ended(end) | Standing::Over(end) => Verdict::Revoked(end.reason),
            Standing::Active if client.disabled => Verdict::Stale(Reason::ClientDisabled),
            Standing::Active => match (self.cutoffs.tokens.get(jti), stale) {
                (Some(own), _) if own.effect == Effect::Revoked => Verdict::Revoked(own.reason),
                (Some(own), _) => Verdict::Stale(own.reason),
                (None, Some(bound)) => Verdict::Stale(bound.reason),
                (None, None) => Verdict::Live,
            },
        }
    }

    pub(crate) fn write_end(mut self, end: End, at: Timestamp) -> Decision<Reason> {
        let reason = end.reason;
        let events = self.session.write_end(end, at).into_iter().collect();
        Decision { session: Some(self.session), events, reply: reason }
    }
}
