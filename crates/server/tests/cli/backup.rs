//! `backup` and `restore` around a real `serve`: what people, services and on-call find afterwards.

use crate::common::{Ran, symbolon};
use crate::serve::Serving;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;

/// A configured place, with an API key that may do everything.
struct Place {
    home: TempDir,
    key: String,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        symbolon(home.path(), &["config", "init", "--client-id", "web"]).ok();
        let key = api_key(home.path(), "all")["api_key"].as_str().unwrap().to_owned();
        Self { home, key }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        symbolon(self.home.path(), arguments)
    }

    fn serve(&self) -> Authority<'_> {
        let serving = Serving::start(self.home.path());
        Authority { address: serving.address(), _serving: serving, key: &self.key }
    }

    fn restore(&self, flags: &[&str]) -> Value {
        self.run(&[&["restore", "--json"], flags].concat()).ok().json()
    }

    /// Writes other bytes into a file, or removes it.
    fn spoil(&self, name: &str, bytes: Option<&[u8]>) {
        let path = self.home.path().join(name);
        bytes.map_or_else(|| fs::remove_file(&path), |bytes| fs::write(&path, bytes)).unwrap();
    }
}

fn api_key(home: &Path, name: &str) -> Value {
    let scopes = "sessions:start,sessions:read,sessions:end,subjects:write,revocations:read,admin";
    symbolon(home, &["apikey", "create", "--json", "--name", name, "--scopes", scopes]).ok().json()
}

/// A running authority and how to ask it.
struct Authority<'a> {
    _serving: Serving,
    address: SocketAddr,
    key: &'a str,
}

/// Somebody who is signed in.
struct Person {
    sid: String,
    token: String,
}

impl Authority<'_> {
    fn sign_in(&self, subject: &str) -> Person {
        let (code, body) = sign_in(self.address, self.key, subject);
        assert_eq!(code, 201, "{body}");
        let text = |member: &str| body[member].as_str().unwrap().to_owned();
        Person { sid: text("session_id"), token: text("refresh_token") }
    }

    /// Renews, and answers the code and the reason of a refusal.
    fn renew(&self, person: &mut Person) -> (u16, Option<String>) {
        let form = format!("grant_type=refresh_token&client_id=web&refresh_token={}", person.token);
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let (code, body) = ask(self.address, "POST /oauth2/token", kind, &form);
        if let Some(token) = body["refresh_token"].as_str() {
            token.clone_into(&mut person.token);
        }
        (code, body["reason"].as_str().map(str::to_owned))
    }

    fn operate(&self, what: &str, body: &str) {
        let headers = operator(self.key);
        let (code, answer) = ask(self.address, what, &headers, body);
        assert_eq!(code, 200, "{what}: {answer}");
    }
}

fn operator(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\nContent-Type: application/json")
}

fn sign_in(address: SocketAddr, key: &str, subject: &str) -> (u16, Value) {
    let body = json!({"subject": subject, "client_id": "web", "device": {"class": "web"}});
    ask(address, "POST /v1/sessions", &operator(key), &body.to_string())
}

fn ask(address: SocketAddr, what: &str, headers: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, serde_json::from_str(body).unwrap_or_default())
}

fn ended(reason: &str) -> (u16, Option<String>) {
    (400, Some(reason.to_owned()))
}

const GOES_ON: (u16, Option<String>) = (200, None);

#[test]
fn after_a_restore_who_was_signed_in_goes_on_and_who_was_ended_stays_ended() {
    let place = Place::new();
    let revoked = api_key(place.home.path(), "thief");
    let authority = place.serve();
    let [mut renewed, mut kicked, mut banned, mut idle] =
        ["10086", "10087", "10088", "10089"].map(|subject| authority.sign_in(subject));
    authority.renew(&mut renewed);

    let copied = place.run(&["backup", "copy.db", "--json"]).ok().json();
    assert_eq!((&copied["sessions"], &copied["epoch"]), (&json!(4), &json!(0)));
    for _ in 0..3 {
        assert_eq!(authority.renew(&mut renewed), GOES_ON);
    }
    authority.operate(&format!("DELETE /v1/sessions/{}", kicked.sid), "");
    authority.operate("PUT /v1/subjects/10088/ban", r#"{"reason":"banned"}"#);
    place.run(&["apikey", "revoke", revoked["id"].as_str().unwrap()]).ok();
    let mut later = authority.sign_in("10090");

    let refused = place.run(&["restore", "copy.db"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("stop `symbolon serve`"), "{}", refused.err);
    drop(authority);
    let dry = place.restore(&["copy.db", "--dry-run"]);
    let done = place.restore(&["copy.db"]);
    assert_eq!((&dry["replayed"], &dry["aside"]), (&done["replayed"], &Value::Null));
    let again = json!({
        "sessions": 1, "bans": 1, "bounds": 1, "named": 0, "api_keys": 1, "switches": 0,
    });
    assert_eq!((&done["replayed"], &done["source"]), (&again, &json!("ends_log")), "{done}");
    assert_eq!((&done["copy"]["at"], &done["epoch"]), (&copied["at"], &json!(1)), "{done}");
    assert!(Path::new(&place.home.path().join(done["aside"].as_str().unwrap())).exists());

    let authority = place.serve();
    for person in [&mut renewed, &mut idle] {
        assert_eq!(authority.renew(person), GOES_ON);
    }
    assert_eq!(authority.renew(&mut kicked), ended("kicked"));
    assert_eq!(authority.renew(&mut banned), ended("banned"));
    assert_eq!(authority.renew(&mut later), (400, None), "the store does not know it");
    assert_eq!(sign_in(authority.address, authority.key, "10088").0, 403);
    let thief = revoked["api_key"].as_str().unwrap();
    assert_eq!(sign_in(authority.address, thief, "10091").0, 401, "its key stays revoked");
    assert_eq!(sign_in(authority.address, authority.key, "10091").0, 201);
}

#[test]
fn a_backup_under_load_is_whole_and_nobody_waits_for_it_in_vain() {
    let place = Place::new();
    let authority = place.serve();
    let (address, key) = (authority.address, place.key.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let started = Arc::new(AtomicUsize::new(0));
    let load: Vec<_> = (0..4)
        .map(|caller| {
            let (stop, started, key) = (Arc::clone(&stop), Arc::clone(&started), key.clone());
            std::thread::spawn(move || {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let (code, body) = sign_in(address, &key, &format!("{caller}-{number}"));
                    assert_eq!(code, 201, "{body}");
                    started.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for number in 0..3 {
        let before = started.load(Ordering::SeqCst);
        let file = format!("copy{number}.db");
        let copied = place.run(&["backup", &file, "--json"]).ok().json();
        let after = started.load(Ordering::SeqCst) + load.len();
        let sessions = usize::try_from(copied["sessions"].as_u64().unwrap()).unwrap();
        assert!((before..=after).contains(&sessions), "{before} <= {sessions} <= {after}");
        let mode = fs::metadata(place.home.path().join(&file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    stop.store(true, Ordering::Relaxed);
    load.into_iter().for_each(|caller| caller.join().unwrap());
    drop(authority);
    assert_eq!(place.restore(&["copy2.db", "--dry-run"])["epoch"], 1, "it is sound");
}

#[test]
fn on_call_is_told_the_window_and_what_it_means() {
    let place = Place::new();
    drop(place.serve());
    let said = place.run(&["backup", "copy.db"]).ok();
    assert!(said.out.starts_with("wrote copy.db: copy of 20"), "{}", said.out);
    assert!(said.err.contains("master key is not in it"), "{}", said.err);
    let said = place.run(&["restore", "copy.db"]).ok().out;
    for part in [
        "restored",
        "from copy.db\n",
        "the window   20",
        "store epoch  0 -> 1\n",
        "ended again  sessions 0, bans 0",
        "moved aside ",
        "what it means\n",
        "stays signed in",
        "Sessions started in the window are unknown",
        "--stale has them renewed",
    ] {
        assert!(said.contains(part), "{part:?}: {said}");
    }
    let said = place.run(&["restore", "copy.db", "--end-all", "--dry-run"]).ok().out;
    assert!(said.contains("would restore") && said.contains("everybody signs in again"), "{said}");
}

#[test]
fn all_can_be_ended_or_renewed_by_a_restore() {
    let place = Place::new();
    let authority = place.serve();
    let mut person = authority.sign_in("10086");
    place.run(&["backup", "copy.db"]).ok();
    drop(authority);
    place.restore(&["copy.db", "--stale"]);
    let authority = place.serve();
    assert_eq!(authority.renew(&mut person), GOES_ON);
    drop(authority);
    place.restore(&["copy.db", "--end-all"]);
    assert_eq!(place.serve().renew(&mut person), ended("admin"));
}

#[test]
fn an_epoch_is_opened_by_hand_for_a_store_that_was_replaced_by_hand() {
    let place = Place::new();
    let file = |name: &str| place.home.path().join(name);
    let authority = place.serve();
    let mut person = authority.sign_in("10086");
    place.run(&["backup", "by-hand.db"]).ok();
    assert_eq!(authority.renew(&mut person), GOES_ON);
    drop(authority);
    fs::copy(file("by-hand.db"), file("symbolon.db")).unwrap();
    for ending in ["-wal", "-shm"] {
        let _was_there = fs::remove_file(file(&format!("symbolon.db{ending}")));
    }
    assert_eq!(place.serve().renew(&mut person).0, 503, "the store lost what it had promised");
    let done = place.restore(&["--in-place"]);
    assert_eq!((&done["epoch"], &done["aside"]), (&json!(1), &Value::Null));
    assert_eq!(place.serve().renew(&mut person), GOES_ON);
}

#[test]
fn what_cannot_be_restored_is_refused_and_changes_nothing() {
    let place = Place::new();
    drop(place.serve());
    place.run(&["backup", "copy.db"]).ok();
    let before = fs::read(place.home.path().join("symbolon.db")).unwrap();
    place.spoil("text.db", Some(b"not a database at all"));
    place.spoil("empty.db", Some(b""));
    for (arguments, code, said) in [
        (&["backup", "copy.db"][..], 1, "exists, and nothing is overwritten"),
        (&["backup", "nowhere/copy.db"], 3, "check that the directory exists"),
        (&["restore", "none.db"], 1, "there is no database at none.db"),
        (&["restore", "text.db"], 3, "text.db is damaged"),
        (&["restore", "empty.db"], 3, "empty.db is damaged (it is empty)"),
        (&["restore"], 2, "<FILE>"),
        (&["restore", "copy.db", "--in-place"], 2, "cannot be used with"),
        (&["restore", "copy.db", "--end-all", "--stale"], 2, "cannot be used with"),
    ] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{arguments:?}: {}", ran.err);
    }
    assert_eq!(fs::read(place.home.path().join("symbolon.db")).unwrap(), before);
}

#[test]
fn without_its_ends_log_a_store_is_served_with_a_warning_and_restored_on_request_only() {
    let place = Place::new();
    drop(place.serve());
    place.run(&["backup", "copy.db"]).ok();
    place.spoil("symbolon.db.ends", None);
    let refused = place.run(&["restore", "copy.db"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("--without-ends-log goes on"), "{}", refused.err);
    let log = Serving::start(place.home.path());
    assert!(log.said("the ends log is gone"));
    drop(log);
    place.spoil("symbolon.db.ends", Some(b"not a log at all"));
    assert_eq!(place.run(&["restore", "copy.db"]).code, 1);
    let done = place.restore(&["copy.db", "--without-ends-log"]);
    assert_eq!(done["source"], "database");
    assert!(!Serving::start(place.home.path()).said("the ends log is gone"));
}
