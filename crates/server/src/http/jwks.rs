//! `GET /.well-known/jwks.json`: the public keys (RFC 7517 §5).

use crate::app::App;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The key set. It may be cached for five minutes: keys are announced long before their first use.
pub async fn get(State(app): State<Arc<App>>) -> Response {
    let headers =
        [(CONTENT_TYPE, "application/jwk-set+json"), (CACHE_CONTROL, "public, max-age=300")];
    (headers, app.keys.jwks().to_string()).into_response()
}
