//! `symbolon import`: what it takes, what it refuses, and how it says so.

use crate::common::{Ran, symbolon};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

#[expect(clippy::disallowed_methods, reason = "a file says until when its sessions live")]
fn in_days(days: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + days * 24 * 3600
}

/// A directory with a configuration of client `web`, and a master key.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    symbolon(home.path(), &["config", "init"]).ok();
    home
}

fn line(number: u8) -> Value {
    json!({
        "subject": format!("user-{number}"),
        "client_id": "web",
        "device": {"class": "web"},
        "expires_at": in_days(20),
        "refresh_token_sha256": format!("{number:02x}").repeat(32),
    })
}

fn import(home: &Path, lines: &[Value], flags: &[&str]) -> Ran {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(home.join("sessions.jsonl"), text).unwrap();
    symbolon(home, &[&["import", "sessions.jsonl"], flags].concat())
}

/// Imported, already there, expired, bad.
fn counts(ran: &Ran) -> [u64; 4] {
    let said = ran.json();
    ["imported", "already_there", "expired", "bad"].map(|name| said[name].as_u64().unwrap())
}

#[test]
fn a_second_run_imports_nothing_twice() {
    let home = home();
    let lines = [line(1), line(2), line(1)];
    assert_eq!(counts(&import(home.path(), &lines, &["--json"]).ok()), [2, 1, 0, 0]);
    assert_eq!(counts(&import(home.path(), &lines, &["--json"]).ok()), [0, 3, 0, 0]);
}

#[test]
fn a_dry_run_imports_nothing() {
    let home = home();
    let dry = import(home.path(), &[line(1)], &["--dry-run", "--json"]).ok();
    assert_eq!((counts(&dry), &dry.json()["dry_run"]), ([1, 0, 0, 0], &json!(true)));
    assert_eq!(counts(&import(home.path(), &[line(1)], &["--json"]).ok()), [1, 0, 0, 0]);
}

#[test]
fn each_bad_line_is_told_by_its_number_and_nothing_is_imported() {
    let home = home();
    let mut lines: Vec<_> = (1..=6).map(line).collect();
    lines[1]["client_id"] = "mobile".into();
    lines[2]["scope"] = "everything".into();
    lines[3]["expires_at"] = json!(in_days(20) * 1000);
    lines[4]["refresh_token_sha256"] = "the token itself".into();
    let ran = import(home.path(), &lines, &[]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    for said in [
        "line 2: client_id: is not a client",
        "line 3: scope: goes beyond",
        "line 4: expires_at: lies more than ten years ahead",
        "line 5: refresh_token_sha256: must be the 32 bytes",
        "4 lines are wrong, so nothing was imported",
        "--skip-bad",
    ] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    assert!(!ran.err.contains("the token itself"), "{}", ran.err);
    let refused = import(home.path(), &lines, &["--json"]);
    assert_eq!((refused.code, counts(&refused)), (1, [0, 0, 0, 4]));
    let dry = import(home.path(), &lines, &["--dry-run", "--json"]);
    assert_eq!((dry.code, counts(&dry)), (1, [2, 0, 0, 4]));
    assert_eq!(dry.json()["bad_lines"][0]["line"], 2);
    assert_eq!(counts(&import(home.path(), &lines, &["--skip-bad", "--json"]).ok()), [2, 0, 0, 4]);
    assert_eq!(counts(&import(home.path(), &lines, &["--skip-bad", "--json"])), [0, 2, 0, 4]);
}

#[test]
fn what_is_over_is_counted_and_an_end_beyond_the_clients_is_cut() {
    let home = home();
    let mut lines: Vec<_> = (1..=4).map(line).collect();
    lines[0]["expires_at"] = json!(in_days(-1));
    lines[1]["expires_at"] = json!(in_days(400));
    (lines[2]["created_at"], lines[2]["expires_at"]) = (json!(in_days(-91)), json!(in_days(400)));
    let ran = import(home.path(), &lines, &["--json"]).ok();
    assert_eq!(counts(&ran), [2, 0, 2, 0]);
    assert_eq!(ran.json()["cut"], 1);
}

#[test]
fn a_token_that_stands_twice_is_one_session_of_the_first_who_has_it() {
    let home = home();
    let mut other = line(1);
    other["subject"] = "somebody-else".into();
    let ran = import(home.path(), &[line(1), other.clone()], &["--json"]).ok();
    assert_eq!(counts(&ran), [1, 1, 0, 0]);
    assert_eq!(counts(&import(home.path(), &[other], &["--json"]).ok()), [0, 1, 0, 0]);
}

#[test]
fn people_are_told_what_became_of_the_lines() {
    let home = home();
    let ran = import(home.path(), &[line(1)], &[]).ok();
    assert!(
        ran.out.starts_with("imported                1  sessions that go on here\n"),
        "{}",
        ran.out
    );
    let dry = import(home.path(), &[line(2)], &["--dry-run"]).ok();
    assert!(dry.out.starts_with("would come              1  "), "{}", dry.out);
}

#[test]
fn a_file_that_cannot_be_read_twice_or_at_all_is_refused_before_anything_is_opened() {
    let home = home();
    assert_eq!(symbolon(home.path(), &["import", "nowhere.jsonl"]).code, 3);
    assert_eq!(symbolon(home.path(), &["import", "."]).code, 2);
    assert_eq!(symbolon(home.path(), &["import"]).code, 2);
    assert!(!home.path().join("symbolon.db").exists());
}

#[test]
fn many_lines_come_in_many_commits() {
    let home = home();
    let of = |number: u32| {
        let mut line = line(0);
        line["subject"] = format!("user-{}", number / 3).into();
        line["refresh_token_sha256"] = format!("{number:064x}").into();
        line
    };
    let lines: Vec<_> = (0..9000).map(of).collect();
    assert_eq!(counts(&import(home.path(), &lines, &["--json"]).ok()), [9000, 0, 0, 0]);
    assert_eq!(counts(&import(home.path(), &lines, &["--json"]).ok()), [0, 9000, 0, 0]);
}
