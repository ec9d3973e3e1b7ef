//! A data directory with many sessions in it, each where the authority would look for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use symbolon_core::binding::Binding;
use symbolon_core::device::{Device, DeviceClass};
use symbolon_core::{
    Act, ClientId, ClientPolicy, KeyId, LoadedSubject, Salt, SessionId, Shard, Start, Subject,
    Terms, Timestamp,
};
use symbolon_store::{Role, Store};
use symbolon_wire::{MasterKey, ShardKey};

const CALLERS: u32 = 256;
const KEY: KeyId = KeyId([7; 12]);

/// Starts so many sessions, one a subject, in the data directory of a `symbolon dev` that was stopped.
pub(crate) async fn fill(data: &Path, sessions: u32) {
    let shards = Arc::new(shards(data));
    let store = Store::open_sqlite(&data.join("symbolon.db"), Role::Serve).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (at, next) = (Timestamp::from_seconds(now), Arc::new(AtomicU32::new(0)));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (store, next, shards) = (store.clone(), Arc::clone(&next), Arc::clone(&shards));
        callers.spawn(async move {
            let policy = ClientPolicy::default();
            let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY] };
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if sessions <= number {
                    return;
                }
                let start = start_of(number, &shards);
                let decide = |loaded: LoadedSubject| {
                    Ok(loaded.sign_in(&start, &terms, &Act::authority(), at))
                };
                let shard = start.sid.shard();
                store.step_subject(&start.subject, shard, decide).await.unwrap().reply.unwrap();
            }
        });
    }
    callers.join_all().await;
}

/// What gives subjects their shard in this data directory.
pub(crate) fn shards(data: &Path) -> ShardKey {
    let text = std::fs::read_to_string(data.join("master.key")).unwrap();
    MasterKey::parse(&text).unwrap().shard_key()
}

/// The subject of a number.
pub(crate) fn subject(number: u32) -> String {
    format!("user-{number:07}")
}

/// The session of a number's subject.
pub(crate) fn sid(number: u32, shards: &ShardKey) -> SessionId {
    let mixed = u64::from(number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut name = [0; 14];
    name[..8].copy_from_slice(&mixed.to_be_bytes());
    name[8..12].copy_from_slice(&number.to_be_bytes());
    let shard: Shard = shards.shard(&subject(number));
    SessionId::new(shard, name)
}

fn start_of(number: u32, shards: &ShardKey) -> Start {
    Start {
        sid: sid(number, shards),
        salt: Salt([3; 8]),
        subject: Subject::parse(&subject(number)).unwrap(),
        client: ClientId::parse("web").unwrap(),
        device: Device { class: DeviceClass::Web, id: None, name: Some("Firefox on Linux".into()) },
        scope: "orders:read".into(),
        roles: None,
        claims: "".into(),
        audience: Arc::default(),
        amr: Arc::default(),
        acr: None,
        authenticated_at: None,
        expires_at: None,
        binding: Binding::default(),
        ip: Some("203.0.113.77".into()),
        user_agent: None,
        started_by: None,
    }
}
