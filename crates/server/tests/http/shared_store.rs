//! Two authorities on one store, PostgreSQL and Redis: whatever the first answers holds at the second. Request i
//! goes to node i mod 2.

use crate::common::{Answer, Ask, Configuration, Follower, Home, Mirror, Server, Tokens, at_once};
use crate::engines::Engine;
use serde_json::json;
use symbolon_core::Reason;

/// How many present one refresh token at one instant, over both nodes.
const CROWD: usize = 50;

/// Two nodes.
struct Pair([Server; 2]);

impl Pair {
    async fn start(engine: Engine, settings: &str) -> Self {
        let configuration = Configuration::new().client("web", settings).store(&engine.place());
        let first = Home::configured(&configuration);
        let one = first.start().await;
        let second = Home::configured(&configuration).with_the_key_of(&first);
        Self([one, second.start().await])
    }

    fn node(&self, at: usize) -> &Server {
        &self.0[at % 2]
    }

    /// Asks all at one instant, each the node of its number.
    async fn at_once(&self, ask: impl Fn(usize, &Server) -> Ask) -> Vec<Answer> {
        let asks = |node: usize| {
            let own = (0..CROWD).filter(|at| at % 2 == node);
            own.map(|at| ask(at, self.node(node))).collect()
        };
        let (even, odd) = tokio::join!(
            at_once(&self.0[0].authority, asks(0)),
            at_once(&self.0[1].authority, asks(1)),
        );
        even.into_iter().chain(odd).collect()
    }
}

/// Runs a story on each engine.
macro_rules! on_each {
    ($($name:ident: $settings:expr,)*) => {
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Pair::start(super::Engine::Postgres, $settings).await).await;
            })*
        }
        mod redis {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Pair::start(super::Engine::Redis, $settings).await).await;
            })*
        }
    };
}

on_each! {
    a_session_of_one_node_is_renewed_and_ended_at_the_other: "refresh = { grace = \"60s\" }",
    of_a_crowd_at_both_nodes_all_earn_one_successor: "refresh = { grace = \"60s\" }",
    a_replay_at_the_other_node_ends_the_session: "refresh = { grace = \"0s\" }",
    a_kick_at_one_node_is_told_by_the_feed_of_the_other: "",
    a_ban_at_one_node_holds_at_the_other_at_once: "",
    the_limit_of_devices_holds_over_both_nodes: "devices = { per_class = { web = 3 } }",
    a_thing_for_one_use_is_used_at_one_node_alone: "",
    one_key_of_idempotency_is_one_session_at_both_nodes: "refresh = { grace = \"60s\" }",
}

async fn a_session_of_one_node_is_renewed_and_ended_at_the_other(pair: Pair) {
    let mut tokens = pair.node(0).sign_in("10086").await;
    for turn in 1..8 {
        tokens = pair.node(turn).renew(&tokens.refresh).await;
        let told = pair.node(turn + 1).introspect(&tokens.access).await;
        assert_eq!(told["sub"], "10086", "{told}");
    }
    let jwks = [pair.node(0).jwks().await, pair.node(1).jwks().await];
    assert_eq!(jwks[0], jwks[1], "both announce the same keys");
    pair.node(0).kick(&tokens.sid).await.expect(200);
    let refused = pair.node(1).refresh(&tokens.refresh).await;
    assert_eq!(refused.expect(400).member("reason"), "kicked");
    pair.node(1).expect_ended(&tokens.sid, "kicked").await;
}

async fn of_a_crowd_at_both_nodes_all_earn_one_successor(pair: Pair) {
    let first = pair.node(0).sign_in("10086").await;
    let answers = pair.at_once(|_, _| Ask::refresh("web", &first.refresh)).await;
    let earned: Vec<_> = answers.iter().map(Tokens::of).collect();
    assert!(earned.iter().all(|tokens| tokens.refresh == earned[0].refresh));
    let session = pair.node(1).session(&first.sid).await;
    assert_eq!(session["generation"], 1, "{session}");
    pair.node(1).renew(&earned[0].refresh).await;
}

async fn a_replay_at_the_other_node_ends_the_session(pair: Pair) {
    let first = pair.node(0).sign_in("10086").await;
    let second = pair.node(0).renew(&first.refresh).await;
    let refused = pair.node(1).refresh(&first.refresh).await;
    assert_eq!(refused.expect(400).member("reason"), "replayed");
    let refused = pair.node(0).refresh(&second.refresh).await;
    assert_eq!(refused.expect(400).member("reason"), "replayed");
}

async fn a_kick_at_one_node_is_told_by_the_feed_of_the_other(pair: Pair) {
    let tokens = pair.node(0).sign_in("10086").await;
    let mut mirror = Mirror::start(pair.node(1)).await;
    let mut stream = Follower::of(pair.node(1), &mirror.path()).await;
    let position = pair.node(0).kick(&tokens.sid).await.expect(200).json()["position"].clone();
    mirror.follow(&mut stream, position.as_u64().unwrap()).await;
    let reasons: Vec<_> = mirror.seen.iter().map(|seen| seen.entry.reason).collect();
    assert_eq!(reasons, [Reason::Kicked]);
}

async fn a_ban_at_one_node_holds_at_the_other_at_once(pair: Pair) {
    let tokens = pair.node(0).sign_in("10086").await;
    let ban = Ask::put("/v1/subjects/10086/ban", &json!({}));
    pair.node(1).ask_as_back_end(ban).await.expect(200);
    let refused = pair.node(0).refresh(&tokens.refresh).await;
    assert_eq!(refused.expect(400).member("reason"), "banned");
    let body = json!({"subject": "10086", "client_id": "web", "device": {"class": "web"}});
    pair.node(0).start_session(&body).await.expect_problem(403, "banned");
    let lift = Ask::delete("/v1/subjects/10086/ban");
    pair.node(0).ask_as_back_end(lift).await.expect(200);
    pair.node(1).sign_in("10086").await;
}

async fn the_limit_of_devices_holds_over_both_nodes(pair: Pair) {
    let body = json!({"subject": "10086", "client_id": "web", "device": {"class": "web"}});
    let start = |_, server: &Server| Ask::json("/v1/sessions", &body).key(server.api_key());
    for answer in pair.at_once(start).await {
        answer.expect(201);
    }
    for node in 0..2 {
        assert_eq!(pair.node(node).active("10086").await.len(), 3);
    }
}

async fn a_thing_for_one_use_is_used_at_one_node_alone(pair: Pair) {
    let tokens = pair.node(0).sign_in("10086").await;
    let made = json!({"session_id": tokens.sid, "method": "POST", "path": "/transfers?to=7"});
    let made = pair.node(0).ask_as_back_end(Ask::json("/v1/operations", &made)).await.expect(200);
    let body = json!({
        "operation_token": made.text("operation_token"), "method": "POST", "path": "/transfers?to=7",
    });
    let redeem =
        |_, server: &Server| Ask::json("/v1/operations/redeem", &body).key(server.api_key());
    let answers = pair.at_once(redeem).await;
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(taken, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
}

async fn one_key_of_idempotency_is_one_session_at_both_nodes(pair: Pair) {
    let body = json!({"subject": "10086", "client_id": "web", "device": {"class": "web"}});
    // Each key has its own names for what is asked for once.
    let key = pair.node(0).api_key();
    let start =
        |_, _: &Server| Ask::json("/v1/sessions", &body).with("idempotency-key", "k1").key(key);
    let answers = pair.at_once(start).await;
    let all: Vec<_> = answers.iter().map(Tokens::of).collect();
    assert!(all.iter().all(|tokens| tokens.sid == all[0].sid));
    assert_eq!(pair.node(1).active("10086").await, [all[0].sid.clone()]);
}
