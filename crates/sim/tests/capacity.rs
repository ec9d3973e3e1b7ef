//! What docs/benchmarks.md says of a billion sessions is what the program prints.

#![expect(clippy::unwrap_used, reason = "a test that cannot run the program has failed")]

use std::process::Command;
use symbolon_sim::capacity::{Given, table};

fn program(flags: &[&str]) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_symbolon-capacity")).args(flags).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_page_has_what_the_program_prints() {
    let page = include_str!("../../../docs/benchmarks.md");
    let (is_good, printed) = program(&[]);
    assert!(is_good);
    assert_eq!(printed, table(&Given::default()));
    assert!(page.contains(&printed), "put this into docs/benchmarks.md:\n{printed}");
}

#[test]
fn other_figures_may_be_given_and_a_mistake_is_told() {
    let (is_good, printed) = program(&["--json", "--sessions", "1000", "--renewals", "10"]);
    let told: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert!(is_good && told["nodes"] == 1.0 && told["given"]["sessions"] == 1000.0, "{told}");
    let (is_good, printed) = program(&["--sesions", "1000"]);
    assert!(!is_good && printed.contains("--help"), "{printed}");
    let (is_good, printed) = program(&["--help"]);
    assert!(is_good && printed.contains("--redis-steps"));
}
