//! Whether who holds a stream open may still read it: an API key can be revoked meanwhile.

use crate::api_keys::{self, ApiKeyRecord};
use crate::clock::monotonic;
use symbolon_core::Duration;
use symbolon_store::Store;
use symbolon_wire::ApiKeyId;

/// How long a revoked key goes on reading a stream that is open. Inclusive, to the next frame.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Who began to read a stream.
pub struct Standing {
    /// `None`: an operator, who shows no key, or somebody of whom this process has no record.
    key: Option<(Store, ApiKeyId)>,
    /// On the monotonic clock.
    looked_at: Duration,
}

impl Standing {
    /// Of a key that is good now; `None`: of an operator.
    pub fn of(store: &Store, key: Option<&ApiKeyRecord>) -> Self {
        let key = key.and_then(|key| ApiKeyId::parse(&key.id).ok());
        Self { key: key.map(|key| (store.clone(), key)), looked_at: monotonic() }
    }

    /// Of somebody whose key another process judges, before the stream begins.
    pub fn elsewhere() -> Self {
        Self { key: None, looked_at: monotonic() }
    }

    /// Whether it still is, as far as the store said lately. While the store cannot be read, nobody is sent away.
    pub async fn holds(&mut self) -> bool {
        let Some((store, key)) = &self.key else { return true };
        if monotonic().saturating_sub(self.looked_at) < LOOK_EVERY {
            return true;
        }
        let found = api_keys::find(store, *key).await;
        self.looked_at = monotonic();
        let is_gone =
            |record: Option<ApiKeyRecord>| record.is_none_or(|key| key.revoked_at.is_some());
        !found.is_ok_and(is_gone)
    }
}
