//! Verifiers in the store, so that after a restart those that may still trust their mirror count.
//!
//! Each has one of a fixed number of records, since records never leave: the record of one that died is
//! written over by one that came later.

use super::verifiers::{BOUND_MAX, Known, Name, VERIFIERS_MAX};
use crate::app::App;
use serde::{Deserialize, Serialize};
use symbolon_core::{Duration, Fault, Timestamp};
use symbolon_store::{Kind, Store};

/// How long a record may be behind what is known. Inclusive.
const KEPT_EVERY: Duration = Duration::from_secs(60);

/// A verifier as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    instance: String,
    bound_ms: u64,
    offline_routes: u32,
    seen_ms: u64,
}

impl super::Verifiers {
    /// Reads who may still trust a mirror that it had before this process started, at `at`.
    ///
    /// # Errors
    /// The store could not be read.
    pub(super) async fn load(&self, store: &Store, at: Timestamp) -> Result<(), Fault> {
        let records = store.records(Kind::Verifier).await?;
        let mut known = self.known();
        for record in records {
            let slot = record.name.parse().ok().filter(|slot| *slot < VERIFIERS_MAX);
            let kept: Option<Kept> = serde_json::from_slice(&record.value).ok();
            let (Some(slot), Some(kept)) = (slot, kept) else { continue };
            let name = Name { key: kept.key, instance: kept.instance };
            let bound = Duration::from_millis(kept.bound_ms).min(BOUND_MAX);
            let seen = Timestamp::from_millis(kept.seen_ms);
            // It may have reported after its record was written.
            let may_live = at <= seen.after(KEPT_EVERY).after(bound);
            let known_now = Known {
                slot,
                cursor: None,
                bound,
                offline_routes: kept.offline_routes,
                age: None,
                seen,
                counts_from: if may_live { at } else { Timestamp::default() },
                kept: Some((seen, bound, kept.offline_routes)),
            };
            // Who has reported meanwhile is known better.
            known.entry(name).or_insert(known_now);
        }
        Ok(())
    }

    /// Writes a verifier's record where it is new, says something else, or is a minute old.
    ///
    /// # Errors
    /// The store could not be read or written.
    pub async fn keep(&self, app: &App, name: &Name) -> Result<(), Fault> {
        let Some((slot, kept)) = self.due(name) else { return Ok(()) };
        let text = serde_json::to_vec(&kept).unwrap_or_default();
        let record = format!("{slot:04}");
        let before = app.store.record(Kind::Verifier, &record).await?;
        let before = before.map(|record| record.version);
        // Who was overtaken by another report of the same verifier need not write.
        app.store.put_record(Kind::Verifier, &record, &text, before).await.map(|_| ())
    }

    fn due(&self, name: &Name) -> Option<(usize, Kept)> {
        let mut known = self.known();
        let own = known.get_mut(name)?;
        let says_the_same = |(at, bound, routes): (Timestamp, Duration, u32)| {
            (bound, routes) == (own.bound, own.offline_routes) && own.seen.since(at) < KEPT_EVERY
        };
        if own.kept.is_some_and(says_the_same) {
            return None;
        }
        own.kept = Some((own.seen, own.bound, own.offline_routes));
        let kept = Kept {
            key: name.key.clone(),
            instance: name.instance.clone(),
            bound_ms: u64::try_from(own.bound.as_millis()).unwrap_or(u64::MAX),
            offline_routes: own.offline_routes,
            seen_ms: own.seen.as_millis(),
        };
        Some((own.slot, kept))
    }
}
