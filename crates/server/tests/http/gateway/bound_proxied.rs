//! Tokens that are bound to features and a network, behind each proxy that runs here: it must say both of whoever asks.

use super::RULES;
use super::site::{Proxy, Site};
use crate::common::{Configuration, Server};
use serde_json::json;

/// With what Caddy would replace if it read the text as its own.
const OWN: &str = "Firefox {http.request.host}";

const CLIENT: &str = r#"
audience = ["demo-api"]
scope = "orders:read"
binding = { features = "enforce", network = "enforce" }
"#;

/// A token of a session that began with [`OWN`] at this address.
async fn token(server: &Server, ip: &str) -> String {
    let body = json!({
        "subject": "alice", "client_id": "web", "device": {"class": "web"}, "features": OWN, "ip": ip,
    });
    let started = server.start_session(&body).await.expect(201);
    format!("Authorization: Bearer {}", started.text("access_token"))
}

async fn says_who_asks(proxy: Proxy) {
    let configuration = Configuration::new().bare_client("web", CLIENT).gateway(RULES);
    let site = Site::before(Server::configured(&configuration).await, proxy).await;
    let (here, away) =
        (token(&site.authority, "127.0.0.1").await, token(&site.authority, "203.0.113.7").await);
    let (own, from_away) = (format!("X-Symbolon-Features: {OWN}"), "X-Forwarded-For: 203.0.113.7");
    for (lines, status) in [
        (&[&*here, &*own][..], 200),
        (&[&*here, "X-Symbolon-Features: curl"], 401),
        (&[&*here], 401),
        (&[&*away, &*own], 401),
        (&[&*away, &*own, from_away], 401),
    ] {
        let answer = site.ask("GET", "/orders", lines).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{lines:?}: {answer}");
        assert_eq!(answer.contains("reason=\"binding\""), status == 401, "{lines:?}: {answer}");
    }
}

#[tokio::test]
async fn nginx_says_who_asks() {
    says_who_asks(Proxy::Nginx).await;
}

#[tokio::test]
async fn caddy_says_who_asks() {
    says_who_asks(Proxy::Caddy).await;
}

#[tokio::test]
async fn haproxy_says_who_asks() {
    says_who_asks(Proxy::Haproxy).await;
}
