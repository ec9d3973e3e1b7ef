//! `POST /v1/revocations`: everything that can be revoked, asked beforehand, expected, in batches.

use crate::common::{Answer, Ask, Configuration, Server, Tokens, at_once, until};
use serde_json::{Value, json};

async fn server() -> Server {
    let many = "devices = { per_subject = 200 }\nrefresh = { grace = \"60s\" }";
    Server::configured(&Configuration::new().client("web", many).client("app", many)).await
}

async fn sign_in(server: &Server, subject: &str, client: &str, class: &str) -> Tokens {
    let body = json!({"subject": subject, "client_id": client, "device": {"class": class}});
    Tokens::of(&server.start_session(&body).await.expect(201))
}

async fn revoke(server: &Server, body: &Value) -> Answer {
    server.ask_as_back_end(Ask::json("/v1/revocations", body)).await
}

fn body(target: Value, effect: &str) -> Value {
    json!({"target": target, "effect": effect, "reason": "admin", "note": "ticket 9"})
}

fn dry(body: &Value) -> Value {
    let mut dry = body.clone();
    dry["dry_run"] = json!(true);
    dry
}

/// What would be hit, asked first; then it is done, and hits the same.
async fn asked_and_done(server: &Server, body: &Value) -> u64 {
    let asked = revoke(server, &dry(body)).await.expect(200).json();
    let again = revoke(server, &dry(body)).await.expect(200).json();
    assert_eq!(asked, again, "a dry run changes nothing");
    let done = revoke(server, body).await.expect(200).json();
    assert_eq!(done["matched"], asked["matched"], "{body}");
    assert!(asked["position"].as_u64() <= done["position"].as_u64());
    asked["matched"].as_u64().unwrap()
}

async fn is_active(server: &Server, tokens: &Tokens) -> bool {
    server.introspect(&tokens.access).await["active"] == true
}

#[tokio::test]
async fn a_session_is_revoked_by_its_name() {
    let server = server().await;
    let (one, other) = (server.sign_in("alice").await, server.sign_in("alice").await);
    let target = body(json!({"sid": one.sid}), "revoked");
    assert_eq!(asked_and_done(&server, &target).await, 1);
    server.expect_ended(&one.sid, "admin").await;
    assert!(is_active(&server, &other).await);
    assert_eq!(asked_and_done(&server, &target).await, 0, "it has ended already");
    let unknown = body(json!({"sid": "AAAAAAAAAAAAAAAAAAAAAA"}), "revoked");
    assert_eq!(asked_and_done(&server, &unknown).await, 0);
}

#[tokio::test]
async fn one_access_token_is_revoked_by_its_name_and_the_session_goes_on() {
    let server = server().await;
    for effect in ["revoked", "stale"] {
        let tokens = server.sign_in("alice").await;
        let jti = server.claims(&tokens.access).await["jti"].clone();
        assert_eq!(asked_and_done(&server, &body(json!({"jti": jti}), effect)).await, 1);
        assert!(!is_active(&server, &tokens).await, "{effect}");
        let newer = server.renew(&tokens.refresh).await;
        assert_ne!(newer.access, tokens.access);
        assert!(is_active(&server, &newer).await);
    }
}

#[tokio::test]
async fn a_subject_is_revoked_whole_or_has_to_renew() {
    let server = server().await;
    let alice = [server.sign_in("alice").await, sign_in(&server, "alice", "app", "app").await];
    let bob = server.sign_in("bob").await;
    let stale = body(json!({"sub": "alice"}), "stale");
    assert_eq!(asked_and_done(&server, &stale).await, 2);
    assert!(!is_active(&server, &alice[0]).await);
    let newer = server.renew(&alice[0].refresh).await;
    assert!(is_active(&server, &newer).await);

    let revoked = body(json!({"sub": "alice"}), "revoked");
    let told = revoke(&server, &dry(&revoked)).await.expect(200).json();
    let mut sample: Vec<_> = told["sample"].as_array().unwrap().clone();
    sample.sort_by_key(|hit| hit["client_id"].to_string());
    let expected = json!([
        {"session_id": alice[1].sid, "subject": "alice", "client_id": "app"},
        {"session_id": alice[0].sid, "subject": "alice", "client_id": "web"},
    ]);
    assert_eq!(json!(sample), expected);
    assert_eq!(asked_and_done(&server, &revoked).await, 2);
    for tokens in &alice {
        server.expect_ended(&tokens.sid, "admin").await;
    }
    assert!(!is_active(&server, &newer).await);
    assert!(is_active(&server, &bob).await);
    assert_eq!(asked_and_done(&server, &revoked).await, 0);
    server.sign_in("alice").await;
}

#[tokio::test]
async fn a_client_or_everything_is_hit_by_one_bound() {
    let server = server().await;
    let web = server.sign_in("alice").await;
    let app = sign_in(&server, "bob", "app", "app").await;
    assert_eq!(asked_and_done(&server, &body(json!({"client_id": "app"}), "stale")).await, 1);
    assert!(!is_active(&server, &app).await && is_active(&server, &web).await);
    let app = Tokens::of(&server.ask(Ask::refresh("app", &app.refresh)).await.expect(200));
    assert_eq!(asked_and_done(&server, &body(json!({"client_id": "app"}), "revoked")).await, 1);
    server.ask(Ask::refresh("app", &app.refresh)).await.expect_over("admin");
    assert!(is_active(&server, &web).await);

    assert_eq!(asked_and_done(&server, &body(json!({"everything": true}), "stale")).await, 1);
    assert!(!is_active(&server, &web).await);
    let web = server.renew(&web.refresh).await;
    assert_eq!(asked_and_done(&server, &body(json!({"everything": true}), "revoked")).await, 1);
    server.refresh(&web.refresh).await.expect_over("admin");
    let told = server.list("/v1/events").await;
    let kinds: Vec<_> = told.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let bounds: Vec<_> = kinds.into_iter().filter(|kind| *kind != "session").collect();
    assert_eq!(bounds, ["client", "client", "everything", "everything"]);
    assert!(told.iter().filter(|event| event["kind"] != "session").all(|event| {
        event["note"] == "ticket 9" && event["reason"] == "admin" && event["by"] != "authority"
    }));
    server.sign_in("alice").await;
}

#[tokio::test]
async fn a_key_is_revoked_by_its_name_with_either_effect() {
    let server = server().await;
    for effect in ["stale", "revoked"] {
        let tokens = server.sign_in("alice").await;
        let kid = server.list("/v1/keys").await[0]["kid"].clone();
        assert_eq!(asked_and_done(&server, &body(json!({"kid": kid}), effect)).await, 1);
        assert!(!is_active(&server, &tokens).await, "{effect}");
        let newer = server.renew(&tokens.refresh).await;
        assert!(is_active(&server, &newer).await);
    }
    let unknown = body(json!({"kid": "AAAAAAAAAAAAAAAA"}), "stale");
    revoke(&server, &unknown).await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn a_filter_ends_those_that_it_holds_and_no_others() {
    let server = server().await;
    let desk = sign_in(&server, "alice", "web", "desktop").await;
    let web = sign_in(&server, "alice", "web", "web").await;
    let app = sign_in(&server, "bob", "app", "desktop").await;
    let now = server.session(&web.sid).await["created_at"].as_u64().unwrap();
    for (filter, expected) in [
        (json!({"device_class": "desktop"}), 2),
        (json!({"device_class": "desktop", "client_id": "app"}), 1),
        (json!({"created_before": now - 60}), 0),
        (json!({"created_after": now - 60}), 3),
        (json!({"last_active_before": now + 60}), 3),
        (json!({"device_id": "none"}), 0),
        (json!({"acr": "phr"}), 0),
        (json!({"ip": "203.0.113.7"}), 0),
    ] {
        let asked = dry(&body(json!({"filter": filter}), "revoked"));
        let told = revoke(&server, &asked).await.expect(200).json();
        assert_eq!(told["matched"], expected, "{filter}");
    }
    let target = body(json!({"filter": {"device_class": "desktop"}}), "revoked");
    assert_eq!(asked_and_done(&server, &target).await, 2);
    server.expect_ended(&desk.sid, "admin").await;
    server.expect_ended(&app.sid, "admin").await;
    assert!(is_active(&server, &web).await);
    assert_eq!(asked_and_done(&server, &target).await, 0);
}

#[tokio::test]
async fn more_than_was_expected_is_refused_with_the_count_and_nothing_is_done() {
    let server = server().await;
    let mut tokens = Vec::new();
    for subject in ["alice", "alice", "bob"] {
        tokens.push(server.sign_in(subject).await);
    }
    let jti = server.claims(&tokens[0].access).await["jti"].clone();
    let kid = server.list("/v1/keys").await[0]["kid"].clone();
    for (target, effect, matched) in [
        (json!({"sid": tokens[0].sid}), "revoked", 1),
        (json!({"jti": jti}), "revoked", 1),
        (json!({"sub": "alice"}), "revoked", 2),
        (json!({"sub": "alice"}), "stale", 2),
        (json!({"client_id": "web"}), "revoked", 3),
        (json!({"everything": true}), "stale", 3),
        (json!({"filter": {"client_id": "web"}}), "revoked", 3),
        (json!({"kid": kid}), "stale", 1),
    ] {
        let mut asked = body(target.clone(), effect);
        asked["expect_at_most"] = json!(matched - 1);
        for asked in [dry(&asked), asked] {
            let refused = revoke(&server, &asked).await;
            let refused = refused.expect_problem(409, "more-than-expected");
            assert_eq!(refused.member("matched"), matched, "{target}");
        }
    }
    for own in &tokens {
        assert!(is_active(&server, own).await, "nothing was done");
    }
    assert_eq!(server.list("/v1/events").await, Vec::<Value>::new());
    let mut asked = body(json!({"sub": "alice"}), "revoked");
    asked["expect_at_most"] = json!(2);
    assert_eq!(asked_and_done(&server, &asked).await, 2);
}

#[tokio::test]
async fn bodies_that_are_wrong_are_told_in_which_member() {
    let server = server().await;
    let good = body(json!({"sub": "alice"}), "revoked");
    let changed = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (wrong, member) in [
        (json!({}), "target"),
        (json!([]), "body"),
        (changed("target", json!({})), "target"),
        (changed("target", json!("alice")), "target"),
        (changed("target", json!({"sub": "a", "sid": "b"})), "target"),
        (changed("target", json!({"sub": ""})), "target.sub"),
        (changed("target", json!({"sid": "x"})), "target.sid"),
        (changed("target", json!({"jti": "x"})), "target.jti"),
        (changed("target", json!({"client_id": "\n"})), "target.client_id"),
        (changed("target", json!({"client_id": "nobody"})), "target.client_id"),
        (changed("target", json!({"everything": false})), "target.everything"),
        (changed("target", json!({"everything": "yes"})), "target.everything"),
        (changed("target", json!({"filter": {}})), "target.filter"),
        (changed("target", json!({"filter": {"name": "x"}})), "target.filter.name"),
        (
            changed("target", json!({"filter": {"device_class": "tv"}})),
            "target.filter.device_class",
        ),
        (
            changed("target", json!({"filter": {"created_before": -1}})),
            "target.filter.created_before",
        ),
        (changed("target", json!({"user": "alice"})), "target.user"),
        (changed("effect", json!("gone")), "effect"),
        (changed("reason", json!("because")), "reason"),
        (changed("reason", json!(null)), "reason"),
        (changed("note", json!("x".repeat(501))), "note"),
        (changed("dry_run", json!("yes")), "dry_run"),
        (changed("expect_at_most", json!(-1)), "expect_at_most"),
        (changed("all", json!(true)), "all"),
    ] {
        let refused = revoke(&server, &wrong).await.expect_problem(400, "malformed");
        assert_eq!(refused.text("member"), member, "{wrong}");
    }
    for target in [json!({"sid": "AAAAAAAAAAAAAAAAAAAAAA"}), json!({"filter": {"acr": "x"}})] {
        let refused = revoke(&server, &body(target, "stale")).await;
        assert_eq!(refused.expect_problem(400, "malformed").text("member"), "effect");
    }
    let waits = revoke(&server, &changed("wait", json!("an hour"))).await;
    assert_eq!(waits.expect_problem(400, "malformed").text("member"), "wait");
}

#[tokio::test]
async fn each_target_needs_its_scope_and_a_limited_key_reaches_its_own_clients_alone() {
    let server = server().await;
    let (web, app) = (server.sign_in("alice").await, sign_in(&server, "bob", "app", "app").await);
    let jti = server.claims(&web.access).await["jti"].clone();
    let kid = server.list("/v1/keys").await[0]["kid"].clone();
    let targets = [
        (json!({"sid": web.sid}), "sessions:end"),
        (json!({"jti": jti}), "sessions:end"),
        (json!({"filter": {"device_class": "web"}}), "sessions:end"),
        (json!({"sub": "alice"}), "subjects:write"),
        (json!({"client_id": "web"}), "admin"),
        (json!({"kid": kid}), "admin"),
        (json!({"everything": true}), "admin"),
    ];
    for scope in ["sessions:end", "subjects:write", "admin"] {
        let key = server.new_api_key(&format!("{scope},sessions:read"), None).await;
        for (target, needed) in &targets {
            let asked = Ask::json("/v1/revocations", &dry(&body(target.clone(), "revoked")));
            let answer = server.ask(asked.key(&key)).await;
            let expected = if *needed == scope { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{scope} {target}");
        }
    }
    let all = "sessions:end,sessions:read,subjects:write,admin";
    let limited = server.new_api_key(all, Some("app")).await;
    for (target, expected) in [
        (json!({"sid": web.sid}), (200, 0)),
        (json!({"sid": app.sid}), (200, 1)),
        (json!({"filter": {"created_after": 0}}), (200, 1)),
        (json!({"client_id": "app"}), (200, 1)),
        (json!({"client_id": "web"}), (403, 0)),
        (json!({"sub": "bob"}), (403, 0)),
        (json!({"jti": jti}), (403, 0)),
        (json!({"kid": kid}), (403, 0)),
        (json!({"everything": true}), (403, 0)),
    ] {
        let asked = Ask::json("/v1/revocations", &dry(&body(target.clone(), "revoked")));
        let answer = server.ask(asked.key(&limited)).await;
        assert_eq!(answer.status, expected.0, "{target}");
        if expected.0 == 200 {
            assert_eq!(answer.member("matched"), expected.1, "{target}");
        }
    }
    let unlimited = server.ask(Ask::json("/v1/revocations", &json!({}))).await;
    unlimited.expect_problem(401, "unauthorized");
}

async fn batch(server: &Server, lines: &[String]) -> Answer {
    let ask = Ask::new("POST", "/v1/revocations").with("content-type", "application/x-ndjson");
    server.ask_as_back_end(ask.body(lines.join("\n"))).await
}

#[tokio::test]
async fn a_thousand_subjects_are_revoked_in_one_call() {
    let server = server().await;
    let starts = (0..1000).map(|n| {
        let device = json!({"class": "web"});
        let body = json!({"subject": format!("user-{n}"), "client_id": "web", "device": device});
        Ask::json("/v1/sessions", &body).key(server.api_key())
    });
    let starts: Vec<_> = starts.collect();
    let mut tokens = Vec::new();
    for chunk in starts.chunks(100) {
        let answers = at_once(&server.authority, chunk.to_vec()).await;
        tokens.extend(answers.iter().map(Tokens::of));
    }
    let line = |n: usize| body(json!({"sub": format!("user-{n}")}), "revoked").to_string();
    let mut lines: Vec<_> = (0..1000).map(line).collect();
    let answer = batch(&server, &lines).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let said: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.len(), 1000);
    for (at, said) in said.iter().enumerate() {
        let told = (&said["line"], &said["status"], &said["matched"]);
        assert_eq!(told, (&json!(at + 1), &json!(200), &json!(1)), "{said}");
    }
    for tokens in tokens.iter().step_by(97) {
        server.refresh(&tokens.refresh).await.expect_over("admin");
    }
    lines.push(line(1000));
    let refused = batch(&server, &lines).await.expect_problem(400, "malformed");
    assert_eq!(refused.text("member"), "body");
}

#[tokio::test]
async fn a_batch_with_a_wrong_line_does_nothing_and_names_the_line() {
    let server = server().await;
    let tokens = server.sign_in("alice").await;
    let good = body(json!({"sub": "alice"}), "revoked").to_string();
    for (wrong, member) in [
        ("{", "body"),
        ("[]", "body"),
        (&*body(json!({"sub": ""}), "revoked").to_string(), "target.sub"),
        (&*body(json!({"everything": true}), "revoked").to_string(), "target"),
        (&*body(json!({"jti": "AAAAAAAAAAAAAAAAAAAAAA"}), "revoked").to_string(), "target"),
    ] {
        let refused = batch(&server, &[good.clone(), String::new(), wrong.to_owned()]).await;
        let refused = refused.expect_problem(400, "malformed");
        assert!(refused.text("detail").starts_with("Line 3: "), "{refused:?}");
        assert_eq!(refused.text("member"), member, "{wrong}");
    }
    batch(&server, &[]).await.expect_problem(400, "malformed");
    batch(&server, &["x".repeat(1 << 21)]).await.expect(413);
    assert!(is_active(&server, &tokens).await);
    let mut careful = body(json!({"sub": "alice"}), "revoked");
    careful["expect_at_most"] = json!(0);
    // Lines are done beside each other: what the one would hit, the other does not.
    let other = server.sign_in("bob").await;
    let lines = [careful.to_string(), body(json!({"sid": other.sid}), "revoked").to_string()];
    let answer = batch(&server, &lines).await.expect(200);
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let said: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&said[0]["status"], &said[1]["status"]), (&json!(409), &json!(200)), "{said:?}");
}

/// Sign-ins and refreshes that race with the end of everything are refused, or hold what is dead by then.
#[tokio::test]
async fn nothing_that_was_there_before_lives_after_everything_was_revoked() {
    let server = server().await;
    for _ in 0..5 {
        let old = server.sign_in("alice").await;
        let everything = body(json!({"everything": true}), "revoked");
        let mut asks = vec![Ask::json("/v1/revocations", &everything).key(server.api_key())];
        asks.extend((0..16).map(|_| Ask::refresh("web", &old.refresh)));
        let answers = at_once(&server.authority, asks).await;
        assert_eq!(answers[0].status, 200);
        for answer in answers[1..].iter().filter(|answer| answer.status.is_success()) {
            assert!(!is_active(&server, &Tokens::of(answer)).await);
        }
        server.refresh(&old.refresh).await.expect_over("admin");
        let look = || async {
            let counted = server.metrics().await;
            counted.contains("symbolon_sessions_ended_total").then_some(())
        };
        until("the sweep has counted them", look).await;
    }
}

#[tokio::test]
async fn a_filter_by_address_takes_one_address_however_it_is_written() {
    let server = Server::with(&[]).await;
    let from =
        |ip: &str| json!({"subject": ip, "client_id": "web", "device": {"class": "web"}, "ip": ip});
    server.start_session(&from("2001:db8::7")).await.expect(201);
    let by = |ip: &str| {
        let target = json!({"filter": {"ip": ip}});
        let body = json!({"target": target, "effect": "revoked", "reason": "admin"});
        Ask::json("/v1/revocations", &body)
    };
    for wrong in ["", "x", "192.0.2.0/24", "192.0.2", "2001:db8::/32", "127.0.0.1:80", " 192.0.2.7"]
    {
        let refused = server.ask_as_back_end(by(wrong)).await.expect_problem(400, "malformed");
        assert_eq!(refused.text("member"), "target.filter.ip", "{wrong}: {refused:?}");
    }
    let hit = server.ask_as_back_end(by("2001:DB8:0:0:0:0:0:7")).await.expect(200);
    assert_eq!(hit.member("matched"), 1);
}
