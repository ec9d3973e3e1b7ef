//! Tokens for one use: of all who show one, at every service, gateway and node, one is let in.

use crate::common::{
    Answer, Ask, Configuration, ISSUER, SERVICE_SECRET, Secrets, Server, Sidecar, at_once,
};
use serde_json::json;
use std::collections::BTreeSet;
use symbolon_verify::{Policy, Presented, Reason, Rejected, Verifier};
use symbolon_wire::SecretHash;

/// How many come at one instant.
const CROWD: usize = 64;

const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
rules = [ { name = "pay", prefix = "/pay", audience = "payments" } ]
"#;

async fn server() -> Server {
    let web = "audience = [\"demo-api\", \"billing\", \"payments\"]\nscope = \"orders:read\"\n\
               access_token = { audience = [\"demo-api\", \"billing\"] }";
    let hash = SecretHash::of(SERVICE_SECRET).to_text();
    let payer =
        format!("preset = \"service\"\nsecret_hash = \"{hash}\"\naudience = [\"payments\"]");
    let configuration = Configuration::new().audience("payments", "one_use = true");
    let configuration = configuration.bare_client("web", web).bare_client("payer", &payer);
    Server::configured(&configuration.gateway(RULES)).await
}

/// A renewal that asks for a token for one payment.
fn renewal(refresh: &str) -> Ask {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "web"),
        ("refresh_token", refresh),
        ("resource", "payments"),
    ];
    Ask::form("/oauth2/token", &form)
}

async fn token_of(server: &Server, subject: &str) -> String {
    let own = server.sign_in(subject).await;
    server.ask(renewal(&own.refresh)).await.expect(200).text("access_token")
}

fn redeem(token: &str) -> Ask {
    Ask::json("/v1/tokens/redeem", &json!({ "token": token }))
}

fn one_was_first(answers: &[Answer]) {
    let (good, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((good.len(), others.len()), (1, CROWD - 1));
    for answer in others {
        let said = (answer.status.as_u16(), &*answer.text("type"));
        assert_eq!(said, (409, "urn:symbolon:already-used"));
    }
}

#[tokio::test]
async fn of_64_who_redeem_one_token_at_once_one_is_first() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let mut refresh = own.refresh;
    for _ in 0..4 {
        let renewed = server.ask(renewal(&refresh)).await.expect(200);
        refresh = renewed.text("refresh_token");
        let ask = redeem(&renewed.text("access_token")).key(server.api_key());
        one_was_first(&at_once(&server.authority, vec![ask; CROWD]).await);
    }
    let counted = server.metrics().await;
    assert!(counted.contains("kind=\"access_token\",what=\"redeemed\"} 4"), "{counted}");
}

#[tokio::test]
async fn tabs_that_renew_at_once_each_earn_a_use_of_their_own() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let answers = at_once(&server.authority, vec![renewal(&own.refresh); CROWD]).await;
    let (mut tokens, mut successors) = (BTreeSet::new(), BTreeSet::new());
    for answer in answers {
        let answer = answer.expect(200);
        successors.insert(answer.text("refresh_token"));
        let token = answer.text("access_token");
        server.ask_as_back_end(redeem(&token)).await.expect(200);
        tokens.insert(token);
    }
    assert_eq!((successors.len(), tokens.len()), (1, CROWD));
}

#[tokio::test]
async fn what_was_used_at_one_place_is_used_at_every_other() {
    let server = server().await;
    let file = server.home.beside("symbolon.toml");
    let sidecar = Sidecar::of(&server, &["--config", file.to_str().unwrap()]).await;
    sidecar.ready().await;
    let at = format!("http://{}", server.authority);
    let builder = Verifier::builder(ISSUER).through(&at).audience("payments");
    let verifier = builder.feed(server.api_key()).connect().await.unwrap();
    for first in 0..4 {
        let token = token_of(&server, &format!("person-{first}")).await;
        let presented = Presented::bearer(&token);
        for place in (0..4).map(|place| (first + place) % 4) {
            let gate = Ask::get("/gateway/check/pay").key(&token);
            let passed = match place {
                0 => verifier.admit(&presented, &Policy::default()).await.map(|_| ()),
                1 => refused(&server.ask(gate).await),
                2 => refused(&sidecar.ask(gate).await),
                _ => match server.introspect(&token).await["active"] == true {
                    true => Ok(()),
                    false => Err(Rejected::Used),
                },
            };
            let expected = if place == first { Ok(()) } else { Err(Rejected::Used) };
            assert_eq!(passed, expected, "used at {first}, then shown at {place}");
        }
    }
}

fn refused(answer: &Answer) -> Result<(), Rejected> {
    match answer.status.as_u16() {
        200 => Ok(()),
        401 if answer.header("www-authenticate").contains("reason=\"used\"") => Err(Rejected::Used),
        _ => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn a_token_for_many_uses_is_not_touched_by_any_of_this() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let claims = server.claims(&own.access).await;
    assert_eq!(claims["aud"], json!(["demo-api", "billing"]), "nobody asked for payments");
    for _ in 0..3 {
        assert_eq!(server.introspect(&own.access).await["active"], true);
        server.ask_as_back_end(redeem(&own.access)).await.expect_problem(400, "malformed");
    }
}

#[tokio::test]
async fn only_what_is_in_force_and_within_reach_can_be_redeemed() {
    let server = server().await;
    for (text, status, code) in [("x", 400, "malformed"), ("a.b.c", 400, "malformed")] {
        server.ask_as_back_end(redeem(text)).await.expect_problem(status, code);
    }
    let own = server.sign_in("alice").await;
    let token = server.ask(renewal(&own.refresh)).await.expect(200).text("access_token");
    let reader = server.new_api_key("sessions:read", None).await;
    let ask = redeem(&token).key(&reader);
    server.ask(ask).await.expect_problem(403, "insufficient-scope");
    let limited = server.new_api_key("revocations:read", Some("payer")).await;
    server.ask(redeem(&token).key(&limited)).await.expect_problem(404, "not-found");
    let roles = json!({"roles": ["clerk"]});
    server.ask_as_back_end(Ask::put("/v1/subjects/alice", &roles)).await.expect(200);
    server.ask_as_back_end(redeem(&token)).await.expect_problem(409, "stale");
    server.kick(&own.sid).await.expect(200);
    let over = server.ask_as_back_end(redeem(&token)).await.expect_problem(409, "session-ended");
    assert_eq!(over.text("reason"), Reason::Kicked.as_str());
}

#[tokio::test]
async fn a_services_own_token_lets_in_once_as_well() {
    let server = server().await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "payer"),
        ("client_secret", SERVICE_SECRET),
    ];
    let answer = server.ask(Ask::form("/oauth2/token", &form)).await.expect(200);
    let token = answer.text("access_token");
    assert_eq!(server.claims(&token).await["one_use"], true);
    server.ask_as_back_end(redeem(&token)).await.expect(200);
    server.ask_as_back_end(redeem(&token)).await.expect_problem(409, "already-used");
}

#[tokio::test]
async fn a_use_outlives_a_crash_and_no_token_is_kept_anywhere() {
    let server = server().await;
    let token = token_of(&server, "alice").await;
    server.ask_as_back_end(redeem(&token)).await.expect(200);
    let key = server.api_key().to_owned();
    let home = server.kill().await;
    let server = home.start().await;
    server.ask(redeem(&token).key(&key)).await.expect_problem(409, "already-used");
    let mut secrets = Secrets::default();
    secrets.add(&token);
    assert_eq!(secrets.found_below(&home.data()), Vec::<String>::new());
    assert!(!home.log().contains(&token), "a token stands in the log");
}

#[tokio::test]
async fn a_gate_that_renews_lets_a_token_for_one_use_in_once_and_leaves_the_next_to_the_token_endpoint()
 {
    let rules = r#"
trusted_proxies = ["127.0.0.1"]
rules = [ { name = "buy", prefix = "/buy", audience = "payments", renews = true } ]
"#;
    let app = "audience = [\"payments\"]\ndelivery = \"headers\"";
    let configuration = Configuration::new().audience("payments", "one_use = true");
    let server = Server::configured(&configuration.bare_client("app", app).gateway(rules)).await;
    let body = json!({"subject": "alice", "client_id": "app", "device": {"class": "app"}});
    let started = server.start_session(&body).await.expect(201);
    let (access, refresh) = (started.text("access_token"), started.text("refresh_token"));
    let buy =
        |access: &str| Ask::get("/gateway/check/buy").key(access).with("x-refresh-token", &refresh);
    assert_eq!(refused(&server.ask(buy(&access)).await), Ok(()));
    for _ in 0..3 {
        let again = server.ask(buy(&access)).await;
        assert_eq!(refused(&again), Err(Rejected::Used));
        assert!(!again.headers.contains_key("x-access-token"), "nothing was renewed");
    }
    let form = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", &refresh)];
    let next = server.ask(Ask::form("/oauth2/token", &form)).await.expect(200);
    assert_eq!(refused(&server.ask(buy(&next.text("access_token"))).await), Ok(()));
}
