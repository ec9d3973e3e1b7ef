//! What is revoked by its own name rather than by a bound: one access token (`jti`), one key (`kid`).

use crate::epoch::{Bump, Cutoffs};
use crate::id::KeyId;
use crate::revocation::{Effect, Event, Reason, Target, Whose};
use crate::time::Timestamp;
use core::fmt;
use std::collections::BTreeMap;

/// The most access tokens that are revoked by name at once. Inclusive. Each is remembered until it would
/// have expired; whoever has more to revoke ends their sessions, or sets a bound.
pub const TOKENS_MAX: usize = 4096;

/// The most revoked keys that are remembered. Inclusive. Each is, until its last token has expired.
pub const KEYS_MAX: usize = 256;

/// How and why something was revoked by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByName {
    /// Must renew, or must sign in.
    pub effect: Effect,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: Timestamp,
    /// Until when it matters. Inclusive.
    pub until: Timestamp,
}

impl ByName {
    fn of(effect: Effect, bump: &Bump) -> Self {
        let (reason, at, until) = (bump.reason, bump.at, bump.tokens_live_until);
        Self { effect, reason, at, until }
    }
}

/// So much is revoked by name already that no more can be remembered. Nothing was revoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{TOKENS_MAX} tokens or {KEYS_MAX} keys are revoked by name already; end sessions, or \
             revoke a subject or a client instead"
        )
    }
}

impl std::error::Error for Full {}

impl Cutoffs {
    /// Revokes one access token. One that was revoked before may be again, and what was said last holds.
    ///
    /// # Errors
    /// [`TOKENS_MAX`] others are.
    pub fn revoke_token(
        &mut self,
        jti: [u8; 16],
        whose: Option<Whose>,
        effect: Effect,
        bump: &Bump,
    ) -> Result<Event, Full> {
        self.tokens.retain(|_, other| bump.at <= other.until);
        if self.tokens.len() == TOKENS_MAX && !self.tokens.contains_key(&jti) {
            return Err(Full);
        }
        self.tokens.insert(jti, ByName::of(effect, bump));
        Ok(Event { whose, ..bump.event(Target::Token(jti), effect) })
    }

    /// Revokes a key: no token that it signed counts any more, and it signs no other. No session ends.
    ///
    /// # Errors
    /// [`KEYS_MAX`] others are.
    pub fn revoke_key(&mut self, key: KeyId, effect: Effect, bump: &Bump) -> Result<Event, Full> {
        self.keys.retain(|_, other| bump.at <= other.until);
        if self.keys.len() == KEYS_MAX && !self.keys.contains_key(&key) {
            return Err(Full);
        }
        self.keys.insert(key, ByName::of(effect, bump));
        Ok(bump.event(Target::Key(key), effect))
    }

    /// Revokes again what an event says was revoked by its name: the store had forgotten it. `false`: the
    /// event names neither a token nor a key. Where no more can be remembered, what matters for the
    /// shortest time makes room, since this cannot be refused.
    pub fn revoke_again(&mut self, event: &Event) -> bool {
        let &Event { effect, reason, at, expires_at: until, .. } = event;
        let own = ByName { effect, reason, at, until };
        match &event.target {
            Target::Token(jti) => put(&mut self.tokens, *jti, own, TOKENS_MAX),
            Target::Key(key) => put(&mut self.keys, *key, own, KEYS_MAX),
            Target::Session(_)
            | Target::Subject(..)
            | Target::Client(..)
            | Target::Everything(_)
            | Target::Nothing(_) => return false,
        }
        true
    }
}

fn put<K: Ord + Copy>(all: &mut BTreeMap<K, ByName>, name: K, own: ByName, max: usize) {
    all.retain(|_, other| own.at <= other.until);
    if all.len() == max && !all.contains_key(&name) {
        let soonest = all.iter().min_by_key(|(_, other)| other.until).map(|(name, _)| *name);
        soonest.map(|name| all.remove(&name));
    }
    all.insert(name, own);
}
