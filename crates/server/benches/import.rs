//! How many sessions a second `symbolon import` checks and brings in, by the real program.
//!
//! `cargo bench -p symbolon --bench import -- [sessions]`; two million by default. The floor appends as many
//! bytes as a session and its old token take in the store to a plain file, synced as often as the import
//! commits. Then the same file again, which brings nothing.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures with the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

use data_encoding::HEXLOWER;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use symbolon_wire::sha256;

const PROGRAM: &str = env!("CARGO_BIN_EXE_symbolon");
/// How many sessions share a commit.
const CHUNK: u32 = 4096;
/// Bytes of a session's row, of its old token's, and of what finds them.
const ROW_BYTES: usize = 384;

fn main() {
    let sessions = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let sessions: u32 = sessions.unwrap_or(2_000_000);
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    symbolon(place.path(), &["config", "init"]);
    write_file(&place.path().join("sessions.jsonl"), sessions);
    let floor = floor(&place.path().join("plain"), sessions);
    println!("floor: a plain file     {floor:>10.0} sessions/s");
    for what in ["dry run", "import", "the same file again"] {
        let flags: &[&str] = if what == "dry run" { &["--dry-run"] } else { &[] };
        let begun = Instant::now();
        symbolon(place.path(), &[&["import", "--json", "sessions.jsonl"], flags].concat());
        let rate = f64::from(sessions) / begun.elapsed().as_secs_f64();
        println!("{what:<23} {rate:>10.0} sessions/s   {:.2} x floor", rate / floor);
    }
}

fn symbolon(place: &Path, arguments: &[&str]) {
    let output = Command::new(PROGRAM).args(arguments).current_dir(place).env_clear().output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn write_file(path: &Path, sessions: u32) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut file = BufWriter::new(File::create(path).unwrap());
    for number in 0..sessions {
        let digest = HEXLOWER.encode(&name(number));
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

/// Looks random, and is the same in every run.
fn name(number: u32) -> [u8; 32] {
    sha256(&number.to_be_bytes()).0
}

fn floor(path: &Path, sessions: u32) -> f64 {
    let mut file = File::create(path).unwrap();
    let begun = Instant::now();
    for first in (0..sessions).step_by(CHUNK as usize) {
        let count = CHUNK.min(sessions - first);
        file.write_all(&vec![0xA5; count as usize * ROW_BYTES]).unwrap();
        file.sync_data().unwrap();
    }
    f64::from(sessions) / begun.elapsed().as_secs_f64()
}
