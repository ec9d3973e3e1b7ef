//! Two nodes on one store: what a verifier told one of them, and where it stands.

use super::{Feed, Next};
use crate::app::{App, Live};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::serve::Peer;
use crate::http::{Stop, router};
use crate::keys::Keys;
use crate::nodes::Nodes;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use std::sync::Arc;
use symbolon_core::{Act, Duration, Effect, Event, Reason, SessionId, Target, Timestamp};
use symbolon_store::{Kind, Role, Store};
use symbolon_wire::MasterKey;
use symbolon_wire::feed::{BLOCK, Cursor};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;
use tower::ServiceExt;

const MASTER_KEY: &str = "8b5f0d2e7a91c4463fd0b2a6917e53c81d64af90e273bc585902cd7f16ea3b4d";

/// More than anything here takes.
const SOON: Duration = Duration::from_secs(20);

/// A store, and the word that stops its nodes.
struct House {
    store: Store,
    stop: (watch::Sender<bool>, Stop),
    _folder: TempDir,
}

impl House {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open_sqlite(&folder.path().join("s.db"), Role::Serve).ok().unwrap();
        Self { store, stop: watch::channel(false), _folder: folder }
    }

    /// A node that takes the store for one that others write to as well, as they do.
    async fn node(&self) -> Node {
        let text = "issuer = \"https://id.example.com\"\nstore = \"sqlite:s.db\"\n\
                    [[audiences]]\nname = \"api\"\n\
                    [[clients]]\nclient_id = \"web\"\npreset = \"dual-token\"\naudience = [\"api\"]\n";
        let config = Config::from_text("symbolon.toml", text).ok().unwrap();
        let clock = Clock::start(self.store.latest_instant(), Timestamp::default());
        let master = Arc::new(MasterKey::parse(MASTER_KEY).ok().unwrap());
        let keys = Keys::open(master, &self.store, &config, clock.wall()).await.ok().unwrap();
        let mut app = App::new(config, self.store.clone(), keys, clock).unwrap();
        app.nodes = Arc::new(Nodes::of_many());
        let live = Live::new(app);
        tokio::spawn(super::run(live.clone(), self.stop.1.clone()));
        let node = Node(live);
        node.until(|feed| feed.head().is_some()).await;
        node
    }
}

struct Node(Live);

impl Node {
    fn feed(&self) -> Arc<Feed> {
        Arc::clone(&self.0.now().feed)
    }

    async fn until(&self, is_so: impl Fn(&Feed) -> bool) {
        let feed = self.feed();
        let mut moved = feed.moves();
        let waiting = async { while !is_so(&feed) && moved.changed().await.is_ok() {} };
        timeout(SOON, waiting).await.unwrap();
    }

    fn head(&self) -> Cursor {
        self.feed().head().unwrap()
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .extension(Peer::Operator(0))
            .header("host", "x");
        let request = if body.is_null() {
            request.body(Body::empty())
        } else {
            request.header("content-type", "application/json").body(body.to_string().into())
        };
        let answer = router(self.0.clone()).oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (parts.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn sign_in(&self, subject: &str) -> String {
        let body = json!({"subject": subject, "client_id": "web", "device": {"class": "web"}});
        let (status, answer) = self.ask("POST", "/v1/sessions", &body).await;
        assert_eq!(status, 201, "{answer}");
        answer["session_id"].as_str().unwrap().to_owned()
    }

    async fn applied(&self, instance: &str, cursor: Cursor) -> u16 {
        let body = json!({
            "instance": instance, "cursor": cursor.to_text(), "max_staleness_ms": 60_000,
        });
        self.ask("POST", "/v1/feed/applied", &body).await.0
    }

    async fn live(&self) -> Vec<String> {
        let (_, list) = self.ask("GET", "/v1/verifiers", &Value::Null).await;
        let name = |item: &Value| item["instance"].as_str().unwrap().to_owned();
        list["items"].as_array().unwrap().iter().map(name).collect()
    }
}

#[tokio::test]
async fn who_waits_at_one_node_hears_of_a_verifier_that_reports_to_the_other() {
    let house = House::new();
    let (here, there) = (house.node().await, house.node().await);
    let sid = here.sign_in("alice").await;
    assert_eq!(there.applied("one", there.head()).await, 204);
    let feed = there.feed();
    let mut place = feed.state().log.as_ref().unwrap().place(None).unwrap();
    let verifier = async {
        there.until(|feed| 0 < feed.head().unwrap().position).await;
        assert_eq!(there.applied("one", there.head()).await, 204);
    };
    let path = format!("/v1/sessions/{sid}?wait=10s");
    let ((status, answer), ()) = tokio::join!(here.ask("DELETE", &path, &Value::Null), verifier);
    let heard = &answer["verifiers"];
    assert_eq!((status, &heard["live"], &heard["applied"]), (200, &json!(1), &json!(1)), "{heard}");
    assert!(heard["elapsed_ms"].as_u64().unwrap() < 9_000, "{heard}");
    let mut asked = std::iter::from_fn(|| match feed.next(&mut place)? {
        Next::Frame(frame) => Some(String::from_utf8_lossy(&frame).contains("event: report")),
        Next::Gone | Next::Nothing => None,
    });

    assert!(asked.any(|own| own), "those who follow it are asked to report");
}

#[tokio::test]
async fn one_that_says_nothing_is_named_at_every_node() {
    let house = House::new();
    let (here, there) = (house.node().await, house.node().await);
    let sid = here.sign_in("alice").await;
    assert_eq!(there.applied("slow", there.head()).await, 204);
    let path = format!("/v1/sessions/{sid}?wait=100ms");
    let (_, answer) = here.ask("DELETE", &path, &Value::Null).await;
    let heard = &answer["verifiers"];
    assert_eq!((&heard["live"], &heard["applied"]), (&json!(1), &json!(0)), "{heard}");
    assert_eq!(heard["lagging"][0]["name"], "operator/slow", "{heard}");
}

#[tokio::test]
async fn verifiers_that_come_to_different_nodes_at_once_take_no_record_from_each_other() {
    let house = House::new();
    let (here, there) = (house.node().await, house.node().await);
    let (a, b) = tokio::join!(here.applied("a", here.head()), there.applied("b", there.head()));
    assert_eq!((a, b), (204, 204));
    assert_eq!(there.applied("c", there.head()).await, 204);
    for node in [&here, &there] {
        assert_eq!(node.live().await, ["a", "b", "c"]);
    }
    assert_eq!(house.store.records(Kind::Verifier).await.unwrap().len(), 3);
    let late = house.node().await;
    assert_eq!(late.live().await, ["a", "b", "c"]);
}

/// That a session ended.
fn ended(number: u64, at: Timestamp) -> Event {
    let mut name = [0; 16];
    name[8..].copy_from_slice(&number.to_be_bytes());
    let target = Target::Session(SessionId::from_bytes(name));
    let (act, effect, reason) = (Act::authority(), Effect::Revoked, Reason::Kicked);
    Event { at, target, whose: None, effect, reason, expires_at: at.after(SOON), act }
}

#[tokio::test]
async fn a_cursor_of_one_node_is_good_at_all_and_at_one_that_starts_later() {
    let house = House::new();
    let here = house.node().await;
    let mut cursors = vec![here.head()];
    for from in (0..BLOCK + 200).step_by(64) {
        let events: Vec<_> =
            (from..from + 64).map(|n| ended(n, here.0.now().clock.wall())).collect();
        let commit = |cutoffs| Ok((cutoffs, events.clone(), ()));
        house.store.bump(commit).await.unwrap();
        here.feed().caught_up(&house.store).await.unwrap();
        cursors.push(here.head());
    }
    assert!(BLOCK < here.head().position);
    let late = house.node().await;
    for cursor in cursors {
        for node in [&here, &late] {
            let feed = node.feed();
            assert_eq!(feed.check(cursor), Ok(()));
            assert!(feed.state().log.as_ref().unwrap().place(Some(cursor)).is_some());
        }
    }
    assert_eq!(late.head(), here.head());
}
