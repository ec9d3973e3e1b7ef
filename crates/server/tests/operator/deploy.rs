//! What `deploy/compose` and `deploy/kubernetes` have, as far as it can be held without a container engine: the proxy runs,
//! before real nodes, the configurations are accepted, and the times fit.

use crate::common::exchange;
use crate::machine::{Machine, free};
use crate::node::MASTER_KEY;
use crate::redis::{KEEPING, Server};
use crate::{Ask, SOON, until};
use serde_json::json;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use symbolon::http::serve::DRAIN_TIME_MAX;

fn deploy(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// HAProxy as `deploy/compose` runs it.
struct Haproxy(Child);

impl Haproxy {
    async fn start(folder: &Path, listen: SocketAddr, nodes: &[Machine]) -> Self {
        let mut text = deploy("compose/haproxy.cfg");
        text = text.replace("bind :8620", &format!("bind {listen}"));
        for (name, node) in ["one", "two", "three"].into_iter().zip(nodes) {
            let (shown, own) = (format!("{name}:8620"), node.node.address.to_string());
            assert!(text.contains(&shown), "{text}");
            text = text.replace(&shown, &own);
        }
        let file = folder.join("haproxy.cfg");
        fs::write(&file, text).unwrap();
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn();
        let child =
            child.unwrap_or_else(|why| panic!("haproxy: {why}; run: apt-get install haproxy"));
        until("the proxy listens", || async { TcpStream::connect(listen).ok() }).await;
        Self(child)
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks through the proxy, and the answer is no refusal of anybody's.
async fn ask(proxy: SocketAddr, question: Ask) -> crate::Answer {
    crate::node::ask(proxy, question).await.unwrap()
}

#[tokio::test]
async fn through_the_proxy_of_compose_a_node_that_leaves_fails_no_request() {
    let server = Server::start("redis-server", &KEEPING).await;
    let public = free();
    let mut nodes: Vec<_> = (0..3).map(|_| Machine::new(&server.url(), Some(public))).collect();
    nodes.iter_mut().for_each(|machine| machine.node.start());
    for machine in &nodes {
        machine.node.ready().await;
    }
    let key = nodes[0].api_key();
    let _proxy = Haproxy::start(nodes[0].path(), public, &nodes).await;
    let body = json!({"subject": "10086", "client_id": "web", "device": {"class": "web"}});
    let begun = ask(public, Ask::json("/v1/sessions", &body).key(&key)).await.expect(201);
    let mut token = begun.text("refresh_token");
    let renew = async |token: &mut String, times: usize| {
        for _ in 0..times {
            let answer = ask(public, Ask::refresh("web", token)).await.expect(200);
            *token = answer.text("refresh_token");
        }
    };
    renew(&mut token, 9).await;
    nodes[2].doctor_by(&key).expect("public feed", "good", &["as they are"]);
    nodes[0].node.kill();
    renew(&mut token, 9).await;
    let second = nodes[1].node.stop();
    let (_, ()) = tokio::join!(second, renew(&mut token, 9));
    renew(&mut token, 9).await;
    // Nobody is left: the proxy says so, and it is nobody's fault but the test's.
    nodes[2].node.kill();
    let head = format!("GET /livez HTTP/1.1\r\nHost: {public}\r\nConnection: close\r\n\r\n");
    let answer = exchange(&public.to_string(), head.as_bytes(), SOON).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 50"), "{answer}");
}

/// Lines of a file between one that ends so and the first that does not begin so, without that beginning.
fn block(file: &str, after: &str, indent: &str) -> String {
    let text = deploy(file);
    let lines = text.lines().skip_while(|line| !line.ends_with(after)).skip(1);
    let lines = lines.skip_while(|line| line.trim_matches(['#', ' ']).is_empty());
    let inside = |line: &&str| line.starts_with(indent) || line.is_empty();
    let lines = lines.take_while(inside).map(|line| line.trim_start_matches(indent));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_configurations_of_compose_and_kubernetes_are_accepted() {
    let clients =
        "[[audiences]]\nname = \"api\"\n[[clients]]\nclient_id = \"web\"\naudience = [\"api\"]\n";
    let compose = block("compose/compose.yaml", "with your clients and", "#     ") + clients;
    let kubernetes = block("kubernetes/symbolon.yaml", "symbolon.toml: |", "    ");
    for text in [compose, kubernetes] {
        assert!(
            text.contains("store = \"postgres://symbolon@postgres/symbolon?sslmode="),
            "{text}"
        );
        let folder = tempfile::tempdir().unwrap();
        let place = format!("{}/", folder.path().display());
        let text = text.replace("/run/secrets/", &place).replace("/etc/symbolon/secrets/", &place);
        let text = text.replace("/var/lib/symbolon", &place);
        fs::write(folder.path().join("master.key"), MASTER_KEY).unwrap();
        fs::write(folder.path().join("store.password"), "hunter2\n").unwrap();
        let file = folder.path().join("symbolon.toml");
        fs::write(&file, &text).unwrap();
        let mut check = Command::new(env!("CARGO_BIN_EXE_symbolon"));
        let ran =
            check.env_clear().args(["config", "check", "--config"]).arg(file).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{said}\n{text}");
        let shown = String::from_utf8(ran.stdout).unwrap();
        assert!(shown.contains("client      web") && !shown.contains("hunter2"), "{shown}");
    }
}

/// The number behind a name that stands in a file once.
fn number(text: &str, name: &str) -> u64 {
    let values: Vec<_> = text.split(name).skip(1).collect();
    let [value] = *values else { panic!("{name} stands there {} times", values.len()) };
    let digits: String =
        value.chars().skip_while(|c| *c == ' ').take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|why| panic!("{name}: {why}"))
}

#[test]
fn who_stops_a_container_waits_until_requests_under_way_are_answered() {
    let (compose, kubernetes) =
        (deploy("compose/compose.yaml"), deploy("kubernetes/symbolon.yaml"));
    let drain = DRAIN_TIME_MAX.as_secs();
    assert!(drain < number(&compose, "stop_grace_period:"));
    let pause = number(&kubernetes, "sleep: { seconds:");
    assert!(drain + pause < number(&kubernetes, "terminationGracePeriodSeconds:"));
    for (probe, path) in [("startup", "livez"), ("liveness", "livez"), ("readiness", "readyz")] {
        let (_, rest) = kubernetes.split_once(&format!("{probe}Probe:\n")).unwrap();
        let line = rest.lines().next().unwrap().trim();
        assert_eq!(line, format!("httpGet: {{ path: /{path}, port: http }}"));
    }
    assert!(number(&kubernetes, "minAvailable:") < number(&kubernetes, "replicas:"));
}
