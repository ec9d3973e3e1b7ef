//! The page that `dev` opens, and who may make its back end act.

use crate::common::{Answer, Ask, Configuration, Connection, SOON, Server, exchange, until};
use serde_json::{Value, json};
use std::path::Path;
use symbolon_wire::sha256;

/// The page of a server: where it is, and its key.
struct Page {
    host: String,
    origin: String,
    key: String,
}

impl Page {
    fn of(server: &Server) -> Self {
        let address = server.told["playground"].as_str().unwrap();
        let (page, key) = address.split_once("#key=").unwrap();
        let origin = page.strip_suffix("/playground").unwrap().to_owned();
        let host = origin.strip_prefix("http://").unwrap().to_owned();
        Self { host, origin, key: key.to_owned() }
    }

    async fn ask(&self, ask: Ask) -> Answer {
        Connection::open(&self.host).await.unwrap().ask(ask).await.unwrap()
    }

    /// An act as the page asks for it.
    fn act(&self, name: &str, body: &Value) -> Ask {
        Self::bare(name, body).with("origin", &self.origin).key(&self.key)
    }

    fn bare(name: &str, body: &Value) -> Ask {
        Ask::json(&format!("/playground/back-end/{name}"), body)
    }

    async fn does(&self, name: &str, body: &Value) -> Answer {
        self.ask(self.act(name, body)).await
    }
}

async fn dev() -> (Server, Page) {
    let server = Server::with(&[]).await;
    let page = Page::of(&server);
    (server, page)
}

/// The files that are committed, with their hashes.
fn committed() -> Vec<(String, String)> {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/playground/page/sha256");
    let list = std::fs::read_to_string(list).unwrap();
    let pair = |line: &str| line.split_once("  ").map(|(hash, name)| (hash.into(), name.into()));
    list.lines().map(|line| pair(line).unwrap()).collect()
}

#[tokio::test]
async fn the_page_is_what_was_built_to_the_byte_and_no_larger_than_it_may_be() {
    let (_server, page) = dev().await;
    let mut bytes = 0;
    for (hash, name) in committed() {
        let answer = page.ask(Ask::get(&format!("/playground/{name}"))).await.expect(200);
        let hex = data_encoding::HEXLOWER.encode(&sha256(&answer.body).0);
        assert_eq!(hex, hash, "{name}: run `npm run build` in web/playground");
        bytes += answer.body.len();
    }
    assert!(bytes <= 150 * 1024, "{bytes} bytes");
}

/// The digest of the one style sheet that stands in a page, as a policy names it.
fn digest_of_style(page: &Answer) -> String {
    let text = std::str::from_utf8(&page.body).unwrap();
    let (_, style) = text.split_once("<style>").unwrap();
    let (style, rest) = style.split_once("</style>").unwrap();
    assert!(!rest.contains("<style"), "{rest}");
    data_encoding::BASE64.encode(&sha256(style.as_bytes()).0)
}

#[tokio::test]
async fn a_page_may_load_its_own_files_and_speak_to_the_authority_and_the_demo_apis() {
    let (server, page) = dev().await;
    let told = |name: &str| server.told[name].as_str().unwrap().to_owned();
    let style = digest_of_style(&page.ask(Ask::get("/playground")).await);
    assert_eq!(style, digest_of_style(&page.ask(Ask::get("/playground/tab")).await));
    let allowed = format!("{} {} {}", told("authority"), told("demo_api"), told("second_demo_api"));
    for (path, framed_by, kind) in [
        ("/playground", "'none'", "text/html; charset=utf-8"),
        ("/playground/tab", "'self'", "text/html; charset=utf-8"),
        ("/playground/page.js", "'none'", "text/javascript; charset=utf-8"),
        ("/playground/icon.svg", "'none'", "image/svg+xml"),
    ] {
        let answer = page.ask(Ask::get(path)).await.expect(200);
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'sha256-{style}'; img-src 'self'; frame-src 'self'; \
             connect-src 'self' {allowed}; base-uri 'none'; form-action 'none'; frame-ancestors {framed_by}"
        );
        assert_eq!(answer.header("content-security-policy"), policy, "{path}");
        assert_eq!(answer.header("content-type"), kind, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let inline = ["style=", "onclick=", "javascript:"];
        if kind.starts_with("text/html") {
            assert!(!inline.iter().any(|word| text.contains(word)), "{path}: {text}");
            assert!(!text.contains("://"), "{path} loads from elsewhere: {text}");
        }
    }
    page.ask(Ask::get("/playground/sha256")).await.expect(404);
    page.ask(Ask::get("/playground/../Cargo.toml")).await.expect(404);
}

#[tokio::test]
async fn the_authority_itself_has_no_playground() {
    let (server, page) = dev().await;
    for path in ["/playground", "/playground/page.js", "/playground/tab"] {
        server.ask(Ask::get(path)).await.expect(404);
    }
    let act = page.act("kick", &json!({}));
    server.ask(act).await.expect(404);
}

#[tokio::test]
async fn there_is_no_playground_where_no_client_lists_its_origin() {
    let server = Server::configured(&Configuration::new()).await;
    assert_eq!(server.told.get("playground"), None);
}

#[tokio::test]
async fn nobody_acts_without_the_key_and_the_origin_of_the_page() {
    let (server, page) = dev().await;
    let (own, key, nothing) = (page.origin.as_str(), page.key.as_str(), json!({}));
    let api_key = server.api_key();
    for name in ["setup", "sign-in", "kick", "role", "displace"] {
        let bare = || Page::bare(name, &nothing);
        for ask in [
            bare(),
            bare().key(key),
            bare().with("origin", own),
            bare().with("origin", own).key("wrong"),
            bare().with("origin", own).key(api_key),
            bare().with("origin", own).with("authorization", &format!("Basic {key}")),
            bare().with("origin", own).key(key).key(key),
            bare().with("origin", own).with("origin", own).key(key),
            bare().with("origin", "null").key(key),
            bare().with("origin", "https://evil.example").key(key),
            bare().with("origin", &own.replace("127.0.0.1", "localhost")).key(key),
            bare().with("origin", server.told["authority"].as_str().unwrap()).key(key),
        ] {
            let answer = page.ask(ask).await.expect(401);
            assert_eq!(answer.header("access-control-allow-origin"), "");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
    assert_eq!(server.list("/v1/sessions").await, Vec::<Value>::new());
}

#[tokio::test]
async fn no_other_site_may_ask_before_it_asks() {
    let (_server, page) = dev().await;
    let preflight = Ask::new("OPTIONS", "/playground/back-end/kick")
        .with("origin", "https://evil.example")
        .with("access-control-request-method", "POST")
        .with("access-control-request-headers", "authorization, content-type");
    let answer = page.ask(preflight).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_name_that_somebody_pointed_at_this_machine_opens_nothing() {
    let (_server, page) = dev().await;
    let port = page.host.split(':').nth(1).unwrap();
    for host in ["evil.example", &format!("evil.example:{port}"), &format!("localhost:{port}")] {
        for path in ["/playground", "/playground/page.js", "/playground/back-end/kick"] {
            let get = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let heard = exchange(&page.host, get.as_bytes(), SOON).await.unwrap();
            assert!(heard.starts_with("HTTP/1.1 421 "), "{host} {path}: {heard}");
        }
    }
}

#[tokio::test]
async fn its_acts_concern_its_own_person_alone() {
    let server = Server::followed(&[]).await;
    let (page, nothing) = (Page::of(&server), json!({}));
    let other = server.sign_in("alice").await;
    let first = page.does("sign-in", &nothing).await.expect(200);
    assert_eq!(first.header("cache-control"), "no-store");
    let states = async |subject: &str| {
        let all = server.list(&format!("/v1/subjects/{subject}/sessions?state=all")).await;
        let text = |one: &Value, name: &str| one[name].as_str().unwrap_or("-").to_owned();
        let mut all: Vec<_> = all
            .iter()
            .map(|one| ["client_id", "state", "reason"].map(|name| text(one, name)).join(" "))
            .collect();
        all.sort();
        all
    };
    let displaced = page.does("displace", &nothing).await.expect(200);
    assert_eq!(displaced.json()["displaced"][0]["reason"], "displaced");
    assert_eq!(displaced.json().as_object().unwrap().len(), 1, "its tokens stay here");
    let kicked = page.does("kick", &nothing).await.expect(200).json();
    assert_eq!(kicked["ended"].as_array().unwrap().len(), 1);
    assert_eq!(kicked["verifiers"]["live"], 2, "{kicked}");
    let ended = ["playground ended displaced", "playground ended kicked"];
    assert_eq!(states("playground").await, ended);
    assert_eq!(states("alice").await, ["web active -"]);
    page.does("role", &json!({"role": "manager"})).await.expect(200);
    let roles = server.ask_as_back_end(Ask::get("/v1/subjects/playground")).await.json();
    assert_eq!(roles["roles"], json!(["manager"]));
    assert_eq!(server.introspect(&other.access).await["active"], json!(true));
}

#[tokio::test]
async fn a_kick_is_in_force_at_both_demo_apis_when_the_page_is_answered() {
    let server = Server::followed(&[]).await;
    let page = Page::of(&server);
    // It waits as long as a person would; a busy machine may need another try.
    let heard = || async {
        page.does("sign-in", &json!({})).await.expect(200);
        let verifiers = page.does("kick", &json!({})).await.expect(200).member("verifiers");
        assert!(verifiers["elapsed_ms"].is_u64(), "{verifiers}");
        (verifiers["applied"] == 2).then_some(())
    };
    until("both have heard of a kick within its wait", heard).await;
}

#[tokio::test]
async fn what_the_page_says_is_read_strictly() {
    let (server, page) = dev().await;
    for (name, body) in [
        ("kick", json!({"subject": "alice"})),
        ("sign-in", json!({"roles": ["admin"]})),
        ("displace", json!([])),
        ("setup", json!({"client_id": "web"})),
        ("role", json!({})),
        ("role", json!({"role": "admin"})),
        ("role", json!({"role": "reader", "subject": "alice"})),
    ] {
        page.does(name, &body).await.expect(400);
    }
    let plain =
        Ask::new("POST", "/playground/back-end/kick").body("{}").with("content-type", "text/plain");
    page.ask(plain.with("origin", &page.origin).key(&page.key)).await.expect(415);
    page.ask(Ask::get("/playground/back-end/kick").with("origin", &page.origin).key(&page.key))
        .await
        .expect(405);
    assert_eq!(server.list("/v1/sessions").await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_page_is_told_what_explain_client_says_of_each_preset() {
    let (server, page) = dev().await;
    let setup = page.does("setup", &json!({})).await.expect(200).json();
    assert_eq!(setup["client_id"], "playground");
    assert_eq!(setup["authority"], server.told["authority"]);
    assert_eq!(setup["grace_ms"], 5000);
    let presets: Vec<_> =
        setup["presets"].as_array().unwrap().iter().map(|one| &one["preset"]).collect();
    assert_eq!(presets, ["dual-token", "gateway-session", "sliding-session", "opaque-session"]);
    let explained = crate::common::run(&["explain", "client", "playground", "--json"]).stdout;
    let explained: Value = serde_json::from_slice(&explained).unwrap();
    for costs in ["revoked_lives", "per_1000_requests"] {
        assert_eq!(setup["presets"][0]["costs"][costs], explained["costs"][costs]);
    }
}
