//! Tokens that services ask about, beside the real authority: opaque ones, and lasting ones whose roles change. In
//! process, behind a sidecar, at a gateway and in the demo APIs.

use crate::common::{Answer, Ask, Configuration, ISSUER, Server, Sidecar, until};
use crate::live::{closed, open};
use http::Request;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::time::Duration;
use symbolon_verify::{Policy, Presented, Reason, Rejected, Verifier};

/// Clients whose only token is the one of their sign-in, and what that is.
const LASTING: [(&str, &str); 2] =
    [("kiosk", "preset = \"sliding-session\""), ("till", "preset = \"opaque-session\"")];

const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [ { name = "me", prefix = "/me" } ]
"#;

async fn authority() -> Server {
    let configuration = LASTING
        .iter()
        .fold(Configuration::new().client("web", ""), |all, (id, preset)| all.client(id, preset));
    Server::configured(&configuration.gateway(RULES)).await
}

/// Session and token of a sign-in.
async fn sign_in(server: &Server, client: &str) -> (String, String) {
    let body = json!({"subject": "alice", "client_id": client, "device": {"class": "web"}});
    let answer = server.start_session(&body).await.expect(201);
    (answer.text("session_id"), answer.text("access_token"))
}

async fn give_roles(server: &Server, roles: &[&str]) {
    let body = json!({ "roles": roles });
    server.ask_as_back_end(Ask::put("/v1/subjects/alice", &body)).await.expect(200);
}

/// How often this authority was asked about a token and said yes.
async fn asked(server: &Server) -> u64 {
    let metrics = server.metrics().await;
    let line = "symbolon_introspections_total{what=\"active\"} ";
    let count = metrics.lines().find_map(|own| own.strip_prefix(line));
    count.map_or(0, |count| count.parse().unwrap())
}

fn builder(server: &Server) -> symbolon_verify::Builder {
    let at = format!("http://{}", server.authority);
    let builder = Verifier::builder(ISSUER).through(&at).audience("demo-api");
    builder.instance("service").feed(server.api_key())
}

async fn roles(verifier: &Verifier, token: &str) -> Result<String, Rejected> {
    let verified = verifier.admit(&Presented::bearer(token), &Policy::default()).await?;
    let mut roles: Vec<_> = verified.claims().roles().map(str::to_owned).collect();
    roles.sort();
    Ok(roles.join(" "))
}

/// Asks until a token has these roles; the answer before was refused for nothing else than the old ones.
async fn roles_become(verifier: &Verifier, token: &str, wanted: &str) {
    let now = || async { (roles(verifier, token).await.as_deref() == Ok(wanted)).then_some(()) };
    until("the new roles are in force", now).await;
}

#[tokio::test]
async fn new_roles_are_in_force_under_the_token_that_never_changes_and_cost_one_question() {
    let server = authority().await;
    give_roles(&server, &["clerk"]).await;
    let verifier = builder(&server).connect().await.unwrap();
    for (client, preset) in LASTING {
        give_roles(&server, &["clerk"]).await;
        let (_, token) = sign_in(&server, client).await;
        roles_become(&verifier, &token, "clerk").await;
        let before = asked(&server).await;
        for wanted in ["manager", "clerk", "auditor"] {
            give_roles(&server, &[wanted]).await;
            roles_become(&verifier, &token, wanted).await;
            for _ in 0..20 {
                assert_eq!(roles(&verifier, &token).await.as_deref(), Ok(wanted), "{preset}");
            }
        }
        assert_eq!(asked(&server).await - before, 3, "{preset}: one question a change");
    }
    // Whoever can renew is told to.
    let (_, token) = sign_in(&server, "web").await;
    give_roles(&server, &["clerk"]).await;
    let stale = || async { (roles(&verifier, &token).await == Err(Rejected::Stale)).then_some(()) };
    until("it must be renewed", stale).await;
}

#[tokio::test]
async fn a_kick_and_a_ban_are_refused_at_once_by_their_reason_and_without_a_question() {
    let server = authority().await;
    let verifier = builder(&server).connect().await.unwrap();
    for (client, preset) in LASTING {
        let (sid, token) = sign_in(&server, client).await;
        let verified = verifier.admit(&Presented::bearer(&token), &Policy::default()).await;
        let ended = verified.unwrap_or_else(|why| panic!("{preset}: {why}")).ended();
        let before = asked(&server).await;
        server.kick(&sid).await.expect(200);
        let told = tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap();
        assert_eq!(told, Some(Reason::Kicked), "{preset}");
        let refused = roles(&verifier, &token).await;
        assert_eq!(refused, Err(Rejected::Revoked { ended: Some(Reason::Kicked) }), "{preset}");
        assert_eq!(asked(&server).await, before, "{preset}");
    }
}

/// As nginx asks.
fn about(target: &str) -> Ask {
    Ask::get("/gateway/check").with("x-original-method", "GET").with("x-original-uri", target)
}

async fn beside(server: &Server) -> Sidecar {
    let file = server.home.beside("symbolon.toml").display().to_string();
    let sidecar = Sidecar::of(server, &["--config", &file]).await;
    sidecar.ready().await;
    sidecar
}

#[tokio::test]
async fn a_sidecar_answers_for_tokens_that_never_change_and_asks_once() {
    let server = authority().await;
    let sidecar = beside(&server).await;
    for (client, preset) in LASTING {
        give_roles(&server, &["clerk"]).await;
        let (sid, token) = sign_in(&server, client).await;
        let check = || sidecar.ask(about("/me").key(&token));
        check().await.expect(200);
        let said = sidecar.introspect(&token).await;
        assert_eq!(said, server.introspect(&token).await, "{preset}");
        assert_eq!(said["roles"], json!(["clerk"]), "{preset}");
        give_roles(&server, &["manager"]).await;
        let now = || async {
            let answer = check().await.expect(200);
            (answer.header("x-symbolon-roles") == "manager").then_some(())
        };
        until("the gateway knows the new roles", now).await;
        let before = asked(&server).await;
        for _ in 0..10 {
            assert_eq!(sidecar.introspect(&token).await["roles"], json!(["manager"]), "{preset}");
            check().await.expect(200);
        }
        assert_eq!(asked(&server).await, before, "{preset}: from memory");
        assert_eq!(sidecar.introspect(&token).await, server.introspect(&token).await, "{preset}");
        server.kick(&sid).await.expect(200);
        let refused = || async {
            let answer = check().await;
            (answer.status == 401).then_some(answer)
        };
        let refused: Answer = until("the gateway refuses", refused).await;
        let challenge = refused.header("www-authenticate");
        assert!(challenge.ends_with(r#"reason="revoked", ended="kicked""#), "{challenge}");
        assert_eq!(sidecar.introspect(&token).await, json!({"active": false}), "{preset}");
    }
}

#[tokio::test]
async fn a_verifier_behind_a_sidecar_asks_the_sidecar() {
    let server = authority().await;
    let sidecar = beside(&server).await;
    let verifier = builder(&server).through(&sidecar.url()).connect().await.unwrap();
    for (client, preset) in LASTING {
        give_roles(&server, &["clerk"]).await;
        let (sid, token) = sign_in(&server, client).await;
        roles_become(&verifier, &token, "clerk").await;
        give_roles(&server, &["manager"]).await;
        roles_become(&verifier, &token, "manager").await;
        server.kick(&sid).await.expect(200);
        let kicked = Err(Rejected::Revoked { ended: Some(Reason::Kicked) });
        let refused = || async { (roles(&verifier, &token).await == kicked).then_some(()) };
        until(preset, refused).await;
    }
}

/// What a demo API answers to a `GET` with a token.
async fn status(demo: &str, path: &str, token: &str) -> u16 {
    let request = Request::get(format!("{demo}{path}"));
    let request = request.header("authorization", format!("Bearer {token}"));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let body: Empty<Bytes> = Empty::new();
    client.request(request.body(body).unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_demo_apis_work_with_tokens_that_never_change() {
    for (_, preset) in LASTING {
        let preset = preset.split('"').nth(1).unwrap();
        let server = Server::followed(&["--preset", preset]).await;
        let (sid, token) = sign_in(&server, "web").await;
        let demo = server.told["demo_api"].as_str().unwrap();
        for path in ["/me", "/orders"] {
            assert_eq!(status(demo, path, &token).await, 200, "{preset}");
        }
        let socket = open(demo, &token).await;
        server.kick(&sid).await.expect(200);
        assert_eq!(closed(socket).await, (4401, "kicked".into()), "{preset}");
        assert_eq!(status(demo, "/me", &token).await, 401, "{preset}");
    }
}

#[tokio::test]
async fn a_sidecar_says_nothing_of_text_that_only_looks_like_an_opaque_token() {
    let server = authority().await;
    let sidecar = beside(&server).await;
    let (_, token) = sign_in(&server, "till").await;
    let last = if token.ends_with('A') { "E" } else { "A" };
    let forged = format!("{}{last}", &token[..token.len() - 1]);
    let inactive: Value = json!({"active": false});
    for text in [&*forged, "sym_at_", "sym_at_AAAA", &token.replace("sym_at_", "sym_gs_")] {
        assert_eq!(sidecar.introspect(text).await, inactive, "{text}");
        sidecar.ask(about("/me").key(text)).await.expect(401);
    }
    assert_eq!(sidecar.introspect(&token).await["active"], true);
}
