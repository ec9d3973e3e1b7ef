//! What the authority does on its own.

pub mod keys;
pub mod reload;
pub mod schedules;
pub mod sweep;
