//! What the command line says of itself, and how it ends when asked wrongly.

use crate::common::symbolon;
use std::path::Path;

#[test]
fn help_names_the_commands_that_are_there() {
    let help = symbolon(Path::new("."), &["--help"]).ok().out;
    for command in [
        "dev", "serve", "sidecar", "config", "apikey", "sessions", "backup", "restore", "bench",
        "demo",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
    }
    for (group, commands) in [
        ("config", vec!["init", "check", "schema"]),
        ("apikey", vec!["create", "list", "revoke"]),
        ("sessions", vec!["list", "show", "kick"]),
        ("bench", vec!["refresh", "propagation", "verify"]),
        ("demo", vec!["race"]),
    ] {
        let help = symbolon(Path::new("."), &[group, "--help"]).ok().out;
        for command in commands {
            assert!(help.contains(&format!("\n  {command} ")), "{group} {command}: {help}");
        }
    }
}

#[test]
fn help_of_dev_and_of_the_benchmark_names_the_promised_flags() {
    let dev = symbolon(Path::new("."), &["dev", "--help"]).ok().out;
    for flag in [
        "--json",
        "--listen",
        "--demo-listen",
        "--data",
        "--store",
        "--preset",
        "--access-token-ttl",
        "--grace",
        "--config",
    ] {
        assert!(dev.contains(flag), "{flag}");
    }
    let bench = symbolon(Path::new("."), &["bench", "refresh", "--help"]).ok().out;
    for flag in [
        "--url",
        "--client-id",
        "--client-secret",
        "--tokens",
        "--authority",
        "--api-key",
        "--sessions",
        "--connections",
        "--duration",
        "--json",
    ] {
        assert!(bench.contains(flag), "{flag}");
    }
}

#[test]
fn a_wrong_flag_ends_with_2() {
    for arguments in [
        &["serv"][..],
        &[],
        &["dev", "--grace", "10"],
        &["dev", "--preset", "gateway-sessions"],
        &["dev", "--listen", "localhost"],
        &["serve", "--confg", "x"],
        &["apikey", "create", "--name", "x"],
        &["apikey", "create", "--name", "x", "--scopes", "root"],
        &["sessions", "kick"],
        &["sessions", "kick", "x", "--subject", "y"],
        &["sessions", "list", "--limit", "201"],
        &["bench", "refresh", "--url", "http://x", "--client-id", "web", "--sessions", "1"],
        &["demo", "race", "--url", "x"],
        &["sidecar", "--api-key", "k", "--audience", "a"],
        &["sidecar", "--authority", "x", "--api-key", "k", "--audience", "a"],
        &["sidecar", "--authority", "http://127.0.0.1:1", "--max-staleness", "0s"],
        &["sidecar", "--authority", "http://127.0.0.1:1", "--max-staleness", "25h"],
        &["sidecar", "--authority", "http://127.0.0.1:1", "--metrics-listen", "no"],
    ] {
        let ran = symbolon(Path::new("."), arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{arguments:?}");
    }
}

#[test]
fn a_duration_on_a_flag_is_as_strict_as_in_a_file() {
    let ran = symbolon(Path::new("."), &["dev", "--grace", "10"]);
    assert!(ran.err.contains("\"10\" is not a duration; write an integer and ms, s, min, h or d"));
}

#[test]
fn without_an_api_key_a_command_says_how_to_get_one() {
    let ran = symbolon(Path::new("."), &["sessions", "list"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.err,
        "symbolon: no API key was given, and no admin socket is here\n  next: set SYMBOLON_API_KEY, or \
         run it where the configuration of a running authority is, or name its data directory with \
         --data\n"
    );
}

#[test]
fn an_authority_that_does_not_answer_ends_with_3_and_says_where_it_was_looked_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = symbolon(Path::new("."), &["sessions", "list", "--api-key", "k", "--url", &url]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.starts_with(&format!("symbolon: no answer from {url}")), "{}", ran.err);
    assert!(ran.err.contains("next: is the authority running"), "{}", ran.err);
    assert!(!ran.err.contains("api_key"), "{}", ran.err);
}

#[test]
fn a_name_may_begin_with_a_dash_as_one_in_64_does() {
    let nobody = ["--url", "http://127.0.0.1:1", "--api-key", "sym_ak_x"];
    for command in [
        &["keys", "revoke", "-nK3"][..],
        &["sessions", "show", "-nK3"],
        &["sessions", "kick", "-nK3"],
        &["explain", "--sid", "-nK3"],
    ] {
        let said = symbolon(Path::new("."), &[command, &nobody].concat());
        assert_ne!(said.code, 2, "{command:?}: {}", said.err);
    }
}
