//! What is inside the tokens, what is published about them, and how a refresh may ask for less.

use crate::common::{Ask, Configuration, ISSUER, Server, Tokens, until};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const GRANT: (&str, &str) = ("grant_type", "refresh_token");

async fn server() -> Server {
    Server::configured(&Configuration::new().client("web", "refresh = { grace = \"60s\" }")).await
}

/// A refresh with one more parameter.
fn asking_for(token: &str, name: &str, value: &str) -> Ask {
    let parameters = [GRANT, ("client_id", "web"), ("refresh_token", token), (name, value)];
    Ask::form("/oauth2/token", &parameters)
}

fn header(token: &str) -> Value {
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn metadata_and_key_set_are_consistent_with_what_is_offered() {
    let server = server().await;
    let path = "/.well-known/oauth-authorization-server";
    // RFC 8414 §3.3; no header of a request has a say in it.
    let ask = Ask::get(path).with("x-forwarded-host", "evil.example");
    let metadata = server.ask(ask).await.expect(200).json();
    assert_eq!(metadata["issuer"], ISSUER);
    for (member, path) in [
        ("token_endpoint", "/oauth2/token"),
        ("revocation_endpoint", "/oauth2/revoke"),
        ("introspection_endpoint", "/oauth2/introspect"),
        ("jwks_uri", "/.well-known/jwks.json"),
    ] {
        assert_eq!(metadata[member], format!("{ISSUER}{path}"));
        let there = server.ask(Ask::get(path)).await;
        assert_ne!(there.status, 404, "{path}");
    }
    assert_eq!(metadata["grant_types_supported"], json!(["refresh_token", "client_credentials"]));
    assert_eq!(metadata["scopes_supported"], json!(["orders:read", "orders:write"]));
    let jwks: Value = serde_json::from_str(&server.jwks().await).unwrap();
    for key in jwks["keys"].as_array().unwrap() {
        let algorithms = metadata["access_token_signing_alg_values_supported"].as_array().unwrap();
        assert!(algorithms.contains(&key["alg"]), "{key}");
        assert_eq!(key["use"], "sig");
        assert!(key["kid"].is_string());
        assert!(key["d"].is_null() && key["k"].is_null(), "a private part is published");
    }
}

#[tokio::test]
async fn the_key_set_may_be_cached_and_names_its_type() {
    let server = Server::with(&[]).await;
    let answer = server.ask(Ask::get("/.well-known/jwks.json")).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/jwk-set+json");
    assert!(answer.header("cache-control").contains("max-age"), "{answer:?}");
}

#[tokio::test]
async fn an_access_token_says_all_of_rfc_9068_and_verifies_with_the_published_keys() {
    let server = server().await;
    let body = json!({
        "subject": "alice", "client_id": "web", "device": {"class": "web"},
        "roles": ["admin", "buyer"], "amr": ["pwd", "otp"], "acr": "urn:level:2",
        "authenticated_at": 1_700_000_000, "claims": {"tenant": {"id": 7}}
    });
    let tokens = Tokens::of(&server.start_session(&body).await.expect(201));
    let header = header(&tokens.access);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
    let jwks: Value = serde_json::from_str(&server.jwks().await).unwrap();
    assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["kid"] == header["kid"]));
    let claims = server.claims(&tokens.access).await;
    for (name, value) in [
        ("iss", json!(ISSUER)),
        ("sub", json!("alice")),
        ("aud", json!(["demo-api", "billing"])),
        ("client_id", json!("web")),
        ("scope", json!("orders:read orders:write")),
        ("sid", json!(tokens.sid)),
        ("auth_time", json!(1_700_000_000)),
        ("amr", json!(["pwd", "otp"])),
        ("acr", json!("urn:level:2")),
        ("roles", json!(["admin", "buyer"])),
        ("tenant", json!({"id": 7})),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
    assert_eq!(claims["ver"].as_array().unwrap().len(), 4);
    assert!(claims["nbf"].is_null() && !claims["jti"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_refresh_says_the_same_of_the_sign_in_under_a_new_name() {
    let server = server().await;
    let body = json!({
        "subject": "alice", "client_id": "web", "device": {"class": "web"}, "amr": ["pwd"],
        "acr": "2", "authenticated_at": 1_700_000_000, "claims": {"tenant": "t1"}
    });
    let first = Tokens::of(&server.start_session(&body).await.expect(201));
    let second = server.renew(&first.refresh).await;
    let (before, after) = (server.claims(&first.access).await, server.claims(&second.access).await);
    for name in
        ["iss", "sub", "aud", "client_id", "scope", "sid", "auth_time", "amr", "acr", "tenant"]
    {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert_ne!(before["jti"], after["jti"]);
    // ZITADEL #9331: requests in flight keep their token.
    assert_eq!(server.introspect(&first.access).await["active"], true);
}

#[tokio::test]
async fn introspection_repeats_the_claims_of_a_token_in_force() {
    let server = server().await;
    let tokens = server.sign_in("alice").await;
    let told = server.introspect(&tokens.access).await;
    assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("Bearer")));
    let claims = server.claims(&tokens.access).await;
    for name in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "scope", "sid", "ver"] {
        assert_eq!(told[name], claims[name], "{name}");
    }
}

#[tokio::test]
async fn a_refresh_may_narrow_the_scope_for_one_answer() {
    let server = server().await;
    let first = server.sign_in("alice").await;
    let narrow = server.ask(asking_for(&first.refresh, "scope", "orders:read")).await.expect(200);
    assert_eq!(narrow.text("scope"), "orders:read");
    let narrow = Tokens::of(&narrow);
    assert_eq!(server.claims(&narrow.access).await["scope"], "orders:read");
    let whole = server.renew(&narrow.refresh).await;
    assert_eq!(server.claims(&whole.access).await["scope"], "orders:read orders:write");
}

#[tokio::test]
async fn a_scope_or_resource_that_cannot_be_had_leaves_the_token_unspent() {
    let server = server().await;
    let first = server.sign_in("alice").await;
    for (name, value, error) in [
        ("scope", "orders:read admin", "invalid_scope"),
        ("scope", "orders:read  orders:write", "invalid_scope"),
        ("resource", "somebody-else", "invalid_target"),
        ("resource", "demo-api ", "invalid_target"),
        ("resource", "HTTP://127.0.0.1:8620", "invalid_target"),
    ] {
        let refused = server.ask(asking_for(&first.refresh, name, value)).await;
        refused.expect_oauth(400, error, None);
    }
    assert_eq!(server.session(&first.sid).await["generation"], 0);
    server.renew(&first.refresh).await;
}

#[tokio::test]
async fn a_resource_picks_one_audience_or_the_issuer() {
    let server = server().await;
    let mut newest = server.sign_in("alice").await;
    for (resource, aud) in [("billing", "billing"), ("demo-api", "demo-api"), (ISSUER, ISSUER)] {
        let ask = asking_for(&newest.refresh, "resource", resource);
        newest = Tokens::of(&server.ask(ask).await.expect(200));
        let told = server.claims(&newest.access).await["aud"].clone();
        assert!(told == json!(aud) || told == json!([aud]), "{told} for {resource}");
    }
    let all = server.renew(&newest.refresh).await;
    assert_eq!(server.claims(&all.access).await["aud"], json!(["demo-api", "billing"]));
}

#[tokio::test]
async fn a_session_keeps_the_audience_it_was_started_for() {
    let server = server().await;
    let body = json!({
        "subject": "alice", "client_id": "web", "device": {"class": "web"}, "audience": ["billing"]
    });
    let first = Tokens::of(&server.start_session(&body).await.expect(201));
    let told = server.claims(&first.access).await["aud"].clone();
    assert!(told == json!("billing") || told == json!(["billing"]), "{told}");
    let refused = server.ask(asking_for(&first.refresh, "resource", "demo-api")).await;
    refused.expect_oauth(400, "invalid_target", None);
    server.renew(&first.refresh).await;
}

#[tokio::test]
async fn changed_roles_make_the_other_sessions_renew_and_log_nobody_out() {
    let server = server().await;
    let mut body = json!({
        "subject": "alice", "client_id": "web", "device": {"class": "web"}, "roles": ["buyer"]
    });
    let first = Tokens::of(&server.start_session(&body).await.expect(201));
    let same = Tokens::of(&server.start_session(&body).await.expect(201));
    assert_eq!(server.introspect(&first.access).await["active"], true, "nothing changed");
    body["roles"] = json!(["admin"]);
    let last = Tokens::of(&server.start_session(&body).await.expect(201));
    assert_eq!(server.introspect(&last.access).await["roles"], json!(["admin"]));
    for stale in [first, same] {
        assert_eq!(server.introspect(&stale.access).await, json!({"active": false}));
        let renewed = server.renew(&stale.refresh).await;
        assert_eq!(server.introspect(&renewed.access).await["roles"], json!(["admin"]));
    }
}

#[tokio::test]
async fn a_session_that_timed_out_tells_which_timeout_it_was() {
    let token = "access_token = { ttl = \"1s\" }\n";
    let idle = format!("{token}refresh = {{ idle = \"1s\", absolute = \"1h\", grace = \"0s\" }}");
    let absolute =
        format!("{token}refresh = {{ idle = \"1s\", absolute = \"1s\", grace = \"0s\" }}");
    let configuration = Configuration::new().client("idle", &idle).client("absolute", &absolute);
    let server = Server::configured(&configuration).await;
    for (client, reasons) in [("idle", &["idle"][..]), ("absolute", &["idle", "expired"])] {
        let body = json!({"subject": "alice", "client_id": client, "device": {"class": "web"}});
        let tokens = Tokens::of(&server.start_session(&body).await.expect(201));
        let over = || async {
            let ended = server.session(&tokens.sid).await["state"] == "ended";
            ended.then_some(())
        };
        until("the timeout passed", over).await;
        let refused = server.ask(Ask::refresh(client, &tokens.refresh)).await;
        let reason = refused.text("reason");
        assert!(reasons.contains(&&*reason), "{reason}");
        server.expect_ended(&tokens.sid, &reason).await;
        assert_eq!(server.introspect(&tokens.access).await, json!({"active": false}));
    }
}

#[tokio::test]
async fn an_end_that_the_back_end_asked_for_is_never_moved_by_a_refresh() {
    let server = server().await;
    let shown = server.sign_in("clock").await;
    let now = server.session(&shown.sid).await["created_at"].as_u64().unwrap();
    let body = json!({
        "subject": "alice", "client_id": "web", "device": {"class": "web"}, "expires_at": now + 120
    });
    let first = Tokens::of(&server.start_session(&body).await.expect(201));
    assert_eq!(server.claims(&first.access).await["exp"], now + 120, "no token outlives it");
    let second = server.renew(&first.refresh).await;
    assert_eq!(server.session(&first.sid).await["expires_at"], now + 120);
    assert_eq!(server.claims(&second.access).await["exp"], now + 120);
}

#[tokio::test]
async fn an_answer_says_how_long_its_tokens_live() {
    let server = server().await;
    let body = json!({"subject": "alice", "client_id": "web", "device": {"class": "web"}});
    let started = server.start_session(&body).await.expect(201);
    for answer in [server.refresh(&started.text("refresh_token")).await.expect(200), started] {
        let life = answer.member("expires_in").as_u64().unwrap();
        assert!((290..=300).contains(&life), "{life}");
        let idle = answer.member("refresh_expires_in").as_u64().unwrap();
        assert!((14 * 86_400 - 10..=14 * 86_400).contains(&idle), "{idle}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn every_session_and_token_has_a_name_of_its_own() {
    let server = server().await;
    let mut names = BTreeSet::new();
    for _ in 0..8 {
        let tokens = server.sign_in("alice").await;
        let jti = server.claims(&tokens.access).await["jti"].as_str().unwrap().to_owned();
        assert_eq!(tokens.sid.len(), 22);
        assert!(names.insert(tokens.sid) && names.insert(tokens.refresh) && names.insert(jti));
    }
}
