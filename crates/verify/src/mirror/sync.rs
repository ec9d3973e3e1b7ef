//! What several threads share. A test puts others in the place of these, to try every order of their turns.

use arc_swap::{ArcSwap, Guard};
use std::sync::Arc;

pub(super) use std::sync::atomic::{AtomicU64, Ordering};

/// A value that is replaced whole. A reader keeps the one that it found for as long as it looks, and waits
/// for nobody.
pub(super) struct Published<T>(ArcSwap<T>);

impl<T> Published<T> {
    pub(super) fn new(value: Arc<T>) -> Self {
        Self(ArcSwap::new(value))
    }

    pub(super) fn load(&self) -> Guard<Arc<T>> {
        self.0.load()
    }

    pub(super) fn store(&self, value: Arc<T>) {
        self.0.store(value);
    }
}
