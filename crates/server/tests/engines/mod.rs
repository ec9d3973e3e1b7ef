//! PostgreSQL and Redis from Debian's packages: started once for a test program, gone with it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How long a server may take until it answers, in looks of 50 ms. Inclusive.
const LOOKS_MAX: usize = 600;

/// An engine that a store may live in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Engine {
    Postgres,
    Redis,
}

impl Engine {
    /// The URL of a place in it that nobody has used.
    pub(crate) fn place(self) -> String {
        static PLACES: AtomicUsize = AtomicUsize::new(0);
        let place = format!("place{}", PLACES.fetch_add(1, Ordering::Relaxed));
        match self {
            Self::Postgres => format!("{}?schema={place}", self.url()),
            Self::Redis => format!("{}?prefix={place}", self.url()),
        }
    }

    /// The URL of the server; its default place belongs to whoever asks first.
    fn url(self) -> String {
        static POSTGRES: OnceLock<u16> = OnceLock::new();
        static REDIS: OnceLock<u16> = OnceLock::new();
        match self {
            Self::Postgres => {
                format!("postgres://symbolon@127.0.0.1:{}/postgres", POSTGRES.get_or_init(postgres))
            }
            Self::Redis => format!("redis://127.0.0.1:{}", REDIS.get_or_init(redis)),
        }
    }
}

fn redis() -> u16 {
    let (port, folder) = (free_port(), folder("redis"));
    let mut command = dying_with_us("redis-server", None);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(&folder);
    command.args(["--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"]);
    start(command, "apt-get install redis-server", || is_redis(port).unwrap_or(false));
    port
}

fn postgres() -> u16 {
    const INSTALL: &str = "apt-get install postgresql";
    let programs = postgres_programs().unwrap_or_else(|| panic!("no PostgreSQL: {INSTALL}"));
    let (port, folder) = (free_port(), folder("postgres"));
    // It refuses to run as root.
    let user = rustix::process::geteuid().is_root().then_some("nobody");
    if let Some(user) = user {
        let owned = Command::new("chown").arg(user).arg(&folder).status().unwrap();
        assert!(owned.success());
    }
    let data = folder.join("data");
    let mut made = dying_with_us(programs.join("initdb"), user);
    made.args(["-U", "symbolon", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]);
    let made = made.arg(&data).current_dir("/").output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut command = dying_with_us(programs.join("postgres"), user);
    command.arg("-D").arg(&data).arg("-k").arg(&folder).args(["-p", &port.to_string()]);
    command.args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"]);
    let is_ready = || {
        let mut asks = Command::new(programs.join("pg_isready"));
        asks.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).status().unwrap().success()
    };
    start(command, INSTALL, is_ready);
    port
}

/// Whether it answers, and not that it is still loading.
fn is_redis(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(answer == *b"+PONG")
}

/// Debian keeps them off the PATH, one directory for each version: the newest.
fn postgres_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    programs.filter(|programs| programs.join("initdb").exists()).max()
}

/// The program as that user, killed when the thread that starts it ends.
fn dying_with_us(program: impl AsRef<Path>, user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = user {
        command.args(["--reuid", user, "--clear-groups"]);
    }
    command.arg(program.as_ref());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).current_dir("/");
    command
}

/// Starts a server from a thread that lives as long as this program, and waits until it does its work: one that takes
/// connections may still refuse everything.
fn start(mut command: Command, install: &'static str, is_ready: impl Fn() -> bool) {
    let (gone, is_gone) = channel();
    std::thread::spawn(move || {
        let said = command.stderr(Stdio::piped()).output();
        let said = said.map(|said| String::from_utf8_lossy(&said.stderr).into_owned());
        let _ = gone.send(said.unwrap_or_else(|why| why.to_string()));
    });
    for _ in 0..LOOKS_MAX {
        if is_ready() {
            return;
        }
        match is_gone.recv_timeout(Duration::from_millis(50)) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Ok(said) => panic!("it did not start ({install}): {said}"),
        }
    }
    panic!("it did not answer in time");
}

/// A directory that is not removed with the program: the next run takes what is left of old ones away.
fn folder(name: &str) -> PathBuf {
    let place = std::env::temp_dir().join("symbolon-test-engines");
    std::fs::create_dir_all(&place).unwrap();
    for old in std::fs::read_dir(&place).unwrap().flatten() {
        let owner = old.file_name().to_string_lossy().rsplit('-').next().map(str::to_owned);
        let alive = owner.is_some_and(|owner| Path::new("/proc").join(owner).exists());
        if !alive {
            let _ = std::fs::remove_dir_all(old.path());
        }
    }
    let folder = place.join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
