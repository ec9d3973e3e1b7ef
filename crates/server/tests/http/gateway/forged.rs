//! Identity headers that a client writes itself, in every spelling that came to mind.

use super::site::{Proxy, Site};
use super::token;

/// Lines of a head; `mallory` is whom they pretend to be. `{crlf}` ends a line inside.
const SPELLINGS: [&str; 36] = [
    "X-Symbolon-Subject: mallory",
    "x-symbolon-subject: mallory",
    "X-SYMBOLON-SUBJECT: mallory",
    "x-SyMbOlOn-sUbJeCt: mallory",
    "X_Symbolon_Subject: mallory",
    "x_symbolon_subject: mallory",
    "X-Symbolon_Subject: mallory",
    "X_Symbolon-Subject: mallory",
    "X.Symbolon.Subject: mallory",
    "X-Symbolon.Subject: mallory",
    "X Symbolon Subject: mallory",
    "X-Symbolon-Subject : mallory",
    "X-Symbolon-Subject\t: mallory",
    " X-Symbolon-Subject: mallory",
    "\tX-Symbolon-Subject: mallory",
    "X-Symbolon-Subject:mallory",
    "X-Symbolon-Subject:\tmallory",
    "X-Symbolon-Subject:   mallory   ",
    "X-Symbolon-Subject: mallory{crlf}X-Symbolon-Subject: mallory",
    "X-Symbolon-Subject: x{crlf}x-symbolon-subject: mallory",
    "X-Symbolon-Subject:{crlf} mallory",
    "X-Symbolon-Subject: x{crlf}\tmallory",
    "X-Other: x{crlf} X-Symbolon-Subject: mallory",
    "X-Other: x\nX-Symbolon-Subject: mallory",
    "X-Other: x\rX-Symbolon-Subject: mallory",
    "X-Other: x\r\r\nX-Symbolon-Subject: mallory",
    "X-Other: x\u{b}X-Symbolon-Subject: mallory",
    "X-Other: x\0X-Symbolon-Subject: mallory",
    "X-Symbolon-Subject\0: mallory",
    "\u{feff}X-Symbolon-Subject: mallory",
    "X-Symbolon-Subjéct: mallory",
    "Connection: X-Symbolon-Subject{crlf}X-Symbolon-Subject: mallory",
    "Connection: close, x-symbolon-subject, x-symbolon-session, x-symbolon-roles",
    "X-Symbolon-Roles: mallory{crlf}X-Symbolon-Scope: mallory{crlf}X-Symbolon-Client: mallory",
    "X-Symbolon-Token: mallory{crlf}X-Symbolon-Session: mallory",
    "X-Symbolon-Anything: mallory{crlf}X_Symbolon_Roles: mallory{crlf}X.Symbolon.Token: mallory",
];

/// The six headers, as CGI, WSGI and PHP know them.
const OWN: [&str; 6] = [
    "X_SYMBOLON_SUBJECT",
    "X_SYMBOLON_SESSION",
    "X_SYMBOLON_CLIENT",
    "X_SYMBOLON_SCOPE",
    "X_SYMBOLON_ROLES",
    "X_SYMBOLON_TOKEN",
];

/// What an application reads under our names, whatever it takes for the same name and for a line's end.
fn identities(head: &str) -> Vec<(String, &str)> {
    let lines = head.split(['\r', '\n', '\0', '\u{b}']);
    let parsed = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        let known = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let name: String = name.trim().chars().map(known).collect();
        OWN.contains(&&*name).then(|| (name, value.trim()))
    });
    parsed.collect()
}

async fn no_client_can_say_who_it_is(proxy: Proxy) {
    let site = Site::start(proxy).await;
    let (alice, sid) = token(&site.authority, "web", "alice", &["clerk"]).await;
    let bearer = format!("Authorization: Bearer {alice}");
    let mut reached = 0;
    for spelling in SPELLINGS {
        let line = spelling.replace("{crlf}", "\r\n");
        for (target, credential) in [("/public", "X-Nothing: x"), ("/me", &*bearer)] {
            for lines in [[credential, &line], [&*line, credential]] {
                let answer = site.ask("GET", target, &lines).await;
                for head in site.upstream.received() {
                    reached += 1;
                    let said = identities(&head);
                    assert!(
                        !said.iter().any(|(_, value)| value.contains("mallory")),
                        "{spelling:?} at {target} is believed: {head:?}"
                    );
                    let subjects = said.iter().filter(|(name, _)| name == OWN[0]);
                    let subjects: Vec<_> = subjects.map(|(_, value)| *value).collect();
                    let right: &[&str] = if target == "/me" { &["alice"] } else { &[] };
                    assert_eq!(subjects, right, "{spelling:?} at {target}: {head:?}");
                    if target == "/me" {
                        let of = |name: &str| said.iter().find(|(own, _)| own == name).unwrap().1;
                        assert_eq!((of(OWN[1]), of(OWN[4])), (&*sid, "clerk"), "{spelling:?}");
                    }
                    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                }
            }
        }
    }
    assert!(SPELLINGS.len() < reached, "only {reached} requests were let through at all");
}

/// Who may pass is said by the request and not by what its sender says about it.
async fn no_client_can_say_what_it_asks_for(proxy: Proxy) {
    let site = Site::start(proxy).await;
    for line in [
        "X-Original-URI: /public",
        "X-Original-Uri: /public\r\nX-Original-Method: GET",
        "X-Forwarded-Uri: /public",
        "X-Forwarded-URI: /public\r\nX-Forwarded-Method: GET",
        "X_Forwarded_Uri: /public",
        "X-Forwarded-Prefix: /public",
        "X-Original-URL: /public",
        "X-Rewrite-URL: /public",
        "X-Forwarded-Host: public.example",
        "X-Forwarded-For: 127.0.0.1",
        "X-HTTP-Method-Override: OPTIONS",
        "Connection: X-Forwarded-Uri, X-Original-URI, X-Forwarded-Method, X-Original-Method",
        "Connection: Authorization",
        "User-Agent: GoogleHC/1.0",
        "X-Middleware-Subrequest: middleware",
    ] {
        let answer = site.ask("GET", "/me", &[line]).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{line:?}: {answer}");
        assert_eq!(site.upstream.served(), 0, "{line:?}");
    }
}

#[tokio::test]
async fn behind_nginx_no_client_can_say_who_it_is() {
    no_client_can_say_who_it_is(Proxy::Nginx).await;
}

#[tokio::test]
async fn behind_caddy_no_client_can_say_who_it_is() {
    no_client_can_say_who_it_is(Proxy::Caddy).await;
}

#[tokio::test]
async fn behind_haproxy_no_client_can_say_who_it_is() {
    no_client_can_say_who_it_is(Proxy::Haproxy).await;
}

#[tokio::test]
async fn behind_nginx_no_client_can_say_what_it_asks_for() {
    no_client_can_say_what_it_asks_for(Proxy::Nginx).await;
}

#[tokio::test]
async fn behind_caddy_no_client_can_say_what_it_asks_for() {
    no_client_can_say_what_it_asks_for(Proxy::Caddy).await;
}

#[tokio::test]
async fn behind_haproxy_no_client_can_say_what_it_asks_for() {
    no_client_can_say_what_it_asks_for(Proxy::Haproxy).await;
}
