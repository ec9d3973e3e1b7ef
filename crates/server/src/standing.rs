//! Whether who holds a stream open may still read it: an API key can be revoked meanwhile.

use crate::api_keys::{self, ApiKeyRecord};
use crate::clock::monotonic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use symbolon_core::Duration;
use symbolon_store::Store;
use symbolon_wire::ApiKeyId;

/// How long a revoked key goes on reading a stream that is open. Inclusive, to the next frame.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Who began to read a stream.
pub struct Standing {
    by: By,
    /// On the monotonic clock.
    looked_at: Duration,
}

/// By what somebody reads it.
enum By {
    /// An operator, who shows no key.
    Operator,
    /// A key of this process's store.
    Key(Store, ApiKeyId),
    /// A key that another process judges, again and again: whether it is still good.
    Elsewhere(Arc<AtomicBool>),
}

impl Standing {
    /// Of a key that is good now; `None`: of an operator.
    pub fn of(store: &Store, key: Option<&ApiKeyRecord>) -> Self {
        let key = key.and_then(|key| ApiKeyId::parse(&key.id).ok());
        let by = key.map_or(By::Operator, |key| By::Key(store.clone(), key));
        Self { by, looked_at: monotonic() }
    }

    /// Of somebody whose key another process judges: it holds as long as this says so, and whoever says it can tell by
    /// the count of its owners whether the stream is still read.
    pub fn elsewhere(good: Arc<AtomicBool>) -> Self {
        Self { by: By::Elsewhere(good), looked_at: monotonic() }
    }

    /// Whether it still is, as far as the store said lately. While the store cannot be read, nobody is sent away.
    pub async fn holds(&mut self) -> bool {
        let (store, key) = match &self.by {
            By::Operator => return true,
            By::Elsewhere(good) => return good.load(Ordering::Relaxed),
            By::Key(store, key) => (store, *key),
        };
        if monotonic().saturating_sub(self.looked_at) < LOOK_EVERY {
            return true;
        }
        let found = api_keys::find(store, key).await;
        self.looked_at = monotonic();
        let is_gone =
            |record: Option<ApiKeyRecord>| record.is_none_or(|key| key.revoked_at.is_some());
        !found.is_ok_and(is_gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_judged_elsewhere_reads_until_that_says_no() {
        let good = Arc::new(AtomicBool::new(true));
        let mut standing = Standing::elsewhere(Arc::clone(&good));
        assert!(standing.holds().await);
        good.store(false, Ordering::Relaxed);
        assert!(!standing.holds().await);
    }
}
