//! What a `step` on Redis costs beside a bare scripted compare-and-set of equal size.
//!
//! `cargo bench -p symbolon-store --features conformance --bench redis -- [sessions] [rounds] [seconds]`
//!
//! The floor is 256 callers on one multiplexed connection to the same server, each running the smallest script
//! that compares eight bytes and sets a value as long as the store's. Rounds are interleaved. The store does all
//! of it: 256 callers each load a session, ask `Loaded::refresh`, encode, compare and set. Once with
//! `appendfsync everysec`, once with `always`. First the memory of a session is measured. Beside what was done in a
//! second stands how long processors worked for each, the server's and ours together: others do not disturb that.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

use redis::aio::MultiplexedConnection;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use symbolon_core::binding::Proof;
use symbolon_core::{
    Act, ClientId, ClientPolicy, Generation, Refresh, RefreshToken, Salt, SessionId, Start,
    StoreEpoch, Terms,
};
use symbolon_store::Store;
use symbolon_store::conformance::{AT, key, session_start, sign_in_through};
use symbolon_store::redis::{Address, doctor};
use tokio::task::JoinSet;
use tokio::time::Instant;

const CALLERS: u32 = 256;
const PORT: u16 = 16_399;

/// The process of the server.
static SERVER: AtomicU32 = AtomicU32::new(0);

const CAS: &str = "local row = redis.call('GET', KEYS[1]) \
     if row and string.sub(row, 1, 8) ~= ARGV[1] then return 0 end \
     redis.call('SET', KEYS[1], ARGV[2]) return 1";

/// What was done.
struct Measured {
    per_second: f64,
    /// Microseconds that processors worked for each, here and in the server.
    micros: f64,
}

/// Ends with the benchmark.
struct Server {
    process: Child,
    _place: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _tried = self.process.kill();
        let _ended = self.process.wait();
    }
}

fn server(fsync: &str) -> Server {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let child = Command::new("redis-server")
        .args(["--port", &PORT.to_string(), "--save", "", "--appendonly", "yes"])
        .args(["--appendfsync", fsync, "--dir", &place.path().display().to_string()])
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is missing: apt-get install redis-server");
    Server { process: child, _place: place }
}

fn main() {
    let numbers = std::env::args().skip(1).filter_map(|word| word.parse::<u32>().ok());
    let numbers: Vec<u32> = numbers.collect();
    let or = |index: usize, default| numbers.get(index).copied().unwrap_or(default);
    let (sessions, rounds, seconds) = (or(0, 100_000), or(1, 5), or(2, 2));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for (fsync, target) in [("everysec", 0.5), ("always", 0.6)] {
        let server = server(fsync);
        SERVER.store(server.process.id(), Ordering::Relaxed);
        let span = Duration::from_secs(seconds.into());
        runtime.block_on(measure((fsync, target), sessions, (rounds, span)));
    }
}

async fn measure((fsync, target): (&str, f64), sessions: u32, (rounds, span): (u32, Duration)) {
    let address = Address::parse(&format!("redis://127.0.0.1:{PORT}/0")).unwrap();
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let store = loop {
        tick.tick().await;
        if let Ok(store) = Store::open_redis(&address).await {
            break store;
        }
    };
    let empty = doctor(&address).await.unwrap()[0].used_memory;
    fill(&store, sessions).await;
    let full = doctor(&address).await.unwrap()[0].used_memory;
    println!(
        "{fsync}: {:.0} bytes of memory per session ({sessions} sessions)",
        (full - empty) as f64 / f64::from(sessions)
    );
    let turns: Arc<Vec<AtomicU32>> = Arc::new((0..sessions).map(|_| AtomicU32::new(0)).collect());
    let epoch = store.cutoffs().epoch;
    let (mut ratios, mut steps, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    let mut work = Vec::new();
    let connection = bare().await;
    for round in 0..=rounds {
        let step = storm(&store, (&turns, epoch), span).await;
        let floor = floor(&connection, span).await;
        let ratio = step.per_second / floor.per_second;
        println!(
            "{fsync} round {round}: step {:.0}/s ({:.0} us), bare {:.0}/s ({:.0} us), ratio {ratio:.2}",
            step.per_second, step.micros, floor.per_second, floor.micros
        );
        if round > 0 {
            ratios.push(ratio);
            steps.push(step.per_second);
            floors.push(floor.per_second);
            work.push(floor.micros / step.micros);
        }
    }
    println!(
        "{fsync}, median of {rounds}: step {:.0}/s, bare {:.0}/s, ratio {:.2} (target {target:.2}), of work {:.2}",
        median(&mut steps),
        median(&mut floors),
        median(&mut ratios),
        median(&mut work)
    );
}

/// Microseconds that processors worked for the server and for this process, so far.
fn worked() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let of = |process: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let after_name = stat.rsplit(')').next().unwrap().split_whitespace();
        after_name.skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>()
    };
    let ticks = of("self") + of(&SERVER.load(Ordering::Relaxed).to_string());
    ticks * 1e6 / TICKS_PER_SECOND
}

impl Measured {
    fn of(count: u64, begun: Instant, worked_before: f64) -> Self {
        let count = count as f64;
        let per_second = count / begun.elapsed().as_secs_f64();
        Self { per_second, micros: (worked() - worked_before) / count }
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
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[8..12].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn start_of(number: u32) -> Start {
    Start {
        sid: sid_of(number),
        scope: "openid profile".into(),
        amr: Arc::new(["pwd".into()]),
        ip: Some("203.0.113.77".into()),
        ..session_start(&format!("user-{number:07}"), number)
    }
}

async fn fill(store: &Store, sessions: u32) {
    let next = Arc::new(AtomicU32::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (store, next) = (store.clone(), Arc::clone(&next));
        callers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if sessions <= number {
                    return;
                }
                sign_in_through(&store, &start_of(number)).await;
            }
        });
    }
    callers.join_all().await;
}

/// Refreshes per second: each caller has sessions of its own, so that each refresh advances.
async fn storm(
    store: &Store,
    (turns, epoch): (&Arc<Vec<AtomicU32>>, StoreEpoch),
    span: Duration,
) -> Measured {
    let over = Arc::new(AtomicBool::new(false));
    let (begun, before) = (Instant::now(), worked());
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (store, turns, over) = (store.clone(), Arc::clone(turns), Arc::clone(&over));
        callers.spawn(async move {
            let mut count = 0_u64;
            let mut number = caller as usize;
            while !over.load(Ordering::Relaxed) {
                number = (number + 7919 * CALLERS as usize) % turns.len();
                let own = number / CALLERS as usize * CALLERS as usize + caller as usize;
                advance(&store, own % turns.len(), (&turns, epoch)).await;
                count += 1;
            }
            count
        });
    }
    after(span).await;
    over.store(true, Ordering::Relaxed);
    Measured::of(callers.join_all().await.into_iter().sum(), begun, before)
}

async fn after(span: Duration) {
    tokio::time::interval_at(Instant::now() + span, span).tick().await;
}

async fn advance(store: &Store, number: usize, (turns, epoch): (&[AtomicU32], StoreEpoch)) {
    let generation = turns[number].load(Ordering::Relaxed);
    let at = AT.after(Duration::from_secs(60 * u64::from(generation + 1)));
    let sid = sid_of(number as u32);
    let token = RefreshToken::assume_genuine(epoch, sid, Generation(generation), Salt([3; 8]));
    let (policy, client, act) =
        (ClientPolicy::default(), ClientId::parse("web").unwrap(), Act::authority());
    let terms = Terms { policy: &policy, key: key(), keys_usable: &[key()] };
    let ask = Refresh { token: &token, client: &client, proof: Proof::default(), terms, act: &act };
    let committed = store.step(sid, |loaded| loaded.refresh(&ask, at)).await.unwrap().unwrap();
    turns[number].store(committed.reply.unwrap().session.generation.0, Ordering::Relaxed);
}

async fn bare() -> MultiplexedConnection {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", PORT)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let login = redis::RedisConnectionInfo::default();
    let config = redis::AsyncConnectionConfig::new();
    let made = MultiplexedConnection::new_with_config(&login, stream, config).await;
    let (connection, driver) = made.unwrap();
    tokio::spawn(driver);
    connection
}

/// Compare-and-sets per second, of values as long as a session's.
async fn floor(connection: &MultiplexedConnection, span: Duration) -> Measured {
    let mut first = connection.clone();
    let mut load = redis::Cmd::new();
    load.arg("SCRIPT").arg("LOAD").arg(CAS);
    let sha: String = load.query_async(&mut first).await.unwrap();
    let (over, sha) = (Arc::new(AtomicBool::new(false)), Arc::new(sha));
    let (begun, before) = (Instant::now(), worked());
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (mut own, over, sha) = (connection.clone(), Arc::clone(&over), Arc::clone(&sha));
        callers.spawn(async move {
            let value = [7_u8; 208];
            let mut count = 0_u64;
            while !over.load(Ordering::Relaxed) {
                let sid = sid_of(caller + CALLERS * (count % 390) as u32);
                let key = [&b"bare:"[..], sid.as_bytes()].concat();
                let mut set = redis::Cmd::new();
                set.arg("EVALSHA").arg(&*sha).arg(1).arg(key).arg(&value[..8]).arg(&value[..]);
                let _done: u32 = set.query_async(&mut own).await.unwrap();
                count += 1;
            }
            count
        });
    }
    after(span).await;
    over.store(true, Ordering::Relaxed);
    Measured::of(callers.join_all().await.into_iter().sum(), begun, before)
}
