//! Requests that another site wrote: the browser adds the cookie, and the check refuses.

use super::cookie::{Browser, about};
use super::{PAGE, authority, token};
use crate::common::{Ask, Server};

const EVIL: &str = "https://evil.example";

/// A request with these header lines beside the cookie: whether it passes, and the code if not.
async fn told(server: &Server, ask: Ask, lines: &[(&str, &str)]) -> (u16, String) {
    let ask = lines.iter().fold(ask, |ask, (name, value)| ask.with(name, value));
    let answer = server.ask(ask).await;
    let code = if answer.body.is_empty() { String::new() } else { answer.text("type") };
    (answer.status.as_u16(), code)
}

#[tokio::test]
async fn what_acts_must_show_where_it_comes_from_and_what_reads_need_not() {
    let server = authority().await;
    let (browser, _) = Browser::signed_in(&server, "alice").await;
    let (other, _) = Browser::signed_in(&server, "mallory").await;
    let (right, wrong) = (browser.cookie("symbolon-csrf"), other.cookie("symbolon-csrf"));
    let (passes, refused) = ((200, String::new()), (403, "urn:symbolon:csrf".to_owned()));
    let site = "sec-fetch-site";
    for (lines, told_of_acts) in [
        (&[(site, "same-origin")][..], &passes),
        (&[(site, "same-origin"), ("origin", PAGE)], &passes),
        (&[(site, "none")], &passes),
        (&[(site, "same-site"), ("origin", PAGE)], &passes),
        (&[(site, "same-site"), ("origin", "https://blog.example.com")], &refused),
        (&[(site, "same-site")], &refused),
        (&[(site, "cross-site"), ("origin", EVIL)], &refused),
        (&[(site, "cross-site"), ("origin", PAGE), ("x-symbolon-csrf", right)], &refused),
        (&[(site, "whatever")], &refused),
        (&[("origin", PAGE)], &passes),
        (&[("origin", EVIL)], &refused),
        (&[("origin", "null")], &refused),
        (&[("origin", EVIL), ("x-symbolon-csrf", right)], &refused),
        (&[], &refused),
        (&[("referer", "https://app.example.com/")], &refused),
        (&[("x-symbolon-csrf", right)], &passes),
        (&[("x-symbolon-csrf", wrong)], &refused),
        (&[("x-symbolon-csrf", "")], &refused),
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let told = told(&server, about(method, "/me", &browser.line()), lines).await;
            assert_eq!(told, *told_of_acts, "{method} {lines:?}");
        }
        for method in ["GET", "HEAD", "OPTIONS"] {
            let told = told(&server, about(method, "/me", &browser.line()), lines).await;
            assert_eq!(told, passes, "{method} {lines:?}");
        }
        // A WebSocket is opened by a GET, and nginx drops `Upgrade` on the way to the check.
        for upgrade in [("upgrade", "websocket"), ("sec-websocket-version", "13")] {
            let opens = about("GET", "/me", &browser.line()).with(upgrade.0, upgrade.1);
            assert_eq!(told(&server, opens, lines).await, *told_of_acts, "{upgrade:?} {lines:?}");
        }
    }
}

#[tokio::test]
async fn whoever_shows_a_token_needs_no_other_word_since_no_browser_adds_one() {
    let server = authority().await;
    let (access, _) = token(&server, "web", "alice", &[]).await;
    let post = about("POST", "/me", "a=b").key(&access).with("origin", EVIL);
    server.ask(post).await.expect(200);
}

#[tokio::test]
async fn a_cookie_that_is_over_is_told_so_before_anything_else_and_each_no_is_counted() {
    let server = authority().await;
    let (browser, started) = Browser::signed_in(&server, "alice").await;
    let forged = || about("POST", "/me", &browser.line()).with("origin", EVIL);
    let told = server.ask(forged()).await.expect_problem(403, "csrf");
    assert!(
        told.text("detail").contains("`origins`")
            && told.text("detail").contains("X-Symbolon-CSRF")
    );
    server.kick(&started.text("session_id")).await.expect(200);
    server.ask(forged()).await.expect_problem(401, "invalid-token");
    let metrics = server.metrics().await;
    let line = "symbolon_gateway_checks_total{rule=\"me\",what=\"csrf\"} 1";
    assert!(metrics.contains(line), "{metrics}");
}
