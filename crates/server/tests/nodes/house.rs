//! Three nodes on one store, each by a way of its own to it, a load balancer before them, and two verifiers.

use crate::balancer::Balancer;
use crate::network::Network;
use crate::node::{Node, ask, symbolon};
use crate::postgres::{self, free_port};
use crate::proxy::{Proxy, Way};
use crate::redis;
use crate::{Answer, Ask, until};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use symbolon_verify::{Now, Policy, Presented, Verifier};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// How many nodes there are.
pub(crate) const NODES: u8 = 3;

/// How long a used token of the client `strict` still earns its successor.
pub(crate) const WINDOW: Duration = Duration::from_secs(1);

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
    network: Option<Network>,
    _folder: TempDir,
}

/// The store of a house, and where its nodes stand.
pub(crate) struct Ground<'a> {
    /// Where the store is; nodes reach it by way of a proxy.
    at: SocketAddr,
    /// What the URL of the store is, given where to reach it.
    url: &'a dyn Fn(SocketAddr) -> String,
    /// What the nodes are connected by, if not by this machine.
    network: Option<Network>,
}

/// Everything but where a node listens.
fn configuration(issuer: SocketAddr, store: &str, data: &str) -> String {
    format!(
        "issuer = \"http://{issuer}\"\nstore = \"{store}\"\ndata = \"{data}\"\n\
         [[audiences]]\nname = \"api\"\n\
         [[clients]]\nclient_id = \"app\"\npreset = \"dual-token\"\naudience = [\"api\"]\n\
         access_token = {{ ttl = \"10min\" }}\nrefresh = {{ grace = \"120s\" }}\n\
         [[clients]]\nclient_id = \"strict\"\npreset = \"dual-token\"\naudience = [\"api\"]\n\
         refresh = {{ grace = \"{}s\" }}\n",
        WINDOW.as_secs()
    )
}

/// An address that nobody listens at.
fn free() -> SocketAddr {
    ([127, 0, 0, 1], free_port()).into()
}

impl<'a> Ground<'a> {
    pub(crate) fn new(at: SocketAddr, url: &'a dyn Fn(SocketAddr) -> String) -> Self {
        Self { at, url, network: None }
    }

    fn address(&self, node: u8) -> SocketAddr {
        self.network.as_ref().map_or_else(free, |network| network.address(node))
    }

    /// A node that is not started yet, and its way to the store.
    async fn node(&self, number: u8, issuer: SocketAddr, folder: &Path) -> (Node, Proxy) {
        let (way, place) = (Proxy::to(self.at).await, folder.join(number.to_string()));
        let reached = self.network.as_ref().map_or(way.address, |_| self.at);
        let data = place.join("data").display().to_string();
        let text = configuration(issuer, &(self.url)(reached), &data);
        let mut node = Node::new(place, self.address(number), &text);
        if let Some(network) = &self.network {
            node.put_inside(network.namespace(number));
        }
        (node, way)
    }
}

impl House {
    /// `store`: what the URL of the store is, given where to reach it.
    pub(crate) async fn on(at: SocketAddr, store: impl Fn(SocketAddr) -> String) -> Self {
        Self::started(Ground::new(at, &store), |_, node| node.start()).await
    }

    pub(crate) async fn on_postgres(store: &postgres::Server) -> Self {
        Self::on(postgres_at(store), postgres_url).await
    }

    pub(crate) async fn on_redis(store: &redis::Server) -> Self {
        Self::on(redis_at(store), redis_url).await
    }

    /// On a PostgreSQL that listens in a network, with nodes that can be cut off in it.
    pub(crate) async fn across(network: Network, port: u16, url: fn(SocketAddr) -> String) -> Self {
        let at = SocketAddr::new(network.store(), port);
        let ground = Ground { at, url: &url, network: Some(network) };
        Self::started(ground, |_, node| node.start()).await
    }

    /// The same with nodes that are started otherwise.
    pub(crate) async fn started(ground: Ground<'_>, start: impl Fn(usize, &mut Node)) -> Self {
        let folder = TempDir::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = listener.local_addr().unwrap();
        let (mut nodes, mut ways) = (Vec::new(), Vec::new());
        for number in 0..NODES {
            let (node, way) = ground.node(number, issuer, folder.path()).await;
            nodes.push(node);
            ways.push(way);
        }
        // All at once: the tables and the keys are made by whoever comes first.
        nodes.iter_mut().enumerate().for_each(|(number, node)| start(number, node));
        for node in &nodes {
            node.ready().await;
        }
        let api_key = make_key(&nodes[0]);
        let balancer = Balancer::on(listener, nodes.iter().map(|node| node.address).collect());
        let (verifiers, network) = (Vec::new(), ground.network);
        let mut own = Self { nodes, ways, verifiers, api_key, balancer, network, _folder: folder };
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

    /// A node is cut off from its store, and in a network of its own from the other nodes.
    pub(crate) fn cut_off(&self, node: u8) {
        match &self.network {
            Some(network) => network.pull(node),
            None => self.ways[usize::from(node)].is(Way::Cut),
        }
    }

    /// Nobody is cut off any more.
    pub(crate) fn connected(&self) {
        self.all_ways(Way::Open);
        if let Some(network) = &self.network {
            network.plug_in();
        }
    }

    /// Everything is as it should be again.
    pub(crate) async fn healed(&mut self) {
        self.connected();
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

    /// How many events a node says that the engine lost.
    pub(crate) async fn lost_events(&self, node: usize) -> u64 {
        let ready = self.ask(node, Ask::get("/readyz")).await.expect(200);
        ready.member("lost_events").as_u64().unwrap_or(0)
    }

    /// What `symbolon doctor` finds with the configuration of a node.
    pub(crate) fn doctor(&self, node: usize) -> serde_json::Value {
        let mut doctor = symbolon();
        doctor.args(["doctor", "--json", "--config"]).arg(self.nodes[node].configuration());
        serde_json::from_slice(&doctor.output().unwrap().stdout).unwrap()
    }

    /// Asks one node as the back end.
    pub(crate) async fn ask(&self, node: usize, question: Ask) -> Answer {
        ask(self.nodes[node].address, question.key(&self.api_key)).await.unwrap()
    }
}

pub(crate) fn postgres_at(store: &postgres::Server) -> SocketAddr {
    ([127, 0, 0, 1], store.port).into()
}

pub(crate) fn postgres_url(at: SocketAddr) -> String {
    format!("postgres://symbolon@{at}/postgres?sslmode=disable")
}

pub(crate) fn redis_at(store: &redis::Server) -> SocketAddr {
    ([127, 0, 0, 1], store.port).into()
}

pub(crate) fn redis_url(at: SocketAddr) -> String {
    format!("redis://{at}/0")
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
