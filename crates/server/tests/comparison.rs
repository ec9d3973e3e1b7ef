//! `docs/comparison.md`, in both languages: its hand-written lines are run into each case that the page names, and come
//! out as it says.

#![expect(clippy::unwrap_used, reason = "a comparison that cannot be run has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

const PAGES: [&str; 2] = ["docs/comparison.md", "docs/comparison.zh-CN.md"];
const CODE: [&str; 2] = ["auth.mjs", "page.mjs"];

/// Where the tests are that the page names.
const TESTS: [&str; 2] = ["crates/server/tests/http", "crates/verify/tests/it"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap()
}

/// The block of code below its mark.
fn code(page: &str, name: &str) -> String {
    let text = read(page);
    let (_, after) = text.split_once(&format!("<!-- code: {name} -->\n```js\n")).unwrap();
    after.split_once("\n```").unwrap().0.to_owned()
}

/// The rows of the table of cases.
fn cases(page: &str) -> Vec<String> {
    read(page).lines().filter(|line| line.starts_with("| **")).map(str::to_owned).collect()
}

/// What came of each case, a line each.
fn came_of_it() -> Vec<String> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/comparison");
    let folder = tempfile::tempdir().unwrap();
    for name in CODE {
        std::fs::write(folder.path().join(name), code(PAGES[0], name)).unwrap();
    }
    let package = folder.path().join("node_modules/jsonwebtoken");
    std::fs::create_dir_all(&package).unwrap();
    std::fs::copy(own.join("jsonwebtoken.mjs"), package.join("index.mjs")).unwrap();
    std::fs::write(package.join("package.json"), r#"{"exports": "./index.mjs"}"#).unwrap();
    let run = Command::new("node").arg(own.join("cases.mjs")).arg(folder.path()).output();
    let run = run.unwrap_or_else(|why| panic!("node: {why}; run: apt-get install nodejs"));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn hand_written_tokens_come_out_of_each_case_as_the_page_says() {
    let came = came_of_it();
    for page in PAGES {
        let cases = cases(page);
        assert_eq!(cases.len(), came.len(), "{page}");
        for (case, came) in cases.iter().zip(&came) {
            assert!(case.contains(&format!("| `{came}`")), "{page}: {case}\ncame out as {came}");
        }
    }
}

#[test]
fn both_languages_of_the_comparison_show_the_same_sixty_lines() {
    for name in CODE {
        assert_eq!(code(PAGES[0], name), code(PAGES[1], name));
    }
    let lines: usize = CODE.iter().map(|name| code(PAGES[0], name).lines().count()).sum();
    assert!((55..=65).contains(&lines), "the page says sixty, and there are {lines}");
}

/// The sources below the folder, in one text.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => std::fs::read_to_string(&path).unwrap(),
    };
    entries.map(read).collect()
}

#[test]
fn what_the_comparison_says_of_symbolon_is_held_by_tests_that_are_there() {
    let there: String = TESTS.iter().map(|folder| sources(&root().join(folder))).collect();
    for page in PAGES {
        for case in cases(page) {
            let last = case.trim_end_matches(" |").rsplit(" | ").next().unwrap().to_owned();
            let named: Vec<_> = last.split('`').skip(1).step_by(2).collect();
            let tests: Vec<_> = named.iter().filter(|name| 3 < name.matches('_').count()).collect();
            assert!(!tests.is_empty(), "{page}: no test holds {last}");
            for test in tests {
                assert!(there.contains(&format!("fn {test}(")), "{page}: {test} is not there");
            }
        }
    }
}
