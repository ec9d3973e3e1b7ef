//! What goes wrong, while clients go on.

mod clocks;
mod engines;
mod lost;
mod nodes;
mod postgres;

use crate::history::{History, Keeps};
use crate::house::House;
use crate::load::Load;
use crate::{pass, run_time};
use std::time::Duration;
use tokio::time::Instant;

/// For a PostgreSQL: what it acknowledged need not be on the disk. Here it is processes that are killed, not machines, and
/// the disk is what is slow.
const FORGETFUL: [&str; 1] = ["fsync=off"];

/// A run that is under way.
struct Run {
    what: &'static str,
    until: Instant,
    load: Load,
}

impl Run {
    /// Lets the clients begin.
    fn begin(what: &'static str, house: &House) -> Self {
        Self { what, until: Instant::now() + run_time(), load: Load::on(house) }
    }

    /// Whether it is time for something to go wrong once more; what is broken is mended before the end.
    fn goes_on(&self) -> bool {
        Instant::now() + Duration::from_millis(1500) < self.until
    }

    /// Lets the clients finish, and checks what they saw.
    async fn end(self, house: &mut House, keeps: Keeps) -> History {
        house.healed().await;
        let history = self.load.stopped().await;
        history.check(house, self.what, keeps).await;
        history
    }
}

/// A while in which things go wrong, or are as they should be.
async fn a_while() {
    pass(Duration::from_millis(1200)).await;
}
