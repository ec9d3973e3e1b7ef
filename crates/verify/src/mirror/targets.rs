//! What a token is hit by: the names under which the mirror may hold it.

use super::sync::Published;
use super::table::Name;
use crate::Claims;
use std::sync::Arc;
use symbolon_core::{Below, StoreEpoch, Ver};
use symbolon_wire::DpopNonces;
use symbolon_wire::feed::{Hit, TargetDigest, TargetKey, TargetKind};

/// A kind of target, in the order in which a reason is told: the narrowest that the token has first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Key = 5,
    Session = 2,
    Token = 1,
    Subject = 3,
    Client = 4,
    Everything = 6,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Key, Self::Session, Self::Token, Self::Subject, Self::Client, Self::Everything];

    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    /// The kind whose digest is needed, if this one has a digest.
    pub(super) const fn digested(self) -> Option<TargetKind> {
        match self {
            Self::Token => Some(TargetKind::Token),
            Self::Session => Some(TargetKind::Session),
            Self::Subject => Some(TargetKind::Subject),
            Self::Client => Some(TargetKind::Client),
            Self::Key | Self::Everything => None,
        }
    }

    /// Whether a token with these counters is hit by a mark whose bound is `below`.
    pub(super) fn hits(self, ver: &Ver, below: u64) -> bool {
        match self {
            Self::Token | Self::Session | Self::Key => true,
            Self::Subject => ver.of_subject() < unpack(below),
            Self::Client => ver.of_client() < unpack(below),
            Self::Everything => ver.of_everything() < unpack(below),
        }
    }

    pub(super) fn name(self, digest: &[u8; 16]) -> Name {
        let number = u128::from_be_bytes(*digest);
        Name { high: (number >> 64) as u64, low: number as u64, kind: self.code() }
    }

    /// The name of a key: twelve bytes, of which the last four stand first in the second half.
    pub(super) fn key_name(kid: &[u8; 12]) -> Name {
        let mut digest = [0; 16];
        digest[..12].copy_from_slice(kid);
        Self::Key.name(&digest)
    }

    /// The name under which what the feed tells is kept, and its bound.
    pub(super) fn named(hit: &Hit) -> (Name, Option<Below>) {
        let name = match hit {
            Hit::Token(digest) => Self::Token.name(&digest.0),
            Hit::Session(digest) => Self::Session.name(&digest.0),
            Hit::Subject(digest, _) => Self::Subject.name(&digest.0),
            Hit::Client(digest, _) => Self::Client.name(&digest.0),
            Hit::Key(kid) => Self::key_name(&kid.0),
            Hit::Everything(_) => Self::Everything.name(&[0; 16]),
        };
        (name, hit.below())
    }
}

/// How many bits of a packed bound are the counter; the others are the store epoch, whichever it is: that of a
/// new store may be the second of its birth.
const COUNTER_BITS: u32 = 32;

/// A bound in one word that compares as the bound does.
///
/// `None` for a counter beyond four thousand million: as many changes of one subject, of one client or of everything.
pub(super) fn pack(below: Below) -> Option<u64> {
    let counter = u32::try_from(below.counter).ok()?;
    Some(u64::from(below.epoch.0) << COUNTER_BITS | u64::from(counter))
}

const fn unpack(word: u64) -> Below {
    let epoch = StoreEpoch((word >> COUNTER_BITS) as u32);
    Below { epoch, counter: word & ((1 << COUNTER_BITS) - 1) }
}

/// A target under the key in force, and under the one before it while marks from then are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digests {
    newest: TargetDigest,
    previous: Option<TargetDigest>,
}

impl Digests {
    pub(super) fn names(&self, kind: Kind) -> [Option<Name>; 2] {
        [Some(kind.name(&self.newest.0)), self.previous.map(|digest| kind.name(&digest.0))]
    }
}

/// The keys under which targets are digested.
#[derive(Clone, Default)]
pub(crate) struct TargetKeys {
    /// How often the newest was replaced.
    pub(crate) generation: u64,
    newest: Option<Arc<TargetKey>>,
    /// And until which second marks under it may be kept.
    previous: Option<(Arc<TargetKey>, u64)>,
}

impl TargetKeys {
    pub(super) fn published() -> Published<Self> {
        Published::new(Arc::default())
    }

    /// Whether any is known.
    pub(super) const fn any(&self) -> bool {
        self.newest.is_some()
    }

    /// These with a newer one, and the second until which a key that has no place any more was needed.
    ///
    /// `None` if it is the newest already. `latest` is until when what is kept now is kept.
    pub(super) fn with(&self, key: TargetKey, latest: u64) -> Option<(Self, Option<u64>)> {
        if self.newest.as_ref().is_some_and(|newest| newest.is(&key)) {
            return None;
        }
        let returned = self.previous.as_ref().is_some_and(|(previous, _)| previous.is(&key));
        let dropped = self.previous.as_ref().filter(|_| !returned).map(|(_, until)| *until);
        let previous = self.newest.clone().map(|newest| (newest, latest));
        let generation = self.generation + 1;
        Some((Self { generation, newest: Some(Arc::new(key)), previous }, dropped))
    }

    /// These without the previous key, if nothing is kept under it any more.
    pub(super) fn without_outlived(&self, oldest: u64) -> Option<Self> {
        let outlived = self.previous.as_ref().is_some_and(|(_, until)| *until < oldest);
        outlived.then(|| Self { previous: None, ..self.clone() })
    }

    /// The nonces that all who follow the feed hand out and recognise; none before a key is known.
    pub(crate) fn dpop_nonces(&self) -> Option<DpopNonces> {
        self.newest.as_ref().map(|key| key.dpop_nonces())
    }

    /// A token's target of that kind; none if it has none, or no key is known.
    pub(crate) fn digests(&self, kind: TargetKind, claims: &Claims<'_>) -> Option<Digests> {
        let newest = digest(self.newest.as_ref()?, kind, claims)?;
        let previous = self.previous.as_ref();
        let previous = previous.and_then(|(key, _)| digest(key, kind, claims));
        Some(Digests { newest, previous })
    }
}

fn digest(key: &TargetKey, kind: TargetKind, claims: &Claims<'_>) -> Option<TargetDigest> {
    match kind {
        TargetKind::Token => Some(key.digest(kind, claims.jti)),
        TargetKind::Session => claims.sid.map(|sid| key.digest_session(sid)),
        TargetKind::Subject => Some(key.digest(kind, claims.sub)),
        TargetKind::Client => Some(key.digest(kind, claims.client_id)),
    }
}
