//! Tickets: redeemed at the authority, and what they earned checked like any token.

use crate::authority::{Answer, Authority};
use crate::tokens::{AUDIENCE, claims, key};
use symbolon_verify::{Algorithm, Now, Policy, Reason, Rejected, Type, Unknown, Verifier};
use symbolon_wire::SigningKey;

const REDEEM: &str = "/v1/tickets/redeem";

/// A token of this issuer that is good now; the audience may be another.
fn token(authority: &Authority, key: &SigningKey, audience: &str) -> String {
    let now = Now::read().wall.as_seconds();
    let (iat, exp) = (now.to_string(), (now + 300).to_string());
    let aud = format!("\"{audience}\"");
    let changes = [("iat", &*iat), ("exp", &exp), ("aud", &aud)];
    key.sign(Type::AccessTokenJwt, claims(&authority.issuer, &changes).as_bytes()).unwrap()
}

async fn stage() -> (Authority, SigningKey, Verifier) {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let verifier = Verifier::builder(&authority.issuer)
        .audience(AUDIENCE)
        .introspection("sym_ak_test")
        .connect()
        .await
        .unwrap();
    (authority, key, verifier)
}

fn earning(authority: &Authority, token: &str) {
    authority.answers(REDEEM, Answer::ok(format!(r#"{{"access_token":"{token}"}}"#)));
}

#[tokio::test]
async fn a_ticket_earns_a_token_that_is_checked_like_any_other() {
    let (authority, key, verifier) = stage().await;
    let own = token(&authority, &key, AUDIENCE);
    earning(&authority, &own);
    let redeemed = verifier.redeem("sym_tk_AAAA", &Policy::default()).await;
    let redeemed = redeemed.ok().unwrap();
    assert_eq!((redeemed.verified.claims().sub, redeemed.token()), ("42", &*own));
    let lacking = verifier.redeem("sym_tk_AAAA", &Policy::default().scope("refund")).await;
    let needed = "refund".into();
    assert_eq!(lacking.err(), Some(Rejected::InsufficientScope { needed }));
    earning(&authority, &token(&authority, &key, "billing"));
    let foreign = verifier.redeem("sym_tk_AAAA", &Policy::default()).await;
    assert_eq!(foreign.err().and_then(|rejected| rejected.reason()), Some("untrusted"));
    assert_eq!(authority.asked(REDEEM), 3);
}

#[tokio::test]
async fn what_the_authority_refuses_is_told_in_a_challenges_words() {
    let (authority, _, verifier) = stage().await;
    let redeem = async || verifier.redeem("sym_tk_AAAA", &Policy::offline()).await;
    let used = Answer::new(409, r#"{"type":"urn:symbolon:already-used"}"#);
    authority.answers(REDEEM, used);
    assert_eq!(redeem().await.err(), Some(Rejected::Expired));
    let over = Answer::new(409, r#"{"type":"urn:symbolon:session-ended","reason":"kicked"}"#);
    authority.answers(REDEEM, over);
    let ended = Some(Reason::Kicked);
    assert_eq!(redeem().await.err(), Some(Rejected::Revoked { ended }));
    authority.answers(REDEEM, Answer::new(503, ""));
    assert_eq!(redeem().await.err(), Some(Rejected::Unverifiable(Unknown::Session)));
    let counted = verifier.status(std::time::Duration::ZERO).rejected;
    for word in ["expired", "revoked", "unverifiable"] {
        assert!(counted.contains(&(word, 1)), "{counted:?}");
    }
}

#[tokio::test]
async fn text_that_can_be_no_ticket_never_reaches_the_authority() {
    let (authority, _, verifier) = stage().await;
    let long = format!("sym_tk_{}", "A".repeat(250));
    for text in ["", "AAAA", "sym_op_AAAA", "sym_tk_A\"}", "sym_tk_A A", "sym_tk_é", &long] {
        let refused = verifier.redeem(text, &Policy::offline()).await.err();
        assert_eq!(refused.and_then(|rejected| rejected.reason()), Some("malformed"), "{text}");
    }
    assert_eq!(authority.asked(REDEEM), 0);
    let keyless = Verifier::builder(&authority.issuer).audience(AUDIENCE).connect().await.unwrap();
    let refused = keyless.redeem("sym_tk_AAAA", &Policy::offline()).await.err();
    assert_eq!(refused, Some(Rejected::Unverifiable(Unknown::Session)));
    assert_eq!(authority.asked(REDEEM), 0);
}
