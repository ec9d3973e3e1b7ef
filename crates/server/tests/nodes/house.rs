//! Three nodes on one store, each by a way of its own to it, a load balancer before them, and two verifiers.

use crate::balancer::Balancer;
use crate::node::{Node, ask, symbolon};
use crate::proxy::{Proxy, Way};
use crate::{Answer, Ask, until};
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use symbolon_verify::{Now, Policy, Presented, Verifier};
use tempfile::TempDir;

/// How many nodes there are.
const NODES: usize = 3;

/// A session, and what it was given.
pub(crate) struct SignedIn {
    pub(crate) sid: String,
    pub(crate) refresh: String,
    pub(crate) access: String,
}

pub(crate) struct House {
    pub(crate) nodes: Vec<Node>,
    pub(crate) ways: Vec<Proxy>,
    pub(crate) verifiers: Vec<Verifier>,
    pub(crate) api_key: String,
    pub(crate) balancer: Balancer,
    _folder: TempDir,
}

/// Everything but where a node listens.
fn configuration(issuer: SocketAddr, store: &str, data: &str) -> String {
    format!(
        "issuer = \"http://{issuer}\"\nstore = \"{store}\"\ndata = \"{data}\"\n\
         [[audiences]]\nname = \"api\"\n\
         [[clients]]\nclient_id = \"app\"\npreset = \"dual-token\"\naudience = [\"api\"]\n\
         access_token = {{ ttl = \"10min\" }}\nrefresh = {{ grace = \"120s\" }}\n\
         [[clients]]\nclient_id = \"strict\"\npreset = \"dual-token\"\naudience = [\"api\"]\n\
         refresh = {{ grace = \"1s\" }}\n"
    )
}

/// Addresses that nobody listens at.
fn free(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

impl House {
    /// `store`: what the URL of the store is, given where to reach it.
    pub(crate) async fn on(at: SocketAddr, store: impl Fn(SocketAddr) -> String) -> Self {
        Self::started(at, store, |_, node| node.start()).await
    }

    /// The same with nodes that are started otherwise.
    pub(crate) async fn started(
        at: SocketAddr,
        store: impl Fn(SocketAddr) -> String,
        start: impl Fn(usize, &mut Node),
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let addresses = free(NODES);
        let balancer = Balancer::before(addresses.clone()).await;
        let (mut nodes, mut ways) = (Vec::new(), Vec::new());
        for (number, address) in addresses.into_iter().enumerate() {
            let (way, place) = (Proxy::to(at).await, folder.path().join(number.to_string()));
            let data = place.join("data").display().to_string();
            let text = configuration(balancer.address, &store(way.address), &data);
            nodes.push(Node::new(place, address, &text));
            ways.push(way);
        }
        // All at once: the tables and the keys are made by whoever comes first.
        nodes.iter_mut().enumerate().for_each(|(number, node)| start(number, node));
        for node in &nodes {
            node.ready().await;
        }
        let api_key = make_key(&nodes[0]);
        let mut own =
            Self { nodes, ways, verifiers: Vec::new(), api_key, balancer, _folder: folder };
        own.verifiers = own.more_verifiers(2).await;
        own
    }

    /// Verifiers that follow through the load balancer.
    pub(crate) async fn more_verifiers(&self, count: usize) -> Vec<Verifier> {
        let mut verifiers = Vec::new();
        for number in 0..count {
            let builder = Verifier::builder(&format!("http://{}", self.balancer.address));
            let builder = builder.audience("api").feed(&self.api_key);
            let builder = builder.instance(&format!("{count}-{number}"));
            verifiers.push(builder.connect().await.unwrap());
        }
        for verifier in &verifiers {
            verifier.ready().await;
        }
        verifiers
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.address).collect()
    }

    /// Every way to the store becomes so.
    pub(crate) fn all_ways(&self, way: Way) {
        self.ways.iter().for_each(|own| own.is(way));
    }

    /// Everything is as it should be again.
    pub(crate) async fn healed(&mut self) {
        self.all_ways(Way::Open);
        for node in &self.nodes {
            node.ready().await;
        }
    }

    /// Signs somebody in.
    pub(crate) async fn sign_in(&self, subject: &str) -> SignedIn {
        let body = json!({"subject": subject, "client_id": "app", "device": {"class": "app"}});
        let begun = self.ask(0, Ask::json("/v1/sessions", &body)).await.expect(201);
        SignedIn {
            sid: begun.text("session_id"),
            refresh: begun.text("refresh_token"),
            access: begun.text("access_token"),
        }
    }

    /// Cuts every node off its store: who need not know what happened since lets a token in, and who must know it within
    /// a second refuses it once that is over.
    pub(crate) async fn stay_away(&self, access: &str) {
        let says = |verifier: &Verifier, policy: &Policy| {
            verifier.verify(&Presented::bearer(access), policy, Now::read()).is_ok()
        };
        let strict = Policy::strict(Duration::from_secs(2));
        for verifier in &self.verifiers {
            until("a token is let in", || async { says(verifier, &strict).then_some(()) }).await;
        }
        self.all_ways(Way::Cut);
        for verifier in &self.verifiers {
            until("what it knows is old", || async { (!says(verifier, &strict)).then_some(()) })
                .await;
            assert!(says(verifier, &Policy::offline()));
        }
        self.all_ways(Way::Open);
        for verifier in &self.verifiers {
            until("it hears again", || async { says(verifier, &strict).then_some(()) }).await;
        }
    }

    /// Asks one node as the back end.
    pub(crate) async fn ask(&self, node: usize, question: Ask) -> Answer {
        ask(self.nodes[node].address, question.key(&self.api_key)).await.unwrap()
    }
}

fn make_key(node: &Node) -> String {
    let scopes = "sessions:start,sessions:read,sessions:end,subjects:write,events:read,revocations:read,admin";
    let output = symbolon()
        .args(["apikey", "create", "--json", "--name", "test", "--scopes", scopes, "--config"])
        .arg(node.configuration())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    told["api_key"].as_str().or(told["key"].as_str()).unwrap().to_owned()
}
