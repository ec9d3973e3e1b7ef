//! Sessions that live in a cookie, behind real proxies: many requests at once, somebody else at the same browser,
//! and what another site has a browser send.

use super::PAGE;
use super::cookie::{Browser, on_site};
use super::site::{Proxy, Site};
use tokio::task::JoinSet;

/// The value of a header as the application received it.
fn received<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn cookies(browser: &Browser) -> String {
    format!("Cookie: {}", browser.line())
}

/// A page and its 64 parts, all with one cookie, at one instant.
async fn sixty_four_at_once(site: &Site, browser: &Browser) {
    let line = cookies(browser);
    let (head, address) = (
        format!(
            "GET /me HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n{line}\r\n\r\n",
            site.address
        ),
        site.address.clone(),
    );
    let mut asking = JoinSet::new();
    for _ in 0..64 {
        let (head, address) = (head.clone(), address.clone());
        asking.spawn(async move {
            crate::common::exchange(&address, head.as_bytes(), crate::common::SOON).await
        });
    }
    for answer in asking.join_all().await {
        let answer = answer.expect("an answer comes soon");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(!answer.to_lowercase().contains("set-cookie"), "{answer}");
    }
    let heads = site.upstream.received();
    let mut shown: Vec<_> =
        heads.iter().filter_map(|head| received(head, "X-Symbolon-Token")).collect();
    assert_eq!((heads.len(), shown.len()), (64, 64), "{heads:#?}");
    shown.dedup();
    assert_eq!(shown.len(), 1, "one session, one token");
}

async fn carries_sessions(proxy: Proxy) {
    let site = Site::start(proxy).await;
    let (mut browser, started) = Browser::signed_in(&site.authority, "alice").await;
    sixty_four_at_once(&site, &browser).await;

    let page = format!("Origin: {PAGE}");
    let csrf = format!("X-Symbolon-CSRF: {}", browser.cookie("symbolon-csrf"));
    let upgrade = [
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ];
    let own = cookies(&browser);
    for (method, lines, status) in [
        ("POST", &[&*page][..], 200),
        ("POST", &["Sec-Fetch-Site: same-origin"], 200),
        ("DELETE", &[&csrf], 200),
        ("POST", &["Origin: https://evil.example"], 403),
        ("POST", &["Sec-Fetch-Site: cross-site", &page], 403),
        ("POST", &[], 403),
        ("PUT", &["X-Symbolon-CSRF: AAAAAAAAAAAAAAAAAAAAAA"], 403),
        ("GET", &["Origin: https://evil.example"], 200),
        ("GET", &[upgrade[0], upgrade[1], upgrade[2], "Origin: https://evil.example"], 403),
        ("GET", &[upgrade[0], upgrade[1], upgrade[2]], 403),
        ("GET", &[upgrade[0], upgrade[1], upgrade[2], &page], 200),
    ] {
        let before = site.upstream.served();
        let answer = site.ask(method, "/me", &[&[&*own], lines].concat()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{method} {lines:?}: {answer}");
        assert_eq!(site.upstream.served() - before, usize::from(status == 200), "{lines:?}");
    }

    let big = format!("{own}; a={}", "b".repeat(8 * 1024));
    let doubled = format!("{own}; {}", browser.line());
    for line in [&*big, &doubled, "Cookie: symbolon=sym_gs_x"] {
        let before = site.upstream.served();
        let answer = site.ask("GET", "/me", &[line]).await;
        // A head of more than 8 KiB is refused by nginx itself.
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert_eq!(site.upstream.served(), before);
    }

    browser.take(&site.authority.start_session(&on_site("bob")).await.expect(201));
    site.upstream.received();
    assert!(site.ask("GET", "/me", &[&cookies(&browser)]).await.starts_with("HTTP/1.1 200"));
    let head = site.upstream.received().pop().unwrap();
    assert_eq!(received(&head, "X-Symbolon-Subject"), Some("bob"), "{head}");
    site.authority.kick(&started.text("session_id")).await.expect(200);
    let kicked = site.ask("GET", "/me", &[&own]).await;
    assert!(kicked.starts_with("HTTP/1.1 401") && kicked.contains("ended=\"kicked\""), "{kicked}");
}

#[tokio::test]
async fn nginx_carries_sessions_that_live_in_a_cookie() {
    carries_sessions(Proxy::Nginx).await;
}

#[tokio::test]
async fn caddy_carries_sessions_that_live_in_a_cookie() {
    carries_sessions(Proxy::Caddy).await;
}

#[tokio::test]
async fn haproxy_carries_sessions_that_live_in_a_cookie() {
    carries_sessions(Proxy::Haproxy).await;
}
