//! `GET /.well-known/oauth-authorization-server`: what is offered, and where (RFC 8414).

use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;
use symbolon_wire::Algorithm;

/// The metadata. Every address in it comes from the configuration, never from a header of the request.
pub async fn get(State(app): State<Arc<App>>) -> Response {
    let issuer = &*app.config.issuer;
    let at = |path: &str| format!("{issuer}{path}");
    let methods = ["client_secret_basic", "client_secret_post", "none"];
    let algorithms: Vec<_> = app.keys.algorithms().into_iter().map(Algorithm::name).collect();
    let metadata = json!({
        "issuer": issuer,
        "token_endpoint": at("/oauth2/token"),
        "revocation_endpoint": at("/oauth2/revoke"),
        "introspection_endpoint": at("/oauth2/introspect"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "response_types_supported": [],
        "grant_types_supported": ["refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "access_token_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": super::dpop::algorithms(),
        "scopes_supported": scopes(&app),
    });
    let mut response = Json(metadata).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

fn scopes(app: &App) -> Vec<&str> {
    let all = app.config.clients.values().flat_map(|client| client.policy.scope.split(' '));
    let mut scopes: Vec<_> = all.filter(|scope| !scope.is_empty()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}
