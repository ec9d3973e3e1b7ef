//! `serve`, and what the commands around it say when it is not as it should be.

use crate::common::{Ran, symbolon, symbolon_with};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const ANY_PORT: [&str; 4] = ["--set", "listen=127.0.0.1:0", "--set", "metrics_listen=off"];

/// A running `serve`; it ends with the test.
pub(crate) struct Serving {
    process: Child,
    /// What it logged until it was ready.
    log: Vec<String>,
}

impl Serving {
    pub(crate) fn start(home: &Path) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_symbolon"))
            .arg("serve")
            .args(ANY_PORT)
            .current_dir(home)
            .env_clear()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut serving = Self { process, log: Vec::new() };
        for line in BufReader::new(serving.process.stderr.take().unwrap()).lines() {
            serving.log.push(line.unwrap());
            if serving.log.last().is_some_and(|line| line.contains(" ready ")) {
                return serving;
            }
        }
        panic!("it did not start: {:#?}", serving.log);
    }

    /// Whether it logged something before it was ready.
    pub(crate) fn said(&self, part: &str) -> bool {
        self.log.iter().any(|line| line.contains(part))
    }

    /// Host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.log.last().unwrap().rsplit("address=").next().unwrap();
        address.trim().parse().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A directory with a configuration and a master key.
pub(crate) fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    symbolon(home.path(), &["config", "init"]).ok();
    home
}

fn serve(home: &Path) -> Ran {
    symbolon(home, &[&["serve"][..], &ANY_PORT].concat())
}

fn create(home: &Path) -> Ran {
    symbolon(home, &["apikey", "create", "--name", "x", "--scopes", "sessions:read"])
}

#[test]
fn the_log_says_which_port_was_taken() {
    let home = home();
    let serving = Serving::start(home.path());
    assert_ne!(serving.address().port(), 0, "{:?}", serving.log);
    std::net::TcpStream::connect(serving.address()).unwrap();
}

#[test]
fn without_a_configuration_it_says_how_to_write_one() {
    let empty = tempfile::tempdir().unwrap();
    for arguments in [&["serve"][..], &["apikey", "list"], &["config", "check"]] {
        let ran = symbolon(empty.path(), arguments);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains("write one with `symbolon config init`"), "{}", ran.err);
    }
    let wrong = home();
    fs::write(wrong.path().join("symbolon.toml"), "").unwrap();
    let ran = symbolon(wrong.path(), &["serve"]);
    assert!(!ran.err.contains("config init"), "there is one: {}", ran.err);
}

#[test]
fn init_proposes_a_key_that_may_introspect() {
    let home = tempfile::tempdir().unwrap();
    let said = symbolon(home.path(), &["config", "init"]).ok().out;
    let proposed = said.lines().find(|line| line.contains("apikey create")).unwrap();
    assert!(proposed.contains("revocations:read"), "{proposed}");
    let words: Vec<_> = proposed.split_whitespace().skip(1).collect();
    symbolon(home.path(), &words).ok();
}

#[test]
fn a_wrong_master_key_is_could_not_for_every_command_and_makes_no_api_key() {
    let home = home();
    drop(Serving::start(home.path()));
    create(home.path()).ok();
    let path = home.path().join("master.key");
    let right = fs::read(&path).unwrap();
    fs::copy(self::home().path().join("master.key"), &path).unwrap();
    for ran in [serve(home.path()), create(home.path())] {
        assert_eq!(ran.code, 3, "{}", ran.err);
        assert!(ran.err.contains("another master key"), "{}", ran.err);
    }
    fs::write(&path, "no key at all").unwrap();
    for ran in [serve(home.path()), create(home.path())] {
        assert_eq!(ran.code, 3, "{}", ran.err);
    }
    fs::write(&path, right).unwrap();
    let listed = symbolon(home.path(), &["apikey", "list", "--json"]).ok().json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_store_that_cannot_be_opened_is_could_not_for_every_command() {
    let home = home();
    fs::write(home.path().join("symbolon.db"), [b'x'; 8192]).unwrap();
    for ran in [serve(home.path()), create(home.path())] {
        assert_eq!(ran.code, 3, "{}", ran.err);
    }
}

#[test]
fn a_master_key_that_others_can_reach_is_warned_about() {
    let home = home();
    let path = home.path().join("master.key");
    for (mode, warned) in [(0o600, false), (0o440, false), (0o604, true), (0o660, true)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let said = format!("has mode {mode:04o}");
        let check = symbolon(home.path(), &["config", "check"]).ok().out;
        assert_eq!(check.contains(&said), warned, "{check}");
        let log = Serving::start(home.path()).log.join("\n");
        assert_eq!(log.contains(&said), warned, "{log}");
    }
    let check = symbolon_with(home.path(), &["config", "check", "--json"], &[]).ok().json();
    assert_eq!(check["notes"].as_array().unwrap().len(), 1, "{check}");
}

/// Starts `serve` with its log in a file, and waits until it is ready.
fn logging(home: &Path) -> Child {
    let log = fs::File::create(home.join("serve.log")).unwrap();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_symbolon"));
    serve.arg("serve").args(ANY_PORT).current_dir(home).env_clear().stderr(log);
    let child = serve.spawn().unwrap();
    wait_for(home, " ready ");
    child
}

/// Waits until the log has a part so many times.
fn wait_for_times(home: &Path, part: &str, times: usize) -> String {
    for _ in 0..1500 {
        let log = fs::read_to_string(home.join("serve.log")).unwrap();
        if times <= log.matches(part).count() {
            return log;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    panic!("it did not say {part:?}: {}", fs::read_to_string(home.join("serve.log")).unwrap());
}

fn wait_for(home: &Path, part: &str) -> String {
    wait_for_times(home, part, 1)
}

#[test]
fn a_configuration_that_was_found_and_is_gone_is_refused_and_the_old_one_stays() {
    let home = home();
    let mut serving = logging(home.path());
    fs::rename(home.path().join("symbolon.toml"), home.path().join("away.toml")).unwrap();
    let hangup = |child: &Child| {
        let told = Command::new("kill").args(["-HUP", &child.id().to_string()]).status();
        assert!(told.unwrap().success());
    };
    hangup(&serving);
    let log = wait_for(home.path(), "reloaded");
    assert!(log.contains("not reloaded: the old one stays"), "{log}");
    assert!(log.contains("could not read symbolon.toml"), "{log}");
    fs::rename(home.path().join("away.toml"), home.path().join("symbolon.toml")).unwrap();
    hangup(&serving);
    wait_for(home.path(), "configuration reloaded: nothing changed");
    serving.kill().unwrap();
    serving.wait().unwrap();
}

#[test]
fn an_ends_log_that_is_taken_away_from_a_running_authority_is_told() {
    let home = home();
    let mut serving = logging(home.path());
    let (log, away) = (home.path().join("symbolon.db.ends"), home.path().join("away"));
    fs::rename(&log, &away).unwrap();
    wait_for(home.path(), "the ends log is not the file any more");
    fs::rename(&away, &log).unwrap();
    wait_for(home.path(), "the ends log is in its place again");
    fs::copy(&log, &away).unwrap();
    fs::rename(&away, &log).unwrap();
    wait_for_times(home.path(), "the ends log is not the file any more", 2);
    serving.kill().unwrap();
    serving.wait().unwrap();
}
