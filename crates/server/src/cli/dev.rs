//! `symbolon dev`.

use crate::cli::{Failure, DevArgs};

/// Runs until it is told to stop.
///
/// # Errors
/// It could not start.
pub async fn run(_args: DevArgs) -> Result<(), Failure> {
    Err(Failure::could_not("`symbolon dev` is not there yet"))
}
