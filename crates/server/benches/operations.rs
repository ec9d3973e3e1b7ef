//! What operators wait for: kicks, bans, a dry run over everybody, a scrape; over HTTP, durable, with the load
//! on the same machine.
//!
//! `cargo bench -p symbolon --bench operations -- [sessions]`. The floor of kicks and bans is `/livez` on the
//! same connections in the same run; that of a dry run is reading all rows without looking at them.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures with the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

mod house;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use symbolon_wire::session_id_text;

const PROGRAM: &str = env!("CARGO_BIN_EXE_symbolon");
const CONNECTIONS: usize = 64;
const ACTS: u32 = 40_000;
const ROUNDS: usize = 5;
const SCRAPES: usize = 200;

fn main() {
    let sessions = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let sessions: u32 = sessions.unwrap_or(1_000_000);
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    drop(Running::start(place.path()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(house::fill(place.path(), sessions));
    let running = Running::start(place.path());
    look(&running, sessions);
    scrape(&running);
    let floor = running.many(ACTS, |_| ("GET", "/livez".to_owned(), String::new()));
    let shards = house::shards(place.path());
    let kicks = running.many(ACTS, |number| {
        let sid = session_id_text(house::sid(number, &shards));
        ("DELETE", format!("/v1/sessions/{sid}"), String::new())
    });
    let bans = running.many(ACTS, |number| {
        let path = format!("/v1/subjects/{}/ban", house::subject(ACTS + number));
        ("PUT", path, "{\"reason\":\"banned\"}".to_owned())
    });
    println!("floor: /livez, {CONNECTIONS} connections     {floor:>9.0} a second");
    println!(
        "kicks, durable                      {kicks:>9.0} a second   {:.2} of the floor",
        kicks / floor
    );
    println!(
        "bans, durable                       {bans:>9.0} a second   {:.2} of the floor",
        bans / floor
    );
}

/// Dry runs over every session: of everything, and of a filter that holds of none.
fn look(running: &Running, sessions: u32) {
    for (name, target) in [
        ("everything", json!({"everything": true})),
        ("a filter", json!({"filter": {"acr": "none"}})),
    ] {
        let body =
            json!({"target": target, "effect": "revoked", "reason": "admin", "dry_run": true});
        let mut spans = Vec::new();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let answer =
                Connection::open(running).ask("POST", "/v1/revocations", &body.to_string());
            spans.push(begun.elapsed());
            let told: Value = serde_json::from_str(&answer).unwrap();
            assert!(told["matched"].as_u64().is_some(), "{told}");
        }
        let took = median(spans);
        println!("dry run of {name:<12} over {sessions}   {:>9.2} s", took.as_secs_f64());
    }
}

fn scrape(running: &Running) {
    let mut connection = Connection::to(&running.metrics);
    let spans = (0..SCRAPES).map(|_| {
        let begun = Instant::now();
        connection.ask("GET", "/metrics", "");
        begun.elapsed()
    });
    let mut spans: Vec<_> = spans.collect();
    spans.sort_unstable();
    let (middle, slow) = (spans[SCRAPES / 2], spans[SCRAPES * 99 / 100]);
    println!(
        "a scrape                            {:>9.2} ms   p99 {:.2} ms",
        millis(middle),
        millis(slow)
    );
}

fn median(mut spans: Vec<Duration>) -> Duration {
    spans.sort_unstable();
    spans[spans.len() / 2]
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

struct Running {
    process: Child,
    authority: String,
    metrics: String,
    key: String,
}

impl Running {
    fn start(place: &Path) -> Self {
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
        let told: Value = serde_json::from_str(&line).unwrap();
        let host = |name: &str| {
            let url = told[name].as_str().unwrap().replace("http://", "");
            url.trim_end_matches("/metrics").to_owned()
        };
        let key = told["api_key"].as_str().unwrap().to_owned();
        Self { process, authority: host("authority"), metrics: host("metrics"), key }
    }

    /// How many of these a second, over all connections.
    fn many(&self, acts: u32, act: impl Fn(u32) -> (&'static str, String, String) + Sync) -> f64 {
        let (next, begun) = (AtomicU32::new(0), Instant::now());
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| {
                    let mut connection = Connection::open(self);
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if acts <= number {
                            return;
                        }
                        let (method, path, body) = act(number);
                        connection.ask(method, &path, &body);
                    }
                });
            }
        });
        f64::from(acts) / begun.elapsed().as_secs_f64()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// A connection that is kept alive.
struct Connection {
    stream: BufReader<TcpStream>,
    head: String,
}

impl Connection {
    fn open(running: &Running) -> Self {
        let mut connection = Self::to(&running.authority);
        connection.head.push_str(&format!("authorization: Bearer {}\r\n", running.key));
        connection
    }

    fn to(host: &str) -> Self {
        let stream = TcpStream::connect(host).unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!("host: {host}\r\ncontent-type: application/json\r\n");
        Self { stream: BufReader::new(stream), head }
    }

    /// Sends a request and reads the answer, which must be a 200; its body.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> String {
        let (head, length) = (&self.head, body.len());
        let request =
            format!("{method} {path} HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{body}");
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut length, mut line) = (0, String::new());
        self.stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{method} {path}: {line}");
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some(("content-length", text)) => length = text.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }
}
