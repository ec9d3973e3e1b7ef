//! What each fuzz target does; `crates/wire/tests/replay.rs` runs the same functions as tests.

pub mod targets;
