//! `/v1/clients` over HTTP: what is told of a client, and the switches that an operator sets.

use crate::common::{Answer, Ask, Configuration, Server, until};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

async fn server() -> Server {
    let web = "origins = [\"https://app.example.com\"]\n\
               refresh = { grace = \"0s\", idle = \"2h\" }\ndevices = { per_class = { web = 3 } }";
    Server::configured(&Configuration::new().client("web", web).client("app", "")).await
}

async fn show(server: &Server, client: &str) -> Value {
    let answer = server.ask_as_back_end(Ask::get(&format!("/v1/clients/{client}"))).await;
    let answer = answer.expect(200);
    assert_eq!(answer.header("etag"), format!("\"{}\"", answer.text("version")));
    answer.json()
}

#[expect(clippy::disallowed_methods, reason = "a leniency is until an instant of the real clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn events(server: &Server) -> Vec<Value> {
    let page = server.ask_as_back_end(Ask::get("/v1/events")).await.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_client_is_shown_as_configured_without_its_secret() {
    let server = server().await;
    let web = json!({
        "client_id": "web", "preset": "dual-token", "confidential": false, "secrets": 0,
        "origins": ["https://app.example.com"], "audience": ["demo-api", "billing"],
        "scope": "orders:read orders:write", "access_token": {"ttl": "5min", "format": "jwt"},
        "refresh": {"idle": "2h", "absolute": "90d", "grace": "0s", "replay": "enforce"},
        "devices": {"per_subject": 10, "per_class": {"web": 3}, "overflow": "evict_idle"},
        "binding": {"key": "off", "features": "off", "network": "off"},
        "delivery": "body", "disabled": false, "version": "0.0", "replay": null,
    });
    assert_eq!(show(&server, "web").await, web);
    let service = show(&server, "service").await;
    assert_eq!((&service["confidential"], &service["secrets"]), (&json!(true), &json!(1)));
    for name in ["refresh", "devices", "binding"] {
        assert!(service.get(name).is_none(), "{name} in {service}");
    }
    assert!(!service.to_string().contains("sha256"), "{service}");

    let all: Vec<_> = server.list("/v1/clients").await;
    let names: Vec<_> = all.iter().map(|client| &client["client_id"]).collect();
    assert_eq!(names, ["app", "service", "web"]);
    assert_eq!(all[2], web);
    let page = server.ask_as_back_end(Ask::get("/v1/clients?limit=2")).await.expect(200).json();
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (2, &json!("service")));
    let rest = server.ask_as_back_end(Ask::get("/v1/clients?limit=2&cursor=service")).await;
    let rest = rest.expect(200).json();
    assert_eq!(rest["items"], json!([web]));
    assert_eq!(rest.get("next"), None);
}

#[tokio::test]
async fn switching_off_and_on_is_told_once_and_written_into_the_history() {
    let server = server().await;
    let off = json!({"disabled": true, "reason": "key_compromised", "note": "ticket 4711"});
    let answer = server.switch("web", &off).await.expect(200);
    assert_eq!(answer.json(), json!({"version": "0.1", "changed": true}));
    assert_eq!(answer.header("etag"), "\"0.1\"");
    let again = server.switch("web", &off).await.expect(200).json();
    assert_eq!(again, json!({"version": "0.1", "changed": false}));
    assert_eq!(show(&server, "web").await["disabled"], true);

    let history = events(&server).await;
    let [event] = &history[..] else { panic!("one event, not {history:?}") };
    for (member, value) in [
        ("kind", "client"),
        ("client_id", "web"),
        ("below", "0.1"),
        ("effect", "stale"),
        ("reason", "key_compromised"),
        ("note", "ticket 4711"),
        ("by", "api_key:dev"),
        ("ip", "127.0.0.1"),
    ] {
        assert_eq!(event[member], value, "{member} of {event}");
    }
    let on = server.switch("web", &json!({})).await.expect(200).json();
    assert_eq!(on, json!({"version": "0.2", "changed": true}), "a member left out is its default");
    let history = events(&server).await;
    let told = (history.len(), &history[1]["change"], &history[1]["effect"]);
    assert_eq!(told, (2, &json!("client_enabled"), &json!("none")), "nothing is revoked by it");
    let home = std::sync::Arc::clone(&server.home);
    let told = || async { home.log().contains("client switched").then_some(()) };
    until("the log says who switched it", told).await;
}

#[tokio::test]
async fn if_match_lets_nobody_overwrite_what_they_did_not_see() {
    let server = server().await;
    let put = |body: Value, version: &str| {
        let ask = Ask::put("/v1/clients/web", &body).with("if-match", version);
        server.ask_as_back_end(ask)
    };
    put(json!({"disabled": true}), "\"0.0\"").await.expect(200);
    put(json!({"disabled": false}), "\"0.1\"").await.expect(200);
    for stale in ["\"0.0\"", "\"0.1\"", "W/\"0.2\"", "\"x\""] {
        let refused = put(json!({"disabled": true}), stale).await;
        let refused = refused.expect_problem(412, "version-mismatch");
        assert!(refused.text("detail").starts_with("The client is at version 0.2"), "{refused:?}");
    }
    assert_eq!(show(&server, "web").await["disabled"], false);
    put(json!({"disabled": true}), "\"0.1\", \"0.2\"").await.expect(200);
    put(json!({"disabled": false}), "*").await.expect(200);
}

/// Uses a token, and once more after its window of no length.
async fn replayed(server: &Server) -> (String, Answer) {
    let first = server.sign_in("alice").await;
    server.renew(&first.refresh).await;
    (first.sid.clone(), server.refresh(&first.refresh).await)
}

#[tokio::test]
async fn replays_are_treated_for_a_while_as_an_operator_says() {
    let server = server().await;
    let until = now() + 3600;
    for (mode, status) in [("report", 200), ("off", 400), ("enforce", 400)] {
        let replay = json!({"mode": mode, "until": until});
        server.switch("web", &json!({"replay": replay})).await.expect(200);
        assert_eq!(show(&server, "web").await["replay"], replay);
        let (sid, answer) = replayed(&server).await;
        let answer = answer.expect(status);
        if status == 400 {
            assert_eq!(answer.text("reason"), "replayed");
        }
        let state = server.session(&sid).await["state"].clone();
        assert_eq!(state, if mode == "enforce" { "ended" } else { "active" }, "{mode}");
    }
    server.switch("web", &json!({"replay": null})).await.expect(200);
    assert_eq!(show(&server, "web").await["replay"], Value::Null);
}

#[tokio::test]
async fn switches_outlive_a_power_cut() {
    let server = server().await;
    let until = now() + 3600;
    let body = json!({"disabled": true, "replay": {"mode": "off", "until": until}});
    server.switch("web", &body).await.expect(200);
    let before = show(&server, "web").await;
    let server = server.kill().await.start().await;
    assert_eq!(show(&server, "web").await, before);
    let tokens = json!({"subject": "alice", "client_id": "web", "device": {"class": "web"}});
    server.start_session(&tokens).await.expect_problem(403, "client-disabled");
}

#[tokio::test]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let server = server().await;
    let until = now() + 3600;
    for (member, body) in [
        ("disabled", json!({"disabled": "yes"})),
        ("disabled", json!({"disabled": 1})),
        ("reason", json!({"disabled": true, "reason": "because"})),
        ("note", json!({"disabled": true, "note": "a".repeat(501)})),
        ("replay", json!({"replay": "off"})),
        ("replay", json!({"replay": ["off", until]})),
        ("replay.mode", json!({"replay": {"mode": "OFF", "until": until}})),
        ("replay.mode", json!({"replay": {"until": until}})),
        ("replay.until", json!({"replay": {"mode": "off"}})),
        ("replay.until", json!({"replay": {"mode": "off", "until": now() - 1}})),
        ("replay.until", json!({"replay": {"mode": "off", "until": now() + 31 * 86_400}})),
        ("replay.for", json!({"replay": {"mode": "off", "until": until, "for": "2h"}})),
        ("enabled", json!({"enabled": true})),
        ("body", json!([])),
    ] {
        let refused = server.switch("web", &body).await.expect_problem(400, "malformed");
        assert_eq!(refused.text("member"), member, "{body}");
    }
    assert_eq!(show(&server, "web").await["version"], "0.0");
    for path in ["/v1/clients/nobody", "/v1/clients/WEB", "/v1/clients/%ff", "/v1/clients/a%00b"] {
        server.ask_as_back_end(Ask::get(path)).await.expect_problem(404, "not-found");
        server.ask_as_back_end(Ask::put(path, &json!({}))).await.expect_problem(404, "not-found");
    }
    for path in ["/v1/clients?limit=0", "/v1/clients?cursor=%0a", "/v1/clients?x=1"] {
        server.ask_as_back_end(Ask::get(path)).await.expect_problem(400, "malformed");
    }
}

#[tokio::test]
async fn clients_are_for_keys_with_the_scope_and_for_those_that_reach_them() {
    let server = server().await;
    let path = "/v1/clients/web";
    let others = "sessions:start,sessions:read,sessions:end,subjects:write,events:read";
    let weak = server.new_api_key(others, None).await;
    let limited = server.new_api_key("admin,sessions:read", Some("app")).await;
    let off = json!({"disabled": true});
    for ask in [Ask::get("/v1/clients"), Ask::get(path), Ask::put(path, &off)] {
        server.ask(ask.clone()).await.expect_problem(401, "unauthorized");
        server.ask(ask.key(&weak)).await.expect_problem(403, "insufficient-scope");
    }
    for ask in [Ask::get(path), Ask::put(path, &off)] {
        server.ask(ask.key(&limited)).await.expect_problem(403, "key-limited");
    }
    let list = server.ask(Ask::get("/v1/clients").key(&limited)).await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["client_id"], "app");
    server.ask(Ask::put("/v1/clients/app", &off).key(&limited)).await.expect(200);
    assert_eq!(show(&server, "web").await["disabled"], false);
}
