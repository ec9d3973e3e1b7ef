//! Why the feed cannot be followed from where we stand.

use std::fmt;
use symbolon_wire::{Malformed, Refused};

/// Why what came of the feed was not taken.
///
/// [`Follower::wants`](super::Follower::wants) says what to do about it; what is known already stays known.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Gap {
    /// Bytes that are no frame, or no snapshot.
    Malformed(Malformed),
    /// A frame was lost, doubled, moved or changed.
    Order,
    /// A block of the feed ended without the checkpoint that vouches for it.
    Boundary,
    /// Another store epoch: the authority's store was restored or replaced.
    Epoch,
    /// A checkpoint is signed by a key that is not known (yet).
    Key,
    /// A checkpoint is not what it claims to be.
    Forged,
    /// A checkpoint is another issuer's.
    Issuer,
    /// Frames came where no snapshot had come before.
    Unplaced,
    /// The authority does not know the place any more.
    Gone,
}

impl Gap {
    pub(super) fn of(refused: Refused) -> Self {
        match refused {
            Refused::Malformed(why) => Self::Malformed(why),
            Refused::UnknownKey => Self::Key,
            Refused::Algorithm | Refused::Signature => Self::Forged,
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(why) => return write!(f, "the feed cannot be read: {why}"),
            Self::Order => "a frame of the feed was lost, doubled, moved or changed",
            Self::Boundary => "a block of the feed has no checkpoint at its end",
            Self::Epoch => "the authority's store opened another epoch",
            Self::Key => "a checkpoint is signed by a key that is not known yet",
            Self::Forged => "a checkpoint's signature does not verify",
            Self::Issuer => "a checkpoint is another issuer's",
            Self::Unplaced => "frames came before a snapshot",
            Self::Gone => "the authority does not know this place of its feed any more",
        })
    }
}

impl std::error::Error for Gap {}
