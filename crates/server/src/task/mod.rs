//! What the authority does on its own.

pub mod sweep;
