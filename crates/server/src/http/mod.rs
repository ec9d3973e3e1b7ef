//! HTTP, one file an endpoint. This page is the table of contents.

pub mod activity;
pub mod around;
pub mod auth;
pub mod ban;
pub mod body;
pub mod client;
pub mod client_credentials;
pub mod client_view;
pub mod clients;
pub mod clock;
pub mod cookies;
pub mod cors;
pub mod delivery;
pub mod docs;
pub mod dpop;
pub mod edge;
pub mod ending;
pub mod erase;
pub mod event_view;
pub mod events;
pub mod events_stream;
pub mod failures;
pub mod feed;
pub mod feed_applied;
pub mod feed_ended;
pub mod forwarded;
pub mod gateway;
pub mod health;
pub mod introspect;
pub mod jwks;
pub mod key;
pub mod keys;
pub mod me;
pub mod metadata;
pub mod oauth_error;
pub mod one_time;
pub mod openapi;
pub mod operations;
pub mod own_token;
pub mod presence;
pub mod problem;
pub mod query;
pub mod revocation_batch;
pub mod revocation_request;
pub mod revocations;
pub mod revoke;
pub mod serve;
pub mod session;
pub mod session_view;
pub mod sessions;
pub mod start_request;
pub mod start_session;
pub mod steady;
pub mod step_up;
pub mod subject;
pub mod subject_sessions;
pub mod tickets;
pub mod token;
pub mod tokens;
pub mod verifiers;
pub mod version;

pub use serve::{Door, Stop, serve};

use crate::app::Live;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get, post, put};

/// Every path of the authority.
pub fn router(live: Live) -> Router {
    Router::new()
        .route("/v1/sessions", post(start_session::post).get(sessions::get))
        .route("/v1/sessions/{sid}", get(session::get).delete(session::delete))
        .route("/v1/sessions/{sid}/step-up", post(step_up::post))
        .route(
            "/v1/subjects/{sub}/sessions",
            get(subject_sessions::get).delete(subject_sessions::delete),
        )
        .route("/v1/subjects/{sub}", get(subject::get).put(subject::put))
        .route("/v1/subjects/{sub}/ban", put(ban::put).delete(ban::delete))
        .route("/v1/subjects/{sub}/erase", post(erase::post))
        .route("/v1/clients", get(clients::get))
        .route("/v1/clients/{client_id}", get(client::get).put(client::put))
        .route("/v1/keys", get(keys::get))
        .route("/v1/keys/rotate", post(keys::rotate))
        .route("/v1/keys/{kid}", delete(key::delete))
        .route("/v1/revocations", post(revocations::post))
        .route("/v1/events", get(events::get))
        .route("/v1/feed", get(feed::stream))
        .route("/v1/feed/poll", get(feed::poll))
        .route("/v1/feed/snapshot", get(feed::snapshot))
        .route("/v1/feed/applied", post(feed_applied::post))
        .route("/v1/feed/ended", post(feed_ended::post))
        .route("/v1/operations", post(operations::post))
        .route("/v1/operations/redeem", post(operations::redeem))
        .route("/v1/tickets", post(tickets::post))
        .route("/v1/tickets/redeem", post(tickets::post_redeem))
        .route("/v1/activity", post(activity::post))
        .route("/v1/presence", get(presence::get))
        .route("/v1/gateway/token", post(gateway::token::post))
        .route("/v1/verifiers", get(verifiers::get))
        .route("/v1/clock", post(clock::post))
        .route("/v1/me/sessions", get(me::sessions::get).options(cors::preflight))
        .route("/v1/me/sessions/{sid}", delete(me::sessions::delete).options(cors::preflight))
        .route("/v1/me/sign-out", post(me::sign_out::post).options(cors::preflight))
        .route("/v1/me/tickets", post(me::tickets::post).options(cors::preflight))
        .route("/v1/me/events", get(me::events::get).options(cors::preflight))
        .route("/oauth2/token", post(token::post).options(cors::preflight))
        .route("/oauth2/revoke", post(revoke::post).options(cors::preflight))
        .route("/oauth2/introspect", post(introspect::post))
        .route("/.well-known/oauth-authorization-server", get(metadata::get))
        .route("/.well-known/jwks.json", get(jwks::get))
        .route("/gateway/check", any(gateway::check))
        .route("/gateway/check/", any(gateway::check))
        .route("/gateway/check/{*path}", any(gateway::check))
        .route("/envoy.service.auth.v3.Authorization/Check", post(gateway::ext_authz::post::<Live>))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/openapi.json", get(openapi::get))
        .route("/docs", get(docs::get))
        .layer(from_fn_with_state(live.clone(), edge::edge))
        .with_state(live)
}

/// What is counted, on a listener of its own.
pub fn metrics_router(live: Live) -> Router {
    Router::new().route("/metrics", get(health::metrics)).with_state(live)
}
