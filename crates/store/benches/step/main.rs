//! What a durable `step` costs beside a bare SQLite group commit of the same rows.
//!
//! `cargo bench -p symbolon-store --bench step -- [sessions] [rounds] [seconds]`
//!
//! The floor is one thread that does nothing but `BEGIN; UPDATE …; COMMIT` on a copy of the store's own
//! file: the same build, pragmas, rows and batch sizes (those that the store's writer was seen to use),
//! with the log written back in the same way. Rounds are interleaved. The store does all of it: 256 callers
//! each load a session of their own choice, ask `Loaded::refresh`, encode, compare and set, wait for the
//! disk.
//!
//! Last, the same callers go on while the store is copied: how long the copy takes, and how much longer the
//! slowest of them wait than without it.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures with the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

mod bare;

use bare::Bare;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use symbolon_core::binding::{Binding, Proof};
use symbolon_core::device::{Device, DeviceClass};
use symbolon_core::{
    Act, ClientId, ClientPolicy, Generation, KeyId, Refresh, RefreshToken, Salt, SessionId, Shard,
    Start, StoreEpoch, Subject, Terms, Timestamp,
};
use symbolon_store::sqlite::backup;
use symbolon_store::{Role, Store};

const CALLERS: u32 = 256;
const KEY: KeyId = KeyId([7; 12]);
const SALT: Salt = Salt([3; 8]);
const AT: Timestamp = Timestamp::from_seconds(1_772_323_200);

struct Measured {
    per_second: f64,
    /// Sorted.
    latencies: Vec<Duration>,
}

impl Measured {
    fn quantile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * share) as usize).copied().unwrap_or_default()
    }
}

fn main() {
    let numbers = std::env::args().skip(1).filter_map(|word| word.parse::<u32>().ok());
    let numbers: Vec<u32> = numbers.collect();
    let or = |index: usize, default| numbers.get(index).copied().unwrap_or(default);
    let (sessions, rounds, seconds) = (or(0, 20_000), or(1, 3), or(2, 1));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = place.path().join("store.db");
    let begun = Instant::now();
    runtime.block_on(fill(&path, sessions));
    println!("{sessions} sign-ins in {:.1} s", begun.elapsed().as_secs_f64());
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!(
        "{:.0} bytes per session on disk after checkpoint",
        bytes as f64 / f64::from(sessions)
    );
    let begun = Instant::now();
    let store = Store::open_sqlite(&path, Role::Serve).unwrap();
    println!("opened in {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    drop(store);
    compare(&runtime, &path, sessions, (rounds, Duration::from_secs(seconds.into())));
}

fn compare(
    runtime: &tokio::runtime::Runtime,
    path: &Path,
    sessions: u32,
    (rounds, span): (u32, Duration),
) {
    let copy = path.with_file_name("bare.db");
    std::fs::copy(path, &copy).unwrap();
    let mut bare = Bare::open(&copy, sessions);
    let store = Store::open_sqlite(path, Role::Serve).unwrap();
    let turns: Arc<Vec<AtomicU32>> = Arc::new((0..sessions).map(|_| AtomicU32::new(0)).collect());
    let (mut floors, mut steps) = (Vec::new(), Vec::new());
    let mut ratios = Vec::new();
    for round in 0..=rounds {
        let before = commits(&store);
        let step = runtime.block_on(storm(&store, &turns, span));
        let batch = step.latencies.len() / (commits(&store) - before).max(1) as usize;
        let floor = bare.run(batch, span);
        let ratio = step.per_second / floor;
        println!(
            "round {round}: step {:.0}/s (p50 {:.2?}, p99 {:.2?}, max {:.2?}), bare {floor:.0}/s, ratio {ratio:.2}, batches of {batch}",
            step.per_second,
            step.quantile(0.5),
            step.quantile(0.99),
            step.quantile(1.0)
        );
        if round > 0 {
            floors.push(floor);
            steps.push(step.per_second);
            ratios.push(ratio);
        }
    }
    println!(
        "median of {rounds}: step {:.0}/s, bare {:.0}/s, ratio {:.2} (target 0.70)",
        median(&mut steps),
        median(&mut floors),
        median(&mut ratios)
    );
    copy_under_load(runtime, path, (&store, &turns), span);
}

fn copy_under_load(
    runtime: &tokio::runtime::Runtime,
    path: &Path,
    (store, turns): (&Store, &Arc<Vec<AtomicU32>>),
    span: Duration,
) {
    let usual = runtime.block_on(storm(store, turns, span));
    let (from, to) = (path.to_owned(), path.with_file_name("copy.db"));
    let begun = Instant::now();
    let copying = async {
        let copy = move || backup(&from, &to, AT, |_, _| {}).unwrap();
        let copied = tokio::task::spawn_blocking(copy).await.unwrap();
        (copied, begun.elapsed())
    };
    let (beside, (copied, took)) = runtime.block_on(storm_until(store, turns, copying));
    let (before, now) = (usual.quantile(0.99), beside.quantile(0.99));
    println!(
        "copy of {} sessions, {} MiB, in {:.1} s (target 10); step p99 {before:.2?} before, {now:.2?} beside it, ratio {:.2} (target 3.00)",
        copied.sessions,
        copied.bytes >> 20,
        took.as_secs_f64(),
        now.as_secs_f64() / before.as_secs_f64()
    );
}

fn commits(store: &Store) -> u64 {
    match store {
        Store::Sqlite(store) => store.commits(),
        Store::Redis(_) => 0,
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A name that looks random and is computed back.
fn sid_of(number: u32) -> SessionId {
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

async fn fill(path: &Path, sessions: u32) {
    let store = Store::open_sqlite(path, Role::Serve).unwrap();
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

async fn storm(store: &Store, turns: &Arc<Vec<AtomicU32>>, span: Duration) -> Measured {
    let over =
        async { tokio::time::interval_at((Instant::now() + span).into(), span).tick().await };
    storm_until(store, turns, over).await.0
}

/// All callers refresh, each its own stride of the sessions, so that every refresh advances.
async fn storm_until<R>(
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
