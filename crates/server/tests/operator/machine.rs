//! A machine with a configuration: an authority on it, and what `doctor` says there.

use crate::node::{MASTER_KEY, Node, ask, symbolon};
use crate::{Answer, Ask};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

pub(crate) struct Machine {
    pub(crate) node: Node,
    folder: TempDir,
}

/// An address that nobody listens at.
pub(crate) fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Machine {
    /// One whose authority is not started; `issuer`: the public URL, if it is not the authority's own.
    pub(crate) fn new(store: &str, issuer: Option<SocketAddr>) -> Self {
        let folder = TempDir::new().unwrap();
        let (address, place) = (free(), folder.path().join("node"));
        let (issuer, data) = (issuer.unwrap_or(address), place.join("data").display().to_string());
        let text = format!(
            "issuer = \"http://{issuer}\"\nstore = \"{store}\"\ndata = \"{data}\"\n\
             [[audiences]]\nname = \"api\"\n\
             [[clients]]\nclient_id = \"web\"\npreset = \"dual-token\"\naudience = [\"api\"]\n\
             refresh = {{ grace = \"60s\" }}\n"
        );
        Self { node: Node::new(place, address, &text), folder }
    }

    /// One whose authority is ready.
    pub(crate) async fn serving(store: &str) -> Self {
        let mut own = Self::new(store, None);
        own.node.start();
        own.node.ready().await;
        own
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command with this configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = symbolon();
        command.args(arguments).arg("--config").arg(self.node.configuration());
        command.output().unwrap()
    }

    pub(crate) fn api_key(&self) -> String {
        let scopes = "sessions:start,sessions:end,sessions:read,revocations:read,admin";
        let made = ["apikey", "create", "--json", "--name", "test", "--scopes", scopes];
        let made = self.run(&made);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        made["api_key"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn ask(&self, question: Ask) -> Answer {
        ask(self.node.address, question).await.unwrap()
    }

    pub(crate) async fn sign_in(&self, key: &str, subject: &str) -> Value {
        let body = json!({"subject": subject, "client_id": "web", "device": {"class": "web"}});
        self.ask(Ask::json("/v1/sessions", &body).key(key)).await.expect(201).json()
    }

    pub(crate) async fn refresh(&self, token: &Value) -> Answer {
        self.ask(Ask::refresh("web", token.as_str().unwrap())).await
    }

    /// What `doctor` finds here.
    pub(crate) fn doctor(&self) -> Findings {
        self.doctor_by("")
    }

    /// The same by somebody who has this API key.
    pub(crate) fn doctor_by(&self, key: &str) -> Findings {
        let mut command = symbolon();
        command.args(["doctor", "--json", "--config"]).arg(self.node.configuration());
        let ran = command.env("SYMBOLON_API_KEY", key).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!said.contains(MASTER_KEY) && !said.contains("panicked"), "{said}");
        let told: Value =
            serde_json::from_slice(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {said}"));
        Findings { code: ran.status.code().unwrap(), told }
    }
}

/// What `doctor` found.
pub(crate) struct Findings {
    pub(crate) code: i32,
    told: Value,
}

impl Findings {
    /// How each thing of that name looks, one after the other, what was found, and what to do about it.
    pub(crate) fn of(&self, what: &str) -> Vec<(&str, String)> {
        let findings = self.told["findings"].as_array().unwrap();
        let of_name = findings.iter().filter(|finding| finding["what"] == what);
        let read = |finding: &'_ Value| {
            let text = |member: &str| finding[member].as_str().unwrap_or_default().to_owned();
            format!("{}; {}", text("found"), text("next"))
        };
        of_name.map(|one| (one["health"].as_str().unwrap(), read(one))).collect()
    }

    /// Every thing of that name looks so, and something of it says all of this.
    pub(crate) fn expect(&self, what: &str, health: &str, parts: &[&str]) {
        let found = self.of(what);
        assert!(!found.is_empty(), "nothing is said of {what}: {}", self.told);
        assert!(found.iter().all(|(own, _)| *own == health), "{what}: {found:?}");
        let says = |text: &String| parts.iter().all(|part| text.contains(part));
        assert!(found.iter().any(|(_, text)| says(text)), "{what}, {parts:?}: {found:?}");
    }
}
