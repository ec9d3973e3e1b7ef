//! A store of events that can be put back to a copy, and lose what it had acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;
use symbolon_core::{Act, Effect, Event, Reason, SessionId, Shard, StoreEpoch, Target, Timestamp};

/// How many events it answers at once. Inclusive.
pub(crate) const EVENTS_MAX: usize = 256;

/// When the story begins, in seconds.
pub(crate) const BEGIN: u64 = 1_700_000_000;

/// How long a token of the story lives, in seconds.
pub(crate) const TTL: u64 = 1800;

/// An instant of the story, by the authority's clock.
pub(crate) fn instant(milliseconds: u64) -> Timestamp {
    Timestamp::from_seconds(BEGIN).after(Duration::from_millis(milliseconds))
}

#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) epoch: StoreEpoch,
    events: Vec<(u64, Event)>,
    /// Of each session that has ended in this history: when that was acknowledged.
    pub(crate) ended: BTreeMap<u64, u64>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { epoch: StoreEpoch(1), events: Vec::new(), ended: BTreeMap::new() }
    }

    pub(crate) fn head(&self) -> u64 {
        self.events.last().map_or(0, |(position, _)| *position)
    }

    pub(crate) fn events_after(&self, position: u64, most: usize) -> Vec<(u64, Event)> {
        let from = self.events.partition_point(|(own, _)| *own <= position);
        self.events[from..].iter().take(most).cloned().collect()
    }

    /// Ends a session; acknowledged at once.
    pub(crate) fn end(&mut self, number: u64, at: u64) {
        self.commit(number, at, BEGIN + TTL);
        self.ended.entry(number).or_insert(at);
    }

    /// Ends one whose tokens nobody holds, and which mirrors soon forget.
    pub(crate) fn end_other(&mut self, number: u64, at: u64) {
        self.commit(number, at, instant(at).as_seconds() + 20);
    }

    fn commit(&mut self, number: u64, at: u64, expires_at: u64) {
        let event = Event {
            at: instant(at),
            target: Target::Session(session(number)),
            whose: None,
            effect: Effect::Revoked,
            reason: Reason::Kicked,
            expires_at: Timestamp::from_seconds(expires_at),
            act: Act::authority(),
        };
        self.events.push((self.head() + 1, event));
    }

    /// Goes back to a copy in a new epoch. What the ends log has beyond the copy is appended before anybody is served.
    pub(crate) fn restore(&mut self, copy: &Self, at: u64) {
        let acknowledged = std::mem::take(&mut self.ended);
        let epoch = StoreEpoch(self.epoch.0 + 1);
        *self = Self { epoch, ..copy.clone() };
        // What was lost since the copy was made, and comes back with it, is in force from now on.
        for (number, when) in &mut self.ended {
            *when = if acknowledged.contains_key(number) { *when } else { at };
        }
        for (number, when) in acknowledged {
            if !self.ended.contains_key(&number) {
                self.end(number, at);
            }
            self.ended.insert(number, when);
        }
    }

    /// Loses the newest events for good and says nothing: the next take their positions.
    pub(crate) fn lose(&mut self, count: usize) {
        let kept = self.events.len().saturating_sub(count);
        let lost = self.events.split_off(kept);
        self.ended.retain(|number, _| {
            let target = Target::Session(session(*number));
            let held = |(_, event): &(u64, Event)| event.target == target;
            !lost.iter().any(held) || self.events.iter().any(held)
        });
    }

    /// Another primary: nothing is lost, and an epoch begins.
    pub(crate) fn fail_over(&mut self) {
        self.epoch = StoreEpoch(self.epoch.0 + 1);
    }

    /// Drops what no mirror needs any more, but for the newest.
    pub(crate) fn sweep(&mut self, at: u64) {
        let needed = |(_, event): &(u64, Event)| instant(at) <= event.expires_at;
        let first = self.events.iter().position(needed);
        let first = first.unwrap_or(self.events.len()).min(self.events.len().saturating_sub(1));
        self.events.drain(..first);
    }
}

pub(crate) fn session(number: u64) -> SessionId {
    let mut random = [0; 14];
    random[..8].copy_from_slice(&number.to_be_bytes());
    SessionId::new(Shard([0, 0]), random)
}
