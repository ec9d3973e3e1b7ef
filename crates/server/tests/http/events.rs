//! The history over HTTP: who ended what, when, why, and from where.

use crate::common::{Ask, Configuration, SOON, Server, Tokens};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn server() -> Server {
    Server::configured(&Configuration::new().client("web", "").client("app", "")).await
}

async fn ask(server: &Server, method: &str, path: &str) {
    server.ask_as_back_end(Ask::new(method, path)).await.expect(200);
}

async fn ban(server: &Server, subject: &str, note: &str) -> Value {
    let path = format!("/v1/subjects/{subject}/ban");
    let answer = server.ask_as_back_end(Ask::put(&path, &json!({"note": note}))).await.expect(200);
    let id = answer.header("x-request-id").to_owned();
    json!({"request_id": id, "position": answer.member("position")})
}

/// Why, of whom, of what: enough to tell the events of a test apart.
fn told(events: &[Value]) -> Vec<String> {
    let text = |event: &Value, member: &str| event[member].as_str().unwrap_or("-").to_owned();
    let one = |event: &Value| format!("{} {}", text(event, "reason"), text(event, "subject"));
    events.iter().map(one).collect()
}

#[tokio::test]
async fn the_history_says_why_somebody_was_signed_out_by_whom_and_from_where() {
    let server = server().await;
    let tokens = server.sign_in("10086").await;
    let path = format!("/v1/sessions/{}?reason=password_changed&note=by%20phone", tokens.sid);
    ask(&server, "DELETE", &path).await;
    let banned = ban(&server, "10086", "ticket 4711").await;
    let events = server.list("/v1/events").await;
    assert_eq!(events.len(), 2);
    let (ended, bound) = (&events[0], &events[1]);
    for (member, value) in [
        ("position", json!(1)),
        ("kind", json!("session")),
        ("session_id", json!(tokens.sid)),
        ("subject", json!("10086")),
        ("client_id", json!("web")),
        ("effect", json!("revoked")),
        ("reason", json!("password_changed")),
        ("by", json!("api_key:dev")),
        ("note", json!("by phone")),
        ("ip", json!("127.0.0.1")),
    ] {
        assert_eq!(ended[member], value, "{member}: {ended}");
    }
    for (member, value) in [
        ("kind", json!("subject")),
        ("subject", json!("10086")),
        ("below", json!("0.1")),
        ("reason", json!("banned")),
        ("note", json!("ticket 4711")),
        ("request_id", banned["request_id"].clone()),
        ("position", banned["position"].clone()),
        ("session_id", Value::Null),
    ] {
        assert_eq!(bound[member], value, "{member}: {bound}");
    }
}

#[tokio::test]
async fn the_history_is_filtered_and_paged_with_the_newest_last() {
    let server = server().await;
    let app = json!({"subject": "a", "client_id": "app", "device": {"class": "app"}});
    let (first, second) = (server.sign_in("a").await, server.sign_in("b").await);
    let other = Tokens::of(&server.start_session(&app).await.expect(201));
    server.kick(&first.sid).await.expect(200);
    server.kick(&second.sid).await.expect(200);
    server.ask_as_back_end(Ask::put("/v1/subjects/a", &json!({"roles": ["x"]}))).await.expect(200);
    ban(&server, "a", "").await;
    let all = ["kicked a", "kicked b", "permissions_changed a", "banned a"];
    for (query, expected) in [
        ("".to_owned(), &all[..]),
        ("?subject=a".to_owned(), &["kicked a", "permissions_changed a", "banned a"]),
        ("?subject=b".to_owned(), &["kicked b"]),
        ("?subject=nobody".to_owned(), &[]),
        ("?reason=kicked".to_owned(), &["kicked a", "kicked b"]),
        ("?reason=kicked&subject=b".to_owned(), &["kicked b"]),
        ("?since=0".to_owned(), &all[..]),
        ("?since=99999999999".to_owned(), &[]),
        (format!("?sid={}", first.sid), &["kicked a"]),
        (format!("?sid={}", other.sid), &["permissions_changed a", "banned a"]),
        (format!("?sid={}", "A".repeat(22)), &[]),
    ] {
        let events = server.list(&format!("/v1/events{query}")).await;
        assert_eq!(told(&events), expected, "{query}");
    }
    let (mut seen, mut next) = (Vec::new(), Some("/v1/events?limit=3".to_owned()));
    while let Some(path) = next {
        let page = server.ask_as_back_end(Ask::get(&path)).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(told(items));
        next = page["next"].as_str().map(|at| format!("/v1/events?limit=3&cursor={at}"));
    }
    assert_eq!(seen, all);
    let limited = server.new_api_key("events:read", Some("app")).await;
    let page = server.ask(Ask::get("/v1/events").key(&limited)).await.expect(200).json();
    assert_eq!(page["items"], json!([]), "it was not told of other clients, nor of subjects");
    server.kick(&other.sid).await.expect(200);
}

#[tokio::test]
async fn a_limited_key_is_told_of_its_own_clients_sessions() {
    let server = server().await;
    let own = server.sign_in("a").await;
    server.kick(&own.sid).await.expect(200);
    let key = server.new_api_key("events:read", Some("web")).await;
    let page = server.ask(Ask::get("/v1/events").key(&key)).await.expect(200).json();
    assert_eq!(page["items"][0]["session_id"], own.sid);
}

#[tokio::test]
async fn wrong_filters_are_named_and_following_is_not_there_yet() {
    let server = server().await;
    for (query, member) in [
        ("reason=because", "reason"),
        ("sid=x", "sid"),
        ("since=yesterday", "since"),
        ("since=-1", "since"),
        ("subject=client:web", "subject"),
        ("cursor=x", "cursor"),
        ("limit=0", "limit"),
        ("until=1", "until"),
        ("reason=", "reason"),
    ] {
        let answer = server.ask_as_back_end(Ask::get(&format!("/v1/events?{query}"))).await;
        assert_eq!(answer.expect_problem(400, "malformed").text("member"), member, "{query}");
    }
    let stream = Ask::get("/v1/events").with("accept", "text/event-stream");
    let stood = server.ask_as_back_end(stream.with("last-event-id", "x")).await;
    assert_eq!(stood.expect_problem(400, "malformed").text("member"), "Last-Event-ID");
    let either = Ask::get("/v1/events").with("accept", "text/event-stream, application/json;q=0.5");
    server.ask_as_back_end(either).await.expect(200);
}

/// What somebody may ask about at three in the morning: acts that ended nothing.
#[tokio::test]
async fn every_act_of_an_operator_that_ends_nothing_is_in_the_history_too() {
    let server = server().await;
    ban(&server, "10086", "ticket 1").await;
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let until = since + 3600;
    let replay = json!({"mode": "report", "until": until});
    let mut asked = Vec::new();
    for (ask, note) in [
        (Ask::delete("/v1/subjects/10086/ban?note=ticket%202"), "ticket 2"),
        (Ask::put("/v1/clients/web", &json!({"disabled": true, "note": "off"})), "off"),
        (Ask::put("/v1/clients/web", &json!({"disabled": false, "note": "on"})), "on"),
        (Ask::put("/v1/clients/web", &json!({"replay": replay, "note": "4.1"})), "4.1"),
        (Ask::put("/v1/clients/web", &json!({"note": "4.2"})), "4.2"),
        (Ask::json("/v1/keys/rotate", &json!({"note": "drill"})), "drill"),
        (Ask::json("/v1/keys/rotate", &json!({"note": "drill", "now": true})), "drill"),
    ] {
        let answer = server.ask_as_back_end(ask).await.expect(200);
        asked.push((answer.header("x-request-id").to_owned(), note));
    }
    let events = server.list("/v1/events?since=1").await;
    let told: Vec<_> = events[1..].iter().map(|own| (&own["change"], &own["effect"])).collect();
    let words = [
        ("ban_lifted", "none"),
        ("", "stale"),
        ("client_enabled", "none"),
        ("replay_reported", "none"),
        ("replay_as_configured", "none"),
        ("keys_announced", "none"),
        ("keys_turned", "none"),
    ];
    let words = words.map(|(change, effect)| match change {
        "" => (Value::Null, json!(effect)),
        change => (json!(change), json!(effect)),
    });
    assert_eq!(told, words.iter().map(|(change, effect)| (change, effect)).collect::<Vec<_>>());
    for (event, (request_id, note)) in events[1..].iter().zip(&asked) {
        let who = (&event["by"], &event["ip"], &event["note"]);
        assert_eq!(who, (&json!("api_key:dev"), &json!("127.0.0.1"), &json!(note)), "{event}");
        assert_eq!(event["request_id"], *request_id);
        let found = server.list(&format!("/v1/events?request_id={request_id}")).await;
        assert_eq!(found, std::slice::from_ref(event));
    }
    let of_subject = server.list("/v1/events?subject=10086").await;
    assert_eq!(of_subject[1]["change"], "ban_lifted");
    assert_eq!((&events[4]["until"], &events[4]["client_id"]), (&json!(until), &json!("web")));
    // A second time changes nothing, and is no line.
    ask(&server, "DELETE", "/v1/subjects/10086/ban").await;
    server.switch("web", &json!({})).await.expect(200);
    assert_eq!(server.list("/v1/events").await.len(), events.len());
    let positions: Vec<_> = events.iter().map(|event| event["position"].as_u64()).collect();
    assert_eq!(positions, (1..=8).map(Some).collect::<Vec<_>>(), "no gap");
    let server = server.kill().await.start().await;
    assert_eq!(server.list("/v1/events").await, events, "written with what they tell of");
}

/// The history as somebody follows it.
pub(crate) struct EventStream {
    body: Incoming,
    text: String,
}

impl EventStream {
    pub(crate) async fn begin(server: &Server, ask: Ask) -> Self {
        let stream = TcpStream::connect(&server.authority).await.unwrap();
        let (mut sender, connection) =
            handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = sender.send_request(ask.request(&server.authority));
        let response = timeout(SOON, request).await.expect("an answer comes soon").unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    /// The status of the answer to a request for one, which is then dropped.
    pub(crate) async fn answered(server: &Server, ask: Ask) -> u16 {
        let stream = TcpStream::connect(&server.authority).await.unwrap();
        let (mut sender, connection) =
            handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = sender.send_request(ask.request(&server.authority));
        timeout(SOON, request).await.expect("an answer comes soon").unwrap().status().as_u16()
    }

    pub(crate) async fn next(&mut self) -> Value {
        self.next_named().await.1
    }

    /// The next event and what it is called.
    pub(crate) async fn next_named(&mut self) -> (String, Value) {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
                let event = line("data: ").map(|data| serde_json::from_str(data).unwrap());
                let name = line("event: ").unwrap_or_default().to_owned();
                self.text = rest.to_owned();
                match event {
                    Some(event) => return (name, event),
                    None => continue,
                }
            }
            let frame = timeout(SOON, self.body.frame()).await.expect("an event comes soon");
            let bytes = frame.expect("the stream goes on").unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// Whether it ends, and nothing more comes.
    pub(crate) async fn is_over(&mut self) -> bool {
        self.text.is_empty() && timeout(SOON, self.body.frame()).await.expect("it ends").is_none()
    }
}

#[tokio::test]
async fn the_history_is_followed_as_it_is_written_and_from_where_one_stood() {
    let server = Server::with(&[]).await;
    let (before, after) = (server.sign_in("before").await, server.sign_in("after").await);
    server.kick(&before.sid).await.expect(200);
    let follow = async |path: &str, stood: Option<&str>| {
        let ask = Ask::get(path).key(server.api_key()).with("accept", "text/event-stream");
        let ask = stood.into_iter().fold(ask, |ask, at| ask.with("last-event-id", at));
        EventStream::begin(&server, ask).await
    };
    let mut from_now = follow("/v1/events", None).await;
    let mut all = follow("/v1/events?since=1&reason=kicked", None).await;
    let first = all.next().await;
    assert_eq!((&first["session_id"], &first["reason"]), (&json!(before.sid), &json!("kicked")));
    let ban = Ask::new("PUT", "/v1/subjects/somebody/ban").with("content-type", "application/json");
    server.ask_as_back_end(ban.body("{}")).await.expect(200);
    server.kick(&after.sid).await.expect(200);
    let second = all.next().await;
    assert_eq!(second["session_id"], json!(after.sid), "the ban is for another reason");
    assert_eq!(from_now.next().await["reason"], "banned");
    assert_eq!(from_now.next().await, second);
    let stood = first["position"].to_string();
    let mut again = follow("/v1/events?reason=kicked", Some(&stood)).await;
    assert_eq!(again.next().await, second, "nothing twice and nothing lost");
}
