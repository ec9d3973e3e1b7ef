//! What is told of sessions that were used.

use crate::authority::{ACTIVITY, Answer, Authority, INTROSPECT};
use crate::tokens::{AUDIENCE, claims, key};
use serde_json::{Value, json};
use std::time::Duration;
use symbolon_verify::{
    Algorithm, Builder, Now, Policy, Presented, Rejected, SetupError, Timestamp, Type, Verifier,
};
use symbolon_wire::SigningKey;

const API_KEY: &str = "sym_ak_test";

/// When every token of these tests is used, unless it says otherwise: where a minute begins.
const USED: u64 = 1_700_000_040;

fn builder(authority: &Authority) -> Builder {
    Verifier::builder(&authority.issuer).audience(AUDIENCE).introspection(API_KEY)
}

async fn reporting(authority: &Authority) -> Verifier {
    authority.answers(ACTIVITY, Answer::ok(r#"{"accepted":1,"ignored":0}"#));
    builder(authority).clock(|| used_at(0)).report_activity(true).connect().await.unwrap()
}

fn used_at(seconds: u64) -> Now {
    Now { wall: Timestamp::from_seconds(USED + seconds), monotonic: Duration::from_secs(1) }
}

/// A session's token.
fn token(authority: &Authority, key: &SigningKey, sid: char) -> String {
    let claims = claims(&authority.issuer, &[("sid", &format!("\"{}\"", name(sid)))]);
    key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap()
}

/// The name of a session: told apart where a verifier looks first.
fn name(sid: char) -> String {
    format!("AAA{sid}AAAAAAAAAAAAAAAAAA")
}

fn check(verifier: &Verifier, token: &str, now: Now) -> Result<(), Rejected> {
    verifier.check(&Presented::bearer(token), &Policy::offline(), now, |_| ())
}

/// Yields until it is so; the test's own time limit is the bound.
async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        tokio::task::yield_now().await;
    }
}

/// Lets time pass at once, for the verifier's tasks.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Lets minutes pass, but not while a report is on its way, until so many have come in all.
async fn told(verifier: &Verifier, authority: &Authority, reports: usize) -> Vec<Value> {
    while authority.told().len() < reports {
        if 0 < waiting(verifier) {
            pass(Duration::from_secs(61)).await;
        }
        tokio::task::yield_now().await;
    }
    bodies(authority)
}

fn bodies(authority: &Authority) -> Vec<Value> {
    authority.told().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect()
}

fn waiting(verifier: &Verifier) -> usize {
    verifier.status(Duration::ZERO).uses_waiting
}

fn of(sessions: &[(char, u64)]) -> Value {
    let one = |(sid, at): &(char, u64)| json!({"session_id": name(*sid), "at": USED + at});
    json!({"uses": sessions.iter().map(one).collect::<Vec<_>>()})
}

#[tokio::test]
async fn each_session_that_was_used_is_told_once_a_minute_however_often_it_was() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = reporting(&authority).await;
    let tokens = ['B', 'C'].map(|sid| token(&authority, &key, sid));
    for _ in 0..100 {
        for (token, later) in tokens.iter().zip([0, 7]) {
            check(&verifier, token, used_at(later)).unwrap();
        }
    }
    assert_eq!(waiting(&verifier), 2);
    assert_eq!(told(&verifier, &authority, 1).await, [of(&[('B', 0), ('C', 7)])]);
    let (headers, _) = &authority.told()[0];
    assert_eq!(headers["authorization"], "Bearer sym_ak_test");
    assert_eq!(headers["content-type"], "application/json");

    check(&verifier, &tokens[0], used_at(45)).unwrap();
    check(&verifier, &tokens[1], used_at(90)).unwrap();
    assert_eq!(
        told(&verifier, &authority, 2).await[1],
        of(&[('C', 90)]),
        "the other was told for that minute"
    );
    assert_eq!(waiting(&verifier), 0);
}

#[tokio::test]
async fn requests_that_were_asked_about_count_like_those_that_were_not() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = reporting(&authority).await;
    let token = token(&authority, &key, 'B');
    verifier.admit(&Presented::bearer(&token), &Policy::default()).await.unwrap();
    assert_eq!(authority.asked(INTROSPECT), 1);
    assert_eq!(told(&verifier, &authority, 1).await, [of(&[('B', 0)])]);
}

#[tokio::test]
async fn who_was_not_let_in_was_not_there_and_a_client_has_no_session() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = reporting(&authority).await;
    let good = token(&authority, &key, 'B');
    let presented = Presented::bearer(&good);
    let narrow = Policy::offline().scope("orders:write");
    assert!(verifier.check(&presented, &narrow, used_at(0), |_| ()).is_err());
    assert!(verifier.admit(&presented, &narrow).await.is_err());
    assert_eq!(check(&verifier, &good, used_at(1000)), Err(Rejected::Expired));
    authority.answers(INTROSPECT, Answer::ok(r#"{"active":false}"#));
    assert!(verifier.admit(&presented, &Policy::default()).await.is_err());
    let own = claims(&authority.issuer, &[("sid", "")]);
    let own = key.sign(Type::AccessTokenJwt, own.as_bytes()).unwrap();
    check(&verifier, &own, used_at(0)).unwrap();
    assert_eq!(waiting(&verifier), 0);
}

#[tokio::test]
async fn what_a_verifier_of_another_audience_lets_in_is_told_with_the_rest() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = reporting(&authority).await;
    let other =
        Verifier::builder(&authority.issuer).audience("billing").sharing(&verifier).unwrap();
    let sid = format!("\"{}\"", name('B'));
    let claims = claims(&authority.issuer, &[("sid", &sid), ("aud", "\"billing\"")]);
    let token = key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap();
    check(&other, &token, used_at(0)).unwrap();
    assert_eq!(told(&verifier, &authority, 1).await, [of(&[('B', 0)])]);
}

#[tokio::test]
async fn nothing_is_told_unless_it_was_asked_for() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = builder(&authority).connect().await.unwrap();
    check(&verifier, &token(&authority, &key, 'B'), used_at(0)).unwrap();
    assert_eq!(waiting(&verifier), 0);
    let silent = Verifier::builder(&authority.issuer).audience(AUDIENCE).report_activity(true);
    assert_eq!(silent.connect_lazily().err(), Some(SetupError::NoApiKey));
}

#[tokio::test]
async fn what_could_not_be_told_is_told_later_with_what_came_meanwhile() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = reporting(&authority).await;
    let tokens = ['B', 'C'].map(|sid| token(&authority, &key, sid));
    authority.answers(ACTIVITY, Answer::new(503, ""));
    check(&verifier, &tokens[0], used_at(0)).unwrap();
    // Beyond the tries of one minute, too.
    for tries in 1..=5 {
        assert_eq!(told(&verifier, &authority, tries).await[tries - 1], of(&[('B', 0)]));
        until(|| waiting(&verifier) == 1).await;
    }
    authority.answers(ACTIVITY, Answer::ok("{}"));
    check(&verifier, &tokens[1], used_at(70)).unwrap();
    assert_eq!(told(&verifier, &authority, 6).await[5], of(&[('B', 0), ('C', 70)]));
    let status = verifier.status(Duration::ZERO);
    assert_eq!((status.uses_waiting, status.uses_dropped), (0, 0));
}

#[tokio::test]
async fn an_authority_that_takes_no_reports_is_not_told_the_same_again() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = reporting(&authority).await;
    for (round, status) in (1..).zip([403, 404]) {
        authority.answers(ACTIVITY, Answer::new(status, ""));
        let sid = char::from_digit(round, 10).unwrap();
        check(&verifier, &token(&authority, &key, sid), used_at(0)).unwrap();
        assert_eq!(
            told(&verifier, &authority, round as usize).await.last(),
            Some(&of(&[(sid, 0)]))
        );
        until(|| verifier.status(Duration::ZERO).uses_dropped == u64::from(round)).await;
        assert_eq!(waiting(&verifier), 0);
    }
}

#[tokio::test]
async fn many_sessions_are_told_a_thousand_at_a_time() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = reporting(&authority).await;
    let letters = || ('A'..='Z').chain('a'..='z');
    for (one, two) in letters().flat_map(|one| letters().map(move |two| (one, two))).take(1001) {
        let sid = format!("\"AAAAAAAA{one}{two}AAAAAAAAAAAA\"");
        let claims = claims(&authority.issuer, &[("sid", &sid)]);
        let token = key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap();
        check(&verifier, &token, used_at(0)).unwrap();
    }
    pass(Duration::from_secs(61)).await;
    until(|| authority.told().len() == 2).await;
    let told = bodies(&authority);
    let counts: Vec<_> = told.iter().map(|body| body["uses"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [1000, 1]);
    assert!(
        told.iter().all(|body| body.to_string().len() <= 64 * 1024),
        "the authority takes no more"
    );
}

#[tokio::test]
async fn the_tasks_end_with_the_last_clone() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = reporting(&authority).await;
    check(&verifier, &token(&authority, &key, 'B'), used_at(0)).unwrap();
    drop(verifier);
    for _ in 0..5 {
        pass(Duration::from_secs(61)).await;
        tokio::task::yield_now().await;
    }
    assert!(authority.told().is_empty());
}
