//! Refresh tokens that travel in a cookie: set at sign-in, read where a page of the client asks, taken away at
//! sign-out.

use crate::common::{Answer, Ask, Configuration, Server, at_once};
use serde_json::{Value, json};

const PAGE: &str = "https://app.example.com";

async fn server() -> Server {
    let spa = format!("delivery = \"cookie\"\norigins = [\"{PAGE}\"]");
    let app = format!("delivery = \"headers\"\norigins = [\"{PAGE}\"]");
    let configuration =
        Configuration::new().client("spa", &spa).client("app", &app).client("web", "");
    Server::configured(&configuration.issuer("https://id.example.com")).await
}

/// The name and value of the one cookie that an answer sets, and its attributes.
fn set(line: &str) -> (String, String) {
    let (pair, attributes) = line.split_once("; ").unwrap();
    assert!(pair.starts_with("__Host-symbolon-rt="), "{pair}");
    (pair.to_owned(), attributes.to_owned())
}

async fn sign_in(server: &Server, subject: &str) -> (Answer, String) {
    let body = json!({"subject": subject, "client_id": "spa", "device": {"class": "web"}});
    let answer = server.start_session(&body).await.expect(201);
    let lines = answer.member("set_cookie");
    let [line] = lines.as_array().unwrap().as_slice() else { panic!("{lines}") };
    let (pair, attributes) = set(line.as_str().unwrap());
    assert_eq!(
        attributes,
        format!("Path=/; Max-Age={}; Secure; HttpOnly; SameSite=Strict", 14 * 86_400)
    );
    (answer, pair)
}

/// As the client's page asks, without an origin.
fn renewal(cookie: &str) -> Ask {
    let form = [("grant_type", "refresh_token"), ("client_id", "spa")];
    Ask::form("/oauth2/token", &form).with("cookie", cookie)
}

fn by_page(ask: Ask) -> Ask {
    ask.with("origin", PAGE)
}

/// The cookie of a renewal, which has an access token in its body and the refresh token nowhere else.
fn renewed(answer: Answer) -> (Answer, String) {
    let answer = answer.expect(200);
    assert_eq!(answer.member("refresh_token"), Value::Null);
    assert!(
        answer.member("refresh_expires_in").is_u64() && answer.text("access_token").len() > 100
    );
    let (pair, _) = set(answer.header("set-cookie"));
    (answer, pair)
}

#[tokio::test]
async fn a_page_renews_with_a_cookie_that_it_cannot_read() {
    let server = server().await;
    let (started, first) = sign_in(&server, "alice").await;
    for name in ["access_token", "refresh_token", "expires_in"] {
        assert_eq!(started.member(name), Value::Null, "{name}");
    }
    let (answer, second) = renewed(server.ask(by_page(renewal(&first))).await);
    assert_ne!(first, second);
    assert_eq!(answer.header("access-control-allow-origin"), PAGE);
    assert_eq!(answer.header("cache-control"), "no-store");
    let claims = server.claims(&answer.text("access_token")).await;
    assert_eq!(claims["sid"], started.text("session_id"));
    let (_, third) = renewed(server.ask(by_page(renewal(&second))).await);
    assert_ne!(second, third);
    // An answer that came late has put the older one back: within its window it is as good.
    let (_, late) = renewed(server.ask(by_page(renewal(&second))).await);
    assert_eq!(late, third);
}

#[tokio::test]
async fn tabs_that_renew_at_once_are_left_with_one_cookie() {
    let server = server().await;
    let (_, cookie) = sign_in(&server, "alice").await;
    let asks = (0..32).map(|_| by_page(renewal(&cookie))).collect();
    let answers = at_once(&server.authority, asks).await;
    let mut cookies: Vec<_> = answers.into_iter().map(|answer| renewed(answer).1).collect();
    cookies.dedup();
    assert_eq!(cookies.len(), 1);
}

#[tokio::test]
async fn the_cookie_is_read_where_a_page_of_the_client_asks_and_nowhere_else() {
    let server = server().await;
    let (started, cookie) = sign_in(&server, "alice").await;
    let refused = |answer: Answer| answer.expect_oauth(403, "unauthorized_client", None);
    refused(server.ask(renewal(&cookie)).await);
    for origin in ["https://evil.example", "null", "https://app.example.com/", ""] {
        refused(server.ask(renewal(&cookie).with("origin", origin)).await);
    }
    refused(server.ask(by_page(by_page(renewal(&cookie)))).await);
    // A page that plants a token of its own would sign somebody in as somebody else.
    let (_, value) = cookie.split_once('=').unwrap();
    refused(server.ask(Ask::refresh("spa", value)).await);
    renewed(server.ask(by_page(Ask::refresh("spa", value))).await);

    let none = server.ask(by_page(renewal("a=b"))).await;
    none.expect_oauth(400, "invalid_grant", None);
    let doubled = format!("{cookie}; {cookie}");
    let big = format!("{cookie}; a={}", "b".repeat(8 * 1024));
    for cookies in [&doubled, &big] {
        let refused = server.ask(by_page(renewal(cookies))).await;
        refused.expect_oauth(400, "invalid_request", None);
    }
    let tossed = cookie.replacen("__Host-", "", 1);
    let tossed = server.ask(by_page(renewal(&tossed))).await;
    tossed.expect_oauth(400, "invalid_grant", None);
    assert_eq!(server.session(&started.text("session_id")).await["state"], "active");
    let body = [("grant_type", "refresh_token"), ("client_id", "web")];
    let body = Ask::form("/oauth2/token", &body).with("cookie", &cookie);
    let body = server.ask(body).await.expect(400);
    assert_eq!(body.text("error"), "invalid_request", "another client keeps its tokens itself");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_takes_the_cookie_away() {
    let server = server().await;
    let clear = "__Host-symbolon-rt=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict";
    let (started, cookie) = sign_in(&server, "alice").await;
    let revoke =
        |cookie: &str| Ask::form("/oauth2/revoke", &[("client_id", "spa")]).with("cookie", cookie);
    server.ask(revoke(&cookie)).await.expect_oauth(403, "unauthorized_client", None);
    let done = server.ask(by_page(revoke(&cookie))).await.expect(200);
    assert_eq!(done.header("set-cookie"), clear);
    server.expect_ended(&started.text("session_id"), "signed_out").await;
    server.ask(by_page(renewal(&cookie))).await.expect_over("signed_out");
    assert_eq!(server.ask(by_page(revoke("a=b"))).await.expect(200).header("set-cookie"), clear);

    let (started, cookie) = sign_in(&server, "bob").await;
    let kicked = server.kick(&started.text("session_id")).await.expect(200);
    assert_eq!(kicked.member("set_cookie"), json!([clear]));
    let over = server.ask(by_page(renewal(&cookie))).await.expect_over("kicked");
    // The cookie that a refusal took away could be the one of a sign-in that came meanwhile.
    assert!(!over.headers.contains_key("set-cookie"));
    assert!(!server.home.log().contains("sym_rt_"));
}

/// A renewal as an app asks for it that keeps both tokens.
fn by_app(refresh: &str) -> Ask {
    let form = [("grant_type", "refresh_token"), ("client_id", "app")];
    Ask::form("/oauth2/token", &form).with("x-refresh-token", refresh)
}

async fn app_signs_in(server: &Server) -> Answer {
    let body = json!({"subject": "alice", "client_id": "app", "device": {"class": "app"}});
    let answer = server.start_session(&body).await.expect(201);
    assert_eq!(answer.member("set_cookie"), Value::Null);
    assert!(!answer.headers.contains_key("x-refresh-token"), "a back end reads bodies");
    answer
}

#[tokio::test]
async fn an_app_that_keeps_both_tokens_finds_them_in_headers() {
    let server = server().await;
    let started = app_signs_in(&server).await;
    let first = started.text("refresh_token");
    let answer = server.ask(by_app(&first)).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.member("refresh_token"), Value::Null, "it is told once");
    assert_eq!(answer.text("access_token"), answer.header("x-access-token"));
    let second = answer.header("x-refresh-token").to_owned();
    assert!(
        second.starts_with("sym_rt_")
            && second != first
            && !answer.headers.contains_key("set-cookie")
    );
    // What any OAuth client sends will do as well, and both together if they are one.
    let third = server.ask(Ask::refresh("app", &second)).await.expect(200);
    let both = Ask::refresh("app", &second).with("x-refresh-token", &second);
    let both = server.ask(both).await.expect(200);
    assert_eq!(both.header("x-refresh-token"), third.header("x-refresh-token"));

    let none = Ask::form("/oauth2/token", &[("grant_type", "refresh_token"), ("client_id", "app")]);
    server.ask(none).await.expect_oauth(400, "invalid_request", None);
    let two = by_app(&second).with("x-refresh-token", &first);
    server.ask(two).await.expect_oauth(400, "invalid_request", None);
    let two = Ask::refresh("app", &second).with("x-refresh-token", &first);
    server.ask(two).await.expect_oauth(400, "invalid_request", None);
    server.ask(by_app("sym_rt_x")).await.expect_oauth(400, "invalid_grant", None);
    let web = [("grant_type", "refresh_token"), ("client_id", "web")];
    let web = Ask::form("/oauth2/token", &web).with("x-refresh-token", &second);
    server.ask(web).await.expect_oauth(400, "invalid_request", None);

    let revoke = Ask::form("/oauth2/revoke", &[("client_id", "app")]);
    server.ask(revoke.clone()).await.expect_oauth(400, "invalid_request", None);
    server.ask(revoke.with("x-refresh-token", &second)).await.expect(200);
    server.expect_ended(&started.text("session_id"), "signed_out").await;
    assert!(!server.home.log().contains("sym_rt_"));
}

#[tokio::test]
async fn only_pages_of_the_client_read_tokens_from_headers() {
    let server = server().await;
    let refresh = app_signs_in(&server).await.text("refresh_token");
    let preflight = |origin: &str| {
        let ask = Ask::new("OPTIONS", "/oauth2/token").with("origin", origin);
        server.ask(ask.with("access-control-request-headers", "x-refresh-token"))
    };
    let allowed = preflight(PAGE).await.expect(204);
    assert!(allowed.header("access-control-allow-headers").contains("x-refresh-token"));
    let foreign = preflight("https://evil.example").await.expect(204);
    assert!(!foreign.headers.contains_key("access-control-allow-headers"));
    let evil = server.ask(by_app(&refresh).with("origin", "https://evil.example")).await;
    let evil = evil.expect_oauth(403, "unauthorized_client", None);
    assert!(!evil.headers.contains_key("x-access-token"));
    let answer = server.ask(by_page(by_app(&refresh))).await.expect(200);
    let exposed = answer.header("access-control-expose-headers");
    assert!(exposed.contains("x-access-token") && exposed.contains("x-refresh-token"), "{exposed}");
    assert_eq!(answer.header("access-control-allow-origin"), PAGE);
}

#[tokio::test]
async fn a_person_who_signs_out_here_loses_the_cookie_and_one_who_signs_out_others_keeps_it() {
    let server = server().await;
    let clear = "__Host-symbolon-rt=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict";
    let (_, cookie) = sign_in(&server, "alice").await;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "spa"),
        ("resource", "https://id.example.com"),
    ];
    let for_us = Ask::form("/oauth2/token", &form).with("cookie", &cookie);
    let own = server.ask(by_page(for_us)).await.expect(200).text("access_token");
    let sign_out = |scope: &str| {
        let ask = Ask::json("/v1/me/sign-out", &json!({ "scope": scope })).key(&own);
        server.ask(by_page(ask))
    };
    let others = sign_out("others").await.expect(200);
    assert!(!others.headers.contains_key("set-cookie"));
    assert_eq!(sign_out("all").await.expect(200).header("set-cookie"), clear);
    let refresh = app_signs_in(&server).await.text("refresh_token");
    let form = [("grant_type", "refresh_token"), ("client_id", "app"), form[2]];
    let for_us = Ask::form("/oauth2/token", &form).with("x-refresh-token", &refresh);
    let own = server.ask(for_us).await.expect(200).text("access_token");
    let this = Ask::json("/v1/me/sign-out", &json!({"scope": "this"})).key(&own);
    let this = server.ask(this).await.expect(200);
    assert!(!this.headers.contains_key("set-cookie"), "it holds no cookie of ours");
}
