//! The real binary, started for one test, and a small client that speaks to it as strangers do.

mod answer;
mod ask;
mod back_end;
mod configuration;
mod connection;
mod device;
mod feed;
mod raw;
mod secrets;
mod server;
mod sidecar;
mod tampering;
mod tokens;

pub(crate) use answer::Answer;
pub(crate) use ask::{Ask, encoded};
pub(crate) use back_end::{BackEnd, Mood};
pub(crate) use configuration::{Configuration, ISSUER, SERVICE_SECRET};
pub(crate) use connection::{Connection, at_once};
pub(crate) use device::Device;
pub(crate) use feed::{Follower, Mirror};
pub(crate) use raw::{exchange, exchange_bytes};
pub(crate) use secrets::Secrets;
pub(crate) use server::{Home, Server, readable_by_others, run};
pub(crate) use sidecar::Sidecar;
pub(crate) use tampering::{Tampering, tampered};
pub(crate) use tokens::{Claims, Tokens};

use std::future::Future;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long anything that should happen soon may take on a machine that is busy with other things.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Asks again and again until the answer is there.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let mut tick = interval(Duration::from_millis(20));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looking = async {
        loop {
            tick.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    timeout(SOON, looking).await.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// Lets a stated window pass.
#[expect(clippy::disallowed_methods, reason = "the window itself is what is waited for")]
pub(crate) async fn pass(window: Duration) {
    tokio::time::sleep(window).await;
}
