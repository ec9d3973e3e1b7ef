//! `config init`, `check` and `schema`, and `apikey`, with the real binary.

use crate::common::{symbolon, symbolon_with};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn init_writes_what_check_accepts_and_a_master_key_that_it_never_shows() {
    let home = tempfile::tempdir().unwrap();
    let ran = symbolon(home.path(), &["config", "init", "--issuer", "https://id.example.com"]).ok();
    let key = fs::read_to_string(home.path().join("master.key")).unwrap();
    assert!(!ran.out.contains(key.trim()) && !ran.err.contains(key.trim()));
    let mode = fs::metadata(home.path().join("master.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(ran.out.contains("symbolon serve --config symbolon.toml"), "{}", ran.out);
    let check = symbolon(home.path(), &["config", "check"]).ok();
    assert_eq!(
        check.out,
        "ok: https://id.example.com\n  \
         listens on  127.0.0.1:8620\n  \
         metrics on  127.0.0.1:8629\n  \
         store       sqlite:symbolon.db\n  \
         audience    api: EdDSA, at+jwt\n  \
         client      web: dual-token, public, access tokens 5min, idle 14d, absolute 90d, grace 10s\n"
    );
}

#[test]
fn init_gives_spring_what_spring_can_read() {
    let home = tempfile::tempdir().unwrap();
    symbolon(home.path(), &["config", "init", "--verifiers", "symbolon,spring"]).ok();
    let check = symbolon(home.path(), &["config", "check"]).ok();
    assert!(check.out.contains("audience    api: RS256, JWT"), "{}", check.out);
}

#[test]
fn init_replaces_a_file_only_when_told_to_and_a_master_key_never() {
    let home = tempfile::tempdir().unwrap();
    symbolon(home.path(), &["config", "init"]).ok();
    let key = fs::read(home.path().join("master.key")).unwrap();
    let again = symbolon(home.path(), &["config", "init"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("symbolon.toml is there already"), "{}", again.err);
    let forced = symbolon(home.path(), &["config", "init", "--force"]).ok();
    assert!(forced.out.contains("kept master.key"), "{}", forced.out);
    assert_eq!(fs::read(home.path().join("master.key")).unwrap(), key);
}

#[test]
fn init_with_a_wrong_flag_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let ran = symbolon(home.path(), &["config", "init", "--issuer", "http://id.example.com"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("issuer: \"http://id.example.com\" is http"), "{}", ran.err);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_services_secret_is_shown_once_and_kept_as_a_hash() {
    let home = tempfile::tempdir().unwrap();
    let init = ["config", "init", "--json", "--out", "a.toml", "--service", "jobs"];
    let made = symbolon(home.path(), &init).ok().json();
    let secret = made["service"]["client_secret"].as_str().unwrap();
    assert!(secret.starts_with("sym_cs_"));
    let text = fs::read_to_string(home.path().join("a.toml")).unwrap();
    assert!(!text.contains(secret));
    let config = symbolon::config::Config::from_text("a.toml", &text).ok().unwrap();
    let jobs = config.clients.values().find(|client| client.id.as_str() == "jobs").unwrap();
    assert!(jobs.has_secret(secret));
}

#[test]
fn check_shows_every_mistake_and_ends_with_1() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("symbolon.toml"), "isuer = \"x\"\nlog = 1\n").unwrap();
    let check = symbolon(home.path(), &["config", "check"]);
    assert_eq!(check.code, 1);
    assert_eq!(
        check.err,
        "symbolon.toml:1:1: there is no setting `isuer`; did you mean `issuer`?\n\
         symbolon.toml:2:7: log: an integer is none of \"human\" or \"json\"\n\
         symbolon.toml: store: is missing. Where state lives.\n\
         symbolon: the configuration is refused: 3 mistakes\n"
    );
    let json = symbolon(home.path(), &["config", "check", "--json"]);
    assert_eq!(json.code, 1);
    assert_eq!(json.json()["problems"].as_array().map(Vec::len), Some(3));
}

#[test]
fn check_looks_at_the_environment_and_at_flags_too() {
    let home = tempfile::tempdir().unwrap();
    symbolon(home.path(), &["config", "init"]).ok();
    let variable = [("SYMBOLON_CLIENTS__WEB__REFRESH__GRACE", "3min")];
    let check = symbolon_with(home.path(), &["config", "check"], &variable);
    assert_eq!(check.code, 1);
    assert!(check.err.contains("SYMBOLON_CLIENTS__WEB__REFRESH__GRACE: "), "{}", check.err);
    let set = ["config", "check", "--set", "clients.web.refresh.grace=30s"];
    let check = symbolon_with(home.path(), &set, &variable).ok();
    assert!(check.out.contains("grace 30s"), "{}", check.out);
}

#[test]
fn a_file_that_is_not_there_ends_with_3() {
    let home = tempfile::tempdir().unwrap();
    let check = symbolon(home.path(), &["config", "check", "--config", "nowhere.toml"]);
    assert_eq!(check.code, 3);
    assert!(check.err.contains("could not read nowhere.toml"), "{}", check.err);
}

#[test]
fn the_schema_is_json() {
    let schema = symbolon(std::path::Path::new("."), &["config", "schema"]).ok().json();
    assert_eq!(schema["properties"]["issuer"]["type"], "string");
}

#[test]
fn an_api_key_is_made_listed_and_revoked() {
    let home = tempfile::tempdir().unwrap();
    symbolon(home.path(), &["config", "init"]).ok();
    let create =
        ["apikey", "create", "--name", "shop", "--scopes", "sessions:start,admin", "--json"];
    let made = symbolon(home.path(), &create).ok().json();
    let (text, id) = (made["api_key"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert!(text.starts_with("sym_ak_"));
    let listed = symbolon(home.path(), &["apikey", "list", "--json"]).ok();
    assert!(!listed.out.contains(text));
    let item = &listed.json()["items"][0];
    assert_eq!((item["id"].as_str(), item["name"].as_str()), (Some(id), Some("shop")));
    assert_eq!(item["revoked_at"], Value::Null);
    symbolon(home.path(), &["apikey", "revoke", id]).ok();
    let listed = symbolon(home.path(), &["apikey", "list", "--json"]).ok().json();
    assert!(listed["items"][0]["revoked_at"].is_u64());
    symbolon(home.path(), &["apikey", "revoke", id]).ok();
    let unknown = symbolon(home.path(), &["apikey", "revoke", "AAAAAAAAAAA"]);
    assert_eq!(unknown.code, 1);
    let table = symbolon(home.path(), &["apikey", "list"]).ok().out;
    assert!(table.starts_with("ID ") && table.contains("sessions:start admin"), "{table}");
}

#[test]
fn an_api_key_is_limited_to_clients_that_there_are() {
    let home = tempfile::tempdir().unwrap();
    symbolon(home.path(), &["config", "init"]).ok();
    let create = |client| {
        let name = ["apikey", "create", "--name", "x", "--scopes", "admin", "--clients", client];
        symbolon(home.path(), &name)
    };
    create("web").ok();
    let refused = create("wbe");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("there is no client \"wbe\""), "{}", refused.err);
}

#[test]
fn a_shared_secret_that_nobody_drew_is_refused_and_one_that_is_elsewhere_is_noted() {
    let home = crate::serve::home();
    let file = home.path().join("symbolon.toml");
    let legacy =
        "\n[[audiences]]\nname = \"legacy\"\nalg = \"HS256\"\nsecret_file = \"legacy.secret\"\n";
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + legacy).unwrap();
    let said = symbolon(home.path(), &["config", "check"]).ok().out;
    assert!(said.contains("there is no legacy.secret on this machine"), "{said}");
    let secret = home.path().join("legacy.secret");
    fs::write(&secret, "SecretKey012345678901234567890123456789").unwrap();
    let ran = symbolon(home.path(), &["config", "check"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.err.contains("the key file legacy.secret is a published example"), "{}", ran.err);
    let json = symbolon(home.path(), &["config", "check", "--json"]);
    assert_eq!((json.code, &json.json()["ok"]), (1, &serde_json::json!(false)));
    fs::write(&secret, "8b5f0d2e7a91c4463fd0b2a6917e53c81d64af90e273bc585902cd7f16ea3b4d\n")
        .unwrap();
    symbolon(home.path(), &["config", "check"]).ok();
}

#[test]
fn an_encryption_key_is_drawn_into_a_file_and_what_the_configuration_says_of_it_is_accepted() {
    let home = tempfile::tempdir().unwrap();
    symbolon(home.path(), &["config", "init"]).ok();
    for alg in ["ECDH-ES+A256KW", "A256KW", "dir"] {
        let file = format!("{alg}.jwk");
        let draw = ["config", "encryption-key", "--alg", alg, "--out", &file];
        let ran = symbolon(home.path(), &draw).ok();
        let mode = fs::metadata(home.path().join(&file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let key: Value =
            serde_json::from_str(&fs::read_to_string(home.path().join(&file)).unwrap()).unwrap();
        let secret = key["d"].as_str().or(key["k"].as_str()).unwrap();
        assert!(!ran.out.contains(secret), "{}", ran.out);
        let line = ran.out.lines().find(|line| line.starts_with("encrypt = ")).unwrap();
        let text = fs::read_to_string(home.path().join("symbolon.toml")).unwrap();
        let named = "name = \"api\"\n";
        assert!(text.contains(named), "{text}");
        let text = text.replace(named, &format!("{named}{line}\n"));
        fs::write(home.path().join("sealed.toml"), text).unwrap();
        let check = symbolon(home.path(), &["config", "check", "--config", "sealed.toml"]).ok();
        assert!(check.out.contains(&format!("api: EdDSA, at+jwt, {alg}")), "{}", check.out);
        let explained = ["explain", "client", "web", "--config", "sealed.toml"];
        let explained = symbolon(home.path(), &explained).ok().out;
        assert!(explained.contains("audiences.encrypt") && explained.contains(alg), "{explained}");
        let again = symbolon(home.path(), &draw);
        assert!(again.err.contains("is there already"), "{}", again.err);
    }
}
