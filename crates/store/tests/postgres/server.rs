//! Real PostgreSQLs, from Debian's packages; they are stopped with the program that started them, however that ends.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// How often a server is looked at that starts, and how many times at most: for half a minute, and more on a busy machine.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS_MAX: usize = 1500;

/// A server, its directory and its port.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) data: PathBuf,
    child: Child,
    /// Ends what is left when its input ends.
    _watcher: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A directory that the server's user may read and write.
pub(crate) fn directory() -> PathBuf {
    let directory = tempfile::Builder::new().prefix("symbolon-pg").tempdir_in("/tmp").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    directory.keep()
}

/// A program of PostgreSQL's, which Debian keeps off the path.
pub(crate) fn program(name: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|all| all.map(|one| one.unwrap().path().join("bin").join(name)).collect())
        .unwrap_or_default();
    found.retain(|path| path.exists());
    found.sort();
    found.pop().unwrap_or_else(|| panic!("{name} is missing: apt-get install postgresql"))
}

/// A command that runs as nobody in particular, since PostgreSQL will not run as root.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = match rustix::process::geteuid().is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
            command.arg(program);
            command
        }
        false => Command::new(program),
    };
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Stops a server and removes its directory once its own input ends: when we do, however that happens.
fn watcher(directory: &Path) -> Child {
    const WATCH: &str = r#"read -r _
        pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid"
        for _ in 1 2 3 4 5 6 7 8 9; do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        mountpoint -q "$1" && { umount "$1" || sudo -n umount "$1"; }
        rm -rf "$1""#;
    let mut watch = Command::new("sh");
    watch.args(["-c", WATCH, "watch", text(directory)]).stdin(Stdio::piped());
    watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

pub(crate) fn must(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A port that nobody listens at. Below those that the system gives to clients, so that it is still ours when who
/// listens there comes again, and above those that the tests of Redis take.
pub(crate) fn free_port() -> u16 {
    static NEXT: Mutex<u16> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap();
    if *next == 0 {
        *next = 30_000 + (std::process::id() % 250) as u16 * 10;
    }
    loop {
        *next += 1;
        if TcpListener::bind(("127.0.0.1", *next)).is_ok() {
            return *next;
        }
    }
}

/// What `initdb` makes, which takes longer than to copy it; removed once we are gone.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let directory = directory();
        let data = directory.join("template");
        let mut make = command(&program("initdb"));
        make.args(["-D", text(&data), "-U", "symbolon", "-A", "trust", "-E", "UTF8"]);
        must(make.args(["--no-sync", "--no-locale"]));
        // Whoever reaches it may come in: a test may give it more addresses than this machine's.
        let mut rules = fs::OpenOptions::new().append(true).open(data.join("pg_hba.conf")).unwrap();
        rules.write_all(b"host all all all trust\n").unwrap();
        std::mem::forget(watcher(&directory));
        data
    })
}

impl Server {
    /// A new server with these settings more.
    pub(crate) fn new(settings: &[&str]) -> Self {
        Self::new_in(&directory(), settings)
    }

    /// The same in a directory of the caller's, which is removed when it is dropped.
    pub(crate) fn new_in(directory: &Path, settings: &[&str]) -> Self {
        let mut copy = command(Path::new("/bin/cp"));
        must(copy.args(["-a", text(template()), text(&directory.join("data"))]));
        Self::start(directory, settings)
    }

    /// A standby of this one, as it is now; it follows.
    pub(crate) fn standby(&self, settings: &[&str]) -> Self {
        let directory = directory();
        let (data, port) = (directory.join("data"), self.port.to_string());
        let mut copy = command(&program("pg_basebackup"));
        copy.args(["-D", text(&data), "-h", "127.0.0.1", "-p", &port, "-U", "symbolon"]);
        must(copy.args(["-R", "-X", "stream", "-c", "fast", "--no-sync"]));
        Self::start(&directory, settings)
    }

    /// Makes a standby the primary.
    pub(crate) fn promote(&self) {
        must(command(&program("pg_ctl")).args(["promote", "-w", "-D", text(&self.data)]));
    }

    /// A server over the data that is in a directory, which is removed when it is dropped.
    pub(crate) fn start(directory: &Path, settings: &[&str]) -> Self {
        let (port, data) = (free_port(), directory.join("data"));
        let child = spawn(&data, port, settings);
        let server = Self { port, data, child, _watcher: watcher(directory) };
        server.wait();
        server
    }

    /// Waits until it accepts connections.
    pub(crate) fn wait(&self) {
        let port = self.port.to_string();
        let mut asks = command(&program("pg_isready"));
        asks.args(["-q", "-h", "127.0.0.1", "-p", &port, "-d", "postgres", "-U", "symbolon"]);
        for _ in 0..LOOKS_MAX {
            if asks.status().unwrap().success() {
                return;
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
        panic!("PostgreSQL did not start: {}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.data.join("../log")).unwrap_or_default()
    }

    /// Stops it as a broken machine does, its helpers too.
    pub(crate) fn kill(&mut self) {
        self.signal("immediate");
    }

    /// Stops it as an operator in a hurry does: connections are cut, nothing acknowledged is lost.
    pub(crate) fn stop(&mut self) {
        self.signal("fast");
    }

    fn signal(&mut self, mode: &str) {
        let mut stop = command(&program("pg_ctl"));
        stop.args(["stop", "-m", mode, "-D", text(&self.data)]);
        let _stopped = stop.output();
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }

    /// Whether it ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Stops it and all that it started in their tracks, or lets them go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        let started = Command::new("pgrep").args(["-P", &self.child.id().to_string()]).output();
        let started = String::from_utf8(started.unwrap().stdout).unwrap();
        let started = started.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?));
        for process in std::iter::once(Pid::from_child(&self.child)).chain(started) {
            // One may have ended meanwhile.
            let _ended = kill_process(process, signal);
        }
    }

    /// Changes a setting while it runs.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.sql(&format!("ALTER SYSTEM SET {name} = {value}"));
        self.sql("SELECT pg_reload_conf()");
    }

    /// Starts it again where it was.
    pub(crate) fn restart(&mut self, settings: &[&str]) {
        self.child = spawn(&self.data, self.port, settings);
        self.wait();
    }

    /// The URL of a place in it; a place is a schema.
    pub(crate) fn url(&self, place: &str) -> String {
        let schema: String = place.chars().map(|one| if one == ' ' { '_' } else { one }).collect();
        format!("postgres://symbolon@127.0.0.1:{}/postgres?schema={schema}", self.port)
    }

    /// Runs SQL beside the store, and gives back the one value that it asks for.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|why| panic!("{sql}: {why}"))
    }

    /// The same of a server that may not answer.
    pub(crate) fn try_sql(&self, sql: &str) -> Result<String, String> {
        let port = self.port.to_string();
        let output = command(&program("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port])
            .args(["-U", "symbolon", "-d", "postgres", "-c", sql])
            // A server that takes no writes takes ours, or it could not be told to take some again.
            .env("PGOPTIONS", "-c default_transaction_read_only=off")
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn spawn(data: &Path, port: u16, settings: &[&str]) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(data.join("../log"));
    let log = log.unwrap();
    let mut server = command(&program("postgres"));
    server.args(["-D", text(data), "-h", "127.0.0.1", "-p", &port.to_string(), "-k", ""]);
    for setting in ["max_connections=400", "shared_buffers=64MB", "max_wal_senders=8"] {
        server.args(["-c", setting]);
    }
    for setting in settings {
        server.args(["-c", setting]);
    }
    server.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// The server that most tests share.
pub(crate) fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    // What is acknowledged must be on the disk only where a test says so: the disk is what is slow here.
    SHARED.get_or_init(|| Server::new(&["fsync=off"]))
}
