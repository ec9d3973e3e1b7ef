//! The walk through operators' calls, and a person's own.

use super::super::call::JSON_LINES;
use super::super::for_the_authority;
use super::{Walk, start};
use crate::common::{Ask, Tokens};
use serde_json::{Value, json};

const ORIGIN: &str = "https://app.example.com";

/// `/v1/me`.
pub(super) async fn person(walk: &mut Walk) {
    let other = walk.sign_in("gwen").await;
    let own = walk.sign_in("gwen").await;
    let access = for_the_authority(&walk.server, &own.refresh).await;
    let as_gwen = |ask: Ask| ask.key(&access).with("origin", ORIGIN);
    let (sessions, out) = ("GET /v1/me/sessions", "POST /v1/me/sign-out");
    let page = as_gwen(Ask::get("/v1/me/sessions?limit=1"));
    let page = walk.ask_as_anybody(sessions, 200, page).await;
    let next = format!("/v1/me/sessions?cursor={}", page.text("next"));
    walk.ask_as_anybody(sessions, 200, as_gwen(Ask::get(&next))).await;
    let one = Ask::delete(&format!("/v1/me/sessions/{}", other.sid));
    let ended = walk.ask_as_anybody("DELETE /v1/me/sessions/{sid}", 200, as_gwen(one)).await;
    assert_eq!(ended.member("ended")[0]["reason"], "signed_out");
    let events = as_gwen(Ask::get("/v1/me/events?since=1&limit=200"));
    let events = walk.ask_as_anybody("GET /v1/me/events", 200, events).await;
    assert_eq!(events.member("items")[0]["by"], "person");
    person_refused(walk, &access).await;
    let leave = |scope: &str| as_gwen(Ask::json("/v1/me/sign-out", &json!({"scope": scope})));
    walk.ask_as_anybody(out, 400, leave("here")).await;
    walk.ask_as_anybody(out, 200, leave("this")).await;
    let over = walk.ask_as_anybody(sessions, 401, as_gwen(Ask::get("/v1/me/sessions"))).await;
    assert_eq!(over.text("reason"), "signed_out");
    for (call, path) in [
        ("/v1/me/sessions", "/v1/me/sessions"),
        ("/v1/me/sessions/{sid}", &format!("/v1/me/sessions/{}", own.sid)),
        ("/v1/me/sign-out", "/v1/me/sign-out"),
        ("/v1/me/events", "/v1/me/events"),
    ] {
        let preflight = Ask::new("OPTIONS", path).with("origin", ORIGIN);
        walk.ask_as_anybody(&format!("OPTIONS {call}"), 204, preflight).await;
    }
}

async fn person_refused(walk: &mut Walk, access: &str) {
    let sessions = "GET /v1/me/sessions";
    let get = || Ask::get("/v1/me/sessions");
    walk.ask_as_anybody(sessions, 401, get()).await;
    walk.ask(sessions, 401, get()).await;
    let foreign = get().key(access).with("origin", "https://evil.example.com");
    walk.ask_as_anybody(sessions, 403, foreign).await;
    let gone = Ask::delete("/v1/me/sessions/AAAAAAAAAAAAAAAAAAAAAA").key(access);
    walk.ask_as_anybody("DELETE /v1/me/sessions/{sid}", 404, gone).await;
    let since = Ask::get("/v1/me/events?since=x").key(access);
    walk.ask_as_anybody("GET /v1/me/events", 400, since).await;
}

/// `POST /v1/revocations`.
pub(super) async fn revocations(walk: &mut Walk) {
    let own = walk.sign_in("hugo").await;
    let jti = jti(walk, &own).await;
    let call = "POST /v1/revocations";
    let body = |target: Value, effect: &str| {
        let mut body = json!({"target": target, "reason": "admin", "note": "a walk"});
        body["effect"] = json!(effect);
        body
    };
    let mut looked =
        body(json!({"filter": {"client_id": "web", "device_class": "web"}}), "revoked");
    looked["dry_run"] = json!(true);
    let looked = walk.ask(call, 200, Ask::json("/v1/revocations", &looked)).await;
    assert_ne!(looked.member("sample").as_array().unwrap().len(), 0);
    for (target, effect) in [
        (json!({"jti": jti}), "revoked"),
        (json!({"sub": "hugo"}), "stale"),
        (json!({"client_id": "one"}), "stale"),
        (json!({"sid": own.sid}), "revoked"),
    ] {
        walk.ask(call, 200, Ask::json("/v1/revocations", &body(target, effect))).await;
    }
    let mut careful = body(json!({"everything": true}), "revoked");
    careful["expect_at_most"] = json!(0);
    walk.ask(call, 409, Ask::json("/v1/revocations", &careful)).await;
    let kid = body(json!({"kid": "AAAAAAAAAAAAAAAA"}), "stale");
    walk.ask(call, 404, Ask::json("/v1/revocations", &kid)).await;
    let mut waits = body(json!({"sub": "hugo"}), "revoked");
    waits["wait"] = json!("2s");
    let waited = walk.ask(call, 200, Ask::json("/v1/revocations", &waits)).await;
    assert!(waited.member("verifiers")["live"].is_u64());
    waits["wait"] = json!("11s");
    walk.ask(call, 400, Ask::json("/v1/revocations", &waits)).await;
    walk.ask(call, 400, Ask::json("/v1/revocations", &body(json!({}), "revoked"))).await;
    walk.sign_in("ines").await;
    let mut too_many = body(json!({"sub": "ines"}), "revoked");
    too_many["expect_at_most"] = json!(0);
    let lines = [too_many, body(json!({"sub": "hugo"}), "revoked")].map(|line| line.to_string());
    let batch = |lines: String| {
        Ask::new("POST", "/v1/revocations").with("content-type", JSON_LINES).body(lines)
    };
    let done = walk.ask(call, 200, batch(lines.join("\n"))).await;
    let done = String::from_utf8(done.body.to_vec()).unwrap();
    assert!(done.contains("\"status\":409") && done.contains("\"status\":200"), "{done}");
    walk.ask(call, 400, batch("{}".to_owned())).await;
    walk.ask(call, 413, batch(" ".repeat((1 << 20) + 1))).await;
    let lacking = walk.server.new_api_key("sessions:read", None).await;
    let refused = Ask::json("/v1/revocations", &body(json!({"sub": "hugo"}), "stale"));
    walk.ask_as_anybody(call, 403, refused.key(&lacking)).await;
}

async fn jti(walk: &Walk, tokens: &Tokens) -> String {
    walk.server.claims(&tokens.access).await["jti"].as_str().unwrap().to_owned()
}

/// `/v1/clients`.
pub(super) async fn clients(walk: &mut Walk) {
    let (one, web) = ("/v1/clients/{client_id}", "/v1/clients/web");
    let (get, put) = (format!("GET {one}"), format!("PUT {one}"));
    let page = walk.ask("GET /v1/clients", 200, Ask::get("/v1/clients?limit=1")).await;
    let next = format!("/v1/clients?cursor={}", page.text("next"));
    walk.ask("GET /v1/clients", 200, Ask::get(&next)).await;
    let shown = walk.ask(&get, 200, Ask::get(web)).await;
    walk.ask(&get, 404, Ask::get("/v1/clients/nobody")).await;
    let accepted = Ask::json("/v1/clock", &json!({"accept": true}));
    let now = walk.ask("POST /v1/clock", 200, accepted).await;
    let until = now.member("now").as_u64().unwrap() + 600;
    let replay = json!({"mode": "report", "until": until});
    let switched = Ask::put(web, &json!({"replay": replay, "note": "a trial", "reason": "admin"}));
    let switched = switched.with("if-match", shown.header("etag"));
    walk.ask(&put, 200, switched.clone()).await;
    walk.ask(&put, 412, switched).await;
    walk.ask(&put, 400, Ask::put(web, &json!({"replay": {"mode": "report", "until": 1}}))).await;
    let shown = walk.ask(&get, 200, Ask::get(web)).await;
    assert_eq!(shown.member("replay")["until"], until);
    walk.ask(&put, 200, Ask::put("/v1/clients/one", &json!({"disabled": true}))).await;
    let refused = Ask::json("/v1/sessions", &start("carol", "one"));
    walk.ask("POST /v1/sessions", 403, refused).await;
    let service = walk.ask(&get, 200, Ask::get("/v1/clients/service")).await;
    assert!(service.json().get("refresh").is_none());
}

/// `/v1/keys`, and what `/v1/clock` refuses.
pub(super) async fn keys(walk: &mut Walk) {
    let turned =
        walk.ask("POST /v1/keys/rotate", 200, Ask::json("/v1/keys/rotate", &json!({}))).await;
    let kid = turned.member("items")[0]["kid"].as_str().unwrap().to_owned();
    let at_once = json!({"alg": "EdDSA", "now": true});
    walk.ask("POST /v1/keys/rotate", 200, Ask::json("/v1/keys/rotate", &at_once)).await;
    let wrong = Ask::json("/v1/keys/rotate", &json!({"alg": "none"}));
    walk.ask("POST /v1/keys/rotate", 400, wrong).await;
    walk.ask("GET /v1/keys", 200, Ask::get("/v1/keys")).await;
    let one = format!("/v1/keys/{kid}?reason=key_compromised&note=leaked");
    walk.ask("DELETE /v1/keys/{kid}", 200, Ask::delete(&one)).await;
    let events = Ask::get("/v1/events?reason=key_compromised");
    let events = walk.ask("GET /v1/events", 200, events).await;
    assert_eq!(events.member("items")[0]["kid"], kid);
    walk.ask("DELETE /v1/keys/{kid}", 404, Ask::delete("/v1/keys/AAAAAAAAAAAAAAAA")).await;
    let waits = Ask::delete(&format!("/v1/keys/{kid}?wait=soon"));
    walk.ask("DELETE /v1/keys/{kid}", 400, waits).await;
    let limited = walk.server.new_api_key("admin", Some("web")).await;
    walk.ask_as_anybody("GET /v1/keys", 403, Ask::get("/v1/keys").key(&limited)).await;
    let clock = Ask::json("/v1/clock", &json!({"accept": false}));
    walk.ask("POST /v1/clock", 400, clock).await;
}
