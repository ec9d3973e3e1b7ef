//! Renewing where a request is checked: what is over passes by what came beside it, and is handed back renewed.

use super::PAGE;
use crate::common::{Answer, Ask, Configuration, Server, Sidecar, at_once, until};
use serde_json::json;

/// Under `/me` a check renews; under `/orders` the page does.
pub(super) const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [
    { name = "admin", prefix = "/me/admin", roles = ["nobody"], renews = true },
    { name = "me", prefix = "/me", renews = true },
    { name = "bills", prefix = "/bills", audience = "billing", renews = true },
    { name = "orders", prefix = "/orders" },
]
"#;

/// Pages that keep their refresh token in a cookie, apps that keep both tokens themselves, and those who cannot be
/// renewed by a gateway.
pub(super) fn configuration() -> Configuration {
    let page = format!("delivery = \"cookie\"\norigins = [\"{PAGE}\"]");
    let own =
        symbolon_wire::SecretHash::of("sym_cs_of_a_client_with_a_secret_of_its_own").to_text();
    Configuration::new()
        .client("page", &page)
        .client("app", "delivery = \"headers\"")
        .client("web", "")
        .client("secretive", &format!("delivery = \"headers\"\nsecret_hash = \"{own}\""))
        .gateway(RULES)
}

async fn authority() -> Server {
    Server::configured(&configuration()).await
}

/// Somebody with an access token, and what renews it: a header line of either kind.
pub(super) struct Holder {
    pub(super) subject: String,
    pub(super) sid: String,
    pub(super) access: String,
    pub(super) renewing: (&'static str, String),
}

impl Holder {
    pub(super) async fn signed_in(server: &Server, client: &str, subject: &str) -> Self {
        let body = json!({"subject": subject, "client_id": client, "device": {"class": "web"}});
        let started = server.start_session(&body).await.expect(201);
        let (subject, sid) = (subject.to_owned(), started.text("session_id"));
        if client != "page" {
            let renewing = ("x-refresh-token", started.text("refresh_token"));
            return Self { subject, sid, access: started.text("access_token"), renewing };
        }
        let line = started.member("set_cookie")[0].as_str().unwrap().to_owned();
        let form = [("grant_type", "refresh_token"), ("client_id", "page")];
        let ask = Ask::form("/oauth2/token", &form).with("cookie", pair(&line));
        let answer = server.ask(ask.with("origin", PAGE)).await.expect(200);
        let renewing = ("cookie", pair(answer.header("set-cookie")).to_owned());
        Self { subject, sid, access: answer.text("access_token"), renewing }
    }

    /// As nginx asks about a request of theirs.
    pub(super) fn about(&self, method: &str, target: &str) -> Ask {
        let (name, value) = &self.renewing;
        self.bare(method, target).with(name, value)
    }

    /// The same without what renews.
    fn bare(&self, method: &str, target: &str) -> Ask {
        Ask::get("/gateway/check")
            .with("x-original-method", method)
            .with("x-original-uri", target)
            .key(&self.access)
    }

    /// Takes what an answer hands back, as a client does.
    fn take(&mut self, answer: &Answer) {
        self.access = answer.header("x-access-token").to_owned();
        self.renewing.1 = match self.renewing.0 {
            "cookie" => pair(answer.header("set-cookie")).to_owned(),
            _ => answer.header("x-refresh-token").to_owned(),
        };
    }
}

/// Name and value of a cookie that is set.
pub(super) fn pair(line: &str) -> &str {
    line.split(';').next().unwrap()
}

/// Changes what a subject may do, so that tokens must be renewed.
pub(super) async fn change(server: &Server, subject: &str, role: &str) {
    let body = json!({ "roles": [role] });
    server.ask_as_back_end(Ask::put(&format!("/v1/subjects/{subject}"), &body)).await.expect(200);
}

/// That a check says no and hands nothing back.
pub(super) fn nothing_back(answer: &Answer) {
    for name in ["x-access-token", "x-refresh-token", "set-cookie", "x-symbolon-token"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
}

pub(super) async fn generation(server: &Server, sid: &str) -> u64 {
    server.session(sid).await["generation"].as_u64().unwrap()
}

#[tokio::test]
async fn a_check_renews_what_is_stale_and_hands_the_new_tokens_back() {
    let server = authority().await;
    for client in ["page", "app"] {
        let mut own = Holder::signed_in(&server, client, client).await;
        let fresh = server.ask(own.about("GET", "/me")).await.expect(200);
        assert_eq!(fresh.header("x-symbolon-token"), own.access, "nothing is renewed in advance");
        assert!(!fresh.headers.contains_key("x-access-token"));
        for role in ["clerk", "manager"] {
            change(&server, client, role).await;
            let before = generation(&server, &own.sid).await;
            let answer = server.ask(own.about("GET", "/me")).await.expect(200);
            assert_eq!(answer.header("x-symbolon-roles"), role);
            assert_eq!(answer.header("x-symbolon-subject"), client);
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.header("x-symbolon-token"), answer.header("x-access-token"));
            assert_eq!(answer.headers.contains_key("set-cookie"), client == "page");
            assert_eq!(answer.headers.contains_key("x-refresh-token"), client == "app");
            assert_eq!(generation(&server, &own.sid).await, before + 1);
            own.take(&answer);
            server.ask(own.bare("GET", "/me")).await.expect(200);
            server.ask(own.bare("GET", "/orders")).await.expect(200);
            server.ask(own.bare("GET", "/bills")).await.expect(200);
        }
        assert!(!server.home.log().contains(&own.renewing.1));
    }
    let metrics = server.metrics().await;
    let counted = "symbolon_gateway_checks_total{rule=\"me\",what=\"renewed\"} 4";
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
}

#[tokio::test]
async fn a_check_renews_where_its_rule_says_so_and_for_whom_it_can() {
    let server = authority().await;
    for client in ["page", "app", "web", "secretive"] {
        let own = Holder::signed_in(&server, client, client).await;
        change(&server, client, "clerk").await;
        let before = generation(&server, &own.sid).await;
        let mut asks = vec![own.about("GET", "/orders"), own.bare("GET", "/me")];
        if ["web", "secretive"].contains(&client) {
            // Theirs travels in bodies, or needs a secret beside it.
            asks.push(own.about("GET", "/me"));
        }
        let twice = own.about("GET", "/me").with("x-refresh-token", "sym_rt_x");
        asks.push(twice.with("x-refresh-token", "sym_rt_y"));
        asks.push(own.bare("GET", "/me").with("x-refresh-token", "sym_rt_forged"));
        for ask in asks {
            let refused = server.ask(ask).await.expect_problem(401, "invalid-token");
            assert!(refused.header("www-authenticate").contains("reason=\"stale\""), "{client}");
            nothing_back(&refused);
        }
        assert_eq!(generation(&server, &own.sid).await, before, "{client}");
    }
}

#[tokio::test]
async fn whoever_is_refused_is_not_renewed() {
    let server = authority().await;
    let own = Holder::signed_in(&server, "app", "alice").await;
    change(&server, "alice", "clerk").await;
    let refused = server.ask(own.about("GET", "/me/admin")).await;
    nothing_back(&refused.expect_problem(403, "insufficient-scope"));
    assert_eq!(generation(&server, &own.sid).await, 0);
    // Neither is a token that is none, nor one of nobody.
    let forged = own.about("GET", "/me").without("authorization");
    nothing_back(&server.ask(forged.clone()).await.expect_problem(401, "unauthorized"));
    nothing_back(&server.ask(forged.key("a.b.c")).await.expect_problem(401, "invalid-token"));
    assert_eq!(generation(&server, &own.sid).await, 0);
    server.kick(&own.sid).await.expect(200);
    let kicked = server.ask(own.about("GET", "/me")).await.expect_problem(401, "invalid-token");
    assert_eq!(kicked.text("reason"), "kicked");
    nothing_back(&kicked);
}

#[tokio::test]
async fn two_tokens_of_two_sessions_renew_neither() {
    let server = authority().await;
    for client in ["page", "app"] {
        let alice = Holder::signed_in(&server, client, "alice").await;
        // Somebody else has signed in at this browser, and an old page still shows what it has.
        let bob = Holder::signed_in(&server, client, "bob").await;
        change(&server, "alice", client).await;
        let (name, value) = &bob.renewing;
        let mixed = server.ask(alice.bare("GET", "/me").with(name, value)).await;
        nothing_back(&mixed.expect_problem(401, "unauthorized"));
        let before = generation(&server, &bob.sid).await;
        server.ask(alice.about("GET", "/me")).await.expect(200);
        assert_eq!(generation(&server, &bob.sid).await, before);
    }
}

#[tokio::test]
async fn a_cookie_renews_only_what_a_page_of_the_client_meant() {
    let server = authority().await;
    let own = Holder::signed_in(&server, "page", "alice").await;
    change(&server, "alice", "clerk").await;
    let before = generation(&server, &own.sid).await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("x-symbolon-csrf", "AAAAAAAAAAAAAAAAAAAAAA"),
        ("x-nothing", "at all"),
    ] {
        let refused = server.ask(own.about("POST", "/me").with(name, value)).await;
        nothing_back(&refused.expect_problem(403, "csrf"));
    }
    let upgrade = own.about("GET", "/me").with("sec-websocket-version", "13");
    nothing_back(&server.ask(upgrade.clone()).await.expect_problem(403, "csrf"));
    let doubled = own.bare("GET", "/me").with("cookie", &format!("{0}; {0}", own.renewing.1));
    nothing_back(&server.ask(doubled).await.expect_problem(401, "unauthorized"));
    let big = format!("{}; a={}", own.renewing.1, "b".repeat(8 * 1024));
    let big = server.ask(own.bare("GET", "/me").with("cookie", &big)).await;
    nothing_back(&big.expect_problem(401, "unauthorized"));
    assert_eq!(generation(&server, &own.sid).await, before);
    server.ask(upgrade.with("origin", PAGE)).await.expect(200);
    change(&server, "alice", "manager").await;
    server.ask(own.about("POST", "/me").with("sec-fetch-site", "same-origin")).await.expect(200);
}

#[tokio::test]
async fn sixty_four_requests_at_once_are_renewed_by_one_rotation() {
    let server = authority().await;
    for client in ["page", "app"] {
        let own = Holder::signed_in(&server, client, client).await;
        change(&server, client, "clerk").await;
        let before = generation(&server, &own.sid).await;
        let asks = (0..64).map(|_| own.about("GET", "/me")).collect();
        let answers = at_once(&server.authority, asks).await;
        let mut handed: Vec<_> = answers
            .into_iter()
            .map(|answer| {
                let answer = answer.expect(200);
                let refresh = ["set-cookie", "x-refresh-token"].map(|name| {
                    answer.headers.get(name).map(|value| pair(value.to_str().unwrap()).to_owned())
                });
                (answer.header("x-access-token").to_owned(), refresh)
            })
            .collect();
        assert_eq!(handed.len(), 64);
        handed.dedup();
        assert_eq!(handed.len(), 1, "all are handed the same successor");
        assert_eq!(generation(&server, &own.sid).await, before + 1);
    }
}

#[tokio::test]
async fn a_sidecar_asks_the_authority_to_renew() {
    let server = authority().await;
    let file = server.home.beside("symbolon.toml").display().to_string();
    let sidecar = Sidecar::of(&server, &["--config", &file]).await;
    sidecar.ready().await;
    for client in ["page", "app"] {
        let mut own = Holder::signed_in(&server, client, client).await;
        sidecar.ask(own.about("GET", "/me")).await.expect(200);
        change(&server, client, "clerk").await;
        let stale = || async {
            let answer = sidecar.ask(own.bare("GET", "/me")).await;
            (answer.status == 401).then_some(())
        };
        until("the sidecar has heard that it is stale", stale).await;
        let forged = own.about("POST", "/me").with("origin", "https://evil.example");
        let forged = sidecar.ask(forged).await;
        assert_eq!(forged.status == 200, client == "app", "{forged:?}");
        let answer = sidecar.ask(own.about("GET", "/me?a=b")).await.expect(200);
        assert_eq!(answer.header("x-symbolon-roles"), "clerk");
        own.take(&answer);
        sidecar.ask(own.bare("GET", "/me")).await.expect(200);
        server.kick(&own.sid).await.expect(200);
    }
}
