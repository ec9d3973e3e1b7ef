//! A sidecar beside a server: started for one test, killed at its end.

use super::secrets::suspicious;
use super::server::client;
use super::{Answer, Ask, SOON, Server, until};
use http::Uri;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;
use tokio::time::timeout;

const BINARY: &str = env!("CARGO_BIN_EXE_symbolon");

/// A sidecar that answers.
pub(crate) struct Sidecar {
    /// Its working directory, in which it has nothing to write.
    folder: TempDir,
    log: TempDir,
    child: Child,
    /// Host and port.
    pub(crate) authority: String,
    metrics: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// The program with these flags, on free ports, with nothing of this process's settings.
fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(BINARY);
    program
        .args(["sidecar", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"])
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null());
    program
}

impl Sidecar {
    /// Starts one that follows a server, for tokens of `demo-api` unless the flags say otherwise.
    pub(crate) async fn of(server: &Server, arguments: &[&str]) -> Self {
        let authority = format!("http://{}", server.authority);
        let usual = ["--authority", &authority, "--api-key", server.api_key()];
        Self::start(&[&usual[..], arguments].concat()).await
    }

    /// Starts one with these flags.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let (folder, log) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let file = log.path().join("stderr.log");
        let stderr = OpenOptions::new().create(true).append(true).open(&file).unwrap();
        let mut child =
            program(arguments).current_dir(folder.path()).stderr(stderr).spawn().unwrap();
        let serving = || {
            let text = fs::read_to_string(&file).unwrap_or_default();
            assert!(child.try_wait().unwrap().is_none(), "the sidecar ended: {text}");
            let line =
                text.lines().find(|line| line.contains("serving ") && line.contains("address="));
            let line = line.map(str::to_owned);
            async move { line }
        };
        let line = until("the sidecar serves", serving).await;
        let value = |name: &str| {
            let rest = line.split(name).nth(1).unwrap();
            rest.split_whitespace().next().unwrap().trim_matches('"').to_owned()
        };
        let (authority, metrics) = (value(" address="), value(" metrics="));
        let client = client();
        Self { folder, log, child, authority, metrics, client }
    }

    /// Runs one that is expected to end by itself.
    pub(crate) fn refused(arguments: &[&str]) -> Output {
        program(arguments).output().unwrap()
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// Asks it.
    pub(crate) async fn ask(&self, ask: Ask) -> Answer {
        let mut request = ask.request(&self.authority);
        let path = request.uri().to_string();
        *request.uri_mut() = format!("{}{path}", self.url()).parse::<Uri>().unwrap();
        let asking = async { Answer::read(self.client.request(request).await.unwrap()).await };
        timeout(SOON, asking).await.expect("an answer comes soon").unwrap()
    }

    /// Waits until it knows what is revoked.
    pub(crate) async fn ready(&self) {
        let ready = || async { (self.ask(Ask::get("/readyz")).await.status == 200).then_some(()) };
        until("the sidecar is ready", ready).await;
    }

    /// Waits until what it knows is too old.
    pub(crate) async fn late(&self) {
        let late = || async { (self.ask(Ask::get("/readyz")).await.status == 503).then_some(()) };
        until("the sidecar is late", late).await;
    }

    /// What it says of a token to somebody on this machine.
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        self.introspected(token).await.expect(200).json()
    }

    /// The same, whatever the answer.
    pub(crate) async fn introspected(&self, token: &str) -> Answer {
        self.ask(Ask::form("/oauth2/introspect", &[("token", token)])).await
    }

    /// What `/metrics` says.
    pub(crate) async fn metrics(&self) -> String {
        let uri = format!("http://{}/metrics", self.metrics).parse().unwrap();
        let answer = timeout(SOON, self.client.get(uri)).await.unwrap().unwrap();
        let answer = Answer::read(answer).await.unwrap().expect(200);
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    /// What stands in its working directory.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = fs::read_to_string(self.log.path().join("stderr.log")).unwrap_or_default();
        if std::thread::panicking() {
            eprintln!("--- the sidecar's log\n{log}---");
        } else {
            assert_eq!(suspicious(&log), Vec::<&str>::new(), "a secret stands in the log");
        }
    }
}
