//! Which key signs when: announced, current, retiring, gone. A function of instants alone; no key is here.
//!
//! A key is published before it signs, so that every cache of the key set has it by then, and stays
//! published until the last token that it signed has expired.

use crate::client::ACCESS_TTL_MAX;
use crate::id::KeyId;
use crate::revocation::LEEWAY_MAX;
use crate::time::{CLOCK_DRIFT_MAX, Duration, Timestamp};

/// How long a key that signs no more is still published: as long as any token that it signed can be
/// accepted, by a clock that is as wrong as is believed.
pub const RETIRING: Duration =
    ACCESS_TTL_MAX.saturating_add(LEEWAY_MAX).saturating_add(CLOCK_DRIFT_MAX.saturating_mul(2));

/// From when on a key is the one that signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyLife {
    /// Which key.
    pub kid: KeyId,
    /// From when on. Inclusive.
    pub current_from: Timestamp,
}

/// What a key does at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyState {
    /// It is published and signs nothing yet.
    Announced,
    /// It signs.
    Current,
    /// It signs nothing new, and what it signed is still accepted.
    Retiring,
    /// Nothing that it signed can be accepted any more.
    Gone,
}

impl KeyState {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Current => "current",
            Self::Retiring => "retiring",
            Self::Gone => "gone",
        }
    }
}

/// When keys turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyPlan {
    /// A key signs for this long. Longer than `announce`. Default: 90 d.
    pub rotate_every: Duration,
    /// A key is published for this long before it signs. Longer than any cache of the key set. Default:
    /// 1 d.
    pub announce: Duration,
}

impl Default for KeyPlan {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        let (rotate_every, announce) = (Duration::from_secs(90 * DAY), Duration::from_secs(DAY));
        Self { rotate_every, announce }
    }
}

/// When a key stops to sign: when the next of the same algorithm begins. `None`: no next is known.
pub fn retires_at(key: &KeyLife, all: &[KeyLife]) -> Option<Timestamp> {
    let later = all.iter().filter(|other| order(key) < order(other));
    later.map(|other| other.current_from).min()
}

/// What a key of one algorithm does at `at`, among `all` of that algorithm. One of them always signs: the
/// earliest, if a clock that was set back finds all of them in the future.
pub fn state(key: &KeyLife, all: &[KeyLife], at: Timestamp) -> KeyState {
    let earliest = all.iter().all(|other| order(key) <= order(other));
    match retires_at(key, all) {
        Some(retires) if retires.after(RETIRING) < at => KeyState::Gone,
        Some(retires) if retires <= at => KeyState::Retiring,
        Some(_) | None if key.current_from <= at || earliest => KeyState::Current,
        Some(_) | None => KeyState::Announced,
    }
}

/// From when on a new key is to sign, if one is to be announced at `at`.
pub fn due(all: &[KeyLife], plan: &KeyPlan, at: Timestamp) -> Option<Timestamp> {
    let newest = all.iter().map(|key| key.current_from).max()?;
    let announced = at < newest;
    let ends = newest.after(plan.rotate_every);
    (!announced && ends.before(plan.announce) <= at).then(|| ends.max(at.after(plan.announce)))
}

/// What is wanted of an algorithm's keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// That they turn as planned.
    Planned,
    /// That a next key is announced, though none is due.
    Announced,
    /// That a new key signs at once.
    Now,
}

/// What is to be done about an algorithm's keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Nothing.
    Keep,
    /// Make a key that signs from this instant on.
    Make(Timestamp),
    /// Let the key that is announced sign from this instant on.
    Hasten(KeyId, Timestamp),
}

/// What is to be done about an algorithm's keys at `at`. The first key signs at once: nobody has cached
/// another.
pub fn turn(all: &[KeyLife], plan: &KeyPlan, wish: Wish, at: Timestamp) -> Turn {
    let announced = all.iter().find(|key| state(key, all, at) == KeyState::Announced);
    match (wish, announced) {
        _ if all.is_empty() => Turn::Make(at),
        (Wish::Now, Some(next)) => Turn::Hasten(next.kid, at),
        (Wish::Now, None) => Turn::Make(at),
        (Wish::Announced, None) => Turn::Make(at.after(plan.announce)),
        (Wish::Announced, Some(_)) => Turn::Keep,
        (Wish::Planned, _) => due(all, plan, at).map_or(Turn::Keep, Turn::Make),
    }
}

/// Two keys of one instant have an order, too.
fn order(key: &KeyLife) -> (Timestamp, KeyId) {
    (key.current_from, key.kid)
}
