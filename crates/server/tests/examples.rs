//! The programs of `examples/`, as they stand, beside a real `symbolon dev`: they let in and they refuse.

#![expect(clippy::unwrap_used, reason = "an example that cannot be run has failed")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, client};

const PROGRAM: &str = env!("CARGO_BIN_EXE_symbolon");

/// How often it is looked whether an example has reported, each time for a kick that waits for it.
const LOOKS_MAX: usize = 200;

/// A child that ends with the test, and the first line it said.
struct Running {
    process: Child,
    said: String,
    /// Kept open, so that it may go on talking.
    _out: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let (mut out, mut said) = (BufReader::new(process.stdout.take().unwrap()), String::new());
        out.read_line(&mut said).unwrap();
        Self { process, said, _out: out }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the examples are, built once; `cargo test --workspace` has built them already.
fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    BUILT.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--offline", "--workspace", "--examples"])
            .args((!cfg!(debug_assertions)).then_some("--release"))
            .current_dir(&root)
            .status();
        assert!(built.unwrap().success(), "the examples can be built");
    });
    Path::new(PROGRAM).parent().unwrap().join("examples").join(name)
}

/// An answer: its status, and all of it.
struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(self.text.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

fn ask(host: &str, line: &str, token: Option<&str>, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        token.unwrap_or_default(),
        body.len()
    );
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    Answer { status: text.split(' ').nth(1).unwrap().parse().unwrap(), text }
}

/// A `symbolon dev`.
struct Dev {
    _process: Running,
    told: Value,
}

impl Dev {
    fn start() -> Self {
        let free = ["--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"];
        let mut dev = Command::new(PROGRAM);
        let process = Running::start(dev.args(["dev", "--json"]).args(free).stderr(Stdio::null()));
        let told = serde_json::from_str(&process.said).unwrap();
        Self { _process: process, told }
    }

    fn text(&self, member: &str) -> &str {
        self.told[member].as_str().unwrap()
    }

    fn call(&self, line: &str, body: &Value) -> Value {
        let host = self.text("authority").strip_prefix("http://").unwrap();
        let answer = ask(host, line, Some(self.text("api_key")), body);
        assert!(answer.status < 300, "{line}: {}", answer.text);
        answer.json()
    }

    /// Somebody's session and its access token.
    fn sign_in(&self) -> (String, String) {
        let body = json!({"subject": "10086", "client_id": "web", "device": {"class": "web"}});
        let session = self.call("POST /v1/sessions", &body);
        let text = |member: &str| session[member].as_str().unwrap().to_owned();
        (text("session_id"), text("access_token"))
    }

    /// Ends a session, and waits until every verifier refuses it.
    fn kick(&self, sid: &str) {
        let path = format!("DELETE /v1/sessions/{sid}?reason=kicked&wait=10s");
        let heard = self.call(&path, &Value::Null);
        assert_eq!(heard["verifiers"]["lagging"], json!([]), "{heard}");
    }

    /// Starts an example that serves; answers it and its address when it is one of the verifiers.
    fn serve(&self, name: &str) -> (Running, String) {
        let example = Running::start(
            Command::new(example(name))
                .env_clear()
                .env("ISSUER", self.text("authority"))
                .env("API_KEY", self.text("api_key"))
                .env("LISTEN", "127.0.0.1:0"),
        );
        let address = example.said.trim().strip_prefix("listening on ").unwrap().to_owned();
        // Each look waits for the verifiers that are known, so this is no busy loop.
        let follows = |_: &usize| {
            let (sid, _) = self.sign_in();
            self.kick(&sid);
            let known = self.call("GET /v1/verifiers", &Value::Null);
            known["items"].as_array().unwrap().iter().any(|verifier| verifier["name"] == "dev")
        };
        assert!((0..LOOKS_MAX).any(|look| follows(&look)), "{name} follows the feed");
        (example, address)
    }
}

/// An example whose one route refuses strangers, lets a token in, and refuses it once its session is over.
fn lets_in_and_refuses(name: &str, path: &str) {
    let dev = Dev::start();
    let (_example, address) = dev.serve(name);
    let get = |token: Option<&str>| ask(&address, &format!("GET {path}"), token, &Value::Null);
    assert_eq!(get(None).status, 401);
    let (sid, token) = dev.sign_in();
    let welcome = get(Some(&token));
    assert!(welcome.status == 200 && welcome.text.contains("10086"), "{}", welcome.text);
    assert_eq!(get(Some(&format!("{token}A"))).status, 401);
    dev.kick(&sid);
    let refused = get(Some(&token));
    assert_eq!(refused.status, 401);
    let challenge = r#"Bearer error="invalid_token", reason="revoked", ended="kicked""#;
    assert!(refused.text.contains(challenge), "{}", refused.text);
}

#[test]
fn the_axum_example_refuses_a_kicked_session() {
    lets_in_and_refuses("axum", "/orders");
}

#[test]
fn the_hyper_example_refuses_a_kicked_session() {
    lets_in_and_refuses("hyper", "/");
}

#[test]
fn the_websocket_example_closes_with_the_reason() {
    let dev = Dev::start();
    let (_example, address) = dev.serve("websocket");
    let (sid, token) = dev.sign_in();
    let mut request = format!("ws://{address}/live").into_client_request().unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let (mut socket, _) = client(request, TcpStream::connect(&address).unwrap()).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello 10086"));
    socket.send(Message::text("still here?")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("still here?"));
    dev.kick(&sid);
    let Message::Close(Some(close)) = socket.read().unwrap() else { panic!("it is closed") };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (4401, "kicked"));
}

#[test]
fn the_job_example_tells_good_tokens_from_bad_ones_without_a_network() {
    let dev = Dev::start();
    let host = dev.text("authority").strip_prefix("http://").unwrap();
    let keys = ask(host, "GET /.well-known/jwks.json", None, &Value::Null).json();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.json"), keys.to_string()).unwrap();
    let (_, token) = dev.sign_in();
    let issuer = dev.text("authority").to_owned();
    drop(dev);
    let mut job = Command::new(example("job"))
        .args([&*issuer, "keys.json"])
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (other, _) = token.rsplit_once('.').unwrap();
    let tokens = format!("{token}\n{other}.{}\nnonsense\n", "A".repeat(86));
    job.stdin.take().unwrap().write_all(tokens.as_bytes()).unwrap();
    let said = String::from_utf8(job.wait_with_output().unwrap().stdout).unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[0], "good: 10086 through web");
    assert!(lines[1..].iter().all(|line| line.starts_with("refused: ")), "{said}");
    assert_eq!(lines.len(), 3, "{said}");
}
