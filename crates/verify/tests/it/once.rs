//! Tokens for one use: the authority is told of each, and lets one in.

use crate::authority::{Answer, Authority, INTROSPECT, REDEEM};
use crate::encrypted::{drawn, sealed};
use crate::tokens::{AUDIENCE, claims, key};
use data_encoding::BASE64URL_NOPAD;
use symbolon_verify::{
    Algorithm, Builder, Now, Policy, Presented, Rejected, Type, Unknown, Verifier,
};
use symbolon_wire::{KeyManagement, NewProof};

/// A verifier, its authority, and a token for one use that is good now.
async fn stage() -> (Authority, Verifier, String) {
    stage_with("", |builder| builder).await
}

/// The same of a token with that `cnf`, if it is not empty.
async fn stage_with(
    cnf: &str,
    build: impl FnOnce(Builder) -> Builder,
) -> (Authority, Verifier, String) {
    let key = key(Algorithm::EdDsa);
    let authority = Authority::start(&[&key]).await;
    let builder = build(Verifier::builder(&authority.issuer).audience(AUDIENCE));
    let verifier = builder.introspection("sym_ak_test").connect().await.unwrap();
    let now = Now::read().wall.as_seconds();
    let (iat, exp) = (now.to_string(), (now + 300).to_string());
    let changes = [("iat", &*iat), ("exp", &exp), ("one_use", "true"), ("cnf", cnf)];
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

#[tokio::test]
async fn a_bound_token_is_used_up_by_a_good_proof_alone_and_by_none_that_came_before() {
    const BASE: &str = "https://api.example.com";
    let device = key(Algorithm::Es256);
    let jkt = BASE64URL_NOPAD.encode(&device.public_jwk().unwrap().thumbprint());
    let cnf = format!("{{\"jkt\":\"{jkt}\"}}");
    let (authority, verifier, token) =
        stage_with(&cnf, |builder| builder.public_url(BASE).nonce_secret([7; 32])).await;
    authority.answers(REDEEM, Answer::ok(r#"{"active":true}"#));
    let (url, at) = (format!("{BASE}/pay"), Now::read().wall);
    let proof = |jti: &str, method: &str| {
        let access_token = Some(&*token);
        NewProof { jti, method, url: &url, at, access_token, nonce: None }.sign(&device).unwrap()
    };
    let show = async |proof: Option<&str>| {
        let presented = Presented::dpop(&token).request("POST", "/pay").proof(proof);
        let shown = verifier.admit(&presented, &Policy::offline()).await;
        shown.map_err(|why| why.reason()).map(|_| ())
    };
    assert_eq!(admit(&verifier, &token, &Policy::offline()).await, Err(Rejected::Binding));
    assert_eq!(show(None).await, Err(Some("proof")));
    assert_eq!(show(Some(&proof("a", "GET"))).await, Err(Some("proof")));
    assert_eq!(authority.asked(REDEEM), 0, "nothing is used up without a proof");
    let good = proof("b", "POST");
    assert_eq!(show(Some(&good)).await, Ok(()));
    assert_eq!(show(Some(&good)).await, Err(Some("proof")));
    assert_eq!(authority.asked(REDEEM), 1, "nor by one that was overheard");
}

#[tokio::test]
async fn of_an_encrypted_token_what_was_signed_is_redeemed() {
    let (seals, opens) = drawn(KeyManagement::EcdhEsA256Kw);
    let (authority, verifier, token) = stage_with("", |builder| builder.decrypt_with(opens)).await;
    authority.answers(REDEEM, Answer::ok(r#"{"active":true}"#));
    assert_eq!(admit(&verifier, &sealed(&seals, &token), &Policy::offline()).await, Ok(()));
    let (_, asked) = authority.last();
    assert!(asked.contains(&token), "the authority opens no other's tokens: {asked}");
}
