//! A session: one sign-in of one subject on one device through one client.

use crate::binding::Binding;
use crate::client::ClientPolicy;
use crate::device::Device;
use crate::epoch::{Cutoffs, Ver};
use crate::id::{ClientId, Digest, Generation, KeyId, Salt, SessionId, StoreEpoch, Subject};
use crate::revocation::{Act, Actor, Effect, Event, LEEWAY_MAX, Reason, Target, Whose};
use crate::subject::SubjectState;
use crate::time::{Duration, Timestamp};
use crate::told::OwnRoles;
use core::ops::Deref;
use std::sync::Arc;

/// The most windows that one family keeps open. Inclusive.
pub const WINDOWS_MAX: usize = 8;

/// A used generation that still earns the newest one, until then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// The used generation.
    pub generation: Generation,
    /// When it closes. Exclusive: at this instant it is closed.
    pub ends: Timestamp,
}

/// The first time that a token of an older store epoch carried a family forward in this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FastForward {
    /// The generation it led to (`F` in DESIGN.md §4.1), or a later one of an older epoch that was
    /// followed while that could still be a race.
    pub to: Generation,
    /// The store epoch in which it happened.
    pub epoch: StoreEpoch,
    /// Until when a higher generation of an older epoch may still be the owner's. Inclusive.
    pub until: Timestamp,
}

/// The last rotation: all that its answer is recomputed from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rotation {
    /// When.
    pub at: Timestamp,
    /// The store epoch that its refresh token carries.
    pub epoch: StoreEpoch,
    /// The key that signed its access token.
    pub key: KeyId,
    /// The life that its access token was given.
    pub access_ttl: Duration,
}

/// How and when a session ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct End {
    /// Why.
    pub reason: Reason,
    /// When it was over; for timeouts the instant that passed, not the one that noticed.
    pub at: Timestamp,
    /// Who ended it.
    pub by: Actor,
}

/// Everything that is known of a session. Plain values: only [`Session`]'s rules change them.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionState {
    /// Its name, and the name of its refresh-token family.
    pub sid: SessionId,
    /// Whom it is for.
    pub subject: Subject,
    /// Through which application.
    pub client: ClientId,
    /// On what.
    pub device: Device,
    /// The scope it was granted, separated by single spaces (RFC 6749 §3.3); may be empty.
    pub scope: Arc<str>,
    /// Claims of this session alone: a JSON object's text, checked when it was parsed, or empty.
    pub claims: Arc<str>,
    /// Roles of this session alone, where its back end told some at a renewal.
    pub roles: Option<OwnRoles>,
    /// The audience it was started for; empty: the client's.
    pub audience: Arc<[Arc<str>]>,
    /// How the person was authenticated (RFC 8176).
    pub amr: Arc<[Arc<str>]>,
    /// At which level (OIDC Core §2).
    pub acr: Option<Arc<str>>,
    /// When the person was authenticated; no refresh changes it (RFC 9068 §2.2.1).
    pub authenticated_at: Timestamp,
    /// What it is bound to.
    pub binding: Binding,
    /// The address it was started from.
    pub ip: Option<Arc<str>>,
    /// The program it was started from.
    pub user_agent: Option<Arc<str>>,
    /// The digest of the request that started it, for `Idempotency-Key`.
    pub started_by: Option<Digest>,
    /// What its refresh tokens mix in.
    pub salt: Salt,
    /// The counters it was born with.
    pub born: Ver,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it was last used: its sign-in, its last advance, or a later use that was reported.
    pub last_used_at: Timestamp,
    /// The absolute end. Whole seconds, exclusive, never moves.
    pub expires_at: Timestamp,
    /// The newest generation.
    pub generation: Generation,
    /// The rotation that made it.
    pub rotation: Rotation,
    /// Used generations, oldest first; at most [`WINDOWS_MAX`].
    pub windows: Vec<Window>,
    /// The first fast-forward of this store epoch, if any.
    pub fast_forward: Option<FastForward>,
    /// The latest `exp` among all access tokens issued so far.
    pub tokens_live_until: Timestamp,
    /// How it ended, once written; an end may also be derived, see [`Session::standing`].
    pub end: Option<End>,
}

/// A session as the rules see it: all may read it, only the rules of this crate change it.
#[derive(Clone, PartialEq, Eq)]
pub struct Session(pub(crate) SessionState);

impl Deref for Session {
    type Target = SessionState;

    fn deref(&self) -> &SessionState {
        &self.0
    }
}

impl core::fmt::Debug for Session {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session")
            .field("sid", &self.sid)
            .field("generation", &self.generation)
            .field("windows", &self.windows)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// Whether a session may be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It may.
    Active,
    /// It is over, and its row says so.
    Ended(End),
    /// It is over, though its row does not say so yet: a timeout passed, or a bound is above it.
    Over(End),
}

impl Session {
    /// A session as a store kept it. Only `store` may call this.
    pub fn restore(state: SessionState) -> Self {
        Self(state)
    }

    /// The instant that a rule acts at: `at`, but never before the session's last instant, so that a
    /// wall clock that steps back reopens nothing.
    pub fn not_before(&self, at: Timestamp) -> Timestamp {
        at.max(self.last_used_at).max(self.rotation.at)
    }

    /// When it ends if it is not used again. Exclusive.
    pub fn idle_expires_at(&self, policy: &ClientPolicy) -> Timestamp {
        self.last_used_at.after(policy.idle)
    }

    /// When it ends in any case. Exclusive. A shorter setting reaches sessions that exist; a longer
    /// one does not.
    pub fn absolute_expires_at(&self, policy: &ClientPolicy) -> Timestamp {
        self.expires_at.min(self.created_at.after(policy.absolute).floor_second())
    }

    /// The earlier of both.
    pub fn refresh_expires_at(&self, policy: &ClientPolicy) -> Timestamp {
        self.idle_expires_at(policy).min(self.absolute_expires_at(policy))
    }

    /// Whether it may be used at `at`: DESIGN.md §4.1, rows "session ended" to "idle or expired".
    pub fn standing(
        &self,
        subject: &SubjectState,
        cutoffs: &Cutoffs,
        policy: &ClientPolicy,
        at: Timestamp,
    ) -> Standing {
        if let Some(end) = &self.end {
            return Standing::Ended(end.clone());
        }
        let over = |reason, at| Standing::Over(End { reason, at, by: Actor::Authority });
        if let Some((reason, since)) = self.born_below(subject, cutoffs, at) {
            return over(reason, since);
        }
        let (idle, absolute) = (self.idle_expires_at(policy), self.absolute_expires_at(policy));
        if at < idle.min(absolute) {
            return Standing::Active;
        }
        if idle < absolute { over(Reason::Idle, idle) } else { over(Reason::Expired, absolute) }
    }

    /// The first revoked bound or ban that is above this session, and since when.
    fn born_below(
        &self,
        subject: &SubjectState,
        cutoffs: &Cutoffs,
        at: Timestamp,
    ) -> Option<(Reason, Timestamp)> {
        let client = cutoffs.clients.get(&self.client);
        let bounds = [
            subject.epochs.revokes(self.born.of_subject()),
            client.and_then(|client| client.epochs.revokes(self.born.of_client())),
            cutoffs.everything.revokes(self.born.of_everything()),
        ];
        let bound = bounds.into_iter().flatten().min_by_key(|bound| bound.at);
        let ban = subject.banned(at).map(|ban| (ban.reason, ban.since));
        bound.map(|bound| (bound.reason, bound.at)).or(ban)
    }

    /// Ends the session, and says so to every verifier.
    pub(crate) fn end(&mut self, reason: Reason, at: Timestamp, act: Act) -> Event {
        self.0.end = Some(End { reason, at, by: act.actor.clone() });
        let target = Target::Session(self.sid);
        let whose = Whose { subject: self.subject.clone(), client: self.client.clone() };
        let expires_at = self.tokens_live_until(at).after(LEEWAY_MAX);
        let (whose, effect) = (Some(whose), Effect::Revoked);
        Event { at, target, whose, effect, reason, expires_at, act }
    }

    /// Forgets whose device it was on, where, and what was said of the person. Only for a session that
    /// is over: nothing compares its binding any more. Answers whether there was anything to forget.
    pub(crate) fn forget_person(&mut self) -> bool {
        let before = self.clone();
        let state = &mut self.0;
        (state.device.id, state.device.name) = (None, None);
        (state.ip, state.user_agent, state.started_by) = (None, None, None);
        (state.claims, state.roles, state.binding) = ("".into(), None, Binding::default());
        *self != before
    }

    /// Writes an end that was derived so far and is noticed at `at`. A bound is its own event; a timeout
    /// gets one, which outlives every answer given until it was noticed: a setting that was shortened
    /// lets a timeout pass before answers that were given under the longer one.
    pub(crate) fn write_end(&mut self, end: End, at: Timestamp) -> Option<Event> {
        let by_timeout = matches!(end.reason, Reason::Idle | Reason::Expired);
        if by_timeout {
            let expires_at = self.tokens_live_until(at).after(LEEWAY_MAX);
            return Some(Event { expires_at, ..self.end(end.reason, end.at, Act::authority()) });
        }
        self.0.end = Some(end);
        None
    }
}
