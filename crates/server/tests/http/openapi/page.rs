//! `/docs`: the same document for people, with nothing from anywhere else.

use super::{document, operations};
use crate::common::{Ask, Server};
use data_encoding::BASE64;
use symbolon_wire::sha256;

/// What a browser would run or fetch.
const FOREIGN: [&str; 9] =
    ["<script", "<link", "<img", "<iframe", "src=", "@import", "url(", "style=\"", "onclick"];

#[tokio::test]
async fn the_page_shows_every_call_and_fetches_nothing() {
    let server = Server::with(&[]).await;
    for path in ["/docs", "/docs?lang=en", "/docs?lang=zh"] {
        let answer = server.ask(Ask::get(path)).await.expect(200);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        let page = String::from_utf8(answer.body.to_vec()).unwrap();
        for foreign in FOREIGN {
            assert!(!page.contains(foreign), "{path}: {foreign}");
        }
        let document = document::whole();
        for (path, _, operation) in operations(&document) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
            assert!(page.contains(&format!("href=\"#{id}\"")), "{id}");
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name}");
        }
        for link in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(page.contains(&format!("id=\"{link}\"")), "#{link} leads nowhere");
        }
    }
}

#[tokio::test]
async fn the_page_may_do_nothing_but_wear_its_own_style() {
    let server = Server::with(&[]).await;
    let answer = server.ask(Ask::get("/docs")).await.expect(200);
    let page = String::from_utf8(answer.body.to_vec()).unwrap();
    let styles: Vec<_> = page.split("<style>").skip(1).collect();
    assert_eq!(styles.len(), 1);
    let style = styles[0].split("</style>").next().unwrap();
    let hash = BASE64.encode(&sha256(style.as_bytes()).0);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    assert_eq!(answer.header("content-security-policy"), policy);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn the_page_has_headings_in_two_languages() {
    let server = Server::with(&[]).await;
    let page = async |path| {
        String::from_utf8(server.ask(Ask::get(path)).await.expect(200).body.to_vec()).unwrap()
    };
    let (english, chinese) = (page("/docs").await, page("/docs?lang=zh").await);
    assert!(english.contains("<html lang=\"en\">") && english.contains(">Answers<"));
    assert!(chinese.contains("<html lang=\"zh-CN\">") && chinese.contains(">回答<"));
    assert!(
        english.contains("href=\"/docs?lang=zh\"") && chinese.contains("href=\"/docs?lang=en\"")
    );
}
