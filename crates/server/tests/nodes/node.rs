//! One process of the authority: started, killed, told to stop, started again, always at the same address.

use crate::{Answer, Ask, SOON, until};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;
use tokio::time::timeout;

const BINARY: &str = env!("CARGO_BIN_EXE_symbolon");

/// The master key of every node.
pub(crate) const MASTER_KEY: &str =
    "8b5f0d2e7a91c4463fd0b2a6917e53c81d64af90e273bc585902cd7f16ea3b4d";

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    folder: PathBuf,
    /// The network namespace that it runs in, if it has one of its own.
    inside: Option<String>,
    child: Option<Child>,
}

/// The program with what a node is given.
pub(crate) fn symbolon() -> Command {
    given(Command::new(BINARY))
}

fn given(mut command: Command) -> Command {
    command.env_clear().env("SYMBOLON_MASTER_KEY", MASTER_KEY).stdin(Stdio::null());
    command
}

impl Node {
    /// One that is not started yet; `configuration` is all but where it listens.
    pub(crate) fn new(folder: PathBuf, address: SocketAddr, configuration: &str) -> Self {
        fs::create_dir(&folder).unwrap();
        let head = format!("listen = \"{address}\"\nmetrics_listen = \"off\"\n");
        fs::write(folder.join("symbolon.toml"), head + configuration).unwrap();
        Self { address, folder, inside: None, child: None }
    }

    /// It will run in this network namespace.
    pub(crate) fn put_inside(&mut self, namespace: String) {
        self.inside = Some(namespace);
    }

    fn program(&self) -> Command {
        let Some(inside) = &self.inside else { return symbolon() };
        // It becomes the program itself: whoever ends it ends that.
        let mut command = Command::new("/usr/sbin/ip");
        command.args(["netns", "exec", inside, BINARY]);
        given(command)
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.join("symbolon.toml")
    }

    /// Starts it, without waiting for it.
    pub(crate) fn start(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        let child = self
            .program()
            .args(["serve", "--config"])
            .arg(self.configuration())
            .stdout(Stdio::null())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Waits until it does its work.
    pub(crate) async fn ready(&self) {
        let ask = || async {
            let answer = ask(self.address, Ask::get("/readyz")).await.ok()?;
            (answer.status == 200).then_some(())
        };
        let ready = timeout(SOON, until("a node is ready", ask)).await;
        assert!(ready.is_ok(), "a node is not ready:\n{}", self.log());
    }

    /// Everything that it logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        until("a node stopped", || {
            let status = child.try_wait().unwrap();
            async move { status }
        })
        .await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Asks a node on a connection of its own; an error means that no whole answer came back.
pub(crate) async fn ask(node: SocketAddr, ask: Ask) -> std::io::Result<Answer> {
    let asking = async {
        let stream = TcpStream::connect(node).await?;
        stream.set_nodelay(true)?;
        let made = handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await;
        let (mut sender, connection) = made.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        let request = ask.request(&node.to_string());
        let response = sender.send_request(request).await.map_err(std::io::Error::other)?;
        Answer::read(response).await.map_err(std::io::Error::other)
    };
    timeout(SOON, asking).await.unwrap_or_else(|_| panic!("no answer of {node} within {SOON:?}"))
}
