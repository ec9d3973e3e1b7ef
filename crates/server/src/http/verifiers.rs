//! `GET /v1/verifiers`: who verifies, and how far each has come.

use super::auth;
use super::edge::Context;
use super::problem::Problem;
use super::query::Query;
use crate::api_keys::ApiScope;
use crate::app::App;
use crate::feed::Row;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::{Extension, Json};
use serde::Serialize;
use std::sync::Arc;
use symbolon_core::Duration;

#[derive(Serialize)]
struct Item {
    name: String,
    instance: String,
    live: bool,
    last_seen: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    max_staleness_ms: u64,
    offline_routes: u32,
}

/// All of them; there are so few that there are no pages.
#[derive(Serialize)]
pub struct List {
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
}

/// Lists the verifiers, by name.
///
/// # Errors
/// The caller may not; what they told other nodes could not be read.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<List>, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::Admin).await?;
    caller.subject_wide("look at the verifiers")?;
    Query::read(&uri, &[])?;
    app.feed.verifiers.hear(&app).await?;
    let at = app.clock.wall();
    let (epoch, position) = (app.store.cutoffs().epoch, app.feed.figures(at).position);
    let item = |row: Row| {
        // A position of another epoch says nothing of this one.
        let own = row.applied.filter(|(of, _)| *of == epoch).map(|(_, position)| position);
        Item {
            name: row.name.key,
            instance: row.name.instance,
            live: row.live,
            last_seen: row.seen.as_seconds(),
            position: own,
            lag: own.and_then(|own| Some(position?.saturating_sub(own))),
            age_ms: row.age.map(millis),
            max_staleness_ms: millis(row.bound),
            offline_routes: row.offline_routes,
        }
    };
    let items = app.feed.verifiers.rows(at).into_iter().map(item).collect();
    Ok(Json(List { items, position }))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
