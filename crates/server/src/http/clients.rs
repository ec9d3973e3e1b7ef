//! `GET /v1/clients`: the list. (One client is in [`super::client`].)

use super::auth;
use super::client_view::ClientView;
use super::edge::Context;
use super::problem::Problem;
use super::query::Query;
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::ops::Bound;
use std::sync::Arc;
use symbolon_core::ClientId;

#[derive(Serialize)]
struct Page {
    items: Vec<ClientView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists the clients of the configuration that the caller reaches, by name.
///
/// # Errors
/// The caller may not; a parameter is wrong.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::Admin).await?;
    let query = Query::read(&uri, &["limit", "cursor"])?;
    let after = query.parse("cursor", "a client's name", |text| ClientId::parse(text).ok())?;
    let (limit, at, cutoffs) = (query.limit()?, app.now()?, app.store.cutoffs());
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let rest = app.config.clients.range((from, Bound::Unbounded)).map(|(_, client)| client);
    let mut rest = rest.filter(|client| caller.reaches(&client.id)).peekable();
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let more = rest.peek().is_some();
    let next = page.last().filter(|_| more).map(|last| last.id.as_str().to_owned());
    let items = page.into_iter().map(|client| ClientView::new(client, &cutoffs, at)).collect();
    Ok(Json(Page { items, next }).into_response())
}
