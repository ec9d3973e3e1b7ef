//! The processes that answer for the same store: how many there are, and which one does what only one has to do.
//!
//! None knows another's address, and none asks another anything: all they have in common is the store, where each has
//! one of a fixed number of records, since records never leave; that of one that is gone is written over.

use crate::app::{App, Live};
use crate::http::Stop;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use symbolon_core::{Duration, Fault, Timestamp};
use symbolon_store::{Kind, Record, Store};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How many are counted. Inclusive; further ones answer like all others, and do nothing that one does for all.
pub const NODES_MAX: usize = 256;

/// How often each says that it is there.
pub const TICK: Duration = Duration::from_secs(5);

/// How long one is believed to be there since it said so last. Inclusive.
pub const LIFE: Duration = Duration::from_secs(20);

/// How long one that stops tries to say that it is gone.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// What the name of a node's record begins with.
const RECORD: &str = "node:";

/// What this process knows of the others.
pub struct Nodes {
    /// Whether there can be others.
    shared: bool,
    live: AtomicUsize,
    leads: AtomicBool,
}

/// A node's record.
#[derive(Serialize, Deserialize)]
struct Kept {
    name: String,
    until_ms: u64,
}

/// A record, and its version.
type Slot = (Option<Kept>, u64);

impl Nodes {
    /// Those of a store: of one that nobody else writes to, this process alone.
    pub fn of(store: &Store) -> Self {
        Self::new(store.is_shared())
    }

    fn new(shared: bool) -> Self {
        Self { shared, live: AtomicUsize::new(1), leads: AtomicBool::new(!shared) }
    }

    /// Those of a store that others write to as well, for tests of what that changes.
    #[cfg(test)]
    pub(crate) fn of_many() -> Self {
        Self::new(true)
    }

    /// Whether there can be others than this process.
    pub fn are_shared(&self) -> bool {
        self.shared
    }

    /// How many there are, this one included; at least one.
    pub fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed).max(1)
    }

    /// Whether this one does what one does for all. For a moment two may believe it, or none: what is done so must do no
    /// harm if it is done twice, or late.
    pub fn leads(&self) -> bool {
        self.leads.load(Ordering::Relaxed)
    }

    fn saw(&self, live: usize, leads: bool) {
        self.live.store(live, Ordering::Relaxed);
        if self.leads.swap(leads, Ordering::Relaxed) != leads {
            tracing::info!(live, leads, "the nodes changed");
        }
    }
}

/// Says that this process is there, and counts the others, until told to stop.
pub async fn run(live: Live, mut stop: Stop) {
    if !live.now().nodes.are_shared() {
        return;
    }
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        if let Err(fault) = look(&live.now()).await {
            tracing::error!(%fault, "the other nodes could not be counted; trying again");
        }
    }
    // Who goes without a word is believed to be there a while longer: that costs nothing but time.
    let _ = timeout(GOODBYE_MAX, leave(&live.now())).await;
}

/// Renews the own record, or takes one, and counts.
async fn look(app: &App) -> Result<(), Fault> {
    let at = app.clock.wall();
    let slots = slots(app.store.records(Kind::Lease).await?);
    let (live, own) = count(&slots, &app.name, at);
    let mut first = false;
    if let Some(slot) = own.or_else(|| free(&slots, at)) {
        let mine = write(app, (slot, &slots), at.after(LIFE)).await?;
        first = mine && slots.iter().all(|(other, kept)| slot <= *other || !is_live(kept, at));
    }
    app.nodes.saw(if own.is_some() { live } else { live + 1 }, first);
    Ok(())
}

async fn leave(app: &App) -> Result<(), Fault> {
    let slots = slots(app.store.records(Kind::Lease).await?);
    let (_, own) = count(&slots, &app.name, app.clock.wall());
    match own {
        Some(slot) => write(app, (slot, &slots), Timestamp::default()).await.map(drop),
        None => Ok(()),
    }
}

/// Writes the own record; `false`: another process was first.
async fn write(
    app: &App,
    (slot, slots): (usize, &BTreeMap<usize, Slot>),
    until: Timestamp,
) -> Result<bool, Fault> {
    let kept = Kept { name: app.name.to_string(), until_ms: until.as_millis() };
    let value = serde_json::to_vec(&kept).map_err(|why| Fault::Store(why.to_string()))?;
    let before = slots.get(&slot).map(|(_, version)| *version);
    app.store.put_record(Kind::Lease, &format!("{RECORD}{slot:03}"), &value, before).await
}

fn slots(records: Vec<Record>) -> BTreeMap<usize, Slot> {
    let slot = |record: Record| {
        let slot = record.name.strip_prefix(RECORD)?.parse().ok()?;
        // What cannot be read is nobody's.
        let kept = serde_json::from_slice(&record.value).ok();
        (slot < NODES_MAX).then_some((slot, (kept, record.version)))
    };
    records.into_iter().filter_map(slot).collect()
}

/// How many live, and which record is the own.
fn count(slots: &BTreeMap<usize, Slot>, name: &str, at: Timestamp) -> (usize, Option<usize>) {
    let is_own = |(kept, _): &Slot| kept.as_ref().is_some_and(|kept| kept.name == name);
    let own = slots.iter().find(|(_, slot)| is_own(slot)).map(|(number, _)| *number);
    let live = slots.values().filter(|slot| is_own(slot) || is_live(slot, at)).count();
    (live, own)
}

fn is_live((kept, _): &Slot, at: Timestamp) -> bool {
    kept.as_ref().is_some_and(|kept| at <= Timestamp::from_millis(kept.until_ms))
}

/// The first record that nobody has who lives.
fn free(slots: &BTreeMap<usize, Slot>, at: Timestamp) -> Option<usize> {
    (0..NODES_MAX).find(|number| slots.get(number).is_none_or(|slot| !is_live(slot, at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn slot(name: &str, until: Timestamp) -> Slot {
        (Some(Kept { name: name.to_owned(), until_ms: until.as_millis() }), 1)
    }

    #[test]
    fn who_said_so_lately_lives_and_the_record_of_one_that_is_gone_is_taken() {
        let (then, soon) = (AT.before(Duration::from_secs(1)), AT.after(LIFE));
        let slots = BTreeMap::from([(0, slot("a", soon)), (1, slot("b", then)), (2, (None, 4))]);
        assert_eq!(count(&slots, "a", AT), (1, Some(0)));
        assert_eq!(count(&slots, "b", AT), (2, Some(1)), "who asks is there");
        assert_eq!(count(&slots, "new", AT), (1, None));
        assert_eq!(free(&slots, AT), Some(1));
        let full: BTreeMap<_, _> = (0..NODES_MAX).map(|number| (number, slot("x", soon))).collect();
        assert_eq!(free(&full, AT), None);
    }

    #[test]
    fn one_alone_does_everything_and_one_of_many_nothing_before_it_has_looked() {
        let (alone, many) = (Nodes::new(false), Nodes::of_many());
        assert_eq!((alone.live(), alone.leads()), (1, true));
        assert_eq!((many.live(), many.leads()), (1, false));
        many.saw(3, true);
        assert_eq!((many.live(), many.leads()), (3, true));
    }
}
