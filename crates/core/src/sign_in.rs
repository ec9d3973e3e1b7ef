//! Signing in, and everything else that concerns all sessions of one subject at once.

use crate::binding::Binding;
use crate::client::{ClientPolicy, Policies};
use crate::denial::Denial;
use crate::device::{Device, DeviceClass};
use crate::epoch::{Bump, Cutoffs};
use crate::grant::{Grant, Outcome, Terms};
use crate::id::{ClientId, Digest, Generation, Salt, SessionId, Subject};
use crate::loaded::Loaded;
use crate::person::{Ended, Gone};
use crate::revocation::{Act, Event, LEEWAY_MAX, Reason};
use crate::session::{Session, SessionState, Standing};
use crate::subject::SubjectState;
use crate::time::Timestamp;
use std::sync::Arc;

/// A subject with all its sessions that are not written down as ended.
#[derive(Clone, Debug)]
pub struct LoadedSubject {
    /// The subject.
    pub subject: SubjectState,
    /// Its sessions, through every client. Bounded by the device limits of the configured clients.
    pub sessions: Vec<Session>,
    /// Those that are written down as ended and not forgotten yet: given to erasure alone, else empty.
    pub ended: Vec<Session>,
    /// Everything above.
    pub cutoffs: Arc<Cutoffs>,
}

/// What is to be committed about a subject, all or nothing.
#[derive(Clone, Debug)]
pub struct SubjectDecision<R> {
    /// The subject as it is from now on; `None`: unchanged.
    pub subject: Option<SubjectState>,
    /// Sessions that changed.
    pub changed: Vec<Session>,
    /// A session that is new.
    pub created: Option<Session>,
    /// What every verifier must hear of it, in this order.
    pub events: Vec<Event>,
    /// The answer.
    pub reply: R,
}

impl<R> SubjectDecision<R> {
    /// The same commit with another answer.
    pub fn map<S>(self, answer: impl FnOnce(R) -> S) -> SubjectDecision<S> {
        SubjectDecision {
            subject: self.subject,
            changed: self.changed,
            created: self.created,
            events: self.events,
            reply: answer(self.reply),
        }
    }

    /// Nothing to commit.
    pub fn unchanged(reply: R) -> Self {
        Self { subject: None, changed: Vec::new(), created: None, events: Vec::new(), reply }
    }
}

/// What a trusted back end says when it starts a session. Has no `Debug`: the salt is a secret.
#[derive(Clone)]
pub struct Start {
    /// The new session's name, drawn at the rim.
    pub sid: SessionId,
    /// The new session's salt, drawn at the rim.
    pub salt: Salt,
    /// Whom it is for.
    pub subject: Subject,
    /// Through which application.
    pub client: ClientId,
    /// On what.
    pub device: Device,
    /// The scope granted.
    pub scope: Arc<str>,
    /// The subject's roles from now on; `None`: those stored stand.
    pub roles: Option<Arc<[Arc<str>]>>,
    /// Claims of this session alone.
    pub claims: Arc<str>,
    /// Its audience; empty: the client's.
    pub audience: Arc<[Arc<str>]>,
    /// How the person was authenticated.
    pub amr: Arc<[Arc<str>]>,
    /// At which level.
    pub acr: Option<Arc<str>>,
    /// When; `None`: now.
    pub authenticated_at: Option<Timestamp>,
    /// An absolute end earlier than the client's.
    pub expires_at: Option<Timestamp>,
    /// What it is bound to.
    pub binding: Binding,
    /// The address it was started from.
    pub ip: Option<Arc<str>>,
    /// The program it was started from.
    pub user_agent: Option<Arc<str>>,
    /// The digest of the request, for `Idempotency-Key`.
    pub started_by: Option<Digest>,
}

/// A session that was started.
#[derive(Clone, Debug)]
pub struct Started {
    /// Its first tokens.
    pub grant: Grant,
    /// Who left for it.
    pub displaced: Vec<(SessionId, Reason)>,
}

/// Which of a subject's sessions are meant. Every condition that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// This one alone.
    pub only: Option<SessionId>,
    /// Not this one.
    pub except: Option<SessionId>,
    /// On devices of this class.
    pub class: Option<DeviceClass>,
    /// On this device.
    pub device_id: Option<Arc<str>>,
    /// Through this client.
    pub client: Option<ClientId>,
}

impl Which {
    /// Whether a session is meant.
    pub fn holds(&self, session: &Session) -> bool {
        self.only.is_none_or(|sid| sid == session.sid)
            && self.except.is_none_or(|sid| sid != session.sid)
            && self.class.is_none_or(|class| class == session.device.class)
            && self.device_id.as_ref().is_none_or(|id| session.device.id.as_ref() == Some(id))
            && self.client.as_ref().is_none_or(|client| *client == session.client)
    }
}

impl LoadedSubject {
    /// Decides a sign-in, device limits included: DESIGN.md §4.7.
    pub fn sign_in(
        mut self,
        start: &Start,
        terms: &Terms<'_>,
        act: &Act,
        at: Timestamp,
    ) -> SubjectDecision<Result<Started, Denial>> {
        if let Some(again) = self.repeat_start(start.sid, terms, at) {
            return SubjectDecision::unchanged(again);
        }
        if self.cutoffs.client(&start.client).disabled {
            return SubjectDecision::unchanged(Err(Denial::ClientDisabled));
        }
        if let Some(ban) = self.subject.banned(at) {
            return SubjectDecision::unchanged(Err(Denial::Banned(ban.until)));
        }
        let active = self.active(&start.client, terms.policy, at);
        let devices = terms.policy.devices.under(&self.subject.devices);
        let Some(leaving) = devices.make_room(&active, &start.device) else {
            return SubjectDecision::unchanged(Err(Denial::DeviceLimit));
        };
        let leaving: Vec<SessionId> = leaving.iter().map(|session| session.sid).collect();
        let by = Act { note: Some(displaced_by(&start.device)), ..act.clone() };
        let (changed, mut events) = self.displace(&leaving, &by, at);
        let bumped = self.replace_roles(start, act, at);
        let subject = bumped.is_some().then(|| self.subject.clone());
        events.extend(bumped);
        let grant = self.first_grant(start, terms, at);
        let displaced = leaving.into_iter().map(|sid| (sid, Reason::Displaced)).collect();
        let created = Some(grant.session.clone());
        SubjectDecision {
            subject,
            changed,
            created,
            events,
            reply: Ok(Started { grant, displaced }),
        }
    }

    /// Ends all of the subject's sessions that are meant: one event each, never a bump, so that the ones
    /// not meant are untouched. Answers those that this ended.
    pub fn end_sessions(
        mut self,
        which: &Which,
        ending: (Reason, &Act),
        policies: &Policies,
        at: Timestamp,
    ) -> SubjectDecision<Ended> {
        let mut decision = SubjectDecision::unchanged(Vec::new());
        for session in self.sessions.drain(..).filter(|session| which.holds(session)) {
            let policy = policies.of(&session.client);
            let loaded = Loaded {
                session,
                subject: self.subject.clone(),
                cutoffs: Arc::clone(&self.cutoffs),
            };
            let one = loaded.end(ending.0, ending.1, &policy, at);
            let ended = one.session.as_ref().filter(|_| one.reply);
            decision.reply.extend(ended.map(|session| Gone::new(session, ending.0)));
            decision.changed.extend(one.session);
            decision.events.extend(one.events);
        }
        decision
    }

    /// The same request again, racing with itself: the session that it already started.
    fn repeat_start(
        &self,
        sid: SessionId,
        terms: &Terms<'_>,
        at: Timestamp,
    ) -> Option<Result<Started, Denial>> {
        let session = self.sessions.iter().find(|session| session.sid == sid)?.clone();
        let subject = self.subject.clone();
        let loaded = Loaded { session, subject, cutoffs: Arc::clone(&self.cutoffs) };
        let started = |grant| Started { grant, displaced: Vec::new() };
        Some(loaded.repeat(terms, at).map(started))
    }

    fn active(&self, client: &ClientId, policy: &ClientPolicy, at: Timestamp) -> Vec<&Session> {
        let alive = |session: &&Session| {
            let at = session.not_before(at);
            session.standing(&self.subject, &self.cutoffs, policy, at) == Standing::Active
        };
        self.sessions.iter().filter(|session| session.client == *client).filter(alive).collect()
    }

    fn displace(
        &mut self,
        leaving: &[SessionId],
        act: &Act,
        at: Timestamp,
    ) -> (Vec<Session>, Vec<Event>) {
        let end = |session: &mut Session| {
            let event = session.end(Reason::Displaced, session.not_before(at), act.clone());
            (session.clone(), event)
        };
        self.sessions.iter_mut().filter(|session| leaving.contains(&session.sid)).map(end).unzip()
    }

    fn replace_roles(&mut self, start: &Start, act: &Act, at: Timestamp) -> Option<Event> {
        let roles = start.roles.clone()?;
        let bump = self.bump(Reason::PermissionsChanged, act, at);
        self.subject.set_roles(roles, &bump)
    }

    /// A bump of this subject: it is remembered as long as any of its tokens can live.
    pub fn bump(&self, reason: Reason, act: &Act, at: Timestamp) -> Bump {
        let lives = self.sessions.iter().map(|session| session.tokens_live_until(at)).max();
        Bump {
            epoch: self.cutoffs.epoch,
            reason,
            at,
            tokens_live_until: lives.unwrap_or(at).after(LEEWAY_MAX),
            act: act.clone(),
        }
    }

    fn first_grant(&self, start: &Start, terms: &Terms<'_>, at: Timestamp) -> Grant {
        let mut loaded = Loaded {
            session: Session::start(start, terms, &self.subject, &self.cutoffs, at),
            subject: self.subject.clone(),
            cutoffs: Arc::clone(&self.cutoffs),
        };
        let mut grant = loaded.grant(terms, Outcome::Started, at);
        loaded.session.note_issued(&grant);
        grant.session = loaded.session;
        grant
    }
}

/// What a displaced session's owner is told of the sign-in that took its place.
fn displaced_by(device: &Device) -> Arc<str> {
    let class = device.class.as_str();
    match &device.name {
        Some(name) => format!("a sign-in on {class} {name:?}").into(),
        None => format!("a sign-in on {class}").into(),
    }
}

impl Session {
    /// Generation 0 of a new family.
    pub(crate) fn start(
        start: &Start,
        terms: &Terms<'_>,
        subject: &SubjectState,
        cutoffs: &Cutoffs,
        at: Timestamp,
    ) -> Self {
        let absolute = at.after(terms.policy.absolute).floor_second();
        Self(SessionState {
            sid: start.sid,
            subject: start.subject.clone(),
            client: start.client.clone(),
            device: start.device.clone(),
            scope: start.scope.clone(),
            claims: start.claims.clone(),
            roles: None,
            audience: start.audience.clone(),
            amr: start.amr.clone(),
            acr: start.acr.clone(),
            authenticated_at: start.authenticated_at.unwrap_or(at).min(at).floor_second(),
            binding: start.binding,
            ip: start.ip.clone(),
            user_agent: start.user_agent.clone(),
            started_by: start.started_by,
            salt: start.salt,
            born: cutoffs.ver(&start.client, subject),
            created_at: at,
            last_used_at: at,
            expires_at: start
                .expires_at
                .map_or(absolute, |asked| absolute.min(asked.floor_second())),
            generation: Generation(0),
            rotation: terms.rotation(cutoffs.epoch, at),
            windows: Vec::new(),
            fast_forward: None,
            tokens_live_until: at,
            end: None,
        })
    }
}
