//! Device limits at sign-in, decided inside the transaction that starts the session: DESIGN.md §4.7.

use crate::common::{Answer, Ask, Configuration, Server, Tokens, at_once};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::interval;

const RACERS: usize = 64;

/// A client for each way to overflow, each with room for three.
async fn server() -> Server {
    let limited = |overflow| format!("devices = {{ per_subject = 3, overflow = \"{overflow}\" }}");
    let classes = "devices = { per_subject = 8, per_class = { web = 2, app = 1 } }";
    let configuration = Configuration::new()
        .client("idle", &limited("evict_idle"))
        .client("oldest", &limited("evict_oldest"))
        .client("refuse", &limited("refuse"))
        .client("classes", classes);
    Server::configured(&configuration).await
}

fn body(subject: &str, client: &str, class: &str) -> Value {
    json!({"subject": subject, "client_id": client, "device": {"class": class}})
}

async fn sign_in(server: &Server, subject: &str, client: &str) -> Tokens {
    Tokens::of(&server.start_session(&body(subject, client, "web")).await.expect(201))
}

fn displaced(answer: &Answer) -> Vec<String> {
    let member = answer.member("displaced");
    let read = |ended: &Value| {
        assert_eq!(ended["reason"], "displaced");
        ended["session_id"].as_str().unwrap().to_owned()
    };
    member.as_array().unwrap().iter().map(read).collect()
}

async fn race(server: &Server, bodies: impl Iterator<Item = Value>) -> Vec<Answer> {
    let ask = |body: Value| Ask::json("/v1/sessions", &body).key(server.api_key());
    at_once(&server.authority, bodies.map(ask).collect()).await
}

#[tokio::test]
async fn sixty_four_racing_sign_ins_never_exceed_the_limit() {
    let server = server().await;
    for client in ["idle", "oldest"] {
        let subject = format!("racer-{client}");
        let bodies = (0..RACERS).map(|_| body(&subject, client, "web"));
        let answers = race(&server, bodies).await;
        let mut left = BTreeSet::new();
        let mut started = BTreeSet::new();
        for answer in answers {
            let answer = answer.expect(201);
            assert!(started.insert(answer.text("session_id")));
            for sid in displaced(&answer) {
                assert!(left.insert(sid), "a session was displaced twice");
            }
        }
        let active: BTreeSet<_> = server.active(&subject).await.into_iter().collect();
        assert_eq!(active.len(), 3, "{client}");
        assert_eq!(&started - &left, active, "{client}: who was not displaced is there");
    }
}

#[tokio::test]
async fn where_the_limit_refuses_exactly_as_many_as_fit_get_in() {
    let server = server().await;
    let answers = race(&server, (0..RACERS).map(|_| body("racer", "refuse", "web"))).await;
    let mut in_time = 0;
    for answer in answers {
        match answer.status.as_u16() {
            201 => in_time += 1,
            _ => drop(answer.expect_problem(409, "device_limit")),
        }
    }
    assert_eq!(in_time, 3);
    let active = server.active("racer").await;
    assert_eq!(active.len(), 3);
    server.kick(&active[0]).await.expect(200);
    sign_in(&server, "racer", "refuse").await;
    let full = server.start_session(&body("racer", "refuse", "web")).await;
    full.expect_problem(409, "device_limit");
}

#[tokio::test]
async fn the_one_unused_for_longest_leaves_or_the_oldest() {
    let server = server().await;
    for (client, leaves) in [("idle", 1), ("oldest", 0)] {
        let mut three = Vec::new();
        // Of one millisecond, neither would be older.
        let mut tick = interval(Duration::from_millis(2));
        for _ in 0..3 {
            tick.tick().await;
            three.push(sign_in(&server, "alice", client).await);
            tick.reset();
        }
        server.ask(Ask::refresh(client, &three[0].refresh)).await.expect(200);
        let fourth = server.start_session(&body("alice", client, "web")).await.expect(201);
        assert_eq!(displaced(&fourth), [three[leaves].sid.clone()], "{client}");
        let told = server.ask(Ask::refresh(client, &three[leaves].refresh)).await;
        told.expect_over("displaced");
        server.expect_ended(&three[leaves].sid, "displaced").await;
    }
}

#[tokio::test]
async fn a_class_has_a_limit_of_its_own() {
    let server = server().await;
    let mut web = Vec::new();
    for _ in 0..2 {
        web.push(sign_in(&server, "alice", "classes").await);
    }
    let app = server.start_session(&body("alice", "classes", "app")).await.expect(201);
    assert_eq!(displaced(&app), Vec::<String>::new());
    let third = server.start_session(&body("alice", "classes", "web")).await.expect(201);
    assert_eq!(displaced(&third), [web[0].sid.clone()]);
    let second_app = server.start_session(&body("alice", "classes", "app")).await.expect(201);
    assert_eq!(displaced(&second_app), [app.text("session_id")]);
    assert_eq!(server.active("alice").await.len(), 3);
}

#[tokio::test]
async fn limits_are_of_one_subject_through_one_client() {
    let server = server().await;
    for subject in ["alice", "bob"] {
        for client in ["idle", "refuse"] {
            for _ in 0..3 {
                sign_in(&server, subject, client).await;
            }
        }
    }
    assert_eq!(server.active("alice").await.len(), 6);
    assert_eq!(server.active("bob").await.len(), 6);
}

#[tokio::test]
async fn a_sign_in_on_the_same_device_takes_the_place_of_the_old_one() {
    let server = server().await;
    let on = |id: &str| {
        let device = json!({"class": "app", "id": id});
        json!({"subject": "alice", "client_id": "idle", "device": device})
    };
    let old = Tokens::of(&server.start_session(&on("phone")).await.expect(201));
    let other = Tokens::of(&server.start_session(&on("tablet")).await.expect(201));
    let new = server.start_session(&on("phone")).await.expect(201);
    assert_eq!(displaced(&new), [&*old.sid]);
    assert_ne!(new.text("session_id"), old.sid, "a new sign-in has a new name");
    server.ask(Ask::refresh("idle", &old.refresh)).await.expect_over("displaced");
    server.ask(Ask::refresh("idle", &other.refresh)).await.expect(200);
    let elsewhere = json!({"subject": "bob", "client_id": "idle", "device": on("phone")["device"]});
    assert_eq!(displaced(&server.start_session(&elsewhere).await.expect(201)), [] as [String; 0]);
}

#[tokio::test]
async fn sixty_four_racing_sign_ins_on_one_device_leave_one_session() {
    let server = server().await;
    let body = json!({
        "subject": "alice", "client_id": "idle", "device": {"class": "app", "id": "phone"}
    });
    let answers = race(&server, (0..RACERS).map(|_| body.clone())).await;
    let gone: Vec<_> = answers.iter().flat_map(displaced).collect();
    assert_eq!(gone.iter().collect::<BTreeSet<_>>().len(), RACERS - 1);
    assert_eq!(gone.len(), RACERS - 1);
    assert_eq!(server.active("alice").await.len(), 1);
}

async fn limit(server: &Server, subject: &str, body: &Value) -> Answer {
    server.ask_as_back_end(Ask::put(&format!("/v1/subjects/{subject}/devices"), body)).await
}

#[tokio::test]
async fn what_is_said_of_one_subject_goes_before_the_settings_of_its_clients() {
    let server = server().await;
    let one = json!({"per_subject": 1, "overflow": "refuse"});
    let answer = limit(&server, "alice", &one).await.expect(200);
    assert_eq!(answer.member("changed"), true);
    assert_eq!(limit(&server, "alice", &one).await.expect(200).member("changed"), false);
    let shown = server.ask_as_back_end(Ask::get("/v1/subjects/alice")).await.expect(200);
    assert_eq!(shown.member("devices"), one);
    sign_in(&server, "alice", "idle").await;
    let second = server.start_session(&body("alice", "idle", "web")).await;
    second.expect_problem(409, "device_limit");
    sign_in(&server, "alice", "oldest").await;
    sign_in(&server, "bob", "idle").await;
    sign_in(&server, "bob", "idle").await;
    let wider = json!({"per_class": {"web": 4}});
    limit(&server, "carol", &wider).await.expect(200);
    for _ in 0..4 {
        sign_in(&server, "carol", "classes").await;
    }
    assert_eq!(server.active("carol").await.len(), 4, "the client allows two");
}

#[tokio::test]
async fn limits_of_a_subject_are_taken_back_kept_and_told_in_the_history() {
    let server = server().await;
    limit(&server, "alice", &json!({"per_subject": 1})).await.expect(200);
    let key = server.api_key().to_owned();
    let server = server.kill().await.start().await;
    let ask = |ask: Ask| server.ask(ask.key(&key));
    let shown = ask(Ask::get("/v1/subjects/alice")).await.expect(200);
    assert_eq!(shown.member("devices"), json!({"per_subject": 1}));
    let path = "/v1/subjects/alice/devices?note=sold%20the%20tablet";
    assert_eq!(ask(Ask::delete(path)).await.expect(200).member("changed"), true);
    assert_eq!(ask(Ask::delete(path)).await.expect(200).member("changed"), false);
    let shown = ask(Ask::get("/v1/subjects/alice")).await.expect(200).json();
    assert!(shown.get("devices").is_none(), "{shown}");
    let history = ask(Ask::get("/v1/events?subject=alice")).await.expect(200).json();
    let told = history["items"].as_array().unwrap().iter();
    let told: Vec<_> = told.map(|own| (&own["change"], &own["note"])).collect();
    let limited = json!("devices_limited");
    let note = json!("sold the tablet");
    assert_eq!(told, [(&limited, &Value::Null), (&limited, &note)], "{history}");
}

#[tokio::test]
async fn a_wrong_limit_is_refused_by_member() {
    let server = server().await;
    for (body, member) in [
        (json!({"per_subject": 0}), "per_subject"),
        (json!({"per_subject": 1001}), "per_subject"),
        (json!({"per_class": {"web": 0}}), "per_class.web"),
        (json!({"per_class": {"toaster": 1}}), "per_class"),
        (json!({"overflow": "none"}), "overflow"),
    ] {
        let refused = limit(&server, "alice", &body).await.expect_problem(400, "malformed");
        assert_eq!(refused.text("member"), member);
    }
    limit(&server, "alice", &json!({"per_device": 1})).await.expect_problem(400, "malformed");
}
