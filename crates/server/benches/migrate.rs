//! How many sessions a second `symbolon migrate` copies from each store into each other, by the real program and real
//! servers.
//!
//! `cargo bench -p symbolon --bench migrate -- [sessions]`; 200,000 by default. A file is filled by an import, and copied
//! around: into PostgreSQL and Redis, from each of them into the other, and back into files. A session brings an old token
//! and half a subject along; the rate counts sessions, and the time is of the copying alone, without the count before and
//! the comparison after it, which stand beside it. The floor writes as many bytes as a session has in a file, and is synced
//! as often as pages are committed.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures with the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

#[path = "../tests/engines/mod.rs"]
mod engines;

use data_encoding::HEXLOWER;
use engines::Engine;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use symbolon_wire::sha256;

const PROGRAM: &str = env!("CARGO_BIN_EXE_symbolon");
/// How many rows are in a page.
const PAGE: u32 = 512;
/// Bytes of a session's row, of its old token's, and of what finds them.
const ROW_BYTES: usize = 384;

fn main() {
    let sessions = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let sessions: u32 = sessions.unwrap_or(200_000);
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    symbolon(place.path(), &["config", "init"]);
    write_file(&place.path().join("sessions.jsonl"), sessions);
    symbolon(place.path(), &["import", "--json", "sessions.jsonl"]);
    let floor = floor(&place.path().join("plain"), sessions);
    println!("{sessions} sessions; floor: a plain file, synced each {PAGE}: {floor:.0}/s");
    let file = |name: &str| format!("sqlite:{}/{name}.db", place.path().display());
    let begin = file("symbolon");
    let (postgres, redis) = (Engine::Postgres.place(), Engine::Redis.place());
    for (what, from, to) in [
        ("file to file", &begin, &file("two")),
        ("file to PostgreSQL", &begin, &postgres),
        ("file to Redis", &begin, &redis),
        ("PostgreSQL to Redis", &postgres, &Engine::Redis.place()),
        ("Redis to PostgreSQL", &redis, &Engine::Postgres.place()),
        ("PostgreSQL to file", &postgres, &file("three")),
        ("Redis to file", &redis, &file("four")),
    ] {
        let begun = Instant::now();
        let said =
            symbolon(place.path(), &["migrate", "--from", from, "--to", to, "--source-stopped"]);
        let all = begun.elapsed().as_secs_f64();
        let copying = copying(&said);
        let rate = f64::from(sessions) / copying;
        println!(
            "{what:<22} {rate:>8.0} sessions/s ({:.2} x floor); {copying:.1} s of {all:.1} s",
            rate / floor
        );
    }
}

/// How many seconds copying took, as the program says.
fn copying(said: &str) -> f64 {
    let line = said.lines().next().unwrap();
    line.split_once(" rows in ").unwrap().1.split_once(" s, ").unwrap().0.parse().unwrap()
}

fn symbolon(place: &Path, arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).current_dir(place).env_clear().output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn write_file(path: &Path, sessions: u32) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut file = BufWriter::new(File::create(path).unwrap());
    for number in 0..sessions {
        // Looks random, and is the same in every run.
        let digest = HEXLOWER.encode(&sha256(&number.to_be_bytes()).0);
        let (subject, ends) = (number / 2, now + 86_400 + u64::from(number % 1_000_000));
        writeln!(
            file,
            "{{\"subject\":\"user-{subject:08}\",\"client_id\":\"web\",\"device\":{{\"class\":\"app\",\
             \"id\":\"device-{number:08}\",\"name\":\"Pixel 9\"}},\"created_at\":{},\
             \"expires_at\":{ends},\"refresh_token_sha256\":\"{digest}\",\"amr\":[\"pwd\"]}}",
            now - 1000
        )
        .unwrap();
    }
    file.flush().unwrap();
}

fn floor(path: &Path, sessions: u32) -> f64 {
    let mut file = File::create(path).unwrap();
    let begun = Instant::now();
    for first in (0..sessions).step_by(PAGE as usize) {
        let count = PAGE.min(sessions - first);
        file.write_all(&vec![0xA5; count as usize * ROW_BYTES]).unwrap();
        file.sync_data().unwrap();
    }
    f64::from(sessions) / begun.elapsed().as_secs_f64()
}
