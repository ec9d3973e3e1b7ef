//! The reference model, an in-memory store and simulated histories; never shipped.
//!
//! [`model`] says in its own way what a refresh token earns, [`store`] applies the decisions of
//! `symbolon-core` as a real store would and can be restored from a copy, and [`history`] plays the
//! same story to both.

pub mod capacity;
pub mod history;
pub mod model;
pub mod store;
