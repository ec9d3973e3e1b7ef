//! Allow lists, and what a stolen signing key is worth where there is one.

use crate::common::{Ask, Configuration, Home, ISSUER, Server, Sidecar, until};
use data_encoding::BASE64URL_NOPAD;
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};
use std::sync::Arc;
use symbolon_verify::{Builder, Policy, Presented, Reason, Rejected, Type, Verifier};
use symbolon_wire::SigningKey;

/// A rule for each gate, of which one keeps an allow list.
const RULES: &str = "trusted_proxies = [\"127.0.0.1\"]\naudience = \"demo-api\"\n\
                     rules = [{ name = \"all\", prefix = \"/\" }]\n";

fn configuration(gateway: &str) -> Configuration {
    Configuration::new()
        .audience("es", "alg = \"ES256\"\n[[signing_keys]]\nfile = \"own.pem\"")
        .client("web", "")
        .client("kiosk", "preset = \"sliding-session\"")
        .gateway(&format!("{RULES}{gateway}"))
}

/// An authority that signs with a key from a file, and the key as whoever copied the file has it.
async fn robbed(gateway: &str) -> (Server, SigningKey) {
    let home: Arc<Home> = Home::configured(&configuration(gateway));
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    std::fs::write(home.beside("own.pem"), pair.serialize_pem()).unwrap();
    let key = SigningKey::from_pkcs8(pair.serialized_der()).ok().unwrap();
    (home.start().await, key)
}

/// A genuine token with one claim changed, signed again.
fn forged(token: &str, key: &SigningKey, name: &str, value: &Value) -> String {
    let payload = token.split('.').nth(1).unwrap();
    let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap();
    let payload = String::from_utf8(payload).unwrap();
    let claims: Value = serde_json::from_str(&payload).unwrap();
    let (old, new) = (format!("\"{name}\":{}", claims[name]), format!("\"{name}\":{value}"));
    let changed = payload.replacen(&old, &new, 1);
    assert_ne!(changed, payload, "{name} is in it");
    key.sign(Type::AccessTokenJwt, changed.as_bytes()).unwrap()
}

fn builder(server: &Server) -> Builder {
    let at = format!("http://{}", server.authority);
    Verifier::builder(ISSUER).through(&at).audience("demo-api").feed(server.api_key())
}

async fn admit(verifier: &Verifier, token: &str) -> Result<String, Rejected> {
    let verified = verifier.admit(&Presented::bearer(token), &Policy::default()).await?;
    Ok(verified.claims().sub.to_owned())
}

#[tokio::test]
async fn a_stolen_signing_key_mints_nothing_where_there_is_an_allow_list() {
    let (server, key) = robbed("allowlist = true").await;
    let (trusting, listing) =
        (builder(&server).connect().await.unwrap(), builder(&server).allowlist(true));
    let listing = listing.connect().await.unwrap();
    let sidecar =
        Sidecar::of(&server, &["--issuer", ISSUER, "--audience", "demo-api", "--allowlist"]).await;
    sidecar.ready().await;
    let own = server.sign_in("alice").await;
    let service = server.service_token(&[]).await.expect(200).text("access_token");
    for genuine in [&own.access, &service] {
        assert!(admit(&listing, genuine).await.is_ok());
        assert_eq!(server.introspect(genuine).await["active"], true);
        assert_eq!(sidecar.introspect(genuine).await["active"], true);
    }
    let nobody = Rejected::Revoked { ended: None };
    for (token, name, value) in [
        (&own.access, "sub", json!("the-boss")),
        (&own.access, "scope", json!("orders:read orders:write admin")),
        (&own.access, "exp", json!(4_000_000_000_u64)),
        (&service, "sub", json!("client:web")),
        (&service, "exp", json!(4_000_000_000_u64)),
        (&own.access, "jti", json!("AAAAAAAAAAAAAAAAAAAAAA")),
    ] {
        let forged = forged(token, &key, name, &value);
        assert!(admit(&trusting, &forged).await.is_ok(), "its signature is good: {name}");
        assert_eq!(admit(&listing, &forged).await, Err(nobody.clone()), "{name}");
        assert_eq!(server.introspect(&forged).await, json!({"active": false}), "{name}");
        assert_eq!(sidecar.introspect(&forged).await, json!({"active": false}), "{name}");
        server.ask(Ask::get("/gateway/check/orders").key(&forged)).await.expect(401);
    }
    server.ask(Ask::get("/gateway/check/orders").key(&own.access)).await.expect(200);
    assert!(server.home.log().contains("the signing key"), "an operator is told");
    let counted = server.metrics().await;
    assert!(!counted.contains("symbolon_forged_tokens_total 0\n"), "{counted}");
}

#[tokio::test]
async fn tokens_of_earlier_generations_are_still_known_to_be_ours() {
    let (server, _) = robbed("").await;
    let listing = builder(&server).allowlist(true).connect().await.unwrap();
    let own = server.sign_in("alice").await;
    let (mut refresh, mut tokens) = (own.refresh, vec![own.access]);
    for _ in 0..20 {
        let next = server.renew(&refresh).await;
        refresh = next.refresh;
        tokens.push(next.access);
    }
    for token in tokens {
        assert_eq!(admit(&listing, &token).await.as_deref(), Ok("alice"));
    }
}

#[tokio::test]
async fn a_lasting_token_is_listed_too_and_refused_when_its_session_ends() {
    let (server, _) = robbed("").await;
    let listing = builder(&server).allowlist(true).connect().await.unwrap();
    let body = json!({"subject": "bob", "client_id": "kiosk", "device": {"class": "web"}});
    let own = server.start_session(&body).await.expect(201);
    let token = own.text("access_token");
    assert_eq!(admit(&listing, &token).await.as_deref(), Ok("bob"));
    server.kick(&own.text("session_id")).await.expect(200);
    let kicked = Rejected::Revoked { ended: Some(Reason::Kicked) };
    until("the end is known", || async {
        (admit(&listing, &token).await == Err(kicked.clone())).then_some(())
    })
    .await;
}
