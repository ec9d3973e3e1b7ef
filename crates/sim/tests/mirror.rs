//! The verifier's mirror in every order of turns that matters: one writer adds, grows and forgets while readers
//! look.
//!
//! This is the very code of `symbolon-verify`, built here over `shuttle`'s atomics, each of which is a point where
//! the schedule may turn.

#![expect(clippy::unwrap_used, reason = "a test that fails may stop")]

/// What the mirror's tables are built over here.
mod sync {
    use shuttle::sync::Mutex;
    use std::sync::Arc;

    pub(super) use shuttle::sync::atomic::{AtomicU64, Ordering};

    /// A pointer that is replaced whole.
    pub(super) struct Published<T>(Mutex<Arc<T>>);

    impl<T> Published<T> {
        pub(super) fn new(value: Arc<T>) -> Self {
            Self(Mutex::new(value))
        }

        pub(super) fn load(&self) -> Arc<T> {
            Arc::clone(&self.0.lock().unwrap())
        }

        pub(super) fn store(&self, value: Arc<T>) {
            *self.0.lock().unwrap() = value;
        }
    }
}

#[path = "../../verify/src/mirror/entries.rs"]
mod entries;
#[path = "../../verify/src/mirror/table.rs"]
mod table;

use entries::Entries;
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::thread;
use symbolon_core::{Effect, Reason};
use table::{Mark, Name};

const SCHEDULES: usize = 1_000;

/// How many batches are added; a table begins with eight slots, so that it grows twice.
const BATCHES: u64 = 7;
const BATCH: u64 = 2;

/// All in one table, with one tag in common for every other name.
fn name(number: u64) -> Name {
    Name { high: (7 << 56) | (number % 2), low: (number << 60) | number, kind: 2 }
}

/// One that has a bound.
fn bounded() -> Name {
    Name { kind: 3, ..name(1) }
}

fn mark(reason: Reason, expires_at: u64, below: u64) -> Mark {
    Mark { effect: Effect::Revoked, reason, expires_at, below }
}

/// What is there when a reader has read the sequence is found by it, each with a reason that it had.
fn nothing_published_is_missed() {
    let (entries, mut writer) = Entries::new();
    let entries = Arc::new(entries);
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let entries = Arc::clone(&entries);
            thread::spawn(move || {
                for _ in 0..3 {
                    let sequence = entries.sequence();
                    assert!(sequence == 0 || entries.has(2));
                    for number in 0..sequence * BATCH {
                        let [revoked, stale] = entries.find(&name(number));
                        let expected = Some(mark(Reason::Kicked, 100 + number, 0));
                        assert_eq!((revoked, stale), (expected, None), "{number} of {sequence}");
                    }
                }
            })
        })
        .collect();
    for batch in 0..BATCHES {
        for number in batch * BATCH..(batch + 1) * BATCH {
            let mark = mark(Reason::Kicked, 100 + number, 0);
            entries.add(&mut writer, &name(number), &mark);
            entries.add(&mut writer, &name(number), &mark);
        }
        entries.publish(&writer);
    }
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    assert_eq!((entries.len() as u64, writer.kept() as u64), (BATCHES * BATCH, BATCHES * BATCH));
}

/// A bound never falls, and what comes after something was forgotten is found.
fn a_bound_only_rises_until_it_is_forgotten() {
    let (entries, mut writer) = Entries::new();
    let (entries, published) = (Arc::new(entries), Arc::new(AtomicU64::new(0)));
    let reader = {
        let (entries, published) = (Arc::clone(&entries), Arc::clone(&published));
        thread::spawn(move || {
            let mut seen = 0;
            for _ in 0..6 {
                let at_least = published.load(Ordering::Acquire).max(seen);
                let [revoked, _] = entries.find(&bounded());
                seen = revoked.map_or(0, |mark| mark.below);
                assert!(at_least <= seen, "{at_least} was published, {seen} found");
            }
        })
    };
    for below in [3, 1, 5, 9] {
        entries.add(&mut writer, &bounded(), &mark(Reason::Banned, 10 + below, below));
        entries.publish(&writer);
        published.fetch_max(below, Ordering::Release);
        entries.forget(&mut writer, 5 + below);
    }
    reader.join().unwrap();
}

#[test]
fn whoever_read_the_sequence_finds_all_that_was_published_before_it() {
    shuttle::check_random(nothing_published_is_missed, SCHEDULES);
    shuttle::check_pct(nothing_published_is_missed, SCHEDULES, 3);
}

#[test]
fn a_bound_is_never_seen_to_fall() {
    shuttle::check_random(a_bound_only_rises_until_it_is_forgotten, SCHEDULES);
    shuttle::check_pct(a_bound_only_rises_until_it_is_forgotten, SCHEDULES, 3);
}
