//! What is told to a store, and by it, when sessions of another system come in.

use symbolon_core::{Denial, Digest, Import, Timestamp};

/// The most sessions that one call of [`Store::import`](crate::Store::import) takes. Inclusive.
pub const IMPORT_MAX: usize = 4096;

/// A session of another system, and its old refresh token. Has no `Debug`: the digest finds the token.
#[derive(Clone)]
pub struct Incoming {
    /// The keyed digest of the old token.
    pub digest: Digest,
    /// Until when the old token could be used there; until then it is remembered here.
    pub until: Timestamp,
    /// The session.
    pub import: Import,
}

/// What became of a session of another system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Brought {
    /// It goes on here.
    New {
        /// Whether it ends earlier here than it would have there.
        cut: bool,
        /// Whether its subject has other roles here, which stand.
        roles_kept: bool,
    },
    /// Its old token was brought in before, whatever became of it since.
    AlreadyThere,
    /// It is over.
    Over,
    /// It may not come.
    Refused(Denial),
}
