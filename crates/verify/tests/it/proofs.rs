//! Tokens that are bound to a key (DPoP, RFC 9449 §7): what lets them in, cold and warm.

use crate::tokens::{AUDIENCE, ISSUED, ISSUER, at, key, keys, token};
use data_encoding::BASE64URL_NOPAD;
use std::sync::atomic::{AtomicU32, Ordering};
use symbolon_verify::{
    Algorithm, Builder, Now, Policy, Presented, Rejected, Timestamp, Unknown, Verified, Verifier,
};
use symbolon_wire::{NewProof, SigningKey};

const BASE: &str = "https://api.example.com";
const ORDERS: &str = "https://api.example.com/orders";
const SECRET: [u8; 32] = [7; 32];

fn builder() -> Builder {
    Verifier::builder(ISSUER).audience(AUDIENCE).public_url(BASE)
}

/// A verifier with nonces, a device, and a token that is bound to it.
struct Scene {
    issuer: SigningKey,
    verifier: Verifier,
    device: SigningKey,
    token: String,
    policy: Policy,
}

impl Scene {
    fn with(builder: Builder) -> Self {
        let (issuer, device) = (key(Algorithm::EdDsa), key(Algorithm::Es256));
        let jkt = BASE64URL_NOPAD.encode(&device.public_jwk().unwrap().thumbprint());
        let token = token(&issuer, &[("cnf", &format!("{{\"jkt\":\"{jkt}\"}}"))]);
        let verifier = builder.offline(keys(&[&issuer])).unwrap();
        Self { issuer, verifier, device, token, policy: Policy::offline() }
    }

    fn new() -> Self {
        Self::with(builder().nonce_secret(SECRET))
    }

    fn show(&self, proof: Option<&str>, now: Now) -> Result<Verified, Rejected> {
        let presented = Presented::dpop(&self.token).request("GET", "/orders").proof(proof);
        self.verifier.verify(&presented, &self.policy, now)
    }

    fn proof(&self, change: impl FnOnce(&mut NewProof<'_>)) -> String {
        self.proof_by(&self.device, None, change)
    }

    fn proof_by(
        &self,
        device: &SigningKey,
        nonce: Option<&str>,
        change: impl FnOnce(&mut NewProof<'_>),
    ) -> String {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let jti = format!("j-{}", MADE.fetch_add(1, Ordering::Relaxed));
        let access_token = Some(&*self.token);
        let at = Timestamp::from_seconds(ISSUED + 1);
        let mut new = NewProof { jti: &jti, method: "GET", url: ORDERS, at, access_token, nonce };
        change(&mut new);
        new.sign(device).unwrap()
    }
}

/// What the client is told to do.
fn told(answer: Result<Verified, Rejected>) -> (String, Option<String>) {
    let rejected = answer.err().unwrap();
    assert_eq!((rejected.status(), rejected.reason()), (401, Some("proof")), "{rejected}");
    let challenge = rejected.challenge();
    let error = challenge.strip_prefix("DPoP error=\"").unwrap().split('"').next().unwrap();
    (error.to_owned(), rejected.dpop_nonce().map(str::to_owned))
}

fn invalid() -> (String, Option<String>) {
    ("invalid_dpop_proof".to_owned(), None)
}

#[test]
fn a_bound_token_is_let_in_with_a_proof_of_its_key_cold_and_warm() {
    let scene = Scene::new();
    for round in 0..3 {
        let proof = scene.proof(|_| {});
        assert_eq!(scene.show(Some(&proof), at(1)).unwrap().claims().sub, "42", "{round}");
    }
    assert_eq!(scene.verifier.status(at(1).monotonic).cache_hits, 2);
}

#[test]
fn a_bound_token_without_its_proof_is_refused_cold_and_warm() {
    let scene = Scene::new();
    for _ in 0..2 {
        let bearer = Presented::bearer(&scene.token).request("GET", "/orders");
        let refused = scene.verifier.verify(&bearer, &scene.policy, at(1)).err();
        assert_eq!(refused, Some(Rejected::Binding));
        assert_eq!(told(scene.show(None, at(1))), invalid());
        assert_eq!(told(scene.show(Some("x"), at(1))), invalid());
        scene.show(Some(&scene.proof(|_| {})), at(1)).unwrap();
    }
}

#[test]
fn a_good_proof_by_another_key_is_no_proof_of_this_one() {
    let scene = Scene::new();
    for alg in [Algorithm::EdDsa, Algorithm::Es256] {
        let stolen = scene.proof_by(&key(alg), None, |_| {});
        let refused = scene.show(Some(&stolen), at(1)).err().unwrap();
        assert_eq!(refused, Rejected::Binding);
        let told = r#"DPoP error="invalid_token", reason="binding", algs="EdDSA ES256 RS256""#;
        assert_eq!(refused.challenge(), told);
        scene.show(Some(&scene.proof(|_| {})), at(1)).unwrap();
    }
}

#[test]
fn a_proof_lets_one_request_in_and_no_second_in_the_same_process() {
    let scene = Scene::new();
    let proof = scene.proof(|_| {});
    scene.show(Some(&proof), at(1)).unwrap();
    for _ in 0..2 {
        assert_eq!(told(scene.show(Some(&proof), at(1))), invalid());
    }
    // Another audience of the same verifier remembers the same proofs; another process has its own.
    let beside = builder().sharing(&scene.verifier).unwrap();
    let presented = Presented::dpop(&scene.token).request("GET", "/orders").proof(Some(&proof));
    assert_eq!(told(beside.verify(&presented, &scene.policy, at(1))), invalid());
    let elsewhere = builder().offline(keys(&[&scene.issuer])).unwrap();
    assert!(elsewhere.verify(&presented, &scene.policy, at(1)).is_ok());
}

#[test]
fn a_request_that_is_refused_for_something_else_uses_no_proof_up() {
    let mut scene = Scene::new();
    let proof = scene.proof(|_| {});
    scene.policy = Policy::offline().scope("orders:write");
    let refused = scene.show(Some(&proof), at(1)).err();
    assert!(matches!(refused, Some(Rejected::InsufficientScope { .. })), "{refused:?}");
    scene.policy = Policy::default();
    assert_eq!(scene.show(Some(&proof), at(1)).err(), Some(Rejected::Ask));
    scene.policy = Policy::offline();
    scene.show(Some(&proof), at(1)).unwrap();
}

#[test]
fn a_proof_for_another_method_url_or_token_is_asked_for_anew() {
    let scene = Scene::new();
    for proof in [
        scene.proof(|new| new.method = "POST"),
        scene.proof(|new| new.url = "https://api.example.com/other"),
        scene.proof(|new| new.url = "https://other.example.com/orders"),
        scene.proof(|new| new.access_token = Some("another token")),
        scene.proof(|new| new.access_token = None),
    ] {
        assert_eq!(told(scene.show(Some(&proof), at(1))), invalid());
    }
    let spelled = scene.proof(|new| new.url = "HTTPS://API.example.com:443/./orders?a=b#c");
    scene.show(Some(&spelled), at(1)).unwrap();
}

#[test]
fn a_clock_that_is_ten_minutes_off_is_offered_a_nonce_with_which_it_does_not_matter() {
    let scene = Scene::new();
    for made in [ISSUED - 599, ISSUED + 601] {
        let made = Timestamp::from_seconds(made);
        let (error, nonce) = told(scene.show(Some(&scene.proof(|new| new.at = made)), at(1)));
        assert_eq!(error, "use_dpop_nonce");
        let nonce = nonce.unwrap();
        let proof = scene.proof_by(&scene.device, Some(&nonce), |new| new.at = made);
        scene.show(Some(&proof), at(1)).unwrap();
        let late = scene.proof_by(&scene.device, Some(&nonce), |new| new.at = made);
        assert_eq!(told(scene.show(Some(&late), at(200))).0, "use_dpop_nonce");
    }
    let foreign = scene.proof(|new| new.nonce = Some("somebody's"));
    assert_eq!(told(scene.show(Some(&foreign), at(1))).0, "use_dpop_nonce");
}

#[test]
fn without_a_secret_and_a_feed_no_nonce_is_offered() {
    let scene = Scene::with(builder());
    let late = scene.proof(|new| new.at = Timestamp::from_seconds(ISSUED - 600));
    assert_eq!(told(scene.show(Some(&late), at(1))), invalid());
    let foreign = scene.proof(|new| new.nonce = Some("somebody's"));
    scene.show(Some(&foreign), at(1)).unwrap();
}

#[test]
fn who_was_not_told_where_it_is_reached_checks_whole_urls_alone() {
    let scene = Scene::with(Verifier::builder(ISSUER).audience(AUDIENCE));
    let proof = scene.proof(|_| {});
    let unknown = Some(Rejected::Unverifiable(Unknown::Url));
    assert_eq!(scene.show(Some(&proof), at(1)).err(), unknown);
    let unaddressed = Presented::dpop(&scene.token).proof(Some(&proof));
    assert_eq!(scene.verifier.verify(&unaddressed, &scene.policy, at(1)).err(), unknown);
    let whole = unaddressed.request("GET", ORDERS);
    scene.verifier.verify(&whole, &scene.policy, at(1)).unwrap();
}

#[test]
fn a_path_that_a_proxy_took_away_is_named_in_the_public_url() {
    let scene = Scene::with(builder().public_url("https://example.com/api/"));
    let proof = scene.proof(|new| new.url = "https://example.com/api/orders");
    scene.show(Some(&proof), at(1)).unwrap();
}

#[test]
fn a_policy_that_only_reports_lets_bound_tokens_in_and_counts_them() {
    let mut scene = Scene::new();
    scene.policy = Policy::offline().report_bindings();
    let bearer = Presented::bearer(&scene.token);
    for _ in 0..2 {
        scene.verifier.verify(&bearer, &scene.policy, at(1)).unwrap();
    }
    scene.show(Some(&scene.proof(|_| {})), at(1)).unwrap();
    assert_eq!(scene.verifier.status(at(1).monotonic).bindings_reported, 2);
}
