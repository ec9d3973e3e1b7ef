//! Tokens that leave out roles and claims, which are asked for once.

use crate::authority::INTROSPECT;
use crate::follow::until;
use crate::script::session;
use crate::sender::Sender;
use crate::tokens::{at, claims, key, token, verifier};
use std::sync::Arc;
use std::time::Duration;
use symbolon_verify::{
    Algorithm, Policy, Presented, Reason, Rejected, Type, Unknown, Verified, Verifier,
};
use symbolon_wire::session_id_text;
use tokio::sync::Semaphore;

/// A token of a session: which one it is of that session's, its counters, and what it calls what it leaves out.
#[derive(Clone, Copy)]
struct Thin {
    session: u64,
    jti: &'static str,
    counter: u64,
    rights: &'static str,
}

const FIRST: Thin = Thin { session: 1, jti: "\"a\"", counter: 0, rights: "\"name-of-clerk\"" };

impl Thin {
    fn claims(self, sender: &Sender, more: &[(&str, &str)]) -> String {
        let issuer = sender.script.lock().unwrap().issuer.clone();
        // To the hour, so that every question is answered alike.
        let hour = sender.reading().wall.as_seconds() / 3600 * 3600;
        let (iat, exp) = ((hour - 3600).to_string(), (hour + 7200).to_string());
        let sid = format!("\"{}\"", session_id_text(session(self.session)));
        let ver = format!("[1,{},0,0]", self.counter);
        let own = [("sid", &*sid), ("jti", self.jti), ("ver", &ver), ("iat", &iat), ("exp", &exp)];
        claims(&issuer, &[&own[..], &[("roles", ""), ("rights", self.rights)], more].concat())
    }

    fn token(self, sender: &Sender) -> String {
        let claims = self.claims(sender, &[]);
        let script = sender.script.lock().unwrap();
        script.key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap()
    }

    /// From now on the authority says that this is what the token leaves out.
    fn told(self, sender: &Sender, more: &[(&str, &str)]) -> String {
        let token = self.token(sender);
        let told = self.claims(sender, more);
        sender.says(&token, &told.replacen('{', "{\"active\":true,\"token_type\":\"Bearer\",", 1));
        token
    }
}

const CLERK: [(&str, &str); 2] = [("roles", "[\"clerk\",\"cook\"]"), ("plan", "\"pro\"")];

async fn admit(verifier: &Verifier, token: &str) -> Result<Verified, Rejected> {
    verifier.admit(&Presented::bearer(token), &Policy::default()).await
}

fn said(verified: &Verified) -> String {
    let claims = verified.claims();
    let roles: Vec<_> = claims.roles().collect();
    format!("{} {}", roles.join(" "), claims.extra("plan").unwrap_or("none"))
}

/// Roles and plan of whom a token lets in.
async fn rights(verifier: &Verifier, token: &str) -> Result<String, Rejected> {
    admit(verifier, token).await.map(|verified| said(&verified))
}

#[tokio::test]
async fn what_a_token_leaves_out_is_asked_for_once_for_all_that_leave_out_the_same() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let token = FIRST.told(&sender, &CLERK);
    let check = |token: &str, policy: &Policy| {
        let presented = Presented::bearer(token);
        verifier.verify(&presented, policy, sender.reading()).map(|verified| said(&verified))
    };
    let strict = Policy::strict(Duration::from_secs(5));
    for policy in [&strict, &Policy::default(), &Policy::offline()] {
        assert_eq!(check(&token, policy), Err(Rejected::Ask), "who cannot wait is told to ask");
    }
    let known = "clerk cook \"pro\"";
    for _ in 0..20 {
        assert_eq!(rights(&verifier, &token).await.as_deref(), Ok(known));
    }
    for policy in [&strict, &Policy::default(), &Policy::offline()] {
        assert_eq!(check(&token, policy).as_deref(), Ok(known));
    }
    // Of which the authority would say nothing.
    let renewed = Thin { jti: "\"b\"", ..FIRST }.token(&sender);
    let elsewhere = Thin { session: 2, jti: "\"c\"", ..FIRST }.token(&sender);
    for token in [&renewed, &elsewhere] {
        assert_eq!(check(token, &strict).as_deref(), Ok(known));
        assert_eq!(rights(&verifier, token).await.as_deref(), Ok(known));
    }
    assert_eq!(sender.asked(INTROSPECT), 1);
}

#[tokio::test]
async fn a_change_makes_the_token_stale_and_the_next_one_is_asked_about_once() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let token = FIRST.told(&sender, &CLERK);
    assert!(admit(&verifier, &token).await.is_ok());
    sender.does(|script| script.change("42", 1));
    let refused = || {
        let presented = Presented::bearer(&token);
        verifier.verify(&presented, &Policy::default(), sender.reading()).err()
    };
    until("the change is known", || refused() == Some(Rejected::Stale)).await;
    let next = Thin { jti: "\"b\"", counter: 1, rights: "\"name-of-manager\"", ..FIRST };
    let next = next.told(&sender, &[("roles", "[\"manager\"]")]);
    for _ in 0..5 {
        assert_eq!(rights(&verifier, &next).await.as_deref(), Ok("manager none"));
        assert_eq!(admit(&verifier, &token).await.err(), Some(Rejected::Stale));
    }
    assert_eq!(sender.asked(INTROSPECT), 2);
}

#[tokio::test]
async fn the_end_of_a_session_is_told_whether_its_rights_are_known_or_not() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let known = FIRST.told(&sender, &CLERK);
    assert!(admit(&verifier, &known).await.is_ok());
    let unknown = Thin { jti: "\"b\"", rights: "\"another-name\"", ..FIRST }.token(&sender);
    sender.does(|script| script.kick(1));
    let ended = Some(Rejected::Revoked { ended: Some(Reason::Kicked) });
    for token in [&known, &unknown] {
        let refused = || {
            let presented = Presented::bearer(token);
            verifier.verify(&presented, &Policy::default(), sender.reading()).err()
        };
        until("the end is known", || refused() == ended).await;
        assert_eq!(admit(&verifier, token).await.err(), ended);
    }
    assert_eq!(sender.asked(INTROSPECT), 1);
}

#[tokio::test]
async fn nobody_is_let_in_without_what_their_token_leaves_out() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let token = FIRST.token(&sender);
    // An authority of another kind, which only says yes; one that speaks of another token.
    let other = Thin { session: 2, ..FIRST }.claims(&sender, &CLERK);
    let other = other.replacen('{', "{\"active\":true,", 1);
    for answer in [r#"{"active":true}"#, &other, "{}"] {
        sender.says(&token, answer);
        let refused = admit(&verifier, &token).await.err();
        assert_eq!(refused, Some(Rejected::Unverifiable(Unknown::Session)), "{answer}");
    }
    // The session has other rights by now: whoever renews gets a token that names them.
    let now = FIRST.claims(&sender, &[("rights", "\"another-name\""), ("roles", "[\"owner\"]")]);
    sender.says(&token, &now.replacen('{', "{\"active\":true,", 1));
    assert_eq!(admit(&verifier, &token).await.err(), Some(Rejected::Stale));
    FIRST.told(&sender, &CLERK);
    assert_eq!(rights(&verifier, &token).await.as_deref(), Ok("clerk cook \"pro\""));
}

#[tokio::test]
async fn many_requests_with_one_unknown_token_ask_no_more_than_twice() {
    let sender = Sender::start().await;
    let (verifier, gate) = (sender.connect().await, Arc::new(Semaphore::new(0)));
    let token = FIRST.told(&sender, &CLERK);
    sender.holds_back(&gate);
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { rights(&verifier, &token).await })
        })
        .collect();
    until("it is asked about", || sender.asked(INTROSPECT) == 1).await;
    gate.add_permits(1000);
    for one in asking {
        assert_eq!(one.await.unwrap().as_deref(), Ok("clerk cook \"pro\""));
    }
    assert!(sender.asked(INTROSPECT) <= 2, "{}", sender.asked(INTROSPECT));
}

#[test]
fn a_verifier_that_has_nobody_to_ask_lets_no_thin_token_in() {
    let key = key(Algorithm::EdDsa);
    let thin = token(&key, &[("roles", ""), ("rights", "\"a-name\"")]);
    for policy in [Policy::default(), Policy::offline()] {
        let refused = verifier(&key).verify(&Presented::bearer(&thin), &policy, at(1)).err();
        assert_eq!(refused, Some(Rejected::Unverifiable(Unknown::Opaque)));
    }
}
