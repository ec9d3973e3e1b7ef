//! Refresh over HTTP as a stranger would measure it: the real program, the real store, durable answers, and
//! the load on the same machine, by `symbolon bench refresh`.
//!
//! `cargo bench -p symbolon --bench refresh -- [seconds]`; every session keeps no window (`--grace 0s`), so
//! each answer that counts has advanced its family.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_symbolon");

fn main() {
    let seconds = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let seconds: u32 = seconds.unwrap_or(30);
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut server = Command::new(PROGRAM)
        .args(["dev", "--json", "--grace", "0s", "--listen", "127.0.0.1:0"])
        .args(["--demo-listen", "127.0.0.1:0", "--data"])
        .arg(place.path())
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
