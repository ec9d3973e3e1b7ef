//! The feed in figures.

use super::{FOLLOWERS_MAX, Feed};
use std::sync::atomic::Ordering;
use symbolon_core::{Duration, Timestamp};

/// How the feed is, at the moment of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// The position up to which it is read; `None`: it is not ready.
    pub position: Option<u64>,
    /// How many follow.
    pub followers: usize,
    /// How many fell behind what is kept, since the start.
    pub dropped: u64,
    /// How long ago the newest checkpoint was signed.
    pub checkpoint_age: Option<Duration>,
    /// How many entries a mirror must know.
    pub entries: usize,
    /// How many verifiers are live.
    pub live: usize,
    /// How many of those have not applied all.
    pub lagging: usize,
}

impl Feed {
    /// The feed in figures.
    pub fn figures(&self, at: Timestamp) -> Figures {
        let state = self.state();
        let head = state.log.as_ref().map(super::Log::head);
        let standing = head.map(|head| self.verifiers.standing((head.epoch, head.position), at));
        Figures {
            position: head.map(|head| head.position),
            followers: FOLLOWERS_MAX - self.followers.available_permits(),
            dropped: self.dropped.load(Ordering::Relaxed),
            checkpoint_age: state.signed_at.map(|signed| at.since(signed)),
            entries: state.entries.len(),
            live: standing.as_ref().map_or(0, |standing| standing.live),
            lagging: standing.map_or(0, |standing| standing.lagging.len()),
        }
    }
}
