//! A Redis Cluster that is left again: everything on all its primaries comes along.

use crate::common::{Configuration, Home, Tokens};
use crate::node::symbolon;
use crate::redis::{new_cluster, url_of};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use symbolon::clock::Hands;
use symbolon_wire::sha256;

/// How many sign in: enough that each primary has some, and that a server hands its keys out in several pieces.
const PEOPLE: usize = 600;

fn settings(store: &str) -> Configuration {
    Configuration::new().client("web", "refresh = { grace = \"60s\" }").store(store)
}

#[tokio::test]
async fn nobody_is_signed_out_by_a_move_from_a_redis_cluster_to_a_file() {
    let servers = new_cluster().await;
    let url = url_of(&servers);
    let home = Home::configured(&settings(&url));
    let server = home.start().await;
    let mut held: Vec<Tokens> = Vec::new();
    for number in 0..PEOPLE {
        held.push(server.sign_in(&format!("person-{number}")).await);
    }
    server.kick(&held[0].sid).await.expect(200);
    server.tell_to_stop();
    let (home, _) = server.stopped().await;

    let file = format!("sqlite:{}", home.beside("left.db").display());
    let config = home.beside("symbolon.toml").display().to_string();
    let mut migrate = symbolon();
    migrate.env_clear().args(["migrate", "--json", "--config", &config, "--to", &file]);
    let ran = migrate.arg("--source-stopped").output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    for part in told["parts"].as_array().unwrap() {
        assert_eq!(part["source"], part["target"], "{told}");
    }
    assert_eq!((&told["parts"][1]["source"], &told["differing"]), (&PEOPLE.into(), &0.into()));

    home.reconfigure(&settings(&file));
    let server = home.start().await;
    let refused = server.refresh(&held[0].refresh).await;
    assert_eq!(refused.expect(400).member("reason"), "kicked");
    for tokens in &held[1..] {
        assert_eq!(server.renew(&tokens.refresh).await.sid, tokens.sid);
    }
}

#[tokio::test]
async fn a_copy_tells_a_terminal_how_fast_it_goes_and_everybody_how_fast_it_went() {
    let folder = tempfile::tempdir().unwrap();
    let here = |arguments: &[&str]| {
        let mut command = symbolon();
        command.env_clear().args(arguments).current_dir(folder.path());
        command
    };
    assert!(here(&["config", "init"]).output().unwrap().status.success());
    let tomorrow = (Hands::MACHINE.wall)().as_seconds() + 86_400;
    let line = |number: usize| {
        let digest = HEXLOWER.encode(&sha256(&number.to_be_bytes()).0);
        json!({
            "subject": format!("moved-{number}"), "client_id": "web", "device": {"class": "web"},
            "expires_at": tomorrow, "refresh_token_sha256": digest,
        })
    };
    let lines: String = (0..PEOPLE).map(|number| format!("{}\n", line(number))).collect();
    std::fs::write(folder.path().join("sessions.jsonl"), lines).unwrap();
    let imported = here(&["import", "sessions.jsonl"]).output().unwrap();
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));

    let plain = here(&["migrate", "--to", "sqlite:two.db"]).output().unwrap();
    let said = String::from_utf8(plain.stdout).unwrap();
    let first = said.lines().next().unwrap();
    assert!(first.contains(": 1200 rows in ") && first.ends_with("/s"), "{said}");
    assert!(plain.stderr.is_empty(), "a bar is for people");

    let command = format!("{} migrate --to sqlite:three.db", env!("CARGO_BIN_EXE_symbolon"));
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &command, "/dev/null"]).current_dir(folder.path());
    let shown = terminal.stdin(Stdio::null()).output();
    let shown = shown.unwrap_or_else(|why| panic!("script: {why}; run: apt-get install bsdutils"));
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let bar =
        shown.split(['\r', '\n']).find(|line| line.contains("copying") && line.contains(" %"));
    let bar = bar.unwrap_or_else(|| panic!("no bar: {shown}"));
    assert!(bar.contains("/s, ") && bar.contains(" left"), "{bar}");
}
