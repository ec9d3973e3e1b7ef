//! A real proxy, with the configuration that `deploy/` has, between us and an application.

use super::upstream::Upstream;
use crate::common::{SOON, Server, exchange, until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Which proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Proxy {
    Nginx,
    Caddy,
    Haproxy,
}

/// A proxy with the authority beside it and an application behind it.
pub(super) struct Site {
    pub(super) authority: Server,
    pub(super) upstream: Upstream,
    /// Where the proxy listens.
    pub(super) address: String,
    folder: TempDir,
    child: Child,
}

impl Site {
    /// Starts all three.
    pub(super) async fn start(proxy: Proxy) -> Self {
        Self::before(super::authority().await, proxy).await
    }

    /// Starts a proxy and an application beside this authority.
    pub(super) async fn before(authority: Server, proxy: Proxy) -> Self {
        let upstream = Upstream::start();
        let folder = TempDir::new().unwrap();
        // Nobody else takes a port so soon after it was free; if somebody did, the proxy would not start.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let place = |text: &str| {
            text.replace("127.0.0.1:8080", &free.to_string())
                .replace("127.0.0.1:8620", &authority.authority)
                .replace("127.0.0.1:3000", &upstream.address.to_string())
        };
        let mut command = match proxy {
            Proxy::Nginx => nginx(folder.path(), &place),
            Proxy::Caddy => caddy(folder.path(), &place),
            Proxy::Haproxy => haproxy(folder.path(), &place),
        };
        let log = fs::File::create(folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap_or_else(|why| {
            let name = command.get_program().to_string_lossy().into_owned();
            panic!("{name}: {why}. Run: apt-get install {name}")
        });
        let address = free.to_string();
        let mut site = Self { authority, upstream, address, folder, child };
        site.wait().await;
        site
    }

    async fn wait(&mut self) {
        let (address, child) = (self.address.clone(), &mut self.child);
        let log = self.folder.path().join("log");
        until("the proxy listens", || {
            let ended = child.try_wait().unwrap();
            assert_eq!(ended, None, "it ended: {}", fs::read_to_string(&log).unwrap());
            let address = address.clone();
            async move { TcpStream::connect(address).await.ok() }
        })
        .await;
    }

    /// Ends the authority as a power cut would.
    pub(super) async fn stop_authority(&self) {
        let process = i32::try_from(self.authority.process()).unwrap();
        kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
        until("the authority is gone", || async {
            TcpStream::connect(&self.authority.authority).await.is_err().then_some(())
        })
        .await;
    }

    /// Sends bytes and reads everything that comes back.
    pub(super) async fn send(&self, bytes: &[u8]) -> String {
        exchange(&self.address, bytes, SOON).await.expect("an answer comes soon")
    }

    /// Sends a request with these header lines, each as it is written here.
    pub(super) async fn ask(&self, method: &str, target: &str, lines: &[&str]) -> String {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let host = &self.address;
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n"
        );
        self.send(head.as_bytes()).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("--- the proxy's log\n{log}---");
        }
    }
}

fn deploy(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// The file of `deploy/`, included as Debian's own `nginx.conf` does.
fn nginx(folder: &Path, place: &dyn Fn(&str) -> String) -> Command {
    let site = write(folder, "symbolon.conf", &place(&deploy("nginx/symbolon.conf")));
    let (at, site) = (folder.display(), site.display());
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|name| format!("{name}_temp_path {at}/{name};\n")).concat();
    let main = format!(
        "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}include {site};\n}}\n"
    );
    let main = write(folder, "nginx.conf", &main);
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(main).arg("-e").arg("stderr");
    command
}

fn caddy(folder: &Path, place: &dyn Fn(&str) -> String) -> Command {
    let options = "{\n\tadmin off\n}\n";
    let file = format!("{options}{}", place(&deploy("caddy/Caddyfile")));
    let file = write(folder, "Caddyfile", &file);
    let mut command = Command::new("caddy");
    command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    command
}

fn haproxy(folder: &Path, place: &dyn Fn(&str) -> String) -> Command {
    let script = write(folder, "symbolon.lua", &deploy("haproxy/symbolon.lua"));
    let file = deploy("haproxy/haproxy.cfg");
    let file = file.replace("/etc/haproxy/symbolon.lua", &script.display().to_string());
    let file = write(folder, "haproxy.cfg", &place(&file));
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(file);
    command
}
