//! `symbolon serve`.

use crate::cli::{Failure, ServeArgs};

/// Runs until it is told to stop.
///
/// # Errors
/// It could not start.
pub async fn run(_args: ServeArgs) -> Result<(), Failure> {
    Err(Failure::could_not("`symbolon serve` is not there yet"))
}
