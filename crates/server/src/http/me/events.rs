//! `GET /v1/me/events`: what happened to a person's sessions, as far as it concerns them.

use super::Person;
use crate::app::Live;
use crate::http::edge::Context;
use crate::http::event_view::EventView;
use crate::http::events::{stood, wants_a_stream};
use crate::http::problem::Problem;
use crate::http::query::Query;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use symbolon_core::{Event, Timestamp};

#[derive(Serialize)]
struct Page {
    items: Vec<EventView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists events about the person and their sessions, newest last. Notes, and who else acted and from where,
/// are for operators and left out.
///
/// Who asks for `text/event-stream` follows, after `Last-Event-ID` or `cursor`, else from now on; the token must be in
/// force when the stream begins, which then lasts as long as the session.
pub async fn get(
    State(live): State<Live>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let app = live.now();
    super::answer(&app, (&Method::GET, uri.path(), &headers), list(&live, &context, &uri, &headers))
        .await
}

async fn list(
    live: &Live,
    context: &Context,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let app = &live.now();
    let person = Person::read(app, context, headers).await?;
    let query = Query::read(uri, &["since", "limit", "cursor"])?;
    let number = |text: &str| text.parse::<u64>().ok();
    let cursor = query.parse("cursor", "a position: a number", number)?;
    if wants_a_stream(headers) {
        let after = stood(headers)?.or(cursor);
        return super::events_stream::stream(live, &person, after).await;
    }
    let after = cursor.unwrap_or(0);
    let seconds = |text: &str| text.parse().ok().map(Timestamp::from_seconds);
    let since = query.parse("since", "whole seconds since 1970", seconds)?.unwrap_or_default();
    let subject = &person.own.session.subject;
    let keep = |event: &Event| since <= event.at && event.subject() == Some(subject);
    let history = app.store.history(after, query.limit()?, keep).await?;
    let view = |(position, event): &(u64, Event)| EventView::for_person(*position, event);
    let items = history.events.iter().map(view).collect();
    Ok(Json(Page { items, next: history.next.map(|at| at.to_string()) }).into_response())
}
