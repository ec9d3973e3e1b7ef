//! What is told to a store, and by it, when sessions of another system come in.

use symbolon_core::{Arrival, Denial, Digest, Fault, Import, Imported, SessionId, Timestamp};

/// The most sessions, or old tokens, that one call of [`Store::import`](crate::Store::import) or
/// [`Store::know_tokens`](crate::Store::know_tokens) takes. Inclusive.
pub const IMPORT_MAX: usize = 4096;

/// A session of another system. Has no `Debug`: the digest finds the token.
#[derive(Clone)]
pub struct Incoming {
    /// The keyed digest of its old refresh token.
    pub digest: Digest,
    /// The session.
    pub import: Import,
}

/// The refresh token that another system gave to a session. Has no `Debug`: the digest finds it.
#[derive(Clone, Copy)]
pub struct OldToken {
    /// Its keyed digest.
    pub digest: Digest,
    /// The session.
    pub sid: SessionId,
    /// Until when it could be used there; until then it is remembered here.
    pub until: Timestamp,
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
    /// It, or its old token, was brought in before, whatever became of it since.
    AlreadyThere,
    /// It is over.
    Over,
    /// It may not come.
    Refused(Denial),
}

/// What one of a chunk comes to: it is to be written, or why not.
pub(crate) type Looked = Result<Arrival, Brought>;

pub(crate) fn bounded(count: usize) -> Result<(), Fault> {
    match count <= IMPORT_MAX {
        true => Ok(()),
        false => Err(Fault::Store(format!("more than {IMPORT_MAX} to import at once"))),
    }
}

pub(crate) fn looked(decided: Result<Imported, Denial>) -> Looked {
    match decided {
        Ok(Imported::Goes(arrival)) => Ok(*arrival),
        Ok(Imported::Over) => Err(Brought::Over),
        Err(denial) => Err(Brought::Refused(denial)),
    }
}

pub(crate) fn brought(looked: &Looked) -> Brought {
    match looked {
        Ok(Arrival { cut, roles_kept, .. }) => Brought::New { cut: *cut, roles_kept: *roles_kept },
        Err(brought) => *brought,
    }
}

/// What became of each, given which of those that were to be written were new.
pub(crate) fn after(looked: &[Looked], created: &[bool]) -> Vec<Brought> {
    let mut created = created.iter();
    let of = |looked: &Looked| match looked {
        Ok(_) if created.next() == Some(&false) => Brought::AlreadyThere,
        Ok(_) | Err(_) => brought(looked),
    };
    looked.iter().map(of).collect()
}
