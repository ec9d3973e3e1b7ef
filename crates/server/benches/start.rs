//! How long the authority takes from `exec` to a `/readyz` of 200, and what it weighs when idle.
//!
//! `cargo bench -p symbolon --bench start -- [sessions]`; median of ten starts, on a store with keys but
//! no sessions, and on one with a million. The floor is `symbolon --version`: the same program, doing nothing.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures with the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

mod house;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_symbolon");
const STARTS: usize = 10;

fn main() {
    let sessions = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let sessions: u32 = sessions.unwrap_or(1_000_000);
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    drop(Running::start(place.path()));
    let floor = median((0..STARTS).map(|_| version()).collect());
    println!("floor: `symbolon --version`            {:>8.1} ms", millis(floor));
    report("keys, no sessions", place.path(), floor);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(house::fill(place.path(), sessions));
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
