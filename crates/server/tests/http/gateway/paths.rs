//! Paths that are public to one and `/admin` to another, through each proxy that runs here.

use super::site::{Proxy, Site};

/// Targets, as they are sent. All but what is under `/admin` is public.
const TARGETS: [&str; 52] = [
    "/admin",
    "/admin/",
    "/admin?x",
    "//admin",
    "///admin",
    "/./admin",
    "/.//admin",
    "/public/../admin",
    "/public/./../admin",
    "/public/..//admin",
    "/public//../admin",
    "/public/%2e%2e/admin",
    "/public/%2E%2E/admin",
    "/public/.%2e/admin",
    "/public/%2e./admin",
    "/public%2f..%2fadmin",
    "/public/..%2fadmin",
    "/public/%2e%2e%2fadmin",
    "/public/%252e%252e/admin",
    "/public/%25%32%65%25%32%65/admin",
    "/public/..%252fadmin",
    "/public/..;/admin",
    "/public/;/../admin",
    "/public;/../admin",
    "/;/admin",
    "/;x=y/admin",
    "/admin;x",
    "/admin;/x",
    "/admin%3b",
    "/public/..\\admin",
    "/public\\..\\admin",
    "\\admin",
    "/\\admin",
    "/public/%5c../admin",
    "/public/..%5cadmin",
    "/%61dmin",
    "/%41dmin",
    "/ADMIN",
    "/Admin/x",
    "/admin%20",
    "/admin.",
    "/admin%2e",
    "/admin%00",
    "/admin%00/public",
    "/admin#/public",
    "/public#/../admin",
    "/public?/../../admin#",
    "/admin%ff",
    "/%c0%ae%c0%ae/admin",
    "/%u0061dmin",
    "admin",
    "/public/../%61dmin/.",
];

/// What an application might take a path for: everything that some of them do, all of it at once.
fn loosest(target: &str) -> String {
    let target = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let mut path = target.split(['?', '#']).next().unwrap().to_owned();
    for _ in 0..3 {
        let decoded = percent_encoding::percent_decode_str(&path).collect::<Vec<_>>();
        path = String::from_utf8_lossy(&decoded).replace('\\', "/");
    }
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/') {
        let segment = segment.split([';', '\0']).next().unwrap().to_lowercase();
        match segment.trim_end_matches(' ') {
            "" | "." => {}
            ".." => drop(segments.pop()),
            named => segments.push(named.trim_end_matches('.').to_owned()),
        }
    }
    format!("/{}", segments.join("/"))
}

async fn no_spelling_of_a_path_leads_past_its_rule(proxy: Proxy) {
    let site = Site::start(proxy).await;
    assert_eq!(loosest("/public/..%252f%41dmin;x/."), "/admin");
    let absolute = ["/admin", "/public/../admin", "//admin", "/%61dmin"];
    let host = &site.address;
    let absolute = absolute.map(|path| format!("http://{host}{path}"));
    let other = ["http://public/admin".to_owned(), "http://public@admin/admin".to_owned()];
    let own = TARGETS.iter().map(ToString::to_string).chain(absolute).chain(other);
    for target in own {
        for method in ["GET", "POST", "get", "PROPFIND"] {
            let answer = site.ask(method, &target, &[]).await;
            for head in site.upstream.received() {
                let arrived = head.split(' ').nth(1).unwrap();
                let protected = loosest(arrived).starts_with("/admin");
                assert!(!protected, "{method} {target:?} arrives as {arrived:?}: {answer}");
            }
        }
    }
    let plain = site.ask("GET", "/public/a%20b/%E8%AE%A2?c=/../d;e", &[]).await;
    assert!(plain.starts_with("HTTP/1.1 200"), "{plain}");
    let head = site.upstream.received().pop().unwrap();
    assert!(head.starts_with("GET /public/a%20b/%E8%AE%A2?c=/../d;e "), "{head}");
}

#[tokio::test]
async fn behind_nginx_no_spelling_of_a_path_leads_past_its_rule() {
    no_spelling_of_a_path_leads_past_its_rule(Proxy::Nginx).await;
}

#[tokio::test]
async fn behind_caddy_no_spelling_of_a_path_leads_past_its_rule() {
    no_spelling_of_a_path_leads_past_its_rule(Proxy::Caddy).await;
}

#[tokio::test]
async fn behind_haproxy_no_spelling_of_a_path_leads_past_its_rule() {
    no_spelling_of_a_path_leads_past_its_rule(Proxy::Haproxy).await;
}
