//! Turning the signing keys: what is due is made, what another process made is taken up, what is gone leaves.

use crate::app::Live;
use crate::http::Stop;
use crate::keys::KeysUnavailable;
use std::collections::BTreeMap;
use symbolon_core::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often the keys are looked at: what another node turned is known within a second, a slow answer of the store
/// included.
pub const TICK: Duration = Duration::from_millis(500);

/// Looks at the keys again and again until told to stop. What cannot be done now is tried again.
pub async fn run(live: Live, mut stop: Stop) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Err(why) = turn(&live).await {
            tracing::error!(%why, "could not turn the signing keys; trying again");
        }
    }
}

async fn turn(live: &Live) -> Result<(), KeysUnavailable> {
    let app = live.now();
    match app.keys.are_outdated(&app.store, &app.config, app.now()?).await? {
        true => live.turn_keys(None, BTreeMap::new()).await,
        false => Ok(()),
    }
}
