//! Requests that two readers read differently: one answer at most, and nothing after it is read as another
//! request on the same connection.

use crate::common::{Server, exchange};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// What a proxy would let through as the body of the first, and a careless server answer.
const SECOND: &str = "GET /livez HTTP/1.1\r\nHost: smuggled\r\n\r\n";

fn answers(heard: &str) -> usize {
    heard.matches("HTTP/1.1 ").count()
}

/// Heads that a length and a transfer coding, or two of either, make ambiguous.
const HEADS: [&str; 20] = [
    "Content-Length: 6\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 6",
    "Content-Length: 0\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding : chunked",
    " Transfer-Encoding: chunked",
    "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding: \x00chunked",
    "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5",
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 5, 6",
    "Content-Length: +5",
    "Content-Length: 0x5",
    "Content-Length: 5 5",
    "Content-Length: 18446744073709551617",
    "Content-Length : 5",
];

#[tokio::test]
async fn an_ambiguous_length_is_one_request_at_most() {
    let server = Server::with(&[]).await;
    for head in HEADS {
        let bytes =
            format!("POST /oauth2/token HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n0\r\n\r\n{SECOND}");
        let heard = exchange(&server.authority, bytes.as_bytes(), SOON).await;
        let heard = heard.unwrap_or_else(|| panic!("still open after {head:?}"));
        assert!(answers(&heard) <= 1, "{head:?}: {heard}");
        assert!(!heard.contains(" 200 "), "{head:?}: {heard}");
    }
    server.sign_in("alice").await;
}

/// A chunk's size and its end are what a careless reader takes for granted.
#[tokio::test]
async fn a_malformed_chunk_ends_the_connection() {
    let server = Server::with(&[]).await;
    for chunks in [
        "g\r\n",
        "-1\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\na\r\n",
        "1\r\naX\r\n0\r\n\r\n",
        "1\na\r\n0\r\n\r\n",
        "1;\x00\r\na\r\n0\r\n\r\n",
    ] {
        let bytes = format!(
            "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{chunks}{SECOND}"
        );
        let heard = exchange(&server.authority, bytes.as_bytes(), SOON).await;
        let heard = heard.unwrap_or_else(|| panic!("still open after {chunks:?}"));
        assert!(answers(&heard) <= 1 && !heard.contains(" 200 "), "{chunks:?}: {heard}");
    }
    server.sign_in("alice").await;
}

/// Two whole requests, one behind the other, are no attack: both are answered, in their order.
#[tokio::test]
async fn honest_requests_one_behind_the_other_are_both_answered() {
    let server = Server::with(&[]).await;
    let bytes = format!("{SECOND}GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let heard = exchange(&server.authority, bytes.as_bytes(), SOON).await.unwrap();
    assert_eq!(answers(&heard), 2, "{heard}");
}

#[tokio::test]
async fn a_body_that_is_announced_as_huge_is_refused_before_it_comes() {
    let server = Server::with(&[]).await;
    for length in ["10000000000", "18446744073709551615"] {
        let bytes = format!(
            "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {}\r\nContent-Length: {length}\r\n\r\n{{",
            server.api_key()
        );
        let heard = exchange(&server.authority, bytes.as_bytes(), SOON).await;
        let heard = heard.unwrap_or_else(|| panic!("it waits for {length} bytes"));
        let refused = ["HTTP/1.1 413 ", "HTTP/1.1 431 "].iter().any(|line| heard.starts_with(line));
        assert!(refused, "{heard}");
    }
    server.sign_in("alice").await;
}
