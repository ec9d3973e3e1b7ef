//! `GET /openapi.json`: the API as programs read it (OpenAPI 3.1).

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

/// The document. A test writes it, and holds it against the code and against what is answered.
pub const DOCUMENT: &str = include_str!("../../../../api/openapi.json");

/// How long this document and its page may be kept: it changes with the program alone.
pub const CACHED: &str = "public, max-age=300";

/// The document.
pub async fn get() -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, CACHED)];
    (headers, DOCUMENT).into_response()
}
