//! Bound tokens (DPoP, RFC 9449 §7) where they are shown: demo API, gateways of authority and sidecar, `/v1/me`.

use crate::common::{Answer, Ask, Configuration, Connection, Device, ISSUER, Server, Sidecar};
use serde_json::json;

const GATE: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [{ name = "orders", prefix = "/orders" }]
"#;

async fn authority() -> Server {
    let settings = "binding = { key = \"enforce\" }\norigins = [\"https://app.example.com\"]";
    Server::configured(&Configuration::new().client("web", settings).gateway(GATE)).await
}

/// The access token of a session that is bound to a device.
async fn bound(server: &Server, device: &Device) -> String {
    sign_in(server, device).await.text("access_token")
}

async fn sign_in(server: &Server, device: &Device) -> Answer {
    let web = json!({"class": "web"});
    let body = json!({"subject": "alice", "client_id": "web", "device": web, "jkt": device.jkt()});
    server.start_session(&body).await.expect(201)
}

fn shown(ask: Ask, token: &str, proof: &str) -> Ask {
    ask.with("authorization", &format!("DPoP {token}")).with("dpop", proof)
}

/// What a refusal asks for.
fn challenge(answer: Answer) -> (String, bool) {
    let answer = answer.expect(401);
    let challenge = answer.header("www-authenticate");
    let (error, reason) = challenge.split_once("\", reason=\"").unwrap_or((challenge, ""));
    let error = error.rsplit('"').next().unwrap();
    let reason = reason.split('"').next().unwrap();
    (format!("{error} {reason}"), !answer.header("dpop-nonce").is_empty())
}

fn is(answer: Answer, said: &str, nonce: bool) {
    assert_eq!(challenge(answer), (said.to_owned(), nonce));
}

async fn at(url: &str, ask: Ask) -> Answer {
    let authority = url.strip_prefix("http://").unwrap();
    Connection::open(authority).await.unwrap().ask(ask).await.unwrap()
}

/// A token of the client `service` of `dev`, whose own URL is the issuer, bound to a device.
async fn bound_to_a_service(server: &Server, device: &Device) -> String {
    let secret = server.told["clients"]["service"]["client_secret"].as_str().unwrap();
    let url = format!("http://{}/oauth2/token", server.authority);
    let ask = || {
        let ask = Ask::form("/oauth2/token", &[("grant_type", "client_credentials")]);
        ask.basic("service", secret).with("dpop", &device.proof("POST", &url, None))
    };
    device.heed(&server.ask(ask()).await.expect(400));
    let token = server.ask(ask()).await.expect(200).text("access_token");
    // Another server has other nonces.
    device.forget();
    token
}

#[tokio::test]
async fn the_demo_api_lets_a_bound_token_in_with_a_proof_for_this_request_at_this_node_alone() {
    let server = Server::with(&[]).await;
    let mut device = Device::new();
    let token = bound_to_a_service(&server, &device).await;
    let [here, there] =
        ["demo_api", "second_demo_api"].map(|name| server.told[name].as_str().unwrap().to_owned());
    let orders = format!("{here}/orders");
    let ask = |token: &str, proof: &str| shown(Ask::get("/orders"), token, proof);
    let proof = device.proof("GET", &orders, Some(&token));
    at(&here, ask(&token, &proof)).await.expect(200);
    is(at(&here, ask(&token, &proof)).await, "invalid_dpop_proof proof", false);
    for _ in 0..2 {
        at(&here, ask(&token, &device.proof("GET", &orders, Some(&token)))).await.expect(200);
    }
    let elsewhere = device.proof("GET", &orders, Some(&token));
    is(at(&there, ask(&token, &elsewhere)).await, "invalid_dpop_proof proof", false);
    for wrong in [
        device.proof("POST", &orders, Some(&token)),
        device.proof("GET", &format!("{here}/me"), Some(&token)),
        device.proof("GET", &orders, Some("another token")),
        device.proof("GET", &orders, None),
        "x".to_owned(),
    ] {
        is(at(&here, ask(&token, &wrong)).await, "invalid_dpop_proof proof", false);
    }
    let two = ask(&token, &device.proof("GET", &orders, Some(&token)));
    let two = two.with("dpop", &device.proof("GET", &orders, Some(&token)));
    is(at(&here, two).await, "invalid_dpop_proof proof", false);
    let bearer = Ask::get("/orders").key(&token);
    is(at(&here, bearer).await, "invalid_token binding", false);
    let thief = Device::new().proof("GET", &orders, Some(&token));
    is(at(&here, ask(&token, &thief)).await, "invalid_token binding", false);
    for ahead in [-600, 600] {
        device.ahead = ahead;
        let told = at(&here, ask(&token, &device.proof("GET", &orders, Some(&token)))).await;
        device.heed(&told);
        is(told, "use_dpop_nonce proof", true);
        at(&here, ask(&token, &device.proof("GET", &orders, Some(&token)))).await.expect(200);
        device.forget();
    }
}

/// As a proxy asks about `GET https://api.example.com/orders`.
fn asked() -> Ask {
    Ask::get("/gateway/check")
        .with("x-forwarded-method", "GET")
        .with("x-forwarded-uri", "/orders")
        .with("x-forwarded-host", "api.example.com")
}

#[tokio::test]
async fn both_gateways_check_the_proof_against_the_url_that_the_proxy_was_asked_for() {
    let server = authority().await;
    let file = server.home.beside("symbolon.toml").display().to_string();
    let sidecar = Sidecar::of(&server, &["--config", &file]).await;
    sidecar.ready().await;
    let device = Device::new();
    let token = bound(&server, &device).await;
    let gates = [format!("http://{}", server.authority), sidecar.url()];
    for gate in &gates {
        let url = "https://api.example.com/orders";
        let proof = device.proof("GET", url, Some(&token));
        let passed = at(gate, shown(asked(), &token, &proof)).await.expect(200);
        assert_eq!(passed.header("x-symbolon-subject"), "alice");
        is(at(gate, shown(asked(), &token, &proof)).await, "invalid_dpop_proof proof", false);
        let other = device.proof("GET", "https://api.example.org/orders", Some(&token));
        is(at(gate, shown(asked(), &token, &other)).await, "invalid_dpop_proof proof", false);
        is(at(gate, asked().key(&token)).await, "invalid_token binding", false);
        let late = Device::new().ahead_by(-600).proof("GET", url, Some(&token));
        is(at(gate, shown(asked(), &token, &late)).await, "use_dpop_nonce proof", true);
        let nowhere = asked().without("x-forwarded-host");
        let proof = device.proof("GET", url, Some(&token));
        let refused = at(gate, shown(nowhere, &token, &proof)).await;
        assert!(!refused.status.is_success(), "{refused:?}");
    }
}

#[tokio::test]
async fn a_person_manages_their_devices_with_a_bound_token_and_its_proof() {
    let server = authority().await;
    let device = Device::new();
    let first = sign_in(&server, &device).await;
    let refresh = first.text("refresh_token");
    let renew = || {
        let grant = [("grant_type", "refresh_token"), ("client_id", "web"), ("resource", ISSUER)];
        let ask =
            Ask::form("/oauth2/token", &[&grant[..], &[("refresh_token", &*refresh)]].concat());
        ask.with("dpop", &device.renewing())
    };
    device.heed(&server.ask(renew()).await.expect(400));
    let mine = server.ask(renew()).await.expect(200).text("access_token");
    let ask = |method: &str, path: &str| {
        let proof = device.proof(method, &format!("{ISSUER}{path}"), Some(&mine));
        shown(Ask::new(method, path), &mine, &proof)
    };
    let listed = server.ask(ask("GET", "/v1/me/sessions")).await.expect(200);
    assert_eq!(listed.member("items")[0]["current"], true);
    server.ask(ask("GET", "/v1/me/events")).await.expect(200);
    server.ask(Ask::get("/v1/me/sessions").key(&mine)).await.expect_problem(401, "invalid-token");
    let url = format!("{ISSUER}/v1/me/sessions");
    let proof = Device::new().proof("GET", &url, Some(&mine));
    let thief = shown(Ask::get("/v1/me/sessions"), &mine, &proof);
    is(server.ask(thief).await, "invalid_token binding", false);
    let used = ask("GET", "/v1/me/sessions");
    server.ask(used.clone()).await.expect(200);
    is(server.ask(used).await, "invalid_dpop_proof proof", false);
}

#[tokio::test]
async fn introspection_says_which_key_a_token_is_bound_to() {
    let server = authority().await;
    let device = Device::new();
    let told = server.introspect(&bound(&server, &device).await).await;
    assert_eq!(told["token_type"], "DPoP");
    assert_eq!(told["cnf"], json!({"jkt": device.jkt()}));
}
