//! Importing: a session of another system goes on here, and its old refresh token is generation 0.

use crate::client::ClientPolicy;
use crate::denial::Denial;
use crate::epoch::Cutoffs;
use crate::grant::Terms;
use crate::id::Generation;
use crate::refresh::RefreshToken;
use crate::session::Session;
use crate::sign_in::Start;
use crate::subject::SubjectState;
use crate::time::Timestamp;

/// A session as another system kept it. Has no `Debug`: the salt is a secret.
#[derive(Clone)]
pub struct Import {
    /// What a back end would say to start it; its name follows from the old token.
    pub start: Start,
    /// When the other system started it; `None`: now.
    pub created_at: Option<Timestamp>,
}

/// What becomes of a session of another system.
#[derive(Clone, Debug)]
pub enum Imported {
    /// It goes on here.
    Goes(Box<Arrival>),
    /// It is over by its own end, or by the absolute end that its client has here.
    Over,
}

/// A session that goes on here.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The session; no token of it was issued here yet.
    pub session: Session,
    /// Its subject, if it was unknown here and is known from now on.
    pub subject: Option<SubjectState>,
    /// Whether it ends earlier here than it would have there.
    pub cut: bool,
    /// Whether the subject has other roles here, which stand.
    pub roles_kept: bool,
}

impl Import {
    /// Decides whether the session goes on here. Device limits are not looked at: nobody is signed out
    /// for having been moved, and the next sign-in makes room.
    ///
    /// # Errors
    /// Its client is switched off, or its subject banned.
    pub fn decide(
        &self,
        subject: &SubjectState,
        cutoffs: &Cutoffs,
        terms: &Terms<'_>,
        at: Timestamp,
    ) -> Result<Imported, Denial> {
        if cutoffs.client(&self.start.client).disabled {
            return Err(Denial::ClientDisabled);
        }
        if let Some(ban) = subject.banned(at) {
            return Err(Denial::Banned(ban.until));
        }
        let arriving = self.arriving(subject);
        let state = arriving.as_ref().unwrap_or(subject);
        let roles_kept = self.start.roles.as_ref().is_some_and(|roles| *roles != state.roles);
        let session = Session::start(&self.start, terms, state, cutoffs, at);
        let session = session.begun(self.created_at.unwrap_or(at).min(at), terms.policy);
        if session.expires_at <= at {
            return Ok(Imported::Over);
        }
        let asked = self.start.expires_at.map(Timestamp::floor_second);
        let cut = asked.is_some_and(|asked| session.expires_at < asked);
        Ok(Imported::Goes(Box::new(Arrival { session, subject: arriving, cut, roles_kept })))
    }

    /// The roles of a file are those of a subject of whom nothing is known; what is known here is newer.
    fn arriving(&self, subject: &SubjectState) -> Option<SubjectState> {
        let unknown = SubjectState::unknown(subject.subject.clone());
        let roles = self.start.roles.as_ref().filter(|roles| !roles.is_empty())?;
        (*subject == unknown).then(|| SubjectState { roles: roles.clone(), ..unknown })
    }
}

impl Session {
    /// The same, begun then: its absolute end is counted from there, its idle end from now.
    fn begun(mut self, created_at: Timestamp, policy: &ClientPolicy) -> Self {
        self.0.created_at = created_at;
        self.0.expires_at = self.absolute_expires_at(policy);
        self.0.authenticated_at = self.authenticated_at.min(created_at.floor_second());
        self
    }
}

impl RefreshToken {
    /// The old token of an imported session: generation 0 of the family that it became. Only `store`
    /// may call this, for a digest that it holds.
    pub fn assume_imported(session: &Session) -> Self {
        Self::assume_genuine(session.born.store, session.sid, Generation(0), session.salt)
    }
}
