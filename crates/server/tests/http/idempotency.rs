//! `Idempotency-Key`: a sign-in whose answer was lost is asked for again, and is one session.

use crate::common::{Answer, Ask, Configuration, Home, Server, Tokens, at_once};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn body(subject: &str) -> Value {
    json!({"subject": subject, "client_id": "web", "device": {"class": "web"}})
}

fn ask(key: &str, body: &Value) -> Ask {
    Ask::json("/v1/sessions", body).with("idempotency-key", key)
}

async fn start(server: &Server, key: &str, body: &Value) -> Answer {
    server.ask_as_back_end(ask(key, body)).await
}

#[tokio::test]
async fn the_same_key_and_body_is_the_same_session_and_no_use_of_it() {
    let server = Server::with(&["--grace", "60s"]).await;
    let first = Tokens::of(&start(&server, "k1", &body("alice")).await.expect(201));
    let again = start(&server, "k1", &body("alice")).await.expect(201);
    assert_eq!(again.header("location"), format!("/v1/sessions/{}", first.sid));
    assert_eq!(again.member("displaced"), json!([]));
    assert_eq!(Tokens::of(&again), first);

    let renewed = server.renew(&first.refresh).await;
    let before = server.session(&first.sid).await;
    let newest = Tokens::of(&start(&server, "k1", &body("alice")).await.expect(201));
    assert_eq!(newest, renewed, "the answer is that of the newest generation");
    assert_eq!(server.session(&first.sid).await, before, "and asking changed nothing");
    server.renew(&newest.refresh).await;
    assert_eq!(server.active("alice").await.len(), 1);
}

#[tokio::test]
async fn another_body_under_the_same_key_is_refused() {
    let server = Server::with(&[]).await;
    let first = Tokens::of(&start(&server, "k1", &body("alice")).await.expect(201));
    let mut other_device = body("alice");
    other_device["device"]["class"] = json!("app");
    for other in [body("bob"), other_device] {
        let refused = start(&server, "k1", &other).await;
        refused.expect_problem(422, "idempotency-conflict");
    }
    assert_eq!(server.active("alice").await, [first.sid]);
    assert_eq!(server.active("bob").await, [] as [String; 0]);
    start(&server, "k2", &body("bob")).await.expect(201);
}

#[tokio::test]
async fn a_session_that_ended_is_not_started_again() {
    let server = Server::with(&[]).await;
    let first = Tokens::of(&start(&server, "k1", &body("alice")).await.expect(201));
    server.kick(&first.sid).await.expect(200);
    let refused = start(&server, "k1", &body("alice")).await;
    assert_eq!(refused.expect_problem(409, "session-ended").member("reason"), "kicked");
    assert_eq!(server.active("alice").await, [] as [String; 0]);
}

#[tokio::test]
async fn sixty_four_racing_requests_with_one_key_start_one_session() {
    let server = Server::with(&[]).await;
    let one = ask("k1", &body("alice")).key(server.api_key());
    let answers = at_once(&server.authority, vec![one; 64]).await;
    let tokens: Vec<_> = answers.into_iter().map(|a| Tokens::of(&a.expect(201))).collect();
    let sids: BTreeSet<_> = tokens.iter().map(|tokens| &tokens.sid).collect();
    let refreshes: BTreeSet<_> = tokens.iter().map(|tokens| &tokens.refresh).collect();
    assert_eq!((sids.len(), refreshes.len()), (1, 1));
    assert_eq!(server.active("alice").await, [tokens[0].sid.clone()]);
    server.renew(&tokens[0].refresh).await;
}

#[tokio::test]
async fn the_key_of_another_api_key_is_another_key() {
    let server = Server::configured(&Configuration::new().client("web", "")).await;
    let other = server.new_api_key("sessions:start,sessions:read", None).await;
    let mine = Tokens::of(&start(&server, "k1", &body("alice")).await.expect(201));
    let theirs = server.ask(ask("k1", &body("bob")).key(&other)).await;
    let theirs = Tokens::of(&theirs.expect(201));
    assert_ne!(mine.sid, theirs.sid);
    assert_eq!(server.active("bob").await, [theirs.sid]);
}

#[tokio::test]
async fn a_sign_in_that_was_refused_does_not_use_the_key_up() {
    let limit = "devices = { per_subject = 1, overflow = \"refuse\" }";
    let server = Server::configured(&Configuration::new().client("web", limit)).await;
    let first = server.sign_in("alice").await;
    for _ in 0..2 {
        let refused = start(&server, "k1", &body("alice")).await;
        refused.expect_problem(409, "device_limit");
    }
    server.kick(&first.sid).await.expect(200);
    let second = Tokens::of(&start(&server, "k1", &body("alice")).await.expect(201));
    let again = Tokens::of(&start(&server, "k1", &body("alice")).await.expect(201));
    assert_eq!(again, second);
}

#[tokio::test]
async fn a_key_is_remembered_across_a_power_cut() {
    let home = Home::new(&[]);
    let server = home.start().await;
    let old_key = server.api_key().to_owned();
    let first = Tokens::of(&start(&server, "k1", &body("alice")).await.expect(201));
    let server = server.kill().await.start().await;
    let again = server.ask(ask("k1", &body("alice")).key(&old_key)).await.expect(201);
    assert_eq!(Tokens::of(&again).refresh, first.refresh);
    assert_eq!(server.active("alice").await, [first.sid]);
}

#[tokio::test]
async fn a_key_must_be_one_value_of_1_to_255_bytes() {
    let server = Server::with(&[]).await;
    let plain = Ask::json("/v1/sessions", &body("alice"));
    let twice = ask("k1", &body("alice")).with("idempotency-key", "k2");
    for wrong in [plain.with("idempotency-key", ""), ask(&"k".repeat(256), &body("alice")), twice] {
        let refused = server.ask_as_back_end(wrong).await.expect_problem(400, "malformed");
        assert_eq!(refused.text("member"), "Idempotency-Key");
    }
    assert_eq!(server.active("alice").await, [] as [String; 0]);
    start(&server, &"k".repeat(255), &body("alice")).await.expect(201);
}
