//! `GET /v1/presence`: who is online now, as far as this process saw sessions in use.

use super::auth;
use super::edge::Context;
use super::problem::Problem;
use super::query::Query;
use crate::api_keys::ApiScope;
use crate::app::App;
use crate::config::parse_duration;
use crate::presence::{LOOK_BACK_MAX, Online};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::{Extension, Json};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use symbolon_core::device::DeviceClass;
use symbolon_core::{ClientId, Duration, Subject, Timestamp};

/// How far back is looked if nobody says: as long as an access token of the usual client lives, which is how often it
/// is seen at least.
const LOOK_BACK: Duration = Duration::from_secs(5 * 60);

/// Who is online.
#[derive(Serialize)]
pub struct Presences {
    since: u64,
    /// Whether all that were seen are counted.
    complete: bool,
    subjects: usize,
    sessions: usize,
    by_device_class: BTreeMap<&'static str, usize>,
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Somebody who is.
#[derive(Serialize)]
struct Item {
    subject: String,
    device_classes: Vec<&'static str>,
    last_seen_at: u64,
}

/// What is known of one subject.
#[derive(Default)]
struct Of {
    classes: BTreeSet<&'static str>,
    at: Timestamp,
}

/// Lists who was seen within `window`, by subject, and counts all of them.
///
/// # Errors
/// The caller may not; a filter is wrong.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<Presences>, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::SessionsRead).await?;
    let known = ["window", "subject", "client_id", "device_class", "limit", "cursor"];
    let query = Query::read(&uri, &known)?;
    let window = |text: &str| parse_duration(text).ok().filter(|span| *span <= LOOK_BACK_MAX);
    let window = query.parse("window", "a duration of at most 60min", window)?;
    let subject =
        query.parse("subject", "1 to 255 bytes of text", |text| Subject::parse(text).ok())?;
    let client = query.parse("client_id", "a client's name", |text| ClientId::parse(text).ok())?;
    let class: Option<DeviceClass> = query.device_class()?;
    let (limit, cursor) = (query.limit()?, query.get("cursor"));
    let since = app.now()?.before(window.unwrap_or(LOOK_BACK));
    let wanted = |online: &Online| {
        caller.reaches(&online.client)
            && subject.as_ref().is_none_or(|subject| *subject == online.subject)
            && client.as_ref().is_none_or(|client| *client == online.client)
            && class.is_none_or(|class| class == online.class)
    };
    let present = app.presence.since(since, wanted);
    let (mut subjects, mut by_device_class) = (BTreeMap::<&str, Of>::new(), BTreeMap::new());
    for (_, online) in &present.sessions {
        let of = subjects.entry(online.subject.as_str()).or_default();
        of.classes.insert(online.class.as_str());
        of.at = of.at.max(online.at);
        *by_device_class.entry(online.class.as_str()).or_default() += 1;
    }
    let after = subjects.iter().filter(|(name, _)| cursor.is_none_or(|last| last < **name));
    let item = |(name, of): (&&str, &Of)| Item {
        subject: (*name).to_owned(),
        device_classes: of.classes.iter().copied().collect(),
        last_seen_at: of.at.as_seconds(),
    };
    let mut items: Vec<_> = after.take(limit + 1).map(item).collect();
    let more = limit < items.len();
    items.truncate(limit);
    let next = items.last().filter(|_: &&Item| more).map(|last| last.subject.clone());
    Ok(Json(Presences {
        since: since.as_seconds(),
        // What the other nodes saw, they alone know.
        complete: present.is_whole && app.nodes.live() == 1,
        subjects: subjects.len(),
        sessions: present.sessions.len(),
        by_device_class,
        items,
        next,
    }))
}
