//! What `packaging/` has: the systemd unit as systemd itself reads it, and as much of the Dockerfile as can be
//! held without a container engine.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the house has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use symbolon::http::serve::DRAIN_TIME_MAX;
use tempfile::TempDir;

/// The program, where the unit expects it.
const INSTALLED: &str = "/usr/local/bin/symbolon";

/// How exposed the unit may be, in tenths of systemd's points: 0 is nothing at all, 100 everything. Inclusive.
const EXPOSURE_MAX: &str = "11";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// The authority's and the sidecar's.
const UNITS: [&str; 2] = ["symbolon.service", "symbolon-sidecar.service"];

/// A unit, with the program that was built here.
fn unit(name: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    let text = read(&format!("packaging/{name}"));
    assert!(text.contains(INSTALLED));
    fs::write(&path, text.replace(INSTALLED, env!("CARGO_BIN_EXE_symbolon"))).unwrap();
    (folder, path)
}

fn systemd_analyze(arguments: &[&str], unit: &Path) -> Output {
    let asked = Command::new("systemd-analyze").args(arguments).arg(unit).output();
    asked.unwrap_or_else(|why| panic!("systemd-analyze: {why}. Run: apt-get install systemd"))
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// The value of a setting that stands in a unit once.
fn setting(unit: &str, name: &str) -> String {
    let unit = read(&format!("packaging/{unit}"));
    let values: Vec<_> = unit.lines().filter_map(|line| line.strip_prefix(name)).collect();
    let [value] = *values else { panic!("{name} stands there {} times", values.len()) };
    value.to_owned()
}

#[test]
fn systemd_knows_every_line_of_the_units() {
    for name in UNITS {
        let (_folder, unit) = unit(name);
        let verified = systemd_analyze(&["verify"], &unit);
        // It passes over a line that it does not know, and says so.
        assert_eq!(said(&verified), "", "{name}");
        assert!(verified.status.success(), "{name}");
    }
}

#[test]
fn the_units_may_do_little_more_than_serve() {
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    for name in UNITS {
        let (_folder, unit) = unit(name);
        let measured =
            systemd_analyze(&["security", "--offline=yes", "--no-pager", &threshold], &unit);
        assert!(measured.status.success(), "{name}: {}", said(&measured));
        assert!(said(&measured).contains("Overall exposure level"), "{name}");
    }
}

#[test]
fn the_units_wait_longer_for_the_end_than_requests_get() {
    for name in UNITS {
        let seconds: u64 = setting(name, "TimeoutStopSec=").parse().unwrap();
        assert!(DRAIN_TIME_MAX.as_secs() < seconds, "{name}");
    }
}

#[test]
fn the_guide_installs_these_units_in_both_languages() {
    for (page, unit) in [
        ("docs/guide/running.md", UNITS[0]),
        ("docs/guide/zh-CN/running.md", UNITS[0]),
        ("docs/guide/sidecar.md", UNITS[1]),
        ("docs/guide/zh-CN/sidecar.md", UNITS[1]),
    ] {
        assert!(read(page).contains(&format!("packaging/{unit}")), "{page}");
        assert!(!read(page).contains("\n[Service]"), "{page} has a unit of its own");
    }
}

#[test]
fn the_dockerfile_says_that_nobody_built_it_and_agrees_with_the_house() {
    let text = read("packaging/Dockerfile");
    assert!(text.starts_with("# NOT BUILT BY OUR TESTS"));
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let version = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert!(text.contains(&format!("\nFROM rust:{version}-")), "{version}");
    // What the sources are made of must reach the build, and the build's own output must not.
    let sent = read("packaging/Dockerfile.dockerignore");
    let sent: Vec<_> = sent.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert_eq!(sent, ["Cargo.toml", "Cargo.lock", "crates", "api"]);
    assert!(sent.iter().all(|path| root().join(path).exists()));
}
