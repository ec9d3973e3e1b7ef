//! The README's five minutes, in both languages, command by command: what it shows is what happens.
//!
//! In a `console` block a line that begins with `$ ` is a command (lines ending in `\` go on), the lines
//! below it are its output; `…` stands for whatever a run decides: a time, an address, a token.

#![expect(clippy::unwrap_used, reason = "a walk that cannot start has failed")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_symbolon");

/// What stands before the output of each command of the script.
const MARK: &str = "@@next";

struct Dev {
    process: Child,
    told: serde_json::Value,
}

impl Dev {
    fn start() -> Self {
        let mut process = Command::new(PROGRAM)
            .args(["dev", "--json", "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { told: serde_json::from_str(&line).unwrap(), process }
    }

    fn text(&self, member: &str) -> &str {
        self.told[member].as_str().unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command and the lines that the page shows below it.
struct Step {
    command: String,
    shown: Vec<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut inside, mut goes_on) = (false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            (inside, goes_on) = (line == "```console", false);
        } else if inside && goes_on {
            let step = steps.last_mut().unwrap();
            step.command.push('\n');
            step.command.push_str(line);
            goes_on = line.ends_with('\\');
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            steps.push(Step { command: command.to_owned(), shown: Vec::new() });
            goes_on = command.ends_with('\\');
        } else if inside {
            steps.last_mut().unwrap().shown.push(line.to_owned());
        }
    }
    steps
}

/// Whether a line is what the page shows, where `…` stands for anything.
fn is_like(shown: &str, line: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap()) else { return false };
    for part in parts {
        let Some(at) = rest.rfind(part) else { return false };
        let at = if part.is_empty() { rest.len() } else { at };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// The page's commands as one script, against this authority.
fn script(steps: &[Step], dev: &Dev) -> String {
    let mut script = String::from("set -u\n");
    for step in steps {
        let command = match step.command.starts_with("export SYMBOLON_URL=") {
            true => format!(
                "export SYMBOLON_URL={} SYMBOLON_API_KEY={}",
                dev.text("authority"),
                dev.text("api_key")
            ),
            false => step.command.replace("http://127.0.0.1:8621", dev.text("demo_api")),
        };
        script.push_str(&format!("echo {MARK}\n{command}\n"));
    }
    script
}

#[expect(clippy::disallowed_methods, reason = "the walk needs the PATH of whoever runs it")]
fn walk(name: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    let steps = steps(&std::fs::read_to_string(page).unwrap());
    assert!(6 <= steps.len(), "{name} shows {} commands; the five minutes are gone", steps.len());
    let dev = Dev::start();
    let folder = tempfile::tempdir().unwrap();
    let programs: PathBuf = Path::new(PROGRAM).parent().unwrap().to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let run = Command::new("bash")
        .args(["-c", &format!("exec 2>&1\n{}", script(&steps, &dev))])
        .env("PATH", path)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    let outputs: Vec<_> = said.split(&format!("{MARK}\n")).skip(1).collect();
    assert_eq!(outputs.len(), steps.len(), "{name}: the script stopped early:\n{said}");
    for (step, output) in steps.iter().zip(outputs) {
        let lines: Vec<_> = output.lines().filter(|line| !line.is_empty()).collect();
        let same = lines.len() == step.shown.len()
            && step.shown.iter().zip(&lines).all(|(shown, line)| is_like(shown, line));
        assert!(
            same,
            "{name}: `{}`\nshows:\n{}\nsays:\n{output}",
            step.command,
            step.shown.join("\n")
        );
    }
}

#[test]
fn the_five_minutes_of_the_readme_are_true() {
    walk("README.md");
}

#[test]
fn the_five_minutes_of_the_chinese_readme_are_true() {
    walk("README.zh-CN.md");
}

#[test]
fn an_ellipsis_stands_for_anything_and_the_rest_for_itself() {
    assert!(is_like("a … c", "a bbb c"));
    assert!(is_like("…", "anything"));
    assert!(is_like("ended: kicked", "ended: kicked"));
    assert!(!is_like("a … c", "a bbb d"));
    assert!(!is_like("ended: kicked", "ended: kicked!"));
}
