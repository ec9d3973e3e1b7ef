//! Sessions that are bound to features and a network (decision 0034): compared wherever a credential is shown.

use crate::common::{Answer, Ask, Configuration, Connection, Device, ISSUER, Server, Sidecar};
use serde_json::{Value, json};

const GATE: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [{ name = "orders", prefix = "/orders" }]
"#;

const OWN: &str = "Firefox on Debian";
const HOME: &str = "203.0.113.7";

/// Clients `web` and one of this preset under `client`, each with this binding.
async fn bound_by(preset: &str, mode: &str) -> Server {
    let binding = format!("binding = {{ features = \"{mode}\", network = \"{mode}\" }}");
    let other =
        format!("preset = \"{preset}\"\norigins = [\"https://app.example.com\"]\n{binding}");
    let configuration = Configuration::new().client("web", &binding).client("other", &other);
    Server::configured(&configuration.gateway(GATE)).await
}

async fn sidecar_of(server: &Server) -> Sidecar {
    let file = server.home.beside("symbolon.toml").display().to_string();
    let sidecar = Sidecar::of(server, &["--config", &file]).await;
    sidecar.ready().await;
    sidecar
}

async fn sign_in(server: &Server, client: &str) -> Answer {
    let body = json!({
        "subject": "alice", "client_id": client, "device": {"class": "web"},
        "features": OWN, "ip": HOME,
    });
    server.start_session(&body).await.expect(201)
}

/// As a proxy asks about `GET /orders` of somebody at this address.
fn asked(features: &str, from: &str) -> Ask {
    Ask::get("/gateway/check")
        .with("x-forwarded-method", "GET")
        .with("x-forwarded-uri", "/orders")
        .with("x-forwarded-for", from)
        .with("x-symbolon-features", features)
}

async fn at(url: &str, ask: Ask) -> Answer {
    let authority = url.strip_prefix("http://").unwrap();
    Connection::open(authority).await.unwrap().ask(ask).await.unwrap()
}

fn is_elsewhere(answer: Answer) {
    let challenge = answer.expect(401).header("www-authenticate").to_owned();
    assert_eq!(challenge, r#"Bearer error="invalid_token", reason="binding""#);
}

/// At this gate the credential passes with its own features from its own network, and with nothing else, however often
/// it was seen before.
async fn expect_held(gate: &str, credential: (&str, &str)) {
    let (name, value) = credential;
    let ask = |features, from| at(gate, asked(features, from).with(name, value));
    for _ in 0..2 {
        let passed = ask(OWN, "203.0.113.99").await.expect(200);
        assert_eq!(passed.header("x-symbolon-subject"), "alice");
        is_elsewhere(ask("curl", HOME).await);
        is_elsewhere(ask(OWN, "203.0.114.7").await);
        is_elsewhere(
            at(gate, asked(OWN, HOME).without("x-symbolon-features").with(name, value)).await,
        );
        let twice = asked(OWN, HOME).with("x-symbolon-features", OWN);
        is_elsewhere(at(gate, twice.with(name, value)).await);
        let silent = at(gate, asked(OWN, HOME).without("x-forwarded-for").with(name, value)).await;
        assert!(!silent.status.is_success(), "{silent:?}");
    }
}

#[tokio::test]
async fn a_token_says_nothing_of_features_and_network_that_could_be_read() {
    let server = bound_by("sliding-session", "enforce").await;
    let mut all = Vec::new();
    for client in ["web", "other", "web"] {
        let started = sign_in(&server, client).await;
        assert_eq!(started.member("token_type"), "Bearer");
        let claims = server.claims(&started.text("access_token")).await;
        let cnf = claims["cnf"].as_object().unwrap().clone();
        assert_eq!(cnf.keys().collect::<Vec<_>>(), ["features", "network"]);
        all.extend(cnf.values().map(ToString::to_string));
    }
    assert!(all.iter().all(|text| text.len() == 24), "{all:?}");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6, "of each session another");
}

#[tokio::test]
async fn both_gateways_hold_every_preset_to_its_features_and_its_network() {
    for preset in ["sliding-session", "opaque-session"] {
        let server = bound_by(preset, "enforce").await;
        let sidecar = sidecar_of(&server).await;
        for client in ["web", "other"] {
            let started = sign_in(&server, client).await;
            let bearer = format!("Bearer {}", started.text("access_token"));
            let own = format!("http://{}", server.authority);
            for gate in [own, sidecar.url()] {
                expect_held(&gate, ("authorization", &bearer)).await;
            }
            let json = server.session(&started.text("session_id")).await;
            assert_eq!(json["state"], "active", "to be refused is no end: {json}");
        }
    }
}

#[tokio::test]
async fn a_cookie_is_held_to_its_features_and_its_network_at_both_gateways() {
    let server = bound_by("gateway-session", "enforce").await;
    let sidecar = sidecar_of(&server).await;
    let started = sign_in(&server, "other").await;
    let lines = started.member("set_cookie");
    let pair = |line: &Value| line.as_str().unwrap().split(';').next().unwrap().to_owned();
    let cookie = pair(&lines[0]);
    for gate in [format!("http://{}", server.authority), sidecar.url()] {
        expect_held(&gate, ("cookie", &cookie)).await;
    }
}

#[tokio::test]
async fn what_is_only_reported_passes_at_a_gateway_and_is_counted() {
    let server = bound_by("opaque-session", "report").await;
    let gate = format!("http://{}", server.authority);
    for (round, client) in ["web", "other"].into_iter().enumerate() {
        let started = sign_in(&server, client).await;
        let bearer = format!("Bearer {}", started.text("access_token"));
        let ask = |features| at(&gate, asked(features, HOME).with("authorization", &bearer));
        ask(OWN).await.expect(200);
        let alerts = async || {
            let said = server.metrics().await;
            said.lines().filter(|line| line.contains("binding_mismatch")).count()
        };
        assert_eq!(alerts().await, round);
        ask("curl").await.expect(200);
        assert_eq!(alerts().await, round + 1);
    }
}

#[tokio::test]
async fn a_persons_own_devices_are_not_shown_to_other_features_or_another_network() {
    let server = bound_by("sliding-session", "enforce").await;
    let started = sign_in(&server, "web").await;
    let grant = [("grant_type", "refresh_token"), ("client_id", "web"), ("resource", ISSUER)];
    let refresh = started.text("refresh_token");
    let more = [("refresh_token", &*refresh), ("features", OWN)];
    let ask = Ask::form("/oauth2/token", &[&grant[..], &more[..]].concat());
    let mine = server.ask(ask.with("x-forwarded-for", HOME)).await.expect(200).text("access_token");
    let ask = |features, from| {
        let ask = Ask::get("/v1/me/sessions").key(&mine).with("x-forwarded-for", from);
        server.ask(ask.with("x-symbolon-features", features))
    };
    ask(OWN, HOME).await.expect(200);
    for (features, from) in [("curl", HOME), (OWN, "198.51.100.7")] {
        let refused = ask(features, from).await.expect_problem(401, "invalid-token");
        let challenge = refused.header("www-authenticate");
        assert!(challenge.ends_with("error=\"invalid_token\", reason=\"binding\""), "{challenge}");
    }
}

#[tokio::test]
async fn introspection_says_what_a_token_is_bound_to_at_the_authority_and_beside_it() {
    let keyed = "binding = { key = \"enforce\", features = \"enforce\", network = \"report\" }";
    let opaque = "preset = \"opaque-session\"\nbinding = { features = \"enforce\" }";
    let configuration = Configuration::new().client("web", keyed).client("other", opaque);
    let server = Server::configured(&configuration.gateway(GATE)).await;
    let sidecar = sidecar_of(&server).await;
    let device = Device::new();
    let body = |client: &str| {
        json!({
            "subject": "alice", "client_id": client, "device": {"class": "web"},
            "jkt": device.jkt(), "features": OWN, "ip": HOME,
        })
    };
    let started = server.start_session(&body("web")).await.expect(201);
    let token = started.text("access_token");
    let told = server.introspect(&token).await;
    assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("DPoP")));
    assert_eq!(told["cnf"]["jkt"], json!(device.jkt()));
    assert!(told["cnf"]["features"].is_string() && told["cnf_reported"]["network"].is_string());
    assert_eq!(sidecar.introspect(&token).await, told);

    let started = server.start_session(&body("other")).await.expect(201);
    let token = started.text("access_token");
    let told = server.introspect(&token).await;
    assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("Bearer")));
    assert!(told["cnf"]["features"].is_string(), "{told}");
    assert_eq!(sidecar.introspect(&token).await["cnf"], told["cnf"]);
}

#[tokio::test]
async fn the_list_of_clients_says_what_their_tokens_are_bound_to() {
    let server = bound_by("opaque-session", "report").await;
    let clients = server.list("/v1/clients").await;
    let of = |id: &str| clients.iter().find(|client| client["client_id"] == id).unwrap();
    let expected = json!({"key": "off", "features": "report", "network": "report"});
    assert_eq!(of("other")["binding"], expected);
    assert!(of("service")["binding"].is_null());
}
