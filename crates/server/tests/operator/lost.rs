//! A store that lost what it had acknowledged says so to who looks.

use crate::Ask;
use crate::common::until;
use crate::machine::Machine;
use crate::postgres::Server as Postgres;
use crate::redis::Server;
use serde_json::{Value, json};

/// Whoever looks is told of one that is lost, and requests still come here.
async fn expect_one_is_named(machine: &Machine) {
    let ready: Value = until("it says what is lost", || async {
        let answer = machine.ask(Ask::get("/readyz")).await;
        let told = (answer.status == 200).then(|| answer.json())?;
        told.get("lost_events").is_some().then_some(told)
    })
    .await;
    assert_eq!(ready, json!({"status": "ok", "lost_events": 1}));
    let found = machine.doctor();
    assert_eq!(found.code, 0);
    found.expect("lost events", "warn", &["1 that the store had acknowledged", "docs/runbook.md"]);
}

#[tokio::test]
async fn a_lost_end_is_named_by_readyz_and_doctor_and_no_reason_to_go_elsewhere() {
    let mut server = Server::start("redis-server", &["--save", ""]).await;
    let machine = Machine::serving(&server.url()).await;
    let ready = machine.ask(Ask::get("/readyz")).await.expect(200).json();
    assert_eq!(ready, json!({"status": "ok"}));
    let key = machine.api_key();
    let session = machine.sign_in(&key, "10086").await;
    assert!(server.ask("SAVE").contains("+OK"));
    let path = format!("/v1/sessions/{}", session["session_id"].as_str().unwrap());
    machine.ask(Ask::delete(&path).key(&key)).await.expect(200);
    server.kill();
    server.run();
    expect_one_is_named(&machine).await;
    // What was lost is done again, and is there then.
    machine.ask(Ask::delete(&path).key(&key)).await.expect(200);
    let refused = machine.refresh(&session["refresh_token"]).await;
    assert_eq!(refused.expect(400).member("reason"), "kicked");
}

#[tokio::test]
async fn what_a_postgres_lost_is_named_likewise() {
    let server = Postgres::new(&[]);
    let machine = Machine::serving(&server.url("place")).await;
    let key = machine.api_key();
    let session = machine.sign_in(&key, "10086").await;
    let path = format!("/v1/sessions/{}", session["session_id"].as_str().unwrap());
    machine.ask(Ask::delete(&path).key(&key)).await.expect(200);
    // As a standby that lacks the last commit, and does not say that it is another server.
    server.sql("BEGIN; DELETE FROM place.events; UPDATE place.head SET position = 0; COMMIT");
    expect_one_is_named(&machine).await;
}
