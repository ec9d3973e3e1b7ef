//! The demo API as its callers see it, over HTTP, beside an authority that answers as it is told.

#![expect(clippy::unwrap_used, reason = "the tests' helpers unwrap as the tests do")]

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use symbolon::demo_api::{AUDIENCE, DemoApi, SOCKETS_MAX, Settings};
use symbolon_core::SessionId;
use symbolon_core::binding::Network;
use symbolon_verify::Now;
use symbolon_wire::{
    Algorithm, SigningKey, Type, features_imprint, key_set_json, network_imprint, sha256,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{HandshakeError, Message, WebSocket, client};

const ORIGIN: &str = "http://localhost:5173";

type Socket = WebSocket<TcpStream>;

/// What introspection answers: a status and whether the token is active.
struct Told {
    status: AtomicU16,
    active: Mutex<bool>,
}

struct Stage {
    key: SigningKey,
    issuer: String,
    demo: SocketAddr,
    told: Arc<Told>,
    stop: watch::Sender<bool>,
}

impl Stage {
    async fn set() -> Self {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let told = Arc::new(Told { status: AtomicU16::new(200), active: Mutex::new(true) });
        let authority = authority(&issuer, &key, Arc::clone(&told));
        tokio::spawn(async move { axum::serve(listener, authority).await });
        let settings = Settings {
            issuer: issuer.clone(),
            introspection_api_key: "sym_ak_test".into(),
            alg: Algorithm::EdDsa,
            typ: Type::AccessTokenJwt,
            origins: vec![ORIGIN.into()],
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let demo = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(DemoApi::new(settings).unwrap().serve(listener, stopped));
        Self { key, issuer, demo, told, stop }
    }

    fn kick(&self) {
        *self.told.active.lock().unwrap() = false;
    }

    fn token(&self, scope: &str) -> String {
        self.token_with(json!({"scope": scope}))
    }

    /// A token that says this too.
    fn token_with(&self, own: Value) -> String {
        let now = Now::read().wall.as_seconds();
        let mut claims = json!({
            "iss": self.issuer, "sub": "10086", "aud": AUDIENCE, "client_id": "web", "jti": "j",
            "iat": now, "exp": now + 300, "sid": "AAAAAAAAAAAAAAAAAAAAAA", "ver": [0, 0, 0, 0],
            "roles": ["clerk"],
        });
        claims.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        self.key.sign(Type::AccessTokenJwt, claims.to_string().as_bytes()).unwrap()
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask(Method::GET, path, &[("authorization", &format!("Bearer {token}"))]).await
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.demo));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let client: Client<HttpConnector, Empty<Bytes>> =
            Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request.body(Empty::new()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Opens a socket, or says with which status it was refused.
    async fn open(&self) -> Result<Socket, u16> {
        let (demo, token) = (self.demo, self.token("orders:read"));
        tokio::task::spawn_blocking(move || open(demo, &token)).await.unwrap()
    }
}

/// The client is a blocking one: it does nothing but wait.
fn open(demo: SocketAddr, token: &str) -> Result<Socket, u16> {
    let mut request = format!("ws://{demo}/live").into_client_request().unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    match client(request, TcpStream::connect(demo).unwrap()) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(tokio_tungstenite::tungstenite::Error::Http(refused))) => {
            Err(refused.status().as_u16())
        }
        Err(other) => panic!("{other}"),
    }
}

/// The next message, read beside the server, which has this thread.
async fn read(mut socket: Socket) -> (Socket, Message) {
    let read = move || {
        let message = socket.read().unwrap();
        (socket, message)
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

/// Reads until the close frame: its code and reason.
async fn closed(mut socket: Socket) -> Option<(u16, String)> {
    loop {
        let message;
        (socket, message) = read(socket).await;
        if let Message::Close(frame) = message {
            return frame.map(|frame| (u16::from(frame.code), frame.reason.to_string()));
        }
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn authority(issuer: &str, key: &SigningKey, told: Arc<Told>) -> Router {
    let metadata = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/jwks"),
        "introspection_endpoint": format!("{issuer}/introspect"),
    });
    let jwks = key_set_json([&key.public_jwk().unwrap()]);
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(async || Json(metadata)))
        .route("/jwks", get(async || jwks))
        .route("/introspect", post(introspect))
        .with_state(told)
}

async fn introspect(State(told): State<Arc<Told>>) -> Response {
    let status = StatusCode::from_u16(told.status.load(Ordering::SeqCst)).unwrap();
    let active = *told.active.lock().unwrap();
    (status, Json(json!({ "active": active }))).into_response()
}

#[tokio::test]
async fn what_is_here_is_told_to_everyone() {
    let stage = Stage::set().await;
    let answer = stage.ask(Method::GET, "/", &[]).await;
    assert_eq!((answer.status, &answer.body["audience"]), (StatusCode::OK, &json!(AUDIENCE)));
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let stage = Stage::set().await;
    let mut ids = std::collections::BTreeSet::new();
    let preflight = [("origin", ORIGIN), ("access-control-request-method", "GET")];
    for (method, path, headers) in [
        (Method::GET, "/", &[][..]),
        (Method::GET, "/me", &[]),
        (Method::GET, "/nothing", &[]),
        (Method::DELETE, "/me", &[]),
        (Method::OPTIONS, "/me", &preflight),
    ] {
        let answer = stage.ask(method, path, headers).await;
        let id = answer.headers["x-request-id"].to_str().unwrap().to_owned();
        assert!(ids.insert(id), "{path}: {ids:?}");
    }
}

#[tokio::test]
async fn me_shows_the_claims_of_the_token() {
    let stage = Stage::set().await;
    let answer = stage.get("/me", &stage.token("orders:read")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    for (member, value) in [
        ("sub", json!("10086")),
        ("client_id", json!("web")),
        ("sid", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("scope", json!("orders:read")),
        ("roles", json!(["clerk"])),
        ("aud", json!([AUDIENCE])),
    ] {
        assert_eq!(answer.body[member], value, "{member}");
    }
    assert!(answer.body["exp"].is_u64());
}

#[tokio::test]
async fn orders_need_their_scope() {
    let stage = Stage::set().await;
    assert_eq!(stage.get("/orders", &stage.token("profile orders:read")).await.status, 200);
    let refused = stage.get("/orders", &stage.token("profile")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let challenge = r#"Bearer error="insufficient_scope", scope="orders:read""#;
    assert_eq!(refused.header("www-authenticate"), challenge);
    assert_eq!(refused.body["type"], "urn:symbolon:insufficient-scope");
}

#[tokio::test]
async fn a_kick_is_seen_by_the_next_request() {
    let stage = Stage::set().await;
    let token = stage.token("orders:read");
    assert_eq!(stage.get("/me", &token).await.status, 200);
    stage.kick();
    let refused = stage.get("/me", &token).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let challenge = r#"Bearer error="invalid_token", reason="revoked""#;
    assert_eq!(refused.header("www-authenticate"), challenge);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(refused.header("cache-control"), "no-store");
    assert_eq!(refused.body["status"], 401);
}

#[tokio::test]
async fn while_the_authority_cannot_say_nobody_is_let_in() {
    let stage = Stage::set().await;
    let token = stage.token("orders:read");
    assert_eq!(stage.get("/me", &token).await.status, 200);
    stage.told.status.store(503, Ordering::SeqCst);
    let refused = stage.get("/me", &token).await;
    let challenge = r#"Bearer error="invalid_token", reason="unverifiable""#;
    assert_eq!(refused.header("www-authenticate"), challenge);
}

#[tokio::test]
async fn without_exactly_one_token_there_is_a_bare_challenge() {
    let stage = Stage::set().await;
    let bearer = format!("Bearer {}", stage.token("orders:read"));
    for headers in [
        vec![],
        vec![("authorization", "Basic YTpi")],
        vec![("authorization", &*bearer), ("authorization", &*bearer)],
    ] {
        for path in ["/me", "/orders", "/live"] {
            let refused = stage.ask(Method::GET, path, &headers).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
            assert_eq!(refused.header("www-authenticate"), "Bearer");
        }
    }
    let url = format!("/me?access_token={}", stage.token("orders:read"));
    assert_eq!(stage.ask(Method::GET, &url, &[]).await.status, 401, "a token in a URL is none");
}

#[tokio::test]
async fn other_paths_and_methods_are_problems_too() {
    let stage = Stage::set().await;
    let nothing = stage.ask(Method::GET, "/nothing", &[]).await;
    assert_eq!(
        (nothing.status.as_u16(), &nothing.body["type"]),
        (404, &json!("urn:symbolon:not-found"))
    );
    let wrong = stage.ask(Method::POST, "/", &[]).await;
    assert_eq!((wrong.status.as_u16(), wrong.header("allow")), (405, "GET,HEAD"));
}

#[tokio::test]
async fn a_bound_token_is_compared_with_the_header_and_the_address_that_connects() {
    let stage = Stage::set().await;
    let sid = SessionId::from_bytes([0; 16]);
    let features = BASE64URL_NOPAD.encode(&features_imprint(sid, &sha256(b"kiosk-7")).0);
    let token_at = |ip: &str| {
        let network = network_imprint(sid, Network::of(ip.parse().unwrap()));
        let network = BASE64URL_NOPAD.encode(&network.0);
        let bound = json!({"cnf": {"features": features, "network": network}});
        format!("Bearer {}", stage.token_with(bound))
    };
    let ask = async |token: &str, lines: &[(&str, &str)]| {
        let lines = [&[("authorization", token)], lines].concat();
        let answer = stage.ask(Method::GET, "/me", &lines).await;
        let elsewhere = answer.headers.get("www-authenticate");
        let elsewhere =
            elsewhere.is_some_and(|said| said.to_str().unwrap().contains("\"binding\""));
        (answer.status, elsewhere)
    };
    let (here, away) = (token_at("127.0.0.1"), token_at("203.0.113.7"));
    let (own, refused) = (("x-symbolon-features", "kiosk-7"), (StatusCode::UNAUTHORIZED, true));
    assert_eq!(ask(&here, &[own]).await, (StatusCode::OK, false));
    assert_eq!(ask(&here, &[("x-symbolon-features", "curl")]).await, refused);
    assert_eq!(ask(&here, &[]).await, refused);
    assert_eq!(ask(&away, &[own]).await, refused);
    assert_eq!(ask(&away, &[own, ("x-forwarded-for", "203.0.113.7")]).await, refused);
}

#[tokio::test]
async fn only_pages_of_listed_origins_may_call() {
    let stage = Stage::set().await;
    let foreign = [
        "https://evil.example",
        "null",
        "http://localhost:5173.evil.example",
        "http://LOCALHOST:5173",
    ];
    let preflight = ("access-control-request-method", "GET");
    for origin in foreign {
        for method in [Method::GET, Method::OPTIONS] {
            let answer = stage.ask(method, "/me", &[("origin", origin), preflight]).await;
            assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
            assert_eq!(answer.header("access-control-allow-headers"), "");
        }
    }
    let asked = stage.ask(Method::OPTIONS, "/me", &[("origin", ORIGIN), preflight]).await;
    assert_eq!(asked.status, StatusCode::NO_CONTENT);
    assert_eq!(asked.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(
        asked.header("access-control-allow-headers"),
        "authorization, dpop, x-symbolon-features"
    );
    let refused = stage.ask(Method::GET, "/me", &[("origin", ORIGIN)]).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.header("access-control-allow-origin"), ORIGIN);
    let exposed = "www-authenticate, x-request-id, dpop-nonce";
    assert_eq!(refused.header("access-control-expose-headers"), exposed);
    assert_eq!(refused.header("vary"), "Origin");
}

#[tokio::test]
async fn a_socket_closes_with_the_reason_when_its_session_is_over() {
    let stage = Stage::set().await;
    let (socket, hello) = read(stage.open().await.unwrap()).await;
    let hello: Value = serde_json::from_str(hello.to_text().unwrap()).unwrap();
    assert_eq!(hello["sub"], "10086");
    stage.kick();
    assert_eq!(closed(socket).await, Some((4401, "revoked".into())));
    assert_eq!(stage.open().await.err(), Some(401));
}

#[tokio::test]
async fn a_socket_closes_when_the_authority_stays_silent() {
    let stage = Stage::set().await;
    let socket = stage.open().await.unwrap();
    stage.told.status.store(503, Ordering::SeqCst);
    assert_eq!(closed(socket).await, Some((4401, "unverifiable".into())));
}

#[tokio::test]
async fn a_socket_closes_when_the_server_stops() {
    let stage = Stage::set().await;
    let socket = stage.open().await.unwrap();
    stage.stop.send_replace(true);
    assert_eq!(closed(socket).await, Some((1001, "stopping".into())));
}

#[tokio::test]
async fn sockets_are_bounded_and_a_closed_one_makes_room() {
    let stage = Stage::set().await;
    let mut open = Vec::new();
    for _ in 0..SOCKETS_MAX {
        open.push(stage.open().await.unwrap());
    }
    assert_eq!(stage.open().await.err(), Some(503));
    let mut left = open.pop().unwrap();
    left.close(None).unwrap();
    assert_eq!(closed(left).await, None, "the server answers the close in kind");
    while stage.open().await.is_err() {}
}
