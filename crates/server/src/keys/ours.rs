//! Which tokens were written here: their names say, whatever their signature.

use super::Keys;
use symbolon_core::{Generation, SessionId};

/// How many generations back an access token is still known to be ours. Inclusive: whoever renews oftener within one
/// life of a token is asked to use a newer one.
const GENERATIONS_BACK: u32 = 1024;

/// The same of generations that a store has lost. Inclusive.
const GENERATIONS_AHEAD: u32 = 64;

impl Keys {
    /// Whether the payload of a session's token was written here: it is named under a key that never leaves us, so that
    /// whoever has a signing key alone can name none.
    pub fn wrote(&self, payload: &[u8], sid: SessionId, newest: Generation) -> bool {
        let older = newest.0.saturating_sub(GENERATIONS_BACK)..=newest.0;
        // The store may have lost its last writes.
        let newer = newest.0.saturating_add(1)..=newest.0.saturating_add(GENERATIONS_AHEAD);
        let generations = older.rev().chain(newer).map(Generation);
        // What is drawn first: of a token for one use no generation fits, and all would be tried.
        self.jti.made_for_one(payload) || self.jti.made_for_session(payload, sid, generations)
    }

    /// The same of a client's own token.
    pub fn wrote_for_client(&self, payload: &[u8]) -> bool {
        self.jti.made_for_one(payload)
    }
}
