//! The benchmarks that need nothing but this machine: small numbers, real processes.

use crate::common::symbolon;
use crate::live::Dev;
use serde_json::json;
use std::path::Path;

#[test]
fn every_end_is_seen_by_every_verifier_and_an_authority_is_brought_along() {
    let arguments = ["--verifiers", "5", "--rate", "20", "--seconds", "1", "--runs", "1"];
    let arguments = [&["bench", "propagation", "--busy", "1", "--json"], &arguments[..]].concat();
    let bench = symbolon(Path::new("."), &arguments).ok().json();
    let setting = &bench["settings"][0];
    assert_eq!((&setting["verifiers"], &setting["rate"]), (&5.into(), &20.into()));
    let run = &setting["runs"][0];
    assert_eq!((&run["expected"], &run["missed"]), (&100.into(), &0.into()), "{bench}");
    let figure = |name: &str| run[name].as_f64().unwrap();
    assert!(0.0 < figure("p50_ms") && figure("p50_ms") <= figure("p99_ms"), "{bench}");
    assert!(figure("p99_ms") <= figure("max_ms") && figure("max_ms") < 10_000.0, "{bench}");
    assert!(0.0 < figure("answer_p50_ms"), "{bench}");
}

#[test]
fn propagation_is_measured_at_an_authority_of_ones_own() {
    let dev = Dev::start(&[]);
    let url = dev.text("authority");
    let flags = ["--url", url, "--verifiers", "1", "--rate", "10", "--seconds", "1", "--runs", "1"];
    let table = dev.run(&[&["bench", "propagation"], &flags[..]].concat()).ok();
    assert!(table.out.starts_with("VERIFIERS"), "{}", table.out);
    assert!(
        table.err.contains("verifiers: 1, ends/s: 10, busy loops: 0; run 1 of 1"),
        "{}",
        table.err
    );
    let ended = dev.run(&["log", "--json"]).ok().out;
    assert!(ended.contains("kicked"), "its sessions are ended there: {ended}");
    let refused =
        dev.run(&[&["bench", "propagation", "--client-id", "nobody"], &flags[..]].concat());
    assert_eq!(refused.code, 1, "{}", refused.err);
}

#[test]
fn verifying_is_measured_beside_its_floors() {
    let flags = ["--tokens", "20", "--revoked", "500", "--rounds", "3", "--json"];
    let figures =
        symbolon(Path::new("."), &[&["bench", "verify"], &flags[..]].concat()).ok().json();
    assert_eq!((&figures["tokens"], &figures["revoked"]), (&json!(20), &json!(500)));
    for member in ["check_ns", "verify_ns", "map_ns", "cold_ns", "signature_ns", "two_threads"] {
        assert!(figures[member].as_f64() > Some(0.0), "{member}: {figures}");
    }
    let table = symbolon(Path::new("."), &["bench", "verify", "--rounds", "1", "--revoked", "9"]);
    assert!(table.ok().out.starts_with("WHAT"));
}
