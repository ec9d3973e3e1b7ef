//! Subjects over HTTP: what is known of them, bans, erasure, and what each means for tokens.

use crate::common::{Answer, Ask, Configuration, Server, Tokens, pass, until};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

async fn server() -> Server {
    Server::configured(&Configuration::new().client("web", "").client("app", "")).await
}

async fn subject(server: &Server, name: &str) -> Value {
    let answer = server.ask_as_back_end(Ask::get(&format!("/v1/subjects/{name}"))).await;
    let answer = answer.expect(200);
    let version = answer.text("version");
    assert_eq!(answer.header("etag"), format!("\"{version}\""));
    answer.json()
}

async fn put(server: &Server, name: &str, body: &Value) -> Answer {
    server.ask_as_back_end(Ask::put(&format!("/v1/subjects/{name}"), body)).await
}

async fn ban(server: &Server, name: &str, body: &Value) -> Answer {
    server.ask_as_back_end(Ask::put(&format!("/v1/subjects/{name}/ban"), body)).await
}

async fn unban(server: &Server, name: &str) -> Answer {
    server.ask_as_back_end(Ask::delete(&format!("/v1/subjects/{name}/ban"))).await
}

async fn erase(server: &Server, name: &str) -> Answer {
    server.ask_as_back_end(Ask::new("POST", &format!("/v1/subjects/{name}/erase"))).await
}

async fn sign_in(server: &Server, name: &str) -> Answer {
    let body = json!({"subject": name, "client_id": "web", "device": {"class": "web"}});
    server.start_session(&body).await
}

#[expect(clippy::disallowed_methods, reason = "a ban is until an instant of the real clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What is done to a subject who is signed in.
#[derive(Clone, Copy, Debug)]
enum Done {
    Banned,
    RolesChanged,
    Erased,
    LiftedBan,
}

impl Done {
    async fn to(self, server: &Server, name: &str) {
        match self {
            Self::Banned => drop(ban(server, name, &json!({"reason": "admin"})).await.expect(200)),
            Self::RolesChanged => {
                drop(put(server, name, &json!({"roles": ["x"]})).await.expect(200))
            }
            Self::Erased => drop(erase(server, name).await.expect(200)),
            Self::LiftedBan => {
                ban(server, name, &json!({})).await.expect(200);
                unban(server, name).await.expect(200);
            }
        }
    }
}

#[tokio::test]
async fn each_change_of_a_subject_has_its_meaning_for_every_call() {
    let server = server().await;
    // sign-in afterwards, why the refresh is refused, the older access token, sessions left
    for (done, signs_in, refused, left) in [
        (Done::Banned, false, Some("admin"), 0),
        (Done::RolesChanged, true, None, 2),
        (Done::Erased, true, Some("kicked"), 0),
        (Done::LiftedBan, true, Some("banned"), 0),
    ] {
        let name = format!("{done:?}");
        let (one, other) = (server.sign_in(&name).await, server.sign_in(&name).await);
        done.to(&server, &name).await;
        assert_eq!(server.active(&name).await.len(), left, "{name}");
        assert_eq!(subject(&server, &name).await["active_sessions"], left, "{name}");
        for tokens in [&one, &other] {
            let told = server.introspect(&tokens.access).await;
            assert_eq!(told, json!({"active": false}), "{name}");
            let refreshed = server.refresh(&tokens.refresh).await;
            match refused {
                Some(reason) => drop(refreshed.expect_over(reason)),
                None => {
                    let newer = Tokens::of(&refreshed.expect(200));
                    assert_eq!(server.introspect(&newer.access).await["active"], true, "{name}");
                }
            }
        }
        match signs_in {
            true => drop(Tokens::of(&sign_in(&server, &name).await.expect(201))),
            false => drop(sign_in(&server, &name).await.expect_problem(403, "banned")),
        }
        server.sign_in("bystander").await;
    }
}

#[tokio::test]
async fn new_roles_and_claims_arrive_with_the_next_refresh_and_its_ver() {
    let server = server().await;
    let tokens = server.sign_in("alice").await;
    let before = server.claims(&tokens.access).await;
    let body = json!({"roles": ["admin", "buyer"], "claims": {"tenant": "t1"}});
    let changed = put(&server, "alice", &body).await.expect(200);
    assert_eq!(changed.json(), json!({"version": "0.1", "changed": true}));
    assert_eq!(changed.header("etag"), "\"0.1\"");
    let newer = server.renew(&tokens.refresh).await;
    let after = server.claims(&newer.access).await;
    assert_eq!(after["roles"], json!(["admin", "buyer"]));
    assert_eq!(after["tenant"], "t1");
    assert_eq!((&before["ver"][1], &after["ver"][1]), (&json!(0), &json!(1)));
    assert_eq!(server.introspect(&newer.access).await["active"], true);

    let again = put(&server, "alice", &body).await.expect(200).json();
    assert_eq!(again, json!({"version": "0.1", "changed": false}));
    assert_eq!(server.introspect(&newer.access).await["active"], true, "no change, no bump");
    let shown = subject(&server, "alice").await;
    let expected = json!({
        "subject": "alice", "roles": ["admin", "buyer"], "claims": {"tenant": "t1"}, "ban": null,
        "version": "0.1", "active_sessions": 1
    });
    assert_eq!(shown, expected);

    put(&server, "alice", &json!({"claims": {}})).await.expect(200);
    let shown = subject(&server, "alice").await;
    assert_eq!((&shown["roles"], &shown["claims"]), (&json!([]), &json!({})), "left out is empty");
    let empty = put(&server, "alice", &json!({})).await.expect(200);
    assert_eq!(empty.member("changed"), false);
}

#[tokio::test]
async fn if_match_lets_nobody_overwrite_what_they_did_not_see() {
    let server = server().await;
    let path = "/v1/subjects/alice";
    assert_eq!(subject(&server, "alice").await["version"], "0.0", "nobody mentioned her yet");
    let with = |body: Value, tag: &str| Ask::put(path, &body).with("if-match", tag);
    server.ask_as_back_end(with(json!({"roles": ["a"]}), "\"0.0\"")).await.expect(200);
    for tag in ["\"0.0\"", "\"1.1\"", "W/\"0.1\"", "\"x\""] {
        let late = server.ask_as_back_end(with(json!({"roles": ["b"]}), tag)).await;
        late.expect_problem(412, "version-mismatch");
    }
    let wrong = server.ask_as_back_end(with(json!({"roles": ["b"]}), "0.1")).await;
    assert_eq!(wrong.expect_problem(400, "malformed").text("member"), "If-Match");
    assert_eq!(subject(&server, "alice").await["roles"], json!(["a"]));
    server.ask_as_back_end(with(json!({"roles": ["b"]}), "\"0.9\", \"0.1\"")).await.expect(200);
    server.ask_as_back_end(with(json!({"roles": ["c"]}), "*")).await.expect(200);
    assert_eq!(subject(&server, "alice").await["version"], "0.3");
}

#[tokio::test]
async fn a_ban_is_answered_as_an_ending_call_and_shown() {
    let server = server().await;
    let (one, other) = (server.sign_in("alice").await, server.sign_in("alice").await);
    let until = now() + 3600;
    let body = json!({"until": until, "reason": "key_compromised", "note": "ticket 4711"});
    let answer = ban(&server, "alice", &body).await.expect(200).json();
    let mut ended: Vec<_> = answer["ended"].as_array().unwrap().clone();
    ended.sort_by_key(Value::to_string);
    let named = |tokens: &Tokens| json!({"session_id": tokens.sid, "reason": "key_compromised"});
    let mut expected = vec![named(&one), named(&other)];
    expected.sort_by_key(Value::to_string);
    assert_eq!((ended, answer["position"].as_u64()), (expected, Some(1)));
    let shown = subject(&server, "alice").await["ban"].clone();
    assert_eq!(shown["until"], until);
    assert_eq!(
        (&shown["reason"], &shown["note"]),
        (&json!("key_compromised"), &json!("ticket 4711"))
    );
    assert!(shown["since"].as_u64().unwrap() <= now());
    server.expect_ended(&one.sid, "key_compromised").await;
    let again = ban(&server, "alice", &body).await.expect(200).json();
    assert_eq!(again, json!({"ended": [], "position": 1}), "the same ban is not made twice");
    let lifted = unban(&server, "alice").await.expect(200).json();
    assert_eq!(lifted, json!({"version": "0.1", "changed": true}));
    assert_eq!(unban(&server, "alice").await.expect(200).member("changed"), false);
    server.expect_ended(&one.sid, "key_compromised").await;
}

#[tokio::test]
async fn a_timed_ban_ends_by_itself_and_revives_nothing() {
    let server = server().await;
    let tokens = server.sign_in("alice").await;
    ban(&server, "alice", &json!({"until": now() + 2})).await.expect(200);
    sign_in(&server, "alice").await.expect_problem(403, "banned");
    pass(Duration::from_secs(1)).await;
    until("the ban is over", || async {
        (sign_in(&server, "alice").await.status == 201).then_some(())
    })
    .await;
    server.refresh(&tokens.refresh).await.expect_over("banned");
    assert_eq!(subject(&server, "alice").await["ban"], Value::Null);
}

#[tokio::test]
async fn erasing_leaves_nothing_of_the_person_to_be_read() {
    let server = server().await;
    let body = json!({
        "subject": "alice", "client_id": "web", "roles": ["vip"], "claims": {"mail": "a@example.com"},
        "device": {"class": "app", "id": "imei-1", "name": "Alice's phone"},
        "ip": "192.0.2.7", "user_agent": "Mozilla"
    });
    let ended = Tokens::of(&server.start_session(&body).await.expect(201));
    server.kick(&ended.sid).await.expect(200);
    let alive = Tokens::of(&server.start_session(&body).await.expect(201));
    ban(&server, "alice", &json!({"note": "rude to Bob"})).await.expect(200);
    let path = "/v1/subjects/alice/erase?reason=admin&note=asked";
    server.ask_as_back_end(Ask::new("POST", path)).await.expect(200);
    let shown = subject(&server, "alice").await;
    assert_eq!((&shown["roles"], &shown["claims"]), (&json!([]), &json!({})));
    assert_eq!((&shown["ban"]["reason"], &shown["ban"]["note"]), (&json!("banned"), &Value::Null));
    for (sid, reason) in [(&ended.sid, "kicked"), (&alive.sid, "banned")] {
        server.expect_ended(sid, reason).await;
        let session = server.session(sid).await;
        let device = json!({"class": "app", "id": null, "name": null});
        assert_eq!((&session["device"], &session["roles"]), (&device, &json!([])));
    }
    let version = shown["version"].clone();
    assert_eq!(erase(&server, "alice").await.expect(200).member("ended"), json!([]));
    assert_eq!(subject(&server, "alice").await["version"], version, "nothing was left to erase");
}

#[tokio::test]
async fn calls_about_subjects_need_their_scope_and_a_key_for_all_clients() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let calls = [
        ("sessions:read", Ask::get("/v1/subjects/alice")),
        ("subjects:write", Ask::put("/v1/subjects/alice", &json!({"roles": ["x"]}))),
        ("subjects:write", Ask::put("/v1/subjects/alice/ban", &json!({}))),
        ("subjects:write", Ask::delete("/v1/subjects/alice/ban")),
        ("subjects:write", Ask::new("POST", "/v1/subjects/alice/erase")),
        ("events:read", Ask::get("/v1/events")),
    ];
    let others = "sessions:start,sessions:end,revocations:read,admin";
    for (needed, ask) in &calls {
        let rest = ["sessions:read", "subjects:write", "events:read"];
        let rest: Vec<_> = rest.into_iter().filter(|scope| scope != needed).collect();
        let key = server.new_api_key(&format!("{others},{}", rest.join(",")), None).await;
        let refused = server.ask(ask.clone().key(&key)).await;
        refused.expect_problem(403, "insufficient-scope");
        server.ask(ask.clone()).await.expect_problem(401, "unauthorized");
    }
    let limited = server.new_api_key("sessions:read,subjects:write,events:read", Some("web")).await;
    for (_, ask) in &calls[..5] {
        server.ask(ask.clone().key(&limited)).await.expect_problem(403, "key-limited");
    }
    let key = server.new_api_key("sessions:read,subjects:write,events:read", None).await;
    assert_eq!(server.introspect(&own.access).await["active"], true, "nothing happened so far");
    for (_, ask) in &calls {
        server.ask(ask.clone().key(&key)).await.expect(200);
    }
}

#[tokio::test]
async fn what_is_wrong_about_a_subject_is_named_and_changes_nothing() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let long = "a".repeat(501);
    let many: Vec<_> = (0..1025).map(|n| format!("r{n}")).collect();
    let large: Vec<_> = (0..20).map(|n| format!("{n}{}", "r".repeat(200))).collect();
    for (path, body, member) in [
        ("", json!({"role": ["x"]}), "role"),
        ("", json!({"roles": "x"}), "roles"),
        ("", json!({"roles": [7]}), "roles[0]"),
        ("", json!({"roles": ["ok", "a\nb"]}), "roles[1]"),
        ("", json!({"roles": many}), "roles"),
        ("", json!({"roles": large}), "roles"),
        ("", json!({"claims": []}), "claims"),
        ("", json!({"claims": {"sub": "bob"}}), "claims.sub"),
        ("", json!([]), "body"),
        ("/ban", json!({"until": 1}), "until"),
        ("/ban", json!({"until": -1}), "until"),
        ("/ban", json!({"until": "tomorrow"}), "until"),
        ("/ban", json!({"reason": "because"}), "reason"),
        ("/ban", json!({"note": long}), "note"),
        ("/ban", json!({"for": "1h"}), "for"),
    ] {
        let answer = server.ask_as_back_end(Ask::put(&format!("/v1/subjects/alice{path}"), &body));
        let answer = answer.await.expect_problem(400, "malformed");
        assert_eq!(answer.text("member"), member, "{body}");
    }
    for (method, path, status) in [
        ("GET", "/v1/subjects/alice?x=1", 400),
        ("PUT", "/v1/subjects/alice/ban", 415),
        ("PUT", "/v1/subjects/alice", 415),
        ("PUT", "/v1/subjects/alice/ban?wait=11s", 400),
        ("POST", "/v1/subjects/alice/erase?wait=11s", 400),
        ("POST", "/v1/subjects/alice/erase?reason=", 400),
        ("DELETE", "/v1/subjects/alice/ban?wait=2s", 400),
        ("GET", "/v1/subjects/client:web", 400),
        ("PUT", "/v1/subjects/%ff/ban", 400),
        ("POST", "/v1/subjects/a%0Ab/erase", 400),
        ("DELETE", "/v1/subjects/alice", 405),
        ("GET", "/v1/subjects/alice/erase", 405),
    ] {
        server.ask_as_back_end(Ask::new(method, path)).await.expect(status);
    }
    assert_eq!(server.introspect(&own.access).await["active"], true);
    assert_eq!(subject(&server, "alice").await["version"], "0.0");
}

#[tokio::test]
async fn a_ban_until_a_time_that_nobody_can_mean_is_refused_in_words() {
    let server = server().await;
    let century = 100 * 365 * 24 * 3600;
    for (until, said) in [
        ("1", "lies in the past; it is a time in whole seconds since 1970"),
        (&*(now() + century + 60).to_string(), "more than 100 years ahead"),
        ("18446744073709551615", "more than 100 years ahead"),
        ("-1", "must be a whole number that is not negative"),
        ("1.5", "must be a whole number that is not negative"),
        ("\"tomorrow\"", "must be a whole number that is not negative"),
        ("1e999", "has a number that is too large"),
    ] {
        let body = format!("{{\"until\":{until}}}");
        let ask = Ask::put("/v1/subjects/alice/ban", &Value::Null).body(body);
        let refused = server.ask_as_back_end(ask).await.expect_problem(400, "malformed");
        assert!(refused.text("detail").contains(said), "{until}: {refused:?}");
        assert_eq!(refused.text("member"), "until", "{until}: {refused:?}");
    }
    assert_eq!(subject(&server, "alice").await["ban"], Value::Null);
    ban(&server, "alice", &json!({"until": now() + century - 60})).await.expect(200);
}
