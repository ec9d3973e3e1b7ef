//! `/v1/me/events` as a stream, and `/v1/presence`: what people and operators are told as it happens.

use crate::common::{Ask, Configuration, Server, Tokens, until};
use crate::events::EventStream;
use crate::me::for_us;
use serde_json::{Value, json};

const ORIGIN: &str = "https://app.example.com";

/// Web sessions that may idle for two minutes and a second, and phones that displace each other.
async fn server() -> Server {
    let web = format!(
        "origins = [\"{ORIGIN}\"]\nrefresh = {{ idle = \"2min\" }}\naccess_token = {{ ttl = \"60s\" }}"
    );
    let app = "devices = { per_class = { app = 1 } }";
    let configuration = Configuration::new().client("web", &web).client("app", app);
    Server::configured(&configuration.gateway(RULES)).await
}

const RULES: &str = r#"
audience = "demo-api"
rules = [
    { name = "pay", prefix = "/pay", acr = ["2"], max_age = "5min" },
    { name = "all", prefix = "/" },
]
"#;

async fn sign_in(server: &Server, client: &str, name: &str) -> Tokens {
    let device = json!({"class": client, "name": name});
    let body = json!({"subject": "alice", "client_id": client, "device": device});
    Tokens::of(&server.start_session(&body).await.expect(201))
}

async fn watch(server: &Server, access: &str) -> EventStream {
    let ask = Ask::get("/v1/me/events").key(access).with("accept", "text/event-stream");
    EventStream::begin(server, ask).await
}

#[tokio::test]
async fn a_person_who_watches_is_told_of_the_end_of_their_session_and_the_stream_ends_with_it() {
    let server = server().await;
    let tokens = sign_in(&server, "app", "old phone").await;
    let mut stream = watch(&server, &for_us(&server, "app", &tokens).await).await;
    sign_in(&server, "app", "new phone").await;
    let (name, event) = stream.next_named().await;
    let told = (&*name, event["session_id"].as_str(), event["reason"].as_str());
    assert_eq!(told, ("event", Some(&*tokens.sid), Some("displaced")));
    assert_eq!(event["note"], "a sign-in on app \"new phone\"", "by what");
    let (name, event) = stream.next_named().await;
    assert_eq!(
        (&*name, &event),
        ("ended", &json!({"session_id": tokens.sid, "reason": "displaced"}))
    );
    assert!(stream.is_over().await);
}

#[tokio::test]
async fn a_person_hears_of_changed_permissions_and_of_their_other_devices_and_of_nobody_elses() {
    let server = server().await;
    let (here, there) = (sign_in(&server, "app", "a").await, sign_in(&server, "web", "b").await);
    let other = server.sign_in("bob").await;
    let mut stream = watch(&server, &for_us(&server, "app", &here).await).await;
    server.kick(&other.sid).await.expect(200);
    let roles = Ask::new("PUT", "/v1/subjects/alice").with("content-type", "application/json");
    server.ask_as_back_end(roles.body("{\"roles\":[\"clerk\"]}")).await.expect(200);
    let (_, event) = stream.next_named().await;
    assert_eq!(
        (&event["effect"], &event["reason"]),
        (&json!("stale"), &json!("permissions_changed"))
    );
    server.kick(&there.sid).await.expect(200);
    let (_, event) = stream.next_named().await;
    assert_eq!((&event["session_id"], &event["reason"]), (&json!(there.sid), &json!("kicked")));
    assert_eq!(event["by"], "service", "who it was is for operators");
}

#[tokio::test]
async fn who_will_be_signed_out_for_idleness_is_told_two_minutes_before() {
    let server = server().await;
    let tokens = sign_in(&server, "web", "a").await;
    let mut stream = watch(&server, &for_us(&server, "web", &tokens).await).await;
    let (name, event) = stream.next_named().await;
    assert_eq!((&*name, &event["reason"]), ("ending", &json!("idle")));
    assert_eq!(event["session_id"], tokens.sid);
    assert!(event["ends_at"].is_u64());
    let seconds = event["expires_in"].as_u64().expect("for pages, whose clocks may be wrong");
    assert!(seconds <= 120, "in {seconds} s");
}

#[tokio::test]
async fn who_is_asked_for_more_at_a_gate_hears_it_where_they_watch_and_not_in_every_answer() {
    let server = server().await;
    let (here, there) = (sign_in(&server, "app", "a").await, sign_in(&server, "web", "b").await);
    let mut stream = watch(&server, &for_us(&server, "app", &here).await).await;
    let pay = |tokens: &Tokens| server.ask(Ask::get("/gateway/check/pay").key(&tokens.access));
    // Another session of the same person is asked on its own.
    pay(&there).await.expect_problem(401, "insufficient-user-authentication");
    server.ask(Ask::get("/gateway/check/").key(&here.access)).await.expect(200);
    for _ in 0..3 {
        pay(&here).await.expect_problem(401, "insufficient-user-authentication");
    }
    let (name, event) = stream.next_named().await;
    let asked = json!({"session_id": here.sid, "max_age": 300, "acr_values": "2"});
    assert_eq!((&*name, &event), ("step_up", &asked));
    server.kick(&there.sid).await.expect(200);
    let (name, _) = stream.next_named().await;
    assert_eq!(name, "event", "three refusals within five seconds are told once");
}

#[tokio::test]
async fn who_comes_back_is_told_what_happened_meanwhile() {
    let server = server().await;
    let (here, there) = (sign_in(&server, "app", "a").await, sign_in(&server, "web", "b").await);
    let access = for_us(&server, "app", &here).await;
    server.kick(&there.sid).await.expect(200);
    let ask = Ask::get("/v1/me/events").key(&access).with("accept", "text/event-stream");
    let mut stream = EventStream::begin(&server, ask.with("last-event-id", "0")).await;
    let (_, event) = stream.next_named().await;
    assert_eq!(event["session_id"], json!(there.sid));
}

#[tokio::test]
async fn one_session_holds_only_so_many_streams_and_a_place_is_free_again_when_one_leaves() {
    let server = server().await;
    let tokens = sign_in(&server, "app", "a").await;
    let access = for_us(&server, "app", &tokens).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(watch(&server, &access).await);
    }
    let ask = || Ask::get("/v1/me/events").key(&access).with("accept", "text/event-stream");
    server.ask(ask()).await.expect_problem(503, "feed-crowded");
    streams.clear();
    let again = || async {
        let answered = EventStream::answered(&server, ask()).await;
        (answered == 200).then_some(())
    };
    until("there is a place again", again).await;
}

async fn presence(server: &Server, query: &str) -> Value {
    server.ask_as_back_end(Ask::get(&format!("/v1/presence{query}"))).await.expect(200).json()
}

#[tokio::test]
async fn who_is_online_is_known_by_subject_and_device_class_and_who_ended_is_not() {
    let server = server().await;
    let phone = sign_in(&server, "app", "a").await;
    sign_in(&server, "web", "b").await;
    server.sign_in("bob").await;
    let all = presence(&server, "").await;
    assert_eq!(
        (&all["subjects"], &all["sessions"], &all["complete"]),
        (&json!(2), &json!(3), &json!(true))
    );
    assert_eq!(all["by_device_class"], json!({"app": 1, "web": 2}));
    assert_eq!(all["items"][0]["subject"], "alice");
    assert_eq!(all["items"][0]["device_classes"], json!(["app", "web"]));
    let first = presence(&server, "?limit=1").await;
    assert_eq!(first["next"], "alice");
    let second = presence(&server, "?limit=1&cursor=alice").await;
    assert_eq!((&second["items"][0]["subject"], &second["next"]), (&json!("bob"), &Value::Null));
    let apps = presence(&server, "?device_class=app&subject=alice&window=1min").await;
    assert_eq!(apps["sessions"], 1);
    server.kick(&phone.sid).await.expect(200);
    let gone =
        || async { (presence(&server, "?device_class=app").await["sessions"] == 0).then_some(()) };
    until("who was kicked is not online", gone).await;
    let refused = |query: &str| Ask::get(&format!("/v1/presence?{query}"));
    for (query, member) in
        [("window=2h", "window"), ("device_class=tv", "device_class"), ("x=1", "x")]
    {
        let answer = server.ask_as_back_end(refused(query)).await;
        assert_eq!(answer.expect_problem(400, "malformed").text("member"), member, "{query}");
    }
}
