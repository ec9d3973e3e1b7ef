//! Callers that refresh, each its own sessions: what the benchmarks of the stores have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use symbolon_core::binding::{Binding, Proof};
use symbolon_core::device::{Device, DeviceClass};
use symbolon_core::{
    Act, ClientId, ClientPolicy, Generation, KeyId, Refresh, RefreshToken, Salt, SessionId, Shard,
    Start, StoreEpoch, Subject, Terms, Timestamp,
};
use symbolon_store::Store;

pub(crate) const CALLERS: u32 = 256;
const KEY: KeyId = KeyId([7; 12]);
const SALT: Salt = Salt([3; 8]);
pub(crate) const AT: Timestamp = Timestamp::from_seconds(1_772_323_200);

/// What callers saw.
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    /// Sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl Measured {
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * share) as usize).copied().unwrap_or_default()
    }
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A name that looks random and is computed back.
pub(crate) fn sid_of(number: u32) -> SessionId {
    let mixed = u64::from(number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let again = (mixed ^ (mixed >> 32)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[8..].copy_from_slice(&again.to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn start_of(number: u32) -> Start {
    let text = |text: &str| Some(text.into());
    Start {
        sid: sid_of(number),
        salt: SALT,
        subject: Subject::parse(&format!("user-{:07}", number)).unwrap(),
        client: ClientId::parse("web").unwrap(),
        device: Device { class: DeviceClass::Web, id: None, name: text("Firefox on Linux") },
        scope: "openid profile".into(),
        roles: None,
        claims: "".into(),
        audience: Arc::default(),
        amr: Arc::new(["pwd".into()]),
        acr: None,
        authenticated_at: None,
        expires_at: None,
        binding: Binding::default(),
        ip: text("203.0.113.77"),
        user_agent: None,
        started_by: None,
    }
}

/// Signs so many in.
pub(crate) async fn fill(store: &Store, sessions: u32) {
    let next = Arc::new(AtomicU32::new(0));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (store, next) = (store.clone(), Arc::clone(&next));
        callers.spawn(async move {
            let policy = ClientPolicy::default();
            let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY] };
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if sessions <= number {
                    return;
                }
                let start = start_of(number);
                let (subject, shard): (_, Shard) = (start.subject.clone(), start.sid.shard());
                let decide = |loaded: symbolon_core::LoadedSubject| {
                    Ok(loaded.sign_in(&start, &terms, &Act::authority(), AT))
                };
                store.step_subject(&subject, shard, decide).await.unwrap().reply.unwrap();
            }
        });
    }
    callers.join_all().await;
}

pub(crate) async fn storm(store: &Store, turns: &Arc<Vec<AtomicU32>>, span: Duration) -> Measured {
    let over =
        async { tokio::time::interval_at((Instant::now() + span).into(), span).tick().await };
    storm_until(store, turns, over).await.0
}

/// All callers refresh, each its own stride of the sessions, so that every refresh advances.
pub(crate) async fn storm_until<R>(
    store: &Store,
    turns: &Arc<Vec<AtomicU32>>,
    until: impl Future<Output = R>,
) -> (Measured, R) {
    let over = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let (store, turns, over) = (store.clone(), Arc::clone(turns), Arc::clone(&over));
        callers.spawn(async move {
            let mut latencies = Vec::new();
            let mut number = caller as usize + begun.elapsed().subsec_nanos() as usize / 7;
            while !over.load(Ordering::Relaxed) {
                number = (number + 7919 * CALLERS as usize) % turns.len();
                let own = number / CALLERS as usize * CALLERS as usize + caller as usize;
                let asked = Instant::now();
                advance(&store, own % turns.len(), &turns).await;
                latencies.push(asked.elapsed());
            }
            latencies
        });
    }
    let came = until.await;
    over.store(true, Ordering::Relaxed);
    let mut latencies: Vec<Duration> = callers.join_all().await.into_iter().flatten().collect();
    let per_second = latencies.len() as f64 / begun.elapsed().as_secs_f64();
    latencies.sort();
    (Measured { per_second, latencies }, came)
}

async fn advance(store: &Store, number: usize, turns: &[AtomicU32]) {
    let generation = turns[number].load(Ordering::Relaxed);
    let at = AT.after(Duration::from_secs(60 * u64::from(generation + 1)));
    let sid = sid_of(number as u32);
    let token = RefreshToken::assume_genuine(StoreEpoch(0), sid, Generation(generation), SALT);
    let (policy, client, act) =
        (ClientPolicy::default(), ClientId::parse("web").unwrap(), Act::authority());
    let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY] };
    let ask = Refresh { token: &token, client: &client, proof: Proof::default(), terms, act: &act };
    let committed = store.step(sid, |loaded| loaded.refresh(&ask, at)).await.unwrap().unwrap();
    let grant = committed.reply.unwrap();
    turns[number].store(grant.session.generation.0, Ordering::Relaxed);
}
