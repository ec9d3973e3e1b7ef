//! What went wrong in others' refreshing, revoking and signing out, held against this authority: one test an
//! advisory, named after it. docs/advisories.md has them all, with the tests elsewhere that hold the rest.

use crate::common::{Answer, Ask, Configuration, Server, Tokens, at_once, until};
use serde_json::json;
use std::collections::BTreeSet;

const USUAL: &str = "audience = [\"demo-api\", \"billing\"]\nscope = \"orders:read orders:write\"";
const NO_WINDOW: &str = "refresh = { grace = \"0s\" }";
const NO_WINDOW_AND_LIVES: &str = "refresh = { grace = \"0s\", replay = \"off\" }";

fn web(settings: &str) -> Configuration {
    Configuration::new().bare_client("web", &format!("{USUAL}\n{settings}"))
}

async fn server(settings: &str) -> Server {
    Server::configured(&web(settings)).await
}

async fn reload(server: &Server, configuration: &Configuration) {
    server.home.reconfigure(configuration);
    let said = server.reload().await;
    assert!(said.contains("configuration reloaded"), "{said}");
}

async fn revoke(server: &Server, token: &str) -> Answer {
    let form = [("client_id", "web"), ("token", token)];
    server.ask(Ask::form("/oauth2/revoke", &form)).await
}

#[tokio::test]
async fn keycloak_cve_2026_1035_check_and_consume_is_one_step() {
    let server = server(NO_WINDOW_AND_LIVES).await;
    for _ in 0..8 {
        let tokens = server.sign_in("alice").await;
        let asks = vec![Ask::refresh("web", &tokens.refresh); 32];
        let answers = at_once(&server.authority, asks).await;
        let granted = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(granted, 1, "one check, one use");
        assert_eq!(server.session(&tokens.sid).await["generation"], 1);
    }
}

#[tokio::test]
async fn keycloak_cve_2026_9802_rotated_stays_rotated_after_a_restart() {
    let server = server(NO_WINDOW).await;
    let (old, other) = (server.sign_in("alice").await, server.sign_in("bob").await);
    server.renew(&old.refresh).await;
    let newest = server.renew(&other.refresh).await;
    let server = server.kill().await.start().await;
    server.refresh(&old.refresh).await.expect_over("replayed");
    server.renew(&newest.refresh).await;
}

#[tokio::test]
async fn keycloak_50999_rotations_of_one_second_are_told_apart_by_generation() {
    let server = server(NO_WINDOW_AND_LIVES).await;
    let mut family = vec![server.sign_in("alice").await];
    for _ in 0..6 {
        let newest = server.renew(&family.last().unwrap().refresh).await;
        family.push(newest);
    }
    let newest = family.pop().unwrap();
    for used in &family {
        server.refresh(&used.refresh).await.expect_over("replayed");
    }
    server.renew(&newest.refresh).await;
}

#[tokio::test]
async fn keycloak_51312_a_revocation_takes_its_turn_among_refreshes() {
    let server = server("refresh = { grace = \"60s\" }").await;
    for _ in 0..10 {
        let tokens = server.sign_in("alice").await;
        let form = [("client_id", "web"), ("token", &*tokens.refresh)];
        let mut asks = vec![Ask::refresh("web", &tokens.refresh); 8];
        asks.insert(4, Ask::form("/oauth2/revoke", &form));
        let answers = at_once(&server.authority, asks).await;
        let won = answers.iter().filter(|answer| answer.status == 200 && !answer.body.is_empty());
        for answer in won {
            let renewed = Tokens::of(answer);
            server.refresh(&renewed.refresh).await.expect_over("signed_out");
            assert_eq!(server.introspect(&renewed.access).await, json!({"active": false}));
        }
        server.refresh(&tokens.refresh).await.expect_over("signed_out");
    }
}

#[tokio::test]
async fn keycloak_26113_a_revoked_token_has_no_second_left() {
    let server = server(NO_WINDOW).await;
    for _ in 0..20 {
        let tokens = server.sign_in("alice").await;
        assert_eq!(server.introspect(&tokens.access).await["active"], true);
        server.kick(&tokens.sid).await.expect(200);
        assert_eq!(server.introspect(&tokens.access).await, json!({"active": false}));
        server.refresh(&tokens.refresh).await.expect_over("kicked");
    }
}

#[tokio::test]
async fn keycloak_52666_what_was_used_stays_used_when_the_session_is_gone() {
    let server = server(NO_WINDOW).await;
    let first = server.sign_in("alice").await;
    let newest = server.renew(&first.refresh).await;
    revoke(&server, &newest.refresh).await.expect(200);
    let again = server.sign_in("alice").await;
    let server = server.kill().await.start().await;
    for used in [&first, &newest] {
        server.refresh(&used.refresh).await.expect_over("signed_out");
    }
    server.renew(&again.refresh).await;
}

#[tokio::test]
async fn keycloak_cve_2025_12390_every_sign_in_has_a_session_id_of_its_own() {
    let server = server(NO_WINDOW).await;
    let device = json!({"class": "web", "id": "shared-browser"});
    let mut sids = BTreeSet::new();
    for subject in ["alice", "alice", "bob", "alice", "bob"] {
        let tokens = server.sign_in_on(subject, &device).await;
        assert!(sids.insert(tokens.sid.clone()), "{} again", tokens.sid);
        revoke(&server, &tokens.refresh).await.expect(200);
    }
}

#[tokio::test]
async fn keycloak_ghsa_895x_rfqp_jh5c_a_scope_that_was_taken_away_reaches_sessions_that_exist() {
    let server = server("").await;
    let tokens = server.sign_in("alice").await;
    let one_less = "audience = [\"demo-api\", \"billing\"]\nscope = \"orders:read\"";
    reload(&server, &Configuration::new().bare_client("web", one_less)).await;
    let wide = [
        ("grant_type", "refresh_token"),
        ("client_id", "web"),
        ("refresh_token", &*tokens.refresh),
        ("scope", "orders:read orders:write"),
    ];
    let refused = server.ask(Ask::form("/oauth2/token", &wide)).await;
    refused.expect_oauth(400, "invalid_scope", None);
    let answer = server.refresh(&tokens.refresh).await.expect(200);
    assert_eq!(answer.text("scope"), "orders:read");
    let claims = server.claims(&answer.text("access_token")).await;
    assert_eq!(claims["scope"], "orders:read");
    let none = "audience = [\"demo-api\", \"billing\"]";
    reload(&server, &Configuration::new().bare_client("web", none)).await;
    let answer = server.refresh(&answer.text("refresh_token")).await.expect(200);
    assert_eq!(answer.json().get("scope"), None);
}

#[tokio::test]
async fn keycloak_ghsa_64w3_5q9m_68xf_shorter_lives_reach_sessions_that_exist() {
    let server = server("refresh = { idle = \"14d\", absolute = \"90d\" }").await;
    for (lives, reason) in [
        ("idle = \"1s\", absolute = \"90d\"", "idle"),
        ("idle = \"14d\", absolute = \"1s\"", "expired"),
    ] {
        reload(&server, &web("")).await;
        let tokens = server.sign_in(reason).await;
        let lives =
            format!("refresh = {{ {lives}, grace = \"0s\" }}\naccess_token = {{ ttl = \"1s\" }}");
        reload(&server, &web(&lives)).await;
        let over = || async {
            let state = server.session(&tokens.sid).await["state"].clone();
            (state == "ended").then_some(())
        };
        until("the shorter life has passed", over).await;
        server.refresh(&tokens.refresh).await.expect_over(reason);
        server.expect_ended(&tokens.sid, reason).await;
    }
}

#[tokio::test]
async fn keycloak_ghsa_64w3_5q9m_68xf_a_shorter_window_holds_from_the_next_use_on() {
    let server = server("refresh = { grace = \"60s\" }").await;
    let first = server.sign_in("alice").await;
    let second = server.renew(&first.refresh).await;
    reload(&server, &web(NO_WINDOW)).await;
    // A window is what was promised when the token was used, so that no retry in flight is a theft.
    assert_eq!(server.renew(&first.refresh).await.refresh, second.refresh);
    server.renew(&second.refresh).await;
    server.refresh(&second.refresh).await.expect_over("replayed");
}

#[tokio::test]
async fn keycloak_ghsa_64w3_5q9m_68xf_an_origin_that_was_taken_away_is_refused() {
    const PAGE: &str = "https://app.example.com";
    let server = server(&format!("origins = [\"{PAGE}\"]")).await;
    let tokens = server.sign_in("alice").await;
    let ask = || Ask::refresh("web", &tokens.refresh).with("origin", PAGE);
    let answer = server.ask(ask()).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), PAGE);
    reload(&server, &web("")).await;
    let refused = server.ask(ask()).await.expect(403);
    assert_eq!(refused.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn keycloak_cve_2026_93999_an_audience_that_was_taken_away_is_refused_on_refresh() {
    let server = server("").await;
    let start = |audience: serde_json::Value| {
        let device = json!({"class": "web"});
        let body =
            json!({"subject": "a", "client_id": "web", "device": device, "audience": audience});
        let server = &server;
        async move { Tokens::of(&server.start_session(&body).await.expect(201)) }
    };
    let (both, one) =
        (start(json!(["demo-api", "billing"])).await, start(json!(["billing"])).await);
    let usual = server.sign_in("alice").await;
    let without = Configuration::new().bare_client("web", "audience = [\"demo-api\"]");
    reload(&server, &without).await;
    for tokens in [&both, &usual] {
        let newer = server.renew(&tokens.refresh).await;
        assert_eq!(server.claims(&newer.access).await["aud"], "demo-api");
    }
    let refused = server.refresh(&one.refresh).await;
    refused.expect_oauth(400, "invalid_target", None);
    assert_eq!(server.session(&one.sid).await["generation"], 0, "the token is not spent");
    reload(&server, &web("")).await;
    let newer = server.renew(&one.refresh).await;
    assert_eq!(server.claims(&newer.access).await["aud"], "billing");
}

#[tokio::test]
async fn keycloak_cve_2026_9705_nothing_but_an_operator_enables_a_disabled_client() {
    let server = server("").await;
    let tokens = server.sign_in("alice").await;
    server.switch("web", &json!({"disabled": true})).await.expect(200);
    let replay = json!({"replay": null, "disabled": true});
    server.switch("web", &replay).await.expect(200);
    reload(&server, &web("refresh = { grace = \"20s\" }")).await;
    let server = server.kill().await.start().await;
    server.refresh(&tokens.refresh).await.expect_over("client_disabled");
    server.switch("web", &json!({"disabled": false})).await.expect(200);
    server.renew(&tokens.refresh).await;
}

#[tokio::test]
async fn zitadel_cve_2023_22492_a_locked_user_does_not_refresh() {
    let server = server("").await;
    let tokens = server.sign_in("alice").await;
    let ban = Ask::put("/v1/subjects/alice/ban", &json!({}));
    server.ask_as_back_end(ban).await.expect(200);
    server.refresh(&tokens.refresh).await.expect_over("banned");
    server.ask_as_back_end(Ask::delete("/v1/subjects/alice/ban")).await.expect(200);
    server.refresh(&tokens.refresh).await.expect_over("banned");
}

#[tokio::test]
async fn zitadel_8489_a_deactivated_service_is_given_no_token() {
    let server = server("").await;
    let token = server.service_token(&[]).await.expect(200).text("access_token");
    server.switch("service", &json!({"disabled": true})).await.expect(200);
    let refused = server.service_token(&[]).await;
    refused.expect_oauth(400, "unauthorized_client", Some("client_disabled"));
    assert_eq!(server.introspect(&token).await, json!({"active": false}));
}

#[tokio::test]
async fn zitadel_12637_authentik_12858_a_terminated_session_does_not_refresh() {
    let server = server("refresh = { grace = \"60s\" }").await;
    let first = server.sign_in("alice").await;
    let newest = server.renew(&first.refresh).await;
    server.kick(&first.sid).await.expect(200);
    for tokens in [&first, &newest] {
        server.refresh(&tokens.refresh).await.expect_over("kicked");
    }
}

#[tokio::test]
async fn ferriskey_1232_sign_out_disabling_and_a_changed_password_end_what_they_say() {
    let server = server("").await;
    let tokens = server.sign_in("alice").await;
    revoke(&server, &tokens.refresh).await.expect(200);
    server.refresh(&tokens.refresh).await.expect_over("signed_out");

    let (here, elsewhere) = (server.sign_in("alice").await, server.sign_in("alice").await);
    let path = "/v1/subjects/alice/sessions?reason=password_changed&except=";
    server.ask_as_back_end(Ask::delete(&format!("{path}{}", here.sid))).await.expect(200);
    server.refresh(&elsewhere.refresh).await.expect_over("password_changed");
    assert_eq!(server.introspect(&elsewhere.access).await, json!({"active": false}));

    server.switch("web", &json!({"disabled": true})).await.expect(200);
    server.refresh(&here.refresh).await.expect_over("client_disabled");
}

#[tokio::test]
async fn django_oauth_toolkit_1617_no_ancestor_gets_in_by_its_descendants_window() {
    let server = server("refresh = { grace = \"1s\" }").await;
    let first = server.sign_in("alice").await;
    let second = server.renew(&first.refresh).await;
    crate::common::pass(std::time::Duration::from_millis(1100)).await;
    server.renew(&second.refresh).await;
    server.refresh(&first.refresh).await.expect_over("replayed");
}

#[tokio::test]
async fn supabase_52614_the_newest_token_is_dead_with_its_family() {
    let server = server(NO_WINDOW).await;
    for _ in 0..10 {
        let first = server.sign_in("alice").await;
        let newest = server.renew(&first.refresh).await;
        server.refresh(&first.refresh).await.expect_over("replayed");
        server.refresh(&newest.refresh).await.expect_over("replayed");
        assert_eq!(server.introspect(&newest.access).await, json!({"active": false}));
    }
}

#[tokio::test]
async fn zitadel_9331_a_refresh_leaves_the_tokens_of_requests_in_flight() {
    let server = server(NO_WINDOW).await;
    let first = server.sign_in("alice").await;
    let second = server.renew(&first.refresh).await;
    let third = server.renew(&second.refresh).await;
    for tokens in [&first, &second, &third] {
        assert_eq!(server.introspect(&tokens.access).await["active"], true);
        let claims = server.claims(&tokens.access).await;
        assert_eq!(claims["nbf"], serde_json::Value::Null);
    }
}

#[tokio::test]
async fn cogtrix_323_nocturne_327_a_sign_out_is_of_one_device() {
    let server = server("").await;
    let (phone, desk) = (server.sign_in("alice").await, server.sign_in("alice").await);
    revoke(&server, &phone.refresh).await.expect(200);
    assert_eq!(server.introspect(&desk.access).await["active"], true);
    server.renew(&desk.refresh).await;
}

#[tokio::test]
async fn calich_123_who_changes_a_password_stays_signed_in() {
    let server = server("").await;
    let (here, elsewhere) = (server.sign_in("alice").await, server.sign_in("alice").await);
    let path = format!("/v1/subjects/alice/sessions?reason=password_changed&except={}", here.sid);
    server.ask_as_back_end(Ask::delete(&path)).await.expect(200);
    server.renew(&here.refresh).await;
    server.refresh(&elsewhere.refresh).await.expect_over("password_changed");
}

#[tokio::test]
async fn better_auth_9991_what_is_well_signed_is_still_looked_up() {
    let server = server(NO_WINDOW).await;
    let tokens = server.sign_in("alice").await;
    // Whoever answered from a cache would have this answer in it.
    assert_eq!(server.introspect(&tokens.access).await["active"], true);
    let body = json!({"roles": ["buyer"]});
    server.ask_as_back_end(Ask::put("/v1/subjects/alice", &body)).await.expect(200);
    assert_eq!(server.introspect(&tokens.access).await, json!({"active": false}));
    let newer = server.renew(&tokens.refresh).await;
    server.kick(&newer.sid).await.expect(200);
    assert_eq!(server.introspect(&newer.access).await, json!({"active": false}));
}
