//! `GET /docs`: the API as people read it. One page, made of the same document, that fetches nothing and
//! runs nothing.

mod kind;
mod page;
mod words;

use super::openapi::{CACHED, DOCUMENT};
use super::problem::Problem;
use super::query::Query;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, Uri};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use serde_json::Value;
use std::sync::LazyLock;
use symbolon_wire::sha256;
use words::{CHINESE, ENGLISH, Words};

const STYLE: &str = include_str!("docs/style.css");

/// Both pages and what a browser may do with them, made at the first call: the document never changes.
static PAGES: LazyLock<Pages> = LazyLock::new(Pages::new);

struct Pages {
    english: String,
    chinese: String,
    policy: String,
}

/// The page.
///
/// # Errors
/// It is there in no such language.
pub async fn get(uri: Uri) -> Result<Response, Problem> {
    let query = Query::read(&uri, &["lang"])?;
    let page = match query.parse("lang", "`en` or `zh`", language)?.unwrap_or(&ENGLISH).lang {
        "en" => &*PAGES.english,
        _ => &*PAGES.chinese,
    };
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, CACHED),
        (CONTENT_SECURITY_POLICY, &PAGES.policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, page).into_response())
}

fn language(word: &str) -> Option<&'static Words> {
    match word {
        "en" => Some(&ENGLISH),
        "zh" => Some(&CHINESE),
        _ => None,
    }
}

impl Pages {
    fn new() -> Self {
        let document: Value =
            serde_json::from_str(DOCUMENT).expect("a test wrote the document, and reads it");
        let hash = BASE64.encode(&sha256(STYLE.as_bytes()).0);
        Self {
            english: page::page(&document, &ENGLISH, STYLE),
            chinese: page::page(&document, &CHINESE, STYLE),
            policy: format!(
                "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'"
            ),
        }
    }
}
