//! Who verifies, and how far each has come.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use symbolon_core::{Duration, StoreEpoch, Timestamp};
use symbolon_wire::feed::Cursor;
use tokio::sync::watch;

/// How many verifiers are known at once. Inclusive; beyond it the one that died first leaves, and if all live,
/// a new one is refused.
pub const VERIFIERS_MAX: usize = 1024;

/// The largest staleness bound that counts. Inclusive; a larger one is taken for this.
pub const BOUND_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Who reports: the name of the API key, and which of its processes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Name {
    /// The name of the API key.
    pub key: String,
    /// The instance, as it names itself.
    pub instance: String,
}

/// What a verifier says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Up to where it applied the feed.
    pub cursor: Cursor,
    /// The largest staleness at which it still says yes.
    pub bound: Duration,
    /// How many of its routes accept a token until it expires, whatever the feed says.
    pub offline_routes: u32,
    /// How old what it knows was when it reported.
    pub age: Option<Duration>,
}

/// What is known of a verifier.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Which of the kept records is its own.
    pub(super) slot: usize,
    /// Up to where it applied the feed, as far as that is known.
    pub(super) applied: Option<(StoreEpoch, u64)>,
    pub(super) bound: Duration,
    pub(super) offline_routes: u32,
    pub(super) age: Option<Duration>,
    pub(super) seen: Timestamp,
    /// It may trust its mirror at least until its bound has passed since then.
    pub(super) counts_from: Timestamp,
    /// What its record says.
    pub(super) kept: Option<Said>,
}

/// What is kept of a verifier: when that was written, its bound, its routes, and up to where it had applied the feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Said {
    pub(super) at: Timestamp,
    pub(super) bound: Duration,
    pub(super) offline_routes: u32,
    pub(super) applied: Option<(StoreEpoch, u64)>,
}

/// A verifier, as operators see it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: Name,
    /// When it reported last.
    pub seen: Timestamp,
    /// Up to where it applied the feed: the position, and the store epoch that this is of.
    pub applied: Option<(StoreEpoch, u64)>,
    /// How old what it knew was then.
    pub age: Option<Duration>,
    /// Its bound.
    pub bound: Duration,
    /// How many of its routes are offline.
    pub offline_routes: u32,
    /// Whether it may still trust its mirror.
    pub live: bool,
}

/// How the live verifiers stand to a position.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    pub(super) live: usize,
    pub(super) lagging: Vec<Lagging>,
    pub(super) offline_routes: u64,
}

/// A live verifier that has not applied what is asked about.
#[derive(Clone, Debug)]
pub(super) struct Lagging {
    pub(super) name: Name,
    pub(super) seen: Timestamp,
    pub(super) until: Timestamp,
}

/// All known verifiers.
pub struct Verifiers {
    known: Mutex<BTreeMap<Name, Known>>,
    /// Counts up with each report.
    reported: watch::Sender<u64>,
    /// When the records were read last, on the monotonic clock; held while they are read.
    pub(super) read_at: tokio::sync::Mutex<Duration>,
}

impl Default for Verifiers {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            reported: watch::Sender::new(0),
            read_at: tokio::sync::Mutex::default(),
        }
    }
}

impl Known {
    /// When it will have stopped trusting its mirror, if it reports no more.
    pub(super) fn trusts_until(&self) -> Timestamp {
        self.seen.max(self.counts_from).after(self.bound)
    }

    pub(super) fn is_live(&self, at: Timestamp) -> bool {
        at <= self.trusts_until()
    }

    fn has_applied(&self, (epoch, position): (StoreEpoch, u64)) -> bool {
        self.applied.is_some_and(|(of, own)| of == epoch && position <= own)
    }
}

impl Verifiers {
    /// Notes a report. `false`: there are [`VERIFIERS_MAX`], and all of them live.
    pub fn report(&self, name: &Name, report: &Report, at: Timestamp) -> bool {
        let bound = report.bound.min(BOUND_MAX);
        {
            let mut known = self.known();
            let Some((slot, kept)) = slot_of(&mut known, name, at) else { return false };
            let Report { cursor, offline_routes, age, .. } = *report;
            let (applied, counts_from) =
                (Some((cursor.epoch, cursor.position)), Timestamp::default());
            let now =
                Known { slot, applied, bound, offline_routes, age, seen: at, counts_from, kept };
            known.insert(name.clone(), now);
        }
        self.reported.send_modify(|count| *count = count.wrapping_add(1));
        true
    }

    /// All of them, by name.
    pub fn rows(&self, at: Timestamp) -> Vec<Row> {
        let row = |(name, known): (&Name, &Known)| Row {
            name: name.clone(),
            seen: known.seen,
            applied: known.applied,
            age: known.age,
            bound: known.bound,
            offline_routes: known.offline_routes,
            live: known.is_live(at),
        };
        self.known().iter().map(row).collect()
    }

    /// How the live ones stand to a position.
    pub(super) fn standing(&self, position: (StoreEpoch, u64), at: Timestamp) -> Standing {
        let mut standing = Standing::default();
        for (name, known) in self.known().iter().filter(|(_, known)| known.is_live(at)) {
            standing.live += 1;
            standing.offline_routes += u64::from(known.offline_routes);
            if !known.has_applied(position) {
                let (name, until) = (name.clone(), known.trusts_until());
                standing.lagging.push(Lagging { name, seen: known.seen, until });
            }
        }
        standing
    }

    /// Wakes with each report.
    pub(super) fn reports(&self) -> watch::Receiver<u64> {
        self.reported.subscribe()
    }

    pub(super) fn known(&self) -> MutexGuard<'_, BTreeMap<Name, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot of a verifier, and what is kept in it: its own, a free one, or that of the one that died first.
fn slot_of(
    known: &mut BTreeMap<Name, Known>,
    name: &Name,
    at: Timestamp,
) -> Option<(usize, Option<Said>)> {
    if let Some(own) = known.get(name) {
        return Some((own.slot, own.kept));
    }
    free_slot(known, at).map(|slot| (slot, None))
}

/// A slot that nobody has; if there is none, that of the verifier that died first, which leaves.
pub(super) fn free_slot(known: &mut BTreeMap<Name, Known>, at: Timestamp) -> Option<usize> {
    if known.len() < VERIFIERS_MAX {
        let taken: std::collections::BTreeSet<_> = known.values().map(|one| one.slot).collect();
        return (0..VERIFIERS_MAX).find(|slot| !taken.contains(slot));
    }
    let dead = known.iter().filter(|(_, one)| !one.is_live(at));
    let first = dead.min_by_key(|(_, one)| one.trusts_until()).map(|(name, _)| name.clone())?;
    known.remove(&first).map(|left| left.slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(1000);
    const BOUND: Duration = Duration::from_secs(5);

    fn name(instance: &str) -> Name {
        Name { key: "gateway".to_owned(), instance: instance.to_owned() }
    }

    fn report(position: u64) -> Report {
        let cursor = Cursor { position, ..Cursor::block(StoreEpoch(1), 0) };
        Report { cursor, bound: BOUND, offline_routes: 2, age: None }
    }

    fn at(seconds: u64) -> Timestamp {
        AT.after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_verifier_counts_until_its_bound_has_passed_since_its_last_report() {
        let verifiers = Verifiers::default();
        assert!(verifiers.report(&name("a"), &report(7), AT));
        let standing = |position, at| verifiers.standing((StoreEpoch(1), position), at);
        assert_eq!(standing(7, at(5)).lagging.len(), 0);
        assert_eq!(standing(8, at(5)).lagging[0].until, at(5));
        assert_eq!(standing(7, at(5)).offline_routes, 2);
        assert_eq!(standing(8, at(6)).live, 0, "it trusts its mirror no more");
        let other_epoch = verifiers.standing((StoreEpoch(2), 1), AT);
        assert_eq!(other_epoch.lagging.len(), 1, "what it applied is not of this epoch");
    }

    #[test]
    fn a_bound_is_capped() {
        let verifiers = Verifiers::default();
        let long = Report { bound: Duration::from_secs(1 << 40), ..report(1) };
        verifiers.report(&name("a"), &long, AT);
        assert_eq!(verifiers.rows(AT)[0].bound, BOUND_MAX);
    }

    #[test]
    fn there_is_a_bound_and_the_one_that_died_first_leaves() {
        let verifiers = Verifiers::default();
        for number in 0..VERIFIERS_MAX {
            let seen = at(number as u64 / 1000);
            assert!(verifiers.report(&name(&format!("{number:04}")), &report(1), seen));
        }
        assert!(!verifiers.report(&name("late"), &report(1), at(1)), "all of them live");
        assert!(verifiers.report(&name("0500"), &report(2), at(1)), "who is known is heard");
        assert!(verifiers.report(&name("late"), &report(1), at(6)));
        let rows = verifiers.rows(at(6));
        assert_eq!(rows.len(), VERIFIERS_MAX);
        assert!(rows.iter().all(|row| row.name != name("0000")));
        let mut slots: Vec<_> = verifiers.known().values().map(|known| known.slot).collect();
        slots.sort_unstable();
        assert!(slots.into_iter().eq(0..VERIFIERS_MAX));
    }
}
