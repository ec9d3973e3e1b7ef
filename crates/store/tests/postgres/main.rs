//! The suite on a real PostgreSQL, and what is PostgreSQL's alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test that waits for a server measures with the clock"
)]

mod failover;
mod lost;
mod nodes;
mod opening;
mod pooled;
#[expect(dead_code, reason = "shared with the tests of many nodes, which do more to it")]
mod server;
mod suite;
mod tls;
