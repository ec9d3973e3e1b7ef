//! The sidecar beside the real authority: what it answers, whom it serves, and what it does while the authority is
//! away.

use crate::common::{Answer, Ask, Configuration, ISSUER, Server, Sidecar, Tokens, at_once, until};
use serde_json::{Value, json};
use std::time::Duration;
use symbolon_verify::{Now, Policy, Presented, Reason, Rejected, Verifier};
use symbolon_wire::KeySet;
use symbolon_wire::feed::Snapshot;

const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [
    { name = "bills", prefix = "/bills", audience = "billing" },
    { name = "me", prefix = "/me" },
]
"#;

/// An authority whose clients have tokens for one or both audiences.
async fn authority() -> Server {
    let own = "audience = [\"billing\"]\nscope = \"orders:read\"";
    let configuration = Configuration::new().client("web", "").bare_client("biller", own);
    Server::configured(&configuration.gateway(RULES)).await
}

/// A sidecar with the authority's own file, of which it opens nothing.
async fn beside(server: &Server, arguments: &[&str]) -> Sidecar {
    let file = server.home.beside("symbolon.toml").display().to_string();
    let sidecar = Sidecar::of(server, &[&["--config", &*file][..], arguments].concat()).await;
    sidecar.ready().await;
    sidecar
}

/// As nginx asks.
fn about(target: &str) -> Ask {
    Ask::get("/gateway/check").with("x-original-method", "GET").with("x-original-uri", target)
}

async fn sign_in(server: &Server, client: &str) -> Tokens {
    let body = json!({"subject": "alice", "client_id": client, "device": {"class": "web"}});
    Tokens::of(&server.start_session(&body).await.expect(201))
}

/// Ends a session once `live` verifiers are known, and waits until all of them have applied it.
async fn kick_everywhere(server: &Server, sid: &str, live: usize) {
    let known = || async {
        let all = server.list("/v1/verifiers").await;
        (all.iter().filter(|one| one["live"] == true).count() == live).then_some(())
    };
    until("all verifiers have reported", known).await;
    let path = format!("/v1/sessions/{sid}?wait=10s");
    let answer = server.ask_as_back_end(Ask::delete(&path)).await.expect(200);
    let heard = answer.member("verifiers");
    assert_eq!((&heard["live"], &heard["applied"]), (&json!(live), &json!(live)), "{heard}");
}

fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate")
}

#[tokio::test]
async fn a_gateway_is_answered_from_memory_and_refuses_what_ended_when_wait_says_so() {
    let server = authority().await;
    let sidecar = beside(&server, &[]).await;
    let tokens = sign_in(&server, "web").await;
    let me = || sidecar.ask(about("/me").key(&tokens.access));
    let answer = me().await.expect(200);
    assert_eq!(answer.header("x-symbolon-subject"), "alice");
    assert_eq!(answer.header("x-symbolon-session"), tokens.sid);
    assert_eq!(answer.header("x-symbolon-token"), tokens.access);
    sidecar.ask(about("/bills").key(&tokens.access)).await.expect(200);
    sidecar.ask(about("/elsewhere").key(&tokens.access)).await.expect_problem(403, "no-rule");
    let biller = sign_in(&server, "biller").await;
    sidecar.ask(about("/bills").key(&biller.access)).await.expect(200);
    sidecar.ask(about("/me").key(&biller.access)).await.expect_problem(401, "invalid-token");
    sidecar.ask(about("/me").key(&biller.refresh)).await.expect_problem(401, "invalid-token");
    kick_everywhere(&server, &tokens.sid, 1).await;
    let refused = me().await.expect_problem(401, "invalid-token");
    assert!(challenge(&refused).ends_with(r#"reason="revoked", ended="kicked""#), "{refused:?}");
    assert_eq!(sidecar.files(), Vec::<String>::new(), "it has nothing to keep");
}

#[tokio::test]
async fn introspection_says_what_the_authority_says_of_what_is_in_force_and_nothing_of_the_rest() {
    let server = authority().await;
    let sidecar = beside(&server, &[]).await;
    let (tokens, biller) = (sign_in(&server, "web").await, sign_in(&server, "biller").await);
    let service = server.service_token(&[]).await.expect(200).text("access_token");
    for token in [&tokens.access, &biller.access, &service] {
        let said = sidecar.introspect(token).await;
        assert_eq!(said, server.introspect(token).await);
        assert_eq!(said["active"], true);
    }
    let inactive = json!({"active": false});
    let own = [("resource", ISSUER), ("refresh_token", &tokens.refresh)];
    let own = [("grant_type", "refresh_token"), ("client_id", "web"), own[0], own[1]];
    let own = server.ask(Ask::form("/oauth2/token", &own)).await.expect(200).text("access_token");
    let (head, _) = tokens.access.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", "A".repeat(86));
    for token in [&tokens.refresh, "a.b.c", "x", &forged, &own] {
        assert_eq!(sidecar.introspect(token).await, inactive, "{token}");
    }
    sidecar.ask(Ask::form("/oauth2/introspect", &[])).await.expect_oauth(
        400,
        "invalid_request",
        None,
    );
    kick_everywhere(&server, &biller.sid, 1).await;
    assert_eq!(sidecar.introspect(&biller.access).await, inactive);
    let metrics = sidecar.metrics().await;
    for line in [
        "symbolon_introspections_total{what=\"active\"} 3",
        "symbolon_introspections_total{what=\"inactive\"} 6",
        "symbolon_verifier_mode{what=\"stream\"} 1",
        "symbolon_verifier_position ",
        "symbolon_verifier_staleness_seconds ",
        "symbolon_verifier_cache_hits_total{audience=\"billing\"}",
        "symbolon_verifier_rejected_total{audience=\"billing\",what=\"revoked\"} 1",
    ] {
        assert!(metrics.lines().any(|own| own.starts_with(line)), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn who_may_introspect_stands_in_a_file_and_stock_clients_send_it_in_their_own_ways() {
    let server = Server::with(&[]).await;
    let file = server.home.beside("introspection.secrets");
    std::fs::write(&file, "orders:0123456789abcdef\n").unwrap();
    let file = file.display().to_string();
    let arguments = ["--audience", "demo-api", "--introspection-secret-file", &file];
    let sidecar = Sidecar::of(&server, &arguments).await;
    sidecar.ready().await;
    let access = server.sign_in("alice").await.access;
    let path = "/oauth2/introspect";
    let form = || Ask::form(path, &[("token", &access)]);
    let (id, secret) = (("client_id", "orders"), ("client_secret", "0123456789abcdef"));
    for may in [
        form().basic("orders", "0123456789abcdef"),
        form().key("0123456789abcdef"),
        form().key(server.api_key()),
        Ask::form(path, &[("token", &access), id, secret]),
    ] {
        let said = sidecar.ask(may.clone()).await.expect(200).json();
        assert_eq!(said["active"], true, "{may:?}");
    }
    for may_not in [
        form(),
        form().basic("orders", "0123456789abcdeg"),
        form().basic("billing", "0123456789abcdef"),
        form().key("0123456789abcde"),
        Ask::form(path, &[("token", &access), id]),
    ] {
        let answer = sidecar.ask(may_not).await.expect_oauth(401, "invalid_client", None);
        assert_eq!(challenge(&answer), "Basic realm=\"symbolon\"");
    }
    let unknown = server.api_key().replace("sym_ak_", "sym_ak_A");
    sidecar.ask(form().key(&unknown)).await.expect(401);
}

async fn behind(server: &Server, sidecar: &Sidecar, poll_only: bool) -> Verifier {
    let issuer = server.told["authority"].as_str().unwrap();
    let builder = Verifier::builder(issuer)
        .through(&sidecar.url())
        .audience("demo-api")
        .instance(if poll_only { "polls" } else { "streams" })
        .feed(server.api_key());
    let builder = if poll_only { builder.poll_only() } else { builder };
    builder.connect().await.unwrap_or_else(|why| panic!("{why}"))
}

fn verify(verifier: &Verifier, token: &str) -> Result<(), Rejected> {
    let policy = Policy::strict(Duration::from_secs(5));
    verifier.check(&Presented::bearer(token), &policy, Now::read(), |_| ())
}

#[tokio::test]
async fn verifiers_behind_hear_and_report_through_the_sidecar_each_under_its_own_name() {
    let server = Server::with(&[]).await;
    let sidecar = Sidecar::of(&server, &["--audience", "demo-api", "--instance", "beside"]).await;
    sidecar.ready().await;
    let verifiers = [behind(&server, &sidecar, false).await, behind(&server, &sidecar, true).await];
    for round in 0..2 {
        let tokens = server.sign_in("alice").await;
        for verifier in &verifiers {
            assert_eq!(verify(verifier, &tokens.access), Ok(()), "round {round}");
        }
        // With the sidecar's own and the two demo APIs of `dev`.
        kick_everywhere(&server, &tokens.sid, 5).await;
        for verifier in &verifiers {
            let ended = Some(Reason::Kicked);
            assert_eq!(verify(verifier, &tokens.access), Err(Rejected::Revoked { ended }));
        }
    }
    let names = server.list("/v1/verifiers").await;
    for instance in ["beside", "streams", "polls"] {
        assert!(names.iter().any(|one| one["instance"] == instance), "{instance}: {names:?}");
    }
    assert!(sidecar.metrics().await.contains("symbolon_feed_followers "));
    for verifier in &verifiers {
        assert_eq!(verifier.status(Now::read().monotonic).resyncs, 0);
    }
}

#[tokio::test]
async fn a_stranger_is_given_nothing_of_the_feed() {
    let server = Server::with(&[]).await;
    let sidecar = Sidecar::of(&server, &["--audience", "demo-api"]).await;
    sidecar.ready().await;
    let wrong = server.api_key().replace("sym_ak_", "sym_ak_A");
    let body = json!({"sids": []});
    let asks = || {
        [
            Ask::get("/v1/feed"),
            Ask::get("/v1/feed/snapshot"),
            Ask::get("/v1/feed/poll"),
            Ask::json("/v1/feed/ended", &body),
            Ask::json("/v1/feed/applied", &body),
        ]
    };
    for ask in asks() {
        sidecar.ask(ask.clone()).await.expect_problem(401, "unauthorized");
        sidecar.ask(ask.key(&wrong)).await.expect_problem(401, "refused");
    }
    let key = |ask: Ask| ask.key(server.api_key());
    let ended = sidecar.ask(key(Ask::json("/v1/feed/ended", &body))).await.expect(200);
    assert_eq!(ended.json(), json!({"ended": []}));
    let applied = key(Ask::json("/v1/feed/applied", &body));
    sidecar.ask(applied).await.expect_problem(400, "refused");
    let elsewhere = format!("/v1/feed?after={}", "A".repeat(38));
    sidecar.ask(key(Ask::get(&elsewhere))).await.expect_problem(410, "cursor-gone");
    sidecar.ask(key(Ask::get("/v1/feed?x=1"))).await.expect_problem(400, "malformed");
}

/// Where the sidecar's snapshot stands, which the authority signed.
async fn snapshot_position(server: &Server, sidecar: &Sidecar) -> u64 {
    let jwks = sidecar.ask(Ask::get("/.well-known/jwks.json")).await.expect(200);
    let keys = KeySet::parse(std::str::from_utf8(&jwks.body).unwrap()).unwrap();
    let ask = Ask::get("/v1/feed/snapshot").key(server.api_key());
    let answer = sidecar.ask(ask).await.expect(200);
    let snapshot = Snapshot::read(&keys, &answer.body).unwrap_or_else(|why| panic!("{why}"));
    snapshot.checkpoint.cursor.position
}

#[tokio::test]
async fn a_newer_snapshot_is_fetched_before_the_old_one_is_out_of_reach() {
    let server = Server::with(&[]).await;
    let sidecar = Sidecar::of(&server, &["--audience", "demo-api"]).await;
    sidecar.ready().await;
    let early = behind(&server, &sidecar, false).await;
    assert_eq!(snapshot_position(&server, &sidecar).await, 0);
    for round in 0..9 {
        server.revoke_thousand(round).await;
    }
    let newer = || async { (0 < snapshot_position(&server, &sidecar).await).then_some(()) };
    until("there is a newer snapshot", newer).await;
    let late = behind(&server, &sidecar, false).await;
    for verifier in [early, late] {
        let all = || async {
            let status = verifier.status(Now::read().monotonic);
            (status.position == Some(9000)).then_some(status.resyncs)
        };
        assert_eq!(until("everything is applied", all).await, 0);
    }
}

#[tokio::test]
async fn an_outage_changes_nothing_within_the_bound_and_then_nobody_is_told_yes_or_no() {
    let server = authority().await;
    let sidecar = beside(&server, &["--max-staleness", "4s"]).await;
    let tokens = sign_in(&server, "web").await;
    let me = || sidecar.ask(about("/me").key(&tokens.access));
    me().await.expect(200);
    let address = server.authority.clone();
    let (keys, key) = (server.jwks().await, server.api_key().to_owned());
    let home = server.kill().await;
    me().await.expect(200);
    assert_eq!(sidecar.introspect(&tokens.access).await["active"], true);
    sidecar.late().await;
    let late = sidecar.ask(Ask::get("/readyz")).await.expect_problem(503, "not-ready");
    // The bound is passed by less than the answer counts in.
    assert!(4_000 <= late.member("age_ms").as_u64().unwrap(), "{late:?}");
    for token in [&tokens.access, &tokens.refresh, "x"] {
        let answer = sidecar.introspected(token).await;
        answer.expect_oauth(503, "temporarily_unavailable", None);
    }
    me().await.expect_problem(503, "store");
    let jwks = sidecar.ask(Ask::get("/.well-known/jwks.json")).await.expect(200);
    assert_eq!(jwks.body, keys, "keys stay");
    let stream = sidecar.ask(Ask::get("/v1/feed").key(&key)).await;
    stream.expect_problem(503, "feed-not-ready");
    sidecar.ask(Ask::get("/livez")).await.expect(200);
    let server = home.start_on(&address).await;
    sidecar.ready().await;
    me().await.expect(200);
    assert_eq!(sidecar.introspect(&tokens.access).await["active"], true);
    kick_everywhere(&server, &tokens.sid, 1).await;
    me().await.expect_problem(401, "invalid-token");
    assert_eq!(sidecar.introspect(&tokens.access).await, json!({"active": false}));
}

#[tokio::test]
async fn a_verifier_behind_keeps_to_its_own_bound_whatever_that_of_the_sidecar_is() {
    let server = Server::with(&[]).await;
    let patient = ["--audience", "demo-api", "--max-staleness", "10min"];
    let sidecar = Sidecar::of(&server, &patient).await;
    sidecar.ready().await;
    let verifier = behind(&server, &sidecar, false).await;
    let tokens = server.sign_in("alice").await;
    let policy = Policy::bounded(Duration::from_secs(2));
    let presented = Presented::bearer(&tokens.access);
    let admit = || verifier.admit(&presented, &policy);
    assert!(admit().await.is_ok());
    let _home = server.kill().await;
    let refuses =
        || async { matches!(admit().await, Err(Rejected::Unverifiable(_))).then_some(()) };
    until("the verifier behind lets nobody in any more", refuses).await;
    assert_eq!(sidecar.introspect(&tokens.access).await["active"], true, "by its own bound");
}

#[tokio::test]
async fn a_verifier_behind_may_ask_about_tokens_of_an_audience_that_the_sidecar_does_not_know() {
    let server = authority().await;
    let known = ["--audience", "demo-api", "--issuer", ISSUER];
    let sidecar = Sidecar::of(&server, &known).await;
    sidecar.ready().await;
    let builder = Verifier::builder(ISSUER).through(&sidecar.url()).audience("billing");
    let verifier = builder.introspection(server.api_key()).connect().await.unwrap();
    let tokens = sign_in(&server, "biller").await;
    let policy = Policy::bounded(Duration::from_secs(5));
    let presented = Presented::bearer(&tokens.access);
    let admit = || verifier.admit(&presented, &policy);
    assert!(admit().await.is_ok());
    server.kick(&tokens.sid).await.expect(200);
    assert_eq!(admit().await.err(), Some(Rejected::Revoked { ended: None }));
}

#[tokio::test]
async fn who_begins_behind_after_a_key_was_withdrawn_is_given_what_a_key_of_today_has_signed() {
    let server = Server::with(&[]).await;
    let sidecar = Sidecar::of(&server, &["--audience", "demo-api"]).await;
    sidecar.ready().await;
    let keys = server.list("/v1/keys").await;
    let signing = keys.iter().find(|key| key["state"] == "current").unwrap();
    let path = format!("/v1/keys/{}", signing["kid"].as_str().unwrap());
    server.ask_as_back_end(Ask::delete(&path)).await.expect(200);
    let verifier = behind(&server, &sidecar, false).await;
    let tokens = server.sign_in("alice").await;
    assert_eq!(verify(&verifier, &tokens.access), Ok(()));
}

#[tokio::test]
async fn rules_about_tokens_of_an_audience_that_was_left_out_are_refused_at_the_start() {
    let server = authority().await;
    let file = server.home.beside("symbolon.toml").display().to_string();
    let authority = format!("http://{}", server.authority);
    let usual = ["--authority", &authority, "--api-key", server.api_key(), "--config", &file];
    let refused = Sidecar::refused(&[&usual[..], &["--audience", "demo-api"]].concat());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("\"billing\"") && said.contains("\"bills\""), "{said}");
}

#[tokio::test]
async fn verifiers_behind_heal_with_the_sidecar() {
    let server = Server::with(&[]).await;
    let sidecar = Sidecar::of(&server, &["--audience", "demo-api"]).await;
    sidecar.ready().await;
    let verifier = behind(&server, &sidecar, false).await;
    let tokens = server.sign_in("alice").await;
    assert_eq!(verify(&verifier, &tokens.access), Ok(()));
    let address = server.authority.clone();
    let home = server.kill().await;
    let late = || async { verify(&verifier, &tokens.access).is_err().then_some(()) };
    until("the verifier behind trusts what it knows no more", late).await;
    let server = home.start_on(&address).await;
    let heals = || async { verify(&verifier, &tokens.access).is_ok().then_some(()) };
    until("the verifier behind is well again", heals).await;
    server.kick(&tokens.sid).await.expect(200);
    let refuses = || async {
        let ended = Some(Reason::Kicked);
        (verify(&verifier, &tokens.access) == Err(Rejected::Revoked { ended })).then_some(())
    };
    until("the verifier behind refuses", refuses).await;
}

#[tokio::test]
async fn it_starts_before_its_authority_and_says_that_it_is_not_ready() {
    let server = Server::with(&[]).await;
    let (address, key) = (server.authority.clone(), server.api_key().to_owned());
    let token = server.sign_in("alice").await.access;
    let home = server.kill().await;
    let authority = format!("http://{address}");
    let arguments = ["--authority", &authority, "--api-key", &key, "--audience", "demo-api"];
    let sidecar = Sidecar::start(&arguments).await;
    let early = sidecar.ask(Ask::get("/readyz")).await.expect_problem(503, "not-ready");
    assert_eq!(early.member("age_ms"), Value::Null);
    let answer = sidecar.introspected(&token).await;
    answer.expect_oauth(503, "temporarily_unavailable", None);
    let snapshot = Ask::get("/v1/feed/snapshot").key(&key);
    sidecar.ask(snapshot).await.expect_problem(503, "feed-not-ready");
    let _server = home.start_on(&address).await;
    sidecar.ready().await;
    assert_eq!(sidecar.introspect(&token).await["active"], true);
}

#[tokio::test]
async fn an_authority_that_refuses_is_said_at_the_start() {
    let server = authority().await;
    let authority = format!("http://{}", server.authority);
    let usual = ["--authority", &authority, "--audience", "demo-api"];
    let said = |more: &[&str]| {
        let output = Sidecar::refused(&[&usual[..], more].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let key = server.api_key();
    let said_of_name = said(&["--api-key", key]);
    assert!(said_of_name.contains(&format!("it calls itself {ISSUER}")), "{said_of_name}");
    assert!(said_of_name.contains(&format!("say --issuer {ISSUER}")), "{said_of_name}");
    let weak = server.new_api_key("sessions:read", None).await;
    let said_of_scope = said(&["--api-key", &weak, "--issuer", ISSUER]);
    assert!(said_of_scope.contains("does not take the API key"), "{said_of_scope}");
    assert!(said_of_scope.contains("revocations:read"), "{said_of_scope}");
    let wrong = key.replace("sym_ak_", "sym_ak_A");
    let said_of_key = said(&["--api-key", &wrong, "--issuer", ISSUER]);
    assert!(said_of_key.contains("does not take the API key"), "{said_of_key}");
}

/// An authority with a client whose sessions live in a cookie, the sidecar beside it, and somebody's `Cookie` line.
async fn with_cookie() -> (Server, Sidecar, Answer, String) {
    let site = "preset = \"gateway-session\"\norigins = [\"https://app.example.com\"]";
    let configuration = Configuration::new().client("site", site).gateway(RULES);
    let server = Server::configured(&configuration).await;
    let sidecar = beside(&server, &[]).await;
    let body = json!({"subject": "alice", "client_id": "site", "device": {"class": "web"}});
    let started = server.start_session(&body).await.expect(201);
    let lines = started.member("set_cookie");
    let pair = |line: &Value| line.as_str().unwrap().split(';').next().unwrap().to_owned();
    let cookies: Vec<_> = lines.as_array().unwrap().iter().map(pair).collect();
    (server, sidecar, started, cookies.join("; "))
}

#[tokio::test]
async fn a_cookie_is_asked_about_once_and_from_then_on_the_feed_says_what_becomes_of_it() {
    let (server, sidecar, started, cookies) = with_cookie().await;
    let ask = |method: &str| {
        let ask = about("/me").without("x-original-method").with("x-original-method", method);
        ask.with("cookie", &cookies)
    };
    let first = sidecar.ask(ask("GET")).await.expect(200);
    assert_eq!(first.header("x-symbolon-subject"), "alice");
    assert_eq!(first.header("x-symbolon-session"), started.text("session_id"));
    let claims = server.claims(first.header("x-symbolon-token")).await;
    assert_eq!(claims["aud"][0], "demo-api");
    sidecar.ask(ask("POST")).await.expect_problem(403, "csrf");
    sidecar.ask(ask("POST").with("origin", "https://app.example.com")).await.expect(200);
    let csrf = cookies.split("symbolon-csrf=").nth(1).unwrap().to_owned();
    sidecar.ask(ask("POST").with("x-symbolon-csrf", &csrf)).await.expect(200);
    sidecar.ask(ask("GET").with("cookie", &cookies)).await.expect_problem(401, "unauthorized");

    let roles = Ask::put("/v1/subjects/alice", &json!({"roles": ["admin"]}));
    server.ask_as_back_end(roles).await.expect(200);
    let renewed = || async {
        let now = sidecar.ask(ask("GET")).await.expect(200);
        (now.header("x-symbolon-roles") == "admin").then_some(())
    };
    until("the sidecar heard of the roles", renewed).await;

    server.freeze(true);
    sidecar.ask(ask("GET")).await.expect(200);
    server.freeze(false);
    kick_everywhere(&server, &started.text("session_id"), 1).await;
    let kicked = sidecar.ask(ask("GET")).await.expect_problem(401, "invalid-token");
    assert_eq!(kicked.text("reason"), "kicked");
}

#[tokio::test]
async fn sixty_four_requests_at_once_ask_the_authority_once_and_a_made_up_cookie_passes_nowhere() {
    let (server, sidecar, _, cookies) = with_cookie().await;
    let asks = (0..64).map(|_| about("/me").with("cookie", &cookies)).collect();
    for answer in at_once(&sidecar.authority, asks).await {
        answer.expect(200);
    }
    let made_up = format!("symbolon=sym_gs_{}", "A".repeat(56));
    let big = format!("symbolon={}", "A".repeat(4000));
    for cookie in [&made_up, &big] {
        let refused = sidecar.ask(about("/me").with("cookie", cookie)).await;
        refused.expect_problem(401, "invalid-token");
    }
    let key = server.new_api_key("sessions:read", None).await;
    let body = json!({"cookie": made_up, "audience": "demo-api"});
    server.ask(Ask::json("/v1/gateway/token", &body).key(&key)).await.expect(403);
    drop(server);
    sidecar.late().await;
    let away = sidecar.ask(about("/me").with("cookie", &cookies)).await;
    assert_eq!(away.expect(503).header("retry-after"), "1");
}
