//! Tokens for one use: the authority is told of each, and lets one in.

use crate::authority::{Answer, Authority, INTROSPECT};
use crate::tokens::{AUDIENCE, claims, key};
use symbolon_verify::{Algorithm, Now, Policy, Presented, Rejected, Type, Unknown, Verifier};

const REDEEM: &str = "/v1/tokens/redeem";

/// A verifier, its authority, and a token for one use that is good now.
async fn stage() -> (Authority, Verifier, String) {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let builder = Verifier::builder(&authority.issuer).audience(AUDIENCE);
    let verifier = builder.introspection("sym_ak_test").connect().await.unwrap();
    let now = Now::read().wall.as_seconds();
    let (iat, exp) = (now.to_string(), (now + 300).to_string());
    let changes = [("iat", &*iat), ("exp", &exp), ("one_use", "true")];
    let claims = claims(&authority.issuer, &changes);
    let token = key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap();
    (authority, verifier, token)
}

async fn admit(verifier: &Verifier, token: &str, policy: &Policy) -> Result<(), Rejected> {
    verifier.admit(&Presented::bearer(token), policy).await.map(|_| ())
}

#[tokio::test]
async fn a_token_for_one_use_is_redeemed_for_every_request_and_never_kept() {
    let (authority, verifier, token) = stage().await;
    authority.answers(REDEEM, Answer::ok(r#"{"active":true}"#));
    for times in 1..=3 {
        assert_eq!(admit(&verifier, &token, &Policy::offline()).await, Ok(()));
        assert_eq!(authority.asked(REDEEM), times);
    }
    authority.answers(REDEEM, Answer::new(409, r#"{"type":"urn:symbolon:already-used"}"#));
    assert_eq!(admit(&verifier, &token, &Policy::offline()).await, Err(Rejected::Used));
    assert_eq!(authority.asked(INTROSPECT), 0, "an answer that others share would be no use");
    let looked =
        verifier.check(&Presented::bearer(&token), &Policy::offline(), Now::read(), |_| ());
    assert_eq!(looked, Err(Rejected::Ask), "who cannot wait lets nobody in");
}

#[tokio::test]
async fn a_request_that_the_token_does_not_suffice_for_does_not_use_it_up() {
    let (authority, verifier, token) = stage().await;
    let needed = "refund".into();
    let lacking = admit(&verifier, &token, &Policy::offline().scope("refund")).await;
    assert_eq!(lacking, Err(Rejected::InsufficientScope { needed }));
    assert_eq!(authority.asked(REDEEM), 0);
}

#[tokio::test]
async fn who_cannot_redeem_lets_nobody_in() {
    let (authority, verifier, token) = stage().await;
    authority.answers(REDEEM, Answer::new(503, ""));
    let away = Err(Rejected::Unverifiable(Unknown::Session));
    assert_eq!(admit(&verifier, &token, &Policy::offline()).await, away);
    let keyless = Verifier::builder(&authority.issuer).audience(AUDIENCE).connect().await.unwrap();
    assert_eq!(admit(&keyless, &token, &Policy::offline()).await, away);
}
