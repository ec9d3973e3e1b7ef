//! `POST /v1/sessions`: a trusted back end starts a session.

use super::auth::{self, Caller};
use super::body::{Object, json_bytes, parse_json};
use super::edge::Context;
use super::problem::Problem;
use super::query::Query;
use super::start_request::StartRequest;
use super::tokens::{TokenAnswer, Unwritten, Writing};
use crate::api_keys::ApiScope;
use crate::app::App;
use crate::config::Client;
use crate::presence::Online;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use std::sync::Arc;
use symbolon_core::revocation::Act;
use symbolon_core::sign_in::Started;
use symbolon_core::{
    Digest, Duration, Fault, Grant, LoadedSubject, Outcome, Reason, SessionId, Start,
    SubjectDecision, Timestamp,
};
use symbolon_wire::session_id_text;

/// How long an `Idempotency-Key` is remembered.
pub const IDEMPOTENCY_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest `Idempotency-Key`, in bytes. Inclusive.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Starts a session, or answers the one that the same `Idempotency-Key` started before.
///
/// # Errors
/// The caller may not; a member is wrong; the subject is banned; the device limit refuses.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::SessionsStart).await?;
    Query::read(&uri, &[])?;
    let bytes = json_bytes(&headers, body).await?;
    let Object(request): Object<StartRequest> = parse_json(&bytes)?;
    let at = app.now()?;
    let client = client(&app, &caller, &request)?;
    if request.roles.is_some() && (caller.is_limited() || !caller.may(ApiScope::SubjectsWrite)) {
        let detail =
            "`roles` need an API key with `subjects:write` that is not limited to clients.";
        return Err(Problem::forbidden("insufficient-scope", detail));
    }
    let mut start = request.check(&app, client, at)?;
    let starting = Starting { app: &app, client, act: context.act(caller.actor(), None), at };
    if let Some(key) = idempotency_key(&headers)? {
        let body = app.keys.idempotency.digest(&bytes);
        start.started_by = Some(Digest(body));
        let name = app.keys.idempotency.digest(&[caller.id().as_bytes(), b"\0", key].concat());
        if let Some(earlier) = starting.spend(name, &mut start).await? {
            return Ok(earlier);
        }
    }
    starting.sign_in(&start).await
}

fn client<'a>(
    app: &'a App,
    caller: &Caller,
    request: &StartRequest,
) -> Result<&'a Client, Problem> {
    let unknown = || Problem::member("client_id", "is not a configured client");
    let client = app.client(&request.client_id).ok_or_else(unknown)?;
    if !caller.reaches(&client.id) {
        let detail = "The API key is limited to other clients.";
        return Err(Problem::forbidden("key-limited", detail));
    }
    match client.preset.has_sessions() {
        true => Ok(client),
        false => {
            Err(Problem::member("client_id", "has the preset `service`, which has no sessions"))
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    let mut all = headers.get_all("idempotency-key").iter();
    match (all.next().map(HeaderValue::as_bytes), all.next()) {
        (None, _) => Ok(None),
        (Some(key), None) if (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) => Ok(Some(key)),
        (Some(_), _) => {
            Err(Problem::member("Idempotency-Key", "must be one value of 1 to 255 bytes"))
        }
    }
}

/// A sign-in under way.
struct Starting<'a> {
    app: &'a App,
    client: &'a Client,
    act: Act,
    at: Timestamp,
}

/// What was decided, with the tokens already written.
type Outcomes = Result<(TokenAnswer, SessionId, Outcome, usize), Problem>;

impl Starting<'_> {
    /// Spends the idempotency key on this session's name. If it was spent before, either the session is
    /// there and is answered, or the first attempt died on the way and this one goes on in its name.
    async fn spend(&self, name: [u8; 32], start: &mut Start) -> Result<Option<Response>, Problem> {
        let body = start.started_by.unwrap_or(Digest([0; 32]));
        let value = [&start.sid.as_bytes()[..], &body.0].concat();
        let until = self.at.after(IDEMPOTENCY_SPAN);
        let Some(earlier) = self.app.store.spend(name, &value, until, self.at).await? else {
            return Ok(None);
        };
        let (sid, earlier_body) = earlier.split_at_checked(16).unwrap_or_default();
        if earlier_body != body.0 {
            let detail = "This `Idempotency-Key` was used with another body in the last 24 hours.";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Err(Problem::new(status, "idempotency-conflict", "Another body", detail));
        }
        let sid =
            sid.try_into().map_err(|_| Fault::Store("an idempotency record is damaged".into()))?;
        start.sid = SessionId::from_bytes(sid);
        self.repeat(start.sid).await
    }

    /// The session's newest tokens, without counting as a use.
    async fn repeat(&self, sid: SessionId) -> Result<Option<Response>, Problem> {
        let Some(loaded) = self.app.store.session(sid).await? else { return Ok(None) };
        let recipients = self.app.recipients(self.client, &loaded.session.audience, None);
        let recipients = recipients.ok_or_else(no_audience)?;
        let grant = loaded.repeat(&self.app.terms(self.client, &recipients.signer)?, self.at)?;
        let tokens = self.write(&grant)?;
        Ok(Some(created(tokens.displacing(Vec::new()), sid)))
    }

    async fn sign_in(&self, start: &Start) -> Result<Response, Problem> {
        let shard = start.sid.shard();
        let recipients = self.app.recipients(self.client, &start.audience, None);
        let recipients = recipients.ok_or_else(no_audience)?;
        let terms = self.app.terms(self.client, &recipients.signer)?;
        let decide = |now: LoadedSubject| {
            let decision = now.sign_in(start, &terms, &self.act, self.at);
            Ok(self.seal(decision))
        };
        let done = self.app.store.step_subject(&start.subject, shard, decide).await?;
        let (tokens, sid, outcome, displaced) = done.reply?;
        let (subject, client) = (start.subject.clone(), start.client.clone());
        let online = Online { subject, client, class: start.device.class, at: self.at };
        self.app.presence.note(sid, online);
        self.app.metrics.granted(&self.client.id, outcome, None, self.at);
        (0..displaced).for_each(|_| self.app.metrics.ended(&self.client.id, Reason::Displaced));
        Ok(created(tokens, sid))
    }

    /// The decision with its tokens as text; if they cannot be written, nothing happened.
    fn seal(
        &self,
        decision: SubjectDecision<Result<Started, symbolon_core::Denial>>,
    ) -> SubjectDecision<Outcomes> {
        let started = match decision.reply {
            Ok(ref started) => started,
            Err(denial) => return decision.map(|_| Err(denial.into())),
        };
        match self.write(&started.grant) {
            Ok(tokens) => decision.map(|reply| {
                let started = reply?;
                let (sid, outcome) = (started.grant.session.sid, started.grant.outcome);
                let count = started.displaced.len();
                Ok((tokens.displacing(started.displaced), sid, outcome, count))
            }),
            Err(problem) => SubjectDecision::unchanged(Err(problem)),
        }
    }

    fn write(&self, grant: &Grant) -> Result<TokenAnswer, Problem> {
        let session = &grant.session;
        let recipients = self.app.recipients(self.client, &session.audience, None);
        let recipients = recipients.ok_or_else(no_audience)?;
        let writing = Writing { app: self.app, client: self.client, at: self.at };
        TokenAnswer::new(&writing, grant, &recipients, &grant.scope).map_err(|error| match error {
            Unwritten::TooLong { bytes } => {
                let why =
                    format!("and roles make an access token of {bytes} bytes; 4096 is the most");
                Problem::member("claims", why)
            }
            Unwritten::Fault(fault) => fault.into(),
        })
    }
}

fn no_audience() -> Problem {
    Problem::member("audience", "is not configured any more")
}

fn created(tokens: TokenAnswer, sid: SessionId) -> Response {
    let mut response = tokens.into_answer(StatusCode::CREATED);
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/sessions/{}", session_id_text(sid))) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
