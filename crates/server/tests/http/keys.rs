//! Signing keys over real HTTP: they turn under load and nobody is refused, one is revoked and nobody signs
//! in again, somebody brings their own.

use crate::common::{Ask, Claims, Configuration, Server, Tokens, until};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use symbolon_wire::{Algorithm, KeySet, SharedSecret, SigningKey, Type, verify};

const GRACE: &str = "refresh = { grace = \"60s\" }";

async fn server() -> Arc<Server> {
    Arc::new(Server::configured(&Configuration::new().client("web", GRACE)).await)
}

async fn keys(server: &Server) -> Vec<Value> {
    server.list("/v1/keys").await
}

/// The names of the keys that do this.
async fn of_state(server: &Server, state: &str) -> Vec<String> {
    let keys = keys(server).await;
    let of_state = keys.iter().filter(|key| key["state"] == state);
    of_state.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn rotate(server: &Server, body: &Value) -> Value {
    let asked = Ask::json("/v1/keys/rotate", body);
    server.ask_as_back_end(asked).await.expect(200).json()
}

/// The name of the key that a token says it was signed with.
fn kid(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header = data_encoding::BASE64URL_NOPAD.decode(header.as_bytes()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn sign_in(server: &Server, client: &str) -> Tokens {
    let body = json!({"subject": "alice", "client_id": client, "device": {"class": "web"}});
    Tokens::of(&server.start_session(&body).await.expect(201))
}

#[tokio::test]
async fn keys_turn_under_load_and_nobody_is_refused() {
    let server = server().await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = (0..4).map(|user| {
        let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
        tokio::spawn(async move {
            let (mut tokens, mut kids) =
                (server.sign_in(&format!("user-{user}")).await, Vec::new());
            while !stop.load(Ordering::Relaxed) {
                let before = tokens.clone();
                tokens = server.renew(&before.refresh).await;
                for token in [&before.access, &tokens.access] {
                    // Published as any resource server fetches it, and in force.
                    server.claims(token).await;
                    assert_eq!(server.introspect(token).await["active"], true);
                }
                kids.push(kid(&tokens.access));
            }
            kids.dedup();
            kids
        })
    });
    let load: Vec<_> = load.collect();
    for turn in 1..=4 {
        rotate(&server, &json!({"now": true})).await;
        let seen = of_state(&server, "current").await;
        let look =
            || async { (kid(&sign_in(&server, "web").await.access) == seen[0]).then_some(()) };
        until(&format!("turn {turn} signs"), look).await;
    }
    stop.store(true, Ordering::Relaxed);
    for user in load {
        let kids = user.await.unwrap();
        assert!(2 <= kids.len(), "no turn came under it: {kids:?}");
    }
    assert_eq!(of_state(&server, "retiring").await.len(), 4);
}

#[tokio::test]
async fn a_next_key_is_published_before_it_signs() {
    let server = server().await;
    let [current] = &*of_state(&server, "current").await else { panic!("one key signs") };
    rotate(&server, &json!({})).await;
    let [next] = &*of_state(&server, "announced").await else { panic!("one is announced") };
    assert!(server.jwks().await.contains(next));
    assert_eq!(&kid(&sign_in(&server, "web").await.access), current, "it does not sign yet");
    let again = rotate(&server, &json!({"alg": "EdDSA"})).await;
    assert_eq!(again["items"].as_array().unwrap().len(), 2, "to ask again changes nothing");
    rotate(&server, &json!({"now": true})).await;
    assert_eq!(of_state(&server, "current").await, std::slice::from_ref(next));
    assert_eq!(&kid(&sign_in(&server, "web").await.access), next);
}

#[tokio::test]
async fn keys_and_what_they_do_outlive_a_restart() {
    let server = Server::configured(&Configuration::new().client("web", GRACE)).await;
    let tokens = server.sign_in("alice").await;
    rotate(&server, &json!({"now": true})).await;
    rotate(&server, &json!({})).await;
    let before = keys(&server).await;
    let server = server.kill().await.start().await;
    assert_eq!(keys(&server).await, before);
    assert_eq!(server.introspect(&tokens.access).await["active"], true);
    server.claims(&tokens.access).await;
    server.renew(&tokens.refresh).await;
}

#[tokio::test]
async fn what_a_revoked_key_signed_is_refused_and_nobody_signs_in_again() {
    let server = server().await;
    let tokens = server.sign_in("alice").await;
    let bad = kid(&tokens.access);
    let path = format!("/v1/keys/{bad}?note=leaked");
    server.ask_as_back_end(Ask::delete(&path)).await.expect(200);
    assert_eq!(server.introspect(&tokens.access).await, json!({"active": false}));
    assert!(!server.jwks().await.contains(&bad));
    // Not even the answer of the same second is repeated under it.
    let newer = server.renew(&tokens.refresh).await;
    assert_ne!(kid(&newer.access), bad);
    assert_eq!(server.introspect(&newer.access).await["active"], true);
    server.claims(&newer.access).await;
    let told = server.list("/v1/events").await;
    let event = told.iter().find(|event| event["kind"] == "key").unwrap();
    let told = (&event["kid"], &event["reason"], &event["effect"], &event["note"]);
    let expected = (&json!(bad), &json!("key_compromised"), &json!("stale"), &json!("leaked"));
    assert_eq!(told, expected);
    server.ask_as_back_end(Ask::delete(&path)).await.expect_problem(404, "not-found");
    let server = Arc::into_inner(server).unwrap().kill().await.start().await;
    assert!(!server.jwks().await.contains(&bad), "not after a restart either");
    assert_eq!(server.introspect(&tokens.access).await, json!({"active": false}));
}

#[tokio::test]
async fn a_key_is_revoked_under_load_and_every_renewal_goes_on() {
    let server = server().await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut tokens = server.sign_in("alice").await;
            while !stop.load(Ordering::Relaxed) {
                tokens = server.renew(&tokens.refresh).await;
            }
            tokens
        })
    };
    for _ in 0..3 {
        let current = of_state(&server, "current").await.remove(0);
        let path = format!("/v1/keys/{current}");
        server.ask_as_back_end(Ask::delete(&path)).await.expect(200);
    }
    stop.store(true, Ordering::Relaxed);
    let tokens = load.await.unwrap();
    let newest = server.renew(&tokens.refresh).await;
    assert_eq!(server.introspect(&newest.access).await["active"], true);
    assert_eq!(keys(&server).await.len(), 1, "the revoked are gone");
}

#[tokio::test]
async fn so_many_keys_may_be_in_use_and_no_more_and_even_then_one_can_be_revoked() {
    let server = server().await;
    for _ in 1..12 {
        rotate(&server, &json!({"now": true})).await;
    }
    let asked = Ask::json("/v1/keys/rotate", &json!({"now": true}));
    server.ask_as_back_end(asked).await.expect_problem(409, "too-many-keys");
    let current = of_state(&server, "current").await.remove(0);
    server.ask_as_back_end(Ask::delete(&format!("/v1/keys/{current}"))).await.expect(200);
    let tokens = server.sign_in("alice").await;
    assert_eq!(kid(&tokens.access), of_state(&server, "current").await[0]);
}

#[tokio::test]
async fn calls_about_keys_that_are_wrong_are_told_so() {
    let server = server().await;
    for (body, member) in [
        (json!({"alg": "HS256"}), "alg"),
        (json!({"alg": "ES256"}), "alg"),
        (json!({"when": "now"}), "when"),
        (json!({"now": "yes"}), "now"),
    ] {
        let refused = server.ask_as_back_end(Ask::json("/v1/keys/rotate", &body)).await;
        let refused = refused.expect_problem(400, "malformed");
        assert_eq!(refused.text("member"), member, "{body}");
    }
    for unknown in ["AAAAAAAAAAAAAAAA", "x", "%FF"] {
        let asked = Ask::delete(&format!("/v1/keys/{unknown}"));
        server.ask_as_back_end(asked).await.expect_problem(404, "not-found");
    }
    let reads = server.new_api_key("sessions:read,revocations:read,events:read", None).await;
    for ask in [
        Ask::get("/v1/keys"),
        Ask::json("/v1/keys/rotate", &json!({})),
        Ask::delete("/v1/keys/AAAAAAAAAAAAAAAA"),
    ] {
        server.ask(ask.key(&reads)).await.expect(403);
    }
    assert_eq!(keys(&server).await.len(), 1);
}

#[tokio::test]
async fn each_audience_has_the_algorithm_and_type_that_it_can_read() {
    let configuration = Configuration::new()
        .audience("spring", "alg = \"RS256\"\ntyp = \"JWT\"")
        .bare_client("web", "audience = [\"demo-api\"]")
        .bare_client("java", "audience = [\"spring\"]");
    let server = Server::configured(&configuration).await;
    let metadata =
        server.ask(Ask::get("/.well-known/oauth-authorization-server")).await.expect(200).json();
    let offered = &metadata["access_token_signing_alg_values_supported"];
    assert_eq!(offered, &json!(["EdDSA", "RS256"]));
    for (client, alg, typ) in
        [("web", Algorithm::EdDsa, Type::AccessTokenJwt), ("java", Algorithm::Rs256, Type::Jwt)]
    {
        let tokens = sign_in(&server, client).await;
        let set = KeySet::parse(&server.jwks().await).unwrap();
        let payload = verify(&set, alg, &tokens.access).ok().unwrap();
        assert_eq!(payload.typ(), Some(typ));
        assert_eq!(server.introspect(&tokens.access).await["active"], true);
    }
    let algs: Vec<_> = keys(&server).await.iter().map(|key| key["alg"].clone()).collect();
    assert_eq!(algs.len(), 2, "{algs:?}");
}

const SECRET: &[u8] = b"z9Xr2VtQmA7kLw0ePdYfUoBiNsHgCjTq";

/// One client whose audience holds a secret, one whose does not.
async fn sharing() -> Server {
    let configuration = Configuration::new()
        .audience("legacy", "alg = \"HS256\"\nsecret_file = \"legacy.secret\"")
        .client("web", GRACE)
        .bare_client("old", "audience = [\"legacy\"]");
    let home = crate::common::Home::configured(&configuration);
    std::fs::write(home.beside("legacy.secret"), [SECRET, b"\n"].concat()).unwrap();
    home.start().await
}

#[tokio::test]
async fn an_audience_that_holds_the_secret_verifies_with_it_and_the_secret_is_not_published() {
    let server = sharing().await;
    let tokens = sign_in(&server, "old").await;
    let own = SigningKey::from_secret(SharedSecret::parse(SECRET).ok().unwrap()).verifying_key();
    let own = KeySet::from_keys(vec![own]).ok().unwrap();
    let payload = verify(&own, Algorithm::Hs256, &tokens.access).ok().unwrap();
    let claims: Value = serde_json::from_slice(payload.bytes()).unwrap();
    assert_eq!(claims["aud"], "legacy");
    assert_eq!(server.introspect(&tokens.access).await["active"], true);
    assert!(!server.jwks().await.contains(&kid(&tokens.access)));
    let kids: Vec<_> = keys(&server).await.iter().map(|key| key["kid"].clone()).collect();
    assert!(!kids.contains(&json!(kid(&tokens.access))));
    let renewed = server.ask(Ask::refresh("old", &tokens.refresh)).await;
    assert_eq!(server.introspect(&Tokens::of(&renewed).access).await["active"], true);
}

#[tokio::test]
async fn whoever_holds_a_shared_secret_can_sign_for_their_own_audience_alone_and_does_not_deceive_us()
 {
    let server = sharing().await;
    let genuine = server.claims(&server.sign_in("alice").await.access).await;
    let forger = SigningKey::from_secret(SharedSecret::parse(SECRET).ok().unwrap());
    let own = KeySet::from_keys(vec![forger.verifying_key()]).ok().unwrap();
    for aud in ["legacy", "demo-api"] {
        let mut claims = json!({"aud": aud});
        for name in ["iss", "sub", "client_id", "iat", "exp", "sid", "ver", "jti", "auth_time"] {
            claims[name] = genuine[name].clone();
        }
        let text = forger.sign(Type::AccessTokenJwt, claims.to_string().as_bytes()).unwrap();
        assert!(verify(&own, Algorithm::Hs256, &text).is_ok(), "whoever has the secret takes it");
        assert_eq!(server.introspect(&text).await["active"], false, "{aud}");
        // For others than its own audience that secret signs nothing; for that one, its name gives it away.
        let counted = server.metrics().await;
        assert!(counted.contains("symbolon_forged_tokens_total 1\n"), "{aud}: {counted}");
    }
}

/// A private key in a PEM file.
fn write_key(path: &Path, alg: &'static SignatureAlgorithm) {
    std::fs::write(path, KeyPair::generate_for(alg).unwrap().serialize_pem()).unwrap();
}

fn bringing(rows: &[(&str, &str)]) -> Configuration {
    let row = |(file, usage): &(&str, &str)| {
        format!("[[signing_keys]]\nfile = \"{file}\"\nuse = \"{usage}\"\n")
    };
    let rows: String = rows.iter().map(row).collect();
    Configuration::new()
        .audience("es", &format!("alg = \"ES256\"\n{rows}"))
        .client("web", GRACE)
        .bare_client("es", "audience = [\"es\"]")
}

#[tokio::test]
async fn who_brings_keys_turns_them_by_reloading_and_nobody_is_refused() {
    let home = crate::common::Home::configured(&bringing(&[("one.pem", "sign")]));
    write_key(&home.beside("one.pem"), &PKCS_ED25519);
    write_key(&home.beside("two.pem"), &PKCS_ED25519);
    write_key(&home.beside("es.pem"), &PKCS_ECDSA_P256_SHA256);
    let server = home.start().await;
    let first = server.sign_in("alice").await;
    let told = keys(&server).await;
    let of_files: Vec<_> = told.iter().filter(|key| key["source"] == "file").collect();
    assert_eq!(of_files.len(), 1);
    assert_eq!(of_files[0]["kid"], kid(&first.access));
    assert!(told.iter().all(|key| key["source"] == "file" || key["alg"] == "ES256"), "{told:?}");

    let steps: [&[(&str, &str)]; 3] = [
        &[("one.pem", "sign"), ("two.pem", "verify"), ("es.pem", "sign")],
        &[("one.pem", "verify"), ("two.pem", "sign"), ("es.pem", "sign")],
        &[("two.pem", "sign"), ("es.pem", "sign")],
    ];
    let mut tokens = first.clone();
    for (step, rows) in steps.into_iter().enumerate() {
        home.reconfigure(&bringing(rows));
        let said = server.reload().await;
        assert!(said.contains("signing_keys"), "{said}");
        let still_published = server.introspect(&first.access).await["active"] == true;
        assert_eq!(still_published, step < 2, "its key leaves with the last step");
        tokens = server.renew(&tokens.refresh).await;
        server.claims(&tokens.access).await;
    }
    assert_ne!(kid(&tokens.access), kid(&first.access));
    let es = sign_in(&server, "es").await;
    assert_eq!(server.introspect(&es.access).await["active"], true);
    let from_file = format!("/v1/keys/{}", kid(&es.access));
    let refused = server.ask_as_back_end(Ask::delete(&from_file)).await;
    refused.expect_problem(409, "key-from-file");
    let refused = Ask::json("/v1/keys/rotate", &json!({"alg": "EdDSA"}));
    server.ask_as_back_end(refused).await.expect_problem(400, "malformed");
}

#[tokio::test]
async fn a_key_file_that_cannot_be_used_is_refused_by_name_and_the_old_keys_stay() {
    let home = crate::common::Home::configured(&bringing(&[("one.pem", "sign")]));
    write_key(&home.beside("one.pem"), &PKCS_ED25519);
    write_key(&home.beside("two.pem"), &PKCS_ED25519);
    std::fs::write(home.beside("not.pem"), "-----BEGIN PRIVATE KEY-----\nAAAA\n").unwrap();
    let server = home.start().await;
    let tokens = server.sign_in("alice").await;
    for (rows, why) in [
        (&[("gone.pem", "sign")][..], "gone.pem could not be read"),
        (&[("not.pem", "sign")], "not.pem holds no PKCS #8 key"),
        (&[("one.pem", "sign"), ("two.pem", "sign")], "is another EdDSA key that signs"),
        (&[("one.pem", "sign"), ("./one.pem", "verify")], "holds the same key as another"),
    ] {
        home.reconfigure(&bringing(rows));
        let said = server.reload().await;
        assert!(said.contains("not reloaded") && said.contains(why), "{said}");
        assert!(!said.contains("AAAA"), "{said}");
    }
    server.renew(&tokens.refresh).await;
    assert_eq!(server.introspect(&tokens.access).await["active"], true);
}

#[tokio::test]
async fn the_age_of_the_keys_is_measured() {
    let server = server().await;
    let metrics = server.metrics().await;
    let age = "symbolon_signing_key_age_seconds{alg=\"EdDSA\"} ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(age)).unwrap();
    assert!(line.parse::<f64>().unwrap() < 60.0, "{line}");
    let _ = Claims::of(&server.sign_in("alice").await.access, &server.jwks().await);
}

#[tokio::test]
async fn a_secret_that_everybody_knows_keeps_the_authority_from_starting() {
    let configuration = Configuration::new()
        .audience("legacy", "alg = \"HS256\"\nsecret_file = \"legacy.secret\"")
        .bare_client("old", "audience = [\"legacy\"]");
    let home = crate::common::Home::configured(&configuration);
    for weak in [
        "SecretKey012345678901234567890123456789012345678901234567890123456789",
        "your-256-bit-secret-your-256-bit-secret",
        "0123456789abcdef0123456789abcdef0123456789abcdef",
        "changemechangemechangemechangeme",
    ] {
        std::fs::write(home.beside("legacy.secret"), weak).unwrap();
        let Err(status) = home.try_start().await else { panic!("it started with {weak}") };
        assert_eq!(status.code(), Some(3), "{weak}");
        assert!(home.log().contains("legacy.secret"), "{}", home.log());
        assert!(!home.log().contains(weak), "the secret is not repeated");
    }
}
