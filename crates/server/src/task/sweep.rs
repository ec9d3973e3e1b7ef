//! Sweeping: timeouts that passed are written down with their events, and what ended long ago leaves.

use crate::app::{App, Live};
use crate::http::Stop;
use symbolon_core::{ClientId, Decision, Duration, Fault, Loaded, Reason, SessionId};
use symbolon_store::Retention;
use symbolon_wire::feed::BLOCK;
use tokio::time::{MissedTickBehavior, interval};

/// How often a chunk of the sessions is looked at.
pub const TICK: Duration = Duration::from_secs(1);

/// How many sessions a chunk has. Inclusive.
pub const CHUNK: usize = 512;

/// How many events the history has at most, beside those that verifiers still need: some two gigabytes.
pub const HISTORY_MAX: u64 = 10_000_000;

/// How long a session that ended is remembered, so that its holder is still told why.
pub const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Walks round and round through all sessions, a chunk a second, until told to stop; one process of all does it. A wall clock that
/// contradicts the boot clock stops the sweep, as it stops refreshes.
pub async fn run(live: Live, mut stop: Stop) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut after, mut in_place) = (None, true);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        in_place = ends_log(&live.now(), in_place);
        // Two that sweep would do the same twice, and each only what is still to be done.
        if !live.now().nodes.leads() {
            after = None;
            continue;
        }
        match chunk(&live.now(), after).await {
            Ok(next) => after = next,
            Err(fault) => tracing::error!(%fault, "could not sweep; trying again"),
        }
    }
}

/// Says once when the ends log is moved away or removed under the authority, and once when it is back. It goes
/// on writing to the file that it has.
fn ends_log(app: &App, was_in_place: bool) -> bool {
    let in_place = app.store.ends_log_in_place();
    match (was_in_place, in_place) {
        (true, false) => tracing::error!(
            "the ends log is not the file any more that this process writes to: an older copy would bring \
             back what is ended from now on; restart, which makes a whole one from the database"
        ),
        (false, true) => tracing::info!("the ends log is in its place again"),
        (true, true) | (false, false) => {}
    }
    in_place
}

async fn chunk(app: &App, after: Option<SessionId>) -> Result<Option<SessionId>, Fault> {
    let at = app.now()?;
    let keep =
        Retention { since: at.before(REMEMBERED), events_max: HISTORY_MAX, events_min: 2 * BLOCK };
    let decide = |now: Loaded| -> Decision<(ClientId, Option<Reason>)> {
        let client = now.session.client.clone();
        let policy = app.policies.of(&client);
        let decision = now.expire(&policy, at);
        // What a bound ended was counted with the bound.
        let is_news = !decision.events.is_empty();
        decision.map(|reason| (client, reason.filter(|_| is_news)))
    };
    let swept = app.store.expire(after, CHUNK, keep, decide).await?;
    for (client, reason) in &swept.ended {
        reason.iter().for_each(|reason| app.metrics.ended(client, *reason));
    }
    if 0 < swept.ended.len() + swept.forgotten {
        tracing::debug!(ended = swept.ended.len(), forgotten = swept.forgotten, "swept");
    }
    Ok(swept.next)
}
