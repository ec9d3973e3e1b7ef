//! What holds at every call: request ids, `no-store`, and which pages may call.

use crate::common::{Answer, Ask, Configuration, Server, until};
use std::collections::BTreeSet;

const LISTED: &str = "https://app.example.com";
const OF_ANOTHER: &str = "https://admin.example.com";

async fn server() -> Server {
    let web = format!("origins = [\"{LISTED}\"]\nrefresh = {{ grace = \"60s\" }}");
    let admin = format!("origins = [\"{OF_ANOTHER}\"]");
    let configuration = Configuration::new().client("web", &web).client("admin", &admin);
    Server::configured(&configuration).await
}

fn allowed(answer: &Answer) -> &str {
    assert_eq!(answer.header("access-control-allow-credentials"), "", "cookies are not for CORS");
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own_and_tokens_are_never_cached() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let key = server.api_key();
    let mut ids = BTreeSet::new();
    for (ask, cacheable) in [
        (Ask::get("/livez"), true),
        (Ask::get("/readyz"), true),
        (Ask::get("/.well-known/jwks.json"), true),
        (Ask::get("/.well-known/oauth-authorization-server"), true),
        (Ask::get("/"), false),
        (Ask::get("/v1/nothing"), false),
        (Ask::get("/v1/sessions"), false),
        (Ask::new("PUT", "/v1/sessions"), false),
        (Ask::new("POST", "/v1/sessions").key(key), false),
        (Ask::get("/v1/sessions/x").key(key), false),
        (Ask::get("/v1/sessions?limit=0").key(key), false),
        (Ask::new("POST", "/oauth2/token"), false),
        (Ask::get("/oauth2/token"), false),
        (Ask::refresh("web", "nonsense"), false),
        (Ask::refresh("web", &own.refresh), false),
        (Ask::refresh("nobody", &own.refresh), false),
        (Ask::form("/oauth2/introspect", &[("token", &own.access)]).key(key), false),
        (Ask::form("/oauth2/introspect", &[("token", &own.access)]).key("wrong"), false),
        (Ask::new("OPTIONS", "/oauth2/token"), true),
        (Ask::form("/oauth2/revoke", &[("client_id", "web"), ("token", "x")]), true),
    ] {
        let named = format!("{ask:?}");
        let answer = server.ask(ask).await;
        let id = answer.header("x-request-id").to_owned();
        assert!(!id.is_empty() && ids.insert(id), "{named}: {answer:?}");
        if !cacheable && !answer.status.is_success() {
            assert_eq!(answer.header("cache-control"), "no-store", "{named}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_problem_of_ours_tells_the_request_by_which_the_log_knows_it() {
    let server = server().await;
    let answer = server.ask_as_back_end(Ask::get("/v1/sessions?limit=0")).await;
    let id = answer.expect_problem(400, "malformed").text("request_id");
    let home = std::sync::Arc::clone(&server.home);
    until("the line is written", || async { home.log().contains(&id).then_some(()) }).await;
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_problem_documents() {
    let server = server().await;
    for path in ["/", "/v1", "/v1/", "/v2/sessions", "/v1/sessions/", "/favicon.ico", "/metrics"] {
        server.ask(Ask::get(path)).await.expect_problem(404, "not-found");
    }
    for (method, path) in [
        ("PUT", "/v1/sessions"),
        ("PATCH", "/v1/sessions/x"),
        ("POST", "/v1/subjects/alice/sessions"),
        ("DELETE", "/livez"),
        ("TRACE", "/v1/sessions"),
    ] {
        let refused = server.ask(Ask::new(method, path)).await;
        let refused = refused.expect_problem(405, "method-not-allowed");
        assert!(!refused.header("allow").is_empty(), "{method} {path}: {refused:?}");
    }
}

#[tokio::test]
async fn a_preflight_is_answered_for_listed_origins_alone() {
    let server = server().await;
    let ask = |origin: &str| {
        Ask::new("OPTIONS", "/oauth2/token")
            .with("origin", origin)
            .with("access-control-request-method", "POST")
            .with("access-control-request-headers", "content-type")
    };
    for origin in [LISTED, OF_ANOTHER] {
        let answer = server.ask(ask(origin)).await.expect(204);
        assert_eq!(allowed(&answer), origin);
        assert!(answer.header("access-control-allow-methods").contains("POST"));
        assert!(answer.header("access-control-allow-headers").contains("content-type"));
        assert!(answer.header("vary").eq_ignore_ascii_case("origin"), "{answer:?}");
    }
    for origin in [
        "https://evil.example",
        "null",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "https://APP.example.com",
        "https://app.example.com/",
        "*",
    ] {
        assert_eq!(allowed(&server.ask(ask(origin)).await), "", "{origin}");
    }
}

#[tokio::test]
async fn a_listed_page_may_read_answers_and_refusals() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let revoke = Ask::form("/oauth2/revoke", &[("client_id", "web"), ("token", "x")]);
    for (ask, status) in [
        (Ask::refresh("web", &own.refresh), 200),
        (Ask::refresh("web", "nonsense"), 400),
        (Ask::refresh("nobody", "nonsense"), 401),
        (Ask::new("POST", "/oauth2/token"), 415),
        (revoke, 200),
    ] {
        let answer = server.ask(ask.with("origin", LISTED)).await.expect(status);
        assert_eq!(allowed(&answer), LISTED, "{answer:?}");
        let exposed = answer.header("access-control-expose-headers").to_ascii_lowercase();
        assert!(exposed.contains("www-authenticate"), "{answer:?}");
        assert!(answer.header("vary").eq_ignore_ascii_case("origin"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_is_refused_and_the_token_unspent() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    for origin in ["https://evil.example", "null", OF_ANOTHER, "http://app.example.com"] {
        let refresh = Ask::refresh("web", &own.refresh).with("origin", origin);
        let refused = server.ask(refresh).await.expect(403);
        refused.expect_oauth(403, "unauthorized_client", None);
        let revoke = Ask::form("/oauth2/revoke", &[("client_id", "web"), ("token", &own.refresh)]);
        server.ask(revoke.with("origin", origin)).await.expect(403);
    }
    let evil = Ask::refresh("web", &own.refresh).with("origin", "https://evil.example");
    assert_eq!(allowed(&server.ask(evil).await), "");
    assert_eq!(server.session(&own.sid).await["generation"], 0);
    server.renew(&own.refresh).await;
}

#[tokio::test]
async fn pages_may_call_nothing_but_what_is_made_for_pages() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let key = server.api_key();
    for ask in [
        Ask::get("/v1/sessions").key(key),
        Ask::get(&format!("/v1/sessions/{}", own.sid)).key(key),
        Ask::form("/oauth2/introspect", &[("token", &own.access)]).key(key),
        Ask::new("OPTIONS", "/v1/sessions").with("access-control-request-method", "POST"),
        Ask::new("OPTIONS", "/oauth2/introspect").with("access-control-request-method", "POST"),
    ] {
        let named = format!("{ask:?}");
        assert_eq!(allowed(&server.ask(ask.with("origin", LISTED)).await), "", "{named}");
    }
}
