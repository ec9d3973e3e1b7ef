//! The allow list: a token is good once the authority has said so, and not before.

use crate::authority::{Authority, INTROSPECT};
use crate::follow::until;
use crate::sender::{Fault, Sender};
use crate::tokens::{AUDIENCE, key, keys};
use std::sync::Arc;
use std::time::Duration;
use symbolon_verify::{
    Algorithm, KeySet, Policy, Presented, Reason, Rejected, SetupError, Unknown, Verifier,
};

async fn listing(sender: &Arc<Sender>) -> Verifier {
    sender.builder().allowlist(true).connect().await.unwrap()
}

async fn admit(verifier: &Verifier, token: &str, policy: &Policy) -> Result<(), Rejected> {
    verifier.admit(&Presented::bearer(token), policy).await.map(|_| ())
}

fn token(sender: &Sender, number: u64) -> String {
    sender.script.lock().unwrap().token(number)
}

#[tokio::test]
async fn a_token_is_asked_about_at_its_first_use_and_then_believed_from_memory() {
    let sender = Sender::start().await;
    let (verifier, token) = (listing(&sender).await, token(&sender, 1));
    for policy in [Policy::offline(), Policy::strict(Duration::from_secs(5)), Policy::default()] {
        for _ in 0..5 {
            let looked =
                verifier.check(&Presented::bearer(&token), &policy, sender.reading(), |_| ());
            let expected = if sender.asked(INTROSPECT) == 0 { Err(Rejected::Ask) } else { Ok(()) };
            assert_eq!(looked, expected);
            assert_eq!(admit(&verifier, &token, &policy).await, Ok(()));
        }
    }
    assert_eq!(sender.asked(INTROSPECT), 1);
}

#[tokio::test]
async fn what_the_authority_does_not_know_is_refused_whatever_it_is_signed_with() {
    let sender = Sender::start().await;
    let verifier = listing(&sender).await;
    let forged = token(&sender, 7);
    sender.says(&forged, r#"{"active":false}"#);
    for policy in [Policy::offline(), Policy::default()] {
        let refused = admit(&verifier, &forged, &policy).await;
        assert_eq!(refused, Err(Rejected::Revoked { ended: None }));
    }
    let trusting = sender.connect().await;
    assert_eq!(admit(&trusting, &forged, &Policy::default()).await, Ok(()), "others ask nobody");
}

#[tokio::test]
async fn a_session_that_ends_is_refused_by_the_feed_with_its_reason_and_nobody_is_asked() {
    let sender = Sender::start().await;
    let (verifier, token) = (listing(&sender).await, token(&sender, 1));
    assert_eq!(admit(&verifier, &token, &Policy::default()).await, Ok(()));
    sender.does(|script| script.kick(1));
    until("the end is known", || verifier.status(sender.reading().monotonic).entries == 1).await;
    let kicked = Rejected::Revoked { ended: Some(Reason::Kicked) };
    assert_eq!(admit(&verifier, &token, &Policy::default()).await, Err(kicked));
    assert_eq!(sender.asked(INTROSPECT), 1);
}

#[tokio::test]
async fn a_store_that_was_restored_is_asked_about_everything_anew() {
    let sender = Sender::start().await;
    let (verifier, token) = (listing(&sender).await, token(&sender, 1));
    assert_eq!(admit(&verifier, &token, &Policy::offline()).await, Ok(()));
    sender.says(&token, r#"{"active":false}"#);
    assert_eq!(admit(&verifier, &token, &Policy::offline()).await, Ok(()), "from memory");
    sender.does(|script| script.restore(0));
    let restored = || verifier.status(sender.reading().monotonic).epoch == Some(2);
    until("the other store is known", restored).await;
    let forgotten = Rejected::Revoked { ended: None };
    assert_eq!(admit(&verifier, &token, &Policy::offline()).await, Err(forgotten));
}

#[tokio::test]
async fn while_the_authority_is_away_who_is_listed_stays_and_nobody_new_comes_in() {
    let sender = Sender::start().await;
    let (verifier, known) = (listing(&sender).await, token(&sender, 1));
    assert_eq!(admit(&verifier, &known, &Policy::offline()).await, Ok(()));
    sender.fails(&[(INTROSPECT, Fault::Status(503))]);
    assert_eq!(admit(&verifier, &known, &Policy::offline()).await, Ok(()));
    let away = Rejected::Unverifiable(Unknown::Session);
    assert_eq!(admit(&verifier, &token(&sender, 2), &Policy::offline()).await, Err(away));
}

#[tokio::test]
async fn verifiers_that_share_list_each_for_itself() {
    let sender = Sender::start().await;
    let (verifier, token) = (sender.connect().await, token(&sender, 1));
    let issuer = sender.script.lock().unwrap().issuer.clone();
    let twin = Verifier::builder(&issuer).audience(AUDIENCE).allowlist(true);
    let twin = twin.sharing(&verifier).unwrap();
    assert_eq!(admit(&verifier, &token, &Policy::default()).await, Ok(()));
    assert_eq!(sender.asked(INTROSPECT), 0);
    assert_eq!(admit(&twin, &token, &Policy::default()).await, Ok(()));
    assert_eq!(sender.asked(INTROSPECT), 1);
}

#[tokio::test]
async fn an_allow_list_needs_somebody_to_ask() {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let builder = || Verifier::builder(&authority.issuer).audience(AUDIENCE).allowlist(true);
    let own: KeySet = keys(&[&key]);
    assert_eq!(builder().offline(own).err(), Some(SetupError::NoApiKey));
    assert_eq!(builder().connect_lazily().err(), Some(SetupError::NoApiKey));
    let keyless = Verifier::builder(&authority.issuer).audience(AUDIENCE).connect().await.unwrap();
    assert_eq!(builder().sharing(&keyless).err(), Some(SetupError::NoApiKey));
}
