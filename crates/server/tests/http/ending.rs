//! Ending sessions over HTTP: exactly the right ones die, and all others renew.

use crate::common::{Ask, Configuration, Server, Tokens};
use serde_json::{Value, json};

/// One subject's sessions on four devices.
struct Devices {
    subject: String,
    tokens: [Tokens; 4],
}

const CLIENTS: [&str; 4] = ["web", "web", "app", "web"];

impl Devices {
    async fn sign_in(server: &Server, subject: &str) -> Self {
        let classes = ["web", "desktop", "app", "web"];
        let mut all = Vec::new();
        for (at, (client, class)) in CLIENTS.into_iter().zip(classes).enumerate() {
            let device = json!({"class": class, "id": format!("device-{at}"), "name": "Nokia"});
            let body = json!({"subject": subject, "client_id": client, "device": device});
            all.push(Tokens::of(&server.start_session(&body).await.expect(201)));
        }
        Self { subject: subject.to_owned(), tokens: all.try_into().unwrap() }
    }

    /// Ends what the query names and checks that exactly `dead` died, of `reason`.
    async fn end(&self, server: &Server, query: &str, dead: &[usize], reason: &str) {
        let path = format!("/v1/subjects/{}/sessions?{query}", self.subject);
        let answer = server.ask_as_back_end(Ask::delete(&path)).await.expect(200).json();
        let mut ended = answer["ended"].as_array().unwrap().clone();
        let named = |at: &usize| json!({"session_id": self.tokens[*at].sid, "reason": reason});
        let mut expected: Vec<_> = dead.iter().map(named).collect();
        ended.sort_by_key(Value::to_string);
        expected.sort_by_key(Value::to_string);
        assert_eq!(ended, expected, "{query}");
        for (at, tokens) in self.tokens.iter().enumerate() {
            let refreshed = server.ask(Ask::refresh(CLIENTS[at], &tokens.refresh)).await;
            match dead.contains(&at) {
                true => drop(refreshed.expect_over(reason)),
                false => drop(refreshed.expect(200)),
            }
            let active = server.introspect(&tokens.access).await["active"].clone();
            assert_eq!(active, !dead.contains(&at), "{query}: device {at}");
        }
        assert_eq!(server.active(&self.subject).await.len(), 4 - dead.len(), "{query}");
        let again = server.ask_as_back_end(Ask::delete(&path)).await.expect(200);
        assert_eq!(again.member("ended"), json!([]), "{query}: nothing is ended twice");
    }
}

#[tokio::test]
async fn a_kick_ends_one_session_and_is_told_once() {
    let server = Server::with(&["--grace", "60s"]).await;
    let (one, other) = (server.sign_in("alice").await, server.sign_in("alice").await);
    let before = server.kick(&one.sid).await.expect(200).json();
    assert_eq!(before["ended"], json!([{"session_id": one.sid, "reason": "kicked"}]));
    let again = server.kick(&one.sid).await.expect(200).json();
    assert_eq!(again, json!({"ended": [], "position": before["position"]}));
    server.refresh(&one.refresh).await.expect_over("kicked");
    server.expect_ended(&one.sid, "kicked").await;
    assert_eq!(server.introspect(&one.access).await, json!({"active": false}));
    server.renew(&other.refresh).await;
    assert_eq!(server.introspect(&other.access).await["active"], true);
}

#[tokio::test]
async fn every_event_has_a_later_position_than_the_one_before() {
    let server = Server::with(&[]).await;
    let mut last = 0;
    for subject in ["a", "b", "c", "d"] {
        let tokens = server.sign_in(subject).await;
        let position = server.kick(&tokens.sid).await.expect(200).member("position");
        assert!(last < position.as_u64().unwrap());
        last = position.as_u64().unwrap();
    }
}

#[tokio::test]
async fn an_ended_session_tells_why_when_and_by_whom() {
    let server = Server::with(&[]).await;
    let tokens = server.sign_in("alice").await;
    let kick =
        format!("/v1/sessions/{}?reason=password_changed&note=asked%20by%20phone", tokens.sid);
    server.ask_as_back_end(Ask::delete(&kick)).await.expect(200);
    server.refresh(&tokens.refresh).await.expect_over("password_changed");
    let session = server.session(&tokens.sid).await;
    assert_eq!(session["reason"], "password_changed");
    assert_eq!(session["by"], "api_key:dev");
    assert!(session["created_at"].as_u64() <= session["ended_at"].as_u64(), "{session}");
}

#[tokio::test]
async fn a_wait_that_cannot_be_is_refused_and_ends_nothing() {
    let server = Server::with(&[]).await;
    let tokens = server.sign_in("alice").await;
    for path in [format!("/v1/sessions/{}", tokens.sid), "/v1/subjects/alice/sessions".to_owned()] {
        for wait in ["11s", "2", "soon", ""] {
            let ask = Ask::delete(&format!("{path}?wait={wait}"));
            let answer = server.ask_as_back_end(ask).await.expect_problem(400, "malformed");
            assert_eq!(answer.text("member"), "wait");
        }
    }
    server.renew(&tokens.refresh).await;
}

#[tokio::test]
async fn a_session_that_never_was_is_not_found() {
    let server = Server::with(&[]).await;
    let never = format!("/v1/sessions/{}", "A".repeat(22));
    server.ask_as_back_end(Ask::get(&never)).await.expect_problem(404, "not-found");
    server.ask_as_back_end(Ask::delete(&never)).await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn ending_a_subjects_sessions_hits_exactly_those_that_are_named() {
    let server = Server::with(&["--grace", "60s"]).await;
    let bystander = Devices::sign_in(&server, "bystander").await;
    let cases: [(&str, &str, &[usize], &str); 8] = [
        ("all", "", &[0, 1, 2, 3], "kicked"),
        ("reason", "reason=signed_out", &[0, 1, 2, 3], "signed_out"),
        ("class", "device_class=web", &[0, 3], "kicked"),
        ("none", "device_class=iot", &[], "kicked"),
        ("device", "device_id=device-1&reason=admin", &[1], "admin"),
        ("client", "client_id=app", &[2], "kicked"),
        ("both", "client_id=web&device_class=web", &[0, 3], "kicked"),
        ("never", "client_id=app&device_class=web", &[], "kicked"),
    ];
    for (subject, query, dead, reason) in cases {
        Devices::sign_in(&server, subject).await.end(&server, query, dead, reason).await;
    }
    let except = Devices::sign_in(&server, "except").await;
    let query = format!("except={}&reason=password_changed", except.tokens[2].sid);
    except.end(&server, &query, &[0, 1, 3], "password_changed").await;
    for (client, tokens) in CLIENTS.into_iter().zip(&bystander.tokens) {
        server.ask(Ask::refresh(client, &tokens.refresh)).await.expect(200);
    }
}

#[tokio::test]
async fn except_spares_nobody_when_the_session_is_somebody_elses() {
    let server = Server::with(&[]).await;
    let (mine, other) = (server.sign_in("alice").await, server.sign_in("bob").await);
    let path = format!("/v1/subjects/alice/sessions?except={}", other.sid);
    server.ask_as_back_end(Ask::delete(&path)).await.expect(200);
    server.refresh(&mine.refresh).await.expect_over("kicked");
    server.renew(&other.refresh).await;
}

#[tokio::test]
async fn lists_show_what_is_asked_for_page_by_page() {
    let server = Server::with(&[]).await;
    let devices = Devices::sign_in(&server, "alice").await;
    server.sign_in("bob").await;
    server.kick(&devices.tokens[0].sid).await.expect(200);
    for (path, count) in [
        ("/v1/sessions", 5),
        ("/v1/sessions?subject=alice", 4),
        ("/v1/sessions?subject=alice&state=active", 3),
        ("/v1/sessions?subject=alice&state=ended", 1),
        ("/v1/sessions?subject=nobody", 0),
        ("/v1/sessions?client_id=app", 1),
        ("/v1/sessions?device_class=web&state=active", 2),
        ("/v1/subjects/alice/sessions", 3),
        ("/v1/subjects/alice/sessions?state=ended", 1),
        ("/v1/subjects/alice/sessions?state=all&client_id=web", 3),
        ("/v1/subjects/nobody/sessions", 0),
    ] {
        assert_eq!(server.list(path).await.len(), count, "{path}");
    }
    let mut seen = Vec::new();
    let mut next = Some("/v1/sessions?limit=2".to_owned());
    while let Some(path) = next {
        let page = server.ask_as_back_end(Ask::get(&path)).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|item| item["session_id"].to_string()));
        next = page["next"].as_str().map(|at| format!("/v1/sessions?limit=2&cursor={at}"));
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

#[tokio::test]
async fn a_session_is_shown_with_all_that_was_said_of_it() {
    let server = Server::configured(&Configuration::new().client("web", "")).await;
    let body = json!({
        "subject": "用户 10086", "client_id": "web", "scope": "orders:read",
        "device": {"class": "mini_program", "id": "wx-1", "name": "小米 14"},
        "roles": ["admin"], "amr": ["pwd", "otp"], "acr": "urn:level:2",
        "claims": {"tenant": "t1"}, "ip": "192.0.2.7", "user_agent": "Mozilla/5.0",
        "authenticated_at": 1_700_000_000
    });
    let tokens = Tokens::of(&server.start_session(&body).await.expect(201));
    let session = server.session(&tokens.sid).await;
    for (member, value) in [
        ("session_id", json!(tokens.sid)),
        ("subject", json!("用户 10086")),
        ("client_id", json!("web")),
        ("device", body["device"].clone()),
        ("scope", json!("orders:read")),
        ("roles", json!(["admin"])),
        ("amr", json!(["pwd", "otp"])),
        ("acr", json!("urn:level:2")),
        ("generation", json!(0)),
        ("state", json!("active")),
    ] {
        assert_eq!(session[member], value, "{member}");
    }
    let time = |member: &str| session[member].as_u64().unwrap();
    assert_eq!(time("created_at"), time("last_active_at"));
    assert_eq!(time("idle_expires_at") - time("created_at"), 14 * 86_400);
    assert_eq!(time("expires_at") - time("created_at"), 90 * 86_400);
    assert_eq!(server.active("用户 10086").await, [tokens.sid]);
}
