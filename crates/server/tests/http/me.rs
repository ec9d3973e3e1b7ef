//! `/v1/me`: a person's own devices, for whoever holds an access token for the authority itself.

use crate::common::{Answer, Ask, Configuration, Server, Tokens, pass};
use serde_json::{Value, json};
use std::time::Duration;

const ORIGIN: &str = "https://app.example.com";

async fn server() -> Server {
    let web = format!("origins = [\"{ORIGIN}\"]\nrefresh = {{ grace = \"60s\" }}");
    let app = "origins = [\"https://other.example.com\"]";
    Server::configured(&Configuration::new().client("web", &web).client("app", app)).await
}

async fn sign_in(server: &Server, subject: &str, client: &str) -> Tokens {
    let device = json!({"class": client, "id": format!("{subject}-{client}"), "name": "A phone"});
    let body = json!({"subject": subject, "client_id": client, "device": device});
    Tokens::of(&server.start_session(&body).await.expect(201))
}

/// An access token for the authority itself (RFC 8707).
pub(crate) async fn for_us(server: &Server, client: &str, tokens: &Tokens) -> String {
    let issuer = server.ask(Ask::get("/.well-known/oauth-authorization-server")).await;
    let issuer = issuer.expect(200).text("issuer");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client),
        ("refresh_token", &tokens.refresh),
        ("resource", &issuer),
    ];
    let answer = server.ask(Ask::form("/oauth2/token", &form)).await.expect(200);
    let access = answer.text("access_token");
    assert_eq!(server.claims(&access).await["aud"], *issuer);
    access
}

/// A person who signed in on the web, with a token for the authority.
async fn person(server: &Server, subject: &str) -> (Tokens, String) {
    let tokens = sign_in(server, subject, "web").await;
    let access = for_us(server, "web", &tokens).await;
    (tokens, access)
}

async fn me(server: &Server, access: &str, ask: Ask) -> Answer {
    server.ask(ask.key(access)).await
}

async fn devices(server: &Server, access: &str) -> Vec<Value> {
    let answer = me(server, access, Ask::get("/v1/me/sessions")).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()["items"].as_array().unwrap().clone()
}

fn sign_out(scope: &str) -> Ask {
    Ask::json("/v1/me/sign-out", &json!({"scope": scope}))
}

#[tokio::test]
async fn a_person_sees_their_own_devices_and_nobody_elses() {
    let server = server().await;
    let (tokens, access) = person(&server, "alice").await;
    let phone = sign_in(&server, "alice", "app").await;
    person(&server, "bob").await;
    let ended = sign_in(&server, "alice", "web").await;
    server.kick(&ended.sid).await.expect(200);
    // The same browser again takes the old one's place, so that `tokens` is displaced by `ended`.
    let gone = me(&server, &access, Ask::get("/v1/me/sessions")).await;
    gone.expect_problem(401, "invalid-token");
    let (own, access) = person(&server, "alice").await;
    assert_ne!(own.sid, tokens.sid);
    let mut devices = devices(&server, &access).await;
    devices.sort_by_key(|device| device["current"] == true);
    let [other, current] = &*devices else { panic!("{devices:?}") };
    assert_eq!((&current["session_id"], &current["current"]), (&json!(own.sid), &json!(true)));
    assert_eq!((&other["session_id"], &other["current"]), (&json!(phone.sid), &json!(false)));
    assert_eq!(other["device"], json!({"class": "app", "id": "alice-app", "name": "A phone"}));
    for device in &devices {
        for hidden in ["subject", "generation", "roles", "idle_expires_at", "scope"] {
            assert!(device.get(hidden).is_none(), "{hidden} in {device}");
        }
    }
}

#[tokio::test]
async fn who_watches_with_a_stolen_token_does_not_see_the_owner_come_and_go() {
    let server = server().await;
    let (tokens, access) = person(&server, "alice").await;
    let before = devices(&server, &access).await;
    pass(Duration::from_millis(1100)).await;
    server.renew(&tokens.refresh).await;
    assert_eq!(devices(&server, &access).await, before);
    let precise = server.session(&tokens.sid).await["last_active_at"].as_u64().unwrap();
    let told = before[0]["last_active_at"].as_u64().unwrap();
    assert!(told <= precise);
    assert!(told == before[0]["created_at"].as_u64().unwrap() || told % 3600 == 0);
}

#[tokio::test]
async fn a_person_ends_a_device_of_theirs_and_nobody_elses() {
    let server = server().await;
    let (own, access) = person(&server, "alice").await;
    let phone = sign_in(&server, "alice", "app").await;
    let (bobs, _) = person(&server, "bob").await;
    let end = |sid: &str| Ask::delete(&format!("/v1/me/sessions/{sid}"));
    let answer = me(&server, &access, end(&phone.sid)).await.expect(200);
    let expected = json!([{"session_id": phone.sid, "reason": "signed_out"}]);
    assert_eq!(answer.member("ended"), expected);
    server.expect_ended(&phone.sid, "signed_out").await;
    assert_eq!(server.session(&phone.sid).await["by"], "person");
    let again = me(&server, &access, end(&phone.sid)).await.expect(200);
    assert_eq!(again.member("ended"), json!([]));
    me(&server, &access, end(&bobs.sid)).await.expect_problem(404, "not-found");
    me(&server, &access, end("AAAAAAAAAAAAAAAAAAAAAA")).await.expect_problem(404, "not-found");
    me(&server, &access, end("x")).await.expect_problem(400, "malformed");
    assert_eq!(server.session(&bobs.sid).await["state"], "active");
    me(&server, &access, end(&own.sid)).await.expect(200);
    let refused = me(&server, &access, Ask::get("/v1/me/sessions")).await;
    let refused = refused.expect_problem(401, "invalid-token");
    assert_eq!(refused.text("reason"), "signed_out");
    assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
}

#[tokio::test]
async fn a_person_signs_out_here_or_everywhere_else_or_everywhere() {
    let server = server().await;
    let (bobs, _) = person(&server, "bob").await;
    for (scope, left) in [("this", vec!["app"]), ("others", vec!["web"]), ("all", vec![])] {
        let (own, access) = person(&server, "alice").await;
        let phone = sign_in(&server, "alice", "app").await;
        me(&server, &access, sign_out(scope)).await.expect(200);
        let mut expected: Vec<_> = left
            .iter()
            .map(|client| if *client == "web" { own.sid.clone() } else { phone.sid.clone() })
            .collect();
        expected.sort_unstable();
        assert_eq!(server.active("alice").await, expected, "{scope}");
    }
    assert_eq!(server.active("bob").await, [bobs.sid]);
    let (_, access) = person(&server, "alice").await;
    for (body, member) in [
        (json!({"scope": "here"}), "scope"),
        (json!({}), "scope"),
        (json!({"scope": "all", "sid": "x"}), "sid"),
        (json!(["all"]), "body"),
    ] {
        let refused = me(&server, &access, Ask::json("/v1/me/sign-out", &body)).await;
        assert_eq!(refused.expect_problem(400, "malformed").text("member"), member);
    }
    let unknown = me(&server, &access, Ask::get("/v1/me/sessions?subject=bob")).await;
    unknown.expect_problem(400, "malformed");
}

#[tokio::test]
async fn only_a_token_for_the_authority_that_is_in_force_opens_it() {
    let configuration = Configuration::new()
        .client("web", "refresh = { grace = \"60s\" }")
        .client("brief", "access_token = { ttl = \"1s\" }\nrefresh = { grace = \"0s\" }");
    let server = Server::configured(&configuration).await;
    let (tokens, access) = person(&server, "alice").await;
    let service = server.service_token(&[]).await.expect(200).text("access_token");
    let last = if access.ends_with('A') { 'Q' } else { 'A' };
    let forged = format!("{}{last}", &access[..access.len() - 1]);
    for text in
        [&*tokens.access, &*tokens.refresh, server.api_key(), &service, &forged, "x", "eyJ.e30.x"]
    {
        for ask in [
            Ask::get("/v1/me/sessions"),
            Ask::get("/v1/me/events"),
            Ask::delete(&format!("/v1/me/sessions/{}", tokens.sid)),
            sign_out("all"),
        ] {
            let refused = me(&server, text, ask).await;
            refused.expect_problem(401, "invalid-token");
        }
    }
    server.ask(Ask::get("/v1/me/sessions")).await.expect_problem(401, "unauthorized");
    assert_eq!(server.session(&tokens.sid).await["state"], "active");

    let body = json!({"subject": "carol", "client_id": "brief", "device": {"class": "web"}});
    let brief = Tokens::of(&server.start_session(&body).await.expect(201));
    let expired = for_us(&server, "brief", &brief).await;
    pass(Duration::from_millis(1100)).await;
    let refused = me(&server, &expired, Ask::get("/v1/me/sessions")).await;
    refused.expect_problem(401, "invalid-token");

    let roles = Ask::put("/v1/subjects/alice", &json!({"roles": ["admin"]}));
    server.ask_as_back_end(roles).await.expect(200);
    let stale = me(&server, &access, Ask::get("/v1/me/sessions")).await;
    let stale = stale.expect_problem(401, "invalid-token");
    assert_eq!(stale.text("reason"), "permissions_changed");
    let newer = for_us(&server, "web", &tokens).await;
    me(&server, &newer, Ask::get("/v1/me/sessions")).await.expect(200);
    let ban = Ask::put("/v1/subjects/alice/ban", &json!({}));
    server.ask_as_back_end(ban).await.expect(200);
    let banned = me(&server, &newer, Ask::get("/v1/me/sessions")).await;
    assert_eq!(banned.expect_problem(401, "invalid-token").text("reason"), "banned");
}

#[tokio::test]
async fn a_person_reads_what_happened_to_their_sessions_and_nothing_about_operators() {
    let server = server().await;
    let (own, access) = person(&server, "alice").await;
    let phone = sign_in(&server, "alice", "app").await;
    let tablet = sign_in(&server, "alice", "app").await;
    server.kick(&format!("{}?note=fraud+case+7", tablet.sid)).await.expect(200);
    let (bobs, _) = person(&server, "bob").await;
    server.kick(&bobs.sid).await.expect(200);
    me(&server, &access, sign_out("others")).await.expect(200);
    let answer = me(&server, &access, Ask::get("/v1/me/events")).await.expect(200);
    let told = answer.json()["items"].as_array().unwrap().clone();
    let summary: Vec<_> = told
        .iter()
        .map(|event| (event["reason"].as_str().unwrap(), event["by"].as_str().unwrap()))
        .collect();
    // The phone was displaced by the tablet, which is the same device.
    assert_eq!(summary, [("displaced", "service"), ("kicked", "service")], "{told:?}");
    let text = answer.json().to_string();
    for hidden in ["fraud", "api_key", "request_id", "127.0.0.1", &*bobs.sid] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    assert!(text.contains(&phone.sid) && !text.contains(&own.sid));
    for query in ["?since=x", "?cursor=x", "?limit=0", "?subject=bob"] {
        let asked = Ask::get(&format!("/v1/me/events{query}"));
        me(&server, &access, asked).await.expect_problem(400, "malformed");
    }
    let later = Ask::get("/v1/me/events?since=99999999999");
    assert_eq!(me(&server, &access, later).await.expect(200).member("items"), json!([]));
}

#[tokio::test]
async fn pages_of_the_clients_own_origins_may_call_and_no_others() {
    let server = server().await;
    let (_, access) = person(&server, "alice").await;
    let from = |origin: &str| Ask::get("/v1/me/sessions").with("origin", origin);
    let answer = me(&server, &access, from(ORIGIN)).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
    assert!(answer.header("access-control-expose-headers").contains("www-authenticate"));
    let refused = server.ask(from(ORIGIN).key("x")).await.expect_problem(401, "invalid-token");
    assert_eq!(refused.header("access-control-allow-origin"), ORIGIN, "a page can read why");
    for foreign in ["https://other.example.com", "https://evil.example", "null"] {
        let refused = me(&server, &access, from(foreign)).await;
        refused.expect_problem(403, "foreign-origin");
    }
    let preflight = Ask::new("OPTIONS", "/v1/me/sign-out").with("origin", ORIGIN);
    let allowed = server.ask(preflight).await.expect(204);
    assert_eq!(allowed.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(allowed.header("access-control-allow-methods"), "GET, POST, DELETE");
    let evil = Ask::new("OPTIONS", "/v1/me/sign-out").with("origin", "https://evil.example");
    assert!(!server.ask(evil).await.headers.contains_key("access-control-allow-origin"));
}

/// Whoever cannot renew, because their client is switched off, can still leave.
#[tokio::test]
async fn a_token_that_must_be_renewed_signs_out_and_does_nothing_else() {
    let server = server().await;
    let (own, access) = person(&server, "alice").await;
    let phone = sign_in(&server, "alice", "app").await;
    server.switch("web", &json!({"disabled": true})).await.expect(200);
    for ask in [
        Ask::get("/v1/me/sessions"),
        Ask::get("/v1/me/events"),
        Ask::delete(&format!("/v1/me/sessions/{}", phone.sid)),
    ] {
        let refused = me(&server, &access, ask).await.expect_problem(401, "invalid-token");
        assert_eq!(refused.text("reason"), "client_disabled");
    }
    me(&server, &access, sign_out("this")).await.expect(200);
    server.expect_ended(&own.sid, "signed_out").await;
    assert_eq!(server.session(&own.sid).await["by"], "person");
    let over = me(&server, &access, sign_out("all")).await.expect_problem(401, "invalid-token");
    assert_eq!(over.text("reason"), "signed_out");
    assert_eq!(server.session(&phone.sid).await["state"], "active");
    server.switch("web", &json!({})).await.expect(200);

    let (_, access) = person(&server, "bob").await;
    let roles = Ask::put("/v1/subjects/bob", &json!({"roles": ["x"]}));
    server.ask_as_back_end(roles).await.expect(200);
    me(&server, &access, Ask::get("/v1/me/sessions")).await.expect_problem(401, "invalid-token");
    me(&server, &access, sign_out("all")).await.expect(200);
    assert_eq!(server.active("bob").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_person_s_call_with_a_body_that_would_be_ignored_is_refused() {
    let server = server().await;
    let (own, access) = person(&server, "alice").await;
    let ask = Ask::delete(&format!("/v1/me/sessions/{}", own.sid)).body("{}");
    let refused = me(&server, &access, ask).await.expect_problem(400, "malformed");
    assert_eq!(refused.text("member"), "body");
}

#[tokio::test]
async fn a_person_sees_from_which_network_each_session_was_started_and_never_an_address() {
    let server = server().await;
    let (_, own) = person(&server, "alice").await;
    let body = json!({
        "subject": "alice", "client_id": "app", "device": {"class": "app"}, "ip": "203.0.113.77",
    });
    let told = server.start_session(&body).await.expect(201).text("session_id");
    for device in devices(&server, &own).await {
        let place =
            if device["session_id"] == told { json!("203.0.113.0/24") } else { Value::Null };
        assert_eq!(device["place"], place, "{device}");
        assert!(!device.to_string().contains("203.0.113.77"));
    }
}
