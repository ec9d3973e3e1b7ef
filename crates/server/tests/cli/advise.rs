//! `symbolon advise`: a preset, the reasons, and lines that a configuration takes.

use crate::common::{Ran, symbolon};
use std::path::Path;

fn advise(flags: &[&str]) -> Ran {
    symbolon(Path::new("."), &[&["advise"], flags].concat())
}

#[test]
fn every_preset_is_the_answer_to_something_and_says_why() {
    for (flags, preset) in [
        (&["--caller", "page"][..], "dual-token"),
        (&["--caller", "page", "--token-in-page", "no"], "gateway-session"),
        (&["--caller", "mini-program", "--renews", "no"], "sliding-session"),
        (&["--caller", "app", "--change", "next-request"], "opaque-session"),
        (&["--caller", "service"], "service"),
    ] {
        let told = advise(&[flags, &["--json"]].concat()).ok().json();
        assert_eq!(told["preset"], preset, "{flags:?}");
        assert!(!told["because"].as_array().unwrap().is_empty());
        let lines = told["configuration"].as_str().unwrap();
        assert!(lines.contains(&format!("preset = \"{preset}\"")), "{lines}");
        let said = advise(flags).ok().out;
        assert!(said.starts_with(&format!("preset: {preset}\n")), "{said}");
        assert!(said.contains("Because") && said.contains("[[clients]]"), "{said}");
    }
}

#[test]
fn what_cannot_be_had_is_said() {
    let both = ["--caller", "app", "--change", "next-request", "--offline", "yes"];
    let said = advise(&both).ok().out;
    assert!(said.contains("Mind") && said.contains("cannot know of a change"), "{said}");
}

#[test]
fn without_a_word_about_the_caller_and_nobody_to_ask_it_is_wrong_usage() {
    for flags in [&[][..], &["--renews", "no"], &["--caller", "robot"], &["--services", "0"]] {
        assert_eq!(advise(flags).code, 2, "{flags:?}");
    }
    assert!(advise(&[]).err.contains("--caller"));
}
