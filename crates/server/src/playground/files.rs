//! The page's files, as `web/playground` builds them. They are committed, so that no build of ours needs Node; their
//! hashes are in `page/sha256`, which a test holds.

use super::Playground;
use crate::http::problem::Problem;
use axum::extract::{Path, State};
use axum::http::HeaderName;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};

/// A file: its name, its media type, and what is in it.
type File = (&'static str, &'static str, &'static [u8]);

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// All of them.
const FILES: [File; 5] = [
    ("icon.svg", "image/svg+xml", include_bytes!("page/icon.svg")),
    ("index.html", HTML, include_bytes!("page/index.html")),
    ("page.js", JAVASCRIPT, include_bytes!("page/page.js")),
    ("tab.html", HTML, include_bytes!("page/tab.html")),
    ("tab.js", JAVASCRIPT, include_bytes!("page/tab.js")),
];

/// The style sheet that stands in the page, by its digest (Content Security Policy Level 3 §2.3.1).
const STYLE: &str = include_str!("page/style-src");

const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// `GET /playground`: the page, which nobody may put into a frame.
pub(super) async fn page(State(own): State<Playground>) -> Result<Response, Problem> {
    answer(&own, "index.html", "'none'")
}

/// `GET /playground/tab`: one of its two tabs, which stands in a frame of the page.
pub(super) async fn tab(State(own): State<Playground>) -> Result<Response, Problem> {
    answer(&own, "tab.html", "'self'")
}

/// `GET /playground/{file}`: what they are made of.
pub(super) async fn file(
    State(own): State<Playground>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    answer(&own, &name, "'none'")
}

fn answer(own: &Playground, name: &str, framed_by: &str) -> Result<Response, Problem> {
    let found = FILES.iter().find(|(own, ..)| *own == name);
    let (_, kind, bytes) = found.ok_or_else(|| Problem::not_found("There is no such file."))?;
    let policy = policy(own, framed_by);
    let headers: [(HeaderName, &str); 7] = [
        (CONTENT_TYPE, kind),
        // It changes with the binary, and this machine is never far away.
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, &policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (OPENER, "same-origin"),
        (RESOURCE, "same-origin"),
    ];
    Ok((headers, *bytes).into_response())
}

/// Scripts come from files of ours, the one style sheet stands in the page, and the page speaks to nobody but the authority and the demo APIs.
fn policy(own: &Playground, framed_by: &str) -> String {
    let (authority, [first, second]) = (&own.0.authority, &own.0.demo_apis);
    format!(
        "default-src 'none'; script-src 'self'; style-src {STYLE}; img-src 'self'; frame-src 'self'; \
         connect-src 'self' {authority} {first} {second}; base-uri 'none'; form-action 'none'; \
         frame-ancestors {framed_by}"
    )
}
