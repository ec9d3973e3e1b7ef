//! The issuer's keys, swapped whole.

use std::sync::{Arc, PoisonError, RwLock};
use symbolon_wire::KeySet;

/// The keys in force; none until the first were fetched.
///
/// The lock is held for a copy of a pointer, a thousandth of what checking a signature costs.
#[derive(Default)]
pub(crate) struct Keys(RwLock<Option<Arc<KeySet>>>);

impl Keys {
    pub(crate) fn current(&self) -> Option<Arc<KeySet>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn replace(&self, keys: KeySet) {
        let keys = Some(Arc::new(keys));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}
