//! The README's five minutes, in both languages, command by command: what it shows is what happens.

#![expect(clippy::unwrap_used, reason = "a walk that cannot start has failed")]

mod walker;

fn walk(page: &str) {
    let commands = walker::walk(&walker::root().join(page));
    assert!(6 <= commands, "{page} shows {commands} commands; the five minutes are gone");
}

#[test]
fn the_five_minutes_of_the_readme_are_true() {
    walk("README.md");
}

#[test]
fn the_five_minutes_of_the_chinese_readme_are_true() {
    walk("README.zh-CN.md");
}
