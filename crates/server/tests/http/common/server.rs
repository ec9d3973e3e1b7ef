//! The process: started for one test, killed at its end, its log shown when the test fails.

use super::secrets::suspicious;
use super::{
    Answer, Ask, Claims, Configuration, SERVICE_SECRET, SOON, Tokens, encoded, tampered, until,
};
use http::Uri;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

const BINARY: &str = env!("CARGO_BIN_EXE_symbolon");

/// A place for a server's things that outlives the server.
pub(crate) struct Home {
    folder: TempDir,
    arguments: Vec<String>,
}

impl Home {
    /// A place for `dev` with these flags.
    pub(crate) fn new(arguments: &[&str]) -> Arc<Self> {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Arc::new(Self { folder: TempDir::new().unwrap(), arguments })
    }

    /// A place for `dev --config`.
    pub(crate) fn configured(configuration: &Configuration) -> Arc<Self> {
        Self::configured_with(configuration, &[])
    }

    /// The same with these flags beside the file.
    pub(crate) fn configured_with(configuration: &Configuration, flags: &[&str]) -> Arc<Self> {
        let mut home = Self { folder: TempDir::new().unwrap(), arguments: Vec::new() };
        let file = configuration.write(home.folder.path(), &home.data());
        home.arguments = vec!["--config".to_owned(), file.display().to_string()];
        home.arguments.extend(flags.iter().map(ToString::to_string));
        Arc::new(home)
    }

    /// A place for another authority under the same master key.
    pub(crate) fn with_the_key_of(self: Arc<Self>, other: &Self) -> Arc<Self> {
        fs::create_dir_all(self.data()).unwrap();
        fs::copy(other.data().join("master.key"), self.data().join("master.key")).unwrap();
        self
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file beside the data directory.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the file of `dev --config`.
    pub(crate) fn reconfigure(&self, configuration: &Configuration) {
        configuration.write(self.folder.path(), &self.data());
    }

    /// Everything that any server of this place has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.beside("stderr.log")).unwrap_or_default()
    }

    /// Starts a server on a free port.
    pub(crate) async fn start(self: &Arc<Self>) -> Server {
        self.start_on("127.0.0.1:0").await
    }

    /// Starts a server on an address.
    pub(crate) async fn start_on(self: &Arc<Self>, address: &str) -> Server {
        match self.try_start_on(address).await {
            Ok(server) => server,
            Err(status) => panic!("the server did not start: {status}\n{}", self.log()),
        }
    }

    /// Starts a server that may refuse to; then what it said is in the log.
    pub(crate) async fn try_start(self: &Arc<Self>) -> Result<Server, ExitStatus> {
        self.try_start_on("127.0.0.1:0").await
    }

    async fn try_start_on(self: &Arc<Self>, address: &str) -> Result<Server, ExitStatus> {
        self.try_start_as(symbolon(), address).await
    }

    /// Starts a server on which the system plays a trick from its beginning, or that refuses to start.
    pub(crate) async fn try_start_tampered(
        self: &Arc<Self>,
        trick: &str,
    ) -> Result<Server, ExitStatus> {
        self.try_start_as(tampered(&self.data(), trick, BINARY), "127.0.0.1:0").await
    }

    async fn try_start_as(
        self: &Arc<Self>,
        mut program: Command,
        address: &str,
    ) -> Result<Server, ExitStatus> {
        let log = OpenOptions::new().create(true).append(true).open(self.beside("stderr.log"));
        let mut child = program
            .args(["dev", "--json", "--demo-listen", "127.0.0.1:0", "--listen", address, "--data"])
            .arg(self.data())
            .args(&self.arguments)
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let read = spawn_blocking(move || {
            let mut line = String::new();
            stdout.read_line(&mut line).map(|_| line)
        });
        let Ok(read) = timeout(SOON, read).await else {
            let _ = child.kill();
            panic!("the server said nothing\n{}", self.log());
        };
        match read.unwrap().unwrap() {
            line if line.is_empty() => Err(child.wait().unwrap()),
            line => Ok(Server::new(self, child, serde_json::from_str(&line).unwrap())),
        }
    }
}

/// The program, with none of this process's settings.
fn symbolon() -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    symbolon().args(arguments).output().unwrap()
}

/// A client that lets go of a connection before the server does, which would break off what it sends just then.
pub(super) fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(5))
        .build_http()
}

/// A server that answers.
pub(crate) struct Server {
    pub(crate) home: Arc<Home>,
    /// What it said when it was ready.
    pub(crate) told: Value,
    /// Host and port.
    pub(crate) authority: String,
    child: Child,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Server {
    fn new(home: &Arc<Home>, child: Child, told: Value) -> Self {
        let url = told["authority"].as_str().unwrap();
        let authority = url.strip_prefix("http://").unwrap().to_owned();
        let client = client();
        Self { home: Arc::clone(home), told, authority, child, client }
    }

    /// Starts `dev` with these flags on an empty directory.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        Home::new(arguments).start().await
    }

    /// Starts `dev` with these flags; both of its demo APIs, verifiers too, have reported.
    pub(crate) async fn followed(arguments: &[&str]) -> Self {
        let server = Self::with(arguments).await;
        let both = || async { (server.list("/v1/verifiers").await.len() == 2).then_some(()) };
        until("both demo APIs follow", both).await;
        server
    }

    /// Starts `dev --config` on an empty directory.
    pub(crate) async fn configured(configuration: &Configuration) -> Self {
        Home::configured(configuration).start().await
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(mut self) -> Arc<Home> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Arc::clone(&self.home)
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Stops it in its tracks, as a machine that hangs does; its connections stand. Or lets it go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Tells it to stop, without waiting for that.
    pub(crate) fn tell_to_stop(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Has it read its configuration again, and waits until it says what became of that: the line.
    pub(crate) async fn reload(&self) -> String {
        let said = || {
            let log = self.home.log();
            let lines = log
                .lines()
                .filter(|line| line.contains("configuration") && line.contains("reloaded"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let before = said().len();
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
        until("the reload is told", || {
            let line = said().get(before).cloned();
            async move { line }
        })
        .await
    }

    /// A token of the client `service` itself.
    pub(crate) async fn service_token(&self, more: &[(&str, &str)]) -> Answer {
        let parameters = [&[("grant_type", "client_credentials")], more].concat();
        self.ask(Ask::form("/oauth2/token", &parameters).basic("service", SERVICE_SECRET)).await
    }

    /// `PUT /v1/clients/{client_id}`.
    pub(crate) async fn switch(&self, client: &str, body: &Value) -> Answer {
        self.ask_as_back_end(Ask::put(&format!("/v1/clients/{client}"), body)).await
    }

    /// Waits until it has stopped.
    pub(crate) async fn stopped(mut self) -> (Arc<Home>, ExitStatus) {
        let child = &mut self.child;
        let status = until("the server stopped", || {
            let status = child.try_wait().unwrap();
            async move { status }
        });
        let status = status.await;
        (Arc::clone(&self.home), status)
    }

    /// The API key with all scopes.
    pub(crate) fn api_key(&self) -> &str {
        self.told["api_key"].as_str().unwrap()
    }

    /// Asks as anybody may.
    pub(crate) async fn ask(&self, ask: Ask) -> Answer {
        let mut request = ask.request(&self.authority);
        let path = request.uri().to_string();
        *request.uri_mut() = format!("http://{}{path}", self.authority).parse::<Uri>().unwrap();
        let asking = async { Answer::read(self.client.request(request).await.unwrap()).await };
        timeout(SOON, asking).await.expect("an answer comes soon").unwrap()
    }

    /// Asks as the back end that has the API key.
    pub(crate) async fn ask_as_back_end(&self, ask: Ask) -> Answer {
        self.ask(ask.key(self.api_key())).await
    }

    /// `POST /v1/sessions`.
    pub(crate) async fn start_session(&self, body: &Value) -> Answer {
        self.ask_as_back_end(Ask::json("/v1/sessions", body)).await
    }

    /// Signs a subject in through client `web` on some browser.
    pub(crate) async fn sign_in(&self, subject: &str) -> Tokens {
        self.sign_in_on(subject, &json!({"class": "web"})).await
    }

    /// Signs a subject in through client `web` on a device.
    pub(crate) async fn sign_in_on(&self, subject: &str, device: &Value) -> Tokens {
        let body = json!({"subject": subject, "client_id": "web", "device": device});
        Tokens::of(&self.start_session(&body).await.expect(201))
    }

    /// Refreshes as client `web`.
    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.ask(Ask::refresh("web", token)).await
    }

    /// Refreshes as client `web`, and must succeed.
    pub(crate) async fn renew(&self, token: &str) -> Tokens {
        Tokens::of(&self.refresh(token).await.expect(200))
    }

    /// `GET /v1/sessions/{sid}`.
    pub(crate) async fn session(&self, sid: &str) -> Value {
        self.ask_as_back_end(Ask::get(&format!("/v1/sessions/{sid}"))).await.expect(200).json()
    }

    /// Checks that a session is over, and why.
    pub(crate) async fn expect_ended(&self, sid: &str, reason: &str) {
        let session = self.session(sid).await;
        let told = (&session["state"], &session["reason"]);
        assert_eq!(told, (&json!("ended"), &json!(reason)), "{session}");
    }

    /// `DELETE /v1/sessions/{sid}`, with whatever query.
    pub(crate) async fn kick(&self, sid: &str) -> Answer {
        self.ask_as_back_end(Ask::delete(&format!("/v1/sessions/{sid}"))).await
    }

    /// The items of a list.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let page = self.ask_as_back_end(Ask::get(path)).await.expect(200).json();
        page["items"].as_array().unwrap().clone()
    }

    /// The names of a subject's sessions that are active, sorted.
    pub(crate) async fn active(&self, subject: &str) -> Vec<String> {
        let path = format!("/v1/subjects/{}/sessions?limit=200", encoded(subject));
        sorted(self.list(&path).await.iter().map(|session| &session["session_id"]))
    }

    /// What introspection says of a token.
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        let ask = Ask::form("/oauth2/introspect", &[("token", token)]);
        let answer = self.ask_as_back_end(ask).await.expect(200);
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.json()
    }

    /// What `/metrics` says.
    pub(crate) async fn metrics(&self) -> String {
        let uri = self.told["metrics"].as_str().unwrap().parse().unwrap();
        let answer = timeout(SOON, self.client.get(uri)).await.unwrap().unwrap();
        let answer = Answer::read(answer).await.unwrap().expect(200);
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    /// The published key set.
    pub(crate) async fn jwks(&self) -> String {
        let answer = self.ask(Ask::get("/.well-known/jwks.json")).await.expect(200);
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    /// The claims of an access token, verified with the published keys.
    pub(crate) async fn claims(&self, access_token: &str) -> Claims {
        Claims::of(access_token, &self.jwks().await)
    }

    /// Makes an API key while the server runs, and waits until the server knows it.
    pub(crate) async fn new_api_key(&self, scopes: &str, clients: Option<&str>) -> String {
        let configuration = self.home.beside("symbolon.toml");
        assert!(configuration.exists(), "`apikey` needs a configuration: Server::configured");
        let configuration = configuration.display().to_string();
        let mut arguments = vec!["apikey", "create", "--json", "--config", &configuration];
        arguments.extend(["--name", "of-a-test", "--scopes", scopes]);
        arguments.extend(clients.iter().flat_map(|clients| ["--clients", *clients]));
        let output = run(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let created: Value = serde_json::from_slice(&output.stdout).unwrap();
        let key = created["api_key"].as_str().unwrap().to_owned();
        let look = || async {
            let answer = self.ask(Ask::get("/v1/sessions?limit=1").key(&key)).await;
            (answer.status != 401).then_some(())
        };
        until("the server knows the new API key", look).await;
        key
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let mut names: Vec<_> = names.map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.home.log();
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{log}---");
        } else {
            assert_eq!(suspicious(&log), Vec::<&str>::new(), "a secret stands in the log");
        }
    }
}

/// Whether anything below a folder can be read by others.
pub(crate) fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).unwrap().mode() & 0o077 != 0
}
