//! Tokens that are asked about: opaque ones, and those that are stale and cannot be replaced.

use crate::authority::INTROSPECT;
use crate::follow::until;
use crate::script::session;
use crate::sender::{Fault, Sender};
use crate::tokens::{AUDIENCE, claims};
use std::sync::Arc;
use std::time::Duration;
use symbolon_verify::{Policy, Presented, Reason, Rejected, Type, Unknown, Verified, Verifier};
use symbolon_wire::session_id_text;
use tokio::sync::Semaphore;

/// The opaque token of the session of that number.
fn opaque(number: u64) -> String {
    crate::told::opaque(session(number))
}

/// A token of the client whose tokens last: the authority is among those it is for.
fn lasting(sender: &Sender, number: u64, ver: &str) -> String {
    let issuer = sender.script.lock().unwrap().issuer.clone();
    let claims = lasting_claims(sender, &issuer, number, &[("ver", ver)]);
    let script = sender.script.lock().unwrap();
    script.key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap()
}

fn lasting_claims(sender: &Sender, issuer: &str, number: u64, changes: &[(&str, &str)]) -> String {
    let seconds = sender.reading().wall.as_seconds();
    let sid = format!("\"{}\"", session_id_text(session(number)));
    // To the hour, so that every question is answered alike.
    let exp = (seconds / 3600 * 3600 + 7200).to_string();
    let iat = (seconds / 3600 * 3600 - 3600).to_string();
    let aud = format!("[\"{AUDIENCE}\",\"{issuer}\"]");
    let own = [("sid", &*sid), ("exp", &exp), ("iat", &iat), ("aud", &aud)];
    claims(issuer, &[&own[..], changes].concat())
}

/// From now on the authority says of a token that its subject has this role, by these counters.
fn says(sender: &Sender, token: &str, number: u64, ver: &str, role: &str) {
    let roles = format!("[\"{role}\"]");
    let issuer = sender.script.lock().unwrap().issuer.clone();
    let told = lasting_claims(sender, &issuer, number, &[("ver", ver), ("roles", &roles)]);
    sender.says(token, &told.replacen('{', "{\"active\":true,\"token_type\":\"Bearer\",", 1));
}

async fn admit(verifier: &Verifier, token: &str) -> Result<Verified, Rejected> {
    verifier.admit(&Presented::bearer(token), &Policy::default()).await
}

/// The roles of whom a token lets in.
async fn roles(verifier: &Verifier, token: &str) -> Result<String, Rejected> {
    let verified = admit(verifier, token).await?;
    Ok(verified.claims().roles().collect::<Vec<_>>().join(" "))
}

fn ended(reason: Reason) -> Option<Rejected> {
    Some(Rejected::Revoked { ended: Some(reason) })
}

/// Changes the roles of subject 42, and waits until the verifier knows.
async fn change(sender: &Sender, verifier: &Verifier, counter: u64) {
    let before = verifier.status(sender.reading().monotonic).position;
    sender.does(|script| script.change("42", counter));
    let known = || verifier.status(sender.reading().monotonic).position != before;
    until("the change is known", known).await;
}

#[tokio::test]
async fn an_opaque_token_is_asked_about_once_and_then_known() {
    let sender = Sender::start().await;
    let (verifier, token) = (sender.connect().await, opaque(1));
    says(&sender, &token, 1, "[1,0,0,0]", "clerk");
    let check = || {
        let strict = Policy::strict(Duration::from_secs(5));
        verifier.check(&Presented::bearer(&token), &strict, sender.reading(), |own| own.sub.len())
    };
    assert_eq!(check(), Err(Rejected::Ask), "who cannot wait is told to ask");
    for _ in 0..20 {
        assert_eq!(roles(&verifier, &token).await.as_deref(), Ok("clerk"));
        assert_eq!(check(), Ok(2));
    }
    assert_eq!(sender.asked(INTROSPECT), 1);
    assert_eq!(sender.authorization(), "Bearer sym_ak_test");
}

#[tokio::test]
async fn the_end_of_an_opaque_session_is_told_at_once_by_its_reason_and_nobody_is_asked() {
    let sender = Sender::start().await;
    let (verifier, token, other) = (sender.connect().await, opaque(1), opaque(2));
    for (token, number) in [(&token, 1), (&other, 2)] {
        says(&sender, token, number, "[1,0,0,0]", "clerk");
    }
    let watched = admit(&verifier, &token).await.unwrap().ended();
    assert!(admit(&verifier, &other).await.is_ok());
    sender.does(|script| script.kick(1));
    let told = tokio::time::timeout(Duration::from_secs(20), watched).await;
    assert_eq!(told.expect("it never resolved"), Some(Reason::Kicked));
    assert_eq!(admit(&verifier, &token).await.err(), ended(Reason::Kicked));
    assert!(admit(&verifier, &other).await.is_ok());
    assert_eq!(sender.asked(INTROSPECT), 2, "one question for each, before");
}

#[tokio::test]
async fn a_change_of_roles_costs_an_opaque_token_one_question() {
    let sender = Sender::start().await;
    let (verifier, token) = (sender.connect().await, opaque(1));
    says(&sender, &token, 1, "[1,0,0,0]", "clerk");
    assert_eq!(roles(&verifier, &token).await.as_deref(), Ok("clerk"));
    for counter in 1..4 {
        says(&sender, &token, 1, &format!("[1,{counter},0,0]"), &format!("role-{counter}"));
        change(&sender, &verifier, counter).await;
        for _ in 0..5 {
            let now = roles(&verifier, &token).await;
            assert_eq!(now, Ok(format!("role-{counter}")));
        }
        assert_eq!(sender.asked(INTROSPECT), 1 + counter as usize);
    }
}

#[tokio::test]
async fn an_answer_from_before_an_event_lets_nobody_in_after_it() {
    let sender = Sender::start().await;
    let (verifier, gate) = (sender.connect().await, Arc::new(Semaphore::new(0)));
    sender.holds_back(&gate);
    let admitting = |token: String| {
        let verifier = verifier.clone();
        tokio::spawn(async move { roles(&verifier, &token).await })
    };
    // The authority answers, then the session ends; the answer arrives last.
    says(&sender, &opaque(1), 1, "[1,0,0,0]", "clerk");
    let first = admitting(opaque(1));
    until("the question is open", || sender.asked(INTROSPECT) == 1).await;
    sender.does(|script| script.kick(1));
    until("the end is known", || verifier.status(sender.reading().monotonic).entries == 1).await;
    gate.add_permits(1);
    assert_eq!(first.await.unwrap().err(), ended(Reason::Kicked));
    // The same with a change: what was told is outdated, and the next answer is not.
    says(&sender, &opaque(2), 2, "[1,0,0,0]", "clerk");
    let second = admitting(opaque(2));
    until("the question is open", || sender.asked(INTROSPECT) == 2).await;
    change(&sender, &verifier, 1).await;
    says(&sender, &opaque(2), 2, "[1,1,0,0]", "manager");
    gate.add_permits(2);
    assert_eq!(second.await.unwrap().as_deref(), Ok("manager"));
    assert_eq!(sender.asked(INTROSPECT), 3);
}

#[tokio::test]
async fn an_authority_that_keeps_telling_what_is_outdated_is_not_asked_for_ever() {
    let sender = Sender::start().await;
    let (verifier, token) = (sender.connect().await, opaque(1));
    says(&sender, &token, 1, "[1,0,0,0]", "clerk");
    change(&sender, &verifier, 1).await;
    let unknown = Some(Rejected::Unverifiable(Unknown::Session));
    assert_eq!(admit(&verifier, &token).await.err(), unknown);
    assert_eq!(sender.asked(INTROSPECT), 3);
}

#[tokio::test]
async fn a_no_is_not_kept_so_that_a_session_that_begins_is_let_in_at_once() {
    let sender = Sender::start().await;
    let (verifier, token) = (sender.connect().await, opaque(1));
    sender.says(&token, r#"{"active":false}"#);
    assert_eq!(admit(&verifier, &token).await.err(), Some(Rejected::Revoked { ended: None }));
    says(&sender, &token, 1, "[1,0,0,0]", "clerk");
    assert!(admit(&verifier, &token).await.is_ok());
}

#[tokio::test]
async fn while_the_authority_is_away_what_is_known_holds_and_nothing_else() {
    let sender = Sender::start().await;
    let (verifier, known, new) = (sender.connect().await, opaque(1), opaque(2));
    says(&sender, &known, 1, "[1,0,0,0]", "clerk");
    assert!(admit(&verifier, &known).await.is_ok());
    sender.fails(&[(INTROSPECT, Fault::Status(503))]);
    assert!(admit(&verifier, &known).await.is_ok());
    let unknown = Some(Rejected::Unverifiable(Unknown::Session));
    assert_eq!(admit(&verifier, &new).await.err(), unknown);
    change(&sender, &verifier, 1).await;
    assert_eq!(admit(&verifier, &known).await.err(), unknown, "what it may do has changed");
}

#[tokio::test]
async fn without_a_feed_every_request_asks_unless_the_route_is_offline() {
    let sender = Sender::start().await;
    let issuer = sender.script.lock().unwrap().issuer.clone();
    let builder = Verifier::builder(&issuer).audience(AUDIENCE).introspection("sym_ak_test");
    let clock = Arc::clone(&sender);
    let verifier = builder.clock(move || clock.reading()).connect().await.unwrap();
    let token = opaque(1);
    says(&sender, &token, 1, "[1,0,0,0]", "clerk");
    for questions in 1..4 {
        assert!(admit(&verifier, &token).await.is_ok());
        assert_eq!(sender.asked(INTROSPECT), questions);
    }
    let offline = Policy::offline();
    assert!(verifier.admit(&Presented::bearer(&token), &offline).await.is_ok());
    let other = opaque(2);
    says(&sender, &other, 2, "[1,0,0,0]", "clerk");
    for _ in 0..3 {
        assert!(verifier.admit(&Presented::bearer(&other), &offline).await.is_ok());
    }
    assert_eq!(sender.asked(INTROSPECT), 4, "the first use alone");
}

#[tokio::test]
async fn text_that_only_looks_like_a_token_does_not_keep_known_ones_from_being_asked_about() {
    let sender = Sender::start().await;
    let (verifier, gate) = (sender.connect().await, Arc::new(Semaphore::new(0)));
    let known = opaque(1);
    says(&sender, &known, 1, "[1,0,0,0]", "clerk");
    assert!(admit(&verifier, &known).await.is_ok());
    change(&sender, &verifier, 1).await;
    sender.holds_back(&gate);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for number in 100..613 {
        let (verifier, tell) = (verifier.clone(), tell.clone());
        tokio::spawn(async move { tell.send(admit(&verifier, &opaque(number)).await.err()) });
    }
    let unknown = Some(Rejected::Unverifiable(Unknown::Session));
    assert_eq!(told.recv().await, Some(unknown), "one more than may wait");
    until("as many are open as may be", || sender.asked(INTROSPECT) == 1 + 32).await;
    says(&sender, &known, 1, "[1,1,0,0]", "manager");
    let asking = {
        let (verifier, known) = (verifier.clone(), known.clone());
        tokio::spawn(async move { roles(&verifier, &known).await })
    };
    until("the known one is asked about", || sender.asked(INTROSPECT) == 1 + 33).await;
    gate.add_permits(1000);
    assert_eq!(asking.await.unwrap().as_deref(), Ok("manager"));
}

#[tokio::test]
async fn a_lasting_token_that_a_change_made_stale_is_asked_about_once_until_the_next() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let token = lasting(&sender, 1, "[1,0,0,0]");
    assert_eq!(roles(&verifier, &token).await.as_deref(), Ok("clerk"));
    assert_eq!(sender.asked(INTROSPECT), 0, "it says everything itself");
    for counter in 1..4 {
        says(&sender, &token, 1, &format!("[1,{counter},0,0]"), &format!("role-{counter}"));
        change(&sender, &verifier, counter).await;
        for _ in 0..5 {
            assert_eq!(roles(&verifier, &token).await, Ok(format!("role-{counter}")));
        }
        assert_eq!(sender.asked(INTROSPECT), counter as usize);
    }
    sender.does(|script| script.kick(1));
    until("the end is known", || {
        let presented = Presented::bearer(&token);
        let checked = verifier.check(&presented, &Policy::offline(), sender.reading(), |_| ());
        checked.err() == ended(Reason::Kicked)
    })
    .await;
    assert_eq!(sender.asked(INTROSPECT), 3);
}

#[tokio::test]
async fn a_token_that_its_client_can_replace_is_stale_and_not_asked_about() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let token = sender.script.lock().unwrap().token(1);
    assert!(admit(&verifier, &token).await.is_ok());
    change(&sender, &verifier, 1).await;
    assert_eq!(admit(&verifier, &token).await.err(), Some(Rejected::Stale));
    assert_eq!(sender.asked(INTROSPECT), 0);
}

#[tokio::test]
async fn a_lasting_token_of_which_the_authority_says_no_is_stale_as_it_was_without_asking() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let token = lasting(&sender, 1, "[1,0,0,0]");
    change(&sender, &verifier, 1).await;
    sender.says(&token, r#"{"active":false}"#);
    assert_eq!(admit(&verifier, &token).await.err(), Some(Rejected::Stale));
    // Neither does an answer count that is about another token, or that says nothing new.
    let unknown = Some(Rejected::Unverifiable(Unknown::Session));
    for (number, ver) in [(2, "[1,1,0,0]"), (1, "[1,0,0,0]")] {
        says(&sender, &token, number, ver, "manager");
        assert_eq!(admit(&verifier, &token).await.err(), unknown);
    }
}
