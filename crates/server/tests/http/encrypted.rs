//! Access tokens that are encrypted for their audience: given out on every way, opened by a verifier, and by nobody
//! else.

use crate::common::{
    Answer, Ask, Configuration, ISSUER, SERVICE_SECRET, Server, Sidecar, Tokens, at_once,
};
use serde_json::{Value, json};
use std::time::Duration;
use symbolon_verify::{DecryptionKey, Policy, Presented, Reason, Rejected, Verifier};
use symbolon_wire::{DecryptionKeys, SecretHash, UnverifiedJwe, is_encrypted};

const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
rules = [
    { name = "sealed", prefix = "/sealed", audience = "sealed" },
    { name = "shared", prefix = "/shared", audience = "shared" },
]
"#;

/// The key of audience `shared`, which the authority has as well.
const SHARED: &str = r#"{"kty":"oct","alg":"A256KW","kid":"shared","k":"q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU"}"#;

/// The private key of audience `sealed`.
fn private() -> Value {
    let vectors = include_str!("../../../../api/vectors/jwe.json");
    serde_json::from_str::<Value>(vectors).unwrap()["tokens"][0]["jwk"].clone()
}

fn opens(jwk: &str) -> DecryptionKey {
    DecryptionKey::from_jwk(jwk).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn public(kid: &str) -> String {
    let mut public = private();
    public.as_object_mut().unwrap().remove("d");
    public["kid"] = kid.into();
    public.to_string()
}

/// Audiences `sealed`, for a public key of that name, and `shared`, for a secret; clients of each.
fn configuration(kid: &str, shared: &str) -> Configuration {
    let hash = SecretHash::of(SERVICE_SECRET).to_text();
    let to = |audience: &str| format!("audience = [\"{audience}\"]\nscope = \"orders:read\"");
    let service = format!("preset = \"service\"\nsecret_hash = \"{hash}\"\n{}", to("sealed"));
    Configuration::empty()
        .audience("sealed", &format!("encrypt = {{ jwk = '{}' }}", public(kid)))
        .audience("shared", &format!("encrypt = {{ alg = \"A256KW\", key_file = '{shared}' }}"))
        .bare_client("web", &to("sealed"))
        .bare_client("shared", &to("shared"))
        .bare_client("sliding", &format!("preset = \"sliding-session\"\n{}", to("sealed")))
        .bare_client("site", &format!("preset = \"gateway-session\"\n{}", to("sealed")))
        .bare_client("service", &service)
        .gateway(RULES)
}

struct Sealed {
    server: Server,
    /// Where the key files are.
    folder: tempfile::TempDir,
}

async fn authority() -> Sealed {
    let folder = tempfile::TempDir::new().unwrap();
    let shared = folder.path().join("shared.jwk");
    std::fs::write(&shared, SHARED).unwrap();
    std::fs::write(folder.path().join("sealed.jwk"), private().to_string()).unwrap();
    let configuration = configuration("p256", &shared.display().to_string());
    Sealed { server: Server::configured(&configuration).await, folder }
}

async fn start(server: &Server, client: &str, body: &Value) -> Answer {
    let mut whole = json!({"subject": "alice", "client_id": client, "device": {"class": "web"}});
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    server.start_session(&whole).await.expect(201)
}

/// A verifier of audience `sealed` that follows the feed.
async fn verifier(server: &Server) -> Verifier {
    let builder = Verifier::builder(ISSUER)
        .through(server.told["authority"].as_str().unwrap())
        .audience("sealed")
        .decrypt_with(opens(&private().to_string()))
        .require_encrypted()
        .feed(server.api_key());
    builder.connect().await.unwrap_or_else(|why| panic!("{why}"))
}

async fn admit(verifier: &Verifier, token: &str) -> Result<String, Rejected> {
    let policy = Policy::bounded(Duration::from_secs(5));
    let verified = verifier.admit(&Presented::bearer(token), &policy).await;
    verified.map(|verified| verified.claims().sub.to_owned())
}

fn about(target: &str) -> Ask {
    Ask::get("/gateway/check").with("x-original-method", "GET").with("x-original-uri", target)
}

#[tokio::test]
async fn every_way_to_a_token_gives_one_that_its_audience_alone_opens() {
    let Sealed { server, .. } = authority().await;
    let verifier = verifier(&server).await;
    let tokens = server.sign_in("alice").await;
    let renewed = server.renew(&tokens.refresh).await;
    let service = server.service_token(&[]).await.expect(200).text("access_token");
    for (token, sub) in
        [(&tokens.access, "alice"), (&renewed.access, "alice"), (&service, "client:service")]
    {
        assert!(is_encrypted(token), "{token}");
        let outside = UnverifiedJwe::read(token).unwrap();
        assert_eq!((&*outside.alg, outside.kid.as_deref()), ("ECDH-ES+A256KW", Some("p256")));
        assert_eq!(admit(&verifier, token).await.as_deref(), Ok(sub));
        // What is inside is a token that the published keys verify.
        let keys = DecryptionKeys::new(vec![opens(&private().to_string())]).unwrap();
        let inside = keys.open(token).unwrap();
        assert_eq!(server.claims(inside.expose()).await["aud"], "sealed");
    }
    let path = format!("/v1/sessions/{}?reason=kicked&wait=10s", tokens.sid);
    server.ask_as_back_end(Ask::delete(&path)).await.expect(200);
    let ended = Some(Rejected::Revoked { ended: Some(Reason::Kicked) });
    assert_eq!(admit(&verifier, &renewed.access).await.err(), ended);
}

#[tokio::test]
async fn equal_requests_in_a_window_get_equal_bytes() {
    let Sealed { server, .. } = authority().await;
    let tokens = server.sign_in("alice").await;
    let asks = (0..16).map(|_| Ask::refresh("web", &tokens.refresh)).collect();
    let answers = at_once(&server.authority, asks).await;
    let access: Vec<_> = answers.iter().map(|answer| Tokens::of(answer).access).collect();
    assert!(access.iter().all(|token| *token == access[0]), "{access:?}");
}

#[tokio::test]
async fn the_authority_says_of_its_own_token_only_what_it_can_open() {
    let Sealed { server, .. } = authority().await;
    let sealed = server.sign_in("alice").await;
    assert_eq!(server.introspect(&sealed.access).await, json!({"active": false}));
    let refused = server.ask(about("/sealed").key(&sealed.access)).await;
    let refused = refused.expect_problem(401, "invalid-token");
    assert!(refused.header("www-authenticate").contains("invalid_token"), "{refused:?}");

    let shared = start(&server, "shared", &json!({})).await.text("access_token");
    assert!(is_encrypted(&shared));
    let said = server.introspect(&shared).await;
    assert_eq!((&said["active"], &said["aud"]), (&json!(true), &json!("shared")));
    let passed = server.ask(about("/shared").key(&shared)).await.expect(200);
    assert_eq!(passed.header("x-symbolon-subject"), "alice");
    assert_eq!(passed.header("x-symbolon-token"), shared);
}

#[tokio::test]
async fn a_token_for_the_authority_itself_is_not_encrypted() {
    let Sealed { server, .. } = authority().await;
    let tokens = server.sign_in("alice").await;
    let own = [("resource", ISSUER), ("refresh_token", &tokens.refresh)];
    let own = [("grant_type", "refresh_token"), ("client_id", "web"), own[0], own[1]];
    let own = server.ask(Ask::form("/oauth2/token", &own)).await.expect(200).text("access_token");
    assert!(!is_encrypted(&own));
    server.ask(Ask::get("/v1/me/sessions").key(&own)).await.expect(200);
    let sealed = server.ask(Ask::get("/v1/me/sessions").key(&tokens.access)).await;
    assert_eq!(sealed.status, 401);
}

#[tokio::test]
async fn a_sidecar_with_the_key_answers_for_services_and_gateways_and_one_without_refuses() {
    let Sealed { server, folder } = authority().await;
    let tokens = server.sign_in("alice").await;
    let cookie = start(&server, "site", &json!({})).await.member("set_cookie")[0].clone();
    let cookie = cookie.as_str().unwrap().split(';').next().unwrap().to_owned();
    let file = server.home.beside("symbolon.toml").display().to_string();
    let key = folder.path().join("sealed.jwk").display().to_string();
    let usual = ["--config", &*file, "--audience", "sealed", "--audience", "shared"];
    let without = Sidecar::of(&server, &usual).await;
    let with = Sidecar::of(&server, &[&usual[..], &["--decrypt-key", &key]].concat()).await;
    for sidecar in [&with, &without] {
        sidecar.ready().await;
    }
    let said = with.introspect(&tokens.access).await;
    assert_eq!((&said["active"], &said["sub"]), (&json!(true), &json!("alice")), "{said}");
    let passed = with.ask(about("/sealed").key(&tokens.access)).await.expect(200);
    assert_eq!(passed.header("x-symbolon-subject"), "alice");
    let passed = with.ask(about("/sealed").with("cookie", &cookie)).await.expect(200);
    assert!(is_encrypted(passed.header("x-symbolon-token")), "{passed:?}");

    assert_eq!(without.introspect(&tokens.access).await, json!({"active": false}));
    without.ask(about("/sealed").key(&tokens.access)).await.expect_problem(401, "invalid-token");
}

#[tokio::test]
async fn a_session_in_a_cookie_passes_the_authoritys_gateway_with_a_token_for_the_upstream_alone() {
    let Sealed { server, .. } = authority().await;
    let cookie = start(&server, "site", &json!({})).await.member("set_cookie")[0].clone();
    let cookie = cookie.as_str().unwrap().split(';').next().unwrap().to_owned();
    for _ in 0..2 {
        let passed = server.ask(about("/sealed").with("cookie", &cookie)).await.expect(200);
        assert_eq!(passed.header("x-symbolon-subject"), "alice");
        let token = passed.header("x-symbolon-token");
        assert!(is_encrypted(token), "{token}");
        assert_eq!(admit(&verifier(&server).await, token).await.as_deref(), Ok("alice"));
    }
}

#[tokio::test]
async fn a_token_that_lasts_is_asked_about_by_what_is_inside_it() {
    let Sealed { server, .. } = authority().await;
    let verifier = verifier(&server).await;
    let token = start(&server, "sliding", &json!({"roles": ["clerk"]})).await.text("access_token");
    assert!(is_encrypted(&token));
    assert_eq!(admit(&verifier, &token).await.as_deref(), Ok("alice"));
    let roles = Ask::put("/v1/subjects/alice", &json!({"roles": ["chief"]}));
    let changed = server.ask_as_back_end(roles).await.expect(200);
    assert_eq!(changed.member("changed"), true);
    let policy = Policy::bounded(Duration::from_secs(5)).role("chief");
    let now_chief =
        || async { verifier.admit(&Presented::bearer(&token), &policy).await.ok().map(|_| ()) };
    crate::common::until("the new role is known", now_chief).await;
}

#[tokio::test]
async fn what_would_be_too_long_once_it_is_encrypted_is_refused_at_sign_in() {
    let Sealed { server, .. } = authority().await;
    let with = |bytes: usize| {
        json!({"subject": "bob", "client_id": "web", "device": {"class": "web"},
            "claims": {"x": "y".repeat(bytes)}})
    };
    // Signed alone it would have some 3.3 KB of the 4 KiB that a token may have.
    let refused = server.start_session(&with(2000)).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let fits = server.start_session(&with(1200)).await.expect(201).text("access_token");
    assert!(3000 < fits.len() && fits.len() <= 4096, "{}", fits.len());
}

#[tokio::test]
async fn another_key_takes_effect_at_a_reload_and_is_told_by_audience() {
    let Sealed { server, folder } = authority().await;
    let before = server.sign_in("alice").await;
    let shared = folder.path().join("shared.jwk").display().to_string();
    server.home.reconfigure(&configuration("second", &shared));
    let line = server.reload().await;
    assert!(line.contains("audience sealed: encrypt"), "{line}");
    let kid = |token: &str| UnverifiedJwe::read(token).unwrap().kid;
    assert_eq!(kid(&before.access).as_deref(), Some("p256"));
    let after = server.sign_in("alice").await;
    assert_eq!(kid(&after.access).as_deref(), Some("second"));

    std::fs::write(&shared, SHARED.replace("\"shared\"", "\"later\"")).unwrap();
    let line = server.reload().await;
    assert!(line.contains("audience shared: encryption key"), "{line}");
}
