//! `POST /v1/activity`: verifiers tell which sessions were used, since they ask about none of them.

use super::auth::{self, Caller};
use super::body::Object;
use super::edge::Context;
use super::problem::Problem;
use crate::api_keys::ApiScope;
use crate::app::App;
use crate::presence::Online;
use axum::extract::{Request, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::{Decision, Fault, Loaded, Reason, SessionId, Timestamp, Used};
use symbolon_wire::parse_session_id;
use tokio::task::JoinSet;

/// How many uses may be told at once. Inclusive.
pub const USES_MAX: usize = 1000;

/// How many sessions are decided about at once: those that change share commits.
const AT_ONCE: usize = 128;

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Activity {
    uses: Vec<Object<Use>>,
}

/// A session, and when it was used.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Use {
    session_id: String,
    at: u64,
}

/// How many uses count, and how many are of no session that lives, or dated ahead of the clock.
#[derive(Serialize)]
pub struct Told {
    accepted: usize,
    ignored: usize,
}

/// What was decided about one session.
#[derive(Clone, Copy)]
struct Outcome {
    used: Used,
    ended: Option<Reason>,
}

/// Moves the idle ends of sessions that are in use. What was told already changes nothing, and neither does a
/// session that is over or another client's.
///
/// # Errors
/// The caller may not; a member is wrong; the store could not: then the same may be told again.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Json<Told>, Problem> {
    let scope = ApiScope::RevocationsRead;
    let (caller, activity) = auth::caller_says::<Activity>(&app, &context, request, scope).await?;
    let told = activity.uses.len();
    let (sessions, at) = (activity.check()?, app.now()?);
    let (accepted, extended) = note(&app, &caller, sessions, at).await?;
    let ignored = told - accepted;
    for (what, count) in [("accepted", accepted), ("ignored", ignored), ("extended", extended)] {
        app.metrics.used(what, count);
    }
    Ok(Json(Told { accepted, ignored }))
}

impl Activity {
    /// The uses of each session.
    fn check(self) -> Result<BTreeMap<SessionId, Vec<Timestamp>>, Problem> {
        if USES_MAX < self.uses.len() {
            return Err(Problem::member("uses", "has more than 1000 uses"));
        }
        let mut sessions: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (index, Object(Use { session_id, at })) in self.uses.into_iter().enumerate() {
            let sid = parse_session_id(&session_id).map_err(|_| {
                let member = format!("uses[{index}].session_id");
                Problem::member(member, "must be 22 characters of base64url")
            })?;
            sessions.entry(sid).or_default().push(Timestamp::from_seconds(at));
        }
        Ok(sessions)
    }
}

/// How many uses count, and how many sessions were written.
async fn note(
    app: &Arc<App>,
    caller: &Caller,
    sessions: BTreeMap<SessionId, Vec<Timestamp>>,
    at: Timestamp,
) -> Result<(usize, usize), Fault> {
    let (mut left, mut running) = (sessions.into_iter(), JoinSet::new());
    let (mut accepted, mut extended) = (0, 0);
    loop {
        while running.len() < AT_ONCE
            && let Some((sid, uses)) = left.next()
        {
            let (app, caller) = (Arc::clone(app), caller.clone());
            running.spawn(async move { note_one(&app, &caller, (sid, &uses), at).await });
        }
        let Some(done) = running.join_next().await else { return Ok((accepted, extended)) };
        let used = done.map_err(|_| Fault::Store("a decision was broken off".into()))??;
        accepted += used.accepted;
        extended += usize::from(used.extended);
    }
}

async fn note_one(
    app: &App,
    caller: &Caller,
    (sid, uses): (SessionId, &[Timestamp]),
    at: Timestamp,
) -> Result<Used, Fault> {
    let decide = |loaded: Loaded| {
        let (client, online) = (loaded.session.client.clone(), Online::of(&loaded.session, at));
        if !caller.reaches(&client) {
            let outcome = Outcome { used: Used::IGNORED, ended: None };
            return Ok(Decision::unchanged((online, outcome)));
        }
        let decision = loaded.used(uses, &app.policies.of(&client), at);
        let ended = decision.events.first().map(|event| event.reason);
        Ok(decision.map(|used| (online, Outcome { used, ended })))
    };
    let Some(committed) = app.store.step(sid, decide).await? else { return Ok(Used::IGNORED) };
    let (online, Outcome { used, ended }) = committed.reply;
    if let Some(reason) = ended {
        app.metrics.ended(&online.client, reason);
    }
    if 0 < used.accepted {
        app.presence.note(sid, online);
    }
    Ok(used)
}
