//! Whether anybody, at any node, waits until verifiers have applied something.
//!
//! A verifier reports to whichever node it comes to, and who waits may be at another. So whoever is going to wait says so
//! in the store before what is waited for is committed: a node that reads the one then finds the other, asks those
//! who follow it to report, and writes each report down. While nobody waits reports cost nothing.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use symbolon_core::{Duration, Fault, Timestamp};
use symbolon_store::{Kind, Store};

/// The record that says so.
const NAME: &str = "verifiers-awaited";

/// For how long ahead it is said: whoever waits meanwhile need not say it again.
const SAID_FOR: Duration = Duration::from_secs(30);

/// How far the clocks of two nodes may be apart. Inclusive.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(5);

/// How often it is tried to say so when others say it at the same time.
const RACES_MAX: usize = 8;

/// Until when somebody waits, as far as this process read, in milliseconds.
#[derive(Default)]
pub(super) struct Awaited(AtomicU64);

#[derive(Serialize, Deserialize)]
struct Kept {
    until_ms: u64,
}

impl Awaited {
    /// Whether somebody waits, or may.
    pub(super) fn holds(&self, at: Timestamp) -> bool {
        at.as_millis() <= self.0.load(Ordering::Acquire)
    }

    /// Says that somebody is going to wait for at most so long.
    ///
    /// # Errors
    /// The store could not be read or written, or others kept writing.
    pub(super) async fn say(
        &self,
        store: &Store,
        at: Timestamp,
        wait: Duration,
    ) -> Result<(), Fault> {
        let needed = at.after(wait).after(CLOCKS_APART_MAX);
        for _ in 0..RACES_MAX {
            if self.holds(needed) {
                return Ok(());
            }
            let before = self.read(store).await?;
            if self.holds(needed) {
                return Ok(());
            }
            let until = at.after(SAID_FOR.max(wait)).after(CLOCKS_APART_MAX);
            let value = serde_json::to_vec(&Kept { until_ms: until.as_millis() });
            let value = value.map_err(|why| Fault::Store(why.to_string()))?;
            if store.put_record(Kind::Meta, NAME, &value, before).await? {
                self.saw(until);
                return Ok(());
            }
        }
        Err(Fault::Contention)
    }

    /// Reads whether somebody waits. What cannot be read counts as if somebody did, for a while.
    pub(super) async fn hear(&self, store: &Store, at: Timestamp) {
        if self.read(store).await.is_err() {
            self.saw(at.after(CLOCKS_APART_MAX));
        }
    }

    /// Reads it, and answers the version.
    async fn read(&self, store: &Store) -> Result<Option<u64>, Fault> {
        let Some(record) = store.record(Kind::Meta, NAME).await? else { return Ok(None) };
        if let Ok(Kept { until_ms }) = serde_json::from_slice(&record.value) {
            self.saw(Timestamp::from_millis(until_ms));
        }
        Ok(Some(record.version))
    }

    fn saw(&self, until: Timestamp) {
        self.0.fetch_max(until.as_millis(), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use symbolon_store::Role;
    use tempfile::TempDir;

    const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);

    #[tokio::test]
    async fn who_is_going_to_wait_is_heard_of_at_every_node_and_says_it_seldom() {
        let folder = TempDir::new().unwrap();
        let store = Store::open_sqlite(&folder.path().join("s.db"), Role::Serve).ok().unwrap();
        let (here, there) = (Awaited::default(), Awaited::default());
        there.hear(&store, AT).await;
        assert!(!there.holds(AT));
        let wait = Duration::from_secs(2);
        here.say(&store, AT, wait).await.unwrap();
        there.hear(&store, AT).await;
        assert!(there.holds(AT.after(wait).after(CLOCKS_APART_MAX)));
        let version = async || store.record(Kind::Meta, NAME).await.unwrap().unwrap().version;
        let before = version().await;
        for second in 1..20 {
            there.say(&store, AT.after(Duration::from_secs(second)), wait).await.unwrap();
        }
        assert_eq!(version().await, before);
        let later = AT.after(Duration::from_secs(40));
        assert!(!there.holds(later));
        there.say(&store, later, wait).await.unwrap();
        here.say(&store, later, wait).await.unwrap();
        assert_eq!(version().await, before + 1, "who finds it said does not say it again");
    }
}
