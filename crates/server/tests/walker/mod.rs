//! Walks a page: runs its commands, one after the other, and holds what it shows against what they say.
//!
//! In a `console` block a line that begins with `$ ` is a command (lines ending in `\` go on), the lines
//! below it are its output; `…` stands for whatever a run decides: a time, an address, a token.

#[path = "../engines/mod.rs"]
mod engines;

use engines::Engine;
use std::cell::OnceCell;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

const PROGRAM: &str = env!("CARGO_BIN_EXE_symbolon");

/// What stands before the output of each command of the script.
const MARK: &str = "@@next";

/// Longer than any page takes, in seconds; then something waits for what will not come.
const SECONDS_MAX: &str = "120";

/// Runs every command of a page against a fresh `symbolon dev`. Answers how many there are.
pub(crate) fn walk(page: &Path) -> usize {
    let name = page.display();
    let steps = steps(&std::fs::read_to_string(page).unwrap());
    if steps.is_empty() {
        return 0;
    }
    let here = Here::start();
    let run = here.run(&steps);
    let said = String::from_utf8(run.stdout).unwrap();
    let outputs: Vec<_> = said.split(&format!("{MARK}\n")).skip(1).collect();
    assert_eq!(outputs.len(), steps.len(), "{name}: the script stopped early:\n{said}");
    for (step, output) in steps.iter().zip(outputs) {
        let lines: Vec<_> = output.lines().filter(|line| !line.is_empty()).collect();
        let shown: Vec<_> = step.shown.iter().map(|line| here.place(line)).collect();
        let same = lines.len() == shown.len()
            && shown.iter().zip(&lines).all(|(shown, line)| is_like(shown, line));
        let (command, shown) = (&step.command, shown.join("\n"));
        assert!(same, "{name}: `{command}`\nshows:\n{shown}\nsays:\n{output}");
    }
    steps.len()
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
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
        } else if inside && !line.is_empty() {
            steps.last_mut().unwrap().shown.push(line.to_owned());
        }
    }
    steps
}

/// Where a page is walked: a `symbolon dev`, and free addresses for a `serve` or a `sidecar` that the page starts.
struct Here {
    dev: Child,
    told: serde_json::Value,
    listen: SocketAddr,
    metrics: SocketAddr,
    sidecar: [SocketAddr; 2],
    second: [SocketAddr; 2],
    /// Made for a page that speaks of them.
    postgres: OnceCell<String>,
    redis: OnceCell<String>,
}

impl Here {
    fn start() -> Self {
        let mut dev = Command::new(PROGRAM)
            .args(["dev", "--json", "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(dev.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let [listen, metrics, api, figures, other, others] = free_addresses();
        let told = serde_json::from_str(&line).unwrap();
        let (sidecar, second) = ([api, figures], [other, others]);
        let (postgres, redis) = (OnceCell::new(), OnceCell::new());
        Self { dev, told, listen, metrics, sidecar, second, postgres, redis }
    }

    fn text(&self, member: &str) -> &str {
        self.told[member].as_str().unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "the walk needs the PATH of whoever runs it")]
    fn run(&self, steps: &[Step]) -> Output {
        let folder = tempfile::tempdir().unwrap();
        let programs = Path::new(PROGRAM).parent().unwrap().display();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        Command::new("timeout")
            .args([SECONDS_MAX, "bash", "-c", &self.script(steps)])
            .env("PATH", path)
            .env("SYMBOLON_URL", self.text("authority"))
            .env("SYMBOLON_API_KEY", self.text("api_key"))
            .env("SYMBOLON_LISTEN", self.listen.to_string())
            .env("SYMBOLON_METRICS_LISTEN", self.metrics.to_string())
            .current_dir(folder.path())
            .output()
            .unwrap()
    }

    /// The page's commands as one script, which leaves nothing running.
    fn script(&self, steps: &[Step]) -> String {
        let mut script =
            String::from("exec 2>&1\nset -u\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n");
        for step in steps {
            let command = match step.command.starts_with("export SYMBOLON_URL=") {
                true => ":".to_owned(),
                false => self.place(&step.command),
            };
            script.push_str(&format!("echo {MARK}\n{command}\n"));
        }
        script
    }

    /// A line of the page with the addresses of this walk.
    fn place(&self, text: &str) -> String {
        self.with_engines(text)
            .replace("http://127.0.0.1:8621", self.text("demo_api"))
            .replace("http://127.0.0.1:8622", self.text("second_demo_api"))
            .replace("127.0.0.1:8620", &self.listen.to_string())
            .replace("127.0.0.1:8629", &self.metrics.to_string())
            .replace("127.0.0.1:8630", &self.sidecar[0].to_string())
            .replace("127.0.0.1:8631", &self.sidecar[1].to_string())
            .replace("127.0.0.1:8640", &self.second[0].to_string())
            .replace("127.0.0.1:8649", &self.second[1].to_string())
    }

    /// The same with engines of this walk, each with a place that nobody else has.
    fn with_engines(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (shown, engine, own) in [
            ("postgres://symbolon@127.0.0.1:5432/postgres", Engine::Postgres, &self.postgres),
            ("redis://127.0.0.1:6379", Engine::Redis, &self.redis),
        ] {
            if text.contains(shown) {
                text = text.replace(shown, own.get_or_init(|| engine.place()));
            }
        }
        text
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let _ = self.dev.kill();
        let _ = self.dev.wait();
    }
}

/// The ports that pages are walked on: below those that the system lends to whoever connects, since one of those
/// can be lent again between this look and the start of what is to listen there.
const PORTS: std::ops::Range<u16> = 18_000..28_000;

/// Addresses where nobody listens, and that no other page of this program is given.
fn free_addresses() -> [SocketAddr; 6] {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let free = || {
        loop {
            let port = PORTS.start + GIVEN.fetch_add(1, Ordering::Relaxed);
            assert!(PORTS.contains(&port), "no port is free");
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            if TcpListener::bind(address).is_ok() {
                return address;
            }
        }
    };
    [(); 6].map(|()| free())
}

/// Whether a line is what the page shows, where `…` stands for anything.
fn is_like(shown: &str, line: &str) -> bool {
    let Some((first, others)) = shown.split_once('…') else { return shown == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = others.split('…').collect();
    let last = parts.pop().unwrap();
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn an_ellipsis_stands_for_anything_and_the_rest_for_itself() {
    assert!(is_like("a … c", "a bbb c"));
    assert!(is_like("…", "anything"));
    assert!(is_like("ended: kicked", "ended: kicked"));
    assert!(is_like("a … c … e", "a c b c e c e"));
    assert!(!is_like("a … c", "a bbb d"));
    assert!(!is_like("ended: kicked", "ended: kicked!"));
}
