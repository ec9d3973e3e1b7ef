//! `symbolon feed tail`, against a real authority.

use crate::live::Dev;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running `symbolon feed tail`; it ends with the test.
struct Tail {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Tail {
    fn of(dev: &Dev, flags: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_symbolon"))
            .args(["feed", "tail"])
            .args(flags)
            .env_clear()
            .env("SYMBOLON_URL", dev.text("authority"))
            .env("SYMBOLON_API_KEY", dev.text("api_key"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("it goes on").unwrap()
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a session and kicks it; answers its `sid`.
fn kick(dev: &Dev) -> String {
    let body = json!({"subject": "10086", "client_id": "web", "device": {"class": "web"}});
    let sid = dev.post("/v1/sessions", &body)["session_id"].as_str().unwrap().to_owned();
    dev.run(&["sessions", "kick", &sid]).ok();
    sid
}

#[test]
fn every_frame_of_the_feed_is_a_line_of_json_that_names_nobody() {
    let dev = Dev::start(&[]);
    let mut tail = Tail::of(&dev, &["--json"]);
    assert_eq!(tail.json(), json!({"event": "snapshot", "count": 0, "position": 0}));
    let sid = kick(&dev);
    let line = tail.line();
    assert!(!line.contains(&sid) && !line.contains("10086"), "{line}");
    let told: Value = serde_json::from_str(&line).unwrap();
    for (member, value) in [
        ("event", json!("revocation")),
        ("position", json!(1)),
        ("kind", json!("session")),
        ("effect", json!("revoked")),
        ("reason", json!("kicked")),
    ] {
        assert_eq!(told[member], value, "{told}");
    }
    assert!(told["at"].as_u64() < told["expires_at"].as_u64(), "{told}");
    assert_eq!(told["digest"].as_str().map(str::len), Some(22), "{told}");
    dev.run(&["subjects", "roles", "10086", "buyer"]).ok();
    let stale = tail.json();
    assert_eq!((&stale["kind"], &stale["effect"]), (&json!("subject"), &json!("stale")));
    assert_eq!(stale["below"].as_array().map(Vec::len), Some(2), "{stale}");
}

#[test]
fn who_comes_later_is_told_where_it_begins_and_checkpoints_only_when_asked() {
    let dev = Dev::start(&[]);
    kick(&dev);
    let mut tail = Tail::of(&dev, &["--json", "--verbose"]);
    assert_eq!(tail.json(), json!({"event": "snapshot", "count": 1, "position": 1}));
    let checkpoint = (0..20).map(|_| tail.json()).find(|line| line["event"] == "checkpoint");
    let jws = checkpoint.expect("one comes each second")["jws"].as_str().unwrap().to_owned();
    assert_eq!(jws.split('.').count(), 3);
}
