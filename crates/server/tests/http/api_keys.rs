//! API keys: what each may do, and that nothing else opens `/v1`.

use crate::common::{Ask, Configuration, Follower, SERVICE_SECRET, Server, Tokens, run, until};
use serde_json::{Value, json};

async fn server() -> Server {
    Server::configured(&Configuration::new().client("web", "").client("app", "")).await
}

fn body(subject: &str, client: &str) -> Value {
    json!({"subject": subject, "client_id": client, "device": {"class": "web"}})
}

#[tokio::test]
async fn nothing_but_a_known_api_key_opens_the_api() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let key = server.api_key();
    let list = Ask::get("/v1/sessions");
    let mut other = key.to_owned();
    let last = if other.pop() == Some('A') { 'E' } else { 'A' };
    other.push(last);
    for authorization in [
        format!("Bearer {other}"),
        format!("Bearer  {key}"),
        format!("Bearer {key} "),
        format!("Bearer {key}="),
        format!("Basic {key}"),
        format!("Bearer {}", own.access),
        format!("Bearer {}", own.refresh),
        format!("Bearer {SERVICE_SECRET}"),
        format!("Bearer{key}"),
        key.to_owned(),
        "Bearer".to_owned(),
        "Bearer null".to_owned(),
    ] {
        let refused = server.ask(list.clone().with("authorization", &authorization)).await;
        // A header value cannot end in a space: what arrives is the right key.
        if authorization.ends_with(' ') {
            refused.expect(200);
            continue;
        }
        let refused = refused.expect_problem(401, "unauthorized");
        assert!(refused.header("www-authenticate").starts_with("Bearer"), "{refused:?}");
    }
    server.ask(list.clone()).await.expect_problem(401, "unauthorized");
    server.ask(list.clone().key(key).key(key)).await.expect_problem(401, "unauthorized");
    let in_query = Ask::get(&format!("/v1/sessions?access_token={key}"));
    server.ask(in_query).await.expect_problem(401, "unauthorized");
    server.ask(list.with("authorization", &format!("bearer {key}"))).await.expect(200);
}

#[tokio::test]
async fn a_key_may_do_what_its_scopes_name_and_nothing_else() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let one = format!("/v1/sessions/{}", own.sid);
    let never = format!("/v1/sessions/{}", "A".repeat(22));
    let calls = [
        ("sessions:start", Ask::json("/v1/sessions", &body("bob", "web")), 201),
        ("sessions:read", Ask::get("/v1/sessions"), 200),
        ("sessions:read", Ask::get(&one), 200),
        ("sessions:read", Ask::get("/v1/subjects/alice/sessions"), 200),
        ("sessions:end", Ask::delete(&never), 404),
        ("sessions:end", Ask::delete("/v1/subjects/nobody/sessions"), 200),
        ("revocations:read", Ask::form("/oauth2/introspect", &[("token", &own.access)]), 200),
    ];
    for scope in ["sessions:start", "sessions:read", "sessions:end", "revocations:read", "admin"] {
        let key = server.new_api_key(scope, None).await;
        for (needed, ask, status) in &calls {
            let answer = server.ask(ask.clone().key(&key)).await;
            let expected = if *needed == scope { *status } else { 403 };
            assert_eq!(answer.status.as_u16(), expected, "{scope}: {ask:?}: {answer:?}");
        }
    }
    assert_eq!(server.active("bob").await.len(), 1);
    server.renew(&own.refresh).await;
}

#[tokio::test]
async fn a_key_that_is_limited_to_clients_sees_and_touches_no_others() {
    let server = server().await;
    let key =
        server.new_api_key("sessions:start,sessions:read,sessions:end,subjects:write", Some("web"));
    let key = key.await;
    let own = server.sign_in("alice").await;
    let other = server.start_session(&body("alice", "app")).await.expect(201);
    let other = Tokens::of(&other);
    for path in ["/v1/sessions", "/v1/subjects/alice/sessions", "/v1/sessions?client_id=web"] {
        let page = server.ask(Ask::get(path).key(&key)).await.expect(200).json();
        assert_eq!(page["items"].as_array().unwrap().len(), 1, "{path}");
        assert_eq!(page["items"][0]["session_id"], own.sid);
    }
    let page = server.ask(Ask::get("/v1/sessions?client_id=app").key(&key)).await.expect(200);
    assert_eq!(page.member("items"), json!([]));

    let foreign = format!("/v1/sessions/{}", other.sid);
    server.ask(Ask::get(&foreign).key(&key)).await.expect_problem(404, "not-found");
    server.ask(Ask::delete(&foreign).key(&key)).await.expect_problem(404, "not-found");
    let start = Ask::json("/v1/sessions", &body("alice", "app")).key(&key);
    server.ask(start).await.expect_problem(403, "key-limited");
    for query in ["", "?client_id=web"] {
        let all = Ask::delete(&format!("/v1/subjects/alice/sessions{query}")).key(&key);
        server.ask(all).await.expect_problem(403, "key-limited");
    }
    server.ask(Ask::refresh("app", &other.refresh)).await.expect(200);

    let own_kick = Ask::delete(&format!("/v1/sessions/{}", own.sid)).key(&key);
    server.ask(own_kick).await.expect(200);
    server.refresh(&own.refresh).await.expect_over("kicked");
    assert_eq!(server.session(&own.sid).await["by"], "api_key:of-a-test");
}

#[tokio::test]
async fn roles_at_sign_in_need_the_right_to_write_subjects() {
    let server = server().await;
    let mut with_roles = body("alice", "web");
    with_roles["roles"] = json!(["admin"]);
    let start = Ask::json("/v1/sessions", &with_roles);
    let lacking = server.new_api_key("sessions:start,sessions:read", None).await;
    server.ask(start.clone().key(&lacking)).await.expect_problem(403, "insufficient-scope");
    let limited = server.new_api_key("sessions:start,subjects:write", Some("web")).await;
    server.ask(start.clone().key(&limited)).await.expect_problem(403, "insufficient-scope");
    assert_eq!(server.active("alice").await, [] as [String; 0]);
    let enough = server.new_api_key("sessions:start,subjects:write", None).await;
    server.ask(start.key(&enough)).await.expect(201);
    server.ask(Ask::json("/v1/sessions", &body("alice", "web")).key(&limited)).await.expect(201);
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_any_more() {
    let server = server().await;
    let key = server.new_api_key("sessions:read", None).await;
    server.ask(Ask::get("/v1/sessions").key(&key)).await.expect(200);
    let configuration = server.home.beside("symbolon.toml").display().to_string();
    let listed = run(&["apikey", "list", "--json", "--config", &configuration]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(!listed.to_string().contains(&key), "a list never shows a key");
    let output = run(&["apikey", "revoke", &listed_id(&configuration), "--config", &configuration]);
    assert!(output.status.success(), "{output:?}");
    let refused = || async {
        let answer = server.ask(Ask::get("/v1/sessions").key(&key)).await;
        (answer.status == 401).then_some(())
    };
    until("the server knows that the key was revoked", refused).await;
    server.ask_as_back_end(Ask::get("/v1/sessions")).await.expect(200);
}

#[tokio::test]
async fn who_reads_a_stream_with_a_key_that_is_revoked_is_sent_away() {
    let server = server().await;
    let key = server.new_api_key("events:read,revocations:read", None).await;
    let feed = Follower::asking(&server, Ask::get("/v1/feed").key(&key)).await;
    let history = Ask::get("/v1/events").with("accept", "text/event-stream").key(&key);
    let history = Follower::asking(&server, history).await;
    let stays = Ask::get("/v1/feed").key(server.api_key());
    let mut stays = Follower::asking(&server, stays).await;
    let configuration = server.home.beside("symbolon.toml").display().to_string();
    let id = listed_id(&configuration);
    let output = run(&["apikey", "revoke", &id, "--config", &configuration]);
    assert!(output.status.success(), "{output:?}");
    // Each ends by itself, or this waits until the test is given up.
    feed.rest().await;
    history.rest().await;
    assert!(stays.next().await.is_some(), "others read on");
}

/// The id of the key that [`Server::new_api_key`] made.
fn listed_id(configuration: &str) -> String {
    let listed = run(&["apikey", "list", "--json", "--config", configuration]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let named = |key: &&Value| key["name"] == "of-a-test";
    let found = listed["items"].as_array().unwrap().iter().find(named).unwrap();
    found["id"].as_str().unwrap().to_owned()
}
