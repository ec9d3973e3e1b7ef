//! The issuer's keys, swapped whole.

use arc_swap::{ArcSwapOption, Guard};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use symbolon_wire::KeySet;

/// The keys in force; none until the first were fetched.
///
/// Nobody who verifies waits for whoever replaces them, nor counts references with another.
#[derive(Default)]
pub(crate) struct Keys {
    current: ArcSwapOption<KeySet>,
    generation: AtomicU64,
    replacing: Mutex<()>,
}

impl Keys {
    pub(crate) fn current(&self) -> Guard<Option<Arc<KeySet>>> {
        self.current.load()
    }

    /// How often a key was taken away. To be read before the keys: what they then verify stays verified as
    /// long as this does not change.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts others in their place. Once this has returned, nothing is good because of a key that is gone.
    pub(crate) fn replace(&self, keys: KeySet) {
        let _one_at_a_time = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let covered = self.current().as_ref().is_some_and(|old| keys.covers(old));
        self.current.store(Some(Arc::new(keys)));
        if !covered {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }
}
