//! What the authority does on its own.

pub mod reload;
pub mod sweep;
