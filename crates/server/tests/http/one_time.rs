//! What is used once: operation tokens and tickets.

use crate::common::{Answer, Ask, Configuration, Secrets, Server, Sidecar, Tokens, at_once, pass};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::Duration;
use symbolon_wire::sha256;
use tokio::task::spawn_blocking;
use tokio_tungstenite::tungstenite::{HandshakeError, client};

const ORIGIN: &str = "https://app.example.com";

/// How many redeem at one instant.
const CROWD: usize = 64;

const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [
    { name = "live", prefix = "/live", tickets = true },
    { name = "all", prefix = "/" },
]
"#;

async fn server() -> Server {
    let web = format!("origins = [\"{ORIGIN}\"]\nrefresh = {{ grace = \"60s\" }}");
    let configuration = Configuration::new().client("web", &web).client("app", "").gateway(RULES);
    Server::configured(&configuration).await
}

/// The request that the person confirms.
fn transfer(session_id: &str) -> Value {
    json!({"session_id": session_id, "method": "POST", "path": "/transfers?to=7"})
}

async fn operation(server: &Server, body: &Value) -> String {
    let made = server.ask_as_back_end(Ask::json("/v1/operations", body)).await.expect(200);
    assert_eq!(made.header("cache-control"), "no-store");
    made.text("operation_token")
}

fn redeem(token: &str, method: &str, path: &str) -> Ask {
    let body = json!({"operation_token": token, "method": method, "path": path});
    Ask::json("/v1/operations/redeem", &body)
}

async fn ticket(server: &Server, session_id: &str) -> String {
    let body = json!({"session_id": session_id});
    let made = server.ask_as_back_end(Ask::json("/v1/tickets", &body)).await.expect(200);
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(made.member("expires_in"), 30);
    made.text("ticket")
}

fn redeem_ticket(ticket: &str, audience: &str) -> Ask {
    Ask::json("/v1/tickets/redeem", &json!({"ticket": ticket, "audience": audience}))
}

/// Of all these answers one says yes, and the others say that it was used.
fn one_was_first(answers: &[Answer]) -> &Answer {
    let (good, used): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((good.len(), used.len()), (1, CROWD - 1));
    for answer in used {
        assert_eq!(
            (answer.status.as_u16(), &*answer.text("type")),
            (409, "urn:symbolon:already-used")
        );
    }
    good[0]
}

#[tokio::test]
async fn of_64_who_redeem_an_operation_at_once_one_is_first() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    for _ in 0..4 {
        let token = operation(&server, &transfer(&own.sid)).await;
        let ask = redeem(&token, "POST", "/transfers?to=7").key(server.api_key());
        let answers = at_once(&server.authority, vec![ask; CROWD]).await;
        let first = one_was_first(&answers);
        assert_eq!(
            (first.text("session_id"), first.text("subject")),
            (own.sid.clone(), "alice".into())
        );
    }
    let counted = server.metrics().await;
    assert!(counted.contains("kind=\"operation\",what=\"redeemed\"} 4"), "{counted}");
}

#[tokio::test]
async fn of_64_who_redeem_a_ticket_at_once_one_is_first() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let ticket = ticket(&server, &own.sid).await;
    let ask = redeem_ticket(&ticket, "demo-api").key(server.api_key());
    let answers = at_once(&server.authority, vec![ask; CROWD]).await;
    let earned = one_was_first(&answers);
    let claims = server.claims(&earned.text("access_token")).await;
    assert_eq!((&claims["sid"], &claims["aud"]), (&json!(own.sid), &json!("demo-api")));
}

#[tokio::test]
async fn an_operation_is_good_for_the_request_that_was_confirmed_and_no_other_uses_it_up() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let digest = data_encoding::BASE64URL_NOPAD.encode(&sha256(b"{\"amount\":100}").0);
    let other = data_encoding::BASE64URL_NOPAD.encode(&sha256(b"{\"amount\":999}").0);
    let mut confirmed = transfer(&own.sid);
    confirmed["body_sha256"] = json!(digest);
    let token = operation(&server, &confirmed).await;
    let redeem = |method: &str, path: &str, body: Option<&str>| {
        let mut said = json!({"operation_token": token, "method": method, "path": path});
        if let Some(body) = body {
            said["body_sha256"] = json!(body);
        }
        server.ask_as_back_end(Ask::json("/v1/operations/redeem", &said))
    };
    for (method, path, body) in [
        ("PUT", "/transfers?to=7", Some(&*digest)),
        ("POST", "/transfers?to=8", Some(&*digest)),
        ("POST", "/transfers", Some(&*digest)),
        ("POST", "/transfers?to=7", Some(&*other)),
        ("POST", "/transfers?to=7", None),
        ("post", "/transfers?to=7", Some(&*digest)),
    ] {
        redeem(method, path, body).await.expect_problem(409, "other-purpose");
    }
    redeem("POST", "/transfers?to=7", Some(&digest)).await.expect(200);
    let again = redeem("POST", "/transfers?to=7", Some(&digest)).await;
    again.expect_problem(409, "already-used");
}

#[tokio::test]
async fn a_one_time_credential_ends_with_its_time_its_session_and_its_client() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let mut short = transfer(&own.sid);
    short["expires_in"] = json!(1);
    let late = operation(&server, &short).await;
    let in_time = operation(&server, &transfer(&own.sid)).await;
    let own_ticket = ticket(&server, &own.sid).await;
    let ask = |token: &str| server.ask_as_back_end(redeem(token, "POST", "/transfers?to=7"));
    pass(Duration::from_millis(1100)).await;
    ask(&late).await.expect_problem(409, "expired");
    server.switch("web", &json!({"disabled": true})).await.expect(200);
    ask(&in_time).await.expect_problem(403, "client-disabled");
    server.switch("web", &json!({})).await.expect(200);
    server.kick(&own.sid).await.expect(200);
    let over = ask(&in_time).await.expect_problem(409, "session-ended");
    assert_eq!(over.text("reason"), "kicked");
    let over = server.ask_as_back_end(redeem_ticket(&own_ticket, "demo-api")).await;
    over.expect_problem(409, "session-ended");
    let none = server.ask_as_back_end(Ask::json("/v1/operations", &transfer(&own.sid))).await;
    none.expect_problem(409, "session-ended");
}

#[tokio::test]
async fn what_is_forged_or_of_another_kind_is_refused_before_any_session_is_looked_at() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let token = operation(&server, &transfer(&own.sid)).await;
    let own_ticket = ticket(&server, &own.sid).await;
    let changed = format!("{}A", &token[..token.len() - 1]);
    let dressed = own_ticket.replacen("sym_tk_", "sym_op_", 1);
    for text in [&*own_ticket, &dressed, &own.refresh, &own.access, "", &format!("{token}A")] {
        let refused = server.ask_as_back_end(redeem(text, "POST", "/transfers?to=7")).await;
        let refused = refused.expect_problem(400, "malformed");
        assert_eq!(refused.text("member"), "operation_token");
    }
    if changed != token {
        let refused = server.ask_as_back_end(redeem(&changed, "POST", "/transfers?to=7")).await;
        refused.expect_problem(400, "malformed");
    }
    let refused = server.ask_as_back_end(redeem_ticket(&token, "demo-api")).await;
    refused.expect_problem(400, "malformed");
    let elsewhere = server.ask_as_back_end(redeem_ticket(&own_ticket, "billing")).await;
    elsewhere.expect_problem(409, "other-purpose");
    server.ask_as_back_end(redeem_ticket(&own_ticket, "demo-api")).await.expect(200);
    assert_eq!(server.introspect(&token).await, json!({"active": false}));
}

#[tokio::test]
async fn a_wish_that_cannot_be_met_is_refused_by_member() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let with = |name: &str, value: Value| {
        let mut body = transfer(&own.sid);
        body[name] = value;
        body
    };
    for (member, value) in [
        ("session_id", json!("x")),
        ("method", json!("GE T")),
        ("path", json!("transfers")),
        ("path", json!("/tränsfers")),
        ("path", json!(format!("/{}", "a".repeat(2048)))),
        ("body_sha256", json!("abc")),
        ("expires_in", json!(0)),
        ("expires_in", json!(61)),
    ] {
        let refused =
            server.ask_as_back_end(Ask::json("/v1/operations", &with(member, value))).await;
        assert_eq!(refused.expect_problem(400, "malformed").text("member"), member);
    }
    for (member, value) in [
        ("expires_in", json!(31)),
        ("audience", json!("nowhere")),
        ("audience", json!("http://127.0.0.1:8620")),
    ] {
        let mut body = json!({"session_id": own.sid});
        body[member] = value;
        let refused = server.ask_as_back_end(Ask::json("/v1/tickets", &body)).await;
        assert_eq!(refused.expect_problem(400, "malformed").text("member"), member);
    }
    let gone =
        server.ask_as_back_end(Ask::json("/v1/operations", &transfer("AAAAAAAAAAAAAAAAAAAAAA")));
    gone.await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn keys_that_may_not_make_or_redeem_do_neither() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let token = operation(&server, &transfer(&own.sid)).await;
    let own_ticket = ticket(&server, &own.sid).await;
    let spend = redeem(&token, "POST", "/transfers?to=7");
    let make = Ask::json("/v1/operations", &transfer(&own.sid));
    let reading = server.new_api_key("sessions:read", None).await;
    for ask in [&spend, &make, &redeem_ticket(&own_ticket, "demo-api")] {
        server.ask(ask.clone().key(&reading)).await.expect_problem(403, "insufficient-scope");
        server.ask(ask.clone()).await.expect_problem(401, "unauthorized");
    }
    let limited = server.new_api_key("sessions:start,revocations:read", Some("app")).await;
    for ask in [&spend, &make, &redeem_ticket(&own_ticket, "demo-api")] {
        server.ask(ask.clone().key(&limited)).await.expect_problem(404, "not-found");
    }
    let service = server.new_api_key("revocations:read", Some("web")).await;
    server.ask(spend.key(&service)).await.expect(200);
    server.ask(redeem_ticket(&own_ticket, "demo-api").key(&service)).await.expect(200);
}

#[tokio::test]
async fn what_was_used_stays_used_after_a_power_cut_and_stands_nowhere_in_clear() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let token = operation(&server, &transfer(&own.sid)).await;
    let own_ticket = ticket(&server, &own.sid).await;
    server.ask_as_back_end(redeem(&token, "POST", "/transfers?to=7")).await.expect(200);
    server.ask_as_back_end(redeem_ticket(&own_ticket, "demo-api")).await.expect(200);
    server.ask(Ask::get(&format!("/gateway/check/live?ticket={own_ticket}"))).await.expect(401);
    let key = server.api_key().to_owned();
    let home = server.kill().await;
    let server = home.start().await;
    let again = server.ask(redeem(&token, "POST", "/transfers?to=7").key(&key)).await;
    again.expect_problem(409, "already-used");
    let mut secrets = Secrets::default();
    secrets.add(&token);
    secrets.add(&own_ticket);
    assert_eq!(secrets.found_below(&home.data()), Vec::<String>::new());
    for secret in [&token, &own_ticket] {
        assert!(!home.log().contains(&**secret), "a one-time credential stands in the log");
    }
}

/// An access token of client `web` for the authority itself (RFC 8707).
async fn for_us(server: &Server, tokens: &Tokens) -> String {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "web"),
        ("refresh_token", &tokens.refresh),
        ("resource", "http://127.0.0.1:8620"),
    ];
    server.ask(Ask::form("/oauth2/token", &form)).await.expect(200).text("access_token")
}

#[tokio::test]
async fn a_page_gets_a_ticket_of_its_own_session_and_a_gate_takes_it_once() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let access = for_us(&server, &own).await;
    let ask = Ask::json("/v1/me/tickets", &json!({})).with("origin", ORIGIN);
    let made = server.ask(ask.clone().key(&access)).await.expect(200);
    assert_eq!(made.header("access-control-allow-origin"), ORIGIN);
    let own_ticket = made.text("ticket");
    server.ask(ask.clone().key(&own.access)).await.expect_problem(401, "invalid-token");
    let evil = Ask::json("/v1/me/tickets", &json!({})).with("origin", "https://evil.example.com");
    server.ask(evil.key(&access)).await.expect_problem(403, "foreign-origin");
    let gate = |path: &str| Ask::get(&format!("/gateway/check{path}?ticket={own_ticket}"));
    let elsewhere = server.ask(gate("/orders")).await.expect_problem(401, "unauthorized");
    assert_eq!(elsewhere.header("www-authenticate"), "Bearer", "that rule takes none");
    server.ask(gate("/live").key("a.b.c")).await.expect(401);
    let passed = server.ask(gate("/live")).await.expect(200);
    assert_eq!(passed.header("x-symbolon-subject"), "alice");
    assert_eq!(passed.header("x-symbolon-session"), own.sid);
    let claims = server.claims(passed.header("x-symbolon-token")).await;
    assert_eq!(claims["aud"], "demo-api");
    let used = server.ask(gate("/live")).await.expect_problem(401, "invalid-token");
    assert!(used.header("www-authenticate").contains("reason=\"expired\""));
    let both = format!("/gateway/check/live?ticket={own_ticket}&ticket={own_ticket}");
    server.ask(Ask::get(&both)).await.expect_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_sidecar_takes_a_ticket_once_together_with_its_authority() {
    let server = server().await;
    let file = server.home.beside("symbolon.toml");
    let sidecar = Sidecar::of(&server, &["--config", file.to_str().unwrap()]).await;
    sidecar.ready().await;
    let own = server.sign_in("alice").await;
    let gate = |ticket: &str| Ask::get(&format!("/gateway/check/live?ticket={ticket}"));
    let first = ticket(&server, &own.sid).await;
    let passed = sidecar.ask(gate(&first)).await.expect(200);
    assert_eq!(passed.header("x-symbolon-subject"), "alice");
    server.ask(gate(&first)).await.expect_problem(401, "invalid-token");
    let second = ticket(&server, &own.sid).await;
    server.ask(gate(&second)).await.expect(200);
    let used = sidecar.ask(gate(&second)).await.expect_problem(401, "invalid-token");
    assert!(used.header("www-authenticate").contains("reason=\"expired\""));
    sidecar.ask(gate("sym_tk_AAAA")).await.expect_problem(401, "invalid-token");
    let third = ticket(&server, &own.sid).await;
    server.kick(&own.sid).await.expect(200);
    let over = sidecar.ask(gate(&third)).await.expect_problem(401, "invalid-token");
    assert!(over.header("www-authenticate").contains("ended=\"kicked\""), "{over:?}");
    let passed_up = redeem_ticket(&third, "demo-api").key(server.api_key());
    sidecar.ask(passed_up).await.expect(409);
}

/// What becomes of a socket that a browser opens with this ticket: its greeting, or the status.
async fn open(demo: &str, ticket: &str) -> Result<String, u16> {
    let address = demo.strip_prefix("http://").unwrap().to_owned();
    let url = format!("ws://{address}/live?ticket={ticket}");
    let open = move || match client(url, TcpStream::connect(address).unwrap()) {
        Ok((mut socket, _)) => Ok(socket.read().unwrap().to_string()),
        Err(HandshakeError::Failure(tokio_tungstenite::tungstenite::Error::Http(answer))) => {
            Err(answer.status().as_u16())
        }
        Err(other) => panic!("{other}"),
    };
    spawn_blocking(open).await.unwrap()
}

#[tokio::test]
async fn a_browser_opens_a_socket_of_the_demo_api_with_a_ticket_once() {
    let server = Server::followed(&[]).await;
    let own = server.sign_in("alice").await;
    let demo = server.told["demo_api"].as_str().unwrap();
    let own_ticket = ticket(&server, &own.sid).await;
    let greeting = open(demo, &own_ticket).await.unwrap();
    assert!(greeting.contains("alice") && greeting.contains(&own.sid), "{greeting}");
    assert_eq!(open(demo, &own_ticket).await, Err(401));
    assert_eq!(open(demo, "sym_tk_AAAA").await, Err(401));
}
