//! The walls of the house (docs/DESIGN.md §3), held by reading the files.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the house has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The longest source file, tests included, in lines. Inclusive.
const LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Every file below a folder with this ending, build output left out.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() && name != "target" && name != ".git" {
            found.extend(files(&entry, ending));
        } else if name.ends_with(ending) {
            found.push(entry);
        }
    }
    found
}

fn manifest(krate: &str) -> toml::Table {
    read(&root().join("crates").join(krate).join("Cargo.toml")).parse().unwrap()
}

fn names(manifest: &toml::Table, section: &str) -> BTreeSet<String> {
    let section = manifest.get(section).and_then(toml::Value::as_table);
    section.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

#[test]
fn arrows_between_crates_point_one_way() {
    let allowed: [(&str, &[&str]); 6] = [
        ("core", &[]),
        ("wire", &["symbolon-core"]),
        ("store", &["symbolon-core"]),
        ("verify", &["symbolon-core", "symbolon-wire"]),
        ("server", &["symbolon-core", "symbolon-wire", "symbolon-store", "symbolon-verify"]),
        ("sim", &["symbolon-core", "symbolon-wire"]),
    ];
    for (krate, arrows) in allowed {
        let own = names(&manifest(krate), "dependencies");
        let own: Vec<_> = own.iter().filter(|name| name.starts_with("symbolon")).collect();
        assert!(own.iter().all(|name| arrows.contains(&name.as_str())), "{krate}: {own:?}");
    }
    let crates = fs::read_dir(root().join("crates")).unwrap().count();
    assert_eq!(crates, allowed.len(), "a new crate needs a line here, and a `never` in DESIGN.md");
}

#[test]
fn core_depends_on_nothing() {
    assert_eq!(names(&manifest("core"), "dependencies"), BTreeSet::new());
}

#[test]
fn proofs_are_made_only_where_they_are_checked() {
    let rules: [(&str, &[&str]); 3] = [
        (
            "assume_genuine(",
            &[
                "crates/core/src/handle.rs",
                "crates/core/src/one_time.rs",
                "crates/core/src/refresh.rs",
                "crates/core/src/import.rs",
                "crates/core/src/dpop.rs",
                "crates/wire/src/dpop.rs",
                "crates/wire/src/handle.rs",
                "crates/wire/src/one_time.rs",
                "crates/wire/src/refresh_token.rs",
            ],
        ),
        ("assume_imported(", &["crates/core/src/import.rs", "crates/store/src/"]),
        ("Session::restore(", &["crates/store/src/"]),
    ];
    for (constructor, homes) in rules {
        for path in files(&root().join("crates"), ".rs") {
            let name = relative(&path);
            let testing = ["/tests/", "/benches/", "/conformance/", "crates/sim/"];
            let outside = testing.iter().any(|folder| name.contains(folder));
            let at_home = homes.iter().any(|home| name.starts_with(home));
            if !outside && !at_home {
                assert!(!read(&path).contains(constructor), "{name} calls {constructor}");
            }
        }
    }
}

#[test]
fn only_the_rim_asks_for_the_time_or_for_randomness() {
    let rim = [
        "crates/server/src/clock.rs",
        "crates/store/src/latency.rs",
        "crates/server/src/app.rs",
        "crates/server/src/cli/",
        "crates/server/src/api_keys.rs",
        "crates/server/src/demo_api",
        "crates/verify/src/now.rs",
        "crates/verify/src/net/",
        "crates/wire/src/jwe/key.rs",
        "crates/wire/src/signing_key.rs",
        "crates/wire/src/sealer.rs",
    ];
    let asks =
        ["SystemTime::now", "Instant::now", "clock_gettime", "SystemRandom::new", "rand::fill"];
    for path in files(&root().join("crates"), ".rs") {
        let name = relative(&path);
        let product = name.contains("/src/") && !name.contains("crates/sim/");
        if product && !rim.iter().any(|rim| name.starts_with(rim)) {
            let text = read(&path);
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let asked = asks.iter().find(|ask| code.contains(**ask));
            assert_eq!(asked, None, "{name} asks; pass time and entropy as arguments");
        }
    }
}

#[test]
fn no_source_file_is_too_long_to_read() {
    for ending in [".rs", ".ts", ".sh"] {
        for path in files(&root(), ending) {
            let lines = read(&path).lines().count();
            assert!(
                lines <= LINES_MAX,
                "{} has {lines} lines; split it by subject",
                relative(&path)
            );
        }
    }
}

/// What is really built: the lock file also names what a feature nobody asks for could bring.
#[test]
fn banned_crates_are_not_built_in() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline"])
        .args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("aws-lc-rs"), "the tree was not read");
    for banned in ["ring", "openssl-sys", "native-tls", "rsa"] {
        assert!(!names.contains(banned), "{banned} came in; see deny.toml");
    }
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    for path in files(&root(), ".md") {
        let text = read(&path);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let found = path.parent().unwrap().join(target).exists();
            assert!(found, "{} links to {target}, which is not there", relative(&path));
        }
    }
}

/// The page has every advisory by its number, each with tests that are there or with a word of why not.
#[test]
fn every_advisory_is_held_by_a_test_that_is_there() {
    let page = read(&root().join("docs/advisories.md"));
    let code: String = files(&root().join("crates"), ".rs").iter().map(|path| read(path)).collect();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let mut named = BTreeSet::new();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells[0].trim(), (at + 1).to_string(), "{row}");
        let tests: Vec<_> = cells[3].split('`').skip(1).step_by(2).collect();
        let why_not = cells[3].contains("not ") || cells[3].contains("no ");
        assert!(!tests.is_empty() || why_not, "{row}");
        for test in tests {
            assert!(code.contains(&format!("fn {test}(")), "{test} is not there");
            named.insert(test);
        }
    }
    assert_eq!(rows.len(), 30);
    let own = read(&root().join("crates/server/tests/http/advisories.rs"));
    for test in own.split("#[tokio::test]\nasync fn ").skip(1) {
        let name = test.split('(').next().unwrap();
        assert!(named.contains(name), "docs/advisories.md does not name {name}");
    }
}
