//! How long the authority takes from `exec` to a `/readyz` of 200, and what it weighs when idle.
//!
//! `cargo bench -p symbolon --bench start -- [sessions]`; median of ten starts, on a store with keys but
//! no sessions, and on one with a million. The floor is `symbolon --version`: the same program, doing nothing.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures with the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use symbolon_core::binding::Binding;
use symbolon_core::device::{Device, DeviceClass};
use symbolon_core::{
    Act, ClientId, ClientPolicy, KeyId, LoadedSubject, Salt, SessionId, Start, Subject, Terms,
    Timestamp,
};
use symbolon_store::{Role, Store};

const PROGRAM: &str = env!("CARGO_BIN_EXE_symbolon");
const STARTS: usize = 10;
const CALLERS: u32 = 256;
const KEY: KeyId = KeyId([7; 12]);

fn main() {
    let sessions = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let sessions: u32 = sessions.unwrap_or(1_000_000);
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    drop(Running::start(place.path()));
    let floor = median((0..STARTS).map(|_| version()).collect());
    println!("floor: `symbolon --version`            {:>8.1} ms", millis(floor));
    report("keys, no sessions", place.path(), floor);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(fill(&place.path().join("symbolon.db"), sessions));
    report(&format!("{sessions} sessions"), place.path(), floor);
}

fn report(name: &str, place: &Path, floor: Duration) {
    let mut weights = Vec::new();
    let starts: Vec<_> = (0..STARTS)
        .map(|_| {
            let running = Running::start(place);
            weights.push(running.resident_kib());
            running.took
        })
        .collect();
    let took = median(starts);
    weights.sort_unstable();
    println!(
        "{name:<38} {:>8.1} ms   {:>5.1} x floor   {:>5.1} MiB resident",
        millis(took),
        took.as_secs_f64() / floor.as_secs_f64(),
        weights[weights.len() / 2] as f64 / 1024.0
    );
}

struct Running {
    process: Child,
    took: Duration,
}

impl Running {
    fn start(place: &Path) -> Self {
        let begun = Instant::now();
        let mut process = Command::new(PROGRAM)
            .args(["dev", "--json", "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"])
            .arg("--data")
            .arg(place)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = told["authority"].as_str().unwrap().replace("http://", "");
        while !is_ready(&address) {
            assert_eq!(process.try_wait().unwrap(), None, "it stopped");
        }
        Self { process, took: begun.elapsed() }
    }

    fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGTERM, so that the next start finds a store that was closed.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

fn is_ready(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    let sent = stream.write_all(request.as_bytes());
    sent.and_then(|()| stream.read_to_string(&mut answer)).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn version() -> Duration {
    let begun = Instant::now();
    Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).status().unwrap();
    begun.elapsed()
}

fn median(mut spans: Vec<Duration>) -> Duration {
    spans.sort_unstable();
    spans[spans.len() / 2]
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

async fn fill(path: &Path, sessions: u32) {
    let store = Store::open_sqlite(path, Role::Serve).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (at, next) = (Timestamp::from_seconds(now), Arc::new(AtomicU32::new(0)));
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

fn start_of(number: u32) -> Start {
    let mixed = u64::from(number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut sid = [0; 16];
    sid[..8].copy_from_slice(&mixed.to_be_bytes());
    sid[8..12].copy_from_slice(&number.to_be_bytes());
    Start {
        sid: SessionId::from_bytes(sid),
        salt: Salt([3; 8]),
        subject: Subject::parse(&format!("user-{number:07}")).unwrap(),
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
