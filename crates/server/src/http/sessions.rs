//! `GET /v1/sessions`: the list. (`POST` is in [`super::start_session`].)

use super::auth::{self, Caller};
use super::edge::Context;
use super::problem::Problem;
use super::query::Query;
use super::session_view::{SessionView, end_of};
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::sync::Arc;
use symbolon_core::device::DeviceClass;
use symbolon_core::{ClientId, Loaded, SessionId, Subject, Timestamp};
use symbolon_store::Query as StoreQuery;
use symbolon_wire::session_id_text;

/// What a list shows.
pub struct Wanted {
    /// Of this subject alone.
    pub subject: Option<Subject>,
    /// Through this client alone.
    pub client: Option<ClientId>,
    /// On this class alone.
    pub class: Option<DeviceClass>,
    /// Active, or ended, or both.
    pub active: Option<bool>,
    /// Beyond this session.
    pub cursor: Option<SessionId>,
    /// At most so many.
    pub limit: usize,
}

#[derive(Serialize)]
struct Page {
    items: Vec<SessionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists sessions; the filters are optional.
///
/// # Errors
/// The caller may not; a filter is wrong.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::SessionsRead).await?;
    let known = ["subject", "client_id", "device_class", "state", "limit", "cursor"];
    let query = Query::read(&uri, &known)?;
    let subject = query.parse("subject", "1 to 255 bytes of text", |s| Subject::parse(s).ok())?;
    let state = read_state(&query)?.unwrap_or(None);
    let wanted = Wanted::read(&query, subject, state)?;
    list(&app, &caller, &wanted).await
}

/// Which sessions by their state: `Some(None)` for all.
///
/// # Errors
/// Another word.
pub fn read_state(query: &Query) -> Result<Option<Option<bool>>, Problem> {
    query.parse("state", "`active`, `ended` or `all`", |word| match word {
        "active" => Some(Some(true)),
        "ended" => Some(Some(false)),
        "all" => Some(None),
        _ => None,
    })
}

impl Wanted {
    /// Reads the filters that all lists share.
    ///
    /// # Errors
    /// A filter is wrong.
    pub fn read(
        query: &Query,
        subject: Option<Subject>,
        active: Option<bool>,
    ) -> Result<Self, Problem> {
        Ok(Self {
            subject,
            client: query.parse("client_id", "a client's name", |c| ClientId::parse(c).ok())?,
            class: query.device_class()?,
            active,
            cursor: query.sid("cursor")?,
            limit: query.limit()?,
        })
    }

    fn holds(&self, app: &App, loaded: &Loaded, at: Timestamp) -> bool {
        let session = &loaded.session;
        self.client.as_ref().is_none_or(|client| *client == session.client)
            && self.class.is_none_or(|class| class == session.device.class)
            && self.active.is_none_or(|active| active == end_of(app, loaded, at).is_none())
    }
}

/// Answers a page of what is wanted, as far as the caller reaches.
///
/// # Errors
/// The store could not be read.
pub async fn list(app: &App, caller: &Caller, wanted: &Wanted) -> Result<Response, Problem> {
    let at = app.now()?;
    let shard = |subject: &Subject| app.keys.shards.shard(subject.as_str());
    let query = StoreQuery {
        subject: wanted.subject.as_ref().map(|subject| (subject.clone(), shard(subject))),
        after: wanted.cursor,
        limit: wanted.limit,
    };
    let keep =
        |loaded: &Loaded| caller.reaches(&loaded.session.client) && wanted.holds(app, loaded, at);
    let page = app.store.sessions(&query, keep).await?;
    let items = page.sessions.iter().map(|loaded| SessionView::new(app, loaded, at)).collect();
    Ok(Json(Page { items, next: page.next.map(session_id_text) }).into_response())
}
