//! `POST /v1/sessions/{sid}/step-up`: a trusted back end says what a person proved later.

use super::auth;
use super::body::{Object, json_bytes, parse_json};
use super::edge::Context;
use super::problem::Problem;
use super::query::Query;
use super::session::{no_such_session, reaches, read};
use super::start_request::{LIST_MAX, name, names, past};
use super::tokens::{TokenAnswer, Unwritten, Writing};
use crate::api_keys::ApiScope;
use crate::app::App;
use crate::config::Client;
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use symbolon_core::refresh::Answer;
use symbolon_core::{
    Act, Denial, Loaded, LoadedSubject, Outcome, SessionId, Standing, StepUp, SubjectDecision,
    Timestamp,
};
use symbolon_wire::session_id_text;

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepUpRequest {
    amr: Vec<String>,
    acr: Option<String>,
    authenticated_at: Option<u64>,
}

impl StepUpRequest {
    fn check(self, sid: SessionId, at: Timestamp) -> Result<StepUp, Problem> {
        if self.amr.is_empty() {
            return Err(Problem::member("amr", "must name what the person was authenticated by"));
        }
        Ok(StepUp {
            sid,
            amr: names(self.amr, "amr", LIST_MAX)?,
            acr: self.acr.map(|acr| name(&acr, "acr")).transpose()?,
            authenticated_at: self.authenticated_at.map(|t| past(t, at)).transpose()?,
        })
    }
}

/// Raises a session, and answers the tokens that say so.
///
/// # Errors
/// The caller may not; a member is wrong; there is no such session within its reach, or it is over.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sid: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::SessionsStart).await?;
    let sid = read(sid)?;
    Query::read(&uri, &[])?;
    let Object(asked): Object<StepUpRequest> = parse_json(&json_bytes(&headers, body).await?)?;
    let at = app.now()?;
    let ask = asked.check(sid, at)?;
    let found = app.store.session(sid).await?.filter(|found| reaches(&caller, found));
    let found = found.ok_or_else(no_such_session)?;
    let client = app.config.clients.get(&found.session.client).ok_or_else(no_such_session)?;
    let act = context.act(caller.actor(), None);
    let raising = Raising { app: &app, client, ask, act, at };
    let answer = raising.raise(&found).await?;
    let request_id = &*context.request_id;
    tracing::info!(request_id, sid = session_id_text(sid), "stepped up");
    Ok(answer.into_answer(StatusCode::OK))
}

/// A step-up under way.
struct Raising<'a> {
    app: &'a App,
    client: &'a Client,
    ask: StepUp,
    act: Act,
    at: Timestamp,
}

impl Raising<'_> {
    async fn raise(&self, found: &Loaded) -> Result<TokenAnswer, Problem> {
        let recipients = self.app.recipients(self.client, &found.session.audience, None);
        let recipients = recipients.ok_or_else(no_audience)?;
        let terms = self.app.terms(self.client, &recipients.signer)?;
        let decide =
            |now: LoadedSubject| Ok(self.seal(now.step_up(&self.ask, &terms, &self.act, self.at)));
        let (subject, shard) = (&found.session.subject, self.ask.sid.shard());
        let done = self.app.store.step_subject(subject, shard, decide).await?;
        let (client, metrics) = (&self.client.id, &self.app.metrics);
        match done.reply {
            Some(Ok(answer)) => {
                metrics.granted(client, Outcome::SteppedUp, None, self.at);
                Ok(answer)
            }
            Some(Err(problem)) => Err(problem),
            None => Err(self.gone().await),
        }
    }

    /// The decision with its tokens as text; if they cannot be written, nothing happened.
    fn seal(
        &self,
        decision: SubjectDecision<Option<Answer>>,
    ) -> SubjectDecision<Option<Result<TokenAnswer, Problem>>> {
        let grant = match &decision.reply {
            Some(Ok(grant)) => grant,
            Some(Err(denial)) => {
                let denial = *denial;
                return decision.map(|_| Some(Err(denial.into())));
            }
            None => return decision.map(|_| None),
        };
        let recipients = self.app.recipients(self.client, &grant.session.audience, None);
        let writing = Writing { app: self.app, client: self.client, at: self.at };
        let written = recipients.ok_or_else(no_audience).and_then(|recipients| {
            TokenAnswer::new(&writing, grant, &recipients, &grant.scope).map_err(unwritten)
        });
        match written {
            Ok(answer) => decision.map(|_| Some(Ok(answer))),
            Err(problem) => SubjectDecision::unchanged(Some(Err(problem))),
        }
    }

    /// Why the row of a session that was there is ended.
    async fn gone(&self) -> Problem {
        let loaded = match self.app.store.session(self.ask.sid).await {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return no_such_session(),
            Err(fault) => return fault.into(),
        };
        match loaded.standing(&self.client.policy, self.at) {
            Standing::Ended(end) | Standing::Over(end) => Denial::Ended(end.reason).into(),
            Standing::Active => no_such_session(),
        }
    }
}

fn no_audience() -> Problem {
    Problem::member("audience", "is not configured any more")
}

fn unwritten(error: Unwritten) -> Problem {
    match error {
        Unwritten::TooLong { bytes } => {
            let why = format!("makes an access token of {bytes} bytes; 4096 is the most");
            Problem::member("amr", why)
        }
        Unwritten::Fault(fault) => fault.into(),
    }
}
