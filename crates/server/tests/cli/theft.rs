//! `symbolon demo theft`, against a real authority.

use crate::live::Dev;
use serde_json::json;

/// A window that a test can wait for.
const BRIEF: [&str; 2] = ["--grace", "300ms"];

#[test]
fn a_thief_is_found_the_session_ends_everywhere_and_the_phone_stays_signed_in() {
    let dev = Dev::start(&BRIEF);
    let staged = dev.run(&["demo", "theft"]).ok();
    let steps: Vec<_> = staged.out.lines().collect();
    let expected = [
        ("owner", "signs in as demo-"),
        ("thief", "copies the laptop's refresh token"),
        ("owner", "renews on the laptop and holds generation 1"),
        ("clock", "passes 300ms"),
        ("thief", "renews with the copy: refused, replayed"),
        ("services", "refuse the laptop's access token: 2 of 2, after "),
        ("owner", "renews on the laptop: refused, replayed"),
        ("owner", "renews on the phone: is given a token"),
        ("log", "replayed at 2"),
    ];
    assert_eq!(steps.len(), expected.len() + 1, "{}", staged.out);
    for ((who, what), line) in expected.into_iter().zip(&steps) {
        let (_, line) = line.split_once(" s  ").unwrap();
        assert!(line.starts_with(&format!("{who:<8}  {what}")), "{line}");
    }
    let summary =
        "a used token came back     ->  session over at 2 of 2 verifiers, its owner is told";
    assert!(steps[9].starts_with(summary), "{}", steps[9]);
    for line in &steps {
        assert!(line.chars().count() <= 120, "too long to read: {line}");
        assert!(!line.contains("sym_rt_") && !line.contains("eyJ"), "a token: {line}");
    }
    let history = dev.run(&["log", "--reason", "replayed", "--json"]).ok().json();
    assert_eq!(history["kind"], "session");
}

#[test]
fn the_theft_is_told_to_programs_too() {
    let dev = Dev::start(&BRIEF);
    let told = dev.run(&["demo", "theft", "--client-id", "app", "--json"]).ok().json();
    let outcome = &told["outcome"];
    for (member, value) in
        [("thief", json!("replayed")), ("owner", json!("replayed")), ("elsewhere", json!(null))]
    {
        assert_eq!(outcome[member], value, "{told}");
    }
    assert_eq!(
        (&outcome["verifiers"]["live"], &outcome["event"]["reason"]),
        (&2.into(), &"replayed".into())
    );
    let steps = told["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 9, "{told}");
    let (before, after) = (&steps[3]["at_ms"], &steps[4]["at_ms"]);
    assert!(300 <= after.as_u64().unwrap() - before.as_u64().unwrap(), "{told}");
}

#[test]
fn where_a_replay_ends_nothing_no_theft_is_staged() {
    let dev = Dev::start(&BRIEF);
    dev.run(&["clients", "replay", "web", "report", "--for", "30min"]).ok();
    let staged = dev.run(&["demo", "theft"]);
    assert_eq!((staged.code, &*staged.out), (1, ""), "{}", staged.err);
    assert!(staged.err.contains("treats replays as `report`"), "{}", staged.err);
    let staged = dev.run(&["demo", "theft", "--client-id", "service"]);
    assert_eq!(staged.code, 1, "{}", staged.err);
    assert!(staged.err.contains("gets no refresh tokens"), "{}", staged.err);
    let unknown = dev.run(&["demo", "theft", "--client-id", "wbe"]);
    assert_eq!(unknown.code, 1, "{}", unknown.err);
}
