//! What is done to a subject as a whole: its profile, a ban and its end, erasure.

use crate::change::Change;
use crate::client::Policies;
use crate::device::DeviceLimits;
use crate::epoch::Bump;
use crate::id::{ClientId, SessionId};
use crate::loaded::Loaded;
use crate::revocation::{Act, Below, Effect, Event, Reason};
use crate::session::{End, Session, Standing};
use crate::sign_in::{LoadedSubject, SubjectDecision};
use crate::subject::Ban;
use crate::time::Timestamp;
use std::sync::Arc;

/// What every new access token of a subject says of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    /// Its roles.
    pub roles: Arc<[Arc<str>]>,
    /// Its claims: a JSON object's text, or empty.
    pub claims: Arc<str>,
}

/// What came of a change of a subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// The subject's version from now on.
    pub version: Below,
    /// Whether anything changed.
    pub changed: bool,
}

/// A session that an act ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gone {
    /// Which.
    pub sid: SessionId,
    /// Through which client it was started.
    pub client: ClientId,
    /// Why it ended.
    pub reason: Reason,
}

/// The sessions that a call ended, and why.
pub type Ended = Vec<Gone>;

impl Gone {
    pub(crate) fn new(session: &Session, reason: Reason) -> Self {
        Self { sid: session.sid, client: session.client.clone(), reason }
    }
}

impl LoadedSubject {
    /// The subject's version: see [`crate::SubjectState::version`].
    pub fn version(&self) -> Below {
        self.subject.version(self.cutoffs.epoch)
    }

    /// How many of its sessions are active.
    pub fn count_active(&self, policies: &Policies, at: Timestamp) -> usize {
        self.all_active(policies, at).count()
    }

    /// Those of its sessions that are active.
    pub fn all_active(&self, policies: &Policies, at: Timestamp) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(move |session| self.is_active(session, policies, at))
    }

    /// Replaces roles and claims as a whole: a stale bump if they change, and nobody is signed out.
    /// Only if the version is one of `expected`, where that is given; else the answer is the version.
    pub fn replace_profile(
        mut self,
        profile: &Profile,
        expected: Option<&[Below]>,
        act: &Act,
        at: Timestamp,
    ) -> SubjectDecision<Result<Replaced, Below>> {
        let version = self.version();
        if expected.is_some_and(|expected| !expected.contains(&version)) {
            return SubjectDecision::unchanged(Err(version));
        }
        let bump = self.bump(Reason::PermissionsChanged, act, at);
        let (roles, claims) = (profile.roles.clone(), profile.claims.clone());
        match self.subject.set_profile(roles, claims, &bump) {
            None => SubjectDecision::unchanged(Ok(Replaced { version, changed: false })),
            Some(event) => {
                let reply = Ok(Replaced { version: self.version(), changed: true });
                self.decided(Vec::new(), vec![event], reply)
            }
        }
    }

    /// Bans the subject: a revoked bump, by which all its sessions end. A ban in force that says the
    /// same is left as it is.
    pub fn ban(
        mut self,
        ban: Ban,
        act: &Act,
        policies: &Policies,
        at: Timestamp,
    ) -> SubjectDecision<Ended> {
        if self.subject.banned(at).is_some_and(|own| own.repeats(&ban)) {
            return SubjectDecision::unchanged(Vec::new());
        }
        let bump = self.bump(ban.reason, act, at);
        let (settled, mut events) = self.settle(policies, at);
        let ended = self.sessions.iter().map(|own| Gone::new(own, bump.reason)).collect();
        events.push(self.subject.set_ban(ban, &bump));
        self.decided(settled, events, ended)
    }

    /// Lifts the ban, if there is one: who signs in again may, and nothing that it ended revives.
    pub fn unban(
        mut self,
        (reason, act): (Reason, &Act),
        at: Timestamp,
    ) -> SubjectDecision<Replaced> {
        let version = self.version();
        if !self.subject.lift_ban() {
            return SubjectDecision::unchanged(Replaced { version, changed: false });
        }
        let lifted = Change::BanLifted(self.subject.subject.clone());
        let event = lifted.event(&self.bump(reason, act, at));
        self.decided(Vec::new(), vec![event], Replaced { version, changed: true })
    }

    /// Replaces what is said of the subject's devices: from the next sign-in on, which makes room by it. Nobody who is
    /// signed in leaves before, and no token becomes stale.
    pub fn limit_devices(
        mut self,
        devices: &DeviceLimits,
        act: &Act,
        at: Timestamp,
    ) -> SubjectDecision<Replaced> {
        let version = self.version();
        if !self.subject.limit_devices(devices.clone()) {
            return SubjectDecision::unchanged(Replaced { version, changed: false });
        }
        let limited = Change::DevicesLimited(self.subject.subject.clone());
        let event = limited.event(&self.bump(Reason::Admin, act, at));
        self.decided(Vec::new(), vec![event], Replaced { version, changed: true })
    }

    /// Ends all sessions and forgets the person: what was said of them and of their devices, ended
    /// sessions included. Counters stay, and a ban that is in force.
    pub fn erase(
        mut self,
        ending: (Reason, &Act),
        policies: &Policies,
        at: Timestamp,
    ) -> SubjectDecision<Ended> {
        let (reason, act) = ending;
        let bump = self.bump(reason, act, at);
        let (mut changed, mut events) = self.settle(policies, at);
        let ended: Ended = self.sessions.iter().map(|own| Gone::new(own, reason)).collect();
        for session in &mut changed {
            session.forget_person();
        }
        changed.extend(self.close_all(&bump));
        changed.extend(self.ended.drain(..).filter_map(forgotten));
        if !self.subject.forget_person() && changed.is_empty() {
            return SubjectDecision::unchanged(ended);
        }
        events.push(self.subject.bump(Effect::Revoked, &bump));
        self.decided(changed, events, ended)
    }

    /// Ends all sessions by a revoked bump, unless more than `at_most` are active: then the answer is how
    /// many, and nothing happens. Nobody active: nothing happens either.
    pub fn revoke(
        mut self,
        ending: (Reason, &Act),
        at_most: usize,
        policies: &Policies,
        at: Timestamp,
    ) -> SubjectDecision<Result<Ended, usize>> {
        let bump = self.bump(ending.0, ending.1, at);
        let (settled, mut events) = self.settle(policies, at);
        let ended: Ended = self.sessions.iter().map(|own| Gone::new(own, bump.reason)).collect();
        match ended.len() {
            0 => return SubjectDecision::unchanged(Ok(ended)),
            count if at_most < count => return SubjectDecision::unchanged(Err(count)),
            _ => {}
        }
        events.push(self.subject.bump(Effect::Revoked, &bump));
        self.decided(settled, events, Ok(ended))
    }

    /// Has all access tokens renewed by a stale bump, unless more than `at_most` sessions are active; else as
    /// [`Self::revoke`]. Nobody is signed out.
    pub fn require_renewal(
        mut self,
        ending: (Reason, &Act),
        at_most: usize,
        policies: &Policies,
        at: Timestamp,
    ) -> SubjectDecision<Result<Vec<Session>, usize>> {
        let active = |own: &&Session| self.is_active(own, policies, at);
        let hit: Vec<_> = self.sessions.iter().filter(active).cloned().collect();
        match hit.len() {
            0 => return SubjectDecision::unchanged(Ok(hit)),
            count if at_most < count => return SubjectDecision::unchanged(Err(count)),
            _ => {}
        }
        let bump = self.bump(ending.0, ending.1, at);
        let event = self.subject.bump(Effect::Stale, &bump);
        self.decided(Vec::new(), vec![event], Ok(hit))
    }

    /// Takes out the sessions whose end was only derived so far, and writes it down: the bound that
    /// follows would hide why and when they ended. Those that stay are active.
    fn settle(&mut self, policies: &Policies, at: Timestamp) -> (Vec<Session>, Vec<Event>) {
        let (mut settled, mut events) = (Vec::new(), Vec::new());
        for session in core::mem::take(&mut self.sessions) {
            let policy = policies.of(&session.client);
            match self.loaded(session.clone()).expire(&policy, at) {
                decision if decision.reply.is_none() => self.sessions.push(session),
                decision => {
                    settled.extend(decision.session);
                    events.extend(decision.events);
                }
            }
        }
        (settled, events)
    }

    /// Writes down the end of all that are active; the bound is its event.
    fn close_all(&mut self, bump: &Bump) -> Vec<Session> {
        let close = |mut session: Session| {
            let at = session.not_before(bump.at);
            session.0.end = Some(End { reason: bump.reason, at, by: bump.act.actor.clone() });
            session.forget_person();
            session
        };
        self.sessions.drain(..).map(close).collect()
    }

    fn is_active(&self, session: &Session, policies: &Policies, at: Timestamp) -> bool {
        let policy = policies.of(&session.client);
        let at = session.not_before(at);
        session.standing(&self.subject, &self.cutoffs, &policy, at) == Standing::Active
    }

    fn loaded(&self, session: Session) -> Loaded {
        let cutoffs = Arc::clone(&self.cutoffs);
        Loaded { session, subject: self.subject.clone(), cutoffs }
    }

    fn decided<R>(self, changed: Vec<Session>, events: Vec<Event>, reply: R) -> SubjectDecision<R> {
        SubjectDecision { subject: Some(self.subject), changed, created: None, events, reply }
    }
}

fn forgotten(mut session: Session) -> Option<Session> {
    session.forget_person().then_some(session)
}
