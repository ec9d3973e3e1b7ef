//! A store on a server of its own: what a file alone has says what to do instead, and no password is shown.

use crate::common::symbolon;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Nobody listens there.
const NOWHERE: [&str; 2] =
    ["postgres://u:hunter2@127.0.0.1:1/d", "redis://u:hunter2@127.0.0.1:1/0"];

fn machine(store: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let text = format!(
        "issuer = \"https://id.example.com\"\nstore = \"{store}\"\nlisten = \"127.0.0.1:0\"\n\
         metrics_listen = \"off\"\nmaster_key_file = \"master.key\"\n"
    );
    fs::write(home.path().join("symbolon.toml"), text).unwrap();
    let key = "8b5f0d2e7a91c4463fd0b2a6917e53c81d64af90e273bc585902cd7f16ea3b4d";
    fs::write(home.path().join("master.key"), key).unwrap();
    home
}

fn said(home: &Path, arguments: &[&str]) -> String {
    let ran = symbolon(home, arguments);
    format!("{}{}", ran.out, ran.err)
}

#[test]
fn a_store_that_cannot_be_reached_is_named_without_its_password() {
    for store in NOWHERE {
        let home = machine(store);
        let checked = said(home.path(), &["config", "check"]);
        assert!(checked.contains("127.0.0.1:1"), "{checked}");
        for arguments in [
            &["config", "check", "--json"][..],
            &["serve"],
            &["doctor"],
            &["doctor", "--deep", "--json"],
            &["apikey", "list"],
            &["restore", "--in-place"],
            &["migrate", "--to", "sqlite:other.db", "--source-stopped"],
            &["migrate", "--from", "sqlite:symbolon.toml", "--to", store],
        ] {
            let said = said(home.path(), arguments);
            assert!(!said.contains("hunter2"), "{arguments:?}: {said}");
        }
        let refused = said(home.path(), &["serve"]);
        assert!(refused.contains("cannot be reached"), "{refused}");
    }
}

#[test]
fn what_only_a_file_has_says_what_to_do_instead() {
    for (store, tool) in NOWHERE.into_iter().zip(["pg_dump", "BGSAVE"]) {
        let home = machine(store);
        for arguments in [&["backup", "copy.db"][..], &["restore", "copy.db"]] {
            let ran = symbolon(home.path(), arguments);
            assert_eq!(ran.code, 1, "{}", ran.err);
            assert!(ran.err.contains(tool) && ran.err.contains("--in-place"), "{}", ran.err);
        }
    }
}
