//! Bodies that are not what `POST /v1/sessions` takes: refused by member, and nothing changes.

use crate::common::{Answer, Ask, Configuration, Server};
use serde_json::{Value, json};

async fn server() -> Server {
    Server::configured(&Configuration::new().client("web", "")).await
}

fn good() -> Value {
    json!({"subject": "alice", "client_id": "web", "device": {"class": "web"}})
}

/// A good body with one member replaced; a dot leads into an object.
fn with(member: &str, value: Value) -> String {
    let mut body = good();
    match member.split_once('.') {
        Some((outer, inner)) => body[outer][inner] = value,
        None => body[member] = value,
    }
    body.to_string()
}

async fn start(server: &Server, body: impl Into<hyper::body::Bytes>) -> Answer {
    let ask = Ask::json("/v1/sessions", &Value::Null).body(body);
    server.ask_as_back_end(ask).await
}

/// Refused with 400, naming the member, and no session is there afterwards.
async fn refuses(server: &Server, cases: Vec<(&str, String)>) {
    for (member, body) in cases {
        let shown: String = body.chars().take(300).collect();
        let refused = start(server, body).await;
        assert_eq!(refused.status, 400, "{shown}: {refused:?}");
        let refused = refused.expect_problem(400, "malformed");
        let named = [refused.text("member"), refused.text("detail")].join(" ");
        assert!(named.contains(member), "{shown}: {refused:?}");
    }
    nothing_changed(server).await;
}

async fn nothing_changed(server: &Server) {
    assert_eq!(server.list("/v1/sessions?limit=200").await, Vec::<Value>::new());
    start(server, good().to_string()).await.expect(201);
    server.ask_as_back_end(Ask::delete("/v1/subjects/alice/sessions")).await.expect(200);
}

#[tokio::test]
async fn members_that_are_wrong_are_named() {
    let long = "a".repeat(256);
    let mut cases = Vec::new();
    for member in ["subject", "device.id", "device.name", "acr"] {
        for value in [json!(""), json!(long), json!("a\nb"), json!("a\u{7f}b"), json!(7), json!([])]
        {
            cases.push((member, with(member, value)));
        }
    }
    for (member, value) in [
        ("subject", json!(null)),
        ("subject", json!("client:web")),
        ("subject", json!("用".repeat(86))),
        ("client_id", json!("nobody")),
        ("client_id", json!("")),
        ("client_id", json!("service")),
        ("client_id", json!(null)),
        ("device", json!(null)),
        ("device", json!("web")),
        ("device", json!(["web"])),
        ("device", json!([])),
        ("device", json!({})),
        ("device.class", json!("phone")),
        ("device.class", json!("WEB")),
        ("device.class", json!(null)),
        ("device.class", json!(3)),
        ("scope", json!("admin")),
        ("scope", json!("orders:read  orders:write")),
        ("scope", json!(["orders:read"])),
        ("roles", json!("admin")),
        ("roles", json!({"0": "admin"})),
        ("roles[1]", json!(["a", 1])),
        ("roles[1]", json!(["a", ""])),
        ("roles", json!(vec!["a"; 1025])),
        ("amr", json!(vec!["a"; 17])),
        ("amr[0]", json!(["a\u{0}"])),
        ("audience", json!(["nobody"])),
        ("audience", json!("demo-api")),
        ("audience", json!(vec!["demo-api"; 17])),
        ("ip", json!("localhost")),
        ("ip", json!("300.1.1.1")),
        ("user_agent", json!("a".repeat(1025))),
        ("user_agent", json!("a\rb")),
        ("features", json!("a".repeat(1025))),
        ("jkt", json!("short")),
    ] {
        let place = member.split('[').next().unwrap();
        cases.push((member, with(place, value)));
    }
    refuses(&server().await, cases).await;
}

#[tokio::test]
async fn numbers_that_are_no_instants_are_named() {
    let mut cases = Vec::new();
    for member in ["authenticated_at", "expires_at"] {
        for number in
            ["-1", "1.5", "1e3", "1e400", "18446744073709551616", "\"1700000000\"", "true"]
        {
            let body = with(member, json!("HERE")).replace("\"HERE\"", number);
            cases.push((member, body));
        }
    }
    for (member, number) in [
        ("authenticated_at", 4_000_000_000_u64),
        ("authenticated_at", u64::MAX),
        ("expires_at", 0),
        ("expires_at", 1_700_000_000),
    ] {
        cases.push((member, with(member, json!(number))));
    }
    refuses(&server().await, cases).await;
}

#[tokio::test]
async fn claims_that_are_reserved_or_too_many_are_named() {
    let mut cases = Vec::new();
    for name in
        ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid", "ver", "cnf", "roles", "scope"]
    {
        cases.push((name, with("claims", json!({name: "x"}))));
    }
    cases.push(("sub", with("claims", json!("HERE")).replace("\"HERE\"", r#"{"\u0073ub":1}"#)));
    let many: serde_json::Map<String, Value> =
        (0..41).map(|at| (format!("c{at}"), json!(1))).collect();
    cases.push(("claims", with("claims", json!(many))));
    cases.push(("claims", with("claims", json!({"a": "x".repeat(2100)}))));
    for value in [json!([]), json!("x"), json!(7), json!([["a", 1]])] {
        cases.push(("claims", with("claims", value)));
    }
    let here = |text: &str| with("claims", json!("HERE")).replace("\"HERE\"", text);
    cases.push(("a", here(r#"{"a":1,"a":2}"#)));
    cases.push(("a", here(r#"{"a":{"b":1,"b":2}}"#)));
    cases.push(("claims", here(&format!("{{\"a\":{}1{}}}", "[".repeat(900), "]".repeat(900)))));
    cases.push(("claims", here(&format!("{{\"a\":{}", "[".repeat(30_000)))));
    let mut large = good();
    large["roles"] = json!((0..100).map(|at| format!("{at:0>30}")).collect::<Vec<_>>());
    large["claims"] = json!({"a": "x".repeat(1900)});
    cases.push(("claims", large.to_string()));
    refuses(&server().await, cases).await;
}

#[tokio::test]
async fn members_that_are_unknown_missing_or_repeated_are_named() {
    let text = good().to_string();
    let and = |more: &str| format!("{}{more}}}", &text[..text.len() - 1]);
    let cases = vec![
        ("sub", with("sub", json!("alice"))),
        ("Subject", with("Subject", json!("alice"))),
        ("", with("", json!(1))),
        ("model", with("device.model", json!("x"))),
        ("subject", json!({"client_id": "web", "device": {"class": "web"}}).to_string()),
        ("client_id", json!({"subject": "alice", "device": {"class": "web"}}).to_string()),
        ("device", json!({"subject": "alice", "client_id": "web"}).to_string()),
        ("subject", and(",\"subject\":\"bob\"")),
        ("subject", and(",\"subj\\u0065ct\":\"bob\"")),
        ("scope", and(",\"scope\":\"orders:read\",\"scope\":\"orders:read\"")),
        ("class", text.replace("\"class\":\"web\"", "\"class\":\"web\",\"class\":\"app\"")),
        ("claims", and(",\"claims\":{},\"claims\":{}")),
    ];
    refuses(&server().await, cases).await;
}

#[tokio::test]
async fn what_is_not_one_json_object_is_refused_as_a_whole() {
    let text = good().to_string();
    let mut cases: Vec<(&str, String)> =
        ["", " ", "null", "7", "\"x\"", "[]", "{", "}", "{}{}", "{'a':1}"]
            .into_iter()
            .map(|body| ("", body.to_owned()))
            .collect();
    cases.push(("body", format!("{text}{text}")));
    cases.push(("body", format!("{text} x")));
    cases.push(("body", format!("\u{feff}{text}")));
    cases.push(("body", json!(["alice", "web", {"class": "web"}]).to_string()));
    cases.push(("", text.replace(':', " ")));
    cases.extend((1..text.len()).step_by(7).map(|end| ("", text[..end].to_owned())));
    refuses(&server().await, cases).await;
}

#[tokio::test]
async fn bytes_that_are_no_utf8_are_refused() {
    let server = server().await;
    let text = good().to_string();
    for bad in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"] {
        let (before, after) = text.split_once("alice").unwrap();
        let body = [before.as_bytes(), bad, after.as_bytes()].concat();
        let refused = start(&server, body).await.expect_problem(400, "malformed");
        assert_eq!(refused.text("member"), "body");
    }
    let lone = text.replace("alice", "\\ud800");
    start(&server, lone).await.expect_problem(400, "malformed");
    nothing_changed(&server).await;
}

#[tokio::test]
async fn a_body_of_another_kind_or_too_large_is_refused_unread() {
    let server = server().await;
    let text = good().to_string();
    let ask = Ask::new("POST", "/v1/sessions").body(text.clone());
    let kind = "content-type";
    for ask in [
        ask.clone(),
        ask.clone().with(kind, "text/plain"),
        ask.clone().with(kind, "application/x-www-form-urlencoded"),
        ask.clone().with(kind, "application/jsonp"),
        ask.clone().with(kind, "application/json").with(kind, "text/plain"),
    ] {
        let refused = server.ask_as_back_end(ask).await;
        refused.expect_problem(415, "unsupported-media-type");
    }
    let large = text.replace("alice", &"a".repeat(70_000));
    start(&server, large).await.expect_problem(413, "too-large");
    nothing_changed(&server).await;
    let charset = ask.with(kind, "Application/JSON; charset=utf-8");
    server.ask_as_back_end(charset).await.expect(201);
}

#[tokio::test]
async fn names_at_their_bounds_are_taken_as_they_are() {
    let server = server().await;
    for subject in
        ["a".repeat(255), "用户 10086".to_owned(), "clients".to_owned(), "a/b?c#d%".to_owned()]
    {
        start(&server, with("subject", json!(subject))).await.expect(201);
        assert_eq!(server.active(&subject).await.len(), 1, "{subject}");
    }
    let huge = with("expires_at", json!(u64::MAX));
    let started = start(&server, huge).await.expect(201);
    let session = server.session(&started.text("session_id")).await;
    let life = session["expires_at"].as_u64().unwrap() - session["created_at"].as_u64().unwrap();
    assert_eq!(life, 90 * 86_400, "a back end can only shorten the client's own end");
}
