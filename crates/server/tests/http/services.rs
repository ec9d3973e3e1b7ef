//! Client credentials (RFC 6749 §4.4) over HTTP: what a service is given for itself, and what ends it.

use crate::common::{Ask, Configuration, ISSUER, SERVICE_SECRET, Server, Tokens};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use symbolon_wire::SecretHash;

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

async fn server() -> Server {
    let hash = SecretHash::of(SERVICE_SECRET).to_text();
    let confidential = format!("secret_hash = \"{hash}\"");
    let short = format!("preset = \"service\"\n{confidential}\naccess_token = {{ ttl = \"1s\" }}");
    let configuration = Configuration::new()
        .client("web", "")
        .client("back-end", &confidential)
        .client("short", &short);
    Server::configured(&configuration).await
}

/// The members of an answer.
fn members(answer: &Value) -> Vec<&str> {
    answer.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_service_is_given_a_token_of_its_own_and_nothing_to_renew_it_with() {
    let server = server().await;
    let answer = server.service_token(&[]).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.json();
    assert_eq!(members(&told), ["access_token", "expires_in", "scope", "token_type"]);
    assert_eq!((&told["token_type"], &told["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert_eq!(told["scope"], "orders:read orders:write");

    let claims = server.claims(&answer.text("access_token")).await;
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!(ISSUER), &json!("client:service")));
    assert_eq!(claims["client_id"], "service");
    assert_eq!(claims["aud"], json!(["demo-api", "billing"]));
    assert_eq!(claims["ver"], json!([0, 0, 0, 0]));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
    for absent in ["sid", "auth_time", "roles", "amr", "acr", "cnf"] {
        assert_eq!(claims[absent], Value::Null, "{absent}");
    }
    assert_eq!(server.list("/v1/sessions").await, Vec::<Value>::new(), "it is no session");
}

#[tokio::test]
async fn the_token_of_a_service_opens_the_demo_api() {
    let server = Server::with(&[]).await;
    let secret = server.told["clients"]["service"]["client_secret"].as_str().unwrap();
    let ask = Ask::form("/oauth2/token", &[GRANT]).basic("service", secret);
    let token = server.ask(ask).await.expect(200).text("access_token");
    let api = server.told["demo_api"].as_str().unwrap().strip_prefix("http://").unwrap();
    let get = format!(
        "GET /orders HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    let heard = crate::common::exchange(api, get.as_bytes(), crate::common::SOON).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
}

#[tokio::test]
async fn a_token_of_a_service_that_has_expired_is_inactive() {
    let hash = symbolon_wire::SecretHash::of(crate::common::SERVICE_SECRET).to_text();
    let short = format!(
        "preset = \"service\"\nsecret_hash = \"{hash}\"\naccess_token = {{ ttl = \"1s\" }}"
    );
    let configuration = crate::common::Configuration::empty().client("service", &short);
    let server = Server::configured(&configuration).await;
    let token = server.service_token(&[]).await.expect(200).text("access_token");
    crate::common::pass(std::time::Duration::from_millis(1100)).await;
    assert_eq!(server.introspect(&token).await, json!({"active": false}));
}

#[tokio::test]
async fn two_tokens_of_one_second_have_names_of_their_own() {
    let server = server().await;
    let mut names = BTreeSet::new();
    for _ in 0..20 {
        let token = server.service_token(&[]).await.expect(200).text("access_token");
        names.insert(server.claims(&token).await["jti"].as_str().unwrap().to_owned());
    }
    assert_eq!(names.len(), 20);
}

#[tokio::test]
async fn scope_is_narrowed_and_a_resource_picks_an_audience_but_never_the_issuer() {
    let server = server().await;
    let narrowed = [("scope", "orders:read"), ("resource", "billing"), ("unknown", "1")];
    let answer = server.service_token(&narrowed).await.expect(200);
    assert_eq!(answer.text("scope"), "orders:read");
    let claims = server.claims(&answer.text("access_token")).await;
    assert_eq!((&claims["scope"], &claims["aud"]), (&json!("orders:read"), &json!("billing")));
    for (parameter, error) in [
        (("scope", "admin"), "invalid_scope"),
        (("scope", "orders:read admin"), "invalid_scope"),
        (("scope", "orders:read  orders:write"), "invalid_scope"),
        (("resource", "nobody"), "invalid_target"),
        (("resource", ISSUER), "invalid_target"),
    ] {
        server.service_token(&[parameter]).await.expect_oauth(400, error, None);
    }
    for twice in [GRANT, ("scope", "orders:read"), ("resource", "billing"), ("unknown", "1")] {
        let refused = server.service_token(&[twice, twice]).await;
        refused.expect_oauth(400, "invalid_request", None);
    }
}

#[tokio::test]
async fn only_a_confidential_client_of_the_preset_is_given_one() {
    let server = server().await;
    let public = server.ask(Ask::form("/oauth2/token", &[GRANT, ("client_id", "web")])).await;
    public.expect_oauth(400, "unauthorized_client", None);
    let other = Ask::form("/oauth2/token", &[GRANT]).basic("back-end", SERVICE_SECRET);
    server.ask(other).await.expect_oauth(400, "unauthorized_client", None);
    for (client, secret) in [("service", "wrong"), ("service", ""), ("nobody", SERVICE_SECRET)] {
        let ask = Ask::form("/oauth2/token", &[GRANT]).basic(client, secret);
        server.ask(ask).await.expect_oauth(401, "invalid_client", None);
    }
    let bare = server.ask(Ask::form("/oauth2/token", &[GRANT, ("client_id", "service")])).await;
    bare.expect_oauth(401, "invalid_client", None);
    let in_form = [GRANT, ("client_id", "service"), ("client_secret", SERVICE_SECRET)];
    server.ask(Ask::form("/oauth2/token", &in_form)).await.expect(200);
}

#[tokio::test]
async fn introspection_repeats_the_claims_of_a_services_token_while_it_is_in_force() {
    let server = server().await;
    let token = server.service_token(&[]).await.expect(200).text("access_token");
    let claims = server.claims(&token).await;
    let told = server.introspect(&token).await;
    assert_eq!(told["active"], true);
    for member in ["sub", "client_id", "aud", "scope", "jti", "exp", "iat", "ver"] {
        assert_eq!(told[member], claims[member], "{member}");
    }
    assert_eq!(told.get("sid"), None);

    let short = Ask::form("/oauth2/token", &[GRANT]).basic("short", SERVICE_SECRET);
    let answer = server.ask(short).await.expect(200);
    assert_eq!(answer.member("expires_in"), 1);
    let over = || async {
        let told = server.introspect(&answer.text("access_token")).await;
        (told == json!({"active": false})).then_some(())
    };
    crate::common::until("its second has passed", over).await;
}

#[tokio::test]
async fn a_services_token_is_no_refresh_token_and_cannot_be_revoked_as_one() {
    let server = server().await;
    let token = server.service_token(&[]).await.expect(200).text("access_token");
    server.refresh(&token).await.expect_oauth(400, "invalid_grant", None);
    let revoke = Ask::form("/oauth2/revoke", &[("token", &token)]);
    let refused = server.ask(revoke.basic("service", SERVICE_SECRET)).await;
    refused.expect_oauth(400, "unsupported_token_type", None);
    Tokens::of(&server.refresh(&server.sign_in("alice").await.refresh).await);
}
