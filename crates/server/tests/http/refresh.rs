//! Renewing over HTTP: racing callers, lost answers, replays. DESIGN.md §4.1 against the real binary.

use crate::common::{Ask, Server, Tokens, at_once, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// How many callers race.
const CALLERS: usize = 50;

fn distinct(tokens: &[Tokens], of: impl Fn(&Tokens) -> &String) -> BTreeSet<&String> {
    tokens.iter().map(of).collect()
}

/// The place of the newest revocation in the order, asked without adding to it.
async fn position(server: &Server, ended: &str) -> Value {
    let answer = server.kick(ended).await.expect(200);
    assert_eq!(answer.member("ended"), json!([]), "{answer:?}");
    answer.member("position")
}

#[tokio::test]
async fn fifty_callers_refresh_one_token_at_once_and_receive_one_answer() {
    let server = Server::with(&["--grace", "60s"]).await;
    let first = server.sign_in("alice").await;
    let asks = (0..CALLERS).map(|_| Ask::refresh("web", &first.refresh)).collect();
    let answers = at_once(&server.authority, asks).await;
    let tokens: Vec<_> = answers.into_iter().map(|a| Tokens::of(&a.expect(200))).collect();
    assert_eq!(tokens.len(), CALLERS);
    assert_eq!(distinct(&tokens, |t| &t.refresh).len(), 1);
    assert_eq!(distinct(&tokens, |t| &t.access).len(), 1, "Ed25519 repeats its bytes");
    assert_eq!(distinct(&tokens, |t| &t.sid).len(), 1);
    assert_ne!(tokens[0].refresh, first.refresh);
    assert_eq!(server.session(&first.sid).await["generation"], 1);
    server.renew(&tokens[0].refresh).await;
}

#[tokio::test]
async fn many_families_that_race_at_once_have_one_successor_each() {
    const FAMILIES: usize = 24;
    const EACH: usize = 8;
    let server = Server::with(&["--grace", "60s"]).await;
    let mut asks = Vec::new();
    for family in 0..FAMILIES {
        let first = server.sign_in(&format!("user-{family}")).await;
        asks.extend((0..EACH).map(|_| Ask::refresh("web", &first.refresh)));
    }
    let answers = at_once(&server.authority, asks).await;
    let tokens: Vec<_> = answers.into_iter().map(|a| Tokens::of(&a.expect(200))).collect();
    for family in tokens.chunks(EACH) {
        assert_eq!(distinct(family, |t| &t.sid).len(), 1);
        assert_eq!(distinct(family, |t| &t.refresh).len(), 1);
        assert_eq!(distinct(family, |t| &t.access).len(), 1);
    }
    assert_eq!(distinct(&tokens, |t| &t.refresh).len(), FAMILIES);
}

#[tokio::test]
async fn a_straggler_two_generations_back_inside_its_own_window_earns_the_newest_token() {
    let server = Server::with(&["--grace", "60s"]).await;
    let first = server.sign_in("alice").await;
    let second = server.renew(&first.refresh).await;
    let third = server.renew(&second.refresh).await;
    assert_eq!(server.renew(&first.refresh).await, third);
    assert_eq!(server.renew(&second.refresh).await, third);
    assert_eq!(server.session(&first.sid).await["generation"], 2);
    server.renew(&third.refresh).await;
}

#[tokio::test]
async fn sixty_four_refreshes_in_a_chain_each_lead_to_a_token_of_their_own() {
    let server = Server::with(&["--grace", "0s"]).await;
    let mut newest = server.sign_in("alice").await;
    let mut seen = BTreeSet::from([newest.refresh.clone()]);
    for _ in 0..64 {
        newest = server.renew(&newest.refresh).await;
        assert!(seen.insert(newest.refresh.clone()), "a token came twice");
    }
    assert_eq!(server.session(&newest.sid).await["generation"], 64);
}

#[tokio::test]
async fn a_client_that_hammers_within_its_windows_is_answered_and_grows_nothing() {
    let server = Server::with(&["--grace", "120s"]).await;
    let first = server.sign_in("alice").await;
    let mut newest = first.clone();
    for _ in 0..64 {
        newest = server.renew(&newest.refresh).await;
    }
    // DESIGN.md §4.1: with eight windows open, n is answered again.
    assert_eq!(server.session(&first.sid).await["generation"], 8);
    assert_eq!(server.renew(&first.refresh).await, newest);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_given_again_byte_for_byte_within_the_window() {
    let server = Server::with(&["--grace", "60s"]).await;
    let first = server.sign_in("alice").await;
    let body = format!("grant_type=refresh_token&client_id=web&refresh_token={}", first.refresh);
    let request = format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(&server.authority).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let advanced = || async {
        let session = server.session(&first.sid).await;
        (session["generation"] == 1).then_some(())
    };
    until("the refresh took effect", advanced).await;
    drop(stream);
    let again = server.renew(&first.refresh).await;
    assert_eq!(server.renew(&first.refresh).await, again);
    assert_eq!(server.session(&first.sid).await["generation"], 1);
    server.renew(&again.refresh).await;
}

#[tokio::test]
async fn callers_that_hang_up_before_the_answer_are_not_logged_out() {
    let server = Server::with(&["--grace", "60s"]).await;
    let mut newest = server.sign_in("alice").await;
    for _ in 0..6 {
        let body =
            format!("grant_type=refresh_token&client_id=web&refresh_token={}", newest.refresh);
        let request = format!(
            "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(&server.authority).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
        newest = server.renew(&newest.refresh).await;
    }
    assert_eq!(server.session(&newest.sid).await["state"], "active");
}

#[tokio::test]
async fn a_replaced_token_after_its_window_ends_the_session_once() {
    let server = Server::with(&["--grace", "500ms", "--access-token-ttl", "5s"]).await;
    let first = server.sign_in("alice").await;
    let bystander = server.sign_in("alice").await;
    let second = server.renew(&first.refresh).await;
    // Using a token within its window does not extend the window: asking may go on until it closes.
    let refused = || async {
        let answer = server.refresh(&first.refresh).await;
        match answer.status.is_success() {
            true => assert_eq!(Tokens::of(&answer).refresh, second.refresh),
            false => return Some(answer),
        }
        None
    };
    until("the window closed", refused).await.expect_over("replayed");
    server.expect_ended(&first.sid, "replayed").await;
    let inactive = json!({"active": false});
    assert_eq!(server.introspect(&first.access).await, inactive);
    assert_eq!(server.introspect(&second.access).await, inactive);

    let at = position(&server, &first.sid).await;
    server.refresh(&first.refresh).await.expect_over("replayed");
    server.refresh(&second.refresh).await.expect_over("replayed");
    assert_eq!(position(&server, &first.sid).await, at, "one theft, one event");

    assert_eq!(server.active("alice").await, [&*bystander.sid], "only that session ends");
    server.renew(&bystander.refresh).await;
}

#[tokio::test]
async fn without_a_window_the_second_use_is_a_replay() {
    let server = Server::with(&["--grace", "0s"]).await;
    let first = server.sign_in("alice").await;
    let second = server.renew(&first.refresh).await;
    server.refresh(&first.refresh).await.expect_over("replayed");
    server.refresh(&second.refresh).await.expect_over("replayed");
}

#[tokio::test]
async fn after_a_kick_was_answered_no_racing_refresh_brings_the_session_back() {
    let server = Server::with(&["--grace", "60s"]).await;
    for round in 0..12 {
        let first = server.sign_in(&format!("user-{round}")).await;
        let mut asks = vec![Ask::refresh("web", &first.refresh); 6];
        let kick = Ask::delete(&format!("/v1/sessions/{}", first.sid)).key(server.api_key());
        asks.insert(round % 7, kick);
        let answers = at_once(&server.authority, asks).await;
        server.expect_ended(&first.sid, "kicked").await;
        for answer in answers {
            match answer.status.as_u16() {
                200 if answer.member("ended").is_array() => {}
                200 => {
                    let tokens = Tokens::of(&answer);
                    server.refresh(&tokens.refresh).await.expect_over("kicked");
                    assert_eq!(server.introspect(&tokens.access).await, json!({"active": false}));
                }
                _ => drop(answer.expect_over("kicked")),
            }
        }
    }
}
