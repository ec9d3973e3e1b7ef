//! Verifiers in the store, so that those that may still trust their mirror count: after a restart, and at every node,
//! whichever they report to.
//!
//! Each has one of a fixed number of records, since records never leave: the record of one that died is
//! written over by one that came later. A record is written when it is new or says something else, when it is old, and,
//! while somebody waits at any node, with each step of the verifier.

use super::verifiers::{BOUND_MAX, Known, Name, Said, VERIFIERS_MAX, free_slot};
use crate::app::App;
use crate::clock::monotonic;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use symbolon_core::{Duration, Fault, StoreEpoch, Timestamp};
use symbolon_store::{Kind, Record, Store};

/// How long a record may be behind what is known, where one process alone has the store. Inclusive.
const KEPT_EVERY: Duration = Duration::from_secs(60);

/// The same where others go by the records: so much longer than its bound a dead verifier counts there.
const SHARED_EVERY: Duration = Duration::from_secs(10);

/// How often another record is taken when another node was first. Inclusive.
const RACES_MAX: usize = 16;

/// A verifier as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    instance: String,
    bound_ms: u64,
    offline_routes: u32,
    seen_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    applied: Option<(u32, u64)>,
}

impl Kept {
    fn name(&self) -> Name {
        Name { key: self.key.clone(), instance: self.instance.clone() }
    }

    fn said(&self) -> Said {
        Said {
            at: Timestamp::from_millis(self.seen_ms),
            bound: Duration::from_millis(self.bound_ms).min(BOUND_MAX),
            offline_routes: self.offline_routes,
            applied: self.applied.map(|(epoch, position)| (StoreEpoch(epoch), position)),
        }
    }
}

/// How long a record may be behind what some node knows.
const fn every(shared: bool) -> Duration {
    if shared { SHARED_EVERY } else { KEPT_EVERY }
}

impl super::Verifiers {
    /// Reads who may still trust a mirror that it had before this process started.
    ///
    /// # Errors
    /// The store could not be read.
    pub(super) async fn load(&self, store: &Store) -> Result<(), Fault> {
        let records = store.records(Kind::Verifier).await?;
        self.take_in(&records, every(store.is_shared()));
        Ok(())
    }

    /// Reads what verifiers told other nodes; nothing is read where there are none. Who comes while it is read waits
    /// for the next reading, which all of them share.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn hear(&self, app: &App) -> Result<(), Fault> {
        if !app.nodes.are_shared() {
            return Ok(());
        }
        let came = monotonic();
        let mut read_at = self.read_at.lock().await;
        if *read_at <= came {
            let begun = monotonic();
            let records = app.store.records(Kind::Verifier).await?;
            self.take_in(&records, SHARED_EVERY);
            *read_at = begun;
        }
        Ok(())
    }

    /// What is known here and what the records say, whichever is further: a verifier reports now here, now there.
    fn take_in(&self, records: &[Record], every: Duration) {
        let mut known = self.known();
        let mut of_slot = BTreeMap::new();
        for record in records {
            let Some((slot, kept)) = parsed(record) else { continue };
            let (name, said) = (kept.name(), kept.said());
            of_slot.insert(slot, name.clone());
            let Some(own) = known.get_mut(&name) else {
                known.insert(name, Known::of(slot, said, every));
                continue;
            };
            own.applied = own.applied.max(said.applied);
            if own.seen < said.at {
                *own = Known { applied: own.applied, ..Known::of(slot, said, every) };
            }
        }
        // Whose record another has now was dead for who took it; should it live, it reports again.
        known.retain(|name, own| {
            own.kept.is_none() || of_slot.get(&own.slot).is_none_or(|owner| owner == name)
        });
    }

    /// Writes a verifier's record where it is new, says something else, or is old.
    ///
    /// # Errors
    /// The store could not be read or written, or others took every record that was tried.
    pub async fn keep(&self, app: &App, name: &Name) -> Result<(), Fault> {
        let at = app.clock.wall();
        let is_awaited = app.nodes.are_shared() && app.feed.awaited.holds(at);
        for _ in 0..RACES_MAX {
            let Some((slot, said)) = self.due(name, app.nodes.are_shared(), is_awaited) else {
                return Ok(());
            };
            let record = format!("{slot:04}");
            let before = app.store.record(Kind::Verifier, &record).await?;
            let theirs = before.as_ref().and_then(parsed).filter(|(_, kept)| kept.name() != *name);
            if let Some((_, theirs)) = theirs
                && self.is_anothers(name, &theirs, at)
            {
                continue;
            }
            let version = before.map(|record| record.version);
            let text = serde_json::to_vec(&kept(name, &said)).unwrap_or_default();
            if app.store.put_record(Kind::Verifier, &record, &text, version).await? {
                self.wrote(name, said);
                return Ok(());
            }
        }
        Err(Fault::Contention)
    }

    /// What is to be written of a verifier, and into which record; `None`: nothing.
    fn due(&self, name: &Name, shared: bool, is_awaited: bool) -> Option<(usize, Said)> {
        let known = self.known();
        let own = known.get(name)?;
        let says = Said {
            at: own.seen,
            bound: own.bound,
            offline_routes: own.offline_routes,
            applied: own.applied,
        };
        let is_due = own.kept.is_none_or(|kept| {
            (kept.bound, kept.offline_routes) != (says.bound, says.offline_routes)
                || every(shared) <= says.at.since(kept.at)
                || (is_awaited && kept.applied != says.applied)
        });
        is_due.then_some((own.slot, says))
    }

    fn wrote(&self, name: &Name, said: Said) {
        if let Some(own) = self.known().get_mut(name) {
            own.kept = Some(said);
        }
    }

    /// Whether a record is that of another verifier that another node knows: then the own one is to be another.
    fn is_anothers(&self, name: &Name, theirs: &Kept, at: Timestamp) -> bool {
        let mut known = self.known();
        let Some(slot) = known.get(name).map(|own| own.slot) else { return true };
        let other = Known::of(slot, theirs.said(), SHARED_EVERY);
        if !other.is_live(at) {
            return false;
        }
        known.entry(theirs.name()).or_insert(other);
        let own = known.remove(name);
        if let (Some(own), Some(slot)) = (own, free_slot(&mut known, at)) {
            known.insert(name.clone(), Known { slot, kept: None, ..own });
        }
        true
    }
}

impl Known {
    /// Of what a record says: it may have reported, to another node or before this one started, until the next would
    /// have been written.
    fn of(slot: usize, said: Said, every: Duration) -> Self {
        Self {
            slot,
            applied: said.applied,
            bound: said.bound,
            offline_routes: said.offline_routes,
            age: None,
            seen: said.at,
            counts_from: said.at.after(every),
            kept: Some(said),
        }
    }
}

fn parsed(record: &Record) -> Option<(usize, Kept)> {
    let slot = record.name.parse().ok().filter(|slot| *slot < VERIFIERS_MAX)?;
    Some((slot, serde_json::from_slice(&record.value).ok()?))
}

fn kept(name: &Name, said: &Said) -> Kept {
    Kept {
        key: name.key.clone(),
        instance: name.instance.clone(),
        bound_ms: u64::try_from(said.bound.as_millis()).unwrap_or(u64::MAX),
        offline_routes: said.offline_routes,
        seen_ms: said.at.as_millis(),
        applied: said.applied.map(|(epoch, position)| (epoch.0, position)),
    }
}
