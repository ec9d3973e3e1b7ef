//! `GET /v1/me/sessions` and `DELETE /v1/me/sessions/{sid}`: a person's own devices.

use super::Person;
use crate::app::App;
use crate::http::body;
use crate::http::edge::Context;
use crate::http::ending;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::session::{no_such_session, read};
use crate::http::session_view::{DeviceView, end_of};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::sync::Arc;
use symbolon_core::person::Gone;
use symbolon_core::place::Place;
use symbolon_core::{Decision, Loaded, Reason, Timestamp};
use symbolon_store::{Committed, Query as StoreQuery};
use symbolon_wire::session_id_text;

/// How coarsely a person is told when the session that they ask from was last used, in seconds: a thief who
/// holds its token could else watch the owner come and go.
pub const COARSE: u64 = 60 * 60;

/// A session, as its owner may see it.
#[derive(Serialize)]
struct Device {
    session_id: String,
    client_id: String,
    device: DeviceView,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    created_at: u64,
    last_active_at: u64,
    expires_at: u64,
    current: bool,
}

#[derive(Serialize)]
struct Page {
    items: Vec<Device>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Device {
    fn new(app: &App, loaded: &Loaded, person: &Person) -> Self {
        let (session, policy) = (&loaded.session, app.policies.of(&loaded.session.client));
        let current = session.sid == person.own.session.sid;
        let last = session.last_used_at.as_seconds();
        let coarse = Timestamp::from_seconds(last - last % COARSE).max(session.created_at);
        Self {
            session_id: session_id_text(session.sid),
            client_id: session.client.as_str().to_owned(),
            device: DeviceView::new(&session.device),
            place: session.ip.as_deref().and_then(place),
            created_at: session.created_at.as_seconds(),
            last_active_at: if current { coarse.as_seconds() } else { last },
            expires_at: session.absolute_expires_at(&policy).as_seconds(),
            current,
        }
    }
}

/// Where a session was started, if the back end told its address.
fn place(ip: &str) -> Option<String> {
    Some(Place::of(ip.parse().ok()?).to_string())
}

/// Lists the sessions of whoever asks that are active.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    super::answer(&app, (&Method::GET, uri.path(), &headers), list(&app, &context, &uri, &headers))
        .await
}

async fn list(
    app: &App,
    context: &Context,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let person = Person::read(app, context, headers).await?;
    let query = Query::read(uri, &["limit", "cursor"])?;
    let subject = person.own.session.subject.clone();
    let shard = app.keys.shards.shard(subject.as_str());
    let wanted = StoreQuery {
        subject: Some((subject, shard)),
        after: query.sid("cursor")?,
        limit: query.limit()?,
    };
    let active = |loaded: &Loaded| end_of(app, loaded, person.at).is_none();
    let page = app.store.sessions(&wanted, active).await?;
    let items = page.sessions.iter().map(|loaded| Device::new(app, loaded, &person)).collect();
    Ok(Json(Page { items, next: page.next.map(session_id_text) }).into_response())
}

/// Ends one of them.
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sid: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    super::answer(&app, (&Method::DELETE, uri.path(), &headers), end(&app, &context, sid, request))
        .await
}

async fn end(
    app: &App,
    context: &Context,
    sid: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let person = Person::read(app, context, &headers).await?;
    body::none(body).await?;
    Query::read(&uri, &[])?;
    let (sid, act, reason) = (read(sid)?, person.act(context), Reason::SignedOut);
    let decide = |now: Loaded| {
        if now.session.subject != person.own.session.subject {
            return Ok(Decision::unchanged(None));
        }
        let policy = app.policies.of(&now.session.client);
        let gone = Gone { sid, client: now.session.client.clone(), reason };
        let ended = now.end(reason, &act, &policy, person.at);
        Ok(ended.map(|by_this| Some(by_this.then_some(gone))))
    };
    let done = app.store.step(sid, decide).await?.ok_or_else(no_such_session)?;
    let gone = done.reply.ok_or_else(no_such_session)?;
    let done = Committed { reply: gone.into_iter().collect(), position: done.position };
    Ok(ending::ended_by(app, context, done, None).await)
}
