//! The verifier as a part of other people's servers: tower, axum, tonic.

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "tonic")]
mod grpc;
mod service;

#[cfg(feature = "axum")]
pub use self::axum::Unguarded;
pub use self::service::{Admit, Admitted, Admitting};
