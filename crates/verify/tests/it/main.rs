//! The verifier as a resource server uses it, with tokens to order and an authority on the loopback.

#![expect(clippy::unwrap_used, reason = "the tests' helpers unwrap as the tests do")]

#[cfg(feature = "net")]
mod activity;
#[cfg(feature = "net")]
mod authority;
mod encrypted;
mod faults;
mod feed;
#[cfg(feature = "net")]
mod follow;
#[cfg(feature = "net")]
mod layer;
#[cfg(feature = "net")]
mod live;
mod mirror;
mod model;
mod offline;
#[cfg(feature = "net")]
mod opaque;
mod proofs;
#[cfg(feature = "net")]
mod relay;
mod script;
#[cfg(feature = "net")]
mod sender;
#[cfg(feature = "net")]
mod sessions;
mod surroundings;
#[cfg(feature = "net")]
mod tickets;
mod tokens;
mod told;
