//! What a client's settings make of its access tokens, as services see them.

use crate::common::{Ask, Configuration, ISSUER, Server};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::time::Duration;
use symbolon_verify::{Algorithm, Policy, Presented, Verifier};

async fn server() -> Server {
    let strict = "staleness = \"2s\"\naccess_token = { alg = \"ES256\", audience = [\"modern\"] }\n\
                  audience = [\"modern\", \"reports\"]\nscope = \"orders:read\"";
    let accepts = "accepts = [\"ES256\"]";
    let configuration = Configuration::new()
        .audience("modern", accepts)
        .audience("reports", accepts)
        .bare_client("web", strict)
        .bare_client("plain", "audience = [\"modern\"]\nscope = \"orders:read\"");
    Server::configured(&configuration).await
}

/// The part of a token of that number.
fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

async fn token(server: &Server, client: &str) -> String {
    let body = json!({"subject": "alice", "client_id": client, "device": {"class": "web"}});
    server.start_session(&body).await.expect(201).text("access_token")
}

#[tokio::test]
async fn a_client_has_its_own_algorithm_and_audience_where_nobody_asks_for_another() {
    let server = server().await;
    let own = token(&server, "web").await;
    assert_eq!(part(&own, 0)["alg"], "ES256");
    assert_eq!(part(&own, 1)["aud"], "modern");
    let plain = token(&server, "plain").await;
    assert_eq!(part(&plain, 0)["alg"], "EdDSA", "the audience's own");
    let tokens = server.sign_in("bob").await;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "web"),
        ("refresh_token", &tokens.refresh),
        ("resource", "reports"),
    ];
    let asked = server.ask(Ask::form("/oauth2/token", &form)).await.expect(200);
    assert_eq!(part(&asked.text("access_token"), 1)["aud"], "reports");
    let at = format!("http://{}", server.authority);
    let builder = || {
        let builder = Verifier::builder(ISSUER).through(&at).audience("modern");
        builder.feed(server.api_key())
    };
    let both = builder().algorithm(Algorithm::EdDsa).algorithm(Algorithm::Es256);
    let both = both.connect().await.unwrap();
    for token in [&own, &plain] {
        assert!(both.admit(&Presented::bearer(token), &Policy::default()).await.is_ok());
        assert_eq!(server.introspect(token).await["active"], true);
    }
    let one = builder().connect().await.unwrap();
    let refused = one.admit(&Presented::bearer(&own), &Policy::default()).await.err();
    assert_eq!(refused.and_then(|why| why.reason()), Some("untrusted"));
}

#[tokio::test]
async fn a_token_says_how_old_the_knowledge_may_be_that_lets_it_in() {
    let server = server().await;
    let own = token(&server, "web").await;
    let at = format!("http://{}", server.authority);
    let builder = Verifier::builder(ISSUER).through(&at).audience("modern");
    let builder = builder.algorithm(Algorithm::EdDsa).algorithm(Algorithm::Es256);
    let verifier = builder.feed(server.api_key()).connect().await.unwrap();
    let admitted = verifier.admit(&Presented::bearer(&own), &Policy::offline()).await.unwrap();
    assert_eq!(admitted.claims().staleness, Some(Duration::from_secs(2)));
    let plain = token(&server, "plain").await;
    let admitted = verifier.admit(&Presented::bearer(&plain), &Policy::offline()).await.unwrap();
    assert_eq!(admitted.claims().staleness, None);
    // The authority is away: the one is let in on what is known by its route, the other is not.
    drop(server.kill().await);
    let closed = || async {
        let judged = verifier.admit(&Presented::bearer(&own), &Policy::offline()).await;
        judged.is_err().then_some(())
    };
    crate::common::until("what is known is older than 2 s", closed).await;
    assert!(verifier.admit(&Presented::bearer(&plain), &Policy::offline()).await.is_ok());
}
