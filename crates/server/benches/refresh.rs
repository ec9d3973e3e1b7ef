//! Refresh over HTTP as a stranger would measure it: the real program, the real store, durable answers, and
//! the load on the same machine, by `symbolon bench refresh`, which measures its floor in the same run.
//!
//! `cargo bench -p symbolon --bench refresh -- [file|redis|redis-always|postgres]... [seconds]`; without a word about
//! it the store is the one file. Every session keeps no window (`--grace 0s`), so each answer that counts has
//! advanced its family. Another store's server is started for it, on the same machine.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

#[path = "../../store/tests/postgres/server.rs"]
#[expect(dead_code, reason = "shared with the tests, which ask more")]
mod postgres;
#[path = "../../store/tests/redis/servers.rs"]
#[expect(dead_code, reason = "shared with the tests of the store, which ask more")]
mod redis;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_symbolon");

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let seconds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(30);
    let wanted = |name: &str| words.iter().any(|word| word == name);
    if wanted("file") || !["redis", "redis-always", "postgres"].into_iter().any(wanted) {
        measure("one file", None, seconds);
    }
    for (name, fsync) in [("redis", "everysec"), ("redis-always", "always")] {
        if wanted(name) {
            let settings = ["--appendonly", "yes", "--appendfsync", fsync, "--save", ""];
            let server = redis::Server::start("redis-server", &settings).await;
            let url = format!("redis://127.0.0.1:{}/0", server.port);
            measure(&format!("Redis, appendfsync {fsync}"), Some(&url), seconds);
        }
    }
    if wanted("postgres") {
        let server = postgres::Server::new(&[]);
        measure("PostgreSQL", Some(&server.url("refresh")), seconds);
    }
}

fn measure(name: &str, store: Option<&str>, seconds: u32) {
    println!("{name}");
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut server = Command::new(PROGRAM)
        .args(["dev", "--json", "--grace", "0s", "--listen", "127.0.0.1:0"])
        .args(["--demo-listen", "127.0.0.1:0", "--data"])
        .arg(place.path())
        .args(store.into_iter().flat_map(|url| ["--store", url]))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    let authority = told["authority"].as_str().unwrap();
    let load = Command::new(PROGRAM)
        .args(["bench", "refresh", "--client-id", "web", "--sessions", "10000"])
        .args(["--connections", "64", "--duration", &format!("{seconds}s")])
        .args(["--url", &format!("{authority}/oauth2/token"), "--authority", authority])
        .env("SYMBOLON_API_KEY", told["api_key"].as_str().unwrap())
        .status();
    let _ = Command::new("kill").arg(server.id().to_string()).status();
    let _ = server.wait();
    assert!(load.unwrap().success());
}
