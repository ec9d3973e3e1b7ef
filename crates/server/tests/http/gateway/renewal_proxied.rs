//! Renewing at a gateway behind real proxies: who is renewed must receive the new tokens, or is signed out by and by.

use super::renewal::{Holder, change, configuration, pair};
use super::site::{Proxy, Site};
use crate::common::{SOON, Server, exchange};
use tokio::task::JoinSet;

/// The values of a header in what came back, or in what the application received.
fn values<'h>(text: &'h str, name: &str) -> Vec<&'h str> {
    let head = text.split("\r\n\r\n").next().unwrap();
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let own = lines.filter(|(own, _)| own.eq_ignore_ascii_case(name));
    own.map(|(_, value)| value.trim()).collect()
}

/// Where the refresh token of such a client stands in an answer.
fn answered_in(client: &str) -> &'static str {
    if client == "page" { "set-cookie" } else { "x-refresh-token" }
}

fn lines(own: &Holder) -> [String; 2] {
    let (name, value) = &own.renewing;
    [format!("Authorization: Bearer {}", own.access), format!("{name}: {value}")]
}

async fn hands_back(proxy: Proxy) {
    let site = Site::before(Server::configured(&configuration()).await, proxy).await;
    for client in ["page", "app"] {
        let mut own = Holder::signed_in(&site.authority, client, client).await;
        let [bearer, renewing] = lines(&own);
        let fresh = site.ask("GET", "/me", &[&bearer, &renewing]).await;
        assert!(fresh.starts_with("HTTP/1.1 200"), "{fresh}");
        for name in ["set-cookie", "x-access-token", "x-refresh-token"] {
            assert_eq!(values(&fresh, name), Vec::<&str>::new(), "nothing was renewed: {fresh}");
        }
        for role in ["clerk", "manager"] {
            change(&site.authority, client, role).await;
            site.upstream.received();
            let [bearer, renewing] = lines(&own);
            let answer = site.ask("GET", "/me", &[&bearer, &renewing]).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            let head = site.upstream.received().pop().unwrap();
            let (access, refresh) =
                (values(&answer, "x-access-token"), values(&answer, answered_in(client)));
            assert_eq!((access.len(), refresh.len()), (1, 1), "{answer}");
            assert_eq!(values(&head, "x-symbolon-token"), access, "{head}");
            assert_eq!(values(&head, "x-symbolon-roles"), [role]);
            assert_eq!(values(&head, "x-refresh-token"), Vec::<&str>::new(), "{head}");
            own.access = access[0].to_owned();
            own.renewing.1 = pair(refresh[0]).to_owned();
        }
        sixty_four_at_once(&site, &own, client).await;
    }
}

/// A page whose every part is renewed at the same instant.
async fn sixty_four_at_once(site: &Site, own: &Holder, client: &str) {
    change(&site.authority, &own.subject, "auditor").await;
    let before = site.authority.session(&own.sid).await["generation"].as_u64().unwrap();
    let [bearer, renewing] = lines(own);
    let head = format!(
        "GET /me HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{bearer}\r\n{renewing}\r\n\r\n",
        site.address
    );
    let mut asking = JoinSet::new();
    for _ in 0..64 {
        let (head, address) = (head.clone(), site.address.clone());
        asking.spawn(async move { exchange(&address, head.as_bytes(), SOON).await });
    }
    let mut handed: Vec<_> = asking
        .join_all()
        .await
        .into_iter()
        .map(|answer| {
            let answer = answer.expect("an answer comes soon");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            let (access, refresh) =
                (values(&answer, "x-access-token"), values(&answer, answered_in(client)));
            (access[0].to_owned(), pair(refresh[0]).to_owned())
        })
        .collect();
    handed.dedup();
    assert_eq!(handed.len(), 1, "all are handed the same successor");
    let after = site.authority.session(&own.sid).await["generation"].as_u64().unwrap();
    assert_eq!(after, before + 1);
}

#[tokio::test]
async fn nginx_hands_renewed_tokens_back() {
    hands_back(Proxy::Nginx).await;
}

#[tokio::test]
async fn caddy_hands_renewed_tokens_back() {
    hands_back(Proxy::Caddy).await;
}

#[tokio::test]
async fn haproxy_hands_renewed_tokens_back() {
    hands_back(Proxy::Haproxy).await;
}
