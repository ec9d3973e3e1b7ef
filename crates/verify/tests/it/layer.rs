//! Servers of other people's making, guarded by the layer.

use crate::tokens::{AUDIENCE, ISSUER, key, keys, token, verifier};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use data_encoding::BASE64URL_NOPAD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use symbolon_verify::layer::{Admit, Admitted};
use symbolon_verify::{Algorithm, Now, Policy, Timestamp, Verifier};
use symbolon_wire::{NewProof, SigningKey};
use tonic::Code;
use tonic::service::Interceptor;
use tower::ServiceExt;

/// A good token of this moment, with these claims changed.
fn fresh(key: &SigningKey, changes: &[(&str, &str)]) -> String {
    let now = Now::read().wall.as_seconds();
    let (iat, exp) = (now.to_string(), (now + 300).to_string());
    token(key, &[&[("iat", &*iat), ("exp", &*exp)], changes].concat())
}

/// An API of one route behind the layer, and how often its handler was called.
struct Api {
    router: Router,
    called: Arc<AtomicUsize>,
}

impl Api {
    fn new(key: &SigningKey) -> Self {
        let called = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&called);
        let handler = async move |admitted: Admitted| {
            count.fetch_add(1, Ordering::SeqCst);
            format!("the orders of {}", admitted.claims().sub)
        };
        let admit = Admit::new(verifier(key), Policy::offline().scope("orders:read"));
        let router = Router::new().route("/orders", get(handler)).layer(admit);
        Self { router, called }
    }

    /// The answer to a request with these `Authorization` headers.
    async fn ask(&self, authorization: &[&str]) -> Response<Body> {
        let mut request = Request::get("/orders");
        for value in authorization {
            request = request.header(AUTHORIZATION, *value);
        }
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    fn called(&self) -> usize {
        self.called.load(Ordering::SeqCst)
    }
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn challenge(response: &Response<Body>) -> &str {
    response.headers()[WWW_AUTHENTICATE].to_str().unwrap()
}

#[tokio::test]
async fn a_handler_is_told_who_was_let_in() {
    let key = key(Algorithm::EdDsa);
    let api = Api::new(&key);
    let answer = api.ask(&[&format!("Bearer {}", fresh(&key, &[]))]).await;
    assert_eq!((answer.status(), api.called()), (StatusCode::OK, 1));
    assert_eq!(text(answer).await, "the orders of 42");
}

#[tokio::test]
async fn whoever_is_not_let_in_never_reaches_the_handler_and_is_told_what_to_do() {
    let key = key(Algorithm::EdDsa);
    let api = Api::new(&key);
    let expired = token(&key, &[]);
    for (authorization, said) in [
        (vec![], "Bearer"),
        (vec!["Basic YTpi".to_owned()], "Bearer"),
        (vec![format!("Bearer {expired}")], r#"Bearer error="invalid_token", reason="expired""#),
        (vec!["Bearer a.b".to_owned()], r#"Bearer error="invalid_token", reason="malformed""#),
    ] {
        let authorization: Vec<_> = authorization.iter().map(String::as_str).collect();
        let answer = api.ask(&authorization).await;
        assert_eq!((answer.status(), challenge(&answer)), (StatusCode::UNAUTHORIZED, said));
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(text(answer).await, "");
    }
    assert_eq!(api.called(), 0);
}

#[tokio::test]
async fn a_request_with_two_tokens_shows_none() {
    let key = key(Algorithm::EdDsa);
    let api = Api::new(&key);
    let good = format!("Bearer {}", fresh(&key, &[]));
    let answer = api.ask(&[&good, &good]).await;
    assert_eq!((answer.status(), api.called()), (StatusCode::UNAUTHORIZED, 0));
}

#[tokio::test]
async fn a_good_token_without_the_scope_is_forbidden() {
    let key = key(Algorithm::EdDsa);
    let api = Api::new(&key);
    let answer = api.ask(&[&format!("Bearer {}", fresh(&key, &[("scope", "\"profile\"")]))]).await;
    assert_eq!((answer.status(), api.called()), (StatusCode::FORBIDDEN, 0));
    let said = r#"Bearer error="insufficient_scope", scope="orders:read""#;
    assert_eq!(challenge(&answer), said);
}

#[tokio::test]
async fn a_handler_without_a_layer_before_it_answers_nobody() {
    let handler = async |admitted: Admitted| admitted.claims().sub.to_owned();
    let open = Router::new().route("/orders", get(handler));
    let key = key(Algorithm::EdDsa);
    let bearer = format!("Bearer {}", fresh(&key, &[]));
    let request = Request::get("/orders").header(AUTHORIZATION, bearer);
    let answer = open.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[test]
fn an_interceptor_lets_a_call_through_with_its_claims() {
    let key = key(Algorithm::EdDsa);
    let mut admit = Admit::new(verifier(&key), Policy::offline().scope("orders:read"));
    let call = |token: &str| {
        let mut request = tonic::Request::new(());
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        request
    };
    let passed = admit.call(call(&fresh(&key, &[]))).unwrap();
    assert_eq!(passed.extensions().get::<Admitted>().unwrap().claims().sub, "42");
    let refused = admit.call(call(&token(&key, &[]))).unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let said = refused.metadata().get("www-authenticate").unwrap().to_str().unwrap();
    assert_eq!(said, r#"Bearer error="invalid_token", reason="expired""#);
    let refused = admit.call(call(&fresh(&key, &[("scope", "")]))).unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(admit.call(tonic::Request::new(())).unwrap_err().code(), Code::Unauthenticated);
}

#[test]
fn an_interceptor_that_cannot_know_says_that_it_is_unavailable() {
    let key = key(Algorithm::EdDsa);
    let mut admit = Admit::new(verifier(&key), Policy::default());
    let mut request = tonic::Request::new(());
    let value = format!("Bearer {}", fresh(&key, &[])).parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    assert_eq!(admit.call(request).unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_bound_token_is_let_in_with_the_proof_of_this_request_whatever_host_it_names() {
    let (issuer, device) = (key(Algorithm::EdDsa), key(Algorithm::Es256));
    let jkt = BASE64URL_NOPAD.encode(&device.public_jwk().unwrap().thumbprint());
    let token = fresh(&issuer, &[("cnf", &format!("{{\"jkt\":\"{jkt}\"}}"))]);
    let verifier = Verifier::builder(ISSUER)
        .audience(AUDIENCE)
        .public_url("https://api.example.com")
        .nonce_secret([7; 32])
        .offline(keys(&[&issuer]))
        .unwrap();
    let handler = async move |admitted: Admitted| admitted.claims().sub.to_owned();
    let router = Router::new().route("/orders", get(handler));
    let router = router.layer(Admit::new(verifier, Policy::offline()));
    let proof = |jti: &str, url: &str, ago: u64| {
        let at = Timestamp::from_seconds(Now::read().wall.as_seconds() - ago);
        let access_token = Some(&*token);
        let new = NewProof { jti, method: "GET", url, at, access_token, nonce: None };
        new.sign(&device).unwrap()
    };
    let ask = async |proofs: &[String]| {
        let request =
            Request::get("https://evil.example/orders?a=b").header("host", "evil.example");
        let mut request = request.header(AUTHORIZATION, format!("DPoP {token}"));
        for proof in proofs {
            request = request.header("dpop", proof);
        }
        router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let own = "https://api.example.com/orders";
    assert_eq!(ask(&[proof("1", own, 0)]).await.status(), StatusCode::OK);
    let late = ask(&[proof("2", own, 600)]).await;
    assert!(challenge(&late).starts_with("DPoP error=\"use_dpop_nonce\""), "{late:?}");
    assert_eq!(late.headers()["dpop-nonce"].len(), 22);
    for proofs in [
        vec![],
        vec![proof("3", "https://evil.example/orders", 0)],
        vec![proof("4", own, 0), proof("5", own, 0)],
    ] {
        let refused = ask(&proofs).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert!(challenge(&refused).starts_with("DPoP error=\"invalid_dpop_proof\""));
        assert!(!refused.headers().contains_key("dpop-nonce"));
    }
}

#[tokio::test]
async fn the_layer_reads_features_itself_and_is_told_where_requests_come_from() {
    let issuer = key(Algorithm::EdDsa);
    let token = fresh(&issuer, &[("cnf", &crate::surroundings::bound())]);
    let handler = async move |admitted: Admitted| admitted.claims().sub.to_owned();
    let router = Router::new().route("/orders", get(handler));
    let admit = Admit::new(verifier(&issuer), Policy::offline());
    let ask = async |admit: &Admit, features: &str, from: &str| {
        let mut request = Request::get("/orders")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header("x-symbolon-features", features)
            .body(Body::empty())
            .unwrap();
        request.extensions_mut().insert(from.parse::<IpAddr>().unwrap());
        let answer = router.clone().layer(admit.clone()).oneshot(request).await.unwrap();
        let said = answer.headers().get(WWW_AUTHENTICATE).map(|said| said.to_str().unwrap());
        (answer.status(), said.unwrap_or_default().contains("reason=\"binding\""))
    };
    let (own, home) = (crate::surroundings::OWN, crate::surroundings::HOME);
    let refused = StatusCode::UNAUTHORIZED;
    assert_eq!(ask(&admit, own, home).await, (refused, false), "nobody said from where");
    let told = admit.ip_from(|extensions, _| extensions.get().copied());
    assert_eq!(ask(&told, own, home).await, (StatusCode::OK, false));
    assert_eq!(ask(&told, "curl", home).await, (refused, true));
    assert_eq!(ask(&told, own, "198.51.100.7").await, (refused, true));

    let mut called = tonic::Request::new(());
    let metadata = called.metadata_mut();
    metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
    metadata.insert("x-symbolon-features", own.parse().unwrap());
    called.extensions_mut().insert(home.parse::<IpAddr>().unwrap());
    assert!(told.clone().call(called).is_ok());
}
