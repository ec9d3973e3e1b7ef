//! Sessions that are bound to a device's key (DPoP, RFC 9449), its features or its network, at the token endpoint.

use crate::common::{Answer, Ask, Configuration, Device, ISSUER, SERVICE_SECRET, Server};
use serde_json::{Value, json};
use symbolon_wire::Algorithm;

/// Client `web` with this `binding`, behind a proxy on this machine.
async fn bound_by(binding: &str) -> Server {
    let settings = format!("binding = {{ {binding} }}\norigins = [\"https://app.example.com\"]");
    let configuration =
        Configuration::new().client("web", &settings).gateway("trusted_proxies = [\"127.0.0.1\"]");
    Server::configured(&configuration).await
}

/// A session of client `web` that is bound to this device.
async fn sign_in(server: &Server, device: &Device) -> Answer {
    start(server, &json!({"jkt": device.jkt()})).await.expect(201)
}

async fn start(server: &Server, more: &Value) -> Answer {
    let mut body = json!({"subject": "alice", "client_id": "web", "device": {"class": "web"}});
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    server.start_session(&body).await
}

/// Refreshes as a client does: with the nonce that it is told, once it is told one.
async fn renew(server: &Server, device: &Device, token: &str) -> Answer {
    let first = server.ask(device.refresh(token)).await;
    device.heed(&first);
    match first.status.as_u16() {
        400 if first.member("error") == "use_dpop_nonce" => server.ask(device.refresh(token)).await,
        _ => first,
    }
}

#[tokio::test]
async fn tokens_of_a_bound_session_name_its_key_and_are_renewed_by_it() {
    for alg in [Algorithm::Es256, Algorithm::EdDsa] {
        let server = bound_by("key = \"enforce\"").await;
        let device = Device::with(alg);
        let first = sign_in(&server, &device).await;
        let mut refresh = first.text("refresh_token");
        let second = renew(&server, &device, &refresh).await.expect(200);
        for answer in [&first, &second] {
            assert_eq!(answer.member("token_type"), "DPoP", "{answer:?}");
            let claims = server.claims(&answer.text("access_token")).await;
            assert_eq!(claims["cnf"], json!({"jkt": device.jkt()}));
        }
        for _ in 0..3 {
            refresh = renew(&server, &device, &refresh).await.expect(200).text("refresh_token");
        }
    }
}

#[tokio::test]
async fn a_first_proof_is_told_the_nonce_and_every_answer_to_one_brings_the_next() {
    let server = bound_by("key = \"enforce\"").await;
    let device = Device::new();
    let refresh = sign_in(&server, &device).await.text("refresh_token");
    let told = server.ask(device.refresh(&refresh)).await.expect_oauth(400, "use_dpop_nonce", None);
    assert_eq!(told.header("dpop-nonce").len(), 22);
    device.heed(&told);
    let renewed = server.ask(device.refresh(&refresh)).await.expect(200);
    assert_eq!(renewed.header("dpop-nonce").len(), 22);
    let bearer = server.service_token(&[]).await.expect(200);
    assert_eq!(bearer.header("dpop-nonce"), "", "nobody asked");
}

#[tokio::test]
async fn a_page_of_the_client_can_read_the_nonce_and_may_send_proofs() {
    let server = bound_by("key = \"enforce\"").await;
    let device = Device::new();
    let refresh = sign_in(&server, &device).await.text("refresh_token");
    let origin = ("origin", "https://app.example.com");
    let told = server.ask(device.refresh(&refresh).with(origin.0, origin.1)).await.expect(400);
    assert!(told.header("access-control-expose-headers").contains("dpop-nonce"), "{told:?}");
    let asked = server.ask(Ask::new("OPTIONS", "/oauth2/token").with(origin.0, origin.1)).await;
    assert!(asked.header("access-control-allow-headers").contains("dpop"), "{asked:?}");
}

#[tokio::test]
async fn a_valid_proof_by_another_key_or_none_is_theft_and_ends_the_session() {
    let server = bound_by("key = \"enforce\"").await;
    let (device, thief) = (Device::new(), Device::new());
    let first = sign_in(&server, &device).await;
    let theft = renew(&server, &thief, &first.text("refresh_token")).await;
    theft.expect_over("binding_mismatch");
    server.expect_ended(&first.text("session_id"), "binding_mismatch").await;
    let first = sign_in(&server, &device).await;
    server.refresh(&first.text("refresh_token")).await.expect_over("binding_mismatch");
    server.expect_ended(&first.text("session_id"), "binding_mismatch").await;
}

#[tokio::test]
async fn a_proof_that_was_used_is_asked_for_again_and_the_session_lives() {
    let server = bound_by("key = \"enforce\"").await;
    let device = Device::new();
    let first = sign_in(&server, &device).await;
    let refresh = first.text("refresh_token");
    device.heed(&server.ask(device.refresh(&refresh)).await);
    let proof = device.renewing();
    let with = |proof: &str| Ask::refresh("web", &refresh).with("dpop", proof);
    let renewed = server.ask(with(&proof)).await.expect(200);
    for _ in 0..2 {
        server.ask(with(&proof)).await.expect_oauth(400, "invalid_dpop_proof", None);
    }
    let again = server.ask(with(&device.renewing())).await.expect(200);
    assert_eq!(again.text("refresh_token"), renewed.text("refresh_token"));
}

#[tokio::test]
async fn a_proof_for_another_method_url_or_token_is_asked_for_again_and_the_session_lives() {
    let server = bound_by("key = \"enforce\"").await;
    let device = Device::new();
    let refresh = sign_in(&server, &device).await.text("refresh_token");
    device.heed(&server.ask(device.refresh(&refresh)).await);
    let url = format!("{ISSUER}/oauth2/token");
    let node = format!("http://{}/oauth2/token", server.authority);
    let genuine = device.renewing();
    for proof in [
        device.proof("GET", &url, None),
        device.proof("POST", &format!("{ISSUER}/oauth2/revoke"), None),
        device.proof("POST", &node, None),
        device.proof("POST", &url, Some("some token")),
        genuine[..genuine.len() - 4].to_owned(),
        "x".to_owned(),
        String::new(),
        format!("{}, {}", device.renewing(), device.renewing()),
    ] {
        let ask = Ask::refresh("web", &refresh).with("dpop", &proof);
        let refused = server.ask(ask).await.expect_oauth(400, "invalid_dpop_proof", None);
        assert!(!refused.text("error_description").contains(&refresh));
    }
    let two = device.refresh(&refresh).with("dpop", &device.renewing());
    server.ask(two).await.expect_oauth(400, "invalid_dpop_proof", None);
    server.ask(device.refresh(&refresh)).await.expect(200);
}

#[tokio::test]
async fn a_clock_that_is_ten_minutes_off_is_told_the_nonce_and_then_does_not_matter() {
    let server = bound_by("key = \"enforce\"").await;
    for ahead in [-600, 600] {
        let device = Device::new().ahead_by(ahead);
        let refresh = sign_in(&server, &device).await.text("refresh_token");
        let told = server.ask(device.refresh(&refresh)).await;
        device.heed(&told.expect_oauth(400, "use_dpop_nonce", None));
        server.ask(device.refresh(&refresh)).await.expect(200);
    }
}

#[tokio::test]
async fn a_nonce_of_another_authority_is_refused_and_the_right_one_told() {
    let (server, other) =
        (bound_by("key = \"enforce\"").await, bound_by("key = \"enforce\"").await);
    let device = Device::new();
    let elsewhere = sign_in(&other, &device).await.text("refresh_token");
    device.heed(&other.ask(device.refresh(&elsewhere)).await.expect(400));
    let refresh = sign_in(&server, &device).await.text("refresh_token");
    let told = server.ask(device.refresh(&refresh)).await;
    device.heed(&told.expect_oauth(400, "use_dpop_nonce", None));
    server.ask(device.refresh(&refresh)).await.expect(200);
}

#[tokio::test]
async fn the_predecessor_with_the_key_earns_the_newest_token_after_its_window() {
    let settings = "binding = { key = \"enforce\" }\nrefresh = { grace = \"0s\" }";
    let server = Server::configured(&Configuration::new().client("web", settings)).await;
    let device = Device::new();
    let first = sign_in(&server, &device).await.text("refresh_token");
    let second = renew(&server, &device, &first).await.expect(200).text("refresh_token");
    let again = renew(&server, &device, &first).await.expect(200).text("refresh_token");
    assert_eq!(again, second);
}

#[tokio::test]
async fn what_is_enforced_must_be_named_at_sign_in() {
    let all = "key = \"enforce\", features = \"enforce\", network = \"enforce\"";
    let server = bound_by(all).await;
    let whole = json!({"jkt": Device::new().jkt(), "features": "f", "ip": "203.0.113.7"});
    for member in ["jkt", "features", "ip"] {
        let mut less = whole.clone();
        less.as_object_mut().unwrap().remove(member);
        let refused = start(&server, &less).await.expect_problem(400, "malformed");
        assert_eq!(refused.member("member"), member);
    }
    start(&server, &whole).await.expect(201);
}

#[tokio::test]
async fn what_is_only_reported_lets_everybody_through_and_counts_them() {
    let all = "key = \"report\", features = \"report\", network = \"report\"";
    let server = bound_by(all).await;
    let device = Device::new();
    let first = sign_in(&server, &device).await;
    assert_eq!(first.member("token_type"), "Bearer");
    assert!(server.claims(&first.text("access_token")).await["cnf"].is_null());
    let second = server.refresh(&first.text("refresh_token")).await.expect(200);
    let said = server.metrics().await;
    let counted = said.lines().find(|line| line.contains("binding_mismatch"));
    assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{counted:?}");
    renew(&server, &device, &second.text("refresh_token")).await.expect(200);
    assert_eq!(
        server.metrics().await.lines().find(|line| line.contains("binding_mismatch")),
        counted
    );
}

#[tokio::test]
async fn a_client_without_the_setting_ignores_proofs_and_keys() {
    let server = bound_by("").await;
    let (device, other) = (Device::new(), Device::new());
    let first = sign_in(&server, &device).await;
    assert_eq!(first.member("token_type"), "Bearer");
    let ask = Ask::refresh("web", &first.text("refresh_token")).with("dpop", &other.renewing());
    assert_eq!(server.ask(ask).await.expect(200).member("token_type"), "Bearer");
}

#[tokio::test]
async fn other_features_or_another_network_are_theft_where_they_are_enforced() {
    let server = bound_by("features = \"enforce\", network = \"enforce\"").await;
    let more = json!({"features": "Firefox on Debian", "ip": "203.0.113.7"});
    let refresh = |token: &str, features: &str, from: &str| {
        let grant = [("grant_type", "refresh_token"), ("client_id", "web")];
        let more = [("refresh_token", token), ("features", features)];
        Ask::form("/oauth2/token", &[grant, more].concat()).with("x-forwarded-for", from)
    };
    for (features, from) in
        [("Firefox on Debian", "203.0.114.7"), ("curl", "203.0.113.7"), ("", "203.0.113.7")]
    {
        let first = start(&server, &more).await.expect(201);
        let token = first.text("refresh_token");
        let same = server.ask(refresh(&token, "Firefox on Debian", "203.0.113.99")).await;
        let token = same.expect(200).text("refresh_token");
        server.ask(refresh(&token, features, from)).await.expect_over("binding_mismatch");
        server.expect_ended(&first.text("session_id"), "binding_mismatch").await;
    }
}

#[tokio::test]
async fn a_service_that_shows_a_proof_is_given_a_token_of_that_key() {
    let server = bound_by("").await;
    let device = Device::new();
    let ask = |proof: &str| {
        let form = Ask::form("/oauth2/token", &[("grant_type", "client_credentials")]);
        form.basic("service", SERVICE_SECRET).with("dpop", proof)
    };
    let told = server.ask(ask(&device.renewing())).await;
    device.heed(&told.expect_oauth(400, "use_dpop_nonce", None));
    let proof = device.renewing();
    let bound = server.ask(ask(&proof)).await.expect(200);
    assert_eq!(bound.member("token_type"), "DPoP");
    let claims = server.claims(&bound.text("access_token")).await;
    assert_eq!(claims["cnf"], json!({"jkt": device.jkt()}));
    server.ask(ask(&proof)).await.expect_oauth(400, "invalid_dpop_proof", None);
    let bare = server.service_token(&[]).await.expect(200);
    assert_eq!(bare.member("token_type"), "Bearer");
}

#[tokio::test]
async fn the_metadata_names_the_algorithms_of_proofs() {
    let server = Server::with(&[]).await;
    let path = "/.well-known/oauth-authorization-server";
    let metadata = server.ask(Ask::get(path)).await.expect(200).json();
    let algorithms = json!(["EdDSA", "ES256", "RS256"]);
    assert_eq!(metadata["dpop_signing_alg_values_supported"], algorithms);
}
