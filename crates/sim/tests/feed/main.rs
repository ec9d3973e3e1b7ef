//! The feed in simulated time: nodes of an authority over a store that fails, verifiers over links that fail.
//!
//! What runs is the code of both halves as it is shipped: `Reading`, `Log` and `Entries` of `symbolon` make the
//! frames, `Follower` and `Verifier` of `symbolon-verify` take them. Time, store and links are the simulator's, so that
//! a seed gives the same story every time.

#![expect(clippy::unwrap_used, reason = "a test that fails may stop")]

mod chance;
mod crowd;
mod link;
mod node;
mod peer;
mod store;
mod stories;
mod world;
