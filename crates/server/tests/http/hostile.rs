//! Bytes that no honest client sends, and clients that do not go on: each is answered or closed in
//! bounded time, and everybody else is served meanwhile.

use crate::common::{Server, exchange};
use std::time::Duration;
use symbolon::http::edge::REQUEST_TIME_MAX;
use symbolon::http::serve::{HEADER_BYTES_MAX, HEADER_TIME_MAX, HEADERS_MAX};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

/// Room for a machine that is busy with other things.
const SLACK: Duration = Duration::from_secs(10);

/// The status of the first answer; 0 if the connection was closed without one.
fn status(heard: &str) -> u16 {
    heard.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_head_that_is_too_large_or_has_too_many_lines_is_refused() {
    let server = Server::with(&[]).await;
    let lines = |count: usize| (0..count).map(|at| format!("X-{at}: a\r\n")).collect::<String>();
    let get =
        |more: &str| format!("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n");
    let large = "a".repeat(2 * HEADER_BYTES_MAX);
    for (bytes, wanted) in [
        (get(&lines(HEADERS_MAX - 2)), &[200][..]),
        (get(&lines(HEADERS_MAX + 1)), &[431]),
        (get(&format!("Cookie: {large}\r\n")), &[431]),
        (get(&lines(10_000)), &[431]),
        (format!("GET /{large} HTTP/1.1\r\nHost: x\r\n\r\n"), &[414, 431]),
    ] {
        let heard = exchange(&server.authority, bytes.as_bytes(), SOON).await;
        let heard = heard.expect("the server answers and closes");
        assert!(wanted.contains(&status(&heard)), "{wanted:?}: {heard}");
    }
}

#[tokio::test]
async fn a_long_address_is_read_and_not_found() {
    let server = Server::with(&[]).await;
    let path = "a".repeat(10_000);
    let get = format!("GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let heard = exchange(&server.authority, get.as_bytes(), SOON).await.unwrap();
    assert_eq!(status(&heard), 404, "{heard}");
    assert!(heard.contains("urn:symbolon:not-found"), "{heard}");
}

#[tokio::test]
async fn what_is_not_http_is_closed_at_once() {
    let server = Server::with(&[]).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client hello, or the like\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  /  HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\r\n nonsense \r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n folded\r\n\r\n",
        b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame of HTTP/2 at all, by any means",
    ] {
        let heard = exchange(&server.authority, bytes, SOON).await;
        let shown = String::from_utf8_lossy(bytes);
        let heard = heard.unwrap_or_else(|| panic!("still open after {shown:?}"));
        assert!(!heard.starts_with("HTTP/1.1 2"), "{shown:?}: {heard}");
    }
    server.sign_in("alice").await;
}

#[tokio::test]
async fn a_body_without_end_is_refused_at_the_limit() {
    let server = Server::with(&[]).await;
    let head = |path: &str, kind: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n",
            server.api_key()
        )
    };
    let chunk = format!("2000\r\n{}\r\n", "a".repeat(0x2000));
    for (path, kind) in [
        ("/v1/sessions", "application/json"),
        ("/oauth2/introspect", "application/x-www-form-urlencoded"),
    ] {
        // Two megabytes and no end: the answer comes after 64 KiB.
        let bytes = head(path, kind) + &chunk.repeat(256);
        let heard = exchange(&server.authority, bytes.as_bytes(), SOON).await;
        let heard = heard.expect("the server answers and closes");
        assert!([0, 413].contains(&status(&heard)), "{path}: {heard}");
        let bytes = head(path, kind) + &chunk.repeat(9);
        let heard = exchange(&server.authority, bytes.as_bytes(), SOON).await;
        assert_eq!(status(&heard.expect("the server answers and closes")), 413, "{path}");
    }
}

/// The slow ones are slow together, so that the file takes as long as the slowest of them.
#[tokio::test]
async fn clients_that_do_not_go_on_are_closed_in_bounded_time() {
    let server = Server::with(&[]).await;
    let body = format!(
        "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{\"subject\":",
        server.api_key()
    );
    let idle = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let head_limit = HEADER_TIME_MAX + SLACK;
    let body_limit = REQUEST_TIME_MAX + SLACK;
    let ((nothing, one_byte), (half_a_head, half_a_body), idle) = tokio::join!(
        async {
            tokio::join!(
                exchange(&server.authority, b"", head_limit),
                exchange(&server.authority, b"P", head_limit),
            )
        },
        async {
            tokio::join!(
                exchange(&server.authority, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow:", head_limit),
                exchange(&server.authority, body.as_bytes(), body_limit),
            )
        },
        exchange(&server.authority, idle.as_bytes(), head_limit),
    );
    let half_a_body = half_a_body.expect("half a body is answered");
    assert!([408, 503].contains(&status(&half_a_body)), "{half_a_body}");
    let idle = idle.expect("an idle connection is closed");
    assert_eq!(status(&idle), 200);
    let half_a_head = half_a_head.expect("half a head is closed");
    assert!([0, 408].contains(&status(&half_a_head)), "{half_a_head}");
    assert!(nothing.is_some(), "a connection on which nothing is said is closed");
    assert!(one_byte.is_some(), "a connection on which one byte is said is closed");
    // By the server's own decision, and not because it is gone.
    server.sign_in("alice").await;
}

#[tokio::test]
async fn five_hundred_half_open_connections_keep_nobody_else_waiting() {
    let server = Server::with(&["--grace", "60s"]).await;
    let mut open = Vec::new();
    for _ in 0..500 {
        let mut stream = TcpStream::connect(&server.authority).await.unwrap();
        stream.write_all(b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        open.push(stream);
    }
    let honest = async {
        let mut newest = server.sign_in("alice").await;
        for _ in 0..5 {
            newest = server.renew(&newest.refresh).await;
        }
    };
    timeout(SOON, honest).await.expect("an honest client is served at once");
}
