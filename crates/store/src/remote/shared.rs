//! What the engine said last, for those who may not wait for it.

use crate::latency::{self, Latency, Waits};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;
use symbolon_core::{Cutoffs, Fault, Timestamp};
use tokio::sync::watch;

/// Shared by a store's callers and by what follows the engine in the background.
pub(crate) struct Shared {
    cutoffs: RwLock<(Arc<Cutoffs>, u64)>,
    head: watch::Sender<u64>,
    latest: AtomicU64,
    latency: Latency,
    waiting: AtomicUsize,
    failing: AtomicBool,
    /// Since when it is failing; read only while it is.
    since: Mutex<Instant>,
    /// When the engine was last asked for its head and then gave it.
    asked: watch::Sender<Instant>,
}

/// A write that is waited for: counted among those for as long as it lives.
pub(crate) struct Writing<'a> {
    shared: &'a Shared,
    begun: Instant,
}

impl Writing<'_> {
    /// Counts how long it took, and remembers whether it could be made.
    pub(crate) fn over<T>(self, done: Result<T, Fault>) -> Result<T, Fault> {
        self.shared.latency.count(self.begun.elapsed());
        self.shared.saw_writes(!matches!(done, Err(Fault::Store(_))));
        done
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// What the engine said when it was opened; `asked`: just before.
    pub(crate) fn new(
        asked: Instant,
        (cutoffs, version): (Arc<Cutoffs>, u64),
        (latest, head): (Timestamp, u64),
    ) -> Self {
        Self {
            cutoffs: RwLock::new((cutoffs, version)),
            head: watch::Sender::new(head),
            latest: AtomicU64::new(latest.as_millis()),
            latency: Latency::default(),
            waiting: AtomicUsize::new(0),
            failing: AtomicBool::new(false),
            since: Mutex::new(asked),
            asked: watch::Sender::new(asked),
        }
    }

    pub(crate) fn cutoffs(&self) -> Arc<Cutoffs> {
        Arc::clone(&self.seen().0)
    }

    /// The newest cut-offs that were heard of, and which they are.
    pub(crate) fn seen(&self) -> (Arc<Cutoffs>, u64) {
        self.cutoffs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps cut-offs that are newer than those that are kept.
    pub(crate) fn saw_cutoffs(&self, cutoffs: &Arc<Cutoffs>, version: u64) {
        let mut kept = self.cutoffs.write().unwrap_or_else(PoisonError::into_inner);
        if kept.1 < version {
            *kept = (Arc::clone(cutoffs), version);
        }
    }

    pub(crate) fn head(&self) -> u64 {
        *self.head.borrow()
    }

    pub(crate) fn heads(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Wakes who follows the events, if there are newer ones.
    pub(crate) fn saw_head(&self, head: u64) {
        self.head.send_if_modified(|told| {
            let newer = *told < head;
            *told = (*told).max(head);
            newer
        });
    }

    /// The primary of every part of the log was asked for its head at `asked`, and `head` covers what they gave.
    /// To be told by what follows the engine, at each poll.
    pub(crate) fn polled(&self, asked: Instant, head: u64) {
        self.saw_head(head);
        self.asked.send_if_modified(|last| {
            let later = *last < asked;
            *last = (*last).max(asked);
            later
        });
    }

    /// Up to when the head that is told here is known to be the engine's.
    pub(crate) fn asked(&self) -> Instant {
        *self.asked.borrow()
    }

    /// The same, told at each poll.
    pub(crate) fn asks(&self) -> watch::Receiver<Instant> {
        self.asked.subscribe()
    }

    /// Puts the head where the engine says that it is, also backwards: after it lost writes.
    pub(crate) fn set_head(&self, head: u64) {
        self.head.send_if_modified(|told| std::mem::replace(told, head) != head);
    }

    pub(crate) fn latest(&self) -> Timestamp {
        Timestamp::from_millis(self.latest.load(Ordering::Acquire))
    }

    pub(crate) fn saw_latest(&self, latest: Timestamp) {
        self.latest.fetch_max(latest.as_millis(), Ordering::AcqRel);
    }

    pub(crate) fn waits(&self) -> Waits {
        self.latency.waits()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn takes_writes(&self) -> bool {
        !self.failing.load(Ordering::Acquire)
    }

    /// Says whether the engine takes writes, as a commit or the background found.
    pub(crate) fn saw_writes(&self, taken: bool) {
        if !taken && self.takes_writes() {
            *self.since.lock().unwrap_or_else(PoisonError::into_inner) = latency::now();
        }
        self.failing.store(!taken, Ordering::Release);
    }

    /// A write begins. For those who make many: a future that is handed on is moved each time.
    pub(crate) fn write(&self) -> Writing<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Writing { shared: self, begun: latency::now() }
    }

    /// Since when no write was taken; `None`: the last one was.
    pub(crate) fn refusing_since(&self) -> Option<Instant> {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.takes_writes()).then_some(since)
    }

    /// Waits for a write, counts how long that took, and remembers whether it could be made.
    pub(crate) async fn writing<T>(
        &self,
        write: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let begun = self.write();
        begun.over(write.await)
    }
}
