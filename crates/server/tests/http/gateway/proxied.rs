//! What people install a gateway for, through each proxy that runs here.

use super::site::{Proxy, Site};
use super::token;

/// The value of a header as the application received it.
fn received<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

async fn lets_the_right_ones_in(proxy: Proxy) {
    let site = Site::start(proxy).await;
    let (alice, sid) =
        token(&site.authority, "web", "张 三%20{http.request.host}", &["clerk", "vice president"])
            .await;
    let bearer = format!("Authorization: Bearer {alice}");

    let answer = site.ask("GET", "/orders/7?all=yes", &[&bearer]).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let head = site.upstream.received().pop().unwrap();
    assert!(head.starts_with("GET /orders/7?all=yes HTTP/1.1"), "{head}");
    for (name, value) in [
        ("X-Symbolon-Subject", "%E5%BC%A0%20%E4%B8%89%2520{http.request.host}"),
        ("X-Symbolon-Session", &sid),
        ("X-Symbolon-Client", "web"),
        ("X-Symbolon-Scope", "orders:read"),
        ("X-Symbolon-Roles", "clerk vice%20president"),
        ("X-Symbolon-Token", &alice),
    ] {
        assert_eq!(received(&head, name), Some(value), "{name} in {head}");
    }

    let open = site.ask("POST", "/public/page", &[]).await;
    assert!(open.starts_with("HTTP/1.1 200"), "{open}");
    assert!(!site.upstream.received().pop().unwrap().to_lowercase().contains("x-symbolon"));

    let served = site.upstream.served();
    for (method, target, lines, status, challenge) in [
        ("GET", "/orders", &[][..], 401, "Bearer"),
        ("GET", "/me", &["Authorization: Bearer x.y.z"], 401, "invalid_token"),
        ("GET", "/me", &[&bearer, &bearer], 401, "Bearer"),
        ("GET", "/me", &["Authorization: Basic YTpi"], 401, "Bearer"),
        ("POST", "/orders", &[&bearer], 403, ""),
        ("DELETE", "/orders", &[&bearer], 403, ""),
        ("GET", "/admin", &[&bearer], 403, ""),
    ] {
        let answer = site.ask(method, target, lines).await;
        let status = format!("HTTP/1.1 {status}");
        // Two lines of one header are refused by some proxies themselves.
        let refused = answer.starts_with(&status) || answer.starts_with("HTTP/1.1 400");
        assert!(refused, "{method} {target} {lines:?}: {answer}");
        if answer.starts_with("HTTP/1.1 401") {
            let line = answer.lines().find(|line| line.to_lowercase().starts_with("www-auth"));
            assert!(line.is_some_and(|line| line.contains(challenge)), "{answer}");
        }
    }
    assert_eq!(site.upstream.served(), served, "nothing of that reached the application");

    assert!(site.ask("GET", "/me", &[&bearer]).await.starts_with("HTTP/1.1 200"));
    site.authority.kick(&sid).await.expect(200);
    let kicked = site.ask("GET", "/me", &[&bearer]).await;
    assert!(kicked.starts_with("HTTP/1.1 401") && kicked.contains("ended=\"kicked\""), "{kicked}");
}

async fn lets_nobody_in_without_an_authority(proxy: Proxy) {
    let site = Site::start(proxy).await;
    let (alice, _) = token(&site.authority, "web", "alice", &[]).await;
    let bearer = format!("Authorization: Bearer {alice}");
    assert!(site.ask("GET", "/me", &[&bearer]).await.starts_with("HTTP/1.1 200"));
    let served = site.upstream.served();
    site.stop_authority().await;
    for target in ["/me", "/public"] {
        let answer = site.ask("GET", target, &[&bearer]).await;
        assert!(answer.starts_with("HTTP/1.1 5"), "{answer}");
    }
    assert_eq!(site.upstream.served(), served);
}

#[tokio::test]
async fn nginx_lets_the_right_ones_in() {
    lets_the_right_ones_in(Proxy::Nginx).await;
}

#[tokio::test]
async fn caddy_lets_the_right_ones_in() {
    lets_the_right_ones_in(Proxy::Caddy).await;
}

#[tokio::test]
async fn haproxy_lets_the_right_ones_in() {
    lets_the_right_ones_in(Proxy::Haproxy).await;
}

#[tokio::test]
async fn nginx_lets_nobody_in_without_an_authority() {
    lets_nobody_in_without_an_authority(Proxy::Nginx).await;
}

#[tokio::test]
async fn caddy_lets_nobody_in_without_an_authority() {
    lets_nobody_in_without_an_authority(Proxy::Caddy).await;
}

#[tokio::test]
async fn haproxy_lets_nobody_in_without_an_authority() {
    lets_nobody_in_without_an_authority(Proxy::Haproxy).await;
}
