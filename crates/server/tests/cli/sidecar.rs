//! What `sidecar` says when it is told wrongly. What it answers is held by `tests/http/sidecar.rs`.

use crate::common::{Ran, symbolon};
use std::fs;
use std::path::Path;

fn sidecar(home: &Path, arguments: &[&str]) -> Ran {
    let usual = ["sidecar", "--authority", "http://127.0.0.1:1", "--listen", "127.0.0.1:0"];
    symbolon(home, &[&usual[..], &["--metrics-listen", "off"], arguments].concat())
}

/// It must end with this code and say this.
#[track_caller]
fn expect(ran: &Ran, code: i32, said: &str) {
    assert_eq!(ran.code, code, "{}", ran.err);
    assert!(ran.err.contains(said), "{}", ran.err);
    assert!(!ran.err.contains("0123456789"), "a secret is repeated: {}", ran.err);
}

#[test]
fn it_must_know_whom_tokens_are_for_and_as_whom_it_asks() {
    let home = tempfile::tempdir().unwrap();
    let nobody = sidecar(home.path(), &["--api-key", "k"]);
    expect(
        &nobody,
        2,
        "nobody says whom the tokens are for\n  next: name one with --audience NAME",
    );
    let no_key = sidecar(home.path(), &["--audience", "demo-api"]);
    expect(&no_key, 2, "no API key was given\n  next: set SYMBOLON_API_KEY");
    let both = ["--api-key", "k", "--api-key-file", "f", "--audience", "demo-api"];
    expect(&sidecar(home.path(), &both), 2, "cannot be used with");
    let missing = ["--api-key-file", "none.key", "--audience", "demo-api"];
    expect(&sidecar(home.path(), &missing), 3, "could not read none.key");
}

#[test]
fn an_api_key_travels_over_https_or_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["sidecar", "--authority", "http://id.example.com", "--listen", "127.0.0.1:0"];
    let more = ["--metrics-listen", "off", "--api-key", "k", "--audience", "demo-api"];
    let ran = symbolon(home.path(), &[&arguments[..], &more].concat());
    expect(&ran, 2, "the URL to go through must be https, or http on this machine itself");
}

#[test]
fn a_shared_secret_is_not_for_one_more_process() {
    let home = tempfile::tempdir().unwrap();
    let audience = "[[audiences]]\nname = \"old\"\nalg = \"HS256\"\nsecret_file = \"s\"\n";
    fs::write(home.path().join("sidecar.toml"), audience).unwrap();
    let ran = sidecar(home.path(), &["--api-key", "k", "--config", "sidecar.toml"]);
    expect(&ran, 2, "tokens for old are signed with a shared secret (HS256)");
}

#[test]
fn what_is_wrong_in_its_file_is_said_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("sidecar.toml");
    let wrong =
        "[[audiences]]\nname = \"a\"\n\n[gateway]\nruels = []\n\n[[gateway.rules]]\nname = \"x\"\n";
    fs::write(&file, wrong).unwrap();
    let ran = sidecar(home.path(), &["--api-key", "k", "--config", "sidecar.toml"]);
    expect(
        &ran,
        1,
        "sidecar.toml:5:1: gateway: there is no setting `ruels`; did you mean `rules`?",
    );
    expect(&ran, 1, "gateway.rules.x.prefix: is missing");
    assert!(!ran.err.contains("store"), "it needs no store: {}", ran.err);
    let missing = sidecar(home.path(), &["--api-key", "k", "--config", "none.toml"]);
    expect(&missing, 3, "could not read none.toml");
}

#[test]
fn a_wrong_file_of_secrets_is_refused_and_not_repeated() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("secrets");
    for (text, why) in [
        ("", "why:  it names nobody"),
        ("a:0123456789", "why:  line 1 has a secret of fewer than 16 characters"),
        ("a:0123456789abcdef\n0123456789abcdef", "why:  line 2 is not name:secret"),
    ] {
        fs::write(&file, text).unwrap();
        let arguments = ["--introspection-secret-file", "secrets"];
        let ran = sidecar(
            home.path(),
            &[&arguments[..], &["--api-key", "k", "--audience", "a"]].concat(),
        );
        expect(&ran, 1, "secrets cannot be used");
        expect(&ran, 1, why);
    }
}
