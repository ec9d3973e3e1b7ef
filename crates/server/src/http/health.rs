//! `GET /livez`, `GET /readyz`, and `/metrics` on its own listener.

use super::problem::Problem;
use crate::app::App;
use crate::metrics::Scrape;
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;
use symbolon_core::Fault;
use symbolon_store::Kind;

/// The process answers.
pub async fn livez() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// The process can do its work: the store answers, what was written last reached the disk, and the clocks
/// agree.
pub async fn readyz(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    app.now()?;
    if !app.store.takes_writes() {
        return Err(Fault::Store("the last commit did not reach the disk".into()).into());
    }
    app.store.record(Kind::Meta, "ready").await?;
    Ok(Json(json!({"status": "ok"})).into_response())
}

/// All counters, in OpenMetrics.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let scrape = Scrape {
        at: app.clock.wall(),
        clients: app.config.clients.values().collect(),
        waits: app.store.waits(),
        waiting: app.store.waiting(),
        takes_writes: app.store.takes_writes(),
        store_epoch: app.store.cutoffs().epoch.0,
        key_ages: app.keys.ages(app.clock.wall()),
        started: app.started,
        feed: app.feed.figures(app.clock.wall()),
    };
    ([(CONTENT_TYPE, kind)], app.metrics.render(&scrape)).into_response()
}
