//! Counters instead of clocks: who must renew and who must sign in after a bump.

use crate::by_name::ByName;
use crate::client::{ClientPolicy, Replay};
use crate::id::{ClientId, KeyId, StoreEpoch};
use crate::revocation::{Act, Below, Effect, Event, Reason, Target};
use crate::subject::SubjectState;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// The four counters that every access token carries (`ver`), and that a session was born with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Ver {
    /// The store's epoch.
    pub store: StoreEpoch,
    /// The subject's counter.
    pub subject: u64,
    /// The client's counter.
    pub client: u64,
    /// The counter of everything.
    pub everything: u64,
}

impl Ver {
    /// The subject's counter as a bound compares it.
    pub const fn of_subject(&self) -> Below {
        Below { epoch: self.store, counter: self.subject }
    }

    /// The client's counter as a bound compares it.
    pub const fn of_client(&self) -> Below {
        Below { epoch: self.store, counter: self.client }
    }

    /// The counter of everything as a bound compares it.
    pub const fn of_everything(&self) -> Below {
        Below { epoch: self.store, counter: self.everything }
    }
}

/// A bound that a bump set: tokens and births below it are stale, or revoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    /// Exclusive.
    pub below: Below,
    /// Why.
    pub reason: Reason,
    /// When it was set.
    pub at: Timestamp,
}

/// A counter with its two bounds; a stale bump never overwrites a revoked one, nor the reverse.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Epochs {
    /// Raised by every bump.
    pub counter: u64,
    /// Tokens below it must renew.
    pub stale: Option<Bound>,
    /// Sessions born below it are ended.
    pub revoked: Option<Bound>,
}

impl Epochs {
    /// Raises the counter and sets one bound to it.
    pub fn bump(&mut self, effect: Effect, bump: &Bump) -> Below {
        self.counter = self.counter.saturating_add(1);
        let below = Below { epoch: bump.epoch, counter: self.counter };
        let bound = Some(Bound { below, reason: bump.reason, at: bump.at });
        match effect {
            Effect::Stale => self.stale = bound,
            Effect::Revoked => self.revoked = bound,
        }
        below
    }

    /// The revoked bound that `born` is below, if it is.
    pub fn revokes(&self, born: Below) -> Option<&Bound> {
        self.revoked.as_ref().filter(|bound| born < bound.below)
    }

    /// Sets a bound again that a store had forgotten. Neither a bound nor the counter goes down.
    pub fn set_again(&mut self, effect: Effect, bound: Bound) {
        self.counter = self.counter.max(bound.below.counter);
        let own = match effect {
            Effect::Stale => &mut self.stale,
            Effect::Revoked => &mut self.revoked,
        };
        if own.is_none_or(|own| own.below < bound.below) {
            *own = Some(bound);
        }
    }

    /// The stale bound that a token's counter is below, if it is.
    pub fn outdates(&self, issued: Below) -> Option<&Bound> {
        self.stale.as_ref().filter(|bound| issued < bound.below)
    }
}

/// Why, when and by whom a counter is raised.
#[derive(Clone, Debug)]
pub struct Bump {
    /// The store epoch in force.
    pub epoch: StoreEpoch,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: Timestamp,
    /// Until when a token that the bump hits can live, leeway included.
    pub tokens_live_until: Timestamp,
    /// Who.
    pub act: Act,
}

impl Bump {
    /// The event that tells every verifier about this bump.
    pub fn event(&self, target: Target, effect: Effect) -> Event {
        Event {
            at: self.at,
            target,
            whose: None,
            effect,
            reason: self.reason,
            expires_at: self.tokens_live_until,
            act: self.act.clone(),
        }
    }
}

/// What the authority knows of a client beside its configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientState {
    /// Refused in every grant until it is enabled again; no session ends by it.
    pub disabled: bool,
    /// Its counter and bounds.
    pub epochs: Epochs,
    /// What is done about replays for a while, whatever its settings say.
    pub replay: Option<ReplayFor>,
}

impl ClientState {
    /// What is done about a replay at `at`.
    pub fn replay(&self, policy: &ClientPolicy, at: Timestamp) -> Replay {
        self.replay.filter(|own| at < own.until).map_or(policy.replay, |own| own.replay)
    }
}

/// What is done about replays for a stated time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplayFor {
    /// What.
    pub replay: Replay,
    /// Until when. Exclusive.
    pub until: Timestamp,
}

/// Everything above a subject that a rule looks at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cutoffs {
    /// The store epoch in force.
    pub epoch: StoreEpoch,
    /// The counter and bounds of everything.
    pub everything: Epochs,
    /// The clients of which something is known; bounded by the configuration.
    pub clients: BTreeMap<ClientId, ClientState>,
    /// The access tokens that were revoked by name; at most [`crate::by_name::TOKENS_MAX`].
    pub tokens: BTreeMap<[u8; 16], ByName>,
    /// The signing keys that were revoked; at most [`crate::by_name::KEYS_MAX`].
    pub keys: BTreeMap<KeyId, ByName>,
}

impl Cutoffs {
    /// What is known of a client: by default that it is enabled and was never bumped.
    pub fn client(&self, client: &ClientId) -> ClientState {
        self.clients.get(client).cloned().unwrap_or_default()
    }

    /// The counters that a token or session of this subject and client starts with now.
    pub fn ver(&self, client: &ClientId, subject: &SubjectState) -> Ver {
        self.ver_of(client, subject.epochs.counter)
    }

    /// The same, for a subject's counter.
    pub(crate) fn ver_of(&self, client: &ClientId, subject: u64) -> Ver {
        Ver {
            store: self.epoch,
            subject,
            client: self.clients.get(client).map_or(0, |state| state.epochs.counter),
            everything: self.everything.counter,
        }
    }

    /// Raises a client's counter; under `Revoked` its sessions born so far are ended.
    pub fn bump_client(&mut self, client: &ClientId, effect: Effect, bump: &Bump) -> Event {
        let below = self.clients.entry(client.clone()).or_default().epochs.bump(effect, bump);
        bump.event(Target::Client(client.clone(), below), effect)
    }

    /// Raises the counter of everything; under `Revoked` all sessions born so far are ended.
    pub fn bump_everything(&mut self, effect: Effect, bump: &Bump) -> Event {
        let below = self.everything.bump(effect, bump);
        bump.event(Target::Everything(below), effect)
    }

    /// Switches a client off or on. Off is a *stale* bump: nothing renews, and no session ends.
    pub fn set_client_disabled(
        &mut self,
        client: &ClientId,
        disabled: bool,
        bump: &Bump,
    ) -> Option<Event> {
        let state = self.clients.entry(client.clone()).or_default();
        if state.disabled == disabled {
            return None;
        }
        state.disabled = disabled;
        disabled.then(|| self.bump_client(client, Effect::Stale, bump))
    }
}
