//! What the authority knows of a subject: roles, claims, a ban, and a counter.

use crate::device::DeviceLimits;
use crate::epoch::{Bump, Epochs};
use crate::id::{StoreEpoch, Subject};
use crate::revocation::{Below, Effect, Event, Reason, Target};
use crate::time::{Duration, Timestamp};
use std::sync::Arc;

/// The longest that a ban with an end may last. Inclusive: what is to last longer has none.
pub const BAN_FOR_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A ban in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ban {
    /// Since when.
    pub since: Timestamp,
    /// Until when; `None`: until it is lifted. Exclusive.
    pub until: Option<Timestamp>,
    /// Why: what a refresh is told.
    pub reason: Reason,
    /// What whoever banned them wrote.
    pub note: Option<Arc<str>>,
}

impl Ban {
    /// Whether the ban is in force at `at`.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.until.is_none_or(|until| at < until)
    }

    /// Whether another ban would change nothing but its beginning.
    pub fn repeats(&self, other: &Self) -> bool {
        (self.until, self.reason, &self.note) == (other.until, other.reason, &other.note)
    }
}

/// What is known of a subject. One that nobody mentioned yet is [`SubjectState::unknown`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubjectState {
    /// Who.
    pub subject: Subject,
    /// Roles that every new access token carries.
    pub roles: Arc<[Arc<str>]>,
    /// Claims that every new access token carries: a JSON object's text, or empty.
    pub claims: Arc<str>,
    /// The ban in force, if any.
    pub ban: Option<Ban>,
    /// The version since which its roles and claims are these. A bump that says nothing of them leaves it.
    pub profile_since: Below,
    /// How many sessions it may have, where that is not as its clients' settings say.
    pub devices: DeviceLimits,
    /// The counter and its bounds.
    pub epochs: Epochs,
}

impl SubjectState {
    /// A subject of whom nothing is known.
    pub fn unknown(subject: Subject) -> Self {
        Self {
            subject,
            roles: Arc::default(),
            claims: "".into(),
            ban: None,
            profile_since: Below::default(),
            devices: DeviceLimits::default(),
            epochs: Epochs::default(),
        }
    }

    /// The ban that is in force at `at`.
    pub fn banned(&self, at: Timestamp) -> Option<&Ban> {
        self.ban.as_ref().filter(|ban| ban.holds(at))
    }

    /// Replaces the roles. A change makes older access tokens stale; no change bumps nothing.
    pub fn set_roles(&mut self, roles: Arc<[Arc<str>]>, bump: &Bump) -> Option<Event> {
        if self.roles == roles {
            return None;
        }
        self.roles = roles;
        Some(self.bump_profile(bump))
    }

    /// Replaces roles and claims at once, with at most one bump.
    pub fn set_profile(
        &mut self,
        roles: Arc<[Arc<str>]>,
        claims: Arc<str>,
        bump: &Bump,
    ) -> Option<Event> {
        if self.roles == roles && self.claims == claims {
            return None;
        }
        (self.roles, self.claims) = (roles, claims);
        Some(self.bump_profile(bump))
    }

    fn bump_profile(&mut self, bump: &Bump) -> Event {
        let event = self.bump(Effect::Stale, bump);
        self.profile_since = self.version(bump.epoch);
        event
    }

    /// Bans the subject: a revoked bump, so that lifting the ban revives nothing.
    pub fn set_ban(&mut self, ban: Ban, bump: &Bump) -> Event {
        self.ban = Some(ban);
        self.bump(Effect::Revoked, bump)
    }

    /// Lifts the ban; answers whether there was one.
    pub fn lift_ban(&mut self) -> bool {
        self.ban.take().is_some()
    }

    /// What a writer who must not overwrite another's change has to have seen: every bump moves it.
    pub fn version(&self, epoch: StoreEpoch) -> Below {
        Below { epoch, counter: self.epochs.counter }
    }

    /// Replaces what is said of its devices; answers whether that was anything else.
    pub fn limit_devices(&mut self, devices: DeviceLimits) -> bool {
        let before = std::mem::replace(&mut self.devices, devices);
        before != self.devices
    }

    /// Forgets who they are; counters, and the bare fact of a ban, stay. Answers whether there was
    /// anything to forget.
    pub fn forget_person(&mut self) -> bool {
        let note = self.ban.as_mut().and_then(|ban| ban.note.take());
        let limited = !std::mem::take(&mut self.devices).is_empty();
        let described = !self.roles.is_empty() || !self.claims.is_empty();
        let known = note.is_some() || limited || described;
        (self.roles, self.claims) = (Arc::default(), "".into());
        known
    }

    /// Raises the counter and sets one bound to it.
    pub fn bump(&mut self, effect: Effect, bump: &Bump) -> Event {
        let below = self.epochs.bump(effect, bump);
        bump.event(Target::Subject(self.subject.clone(), below), effect)
    }
}
