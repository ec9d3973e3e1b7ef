//! Envoy's question over gRPC, in Envoy's own bytes: HTTP/2, one frame, trailers.

use super::cookie::Browser;
use super::{PAGE, authority, token};
use crate::common::{SOON, Server};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A field of a message (protobuf: kind 2).
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while 0x80 <= length {
        out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(content);
    out
}

fn question(method: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(name, value): &(&str, &str)| {
        field(3, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat())
    };
    let headers: Vec<u8> = headers.iter().flat_map(entry).collect();
    let http = [field(2, method.as_bytes()), headers, field(4, path.as_bytes())].concat();
    field(1, &field(4, &field(2, &http)))
}

/// What comes back: the message, if any, and `grpc-status`, from the trailers or the head.
async fn ask(server: &Server, body: Vec<u8>) -> (Vec<u8>, String) {
    let stream = TcpStream::connect(&server.authority).await.unwrap();
    let (mut sender, connection) =
        handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("http://{}/envoy.service.auth.v3.Authorization/Check", server.authority);
    let request = Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let response = timeout(SOON, sender.send_request(request)).await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let head = response.headers().get("grpc-status").cloned();
    let collected = response.into_body().collect().await.unwrap();
    let status = collected.trailers().and_then(|all| all.get("grpc-status").cloned()).or(head);
    (collected.to_bytes().to_vec(), status.unwrap().to_str().unwrap().to_owned())
}

async fn asked(server: &Server, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let (whole, status) = ask(server, [&[0][..], &length, message].concat()).await;
    assert_eq!(status, "0");
    assert_eq!(whole[1..5], u32::try_from(whole.len() - 5).unwrap().to_be_bytes());
    whole[5..].to_vec()
}

fn holds(message: &[u8], part: &[u8]) -> bool {
    message.windows(part.len()).any(|window| window == part)
}

/// `HeaderValueOption` that takes the place of what there is.
fn option(name: &str, value: &str) -> Vec<u8> {
    let header = [field(1, name.as_bytes()), field(2, value.as_bytes())].concat();
    [field(1, &header), vec![3 << 3, 2]].concat()
}

/// `status { code: 0 }`, and `status { code: 7 }`.
const OK: &[u8] = b"\x0a\x00\x1a";
const DENIED: &[u8] = b"\x0a\x02\x08\x07\x12";

#[tokio::test]
async fn envoy_is_told_who_passes_and_what_to_take_out() {
    let server = authority().await;
    let (access, sid) = token(&server, "web", "alice", &[]).await;
    let bearer = format!("Bearer {access}");
    let passes = asked(&server, &question("GET", "/me?x", &[("authorization", &bearer)])).await;
    assert!(passes.starts_with(OK), "{passes:?}");
    for (name, value) in [("x-symbolon-subject", "alice"), ("x-symbolon-session", &sid)] {
        assert!(holds(&passes, &field(2, &option(name, value))), "{name}");
    }
    assert!(holds(&passes, &field(5, b"x-symbolon-roles")), "a forged one would stay");
    let open = asked(&server, &question("GET", "/public", &[])).await;
    assert!(open.starts_with(OK) && holds(&open, &field(5, b"x-symbolon-subject")));
}

#[tokio::test]
async fn envoy_is_told_what_to_send_back() {
    let server = authority().await;
    let (access, _) = token(&server, "web", "alice", &[]).await;
    let bearer = format!("Bearer {access}");
    let own = [("authorization", &*bearer)];
    let twice = format!("{bearer},{bearer}");
    for (method, path, headers, status, word) in [
        ("GET", "/me", &[][..], 401_u16, "urn:symbolon:unauthorized"),
        ("GET", "/me", &[("authorization", &*twice)], 401, "urn:symbolon:invalid-token"),
        ("POST", "/orders", &own, 403, "urn:symbolon:insufficient-scope"),
        ("GET", "/me/../admin", &own, 403, "urn:symbolon:ambiguous-target"),
        ("GET", "/public#/admin", &own, 403, "urn:symbolon:ambiguous-target"),
        ("GET", "http://h/public", &own, 403, "urn:symbolon:ambiguous-target"),
        ("", "/public", &own, 403, "urn:symbolon:ambiguous-target"),
    ] {
        let denied = asked(&server, &question(method, path, headers)).await;
        assert!(denied.starts_with(DENIED), "{method} {path}");
        let low = u8::try_from(status & 0x7f).unwrap() | 0x80;
        let code = [0x0a, 3, 8, low, u8::try_from(status >> 7).unwrap()];
        assert!(holds(&denied, &code), "{method} {path}");
        assert!(holds(&denied, word.as_bytes()), "{method} {path}");
        let challenge = option("www-authenticate", "Bearer");
        assert_eq!(holds(&denied, &challenge), headers.is_empty(), "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_no_question_lets_nobody_pass() {
    let server = authority().await;
    let whole = question("GET", "/public", &[]);
    let framed = |flag: u8, length: usize, message: &[u8]| {
        let length = u32::try_from(length).unwrap().to_be_bytes();
        [&[flag][..], &length, message].concat()
    };
    for body in [
        Vec::new(),
        whole.clone(),
        framed(1, whole.len(), &whole),
        framed(0, whole.len() + 1, &whole),
        framed(0, whole.len() - 1, &whole),
        framed(0, 0, b""),
        framed(0, 3, b"\x0a\xff\xff"),
        framed(0, 300_000, &vec![0; 300_000]),
    ] {
        let (message, status) = ask(&server, body).await;
        assert_eq!((message, &*status), (Vec::new(), "3"));
    }
}

#[tokio::test]
async fn envoy_asks_about_a_cookie_as_every_proxy_does() {
    let server = authority().await;
    let (browser, _) = Browser::signed_in(&server, "alice").await;
    let (line, csrf) = (browser.line(), browser.cookie("symbolon-csrf"));
    let cookie = ("cookie", &*line);
    let passes = asked(&server, &question("GET", "/me", &[cookie])).await;
    assert!(passes.starts_with(OK) && holds(&passes, b"x-symbolon-token"), "{passes:?}");
    let page = asked(&server, &question("POST", "/me", &[cookie, ("origin", PAGE)])).await;
    assert!(page.starts_with(OK));
    let shown =
        asked(&server, &question("POST", "/me", &[cookie, ("x-symbolon-csrf", csrf)])).await;
    assert!(shown.starts_with(OK));
    let evil = ("origin", "https://evil.example");
    for (method, more) in
        [("POST", evil), ("POST", ("a", "b")), ("GET", ("sec-websocket-key", "x"))]
    {
        let denied = asked(&server, &question(method, "/me", &[cookie, more])).await;
        assert!(denied.starts_with(DENIED) && holds(&denied, b"urn:symbolon:csrf"), "{more:?}");
    }
    // Envoy joins lines of one name by a comma, which is no way to write two cookies.
    let joined = format!("a=b,{line}");
    let denied = asked(&server, &question("GET", "/me", &[("cookie", &joined)])).await;
    assert!(denied.starts_with(DENIED) && holds(&denied, b"urn:symbolon:unauthorized"));
}
