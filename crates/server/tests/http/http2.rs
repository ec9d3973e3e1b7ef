//! HTTP/2 as no honest client speaks it, frame by frame: the connection ends, and nobody else notices.

use crate::common::{Server, exchange_bytes};
use std::time::Duration;
use symbolon::http::serve::{HEADER_TIME_MAX, STREAMS_MAX};
use tokio::time::timeout;

/// A connection that goes on talking is closed by then.
const LIMIT: Duration = HEADER_TIME_MAX.saturating_mul(4);

const SOON: Duration = Duration::from_secs(10);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

/// `REFUSED_STREAM`, and `ENHANCE_YOUR_CALM` (RFC 9113 §7).
const REFUSED: u32 = 7;
const CALM: u32 = 11;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// One frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

fn preface() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat()
}

/// `GET /readyz`, from the static table and two literals (RFC 7541).
fn head() -> Vec<u8> {
    let literal = |index: u8, text: &str| {
        [&[index, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
    };
    [vec![0x82, 0x86], literal(0x04, "/readyz"), literal(0x01, "x")].concat()
}

/// An odd stream's number.
fn stream(at: u32) -> u32 {
    2 * at + 1
}

/// A frame that came back: its kind, and its body.
struct Heard(u8, Vec<u8>);

/// Whole frames, one behind the other.
fn frames(mut bytes: &[u8]) -> Vec<Heard> {
    let mut all = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some(body) = rest.get(..length) else { break };
        all.push(Heard(head[3], body.to_vec()));
        bytes = &rest[length..];
    }
    all
}

fn count(heard: &[Heard], kind: u8) -> usize {
    heard.iter().filter(|frame| frame.0 == kind).count()
}

/// How many streams were refused.
fn refused(heard: &[Heard]) -> usize {
    heard.iter().filter(|Heard(kind, body)| *kind == RST_STREAM && code(body) == REFUSED).count()
}

/// Whether the other side was told to calm down, which ends the connection at once.
fn told_to_calm_down(heard: &[Heard]) -> bool {
    heard.iter().any(|Heard(kind, body)| *kind == GOAWAY && code(&body[4..]) == CALM)
}

fn code(body: &[u8]) -> u32 {
    u32::from_be_bytes(body[..4].try_into().unwrap())
}

/// Says all of this, and waits for the end of the connection; an honest client is served meanwhile.
async fn until_its_end(server: &Server, bytes: Vec<u8>) -> Vec<Heard> {
    let honest = async {
        let mut newest = server.sign_in("alice").await;
        for _ in 0..5 {
            newest = server.renew(&newest.refresh).await;
        }
    };
    let talking = exchange_bytes(&server.authority, &bytes, LIMIT);
    let (heard, honest) = tokio::join!(talking, timeout(SOON, honest));
    honest.expect("an honest client is served at once");
    frames(&heard.expect("the connection is ended"))
}

#[tokio::test]
async fn streams_that_are_reset_as_fast_as_they_are_opened_end_the_connection() {
    let server = Server::with(&["--grace", "60s"]).await;
    let mut bytes = preface();
    for at in 0..20_000 {
        bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream(at), &head()));
        bytes.extend(frame(RST_STREAM, 0, stream(at), &8_u32.to_be_bytes()));
    }
    let heard = until_its_end(&server, bytes).await;
    assert!(told_to_calm_down(&heard));
    assert!(count(&heard, HEADERS) < 20_000, "most of it was not even looked at");
}

#[tokio::test]
async fn a_head_that_never_ends_ends_the_connection() {
    let server = Server::with(&["--grace", "60s"]).await;
    let mut bytes = preface();
    bytes.extend(frame(HEADERS, 0, 1, &head()));
    // A new name that no table keeps; a value of 16,000 bytes (127 and the rest, 7 bits at a time).
    let line = [&[0x00, 0x01, b'x', 0x7f, 0x81, 0x7c][..], &[b'a'; 16_000]].concat();
    for _ in 0..2_000 {
        bytes.extend(frame(CONTINUATION, 0, 1, &line));
    }
    assert!(told_to_calm_down(&until_its_end(&server, bytes).await));
}

/// A line of 4 KiB is put into the table once and named ten thousand times, a byte each.
#[tokio::test]
async fn a_small_head_that_unpacks_to_a_huge_one_is_refused() {
    let server = Server::with(&["--grace", "60s"]).await;
    // 0x40: a new name into the table; a value of 3,900 bytes.
    let value = [&[0x40, 0x01, b'x', 0x7f][..], &[0xbd, 0x1d], &[b'a'; 3_900]].concat();
    let block = [head(), value, vec![0xbe; 10_000]].concat();
    let mut bytes = preface();
    bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block));
    let heard = until_its_end(&server, bytes).await;
    assert!(told_to_calm_down(&heard));
    assert_eq!(count(&heard, DATA), 0, "it was not answered");
}

#[tokio::test]
async fn more_requests_at_once_than_allowed_are_refused_and_the_rest_is_served() {
    let server = Server::with(&["--grace", "60s"]).await;
    let mut bytes = preface();
    for at in 0..1_000 {
        // Without END_STREAM: each waits for a body that never comes.
        bytes.extend(frame(HEADERS, END_HEADERS, stream(at), &head()));
    }
    let heard = until_its_end(&server, bytes).await;
    let (answered, refused) = (count(&heard, HEADERS), refused(&heard));
    assert_eq!(answered + refused, 1_000, "{answered} answered, {refused} refused");
    assert!(STREAMS_MAX as usize <= answered && 0 < refused, "{answered}, {refused}");
}

#[tokio::test]
async fn settings_and_pings_without_end_keep_nobody_waiting() {
    let server = Server::with(&["--grace", "60s"]).await;
    for kind in [SETTINGS, PING] {
        let body: &[u8] = if kind == PING { &[0; 8] } else { &[] };
        let bytes = [preface(), frame(kind, 0, 0, body).repeat(50_000)].concat();
        until_its_end(&server, bytes).await;
    }
}
