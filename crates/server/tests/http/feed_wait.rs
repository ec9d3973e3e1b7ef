//! `wait`: who revokes is told which verifiers refuse by now.

use crate::common::{Ask, Follower, Mirror, Server, pass, until};
use serde_json::{Value, json};
use std::time::Duration;
use symbolon_wire::feed::Frame;

async fn kick(server: &Server, sid: &str, wait: &str) -> Value {
    let path = format!("/v1/sessions/{sid}?wait={wait}");
    server.ask_as_back_end(Ask::delete(&path)).await.expect(200).member("verifiers")
}

/// What is listed of a verifier.
async fn listed(server: &Server, instance: &str) -> Value {
    let all = server.list("/v1/verifiers").await;
    let found = all.iter().find(|one| one["instance"] == instance);
    found.unwrap_or_else(|| panic!("no {instance} in {all:?}")).clone()
}

/// What an answer says of a verifier that lags.
fn lagging<'a>(heard: &'a Value, instance: &str) -> &'a Value {
    let of = |one: &&Value| one["name"].as_str().unwrap().ends_with(&format!("/{instance}"));
    heard["lagging"].as_array().unwrap().iter().find(of).unwrap_or_else(|| panic!("{heard}"))
}

#[tokio::test]
async fn a_kick_is_in_force_at_both_demo_apis_when_the_answer_comes() {
    let server = Server::followed(&[]).await;
    let sid = server.sign_in("alice").await.sid;
    let heard = kick(&server, &sid, "10s").await;
    assert_eq!((&heard["live"], &heard["applied"]), (&json!(2), &json!(2)), "{heard}");
    assert_eq!((&heard["lagging"], &heard["offline_routes"]), (&json!([]), &json!(0)));
    assert!(heard["elapsed_ms"].as_u64().unwrap() < 9_000, "{heard}");
    let sid = server.sign_in("alice").await.sid;
    assert_eq!(server.kick(&sid).await.expect(200).member("verifiers"), Value::Null);
}

#[tokio::test]
async fn a_verifier_is_asked_to_report_and_the_answer_comes_when_it_has_applied() {
    let server = Server::followed(&[]).await;
    let sid = server.sign_in("alice").await.sid;
    let mut mirror = Mirror::start(&server).await;
    server.applied("one", mirror.cursor, 60_000).await;
    let mut stream = Follower::of(&server, &mirror.path()).await;
    let verifier = async {
        loop {
            let frame = stream.next().await.unwrap();
            mirror.take(&frame);
            if frame == Frame::Report {
                assert_eq!(mirror.cursor.position, 1, "asked once there is something to report");
                break server.applied("one", mirror.cursor, 60_000).await;
            }
        }
    };
    let (heard, ()) = tokio::join!(kick(&server, &sid, "10s"), verifier);
    assert_eq!((&heard["live"], &heard["applied"]), (&json!(3), &json!(3)), "{heard}");
    assert!(heard["elapsed_ms"].as_u64().unwrap() < 9_000, "{heard}");
}

#[tokio::test]
async fn a_verifier_that_says_nothing_is_named_with_when_it_stops_trusting_its_mirror() {
    let server = Server::followed(&[]).await;
    let cursor = Mirror::start(&server).await.cursor;
    let body = json!({
        "instance": "slow", "cursor": cursor.to_text(), "max_staleness_ms": 30_000,
        "offline_routes": 3, "age_ms": 12,
    });
    server.ask_as_back_end(Ask::json("/v1/feed/applied", &body)).await.expect(204);
    let sid = server.sign_in("alice").await.sid;
    let heard = kick(&server, &sid, "100ms").await;
    assert_eq!((&heard["live"], &heard["offline_routes"]), (&json!(3), &json!(3)), "{heard}");
    let lagging = lagging(&heard, "slow");
    let (seen, until) = (&lagging["last_seen"], &lagging["trusts_mirror_until"]);
    let trusts = until.as_u64().unwrap() - seen.as_u64().unwrap();
    assert!((30..=31).contains(&trusts), "{lagging}");

    let listed = listed(&server, "slow").await;
    let of = |member: &str| listed[member].clone();
    assert_eq!((of("live"), of("lag")), (json!(true), json!(1)));
    assert_eq!((of("age_ms"), of("max_staleness_ms")), (json!(12), json!(30_000)));
}

#[tokio::test]
async fn whose_bound_has_passed_is_waited_for_no_more() {
    let server = Server::followed(&[]).await;
    let cursor = Mirror::start(&server).await.cursor;
    server.applied("brief", cursor, 300).await;
    let sid = server.sign_in("alice").await.sid;
    pass(Duration::from_millis(400)).await;
    assert_eq!(kick(&server, &sid, "10s").await["live"], 2);
    assert_eq!(listed(&server, "brief").await["live"], false);
}

#[tokio::test]
async fn every_revoking_call_can_wait() {
    let server = Server::followed(&[]).await;
    let waits = |answer: crate::common::Answer| {
        assert_eq!(answer.member("verifiers")["live"], 2, "{answer:?}");
    };
    let ask = async |ask: Ask| server.ask_as_back_end(ask).await.expect(200);
    server.sign_in("alice").await;
    waits(ask(Ask::delete("/v1/subjects/alice/sessions?wait=2s")).await);
    waits(ask(Ask::put("/v1/subjects/alice/ban?wait=2s", &json!({}))).await);
    waits(ask(Ask::new("POST", "/v1/subjects/alice/erase?wait=2s")).await);
    let body =
        json!({"target": {"sub": "bob"}, "effect": "stale", "reason": "admin", "wait": "2s"});
    waits(ask(Ask::json("/v1/revocations", &body)).await);
    let lines = Ask::new("POST", "/v1/revocations").with("content-type", "application/x-ndjson");
    waits(ask(lines.body(body.to_string())).await);
    let keys = ask(Ask::get("/v1/keys")).await.json();
    let kid = keys["items"][0]["kid"].as_str().unwrap();
    waits(ask(Ask::delete(&format!("/v1/keys/{kid}?wait=2s"))).await);
    let dry = json!({
        "target": {"sub": "bob"}, "effect": "stale", "reason": "admin", "wait": "2s", "dry_run": true,
    });
    let dry = ask(Ask::json("/v1/revocations", &dry)).await;
    assert_eq!(dry.member("verifiers"), Value::Null, "nothing was done");
    for wrong in ["11s", "2", "-1s", ""] {
        let path = format!("/v1/subjects/alice/sessions?wait={wrong}");
        server.ask_as_back_end(Ask::delete(&path)).await.expect_problem(400, "malformed");
    }
}

#[tokio::test]
async fn after_a_restart_verifiers_still_count_until_their_bound_has_passed() {
    let server = Server::followed(&[]).await;
    let cursor = Mirror::start(&server).await.cursor;
    server.applied("patient", cursor, 60_000).await;
    let server = server.kill().await.start().await;
    until("the feed has begun", || async {
        (!server.list("/v1/verifiers").await.is_empty()).then_some(())
    })
    .await;
    assert_eq!(listed(&server, "patient").await["live"], true);
    let sid = server.sign_in("alice").await.sid;
    let heard = kick(&server, &sid, "50ms").await;
    assert!(1 <= heard["live"].as_u64().unwrap(), "{heard}");
    assert!(lagging(&heard, "patient")["trusts_mirror_until"].is_u64());
}

#[tokio::test]
async fn a_report_that_is_none_is_refused() {
    let server = Server::with(&[]).await;
    let cursor = Mirror::start(&server).await.cursor;
    let good = json!({"instance": "a", "cursor": cursor.to_text(), "max_staleness_ms": 5000});
    for (member, value) in [
        ("instance", json!("")),
        ("instance", json!("a b")),
        ("instance", json!("x".repeat(65))),
        ("instance", json!("ä")),
        ("cursor", json!("x")),
        ("max_staleness_ms", json!(-1)),
        ("offline_routes", json!("1")),
        ("age_ms", json!(1.5)),
        ("more", json!(1)),
    ] {
        let mut body = good.clone();
        body[member] = value;
        let answer = server.ask_as_back_end(Ask::json("/v1/feed/applied", &body)).await;
        answer.expect_problem(400, "malformed");
    }
    let mut foreign = good.clone();
    let wrong = symbolon_wire::feed::Cursor { position: 7, ..cursor };
    foreign["cursor"] = json!(wrong.to_text());
    let answer = server.ask_as_back_end(Ask::json("/v1/feed/applied", &foreign)).await;
    answer.expect_problem(410, "cursor-gone");
}
