//! Renewing at a gateway for a client whose back end is asked first.

use super::renewal::{Holder, RULES, change, generation, nothing_back};
use crate::common::{Answer, Ask, BackEnd, Configuration, Server, at_once, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// An application whose requests show both tokens.
async fn authority(back_end: &BackEnd, more: &str) -> Server {
    let url = &back_end.url;
    let hook = format!("hook = {{ url = \"{url}\", timeout = \"5s\", {more} }}");
    let client = format!("delivery = \"headers\"\n{hook}");
    Server::configured(&Configuration::new().client("app", &client).gateway(RULES)).await
}

/// Somebody whose access token is stale.
async fn stale(server: &Server) -> Holder {
    let own = Holder::signed_in(server, "app", "alice").await;
    change(server, "alice", "clerk").await;
    own
}

/// What the token endpoint says to the same refresh token.
async fn at_the_token_endpoint(server: &Server, own: &Holder) -> Answer {
    server.ask(Ask::refresh("app", &own.renewing.1)).await
}

fn allows(role: &str) -> Value {
    json!({"allow": true, "roles": [role]})
}

#[tokio::test]
async fn a_check_that_renews_asks_the_back_end_and_hands_on_what_it_says() {
    let back_end = BackEnd::saying(&allows("editor")).await;
    let server = authority(&back_end, "").await;
    let own = stale(&server).await;
    let renewed = server.ask(own.about("GET", "/me")).await.expect(200);
    assert_eq!(renewed.header("x-symbolon-roles"), "editor");
    back_end.says(&allows("owner"));
    let again = server.ask(own.about("GET", "/me")).await.expect(200);
    for name in ["x-access-token", "x-refresh-token", "x-symbolon-roles"] {
        assert_eq!(again.header(name), renewed.header(name), "a repeat is answered as before");
    }
    assert_eq!(back_end.asked(), 1);
}

#[tokio::test]
async fn requests_that_a_check_renews_at_once_are_one_question() {
    let back_end = BackEnd::saying(&allows("editor")).await;
    let server = authority(&back_end, "").await;
    let own = stale(&server).await;
    let asks = (0..50).map(|_| own.about("GET", "/me")).collect();
    let answers = at_once(&server.authority, asks).await;
    let handed: BTreeSet<_> = answers
        .into_iter()
        .map(|answer| answer.expect(200).header("x-access-token").to_owned())
        .collect();
    assert_eq!((handed.len(), back_end.asked()), (1, 1));
}

#[tokio::test]
async fn a_rule_may_ask_for_a_role_that_the_back_end_tells() {
    let back_end = BackEnd::saying(&allows("nobody")).await;
    let server = authority(&back_end, "").await;
    let own = stale(&server).await;
    let renewed = server.ask(own.about("GET", "/me/admin")).await.expect(200);
    assert_eq!(renewed.header("x-symbolon-roles"), "nobody");
}

#[tokio::test]
async fn nobody_is_asked_about_a_check_that_renews_nothing() {
    let back_end = BackEnd::saying(&allows("editor")).await;
    let server = authority(&back_end, "").await;
    let own = Holder::signed_in(&server, "app", "alice").await;
    server.ask(own.about("GET", "/me")).await.expect(200);
    change(&server, "alice", "clerk").await;
    server.ask(own.about("GET", "/orders")).await.expect(401);
    server.kick(&own.sid).await.expect(200);
    server.ask(own.about("GET", "/me")).await.expect(401);
    assert_eq!(back_end.asked(), 0);
}

#[tokio::test]
async fn whom_the_back_end_refuses_a_check_does_not_renew() {
    let refusal = json!({"allow": false, "reason": "permissions_changed"});
    let back_end = BackEnd::saying(&refusal).await;
    let server = authority(&back_end, "").await;
    let own = stale(&server).await;
    let refused = server.ask(own.about("GET", "/me")).await.expect(401);
    nothing_back(&refused);
    assert_eq!(generation(&server, &own.sid).await, 0, "the session lives");
    let why = at_the_token_endpoint(&server, &own).await;
    why.expect_oauth(400, "access_denied", Some("permissions_changed"));
    back_end.says(&json!({"allow": false, "end": true, "reason": "banned"}));
    until("the refusal is old", || async {
        server.ask(own.about("GET", "/me")).await.expect(401);
        (server.session(&own.sid).await["state"] == "ended").then_some(())
    })
    .await;
    server.expect_ended(&own.sid, "banned").await;
}

#[tokio::test]
async fn without_a_word_that_is_needed_a_check_renews_nothing() {
    let back_end = BackEnd::saying(&allows("editor")).await;
    let server = authority(&back_end, "on_failure = \"refuse\"").await;
    let own = stale(&server).await;
    let gone = back_end.goes_away().await;
    let refused = server.ask(own.about("GET", "/me")).await.expect(401);
    nothing_back(&refused);
    let away = at_the_token_endpoint(&server, &own).await;
    away.expect_oauth(503, "temporarily_unavailable", None);
    let _back_end = gone.comes_back();
    let renewed = server.ask(own.about("GET", "/me")).await.expect(200);
    assert_eq!(renewed.header("x-symbolon-roles"), "editor");
}
