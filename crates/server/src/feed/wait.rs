//! Waiting until every live verifier has applied what was revoked.

use super::verifiers::{Lagging, Standing};
use crate::app::App;
use crate::clock::monotonic;
use serde::Serialize;
use symbolon_core::{Duration, Timestamp};
use tokio::time::timeout;

/// How long a revoking call may wait for verifiers. Inclusive.
pub const WAIT_MAX: Duration = Duration::from_secs(10);

/// How soon what verifiers told other nodes is read again, for as long as some have not applied what is waited for: the
/// first time, and twice as long after each, up to the second.
const HEAR_AGAIN: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(50));

/// Which verifiers have applied what was revoked: `verifiers` in answers.
#[derive(Serialize, Clone, Debug)]
pub struct Heard {
    live: usize,
    applied: usize,
    lagging: Vec<Behind>,
    offline_routes: u64,
    elapsed_ms: u64,
}

/// A live verifier that has not.
#[derive(Serialize, Clone, Debug)]
struct Behind {
    name: String,
    last_seen: u64,
    trusts_mirror_until: u64,
}

impl From<Lagging> for Behind {
    fn from(Lagging { name, seen, until }: Lagging) -> Self {
        Self {
            name: format!("{}/{}", name.key, name.instance),
            last_seen: seen.as_seconds(),
            // Rounded up: until then it may still say yes.
            trusts_mirror_until: until.after(Duration::from_millis(999)).as_seconds(),
        }
    }
}

impl Heard {
    fn new(standing: Standing, elapsed: Duration) -> Self {
        Self {
            live: standing.live,
            applied: standing.live - standing.lagging.len(),
            lagging: standing.lagging.into_iter().map(Behind::from).collect(),
            offline_routes: standing.offline_routes,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Waits until every live verifier has applied all up to `position`, for `wait` at most.
pub async fn until_applied(app: &App, position: u64, wait: Duration) -> Heard {
    let (feed, begun) = (&app.feed, monotonic());
    let (mut reports, mut moved) = (feed.verifiers.reports(), feed.moved.subscribe());
    let (mut asked, mut told, mut again) = (false, false, HEAR_AGAIN.0);
    loop {
        reports.borrow_and_update();
        moved.borrow_and_update();
        // Who is not heard of counts as one that has not applied it.
        let heard = feed.verifiers.hear(app).await.is_ok();
        let at: Timestamp = app.clock.wall();
        let place = (app.store.cutoffs().epoch, position);
        let standing = feed.verifiers.standing(place, at);
        let elapsed = monotonic().saturating_sub(begun);
        let left = wait.saturating_sub(elapsed);
        if (heard && standing.lagging.is_empty()) || left.is_zero() {
            return Heard::new(standing, elapsed);
        }
        // Who is asked before the revocation is on its way would answer too early.
        told = told || feed.has_reached(place);
        if told && !asked {
            asked = true;
            feed.ask_for_reports();
        }
        let news = async {
            tokio::select! {
                _ = reports.changed() => {}
                _ = moved.changed(), if !told => {}
            }
        };
        // Whatever ended the waiting, it is looked at anew.
        let pause = if app.nodes.are_shared() { left.min(again) } else { left };
        again = again.saturating_mul(2).min(HEAR_AGAIN.1);
        let _ = timeout(pause, news).await;
    }
}
