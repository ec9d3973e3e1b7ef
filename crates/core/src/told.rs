//! What a back end says where a session is to be renewed: whether it may be, and with which roles and claims.
//!
//! The table of [`crate::refresh`] says whether a token earns anything. Only where it moves the family on is there
//! something to ask a back end about, and what was said is committed with that move: whoever shows the same token
//! again within its window gets what the back end said then, to the byte.

use crate::change::Change;
use crate::denial::{Denial, Fault};
use crate::epoch::Bump;
use crate::grant::Outcome;
use crate::loaded::{Decision, Loaded};
use crate::refresh::{Answer, Refresh};
use crate::revocation::{Act, Below, Reason, Whose};
use crate::session::Session;
use crate::subject::SubjectState;
use crate::time::Timestamp;
use std::sync::Arc;

/// What is known of the back end's mind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Word {
    /// It was not asked, since nothing was to move. If something does after all, the caller asks first.
    Unasked,
    /// What is known stands: nobody is to be asked, or nobody answered and the setting lets what was known stand.
    AsKnown,
    /// The session goes on.
    Allowed(Allowed),
    /// It does not.
    Refused(Refused),
}

/// What a back end says of a session that goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allowed {
    /// The subject's version when it was asked.
    pub asked_at: Below,
    /// The roles of this session from now on; `None`: those known stand.
    pub roles: Option<Arc<[Arc<str>]>>,
    /// The claims of this session from now on: a JSON object's text, or empty; `None`: those known stand.
    pub claims: Option<Arc<str>>,
}

/// What a back end says of a session that does not go on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Refused {
    /// Why, if it is one of the stable words.
    pub reason: Option<Reason>,
    /// Why, for operators.
    pub note: Option<Arc<str>>,
    /// Whether the session is over; else it lives, and may be renewed when the back end says so.
    pub ends: bool,
    /// Whether the history has it already: one refusal is one line, however often the token is shown.
    pub noted: bool,
}

/// Roles that a session has for itself, until its subject's are changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnRoles {
    /// The roles.
    pub roles: Arc<[Arc<str>]>,
    /// The subject's version when they were told: a change of its roles or claims since outdates them. A bump that
    /// says nothing of roles does not, since roles that were taken away would be back by it.
    pub told_at: Below,
}

impl Session {
    /// The roles that it has for itself, if they hold for its subject as it is.
    fn own_roles(&self, subject: &SubjectState) -> Option<&OwnRoles> {
        self.roles.as_ref().filter(|own| subject.profile_since <= own.told_at)
    }
}

impl Loaded {
    /// The subject's version: what a back end is asked about.
    pub fn version(&self) -> Below {
        self.subject.version(self.cutoffs.epoch)
    }

    /// The roles that tokens of this session carry: those that its back end told at a renewal, unless the subject's
    /// were changed since; else the subject's.
    pub fn roles(&self) -> &Arc<[Arc<str>]> {
        self.session.own_roles(&self.subject).map_or(&self.subject.roles, |own| &own.roles)
    }

    /// Whether a refresh would move the family on: what its back end is to be asked about first.
    ///
    /// # Errors
    /// As [`Loaded::refresh`]'s.
    pub fn asks(&self, ask: &Refresh<'_>, at: Timestamp) -> Result<bool, Fault> {
        Ok(moves_on(&self.clone().refresh(ask, at)?))
    }

    /// Decides a refresh as the back end says. What earns nothing earns nothing whatever it says, and what was
    /// answered before is answered again.
    ///
    /// # Errors
    /// As [`Loaded::refresh`]'s; [`Fault::Contention`] if it is to be asked first, or again: the subject was changed
    /// since, so that the word is about somebody else's rights.
    pub fn refresh_as_told(
        self,
        ask: &Refresh<'_>,
        word: &Word,
        at: Timestamp,
    ) -> Result<Decision<Answer>, Fault> {
        if *word == Word::AsKnown {
            return self.refresh(ask, at);
        }
        let decision = self.clone().refresh(ask, at)?;
        match word {
            _ if !moves_on(&decision) => Ok(decision),
            Word::AsKnown => Ok(decision),
            Word::Unasked => Err(Fault::Contention),
            Word::Allowed(told) if self.subject.epochs.outdates(told.asked_at).is_some() => {
                Err(Fault::Contention)
            }
            Word::Allowed(told) => Ok(self.with(told, decision)),
            Word::Refused(told) => Ok(self.withhold(told, ask.act, at)),
        }
    }

    fn with(&self, told: &Allowed, mut decision: Decision<Answer>) -> Decision<Answer> {
        let (Some(session), Ok(grant)) = (&mut decision.session, &mut decision.reply) else {
            return decision;
        };
        if let Some(roles) = &told.roles {
            // What the subject's say already need not be kept twice: both hold until the subject's change.
            let differs = *roles != self.subject.roles;
            let told_at = self.version();
            session.0.roles = differs.then(|| OwnRoles { roles: Arc::clone(roles), told_at });
            grant.roles = Arc::clone(roles);
        }
        if let Some(claims) = &told.claims {
            session.0.claims = Arc::clone(claims);
        }
        grant.session = session.clone();
        decision
    }

    /// The history has every refusal; verifiers hear of one that ends the session.
    fn withhold(mut self, told: &Refused, act: &Act, at: Timestamp) -> Decision<Answer> {
        let at = self.session.not_before(at);
        let act = Act { note: told.note.clone(), ..act.clone() };
        let reason = told.reason.unwrap_or(Reason::Admin);
        if told.ends {
            let event = self.session.end(reason, at, act);
            let reply = Err(Denial::Ended(reason));
            return Decision { session: Some(self.session), events: vec![event], reply };
        }
        let reply = Err(Denial::Withheld(told.reason));
        if told.noted {
            return Decision::unchanged(reply);
        }
        let Session(ref state) = self.session;
        let whose = Whose { subject: state.subject.clone(), client: state.client.clone() };
        let epoch = self.cutoffs.epoch;
        let bump = Bump { epoch, reason, at, tokens_live_until: at, act };
        let event = Change::Withheld(state.sid, whose).event(&bump);
        Decision { session: None, events: vec![event], reply }
    }
}

/// Whether anything but what was answered before is answered.
fn moves_on(decision: &Decision<Answer>) -> bool {
    let moves = |outcome| match outcome {
        Outcome::Advanced | Outcome::FastForwarded => true,
        Outcome::Started | Outcome::Repeated | Outcome::SteppedUp => false,
    };
    decision.reply.as_ref().is_ok_and(|grant| moves(grant.outcome))
}
