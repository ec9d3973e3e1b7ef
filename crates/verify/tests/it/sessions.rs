//! Waiting for the end of a session.

use crate::follow::until;
use crate::sender::{Fault, Sender};
use crate::tokens::claims;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use symbolon_verify::{Policy, Presented, Reason, Type, Verified, Verifier};
use symbolon_wire::session_id_text;
use tokio::time::timeout;

fn verified(sender: &Sender, verifier: &Verifier, number: u64) -> Verified {
    let token = sender.script.lock().unwrap().token(number);
    verifier.verify(&Presented::bearer(&token), &Policy::offline(), sender.reading()).unwrap()
}

async fn soon(ended: symbolon_verify::Ended) -> Option<Reason> {
    timeout(Duration::from_secs(20), ended).await.expect("it never resolved")
}

fn watched(sender: &Arc<Sender>, verifier: &Verifier) -> usize {
    verifier.status(sender.reading().monotonic).watched
}

#[tokio::test]
async fn the_end_of_a_session_reaches_who_waits_for_it_and_nobody_else() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let (one, again, other) = (1, 1, 2);
    let [one, again, other] = [one, again, other].map(|n| verified(&sender, &verifier, n).ended());
    sender.does(|script| script.kick(1));
    assert_eq!(soon(one).await, Some(Reason::Kicked));
    assert_eq!(soon(again).await, Some(Reason::Kicked));
    assert_eq!(watched(&sender, &verifier), 1);
    drop(other);
    assert_eq!(watched(&sender, &verifier), 0, "whoever does not wait any more is not watched");
}

#[tokio::test]
async fn a_ban_ends_every_session_of_its_subject() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let (one, two) = (verified(&sender, &verifier, 1), verified(&sender, &verifier, 2));
    let (one, two) = (one.ended(), two.ended());
    sender.does(|script| script.ban("somebody else"));
    sender.does(|script| script.ban("42"));
    assert_eq!(soon(one).await, Some(Reason::Banned));
    assert_eq!(soon(two).await, Some(Reason::Banned));
}

/// Whoever signs in after a ban was lifted is above its bound, however late the event comes.
#[tokio::test]
async fn a_bound_ends_nothing_that_was_born_above_it() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let born_above = token_with(&sender, &[("ver", "[1,1,0,0]")]);
    let presented = Presented::bearer(&born_above);
    let mut above = verifier.admit(&presented, &Policy::default()).await.unwrap().ended();
    let below = verified(&sender, &verifier, 2).ended();
    sender.does(|script| script.ban("42"));
    assert_eq!(soon(below).await, Some(Reason::Banned));
    assert!(timeout(Duration::from_millis(100), &mut above).await.is_err());
}

fn token_with(sender: &Sender, changes: &[(&str, &str)]) -> String {
    let script = sender.script.lock().unwrap();
    let sid = format!("\"{}\"", session_id_text(crate::script::session(1)));
    let exp = (crate::script::BEGIN + 3000).to_string();
    let changes = [&[("sid", &*sid), ("exp", &exp)], changes].concat();
    script.key.sign(Type::AccessTokenJwt, claims(&script.issuer, &changes).as_bytes()).unwrap()
}

#[tokio::test]
async fn who_begins_to_wait_after_the_end_hears_of_it_too() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let verified = verified(&sender, &verifier, 1);
    sender.does(|script| script.kick(1));
    until("it is known", || sender.judged(&verifier, 1, &Policy::offline()).is_err()).await;
    assert_eq!(soon(verified.ended()).await, Some(Reason::Kicked));
}

/// The renewed token, with another name, is the same session's.
#[tokio::test]
async fn a_renewal_ends_nothing_and_the_end_comes_after_it() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let mut ended = verified(&sender, &verifier, 1).ended();
    let renewed = token_with(&sender, &[("jti", "\"k\"")]);
    assert!(verifier.admit(&Presented::bearer(&renewed), &Policy::default()).await.is_ok());
    assert!(timeout(Duration::from_millis(300), &mut ended).await.is_err());
    sender.does(|script| script.kick(1));
    assert_eq!(soon(ended).await, Some(Reason::Kicked));
}

#[tokio::test]
async fn after_a_resync_open_sessions_are_asked_about() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let (one, two) = (verified(&sender, &verifier, 1), verified(&sender, &verifier, 2));
    let (one, two) = (one.ended(), two.ended());
    let sid = session_id_text(crate::script::session(1));
    // The first answer is lost; the question comes again.
    sender.fails(&[("/v1/feed/ended", Fault::Status(503))]);
    sender.says_ended(json!({"ended": [{"session_id": sid, "reason": "idle"}]}));
    // A restored store that has lost the event: nothing in the feed tells of it any more.
    sender.does(|script| script.restore(0));
    until("it was asked", || sender.asked("/v1/feed/ended") == 1).await;
    sender.fails(&[]);
    assert_eq!(soon(one).await, Some(Reason::Idle));
    drop(verifier);
    assert_eq!(soon(two).await, None, "nobody watches any more");
}

#[tokio::test]
async fn without_a_feed_nobody_watches() {
    let sender = Sender::start().await;
    let issuer = sender.script.lock().unwrap().issuer.clone();
    let fed = sender.connect().await;
    let builder = Verifier::builder(&issuer).audience(crate::tokens::AUDIENCE);
    let verifier = builder.connect().await.unwrap();
    assert_eq!(soon(verified(&sender, &verifier, 1).ended()).await, None);
    let verified = verified(&sender, &fed, 1);
    drop(fed);
    assert_eq!(soon(verified.ended()).await, None);
}
