//! `GET /v1/events`: the history that people read: what ended or changed, why, by whom, from where.

use super::auth::{self, Caller};
use super::edge::Context;
use super::event_view::EventView;
use super::events_stream;
use super::feed::LAST_EVENT_ID;
use super::problem::Problem;
use super::query::Query;
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::sync::Arc;
use symbolon_core::{Event, Reason, Session, SessionId, Subject, Target, Timestamp};
use symbolon_wire::Jti;

/// Which events are asked for. Every condition that is set must hold.
pub(super) struct Wanted {
    subject: Option<Subject>,
    sid: Option<SessionId>,
    /// The session of `sid`, while it is remembered: the bounds that hit it are told too.
    session: Option<Session>,
    jti: Option<[u8; 16]>,
    reason: Option<Reason>,
    request_id: Option<String>,
    since: Timestamp,
}

#[derive(Serialize)]
struct Page {
    items: Vec<EventView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists events, newest last; the filters are optional. A key that is limited to named clients is
/// told what concerns them, and nothing about subjects at large. Who asks for `text/event-stream` follows:
/// after `Last-Event-ID` or `cursor`, or all that there is since `since`; with none of them, from now on.
///
/// # Errors
/// The caller may not; a filter is wrong; as many follow as may.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::EventsRead).await?;
    let known = ["subject", "sid", "jti", "reason", "request_id", "since", "limit", "cursor"];
    let query = Query::read(&uri, &known)?;
    let number = |text: &str| text.parse::<u64>().ok();
    let cursor = query.parse("cursor", "a position: a number", number)?;
    let (limit, wanted) = (query.limit()?, Wanted::read(&app, &query).await?);
    if wants_a_stream(&headers) {
        let begun = cursor.or_else(|| query.get("since").map(|_| 0));
        return events_stream::stream(app, caller, wanted, stood(&headers)?.or(begun));
    }
    let after = cursor.unwrap_or(0);
    let keep = |event: &Event| reaches(&caller, event) && wanted.holds(event);
    let history = app.store.history(after, limit, keep).await?;
    let view = |(position, event): &(u64, Event)| EventView::new(*position, event);
    let items = history.events.iter().map(view).collect();
    Ok(Json(Page { items, next: history.next.map(|at| at.to_string()) }).into_response())
}

impl Wanted {
    async fn read(app: &App, query: &Query) -> Result<Self, Problem> {
        let sid = query.sid("sid")?;
        let session = match sid {
            Some(sid) => app.store.session(sid).await?.map(|loaded| loaded.session),
            None => None,
        };
        let seconds = |text: &str| text.parse().ok().map(Timestamp::from_seconds);
        let since = query.parse("since", "whole seconds since 1970", seconds)?;
        Ok(Self {
            subject: query
                .parse("subject", "1 to 255 bytes of text", |text| Subject::parse(text).ok())?,
            sid,
            session,
            jti: query.parse("jti", "a jti: 22 characters of base64url", jti)?,
            request_id: query.get("request_id").map(str::to_owned),
            reason: query.parse("reason", "one of the stable reasons", Reason::parse)?,
            since: since.unwrap_or_default(),
        })
    }

    pub(super) fn holds(&self, event: &Event) -> bool {
        self.since <= event.at
            && self.reason.is_none_or(|reason| reason == event.reason)
            && self.subject.as_ref().is_none_or(|subject| event.subject() == Some(subject))
            && self.sid.is_none_or(|sid| self.hits(sid, event))
            && self.jti.is_none_or(|jti| event.target == Target::Token(jti))
            && self.request_id.as_ref().is_none_or(|id| **id == *event.act.request_id)
    }

    fn hits(&self, sid: SessionId, event: &Event) -> bool {
        event.target == Target::Session(sid)
            || self.session.as_ref().is_some_and(|session| event.hits(session))
    }
}

fn jti(text: &str) -> Option<[u8; 16]> {
    Jti::parse(text).ok().map(|jti| jti.0)
}

pub(super) fn reaches(caller: &Caller, event: &Event) -> bool {
    !caller.is_limited() || event.client().is_some_and(|client| caller.reaches(client))
}

/// Where a reader stood that comes back.
///
/// # Errors
/// What it says is no position.
pub(super) fn stood(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let number = |value: &HeaderValue| value.to_str().ok()?.parse().ok();
    let stood = headers.get(LAST_EVENT_ID).map(number);
    stood.map(|at| at.ok_or(Problem::member("Last-Event-ID", NO_POSITION))).transpose()
}

/// Whether a stream is asked for, and JSON would not do.
pub(super) fn wants_a_stream(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let types: Vec<_> = values
        .flat_map(|value| value.split(','))
        .filter_map(|one| one.split(';').next())
        .map(|essence| essence.trim().to_ascii_lowercase())
        .collect();
    let has = |essence: &str| types.iter().any(|one| one == essence);
    has("text/event-stream") && !["application/json", "application/*", "*/*"].into_iter().any(has)
}

const NO_POSITION: &str = "must be a position: a number";
