//! Commands that call an authority, against a real one.

use crate::common::{Ran, symbolon_with};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running `symbolon dev`; it ends with the test.
pub(crate) struct Dev {
    process: Child,
    ready: Value,
}

impl Dev {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_symbolon"))
            .args(["dev", "--json", "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"])
            .args(flags)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, ready: serde_json::from_str(&line).unwrap() }
    }

    pub(crate) fn text(&self, member: &str) -> &str {
        self.ready[member].as_str().unwrap()
    }

    /// Posts JSON as the operator.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let key = format!(
            "Authorization: Bearer {}\r\nContent-Type: application/json",
            self.text("api_key")
        );
        self.send(path, &key, &body.to_string())
    }

    /// Renews.
    pub(crate) fn refresh(&self, client: &str, token: &str) -> Value {
        let form = format!("grant_type=refresh_token&client_id={client}&refresh_token={token}");
        self.send("/oauth2/token", "Content-Type: application/x-www-form-urlencoded", &form)
    }

    /// An access token of client `service`, got with its own credentials.
    pub(crate) fn service_token(&self) -> String {
        let secret = self.ready["clients"]["service"]["client_secret"].as_str().unwrap();
        let form =
            format!("grant_type=client_credentials&client_id=service&client_secret={secret}");
        let headers = "Content-Type: application/x-www-form-urlencoded";
        self.send("/oauth2/token", headers, &form)["access_token"].as_str().unwrap().to_owned()
    }

    fn send(&self, path: &str, headers: &str, body: &str) -> Value {
        let host = self.text("authority").strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 20"), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success());
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let variables =
            [("SYMBOLON_URL", self.text("authority")), ("SYMBOLON_API_KEY", self.text("api_key"))];
        symbolon_with(Path::new("."), arguments, &variables)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_race_of_fifty_has_one_successor_and_its_session_can_be_seen_and_kicked() {
    let dev = Dev::start(&[]);
    let raced = dev.run(&["demo", "race"]).ok();
    let promised = "50 renewals of one token   ->  50 answered, 1 successor, nobody logged out (";
    assert!(raced.out.starts_with(promised), "{}", raced.out);
    let json = dev.run(&["demo", "race", "--json", "--callers", "8"]).ok().json();
    assert_eq!((&json["answered"], &json["access_tokens"]), (&8.into(), &1.into()));

    let sessions = dev.run(&["sessions", "list", "--json"]).ok().json();
    let (sid, subject) = (&sessions["items"][0]["session_id"], &sessions["items"][0]["subject"]);
    let (sid, subject) = (sid.as_str().unwrap(), subject.as_str().unwrap());
    let table = dev.run(&["sessions", "list", "--subject", subject]).ok().out;
    assert!(table.contains(sid) && !table.contains('\u{1b}'), "{table}");
    let shown = dev.run(&["sessions", "show", sid]).ok().out;
    assert!(shown.contains("web (symbolon demo race)"), "{shown}");
    let kicked = dev.run(&["sessions", "kick", sid, "--note", "test"]).ok().out;
    assert_eq!(kicked, format!("ended: kicked {sid}\n"));
    let again = dev.run(&["sessions", "kick", sid]).ok().out;
    assert_eq!(again, "nothing to end: no such session is active\n");
    let unknown = dev.run(&["sessions", "show", "AAAAAAAAAAAAAAAAAAAAAA"]);
    assert_eq!(unknown.code, 1, "{}", unknown.err);
}

#[test]
fn a_race_without_a_window_is_lost_and_ends_with_1() {
    let dev = Dev::start(&["--grace", "0s"]);
    let raced = dev.run(&["demo", "race"]);
    assert_eq!(raced.code, 1, "{}", raced.out);
    assert!(raced.out.contains("1 successor, logged out"), "{}", raced.out);
}

#[test]
fn the_benchmark_counts_what_advanced_and_prints_its_floor() {
    let dev = Dev::start(&["--grace", "0s"]);
    let url = format!("{}/oauth2/token", dev.text("authority"));
    let bench = dev
        .run(&[
            "bench",
            "refresh",
            "--url",
            &url,
            "--client-id",
            "web",
            "--authority",
            dev.text("authority"),
            "--sessions",
            "12",
            "--connections",
            "4",
            "--duration",
            "300ms",
            "--json",
        ])
        .ok()
        .json();
    assert!(bench["advanced"].as_u64() > Some(0));
    assert_eq!(bench["advanced"], bench["requests"]);
    assert_eq!(bench["errors"], serde_json::json!({}));
    for member in
        ["seconds", "per_second", "p50_ms", "p95_ms", "p99_ms", "max_ms", "floor_per_second"]
    {
        assert!(bench[member].as_f64() > Some(0.0), "{member}: {bench}");
    }
}

#[test]
fn a_benchmark_of_dead_tokens_says_why_and_ends_with_3() {
    let dev = Dev::start(&[]);
    let home = tempfile::tempdir().unwrap();
    let tokens = home.path().join("tokens");
    std::fs::write(&tokens, "x\ny\n").unwrap();
    let url = format!("{}/oauth2/token", dev.text("authority"));
    let ran = dev.run(&[
        "bench",
        "refresh",
        "--url",
        &url,
        "--client-id",
        "web",
        "--tokens",
        tokens.to_str().unwrap(),
        "--sessions",
        "2",
        "--duration",
        "100ms",
    ]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("error 400 invalid_grant: 2"), "{}", ran.out);
    assert!(ran.err.contains("no renewal was answered with 200"), "{}", ran.err);
}

#[test]
fn a_subject_is_given_roles_banned_and_let_in_again() {
    let dev = Dev::start(&[]);
    let shown = dev.run(&["subjects", "show", "10086"]).ok().out;
    assert!(shown.contains("version          0.0"), "{shown}");
    let changed = dev.run(&["subjects", "roles", "10086", "admin", "buyer"]).ok().out;
    assert_eq!(changed, "roles changed: they are in every access token from now on\n");
    assert_eq!(dev.run(&["subjects", "roles", "10086"]).ok().out, "admin buyer\n");
    let same = dev.run(&["subjects", "roles", "10086", "admin", "buyer"]).ok().out;
    assert_eq!(same, "nothing changed: these are the roles it had\n");
    dev.run(&["subjects", "roles", "10086", "--none"]).ok();
    let json = dev.run(&["subjects", "show", "10086", "--json"]).ok().json();
    assert_eq!((&json["roles"], &json["version"]), (&serde_json::json!([]), &"0.2".into()));

    let banned = ["subjects", "ban", "10086", "--for", "7d", "--note", "ticket 4711"];
    let banned = dev.run(&banned).ok().out;
    assert_eq!(banned, "banned\nnothing to end: no such session is active\n");
    let shown = dev.run(&["subjects", "show", "10086"]).ok().out;
    assert!(shown.contains("ban note         ticket 4711"), "{shown}");
    let lifted = dev.run(&["subjects", "unban", "10086", "--note", "ticket 4712"]).ok().out;
    assert_eq!(lifted, "the ban is lifted: the subject may sign in again\n");
    let nothing = dev.run(&["subjects", "unban", "10086"]).ok().out;
    assert_eq!(nothing, "nothing to lift: there was no ban\n");
    for told in [&["log", "--subject", "10086"][..], &["explain", "--subject", "10086"]] {
        let told = dev.run(told).ok().out;
        let line = told.lines().find(|line| line.contains("ban_lifted")).expect("it is told");
        assert!(line.contains("api_key:dev") && line.contains("ticket 4712"), "{told}");
    }
    let events = dev.run(&["log", "--subject", "10086", "--json"]).ok().out;
    let lifted = events.lines().find(|line| line.contains("ban_lifted")).unwrap();
    let lifted: Value = serde_json::from_str(lifted).unwrap();
    let asked = ["explain", "--request-id", lifted["request_id"].as_str().unwrap()];
    let told = dev.run(&asked).ok().out;
    assert!(told.contains("It had this effect: ban_lifted at 2"), "{told}");
    let waited = dev.run(&["subjects", "ban", "10086", "--wait", "2s"]).ok().out;
    assert!(waited.contains("refused at ") && waited.contains(" verifiers after "), "{waited}");
    assert_eq!(dev.run(&["subjects", "ban", "10086", "--wait", "11s"]).code, 1);
    assert_eq!(dev.run(&["subjects", "ban", "10086", "--reason", "because"]).code, 1);
    assert_eq!(dev.run(&["subjects", "roles", "10086", "x", "--none"]).code, 2);
}

#[test]
fn the_log_shows_what_ended_and_counts_it() {
    let dev = Dev::start(&[]);
    dev.run(&["demo", "race", "--callers", "2"]).ok();
    let sessions = dev.run(&["sessions", "list", "--json"]).ok().json();
    let sid = sessions["items"][0]["session_id"].as_str().unwrap();
    dev.run(&["sessions", "kick", sid, "--note", "lost phone"]).ok();
    for subject in ["a", "b"] {
        dev.run(&["subjects", "ban", subject, "--note", "spam\u{1b}[2J"]).ok();
    }
    let table = dev.run(&["log", "--since", "1h"]).ok().out;
    assert!(table.contains("lost phone") && table.contains("api_key:dev"), "{table}");
    assert!(!table.contains('\u{1b}'), "a note moves the cursor: {table}");
    let hyphen = dev.run(&["log", "--sid", "-AAAAAAAAAAAAAAAAAAAAA", "--json"]);
    assert_ne!(hyphen.code, 2, "one in 64 begins so: {}", hyphen.err);
    let own = dev.run(&["log", "--sid", sid, "--json"]).ok().json();
    assert_eq!((&own["reason"], &own["session_id"]), (&"kicked".into(), &sid.into()));
    let of_one = dev.run(&["log", "--subject", "a", "--reason", "banned", "--json"]).ok().out;
    assert_eq!(of_one.lines().count(), 1, "{of_one}");
    let groups = dev.run(&["log", "--group-by", "reason,client", "--json"]).ok().out;
    let groups: Vec<Value> =
        groups.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = [
        serde_json::json!({"reason": "banned", "client_id": "", "count": 2}),
        serde_json::json!({"reason": "kicked", "client_id": "web", "count": 1}),
    ];
    assert_eq!(groups, expected);
    let table = dev.run(&["log", "--group-by", "reason"]).ok().out;
    assert!(table.contains("REASON") && table.contains("COUNT"), "{table}");
    assert_eq!(dev.run(&["log", "--reason", "because"]).code, 1);
    assert_eq!(dev.run(&["log", "--since", "soon"]).code, 2);
}

#[test]
fn a_client_is_listed_switched_off_and_on_and_treated_leniently_for_a_while() {
    let dev = Dev::start(&[]);
    let table = dev.run(&["clients", "list"]).ok().out;
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("CLIENT"), "{table}");
    assert!(lines[3].starts_with("service") && lines[3].contains("confidential"), "{table}");
    assert!(lines[4].contains("enabled  enforce"), "{table}");
    let shown = dev.run(&["clients", "show", "web"]).ok().out;
    assert!(shown.contains("state            enabled\n"), "{shown}");
    assert!(shown.contains("grace            10s\n"), "{shown}");

    let off = ["clients", "disable", "web", "--note", "leaked"];
    assert_eq!(dev.run(&off).ok().out, "disabled: refused in every grant\n");
    assert_eq!(dev.run(&off).ok().out, "nothing changed: it was disabled\n");
    let raced = dev.run(&["demo", "race"]);
    assert!(raced.code == 1 && raced.err.contains("client_disabled"), "{}", raced.err);
    let history = dev.run(&["log", "--json"]).ok().out;
    assert!(history.contains("\"note\":\"leaked\""), "{history}");

    let replay = ["clients", "replay", "web", "report", "--for", "30min"];
    let said = dev.run(&replay).ok().out;
    assert!(said.starts_with("replays are treated as `report` until 20"), "{said}");
    let shown = dev.run(&["clients", "show", "web", "--json"]).ok().json();
    assert_eq!((&shown["disabled"], &shown["replay"]["mode"]), (&true.into(), &"report".into()));
    assert_eq!(dev.run(&["clients", "enable", "web"]).ok().out, "enabled: its sessions go on\n");
    let shown = dev.run(&["clients", "show", "web", "--json"]).ok().json();
    assert_eq!((&shown["disabled"], &shown["replay"]["mode"]), (&false.into(), &"report".into()));
    let said = dev.run(&["clients", "replay", "web", "configured"]).ok().out;
    assert_eq!(said, "replays are treated as configured\n");
    let unchanged = dev.run(&["clients", "enable", "web", "--json"]).ok().json();
    assert_eq!(unchanged["changed"], false);

    let unknown = dev.run(&["clients", "disable", "nobody"]);
    assert_eq!(unknown.code, 1, "{}", unknown.err);
    let wrong = dev.run(&["clients", "replay", "web", "sometimes"]);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
    let long = dev.run(&["clients", "replay", "web", "off", "--for", "31d"]);
    assert_eq!(long.code, 1, "{}", long.err);
}

#[test]
fn a_drawn_secret_fits_the_hash_that_is_shown_beside_it() {
    let drawn = symbolon_with(Path::new("."), &["config", "secret", "--json"], &[]).ok().json();
    let (secret, hash) = (drawn["client_secret"].as_str().unwrap(), &drawn["secret_hash"]);
    assert!(secret.starts_with("sym_cs_") && 40 < secret.len());
    assert_eq!(*hash, symbolon_wire::SecretHash::of(secret).to_text());
    let shown = symbolon_with(Path::new("."), &["config", "secret"], &[]).ok().out;
    assert!(shown.contains("  sym_cs_") && shown.contains("  \"sha256:"), "two lines to copy");
    assert!(!shown.contains(secret), "each run draws another");
}
