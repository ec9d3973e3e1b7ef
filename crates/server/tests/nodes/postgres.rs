//! A PostgreSQL of the test's own, from Debian's packages.

use crate::until;
use rustix::process::{Pid, Signal, kill_process};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What is missing, and what to do about it.
const MISSING: &str = "PostgreSQL is missing: apt-get install postgresql";

pub(crate) struct Postgres {
    folder: TempDir,
    child: Option<Child>,
    pub(crate) address: SocketAddr,
}

/// Where Debian puts the programs of the newest version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect(MISSING);
    let versions = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let mut versions: Vec<_> = versions.filter(|bin| bin.join("initdb").exists()).collect();
    versions.sort();
    versions.pop().expect(MISSING)
}

/// A program as somebody who may run it: not as root.
fn as_nobody(program: &Path) -> Command {
    if !rustix::process::getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
    command
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

impl Postgres {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        if rustix::process::getuid().is_root() {
            run(Command::new("chown").arg("nobody:nogroup").arg(folder.path()));
        }
        let data = folder.path().join("data");
        run(as_nobody(&programs().join("initdb"))
            .args(["--auth=trust", "--username=symbolon", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "-D"])
            .arg(&data)
            .current_dir("/"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut own = Self { folder, child: None, address };
        own.start_again().await;
        own.ask("postgres", "CREATE DATABASE symbolon");
        own
    }

    /// Starts it on what it had.
    pub(crate) async fn start_again(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let port = self.address.port();
        let child = as_nobody(&programs().join("postgres"))
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories=", "-c", "max_connections=200"])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let address = self.address;
        until("PostgreSQL answers", || async move {
            let taken = TcpStream::connect(address).is_ok();
            (taken && psql(address, "postgres", "SELECT 1").status.success()).then_some(())
        })
        .await;
    }

    /// Ends it at once, as a crash does; what it acknowledged it has.
    pub(crate) fn crash(&mut self) {
        self.signal(Signal::QUIT);
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }

    /// Stops all its processes in their tracks, or lets them go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        for process in self.processes() {
            // One may have ended meanwhile.
            let _ = kill_process(process, signal);
        }
    }

    /// Changes a setting while it runs.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.ask("postgres", &format!("ALTER SYSTEM SET {name} = {value}"));
        self.ask("postgres", "SELECT pg_reload_conf()");
    }

    /// Asks it something.
    pub(crate) fn ask(&self, database: &str, question: &str) -> String {
        let output = psql(self.address, database, question);
        assert!(output.status.success(), "{question}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// It and those that it started.
    fn processes(&self) -> Vec<Pid> {
        let Some(child) = &self.child else { return Vec::new() };
        let parent = child.id().to_string();
        let output = Command::new("pgrep").args(["-P", &parent]).output().unwrap();
        let children = String::from_utf8(output.stdout).unwrap();
        let children = children.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?));
        std::iter::once(Pid::from_child(child)).chain(children).collect()
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }
}

fn psql(address: SocketAddr, database: &str, question: &str) -> std::process::Output {
    Command::new(programs().join("psql"))
        .args(["-h", "127.0.0.1", "-p", &address.port().to_string(), "-U", "symbolon"])
        .args(["-d", database, "-At", "-c", question])
        .env("PGOPTIONS", "-c default_transaction_read_only=off")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.freeze(false);
        self.crash();
    }
}
