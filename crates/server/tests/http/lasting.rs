//! Sessions that nobody renews (DESIGN.md §4.6, §4.8): one token that lasts as long as they do, a JWT or a handle.

use crate::common::{Answer, Ask, Configuration, Server, pass, until};
use serde_json::{Value, json};
use std::time::Duration;

const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [
    { name = "admin", prefix = "/admin", roles = ["admin"] },
    { name = "me", prefix = "/me" },
]
"#;

/// Both presets with tokens that last; what stands in `lives` holds for both.
async fn authority(lives: &str) -> Server {
    let of = |preset: &str| format!("preset = \"{preset}\"\n{lives}");
    let configuration = Configuration::new()
        .client("sliding", &of("sliding-session"))
        .client("opaque", &of("opaque-session"))
        .gateway(RULES);
    Server::configured(&configuration).await
}

const BOTH: [&str; 2] = ["sliding", "opaque"];

/// A session of a client, started once.
async fn start(server: &Server, client: &str, subject: &str) -> Answer {
    let body = json!({"subject": subject, "client_id": client, "device": {"class": "web"}});
    server.start_session(&body).await.expect(201)
}

fn about(target: &str) -> Ask {
    Ask::get("/gateway/check").with("x-original-method", "GET").with("x-original-uri", target)
}

async fn check(server: &Server, target: &str, token: &str) -> Answer {
    server.ask(about(target).key(token)).await
}

async fn devices(server: &Server, token: &str) -> Answer {
    server.ask(Ask::get("/v1/me/sessions").key(token)).await
}

fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate")
}

#[tokio::test]
async fn dev_hands_out_one_token_for_as_long_as_the_session_and_the_same_to_a_repeated_key() {
    for preset in ["sliding-session", "opaque-session"] {
        let server = Server::with(&["--preset", preset]).await;
        assert_eq!(server.told["clients"]["web"]["preset"], preset);
        let body = json!({"subject": "alice", "client_id": "web", "device": {"class": "web"}});
        let ask = || Ask::json("/v1/sessions", &body).with("idempotency-key", "k1");
        let first = server.ask_as_back_end(ask()).await.expect(201);
        assert_eq!(first.text("token_type"), "Bearer");
        let lasts = first.member("expires_in").as_u64().unwrap();
        assert!((86_390..=86_400).contains(&lasts), "{preset}: {lasts}");
        for absent in ["refresh_token", "refresh_expires_in", "set_cookie"] {
            assert_eq!(first.json().get(absent), None, "{preset}: {absent}");
        }
        let again = server.ask_as_back_end(ask()).await.expect(201);
        assert_eq!(again.text("access_token"), first.text("access_token"), "{preset}");
        assert_eq!(first.text("access_token").starts_with("sym_at_"), preset == "opaque-session");
        server.refresh(&first.text("access_token")).await.expect_oauth(
            400,
            "unauthorized_client",
            None,
        );
    }
}

#[tokio::test]
async fn an_opaque_token_is_told_with_the_claims_that_a_jwt_would_have() {
    let server = authority("").await;
    let body = |client: &str| {
        json!({
            "subject": "alice", "client_id": client, "device": {"class": "web"},
            "scope": "orders:read", "roles": ["clerk"], "claims": {"tenant": "acme"},
            "amr": ["pwd"], "acr": "1",
        })
    };
    let sliding = server.start_session(&body("sliding")).await.expect(201);
    let jwt = server.introspect(&sliding.text("access_token")).await;
    let opaque = server.start_session(&body("opaque")).await.expect(201);
    let told = server.introspect(&opaque.text("access_token")).await;
    let names = |told: &Value| told.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut expected: Vec<_> =
        "iss sub aud client_id sid scope roles ver iat exp jti auth_time amr \
                                acr tenant active token_type"
            .split_whitespace()
            .collect();
    expected.sort_unstable();
    assert_eq!(names(&told), expected);
    assert_eq!(names(&told), names(&jwt));
    for same in ["iss", "sub", "aud", "scope", "roles", "amr", "acr", "tenant", "active"] {
        assert_eq!(told[same], jwt[same], "{same}");
    }
    assert_eq!(
        (&told["sid"], &told["client_id"]),
        (&opaque.member("session_id"), &json!("opaque"))
    );
    let believed = told["exp"].as_u64().unwrap() - told["iat"].as_u64().unwrap();
    assert_eq!(believed, 300, "so long as `access_token.ttl` says, and no longer");
}

#[tokio::test]
async fn changed_roles_hold_at_once_and_nobody_signs_in_again() {
    let server = authority("").await;
    for client in BOTH {
        let session = start(&server, client, client).await;
        let token = session.text("access_token");
        let before = server.introspect(&token).await;
        check(&server, "/admin", &token).await.expect_problem(403, "insufficient-scope");
        let roles = Ask::put(&format!("/v1/subjects/{client}"), &json!({"roles": ["admin"]}));
        server.ask_as_back_end(roles).await.expect(200);
        let now = server.introspect(&token).await;
        assert_eq!((&now["active"], &now["roles"]), (&json!(true), &json!(["admin"])), "{client}");
        assert_ne!(now["ver"], before["ver"]);
        assert_eq!(now["aud"], before["aud"]);
        if client == "sliding" {
            for own in ["jti", "iat", "exp"] {
                assert_eq!(now[own], before[own], "it is the same token: {own}");
            }
        }
        let admitted = check(&server, "/admin", &token).await.expect(200);
        assert_eq!(admitted.header("x-symbolon-roles"), "admin");
        assert_eq!(devices(&server, &token).await.expect(200).member("items")[0]["current"], true);
    }
}

#[tokio::test]
async fn a_kick_a_ban_and_a_disabled_client_are_told_by_their_names() {
    let server = authority("").await;
    for client in BOTH {
        let kicked = start(&server, client, "alice").await;
        let token = kicked.text("access_token");
        devices(&server, &token).await.expect(200);
        server.kick(&kicked.text("session_id")).await.expect(200);
        refused(&server, &token, r#"reason="revoked", ended="kicked""#, "kicked").await;

        let token = start(&server, client, "bob").await.text("access_token");
        let ban = Ask::put("/v1/subjects/bob/ban", &json!({}));
        server.ask_as_back_end(ban).await.expect(200);
        refused(&server, &token, r#"reason="revoked", ended="banned""#, "banned").await;
        server.ask_as_back_end(Ask::delete("/v1/subjects/bob/ban")).await.expect(200);
        refused(&server, &token, r#"reason="revoked", ended="banned""#, "banned").await;

        let token = start(&server, client, "carol").await.text("access_token");
        server.switch(client, &json!({"disabled": true})).await.expect(200);
        refused(&server, &token, r#"reason="stale""#, "client_disabled").await;
        server.switch(client, &json!({"disabled": false})).await.expect(200);
        assert_eq!(server.introspect(&token).await["active"], true, "{client}: nothing ended");
        check(&server, "/me", &token).await.expect(200);
    }
}

async fn refused(server: &Server, token: &str, challenged: &str, reason: &str) {
    assert_eq!(server.introspect(token).await, json!({"active": false}), "{reason}");
    let gateway = check(server, "/me", token).await.expect_problem(401, "invalid-token");
    assert!(challenge(&gateway).ends_with(challenged), "{}", challenge(&gateway));
    let me = devices(server, token).await.expect_problem(401, "invalid-token");
    assert_eq!(me.text("reason"), reason);
}

#[tokio::test]
async fn an_opaque_token_signs_out_and_nobody_elses_client_can() {
    let server = authority("").await;
    let session = start(&server, "opaque", "alice").await;
    let (token, sid) = (session.text("access_token"), session.text("session_id"));
    let revoke = |client: &str, token: &str| {
        Ask::form("/oauth2/revoke", &[("client_id", client), ("token", token)])
    };
    server.ask(revoke("sliding", &token)).await.expect(200);
    assert_eq!(server.introspect(&token).await["active"], true);
    server.ask(revoke("opaque", &token)).await.expect(200);
    server.expect_ended(&sid, "signed_out").await;
    assert_eq!(server.introspect(&token).await, json!({"active": false}));
    server.ask(revoke("opaque", &token)).await.expect(200);

    let session = start(&server, "sliding", "alice").await;
    let jwt = session.text("access_token");
    server.ask(revoke("sliding", &jwt)).await.expect_oauth(400, "unsupported_token_type", None);
    let sign_out = Ask::json("/v1/me/sign-out", &json!({"scope": "this"})).key(&jwt);
    server.ask(sign_out).await.expect(200);
    server.expect_ended(&session.text("session_id"), "signed_out").await;
}

#[tokio::test]
async fn a_handle_that_was_changed_is_no_token_anywhere() {
    let server = authority("").await;
    let token = start(&server, "opaque", "alice").await.text("access_token");
    let cookie = token.replacen("sym_at_", "sym_gs_", 1);
    let end = if token.ends_with('A') { "E" } else { "A" };
    let changed = format!("{}{end}", &token[..token.len() - 1]);
    for forged in [&*cookie, &*changed, "sym_at_", &token[..62]] {
        assert_eq!(server.introspect(forged).await, json!({"active": false}), "{forged}");
        let answer = check(&server, "/me", forged).await.expect_problem(401, "invalid-token");
        assert!(challenge(&answer).ends_with(r#"reason="untrusted""#), "{}", challenge(&answer));
        devices(&server, forged).await.expect_problem(401, "invalid-token");
    }
    check(&server, "/me", &token).await.expect(200);
}

#[tokio::test]
async fn the_name_of_what_an_opaque_token_stands_for_can_be_revoked() {
    let server = authority("").await;
    let token = start(&server, "opaque", "alice").await.text("access_token");
    let jti = server.introspect(&token).await["jti"].clone();
    let body = json!({"target": {"jti": jti}, "effect": "revoked", "reason": "admin"});
    server.ask_as_back_end(Ask::json("/v1/revocations", &body)).await.expect(200);
    assert_eq!(server.introspect(&token).await, json!({"active": false}));
}

#[tokio::test]
async fn a_session_that_is_used_only_at_the_gateway_or_by_introspection_does_not_idle_out() {
    let lives = "refresh = { idle = \"6s\" }";
    let server = authority(lives).await;
    let mut tokens = Vec::new();
    for client in BOTH {
        for way in ["gateway", "introspection", "unused"] {
            let session = start(&server, client, way).await;
            tokens.push((way, session.text("access_token"), session.text("session_id")));
        }
    }
    for _ in 0..24 {
        pass(Duration::from_millis(300)).await;
        for (way, token, _) in &tokens {
            match *way {
                "gateway" => drop(check(&server, "/me", token).await.expect(200)),
                "introspection" => assert_eq!(server.introspect(token).await["active"], true),
                _ => {}
            }
        }
    }
    for (way, token, sid) in &tokens {
        let lives = server.introspect(token).await["active"] == true;
        assert_eq!(lives, *way != "unused", "{way}");
        let session = server.session(sid).await;
        assert_eq!(session["state"] == "active", lives, "{session}");
    }
    pass(Duration::from_millis(6100)).await;
    for (_, token, sid) in &tokens {
        check(&server, "/me", token).await.expect_problem(401, "invalid-token");
        server.expect_ended(sid, "idle").await;
    }
}

#[tokio::test]
async fn from_memory_or_not_use_at_the_gateway_moves_the_idle_end_in_time() {
    let server = authority("refresh = { idle = \"4s\" }").await;
    let session = start(&server, "sliding", "alice").await;
    let token = session.text("access_token");
    let from_memory = async || {
        let metrics = server.metrics().await;
        let line = |line: &str| {
            Some(line.strip_prefix("symbolon_gateway_from_memory_total ")?.parse::<u32>())
        };
        metrics.lines().find_map(line).unwrap().unwrap()
    };
    until("the authority answers from memory", async || {
        check(&server, "/me", &token).await.expect(200);
        (0 < from_memory().await).then_some(())
    })
    .await;
    for _ in 0..30 {
        pass(Duration::from_millis(200)).await;
        check(&server, "/me", &token).await.expect(200);
    }
    assert!(10 < from_memory().await, "most checks ask no store");
    let active = server.session(&session.text("session_id")).await;
    let moved = active["last_active_at"].as_u64() > active["created_at"].as_u64();
    assert!(moved, "{active}");
}
