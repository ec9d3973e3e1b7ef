//! Step-up: a person proves more in a session that they have (RFC 9470).

use crate::common::{Answer, Ask, Configuration, Server, Sidecar, Tokens, until};
use serde_json::{Value, json};

/// An instant long ago, at which a person of these tests signed in.
const THEN: u64 = 1_700_000_000;

const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
login_url = "https://login.example.com/"
rules = [
    { name = "transfer", prefix = "/transfer", max_age = "5min", acr = ["2", "3"] },
    { name = "all", prefix = "/" },
]
"#;

async fn server() -> Server {
    let configuration = Configuration::new().client("web", "refresh = { grace = \"60s\" }");
    let sliding = "preset = \"sliding-session\"";
    let configuration =
        configuration.client("tv", sliding).client("desk", "preset = \"opaque-session\"");
    Server::configured(&configuration.gateway(RULES)).await
}

/// Somebody who signed in by password, long ago.
async fn sign_in(server: &Server, subject: &str) -> Tokens {
    let body = json!({
        "subject": subject, "client_id": "web", "device": {"class": "web"},
        "amr": ["pwd"], "acr": "1", "authenticated_at": THEN,
    });
    Tokens::of(&server.start_session(&body).await.expect(201))
}

fn path(sid: &str) -> String {
    format!("/v1/sessions/{sid}/step-up")
}

async fn step_up(server: &Server, sid: &str, body: &Value) -> Answer {
    server.ask_as_back_end(Ask::json(&path(sid), body)).await
}

fn by_code() -> Value {
    json!({"amr": ["pwd", "otp"], "acr": "2"})
}

#[tokio::test]
async fn what_was_proved_stands_in_the_tokens_of_the_session_and_no_refresh_changes_it() {
    let server = server().await;
    let before = sign_in(&server, "alice").await;
    let claims = server.claims(&before.access).await;
    assert_eq!((&claims["acr"], &claims["auth_time"]), (&json!("1"), &json!(THEN)));
    let body = json!({"amr": ["pwd", "otp"], "acr": "2", "authenticated_at": THEN + 60});
    let raised = Tokens::of(&step_up(&server, &before.sid, &body).await.expect(200));
    assert_eq!((&raised.sid, &raised.refresh), (&before.sid, &before.refresh));
    let renewed = server.renew(&before.refresh).await;
    let again = server.renew(&renewed.refresh).await;
    for tokens in [&raised, &renewed, &again] {
        let claims = server.claims(&tokens.access).await;
        assert_eq!(claims["acr"], "2");
        assert_eq!(claims["amr"], json!(["pwd", "otp"]));
        assert_eq!(claims["auth_time"], THEN + 60, "RFC 9068 §2.2.1");
    }
    let session = server.session(&before.sid).await;
    assert_eq!((&session["acr"], &session["amr"]), (&json!("2"), &json!(["pwd", "otp"])));
}

#[tokio::test]
async fn a_token_that_says_less_must_be_renewed_and_nobody_is_signed_out() {
    let server = server().await;
    let own = sign_in(&server, "alice").await;
    let other = server.sign_in_on("alice", &json!({"class": "app", "id": "phone"})).await;
    let raised = Tokens::of(&step_up(&server, &own.sid, &by_code()).await.expect(200));
    let active = |said: Value| said["active"].clone();
    assert_eq!(active(server.introspect(&own.access).await), false);
    assert_eq!(active(server.introspect(&raised.access).await), true);
    let gate = Ask::get("/gateway/check/me").key(&own.access);
    let stale = server.ask(gate).await.expect_problem(401, "invalid-token");
    assert!(stale.header("www-authenticate").contains("reason=\"stale\""), "{stale:?}");
    let elsewhere = server.renew(&other.refresh).await;
    assert_eq!(server.claims(&elsewhere.access).await["acr"], Value::Null, "nobody else gains");
    assert_eq!(server.active("alice").await.len(), 2);
    let events = server.list(&format!("/v1/events?sid={}", own.sid)).await;
    let line = events.iter().find(|event| event["change"] == "stepped_up").unwrap();
    assert_eq!((&line["change"], &line["kind"]), (&json!("stepped_up"), &json!("session")));
    assert_eq!((&line["session_id"], &line["subject"]), (&json!(own.sid), &json!("alice")));
    assert_eq!((&line["effect"], &line["reason"]), (&json!("none"), &json!("permissions_changed")));
}

#[tokio::test]
async fn every_preset_answers_the_tokens_that_it_has() {
    let server = server().await;
    for client in ["tv", "desk"] {
        let body = json!({"subject": client, "client_id": client, "device": {"class": "web"}});
        let started = server.start_session(&body).await.expect(201);
        let raised = step_up(&server, &started.text("session_id"), &by_code()).await.expect(200);
        assert_eq!(raised.member("refresh_token"), Value::Null);
        let same = raised.text("access_token") == started.text("access_token");
        assert_eq!(same, client == "desk", "a handle stays, what speaks for itself does not");
    }
}

#[tokio::test]
async fn a_gateway_asks_for_a_step_up_and_lets_in_whoever_did_it() {
    let server = server().await;
    let own = sign_in(&server, "alice").await;
    let gate = |token: &str| Ask::get("/gateway/check/transfer/7").key(token);
    let again = server.ask(gate(&own.access)).await;
    let again = again.expect_problem(401, "insufficient-user-authentication");
    let asked =
        r#"Bearer error="insufficient_user_authentication", max_age="300", acr_values="2 3""#;
    assert_eq!(again.header("www-authenticate"), asked);
    server.ask(Ask::get("/gateway/check/orders").key(&own.access)).await.expect(200);
    let page = gate(&own.access).with("sec-fetch-mode", "navigate");
    let sent = server.ask(page).await.expect(302);
    let login = "https://login.example.com/?error=insufficient_user_authentication&max_age=300&acr_values=2%203";
    assert_eq!(sent.header("location"), login);
    let old = json!({"amr": ["otp"], "acr": "2", "authenticated_at": THEN});
    let old = Tokens::of(&step_up(&server, &own.sid, &old).await.expect(200));
    server.ask(gate(&old.access)).await.expect(401);
    let raised = Tokens::of(&step_up(&server, &own.sid, &by_code()).await.expect(200));
    // The first is the store's answer, a later one that of the authority's own mirror.
    let from_memory = || async {
        let passed = server.ask(gate(&raised.access)).await.expect(200);
        assert_eq!(passed.header("x-symbolon-subject"), "alice");
        let counted = server.metrics().await;
        let line =
            counted.lines().find(|line| line.starts_with("symbolon_gateway_from_memory_total"));
        line.filter(|line| !line.ends_with(" 0")).map(|_| ())
    };
    until("the gateway is answered from memory", from_memory).await;
    let counted = server.metrics().await;
    assert!(counted.contains("rule=\"transfer\",what=\"step_up\""), "{counted}");
    assert!(counted.contains("client=\"web\",what=\"stepped_up\""), "{counted}");
}

#[tokio::test]
async fn a_sidecar_asks_for_the_same() {
    let server = server().await;
    let file = server.home.beside("sidecar.toml");
    let text = std::fs::read_to_string(server.home.beside("symbolon.toml")).unwrap();
    std::fs::write(&file, text).unwrap();
    let sidecar = Sidecar::of(&server, &["--config", file.to_str().unwrap()]).await;
    sidecar.ready().await;
    let own = sign_in(&server, "alice").await;
    let gate = |token: &str| Ask::get("/gateway/check/transfer/7").key(token);
    let again = sidecar.ask(gate(&own.access)).await;
    again.expect_problem(401, "insufficient-user-authentication");
    let raised = Tokens::of(&step_up(&server, &own.sid, &by_code()).await.expect(200));
    sidecar.ask(gate(&raised.access)).await.expect(200);
}

#[tokio::test]
async fn a_step_up_that_cannot_be_is_refused_with_the_reason() {
    let server = server().await;
    let own = sign_in(&server, "alice").await;
    let ask = async |body: Value| step_up(&server, &own.sid, &body).await;
    for (body, member) in [
        (json!({}), "amr"),
        (json!({"amr": []}), "amr"),
        (json!({"amr": ["otp"], "acr": ""}), "acr"),
        (json!({"amr": ["otp"], "authenticated_at": 4_000_000_000_u64}), "authenticated_at"),
        (json!({"amr": ["otp"], "roles": ["admin"]}), "roles"),
    ] {
        let refused = ask(body).await.expect_problem(400, "malformed");
        assert_eq!(refused.text("member"), member);
    }
    let gone = step_up(&server, "AAAAAAAAAAAAAAAAAAAAAA", &by_code()).await;
    gone.expect_problem(404, "not-found");
    let limited = server.new_api_key("sessions:start", Some("service")).await;
    let foreign = server.ask(Ask::json(&path(&own.sid), &by_code()).key(&limited)).await;
    foreign.expect_problem(404, "not-found");
    let reading = server.new_api_key("sessions:read", None).await;
    let lacking = server.ask(Ask::json(&path(&own.sid), &by_code()).key(&reading)).await;
    lacking.expect_problem(403, "insufficient-scope");
    server.ask(Ask::json(&path(&own.sid), &by_code())).await.expect_problem(401, "unauthorized");
    server.kick(&own.sid).await.expect(200);
    let over = ask(by_code()).await.expect_problem(409, "session-ended");
    assert_eq!(over.text("reason"), "kicked");
}
