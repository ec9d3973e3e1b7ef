//! Step-up: a person proves more of themselves, or proves it again, in a session that they have (RFC 9470).
//!
//! What was proved belongs to the session and to nothing else: no refresh changes it (RFC 9068 §2.2.1), and no
//! other session of the person gains by it.

use crate::change::Change;
use crate::denial::Denial;
use crate::grant::{Grant, Outcome, Terms};
use crate::id::SessionId;
use crate::loaded::Loaded;
use crate::refresh::Answer;
use crate::revocation::{Act, Effect, Reason, Whose};
use crate::session::{Session, Standing};
use crate::sign_in::{LoadedSubject, SubjectDecision};
use crate::time::Timestamp;
use std::sync::Arc;

/// What a trusted back end says that a person proved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepUp {
    /// In which session.
    pub sid: SessionId,
    /// By which methods (RFC 8176): all that hold from now on.
    pub amr: Arc<[Arc<str>]>,
    /// At which level (OIDC Core §2).
    pub acr: Option<Arc<str>>,
    /// When; `None`: now.
    pub authenticated_at: Option<Timestamp>,
}

impl LoadedSubject {
    /// Writes down what was proved, and answers tokens that say so. `None`: the subject has no such session whose
    /// row is not ended.
    ///
    /// Tokens that say less become stale by a bump of the subject: whoever holds one renews it silently, in the
    /// person's other sessions too, which costs each of them one renewal and no sign-in.
    pub fn step_up(
        mut self,
        ask: &StepUp,
        terms: &Terms<'_>,
        act: &Act,
        at: Timestamp,
    ) -> SubjectDecision<Option<Answer>> {
        let Some(session) = self.sessions.iter().find(|own| own.sid == ask.sid).cloned() else {
            return SubjectDecision::unchanged(None);
        };
        let at = session.not_before(at);
        let refused = |denial| SubjectDecision::unchanged(Some(Err(denial)));
        match session.standing(&self.subject, &self.cutoffs, terms.policy, at) {
            Standing::Ended(end) => refused(Denial::Ended(end.reason)),
            Standing::Over(end) => {
                let over = self.with(session).write_end(end, at);
                SubjectDecision {
                    changed: over.session.into_iter().collect(),
                    events: over.events,
                    ..refused(Denial::Ended(over.reply))
                }
            }
            Standing::Active if self.cutoffs.client(&session.client).disabled => {
                refused(Denial::ClientDisabled)
            }
            Standing::Active => self.raise(session, ask, terms, (act, at)),
        }
    }

    fn raise(
        &mut self,
        mut session: Session,
        ask: &StepUp,
        terms: &Terms<'_>,
        (act, at): (&Act, Timestamp),
    ) -> SubjectDecision<Option<Answer>> {
        let bump = self.bump(Reason::PermissionsChanged, act, at);
        let whose = Whose { subject: session.subject.clone(), client: session.client.clone() };
        let told = Change::SteppedUp(session.sid, whose).event(&bump);
        let stale = self.subject.bump(Effect::Stale, &bump);
        session.prove(ask, terms, at);
        let mut raised = self.with(session);
        let mut grant: Grant = raised.grant(terms, Outcome::SteppedUp, at);
        raised.session.note_issued(&grant);
        grant.session = raised.session.clone();
        SubjectDecision {
            subject: Some(self.subject.clone()),
            changed: vec![raised.session],
            created: None,
            events: vec![told, stale],
            reply: Some(Ok(grant)),
        }
    }

    fn with(&self, session: Session) -> Loaded {
        let cutoffs = Arc::clone(&self.cutoffs);
        Loaded { session, subject: self.subject.clone(), cutoffs }
    }
}

impl Session {
    /// The refresh token stays the one that its client holds, since the client did not ask. The access token is dated
    /// anew: one that was issued before what it says happened would be a lie.
    fn prove(&mut self, ask: &StepUp, terms: &Terms<'_>, at: Timestamp) {
        let epoch = self.rotation.epoch;
        let state = &mut self.0;
        (state.amr, state.acr) = (ask.amr.clone(), ask.acr.clone());
        state.authenticated_at = ask.authenticated_at.unwrap_or(at).min(at).floor_second();
        state.last_used_at = at;
        state.rotation = terms.rotation(epoch, at);
    }
}
