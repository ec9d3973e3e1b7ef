//! `POST /v1/feed/ended`: which of these sessions are over, for a verifier that holds connections open.

use super::auth;
use super::body::{Object, json_bytes, parse_json};
use super::edge::Context;
use super::problem::Problem;
use super::query::Query;
use super::session_view::end_of;
use super::tokens::EndedSession;
use crate::api_keys::ApiScope;
use crate::app::App;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use symbolon_core::{Reason, SessionId};
use symbolon_wire::parse_session_id;

/// How many sessions may be asked about at once. Inclusive.
pub const SIDS_MAX: usize = 1000;

/// How many are looked up before others have their turn.
const AT_ONCE: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    sids: Vec<String>,
}

/// The sessions that are over, and why each.
#[derive(Serialize)]
pub struct Ended {
    ended: Vec<EndedSession>,
}

/// Says which sessions are over. One that is not known any more is `expired`: what is forgotten was over long
/// ago.
///
/// # Errors
/// The caller may not; a member is wrong; the store could not be read.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Json<Ended>, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::RevocationsRead).await?;
    caller.subject_wide("follow the feed")?;
    Query::read(&uri, &[])?;
    let Object(asked): Object<Asked> = parse_json(&json_bytes(&headers, body).await?)?;
    let (sids, at) = (asked.check()?, app.now()?);
    let mut ended = Vec::new();
    for some in sids.chunks(AT_ONCE) {
        for sid in some {
            let reason = match app.store.session(*sid).await? {
                Some(loaded) => end_of(&app, &loaded, at).map(|end| end.reason),
                None => Some(Reason::Expired),
            };
            ended.extend(reason.map(|reason| EndedSession::from((*sid, reason))));
        }
        tokio::task::yield_now().await;
    }
    Ok(Json(Ended { ended }))
}

impl Asked {
    fn check(&self) -> Result<Vec<SessionId>, Problem> {
        if SIDS_MAX < self.sids.len() {
            return Err(Problem::member("sids", "has more than 1000 sessions"));
        }
        let wrong =
            |at| Problem::member(format!("sids[{at}]"), "must be 22 characters of base64url");
        let read = |(at, text): (usize, &String)| parse_session_id(text).map_err(|_| wrong(at));
        self.sids.iter().enumerate().map(read).collect()
    }
}
