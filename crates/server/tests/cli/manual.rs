//! Completions and manual pages, as shells and `man` take them.

use crate::common::symbolon;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "elvish", "powershell"];

/// The words of a command's help that name its subcommands.
fn subcommands(of: &[&str]) -> Vec<String> {
    let help = symbolon(Path::new("."), &[of, &["--help"]].concat()).ok().out;
    let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = listed.lines().take_while(|line| line.starts_with("  "));
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

/// Every command that there is, as words.
fn commands() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(command) = open.pop() {
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        for name in subcommands(&words) {
            open.push([&command[..], &[name]].concat());
        }
        found.push(command);
    }
    found
}

#[test]
fn every_shell_gets_completions_that_name_the_commands() {
    for shell in SHELLS {
        let script = symbolon(Path::new("."), &["completions", shell]).ok().out;
        for word in ["serve", "apikey", "completions"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(symbolon(Path::new("."), &["completions", "sh"]).code, 2);
}

#[test]
fn bash_can_read_its_completions() {
    let script = symbolon(Path::new("."), &["completions", "bash"]).ok().out;
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
    let offered = format!(
        "{script}\nCOMP_WORDS=(symbolon apikey '') COMP_CWORD=2\n\
         _symbolon symbolon '' apikey\necho \"${{COMPREPLY[@]}}\""
    );
    // Longer than one argument may be, so it comes as a file does.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offered");
    std::fs::write(&file, offered).unwrap();
    let said = Command::new("bash").arg(&file).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("create") && said.contains("revoke"), "{said}");
}

#[test]
fn every_command_has_a_manual_page_that_man_can_set() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("share/man/man1");
    symbolon(home.path(), &["man", "--dir", "share/man/man1"]).ok();
    let written: BTreeSet<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let name = |words: &Vec<String>| [&["symbolon".to_owned()], &words[..]].concat().join("-");
    let expected: BTreeSet<_> =
        commands().iter().map(|words| format!("{}.1", name(words))).collect();
    assert!(20 < expected.len());
    assert_eq!(written, expected);
    for page in &written {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.starts_with(".ie \\n(.g") && text.contains("\n.TH "), "{page}: {text}");
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    let set = Command::new("groff")
        .args(["-man", "-Tutf8", "-ww", "-z"])
        .args(written.iter().map(|page| folder.join(page)))
        .output();
    // Where groff is not installed, the shape above has to do.
    if let Ok(set) = set {
        assert!(set.status.success() && set.stderr.is_empty(), "{set:?}");
    }
}

#[test]
fn the_first_page_is_printed() {
    let page = symbolon(Path::new("."), &["man"]).ok().out;
    assert!(page.contains(".TH symbolon 1"), "{page}");
}

#[test]
fn a_manual_that_cannot_be_written_ends_with_3() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("taken"), "").unwrap();
    let ran = symbolon(home.path(), &["man", "--dir", "taken/man1"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("could not write the manual to taken/man1"), "{}", ran.err);
}
