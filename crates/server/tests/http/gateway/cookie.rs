//! Sessions that live in a cookie: what is set, what a check makes of it, and what never passes.

use super::{PAGE, RULES, authority, configuration, token};
use crate::common::{Answer, Ask, Configuration, Server, at_once, until};
use serde_json::{Value, json};

/// A browser: its cookies by name.
#[derive(Clone, Default)]
pub(super) struct Browser(Vec<(String, String)>);

impl Browser {
    /// One in which somebody has just signed in, and the answer to that.
    pub(super) async fn signed_in(server: &Server, subject: &str) -> (Self, Answer) {
        let answer = server.start_session(&on_site(subject)).await.expect(201);
        let mut browser = Self::default();
        browser.take(&answer);
        (browser, answer)
    }

    /// Does what the lines of an answer say, as a browser does.
    pub(super) fn take(&mut self, answer: &Answer) {
        let lines = answer.member("set_cookie");
        for line in lines.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let (pair, attributes) = line.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.0.retain(|(own, _)| own != name);
            if !attributes.contains("Max-Age=0") {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// What it sends in `Cookie`.
    pub(super) fn line(&self) -> String {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// The value of a cookie.
    pub(super) fn cookie(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| &**value).unwrap_or_else(|| panic!("{name} was not set"))
    }
}

pub(super) fn on_site(subject: &str) -> Value {
    json!({"subject": subject, "client_id": "site", "device": {"class": "web", "id": "laptop"}})
}

/// As nginx asks about a request with these cookies.
pub(super) fn about(method: &str, target: &str, cookies: &str) -> Ask {
    Ask::get("/gateway/check")
        .with("x-original-method", method)
        .with("x-original-uri", target)
        .with("cookie", cookies)
}

async fn from_memory(server: &Server) -> u32 {
    let metrics = server.metrics().await;
    let mut lines = metrics.lines();
    let line = lines.find_map(|line| line.strip_prefix("symbolon_gateway_from_memory_total "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_sign_in_sets_cookies_and_gives_no_token() {
    let server = authority().await;
    let (browser, answer) = Browser::signed_in(&server, "alice").await;
    for name in ["access_token", "refresh_token", "token_type", "expires_in"] {
        assert_eq!(answer.member(name), Value::Null, "{name}");
    }
    assert_eq!(answer.header("cache-control"), "no-store");
    let lines = answer.member("set_cookie");
    let [session, csrf] = lines.as_array().unwrap().as_slice() else { panic!("{lines}") };
    let (session, csrf) = (session.as_str().unwrap(), csrf.as_str().unwrap());
    assert!(
        session.starts_with("symbolon=sym_gs_") && session.ends_with("; HttpOnly; SameSite=Lax")
    );
    assert!(csrf.starts_with("symbolon-csrf=") && !csrf.contains("HttpOnly"), "{csrf}");
    let life = session.split("Max-Age=").nth(1).unwrap().split(';').next().unwrap();
    assert!((90 * 86_400 - 10..=90 * 86_400).contains(&life.parse::<u32>().unwrap()), "{life}");
    let json = server.session(&answer.text("session_id")).await;
    assert!(!json.to_string().contains(browser.cookie("symbolon")));
}

#[tokio::test]
async fn behind_tls_only_what_the_host_itself_set_is_a_cookie_of_ours() {
    let tls = configuration().issuer("https://id.example.com").gateway(RULES);
    let server = Server::configured(&tls).await;
    let (browser, answer) = Browser::signed_in(&server, "alice").await;
    let (mallory, _) = Browser::signed_in(&server, "mallory").await;
    for line in answer.member("set_cookie").as_array().unwrap() {
        let line = line.as_str().unwrap();
        assert!(line.starts_with("__Host-symbolon") && line.contains("; Path=/; "), "{line}");
        assert!(line.contains("; Secure; ") && !line.contains("Domain"), "{line}");
    }
    let subject = async |cookies: &str| {
        let answer = server.ask(about("GET", "/me", cookies)).await;
        (answer.status.as_u16(), answer.header("x-symbolon-subject").to_owned())
    };
    let own = browser.cookie("__Host-symbolon");
    let tossed = mallory.cookie("__Host-symbolon");
    assert_eq!(subject(&browser.line()).await, (200, "alice".to_owned()));
    // A neighbouring host can set every name but those under the prefix.
    for name in ["symbolon", "__Secure-symbolon", "__host-symbolon", ""] {
        assert_eq!(subject(&format!("{name}={tossed}")).await.0, 401, "{name}");
        let both = format!("{name}={tossed}; __Host-symbolon={own}");
        assert_eq!(subject(&both).await, (200, "alice".to_owned()), "{name}");
    }
    assert_eq!(subject(&format!("__Host-symbolon={tossed}; __Host-symbolon={own}")).await.0, 401);
}

#[tokio::test]
async fn a_check_turns_the_cookie_into_a_short_token_for_the_audience_of_the_rule() {
    let server = authority().await;
    let (browser, started) = Browser::signed_in(&server, "alice").await;
    let answer = server.ask(about("GET", "/me", &browser.line())).await.expect(200);
    assert_eq!(answer.header("x-symbolon-subject"), "alice");
    assert_eq!(answer.header("x-symbolon-session"), started.text("session_id"));
    assert_eq!(answer.header("x-symbolon-client"), "site");
    assert_eq!(answer.header("x-symbolon-scope"), "orders:read");
    assert!(!answer.headers.contains_key("set-cookie"), "no proxy can lose what nobody sends");
    let claims = server.claims(answer.header("x-symbolon-token")).await;
    let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!((&claims["sub"], life), (&json!("alice"), 300));
    assert_eq!(claims["aud"][0], "demo-api", "{}", claims["aud"]);
    let bills = server.ask(about("GET", "/bills", &browser.line())).await.expect(200);
    let bills = server.claims(bills.header("x-symbolon-token")).await;
    assert!(!bills["aud"].to_string().contains("demo-api"), "{}", bills["aud"]);
    let scope = server.ask(about("POST", "/orders", &browser.line()).with("origin", PAGE)).await;
    scope.expect_problem(403, "insufficient-scope");
    server.ask(about("GET", "/", &browser.line())).await.expect(200);
}

#[tokio::test]
async fn what_was_ended_or_changed_is_in_force_at_the_next_check_though_others_pass_from_memory() {
    let server = authority().await;
    let (stays, _) = Browser::signed_in(&server, "stays").await;
    let me = |browser: &Browser| server.ask(about("GET", "/me", &browser.line()));
    until("the authority follows its own feed", async || {
        me(&stays).await.expect(200);
        (0 < from_memory(&server).await).then_some(())
    })
    .await;
    for number in 0..50 {
        let name = format!("user-{number}");
        let (browser, started) = Browser::signed_in(&server, &name).await;
        let before = me(&browser).await.expect(200).header("x-symbolon-token").to_owned();
        assert_eq!(me(&browser).await.expect(200).header("x-symbolon-token"), before);
        let roles = Ask::put(&format!("/v1/subjects/{name}"), &json!({"roles": ["admin"]}));
        server.ask_as_back_end(roles).await.expect(200);
        let after = server.ask(about("GET", "/admin", &browser.line())).await.expect(200);
        assert_eq!(after.header("x-symbolon-roles"), "admin", "nobody had to renew anything");
        assert_ne!(after.header("x-symbolon-token"), before);
        server.kick(&started.text("session_id")).await.expect(200);
        let kicked = me(&browser).await.expect_problem(401, "invalid-token");
        assert_eq!(kicked.text("reason"), "kicked");
        me(&stays).await.expect(200);
    }
    assert!(50 < from_memory(&server).await, "otherwise this tests the store alone");
}

#[tokio::test]
async fn bans_switched_off_clients_and_reloads_reach_cookies_at_once() {
    let server = authority().await;
    let (browser, _) = Browser::signed_in(&server, "alice").await;
    let me = || server.ask(about("GET", "/me", &browser.line()));
    me().await.expect(200);
    server.switch("site", &json!({"disabled": true})).await.expect(200);
    assert_eq!(me().await.expect_problem(401, "invalid-token").text("reason"), "client_disabled");
    server.switch("site", &json!({"disabled": false})).await.expect(200);
    me().await.expect(200);
    let bare = "preset = \"gateway-session\"\naudience = [\"demo-api\"]";
    let narrow = Configuration::new().bare_client("site", bare).gateway(RULES);
    server.home.reconfigure(&narrow);
    server.reload().await;
    assert!(!me().await.expect(200).headers.contains_key("x-symbolon-scope"));
    let ban = Ask::put("/v1/subjects/alice/ban", &json!({}));
    server.ask_as_back_end(ban).await.expect(200);
    assert_eq!(me().await.expect_problem(401, "invalid-token").text("reason"), "banned");
}

#[tokio::test]
async fn a_new_sign_in_is_a_new_session_and_ends_the_one_of_the_same_device() {
    let server = authority().await;
    let (mut browser, _) = Browser::signed_in(&server, "alice").await;
    let planted = browser.clone();
    browser.take(&server.start_session(&on_site("alice")).await.expect(201));
    assert_ne!(planted.cookie("symbolon"), browser.cookie("symbolon"), "nothing is adopted");
    server.ask(about("GET", "/me", &browser.line())).await.expect(200);
    let old = server.ask(about("GET", "/me", &planted.line())).await;
    assert_eq!(old.expect_problem(401, "invalid-token").text("reason"), "displaced");
    // Somebody else at the same browser: the cookies take the place of those before.
    browser.take(&server.start_session(&on_site("bob")).await.expect(201));
    let bob = server.ask(about("GET", "/me", &browser.line())).await.expect(200);
    assert_eq!(bob.header("x-symbolon-subject"), "bob");
}

#[tokio::test]
async fn signing_out_says_how_the_cookies_are_taken_away() {
    let server = authority().await;
    let (mut browser, started) = Browser::signed_in(&server, "alice").await;
    let line = browser.line();
    let end =
        || Ask::delete(&format!("/v1/sessions/{}?reason=signed_out", started.text("session_id")));
    let ended = server.ask_as_back_end(end()).await.expect(200);
    browser.take(&ended);
    assert_eq!(browser.line(), "");
    let over = server.ask(about("GET", "/me", &line)).await.expect_problem(401, "invalid-token");
    assert_eq!(over.text("reason"), "signed_out");
    let again = server.ask_as_back_end(end()).await.expect(200);
    assert_eq!(
        (again.member("ended"), again.member("set_cookie")),
        (json!([]), ended.member("set_cookie"))
    );
    let (_, sid) = token(&server, "web", "bob", &[]).await;
    assert_eq!(server.kick(&sid).await.expect(200).member("set_cookie"), Value::Null);
}

#[tokio::test]
async fn cookies_that_are_not_one_of_ours_let_nobody_pass() {
    let server = authority().await;
    let (browser, _) = Browser::signed_in(&server, "alice").await;
    let own = browser.cookie("symbolon").to_owned();
    let (last, changed) = (own.len() - 1, if own.ends_with('A') { "Q" } else { "A" });
    let big = format!("symbolon={own}; a={}", "b".repeat(8 * 1024));
    for (cookies, code) in [
        (format!("symbolon={}{changed}", &own[..last]), "invalid-token"),
        (format!("symbolon=\"{own}\""), "invalid-token"),
        (format!("symbolon={own}x"), "invalid-token"),
        (format!("symbolon={}", browser.cookie("symbolon-csrf")), "invalid-token"),
        (format!("symbolon={own}; symbolon={own}"), "unauthorized"),
        (format!("symbolon={own}; symbolon="), "unauthorized"),
        (big, "unauthorized"),
        ("symbolon=".to_owned(), "unauthorized"),
        (format!("Symbolon={own}"), "unauthorized"),
    ] {
        let refused = server.ask(about("GET", "/me", &cookies)).await;
        let refused = refused.expect_problem(401, code);
        assert!(!refused.text("detail").contains(&own[7..]), "{refused:?}");
    }
    let two_lines = about("GET", "/me", &browser.line()).with("cookie", &browser.line());
    server.ask(two_lines).await.expect_problem(401, "unauthorized");
    let crumbs = about("GET", "/me", "a=b").with("cookie", &browser.line());
    server.ask(crumbs).await.expect(200);
    server.ask(about("GET", "/me", "").key(&own)).await.expect_problem(401, "invalid-token");
    assert!(!server.home.log().contains(&own));
}

#[tokio::test]
async fn a_token_and_a_cookie_are_one_credential_only_if_they_are_of_one_session() {
    let server = authority().await;
    let (alice, _) = Browser::signed_in(&server, "alice").await;
    let (bob, _) = Browser::signed_in(&server, "bob").await;
    let own = server.ask(about("GET", "/me", &alice.line())).await.expect(200);
    let own = own.header("x-symbolon-token");
    server.ask(about("GET", "/me", &alice.line()).key(own)).await.expect(200);
    let two = server.ask(about("GET", "/me", &bob.line()).key(own)).await;
    two.expect_problem(401, "unauthorized");
    let (web, _) = token(&server, "web", "alice", &[]).await;
    let two = server.ask(about("GET", "/me", &alice.line()).key(&web)).await;
    two.expect_problem(401, "unauthorized");
    server.ask(about("GET", "/me", &alice.line()).key("a.b.c")).await.expect(401);
    let basic = about("GET", "/me", &alice.line()).basic("alice", "password");
    server.ask(basic).await.expect(401);
}

#[tokio::test]
async fn sixty_four_requests_at_once_on_one_cookie_all_pass_and_show_one_token() {
    let server = authority().await;
    let (browser, _) = Browser::signed_in(&server, "alice").await;
    let asks = (0..64).map(|_| about("GET", "/me", &browser.line())).collect();
    let answers = at_once(&server.authority, asks).await;
    let mut shown: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect(200).header("x-symbolon-token").to_owned())
        .collect();
    assert_eq!(shown.len(), 64);
    shown.dedup();
    assert_eq!(shown.len(), 1);
}
