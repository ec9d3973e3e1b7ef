//! `/gateway/check` itself: who is believed, what is answered, what is counted.

use super::{RULES, authority, configuration, token};
use crate::common::{Answer, Ask, Server, run, until};
use serde_json::json;

/// As nginx asks.
fn about(method: &str, target: &str) -> Ask {
    Ask::get("/gateway/check").with("x-original-method", method).with("x-original-uri", target)
}

async fn with_rules(lines: &str) -> Server {
    Server::configured(&configuration().gateway(lines)).await
}

const TRUSTED: &str = "trusted_proxies = [\"127.0.0.1\"]\naudience = \"demo-api\"\n";

#[tokio::test]
async fn whoever_is_admitted_is_named_and_nothing_keeps_the_answer() {
    let server = authority().await;
    let (access, sid) = token(&server, "web", "alice", &[]).await;
    let answer = server.ask(about("GET", "/me").key(&access)).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-symbolon-subject"), "alice");
    assert_eq!(answer.header("x-symbolon-session"), sid);
    assert_eq!(answer.header("x-symbolon-client"), "web");
    assert_eq!(answer.header("x-symbolon-scope"), "orders:read");
    assert_eq!(answer.header("x-symbolon-token"), access);
    assert!(!answer.headers.contains_key("x-symbolon-roles"), "there are none");
    assert!(answer.body.is_empty());
    let open = server.ask(about("GET", "/").key(&access)).await.expect(200);
    assert!(!open.headers.contains_key("x-symbolon-subject"), "nobody was asked for");
}

#[tokio::test]
async fn each_no_says_what_is_missing() {
    let server = authority().await;
    let (access, sid) = token(&server, "web", "alice", &[]).await;
    let ask = |method: &str, target: &str| server.ask(about(method, target).key(&access));
    let challenge = |answer: &Answer| answer.header("www-authenticate").to_owned();
    let missing = server.ask(about("GET", "/me")).await.expect_problem(401, "unauthorized");
    assert_eq!(challenge(&missing), "Bearer");
    assert_eq!(missing.header("cache-control"), "no-store");
    let forged = server.ask(about("GET", "/me").key("a.b.c")).await;
    let forged = forged.expect_problem(401, "invalid-token");
    assert_eq!(challenge(&forged), r#"Bearer error="invalid_token", reason="untrusted""#);
    let scope = ask("POST", "/orders").await.expect_problem(403, "insufficient-scope");
    assert_eq!(challenge(&scope), r#"Bearer error="insufficient_scope", scope="orders:write""#);
    let role = ask("GET", "/admin").await.expect_problem(403, "insufficient-scope");
    assert_eq!(challenge(&role), r#"Bearer error="insufficient_scope""#);
    ask("GET", "/me/../admin").await.expect_problem(403, "ambiguous-target");
    ask("GET", "/Admin").await.expect_problem(403, "ambiguous-target");
    ask("GE T", "/me").await.expect_problem(403, "ambiguous-target");

    let (biller, _) = token(&server, "biller", "bob", &[]).await;
    let foreign = server.ask(about("GET", "/me").key(&biller)).await;
    foreign.expect_problem(401, "invalid-token");
    server.ask(about("GET", "/bills").key(&biller)).await.expect(200);
    let refresh = server.sign_in("carol").await.refresh;
    server.ask(about("GET", "/me").key(&refresh)).await.expect_problem(401, "invalid-token");

    server.kick(&sid).await.expect(200);
    let kicked = ask("GET", "/me").await.expect_problem(401, "invalid-token");
    assert_eq!(kicked.text("reason"), "kicked");
    assert!(challenge(&kicked).ends_with(r#"reason="revoked", ended="kicked""#));
}

#[tokio::test]
async fn what_was_ended_is_refused_from_the_answer_on_though_others_are_let_in_from_memory() {
    let server = authority().await;
    let (stays, _) = token(&server, "web", "stays", &[]).await;
    let from_memory = async || {
        let metrics = server.metrics().await;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("symbolon_gateway_from_memory_total "));
        line.unwrap().parse::<u32>().unwrap()
    };
    let me = |token: &str| server.ask(about("GET", "/me").key(token));
    until("the authority follows its own feed", async || {
        me(&stays).await.expect(200);
        (0 < from_memory().await).then_some(())
    })
    .await;
    for number in 0..100 {
        let (access, sid) = token(&server, "web", &format!("user-{number}"), &[]).await;
        me(&access).await.expect(200);
        me(&access).await.expect(200);
        server.kick(&sid).await.expect(200);
        me(&access).await.expect_problem(401, "invalid-token");
        me(&stays).await.expect(200);
    }
    assert!(100 < from_memory().await, "otherwise this tests the store alone");
}

#[tokio::test]
async fn changed_roles_ask_for_a_renewal_and_end_nothing() {
    let server = authority().await;
    let tokens = server.sign_in("alice").await;
    let roles = Ask::put("/v1/subjects/alice", &json!({"roles": ["admin"]}));
    server.ask_as_back_end(roles).await.expect(200);
    let stale = server.ask(about("GET", "/admin").key(&tokens.access)).await.expect(401);
    assert!(stale.header("www-authenticate").contains(r#"reason="stale""#), "{stale:?}");
    let newer = server.renew(&tokens.refresh).await;
    server.ask(about("GET", "/admin").key(&newer.access)).await.expect(200);
}

#[tokio::test]
async fn without_a_rule_nobody_passes() {
    let server =
        with_rules(&format!("{TRUSTED}rules = [{{ name = \"me\", prefix = \"/me\" }}]")).await;
    let (access, _) = token(&server, "web", "alice", &[]).await;
    server.ask(about("GET", "/me").key(&access)).await.expect(200);
    server.ask(about("GET", "/").key(&access)).await.expect_problem(403, "no-rule");
    let server = Server::configured(&configuration()).await;
    let own = Ask::get("/gateway/check/me").key(&access);
    server.ask(own).await.expect_problem(403, "no-rule");
}

#[tokio::test]
async fn a_proxy_that_is_not_listed_is_not_believed() {
    let rules = RULES.replace("\"127.0.0.1\"", "\"192.0.2.1\"");
    let server = with_rules(&rules).await;
    let told = server.ask(about("GET", "/public")).await.expect_problem(403, "unknown-target");
    assert!(told.text("detail").contains("gateway.trusted_proxies"));
    server.ask(Ask::get("/gateway/check/public")).await.expect(200);
    let own = Ask::get("/gateway/check/me").with("x-original-uri", "/public");
    server.ask(own.with("x-original-method", "GET")).await.expect(401);
    server.ask(Ask::new("POST", "/gateway/check/orders")).await.expect(401);
    for path in ["/gateway/check//public", "/gateway/check/%2e/public", "/gateway/check/a;b"] {
        server.ask(Ask::get(path)).await.expect_problem(403, "ambiguous-target");
    }
    server.ask(Ask::get("/gateway/check/?a=b")).await.expect(200);
    server.ask(Ask::get("/gateway/check")).await.expect_problem(403, "unknown-target");
}

#[tokio::test]
async fn what_is_told_twice_must_be_told_alike() {
    let server = authority().await;
    let other = about("GET", "/me").with("x-forwarded-uri", "/public");
    server.ask(other).await.expect_problem(403, "unknown-target");
    let doubled = about("GET", "/public").with("x-original-uri", "/me");
    server.ask(doubled).await.expect_problem(403, "unknown-target");
    let no_method = Ask::get("/gateway/check").with("x-forwarded-uri", "/public");
    server.ask(no_method).await.expect_problem(403, "unknown-target");
}

#[tokio::test]
async fn people_are_sent_to_sign_in_and_programs_are_told() {
    let login = "https://login.example.com/?from=gateway";
    let server = with_rules(&format!("login_url = \"{login}\"\n{RULES}")).await;
    let page = |ask: Ask| ask.with("accept", "text/html").with("sec-fetch-mode", "navigate");
    let sent = server.ask(page(about("GET", "/me"))).await.expect(302);
    assert_eq!((sent.header("location"), sent.header("cache-control")), (login, "no-store"));
    server.ask(page(about("GET", "/me")).key("a.b.c")).await.expect(302);
    server.ask(page(about("POST", "/me"))).await.expect(401);
    server.ask(about("GET", "/me").with("sec-fetch-mode", "cors")).await.expect(401);
    server.ask(about("GET", "/me").with("accept", "application/json")).await.expect(401);
    let (access, _) = token(&server, "web", "alice", &[]).await;
    let forbidden = page(about("GET", "/admin")).key(&access);
    server.ask(forbidden).await.expect(403);
    server.ask(page(about("GET", "/a//b"))).await.expect(403);
}

#[tokio::test]
async fn the_history_has_who_asked_through_a_proxy_that_is_believed() {
    for (rules, seen) in
        [(RULES.to_owned(), "203.0.113.7"), (RULES.replace("127.0.0.1", "192.0.2.1"), "127.0.0.1")]
    {
        let server = with_rules(&rules).await;
        let tokens = server.sign_in("alice").await;
        let kick = Ask::delete(&format!("/v1/sessions/{}", tokens.sid));
        let kick = kick.with("x-forwarded-for", "198.51.100.9, 203.0.113.7");
        server.ask_as_back_end(kick).await.expect(200);
        let events = server.list("/v1/events?subject=alice").await;
        assert!(events.iter().any(|event| event.to_string().contains(seen)), "{events:?}");
        assert!(!events.iter().any(|event| event.to_string().contains("198.51.100.9")));
    }
}

#[tokio::test]
async fn checks_are_counted_by_rule_and_outcome() {
    let server = authority().await;
    let (access, _) = token(&server, "web", "alice", &[]).await;
    for (method, target) in [("GET", "/me"), ("GET", "/me"), ("POST", "/orders"), ("GET", "/a//b")]
    {
        server.ask(about(method, target).key(&access)).await;
    }
    server.ask(about("GET", "/me")).await;
    server.ask(about("GET", "/")).await;
    server.ask(Ask::get("/gateway/check")).await;
    let metrics = server.metrics().await;
    for (rule, what, count) in [
        ("me", "admitted", 2),
        ("me", "unauthenticated", 1),
        ("write", "forbidden", 1),
        ("open", "public", 1),
        ("", "ambiguous", 1),
        ("", "unknown_target", 1),
    ] {
        let line =
            format!("symbolon_gateway_checks_total{{rule=\"{rule}\",what=\"{what}\"}} {count}");
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn rules_are_read_again_whole_or_not_at_all() {
    let server = authority().await;
    server.ask(about("GET", "/me")).await.expect(401);
    let open = RULES.replace("prefix = \"/me\"", "prefix = \"/me\", public = true");
    server.home.reconfigure(&configuration().gateway(&open));
    assert!(server.reload().await.contains("gateway"));
    server.ask(about("GET", "/me")).await.expect(200);
    server.home.reconfigure(&configuration().gateway(&RULES.replace("roles", "rolls")));
    let refused = server.reload().await;
    assert!(refused.contains("did you mean `roles`"), "{refused}");
    server.ask(about("GET", "/me")).await.expect(200);
}

#[tokio::test]
async fn the_command_says_which_rule_would_decide() {
    let folder = tempfile::tempdir().unwrap();
    let file = configuration().gateway(RULES).write(folder.path(), folder.path());
    let file = file.to_str().unwrap();
    let ask = |method: &str, url: &str| run(&["gateway", "try", method, url, "--config", file]);
    let said = |method: &str, url: &str| {
        String::from_utf8(ask(method, url).stdout).unwrap().lines().next().unwrap().to_owned()
    };
    assert_eq!(
        said("POST", "https://site.example/orders/7?x"),
        "write decides: it asks for a token for demo-api, scope orders:write"
    );
    assert_eq!(said("GET", "/"), "open decides: it asks for nothing: everybody passes");
    let refused = ask("GET", "/Admin");
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("but for capital letters"), "{why}");
    assert_eq!(ask("GET", "/a//b").status.code(), Some(1));
    let json = run(&["gateway", "try", "GET", "/items/7/x", "--json", "--config", file]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["rule"], &json["passes"]), (&json!("item"), &json!(true)));
    assert_eq!(json["rules"][4], json!({"rule": "items", "here": "fits, too late"}));
}
