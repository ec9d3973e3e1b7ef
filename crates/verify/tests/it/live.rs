//! What a verifier does with an authority, also with one that lies, dawdles or is away.

use crate::authority::{Answer, Authority, INTROSPECT, JWKS, METADATA};
use crate::tokens::{AUDIENCE, claims, key};
use std::sync::Arc;
use std::time::Duration;
use symbolon_verify::{
    Algorithm, Builder, ConnectError, Distrust, FetchError, Now, Policy, Presented, Rejected,
    SetupError, Type, Unknown, Verified, Verifier,
};
use symbolon_wire::SigningKey;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

const API_KEY: &str = "sym_ak_test";

fn builder(authority: &Authority) -> Builder {
    Verifier::builder(&authority.issuer).audience(AUDIENCE).introspection(API_KEY)
}

async fn connect(authority: &Authority) -> Verifier {
    builder(authority).connect().await.unwrap()
}

async fn refused(authority: &Authority) -> ConnectError {
    builder(authority).connect().await.err().unwrap()
}

/// A token of this authority that is good for five minutes from now.
fn token(authority: &Authority, key: &SigningKey) -> String {
    token_of(authority, key, "\"42\"")
}

fn token_of(authority: &Authority, key: &SigningKey, sub: &str) -> String {
    let now = Now::read().wall.as_seconds();
    let (iat, exp) = (now.to_string(), (now + 300).to_string());
    let claims = claims(&authority.issuer, &[("iat", &iat), ("exp", &exp), ("sub", sub)]);
    key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap()
}

async fn admit(verifier: &Verifier, token: &str) -> Result<Verified, Rejected> {
    verifier.admit(&Presented::bearer(token), &Policy::default()).await
}

async fn offline(verifier: &Verifier, token: &str) -> Option<Rejected> {
    verifier.admit(&Presented::bearer(token), &Policy::offline()).await.err()
}

/// Yields until it is so; the test's own time limit is the bound.
async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        tokio::task::yield_now().await;
    }
}

/// Lets time pass at once, for the verifier's task.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_connected_verifier_admits_a_good_token_and_asks_about_it() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = connect(&authority).await;
    let token = token(&authority, &key);
    assert_eq!(admit(&verifier, &token).await.unwrap().claims().sub, "42");
    let (headers, form) = authority.last();
    assert_eq!(headers["authorization"], "Bearer sym_ak_test");
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(form, format!("token={token}&token_type_hint=access_token"));
}

#[tokio::test]
async fn an_ended_session_is_refused_at_the_next_request() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let (verifier, token) = (connect(&authority).await, token(&authority, &key));
    assert!(admit(&verifier, &token).await.is_ok());
    authority.answers(INTROSPECT, Answer::ok(r#"{"active":false}"#));
    assert_eq!(admit(&verifier, &token).await.err(), Some(Rejected::Revoked { ended: None }));
}

#[tokio::test]
async fn an_authority_that_cannot_say_lets_nobody_in_except_offline() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let (verifier, token) = (connect(&authority).await, token(&authority, &key));
    let large = vec![b' '; 65 * 1024];
    for answer in [
        Answer::new(500, r#"{"active":true}"#),
        Answer::new(503, ""),
        Answer::new(401, r#"{"active":true}"#),
        Answer::new(302, r#"{"active":true}"#),
        Answer::ok(""),
        Answer::ok("<html>"),
        Answer::ok(r#"{"active":"true"}"#),
        Answer::ok(r#"[true]"#),
        Answer::ok([&large[..], br#"{"active":true}"#].concat()),
    ] {
        authority.answers(INTROSPECT, answer);
        let unknown = Some(Rejected::Unverifiable(Unknown::Session));
        assert_eq!(admit(&verifier, &token).await.err(), unknown);
        let strict = Policy::strict(Duration::from_secs(1));
        assert_eq!(verifier.admit(&Presented::bearer(&token), &strict).await.err(), unknown);
    }
    assert_eq!(offline(&verifier, &token).await, None);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_no_answer() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let (verifier, token) = (connect(&authority).await, token(&authority, &key));
    let shut = Arc::new(Semaphore::new(0));
    authority.answers(INTROSPECT, Answer::ok(r#"{"active":true}"#).behind(&shut));
    let checked = admit(&verifier, &token).await.err();
    assert_eq!(checked, Some(Rejected::Unverifiable(Unknown::Session)));
}

#[tokio::test]
async fn without_an_api_key_only_an_offline_policy_lets_anyone_in() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = Verifier::builder(&authority.issuer).audience(AUDIENCE).connect().await.unwrap();
    let token = token(&authority, &key);
    let checked = admit(&verifier, &token).await.err();
    assert_eq!(checked, Some(Rejected::Unverifiable(Unknown::Session)));
    assert_eq!(offline(&verifier, &token).await, None);
    assert_eq!(authority.asked(INTROSPECT), 0);
}

#[tokio::test]
async fn a_token_that_is_refused_anyway_is_not_asked_about() {
    let (ours, theirs) = (key(Algorithm::EdDsa), key(Algorithm::EdDsa));
    let authority = Authority::start(&[&ours]).await;
    let verifier = connect(&authority).await;
    for token in [token(&authority, &theirs), "a.b.c".to_owned(), "sym_rt_AAAA".to_owned()] {
        assert!(admit(&verifier, &token).await.is_err());
    }
    assert_eq!(authority.asked(INTROSPECT), 0);
}

#[tokio::test]
async fn an_ended_session_hears_that_before_it_hears_of_missing_scopes() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let (verifier, token) = (connect(&authority).await, token(&authority, &key));
    let policy = Policy::default().scope("orders:write");
    let presented = Presented::bearer(&token);
    let checked = verifier.admit(&presented, &policy).await.err();
    let needed = "orders:write".into();
    assert_eq!(checked, Some(Rejected::InsufficientScope { needed }));
    authority.answers(INTROSPECT, Answer::ok(r#"{"active":false}"#));
    let checked = verifier.admit(&presented, &policy).await.err();
    assert_eq!(checked, Some(Rejected::Revoked { ended: None }));
}

#[tokio::test]
async fn one_question_at_a_time_is_open_per_token_and_none_is_answered_from_before_it_came() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let (verifier, token) = (connect(&authority).await, token(&authority, &key));
    let gate = Arc::new(Semaphore::new(0));
    authority.answers(INTROSPECT, Answer::ok(r#"{"active":true}"#).behind(&gate));
    let ask = || {
        let (verifier, token) = (verifier.clone(), token.clone());
        tokio::spawn(async move { admit(&verifier, &token).await.is_ok() })
    };
    let first = ask();
    until(|| authority.asked(INTROSPECT) == 1).await;
    // The session ends while the first question is open; whoever comes now must hear of it.
    authority.answers(INTROSPECT, Answer::ok(r#"{"active":false}"#).behind(&gate));
    let later: Vec<_> = (0..50).map(|_| ask()).collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(100);
    assert!(first.await.unwrap(), "its question was sent before the end");
    for admitted in later {
        assert!(!admitted.await.unwrap());
    }
    assert_eq!(authority.asked(INTROSPECT), 2, "fifty requests shared one question");
    assert_eq!(authority.open_most(), 1);
}

#[tokio::test]
async fn open_questions_are_capped_over_all_tokens() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = connect(&authority).await;
    let gate = Arc::new(Semaphore::new(0));
    authority.answers(INTROSPECT, Answer::ok(r#"{"active":true}"#).behind(&gate));
    let crowd: Vec<_> = (0..100)
        .map(|number| {
            let verifier = verifier.clone();
            let token = token_of(&authority, &key, &format!("\"{number}\""));
            tokio::spawn(async move { admit(&verifier, &token).await.is_ok() })
        })
        .collect();
    until(|| authority.asked(INTROSPECT) == 64).await;
    gate.add_permits(100);
    for admitted in crowd {
        assert!(admitted.await.unwrap());
    }
    assert_eq!((authority.asked(INTROSPECT), authority.open_most()), (100, 64));
}

#[tokio::test]
async fn a_crowd_beyond_the_bound_is_refused_at_once() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let (verifier, token) = (connect(&authority).await, token(&authority, &key));
    let gate = Arc::new(Semaphore::new(0));
    authority.answers(INTROSPECT, Answer::ok(r#"{"active":true}"#).behind(&gate));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..1025 {
        let (verifier, token, tell) = (verifier.clone(), token.clone(), tell.clone());
        tokio::spawn(async move { tell.send(admit(&verifier, &token).await.err()) });
    }
    let unknown = Some(Rejected::Unverifiable(Unknown::Session));
    assert_eq!(told.recv().await, Some(unknown), "the last to come is the first to be answered");
    gate.add_permits(2);
    for _ in 0..1024 {
        assert_eq!(told.recv().await, Some(None));
    }
}

#[tokio::test]
async fn a_request_that_gives_up_does_not_hold_up_the_others() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let (verifier, token) = (connect(&authority).await, token(&authority, &key));
    let shut = Arc::new(Semaphore::new(0));
    authority.answers(INTROSPECT, Answer::ok(r#"{"active":true}"#).behind(&shut));
    let first = {
        let (verifier, token) = (verifier.clone(), token.clone());
        tokio::spawn(async move { admit(&verifier, &token).await.is_ok() })
    };
    until(|| authority.asked(INTROSPECT) == 1).await;
    first.abort();
    assert!(first.await.is_err());
    authority.answers(INTROSPECT, Answer::ok(r#"{"active":true}"#));
    assert!(admit(&verifier, &token).await.is_ok());
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let (old, new) = (key(Algorithm::EdDsa), key(Algorithm::EdDsa));
    let authority = Authority::start(&[&old]).await;
    let verifier =
        builder(&authority).key_refetch_interval(Duration::ZERO).connect().await.unwrap();
    pass(Duration::from_secs(1)).await;
    authority.publish(&[&old, &new]);
    assert!(admit(&verifier, &token(&authority, &new)).await.is_ok());
    assert!(admit(&verifier, &token(&authority, &old)).await.is_ok());
    assert_eq!(authority.asked(JWKS), 2);
}

#[tokio::test]
async fn the_synchronous_check_has_a_new_key_fetched_for_the_next_request() {
    let (old, new) = (key(Algorithm::EdDsa), key(Algorithm::EdDsa));
    let authority = Authority::start(&[&old]).await;
    let verifier =
        builder(&authority).key_refetch_interval(Duration::ZERO).connect().await.unwrap();
    pass(Duration::from_secs(1)).await;
    authority.publish(&[&new]);
    let token = token(&authority, &new);
    let check = || {
        let policy = Policy::offline();
        verifier.check(&Presented::bearer(&token), &policy, Now::read(), |_| ()).err()
    };
    assert_eq!(check(), Some(Rejected::Unverifiable(Unknown::Key)));
    until(|| check().is_none()).await;
}

#[tokio::test]
async fn unknown_keys_cause_one_fetch_per_interval_however_many_there_are() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = connect(&authority).await;
    for round in 0..50 {
        let forged = token(&authority, &crate::tokens::key(Algorithm::EdDsa));
        let checked = admit(&verifier, &forged).await.err();
        assert_eq!(checked, Some(Rejected::Untrusted(Distrust::Key)), "{round}");
    }
    assert_eq!(authority.asked(JWKS), 1, "the keys are as new as the interval allows");
    pass(Duration::from_secs(30)).await;
    let forged = token(&authority, &crate::tokens::key(Algorithm::EdDsa));
    let crowd: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, forged) = (verifier.clone(), forged.clone());
            tokio::spawn(async move { admit(&verifier, &forged).await.err() })
        })
        .collect();
    for checked in crowd {
        assert_eq!(checked.await.unwrap(), Some(Rejected::Untrusted(Distrust::Key)));
    }
    assert_eq!(authority.asked(JWKS), 2);
}

#[tokio::test]
async fn a_failed_fetch_keeps_the_old_keys_and_judges_no_unknown_one() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = connect(&authority).await;
    let good = token(&authority, &key);
    let deep = format!("{{\"keys\":{}1{}}}", "[".repeat(60_000), "]".repeat(3));
    let many = format!("{{\"keys\":[{}]}}", vec![r#"{"kty":"x"}"#; 65].join(","));
    for answer in [
        Answer::new(500, ""),
        Answer::new(404, r#"{"keys":[]}"#),
        Answer::ok(""),
        Answer::ok("<html>"),
        Answer::ok(r#"{"keys":[]}"#),
        Answer::ok(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]}"#),
        Answer::ok(format!(r#"{{"keys":[{{"kty":"oct","kid":"s","k":"{}"}}]}}"#, "A".repeat(43))),
        Answer::ok(deep),
        Answer::ok(many),
        Answer::ok(vec![b' '; 65 * 1024]),
        Answer::ok(vec![0xff; 100]),
    ] {
        authority.answers(JWKS, answer);
        pass(Duration::from_secs(30)).await;
        let forged = token(&authority, &crate::tokens::key(Algorithm::EdDsa));
        let before = authority.asked(JWKS);
        let checked = offline(&verifier, &forged).await;
        assert_eq!(checked, Some(Rejected::Unverifiable(Unknown::Key)));
        assert_eq!(authority.asked(JWKS), before + 1);
        assert_eq!(offline(&verifier, &good).await, None);
    }
}

#[tokio::test]
async fn a_withdrawn_key_is_forgotten_at_the_next_fetch() {
    let (old, new) = (key(Algorithm::EdDsa), key(Algorithm::EdDsa));
    let authority = Authority::start(&[&old]).await;
    let verifier = connect(&authority).await;
    let before = token(&authority, &old);
    assert_eq!(offline(&verifier, &before).await, None);
    authority.publish(&[&new]);
    pass(Duration::from_secs(5 * 60)).await;
    until(|| authority.asked(JWKS) == 2).await;
    let after = token(&authority, &new);
    while offline(&verifier, &after).await.is_some() {}
    assert_eq!(offline(&verifier, &before).await, Some(Rejected::Untrusted(Distrust::Key)));
}

#[tokio::test]
async fn metadata_of_another_issuer_is_not_used() {
    let authority = Authority::start(&[&key(Algorithm::EdDsa)]).await;
    let wrong = authority.metadata().replacen(&authority.issuer, "https://id.example.com", 1);
    authority.answers(METADATA, Answer::ok(wrong));
    let why = FetchError::Metadata("names another issuer");
    assert_eq!(refused(&authority).await, ConnectError::Fetch(why));
    let slash =
        authority.metadata().replacen(&authority.issuer, &format!("{}/", authority.issuer), 1);
    authority.answers(METADATA, Answer::ok(slash));
    assert!(matches!(refused(&authority).await, ConnectError::Fetch(FetchError::Metadata(_))));
    assert_eq!(authority.asked(JWKS), 0);
}

#[tokio::test]
async fn garbage_for_metadata_is_refused_by_name() {
    let authority = Authority::start(&[&key(Algorithm::EdDsa)]).await;
    let elsewhere =
        format!(r#"{{"issuer":"{}","jwks_uri":"http://keys.example.com/jwks"}}"#, authority.issuer);
    for text in ["", "[]", "null", "{", "{}", &elsewhere] {
        authority.answers(METADATA, Answer::ok(text.to_owned()));
        let why = refused(&authority).await;
        assert!(matches!(why, ConnectError::Fetch(FetchError::Metadata(_))), "{text}: {why:?}");
    }
    authority.answers(METADATA, Answer::new(302, ""));
    assert_eq!(refused(&authority).await, ConnectError::Fetch(FetchError::Status(302)));
    authority.answers(METADATA, Answer::ok(vec![b' '; 65 * 1024]));
    assert_eq!(refused(&authority).await, ConnectError::Fetch(FetchError::Oversized));
}

#[tokio::test]
async fn an_api_key_is_not_sent_to_another_host() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let elsewhere = Authority::start(&[&key]).await;
    let metadata = authority.metadata().replace(
        &format!("{}{INTROSPECT}", authority.issuer),
        &format!("{}{INTROSPECT}", elsewhere.issuer),
    );
    authority.answers(METADATA, Answer::ok(metadata));
    let verifier = connect(&authority).await;
    let checked = admit(&verifier, &token(&authority, &key)).await.err();
    assert_eq!(checked, Some(Rejected::Unverifiable(Unknown::Session)));
    assert_eq!(elsewhere.asked(INTROSPECT), 0);
}

#[tokio::test]
async fn a_slow_authority_is_given_up() {
    let authority = Authority::start(&[&key(Algorithm::EdDsa)]).await;
    let shut = Arc::new(Semaphore::new(0));
    authority.answers(JWKS, Answer::ok("{}").behind(&shut));
    let connecting = tokio::spawn({
        let authority = authority.clone();
        async move { refused(&authority).await }
    });
    until(|| authority.asked(JWKS) == 1).await;
    tokio::time::pause();
    assert_eq!(connecting.await.unwrap(), ConnectError::Fetch(FetchError::Late));
}

#[tokio::test]
async fn a_lazy_verifier_may_start_before_its_authority() {
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let issuer = format!("http://{address}");
    let builder = Verifier::builder(&issuer).audience(AUDIENCE).introspection(API_KEY);
    let verifier = builder.connect_lazily().unwrap();
    let key = key(Algorithm::EdDsa);
    let checked = verifier.verify(&Presented::bearer("a.b.c"), &Policy::offline(), Now::read());
    assert_eq!(checked.err(), Some(Rejected::Unverifiable(Unknown::Keys)));
    assert!(!verifier.is_ready());
    let authority = Authority::on(TcpListener::bind(address).await.unwrap(), &[&key]);
    // A request that comes before the keys waits for them.
    assert!(admit(&verifier, &token(&authority, &key)).await.is_ok());
    verifier.ready().await;
    assert!(verifier.is_ready());
}

#[tokio::test]
async fn the_task_ends_with_the_last_clone() {
    let authority = Authority::start(&[&key(Algorithm::EdDsa)]).await;
    let verifier = connect(&authority).await;
    let clone = verifier.clone();
    drop(verifier);
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    drop(clone);
    until(|| alive() < before).await;
}

#[tokio::test]
async fn plain_http_to_another_machine_is_refused_before_anything_is_sent() {
    let builder = Verifier::builder("http://id.example.com").audience(AUDIENCE);
    let refused = builder.connect_lazily().err();
    assert!(matches!(refused, Some(SetupError::Issuer(_))));
    let builder = Verifier::builder("https://id.example.com").audience(AUDIENCE);
    let refused = builder.introspection("sym_ak_\r\n").connect_lazily().err();
    assert_eq!(refused, Some(SetupError::ApiKey));
}

#[test]
fn a_connected_verifier_needs_a_runtime() {
    let builder = Verifier::builder("https://id.example.com").audience(AUDIENCE);
    assert_eq!(builder.connect_lazily().err(), Some(SetupError::Runtime));
}
