//! What follows the store in the background: it finds new primaries, moves what dead nodes left in their
//! lanes, and says up to when the head is known.

use super::link::{self, Trouble};
use super::links::{Again, Links, digits};
use super::map::Map;
use super::rows::LANES;
use super::scripts::{Call, Place, Script, lane};
use super::settle::Unsettled;
use crate::latency;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use symbolon_core::Fault;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

/// How often the store is asked whether something came.
const POLL: Duration = Duration::from_millis(40);

/// How often sentinels are asked whether the primary is still the same: one that is cut off does not know.
const SENTINELS: Duration = Duration::from_secs(1);

/// How long finding the primaries may take.
const FIND_MAX: Duration = Duration::from_secs(5);

/// The shortest and the longest wait before they are looked for again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How many moved entries of a lane stay in its outbox, should the log forget them. Inclusive.
pub(super) const OUTBOX_KEPT: u64 = 256;

/// How many entries leave an outbox at once. Inclusive.
const TRIMMED_MAX: u64 = 4096;

/// Follows until the last clone of the store is dropped.
pub(super) async fn follow(links: Arc<Links>, mut open: watch::Receiver<()>) {
    let mut tick = tokio::time::interval(POLL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let heard = mpsc::unbounded_channel().1;
    let mut follower = Follower {
        links,
        wait: BACK_OFF.0,
        ears: None,
        heard,
        asked: Instant::from_std(latency::now()),
    };
    loop {
        let links = Arc::clone(&follower.links);
        tokio::select! {
            closed = open.changed() => if closed.is_err() { return },
            _ = tick.tick() => {}
            () = links.wake.notified() => {}
            Some(told) = follower.heard.recv() => {
                links.shared.saw_head(head_in(&told));
                continue;
            }
        }
        if let Err(why) = follower.turn().await {
            links.tell_why(why);
            links.shared.saw_writes(false);
            let wait = follower.back_off();
            // Nothing but the end of the store is waited for.
            if let Ok(Err(_)) = tokio::time::timeout(wait, open.changed()).await {
                return;
            }
        }
    }
}

struct Follower {
    links: Arc<Links>,
    /// How long to wait after the next failure.
    wait: Duration,
    /// What is listened with, and to whom.
    ears: Option<(String, MultiplexedConnection)>,
    heard: mpsc::UnboundedReceiver<PushInfo>,
    /// When the sentinels were asked last.
    asked: Instant,
}

impl Follower {
    async fn turn(&mut self) -> Result<(), String> {
        let found = match self.links.map() {
            Some(map) => map,
            None => {
                let finding = tokio::time::timeout(FIND_MAX, self.find()).await;
                let map =
                    finding.map_err(|_| "the servers did not answer in time".to_owned())??;
                self.wait = BACK_OFF.0;
                map
            }
        };
        self.listen(&found).await;
        if SENTINELS <= self.asked.elapsed() {
            self.asked = Instant::from_std(latency::now());
            if !found.is_still_named(&self.links.address).await {
                found.mark_broken();
                return Err("the sentinels name another primary".into());
            }
        }
        let polling = tokio::time::timeout(FIND_MAX, self.poll(&found)).await;
        let polled = polling.unwrap_or_else(|_| Err("the servers did not answer in time".into()));
        if polled.is_err() {
            found.mark_broken();
        }
        polled
    }

    /// Finds the primaries and makes them fit for use.
    async fn find(&self) -> Result<Arc<Map>, String> {
        let links = &self.links;
        let map = Map::find(&links.address, &links.keys).await.map_err(Trouble::text)?;
        links.settle(&map, false).await.map_err(said)?;
        let map = Arc::new(map);
        links.publish(Arc::clone(&map));
        links.shared.saw_writes(true);
        Ok(map)
    }

    /// Doubles the wait, and draws it so that nodes do not come all at once.
    fn back_off(&mut self) -> Duration {
        let wait = self.wait;
        self.wait = (wait * 2).min(BACK_OFF.1);
        let drawn = std::hash::RandomState::new().build_hasher().finish() % 1000;
        wait.mul_f64(0.5 + drawn as f64 / 2000.0)
    }

    /// Listens where the log is; whoever misses a message polls.
    async fn listen(&mut self, map: &Map) {
        let link = map.link(Place::Log);
        if self.ears.as_ref().is_some_and(|(whose, _)| *whose == link.primary) {
            return;
        }
        let (told, heard) = mpsc::unbounded_channel();
        let links = &self.links;
        let ears = link::listen(&links.address, &link.server, &links.keys.channel, told).await;
        match ears {
            Ok(ears) => (self.ears, self.heard) = (Some((link.primary.clone(), ears)), heard),
            Err(trouble) => {
                tracing::debug!(why = trouble.text(), "nobody wakes this node: it polls")
            }
        }
    }

    /// Looks at every lane and at the log once.
    async fn poll(&self, map: &Map) -> Result<(), String> {
        let links = &self.links;
        let asked = latency::now();
        for link in map.links() {
            if link.identity().await.map_err(Trouble::text)? != link.primary {
                return Err(format!("{} is another primary than it was", link.name()));
            }
        }
        let lanes = links.lanes(map).await.map_err(said)?;
        let gone = || links.gone().to_string();
        let state = links.log_of(map).await.map_err(said)?.ok_or_else(gone)?;
        if state.is_ready && lanes.versions.contains(&None) {
            return Err(gone());
        }
        links.shared.saw_cutoffs(&state.above.0, state.above.1);
        links.shared.saw_latest(lanes.latest);
        links.lost.fetch_max(state.lost, Ordering::AcqRel);
        if lanes.versions.iter().flatten().any(|version| *version < state.above.1) {
            links.fence(map, &state, &lanes).await.map_err(said)?;
        }
        let mut head = state.head;
        for ((at, end), mark) in (0..LANES).zip(lanes.ends).zip(state.marks) {
            if mark < end {
                head = head.max(links.move_lane(at, mark).await.map_err(|why| why.to_string())?);
            }
        }
        links.shared.polled(asked, head);
        Ok(())
    }
}

/// The head that a message tells of; 0: none.
fn head_in(told: &PushInfo) -> u64 {
    let payload = told.data.last().cloned().filter(|_| told.kind == PushKind::Message);
    payload.and_then(|head| digits(head).ok()).unwrap_or(0)
}

impl Links {
    /// What was moved leaves a lane's outbox, but for the newest.
    pub(super) async fn trim(&self, at: u8, mark: u64) -> Result<(), Fault> {
        let place = Place::Lane(at);
        let call = Call::new(place, Script::Trim)
            .key(self.keys.at(place, lane::OUTBOX, b""))
            .number(mark.saturating_sub(OUTBOX_KEPT))
            .number(TRIMMED_MAX);
        self.call(&call, Again::Safe).await.map(|_| ())
    }
}

pub(super) fn said(unsettled: Unsettled) -> String {
    match unsettled {
        Unsettled::Trouble(trouble) => trouble.text(),
        Unsettled::Gone(what) | Unsettled::Foreign(what) => what,
        Unsettled::Newer(found) => {
            format!("a newer version of this program wrote it (schema {found})")
        }
    }
}
