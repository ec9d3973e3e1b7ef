//! Real servers, from Debian's packages, on free ports and in directories of their own. They end with the test
//! process, however that ends: a shell holds each and waits for its standard input to close.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// How long servers may take until they answer as expected.
const READY_MAX: Duration = Duration::from_secs(30);

/// The shells, whose standard input stays open as long as this process lives.
static HELD: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// Asks until `done` says yes.
pub(crate) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + READY_MAX;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while !done().await {
        assert!(Instant::now() < until, "waited in vain until {what}");
        tick.tick().await;
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    // Below those that the system gives to clients, so that nobody has it a moment later.
    static NEXT: Mutex<u16> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap();
    if *next == 0 {
        *next = 10_000 + (std::process::id() % 2000) as u16 * 10;
    }
    loop {
        *next += 1;
        if TcpListener::bind(("127.0.0.1", *next)).is_ok() {
            return *next;
        }
    }
}

/// One server.
pub(crate) struct Server {
    pub(crate) port: u16,
    place: PathBuf,
    arguments: Vec<String>,
    program: &'static str,
}

impl Server {
    /// Starts a server with these settings.
    pub(crate) async fn start(program: &'static str, settings: &[&str]) -> Self {
        let mut server = Self::prepared(program, settings);
        server.run();
        server.answers().await;
        server
    }

    fn prepared(program: &'static str, settings: &[&str]) -> Self {
        let port = free_port();
        let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("redis-{port}"));
        let _stale = std::fs::remove_dir_all(&place);
        std::fs::create_dir_all(&place).unwrap();
        let arguments = settings.iter().map(|&word| word.to_owned()).collect();
        Self { port, place, arguments, program }
    }

    /// Runs it, again after it was killed.
    pub(crate) fn run(&mut self) {
        const HOLD: &str = "cd \"$1\"; shift; \"$@\" >log 2>&1 & server=$!; cat >/dev/null; \
             kill -9 $server 2>/dev/null; wait; rm -rf \"$PWD\"";
        let (port, place) = (self.port.to_string(), self.place.display().to_string());
        let held = Command::new("sh")
            .args(["-c", HOLD, "sh", &place, self.program])
            .args(self.config())
            .args(["--port", &port, "--bind", "127.0.0.1", "--dir", &place])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        HELD.lock().unwrap().push(held);
    }

    /// A sentinel rewrites its own file of settings; a server needs none.
    fn config(&self) -> Option<String> {
        let config = self.place.join("sentinel.conf");
        (self.program == "redis-sentinel").then(|| {
            std::fs::write(&config, "").unwrap();
            config.display().to_string()
        })
    }

    async fn answers(&self) {
        let found = Command::new(self.program).arg("--version").output();
        assert!(
            found.is_ok(),
            "{} is missing: apt-get install redis-server redis-sentinel",
            self.program
        );
        until("the server answers", async || {
            // One that wants a password says so.
            let said = self.try_ask("PING").unwrap_or_default();
            said.contains("PONG") || said.contains("NOAUTH")
        })
        .await;
    }

    /// The answer to one line, as text; for tests alone.
    pub(crate) fn ask(&self, line: &str) -> String {
        self.try_ask(line).unwrap_or_else(|| panic!("{line} was not answered"))
    }

    pub(crate) fn try_ask(&self, line: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.write_all(format!("{line}\r\n").as_bytes()).ok()?;
        match self.program {
            // It knows no QUIT.
            "redis-sentinel" => stream.shutdown(std::net::Shutdown::Write).ok()?,
            _ => stream.write_all(b"QUIT\r\n").ok()?,
        }
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    /// A figure from what it says of itself.
    pub(crate) fn info(&self, name: &str) -> Option<String> {
        let told = self.try_ask("INFO everything")?;
        let mut lines = told.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(own, _)| *own == name).map(|(_, value)| value.trim().to_owned())
    }

    /// Kills it without a chance to say anything.
    pub(crate) fn kill(&self) {
        let process = self.info("process_id").unwrap();
        assert!(Command::new("kill").args(["-9", &process]).status().unwrap().success());
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }
}

/// Settings of a server that keeps what it is told.
pub(crate) const KEEPING: [&str; 6] =
    ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"];

/// The server that most tests share.
pub(crate) async fn single() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(|| Server::start("redis-server", &KEEPING)).await
}

/// A cluster of three primaries, each with a replica.
pub(crate) async fn cluster() -> &'static Vec<Server> {
    static SERVERS: OnceCell<Vec<Server>> = OnceCell::const_new();
    SERVERS.get_or_init(new_cluster).await
}

/// The URL of a cluster.
pub(crate) fn url_of(servers: &[Server]) -> String {
    let hosts: Vec<_> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    format!("redis+cluster://{}", hosts.join(","))
}

/// A cluster of one's own.
pub(crate) async fn new_cluster() -> Vec<Server> {
    let mut servers = Vec::new();
    for _ in 0..6 {
        let bus = free_port().to_string();
        let mut settings = KEEPING.to_vec();
        settings.extend(["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"]);
        settings.extend(["--cluster-port", &bus, "--cluster-require-full-coverage", "no"]);
        settings.extend(["--repl-diskless-sync-delay", "0"]);
        servers.push(Server::start("redis-server", &settings).await);
    }
    let hosts = servers.iter().map(|server| format!("127.0.0.1:{}", server.port));
    let created = Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(hosts)
        .args(["--cluster-replicas", "1", "--cluster-yes"])
        .output()
        .unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
    until("the cluster is whole", async || {
        servers.iter().all(|server| {
            server.try_ask("CLUSTER INFO").is_some_and(|it| it.contains("cluster_state:ok"))
                && server.info("master_link_status").is_none_or(|status| status == "up")
        })
    })
    .await;
    servers
}

/// A primary, two replicas, and three sentinels that watch them.
pub(crate) struct Watched {
    pub(crate) servers: Vec<Server>,
    pub(crate) sentinels: Vec<Server>,
}

impl Watched {
    pub(crate) async fn start() -> Self {
        let mut servers = vec![Server::start("redis-server", &KEEPING).await];
        let primary = servers[0].port;
        for _ in 0..2 {
            let mut settings = KEEPING.to_vec();
            let of = primary.to_string();
            settings.extend(["--replicaof", "127.0.0.1", &of, "--repl-diskless-sync-delay", "0"]);
            servers.push(Server::start("redis-server", &settings).await);
        }
        until("the replicas follow", async || {
            servers[1..].iter().all(|one| one.info("master_link_status").as_deref() == Some("up"))
        })
        .await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let sentinel = Server::start("redis-sentinel", &[]).await;
            for line in [
                format!("SENTINEL MONITOR main 127.0.0.1 {primary} 2"),
                "SENTINEL SET main down-after-milliseconds 500".into(),
                "SENTINEL SET main failover-timeout 3000".into(),
                "SENTINEL SET main parallel-syncs 2".into(),
            ] {
                assert!(sentinel.ask(&line).contains("+OK"), "{line}");
            }
            sentinels.push(sentinel);
        }
        until("the sentinels know all", async || {
            sentinels.iter().all(|sentinel| {
                sentinel
                    .try_ask("INFO sentinel")
                    .is_some_and(|told| told.contains("slaves=2,sentinels=3"))
            })
        })
        .await;
        Self { servers, sentinels }
    }

    pub(crate) fn url(&self) -> String {
        let hosts = self.sentinels.iter().map(|one| format!("127.0.0.1:{}", one.port));
        format!("redis+sentinel://{}/main", hosts.collect::<Vec<_>>().join(","))
    }
}
