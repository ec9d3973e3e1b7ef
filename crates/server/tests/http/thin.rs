//! Thin tokens: they leave out roles and claims, which whoever needs them asks for once.

use crate::common::{Ask, BackEnd, Configuration, ISSUER, Server, Sidecar, Tokens, until};
use serde_json::{Value, json};
use symbolon_verify::{DecryptionKey, Policy, Presented, Rejected, Verifier};

const THIN: &str = "access_token = { claims = \"thin\" }";

const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [ { name = "me", prefix = "/me", roles = ["clerk"] } ]
"#;

async fn server() -> Server {
    Server::configured(&Configuration::new().client("web", THIN).gateway(RULES)).await
}

async fn verifier(server: &Server) -> Verifier {
    let at = format!("http://{}", server.authority);
    let builder = Verifier::builder(ISSUER).through(&at).audience("demo-api");
    builder.instance("service").feed(server.api_key()).connect().await.unwrap()
}

/// How often the authority was asked about a token and said yes.
async fn asked(server: &Server) -> u64 {
    let metrics = server.metrics().await;
    let line = "symbolon_introspections_total{what=\"active\"} ";
    let count = metrics.lines().find_map(|own| own.strip_prefix(line));
    count.map_or(0, |count| count.parse().unwrap())
}

async fn put(server: &Server, roles: &[String]) -> crate::common::Answer {
    let body = json!({"roles": roles, "claims": {"plan": "pro"}});
    server.ask_as_back_end(Ask::put("/v1/subjects/alice", &body)).await
}

fn permissions(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("orders:item-{n}:read")).collect()
}

/// How many roles a token lets in with, and the plan.
async fn rights(verifier: &Verifier, tokens: &Tokens) -> Result<(usize, String), Rejected> {
    let presented = Presented::bearer(&tokens.access);
    let verified = verifier.admit(&presented, &Policy::default()).await?;
    let claims = verified.claims();
    Ok((claims.roles().count(), claims.extra("plan").unwrap_or_default().to_owned()))
}

#[tokio::test]
async fn six_hundred_permissions_are_asked_for_once_and_again_when_they_change() {
    let server = server().await;
    put(&server, &permissions(600)).await.expect(200);
    let verifier = verifier(&server).await;
    let first = server.sign_in("alice").await;
    assert!(first.access.len() < 800, "{} bytes", first.access.len());
    let says = server.claims(&first.access).await;
    assert_eq!((&says["roles"], &says["plan"]), (&Value::Null, &Value::Null));
    let pro = "\"pro\"".to_owned();
    assert_eq!(rights(&verifier, &first).await, Ok((600, pro.clone())));
    let renewed = server.renew(&first.refresh).await;
    let elsewhere = server.sign_in_on("alice", &json!({"class": "app"})).await;
    for tokens in [&first, &renewed, &elsewhere] {
        assert_eq!(rights(&verifier, tokens).await, Ok((600, pro.clone())));
    }
    assert_eq!(asked(&server).await, 1, "one question for all that leave out the same");
    put(&server, &permissions(3)).await.expect(200);
    until("the change is known", || async {
        (rights(&verifier, &renewed).await == Err(Rejected::Stale)).then_some(())
    })
    .await;
    let next = server.renew(&renewed.refresh).await;
    assert_eq!(rights(&verifier, &next).await, Ok((3, pro)));
    assert_eq!(asked(&server).await, 2);
}

#[tokio::test]
async fn introspection_says_what_the_token_leaves_out() {
    let server = server().await;
    put(&server, &permissions(2)).await.expect(200);
    let tokens = server.sign_in("alice").await;
    let told = server.introspect(&tokens.access).await;
    assert_eq!((&told["active"], &told["roles"]), (&json!(true), &json!(permissions(2))));
    assert_eq!(told["plan"], "pro");
    server.kick(&tokens.sid).await.expect(200);
    assert_eq!(server.introspect(&tokens.access).await, json!({"active": false}));
}

#[tokio::test]
async fn a_gateway_and_a_sidecar_know_the_roles_that_a_rule_asks_for() {
    let server = server().await;
    put(&server, &["clerk".to_owned(), "cook".to_owned()]).await.expect(200);
    let tokens = server.sign_in("alice").await;
    let file = server.home.beside("symbolon.toml").display().to_string();
    let sidecar = Sidecar::of(&server, &["--config", &file]).await;
    sidecar.ready().await;
    let check = || Ask::get("/gateway/check/me").key(&tokens.access);
    let at_the_authority = server.ask(check()).await.expect(200);
    let at_the_sidecar = sidecar.ask(check()).await.expect(200);
    for answer in [at_the_authority, at_the_sidecar] {
        assert_eq!(answer.header("x-symbolon-roles"), "clerk cook", "{answer:?}");
    }
    let told = sidecar.introspect(&tokens.access).await;
    assert_eq!((&told["roles"], &told["plan"]), (&json!(["clerk", "cook"]), &json!("pro")));
    put(&server, &["cook".to_owned()]).await.expect(200);
    let next = server.renew(&tokens.refresh).await;
    let check = || Ask::get("/gateway/check/me").key(&next.access);
    server.ask(check()).await.expect(403);
}

#[tokio::test]
async fn so_many_permissions_are_taken_only_where_no_token_says_them() {
    let full = Configuration::new().client("web", THIN).client("app", "");
    let server = Server::configured(&full).await;
    put(&server, &permissions(600)).await.expect_problem(400, "malformed");
    let shown = server.ask_as_back_end(Ask::get("/v1/clients/web")).await.expect(200);
    assert_eq!(shown.member("access_token")["claims"], "thin");
}

#[tokio::test]
async fn what_a_back_end_tells_of_one_session_is_asked_for_under_a_name_of_its_own() {
    let back_end = BackEnd::saying(&json!({"allow": true, "roles": permissions(700)})).await;
    let hook = format!("{THIN}\nhook = {{ url = \"{}\", timeout = \"5s\" }}", back_end.url);
    let server = Server::configured(&Configuration::new().client("web", &hook)).await;
    put(&server, &permissions(2)).await.expect(200);
    let verifier = verifier(&server).await;
    let first = server.sign_in("alice").await;
    let second = server.renew(&first.refresh).await;
    let pro = "\"pro\"".to_owned();
    assert_eq!(rights(&verifier, &second).await, Ok((700, pro.clone())));
    // What the first one leaves out was never asked for, and is not what holds now.
    assert_eq!(rights(&verifier, &first).await, Err(Rejected::Stale));
    let other = server.sign_in_on("alice", &json!({"class": "app"})).await;
    assert_eq!(rights(&verifier, &other).await, Ok((2, pro)));
}

#[tokio::test]
async fn an_encrypted_token_leaves_out_what_another_does() {
    let vectors = include_str!("../../../../api/vectors/jwe.json");
    let private = serde_json::from_str::<Value>(vectors).unwrap()["tokens"][0]["jwk"].clone();
    let mut public = private.clone();
    public.as_object_mut().unwrap().remove("d");
    let client = format!("audience = [\"sealed\"]\nscope = \"orders:read\"\n{THIN}");
    let configuration = Configuration::empty()
        .audience("sealed", &format!("encrypt = {{ jwk = '{public}' }}"))
        .bare_client("web", &client);
    let server = Server::configured(&configuration).await;
    put(&server, &permissions(3)).await.expect(200);
    let opens = DecryptionKey::from_jwk(&private.to_string());
    let verifier = Verifier::builder(ISSUER)
        .through(&format!("http://{}", server.authority))
        .audience("sealed")
        .decrypt_with(opens.unwrap_or_else(|wrong| panic!("{wrong}")))
        .require_encrypted()
        .feed(server.api_key());
    let verifier = verifier.connect().await.unwrap();
    let first = server.sign_in("alice").await;
    let renewed = server.renew(&first.refresh).await;
    for tokens in [&first, &first, &renewed] {
        assert_eq!(rights(&verifier, tokens).await, Ok((3, "\"pro\"".to_owned())));
    }
    assert_eq!(asked(&server).await, 1);
}
