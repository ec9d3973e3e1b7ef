//! `POST /v1/activity`: who may tell what. That it keeps sessions alive is in `clocks`, whose hands can be moved.

use crate::common::{Answer, Ask, Configuration, Server};
use serde_json::{Value, json};
use symbolon::clock::Hands;

const UNKNOWN: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Now, in whole seconds.
fn now() -> u64 {
    (Hands::MACHINE.wall)().as_seconds()
}

fn uses(of: &[(&str, u64)]) -> Value {
    let uses: Vec<_> = of.iter().map(|(sid, at)| json!({"session_id": sid, "at": at})).collect();
    json!({ "uses": uses })
}

/// How many were accepted, how many ignored.
async fn told(server: &Server, of: &[(&str, u64)]) -> (u64, u64) {
    let answer = server.ask_as_back_end(Ask::json("/v1/activity", &uses(of))).await;
    counts(&answer.expect(200))
}

fn counts(answer: &Answer) -> (u64, u64) {
    let of = |member| answer.member(member).as_u64().unwrap();
    (of("accepted"), of("ignored"))
}

#[tokio::test]
async fn telling_twice_or_in_any_order_answers_and_leaves_the_same() {
    let server = Server::configured(&Configuration::new().client("web", "")).await;
    let (one, two) = (server.sign_in("alice").await.sid, server.sign_in("bob").await.sid);
    let at = now();
    let batch =
        [(&*one, at), (&two, at - 5), (&one, 0), (&one, at), (UNKNOWN, at), (&two, at + 900)];
    let before = server.session(&one).await;
    for _ in 0..2 {
        assert_eq!(told(&server, &batch).await, (4, 2));
    }
    let mut backwards = batch;
    backwards.reverse();
    assert_eq!(told(&server, &backwards).await, (4, 2));
    assert_eq!(server.session(&one).await, before, "a use soon after the sign-in is no write");
    assert_eq!(told(&server, &[]).await, (0, 0));
}

#[tokio::test]
async fn a_key_that_is_limited_to_clients_tells_of_their_sessions_alone() {
    let server =
        Server::configured(&Configuration::new().client("web", "").client("app", "")).await;
    let sid = server.sign_in("alice").await.sid;
    for (client, counted) in [("web", (1, 1)), ("app", (0, 2))] {
        let key = server.new_api_key("revocations:read", Some(client)).await;
        let body = uses(&[(&sid, now()), (UNKNOWN, now())]);
        let answer = server.ask(Ask::json("/v1/activity", &body).key(&key)).await.expect(200);
        assert_eq!(counts(&answer), counted, "{client}");
    }
}

#[tokio::test]
async fn only_who_may_read_revocations_may_tell() {
    let server = Server::configured(&Configuration::new()).await;
    let other = server.new_api_key("sessions:read,sessions:end", None).await;
    let ask = Ask::json("/v1/activity", &uses(&[]));
    server.ask(ask.clone()).await.expect_problem(401, "unauthorized");
    server.ask(ask.key(&other)).await.expect_problem(403, "insufficient-scope");
}

#[tokio::test]
async fn what_is_no_report_is_refused_by_member_and_nothing_of_it_counts() {
    let server = Server::configured(&Configuration::new().client("web", "")).await;
    let sid = server.sign_in("alice").await.sid;
    let good = json!({"session_id": sid, "at": now()});
    let with = |member: &str, value: Value| {
        let mut wrong = good.clone();
        wrong[member] = value;
        json!({"uses": [good, wrong]})
    };
    let cases = [
        ("uses", json!({})),
        ("uses", json!({"uses": null})),
        ("uses", json!({"uses": {"0": good}})),
        ("uses", json!({"uses": vec![good.clone(); 1001]})),
        ("uses[0]", json!({"uses": [[sid, 1]]})),
        ("uses[0].at", json!({"uses": [{"session_id": sid}]})),
        ("uses[0].session_id", json!({"uses": [{"at": 1}]})),
        ("uses[1].session_id", with("session_id", json!("x"))),
        ("uses[1].session_id", with("session_id", json!(format!("{sid}A")))),
        ("uses[1].session_id", with("session_id", json!(7))),
        ("uses[1].at", with("at", json!(-1))),
        ("uses[1].at", with("at", json!(1.5))),
        ("uses[1].at", with("at", json!("1800000000"))),
        ("uses[1].at", with("at", json!(null))),
        ("uses[1].token", with("token", json!("x"))),
        ("since", json!({"uses": [], "since": 1})),
    ];
    for (member, body) in cases {
        let refused = server.ask_as_back_end(Ask::json("/v1/activity", &body)).await;
        let refused = refused.expect_problem(400, "malformed");
        assert_eq!(refused.text("member"), member, "{refused:?}");
    }
    assert_eq!(server.metrics().await.matches("symbolon_activity_total").count(), 0);
    let far = json!({"uses": [{"session_id": sid, "at": u64::MAX}]});
    let answer = server.ask_as_back_end(Ask::json("/v1/activity", &far)).await.expect(200);
    assert_eq!(counts(&answer), (0, 1));
}
