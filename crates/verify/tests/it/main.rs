//! The verifier as a resource server uses it, with tokens to order and an authority on the loopback.

#![expect(clippy::unwrap_used, reason = "the tests' helpers unwrap as the tests do")]

#[cfg(feature = "net")]
mod authority;
#[cfg(feature = "net")]
mod layer;
#[cfg(feature = "net")]
mod live;
mod offline;
mod tokens;
