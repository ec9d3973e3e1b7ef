//! The admin socket: no API key for whoever may open it, and for nobody else.

use crate::common::{symbolon, symbolon_with};
use crate::live::Dev;
use crate::serve::{Serving, home};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

fn data() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    (folder, data)
}

#[test]
fn commands_on_the_same_machine_need_no_api_key_and_the_history_says_who_it_was() {
    let (folder, data) = data();
    let dev = Dev::start(&["--data", &data]);
    let body = json!({"subject": "alice", "client_id": "web", "device": {"class": "web"}});
    dev.post("/v1/sessions", &body);
    let here = |arguments: &[&str]| symbolon(folder.path(), arguments);
    let listed = here(&["sessions", "list", "--data", &data, "--json"]).ok().json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    here(&["sessions", "kick", "--subject", "alice", "--data", &data]).ok();
    let logged = here(&["log", "--data", &data, "--json"]).ok();
    let uid = fs::metadata(folder.path()).unwrap().uid();
    assert!(logged.out.contains(&format!("\"by\":\"operator:{uid}\"")), "{}", logged.out);
    assert!(!logged.out.contains("\"ip\""), "there is no address: {}", logged.out);
    for command in [&["keys", "list"][..], &["clients", "list"], &["subjects", "show", "alice"]] {
        here(&[command, &["--data", &data]].concat()).ok();
    }
}

#[test]
fn the_socket_is_its_owners_alone_and_goes_away_with_the_authority() {
    let (_folder, data) = data();
    let socket = Path::new(&data).join("admin.sock");
    let dev = Dev::start(&["--data", &data]);
    let found = fs::symlink_metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&data).unwrap().mode() & 0o077, 0, "nor is the directory open");
    dev.stop();
    assert!(!socket.exists());
}

#[test]
fn a_socket_that_a_crash_left_behind_is_replaced() {
    let (folder, data) = data();
    let socket = Path::new(&data).join("admin.sock");
    drop(Dev::start(&["--data", &data]));
    assert!(socket.exists(), "it was killed");
    let ran = symbolon(folder.path(), &["sessions", "list", "--data", &data]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("no answer from") && ran.err.contains("admin.sock"), "{}", ran.err);
    let _dev = Dev::start(&["--data", &data]);
    symbolon(folder.path(), &["sessions", "list", "--data", &data]).ok();
}

#[test]
fn it_is_found_where_the_configuration_is_and_what_is_said_goes_before() {
    let home = home();
    let empty = tempfile::tempdir().unwrap();
    let _serving = Serving::start(home.path());
    symbolon(home.path(), &["sessions", "list"]).ok();
    let config = home.path().join("symbolon.toml").display().to_string();
    symbolon_with(empty.path(), &["keys", "list"], &[("SYMBOLON_CONFIG", &config)]).ok();
    assert_eq!(symbolon(empty.path(), &["sessions", "list"]).code, 2);
    let nowhere = ["sessions", "list", "--url", "http://127.0.0.1:9", "--api-key", "k"];
    assert_eq!(symbolon(home.path(), &nowhere).code, 3, "a URL that was given is the one");
}

#[test]
fn an_api_key_that_is_shown_over_the_socket_counts_and_a_wrong_one_is_refused() {
    let (_folder, data) = data();
    let _dev = Dev::start(&["--data", &data]);
    let ask = |header: &str| {
        let mut stream = UnixStream::connect(Path::new(&data).join("admin.sock")).unwrap();
        let request = format!(
            "GET /v1/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("").starts_with("HTTP/1.1 200"));
    assert!(ask("Authorization: Bearer sym_ak_x\r\n").starts_with("HTTP/1.1 401"));
}
