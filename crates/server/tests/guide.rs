//! Every page of the guide, in both languages, command by command. A page that is added is walked too.

#![expect(clippy::unwrap_used, reason = "a walk that cannot start has failed")]

mod walker;

use std::collections::BTreeSet;

/// The pages of a language, by name.
fn pages(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(walker::root().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".md")).collect()
}

fn walk(folder: &str) {
    let walked = pages(folder).into_iter().filter(|page| {
        let commands = walker::walk(&walker::root().join(folder).join(page));
        0 < commands
    });
    let walked: Vec<_> = walked.collect();
    assert!(4 <= walked.len(), "of {folder} only {walked:?} show commands");
}

#[test]
fn what_the_guide_shows_is_what_happens() {
    walk("docs/guide");
}

#[test]
fn what_the_chinese_guide_shows_is_what_happens() {
    walk("docs/guide/zh-CN");
}

#[test]
fn what_the_runbook_shows_is_what_happens() {
    for page in ["runbook.md", "runbook.zh-CN.md"] {
        let commands = walker::walk(&walker::root().join("docs").join(page));
        assert!(40 <= commands, "{page} shows {commands} commands");
    }
}

#[test]
fn both_languages_have_the_same_pages() {
    assert_eq!(pages("docs/guide"), pages("docs/guide/zh-CN"));
}
