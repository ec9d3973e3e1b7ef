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
use symbolon_store::{Kind, Store};

/// How long a store on servers of its own may say nothing, or take no write, before no more requests are to come here.
/// Inclusive; it is asked every 50 ms. Until then each request is answered for itself, 503 where the store is needed:
/// nodes share the store, so that sending requests to another one helps nobody, and a restart of it is shorter.
const AWAY_MAX: Duration = Duration::from_secs(5);

/// The process answers.
pub async fn livez() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// The process can do its work: the store answers, what was written last reached the disk, the clocks
/// agree, and it is not about to stop. Where the store is known to have lost what it acknowledged, the answer says how
/// much: that is no reason to send requests elsewhere.
pub async fn readyz(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    app.now()?;
    if app.feed.is_closing() {
        let detail =
            "The process stops: requests under way are answered, further ones belong elsewhere.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, "stopping", "Stopping", detail).retry_after(1));
    }
    match app.store.head_asked() {
        None => file_answers(&app.store).await?,
        Some(asked) => engine_answers(&app.store, asked.elapsed())?,
    }
    let mut ready = json!({"status": "ok"});
    if let lost @ 1.. = app.store.lost() {
        ready["lost_events"] = lost.into();
    }
    Ok(Json(ready).into_response())
}

/// A file is this process's alone: it is asked now.
async fn file_answers(store: &Store) -> Result<(), Problem> {
    if !store.takes_writes() {
        return Err(not_ready("The last commit could not be made: the store takes no writes."));
    }
    store.record(Kind::Meta, "ready").await?;
    Ok(())
}

/// Servers are asked all the time, and are allowed to be away for a moment.
fn engine_answers(store: &Store, unheard: Duration) -> Result<(), Problem> {
    if AWAY_MAX < unheard {
        return Err(not_ready("The store has not been heard for more than 5 s."));
    }
    if store.refusing_since().is_some_and(|since| AWAY_MAX < since.elapsed()) {
        return Err(not_ready("The store has taken no writes for more than 5 s."));
    }
    Ok(())
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
