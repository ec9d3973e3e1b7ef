//! `GET /livez`, `GET /readyz`, and `/metrics` on its own listener.

use super::problem::Problem;
use crate::app::App;
use crate::metrics::Scrape;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;
use symbolon_core::Duration;
use symbolon_store::Kind;

/// How long a store on a server of its own may not have been heard. Inclusive; it is asked every 50 ms.
const UNHEARD_MAX: Duration = Duration::from_secs(5);

/// The process answers.
pub async fn livez() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// The process can do its work: the store answers, what was written last reached the disk, the clocks
/// agree, and it is not about to stop.
pub async fn readyz(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    app.now()?;
    if app.feed.is_closing() {
        let detail =
            "The process stops: requests under way are answered, further ones belong elsewhere.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, "stopping", "Stopping", detail).retry_after(1));
    }
    if !app.store.takes_writes() {
        return Err(not_ready("The last commit could not be made: the store takes no writes."));
    }
    if app.store.head_asked().is_some_and(|asked| UNHEARD_MAX < asked.elapsed()) {
        return Err(not_ready("The store has not been heard for more than 5 s."));
    }
    app.store.record(Kind::Meta, "ready").await?;
    Ok(Json(json!({"status": "ok"})).into_response())
}

fn not_ready(why: &'static str) -> Problem {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Problem::new(status, "store", "Not ready", why).retry_after(1)
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
        poll_age: app.store.head_asked().map(|asked| asked.elapsed()),
        lost_events: app.store.head_asked().map(|_| app.store.lost()),
        store_epoch: app.store.cutoffs().epoch.0,
        key_ages: app.keys.ages(app.clock.wall()),
        started: app.started,
        feed: app.feed.figures(app.clock.wall()),
    };
    ([(CONTENT_TYPE, kind)], app.metrics.render(&scrape)).into_response()
}
