//! `POST /v1/revocations`: one call for everything that can be revoked, asked beforehand if wished.

use super::auth::{self, Caller};
use super::body::Object;
use super::body::{self, json_bytes, parse_json};
use super::edge::Context;
use super::ending::{self, Why};
use super::key;
use super::problem::Problem;
use super::query::Query;
use super::revocation_batch;
use super::revocation_request::{Revocation, RevocationRequest, Wanted};
use super::session_view::end_of;
use crate::api_keys::ApiScope;
use crate::app::{App, Live};
use crate::feed::Heard;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use symbolon_core::person::Gone;
use symbolon_core::{
    ClientId, Cutoffs, Decision, Effect, Loaded, LoadedSubject, Session, SessionId, Subject,
};
use symbolon_wire::session_id_text;
use tokio::task::JoinSet;

/// How many sessions an answer names at most.
pub const SAMPLE_MAX: usize = 10;

/// How many sessions one filter may end. Inclusive. What hits more is a bound: of a client, or of everything.
pub const FILTER_MAX: usize = 10_000;

/// How many sessions of a filter are ended at once: enough to fill a group commit.
const AT_ONCE: usize = 128;

/// What a revocation came to.
#[derive(Serialize)]
pub(super) struct Outcome {
    position: u64,
    matched: u64,
    sample: Vec<Hit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verifiers: Option<Heard>,
}

impl Outcome {
    fn new(position: u64, matched: u64, sample: Vec<Hit>) -> Self {
        Self { position, matched, sample, verifiers: None }
    }
}

/// A session that is hit.
#[derive(Serialize, Clone)]
pub(super) struct Hit {
    session_id: String,
    subject: String,
    client_id: String,
}

impl Hit {
    fn new(session: &Session) -> Self {
        Self {
            session_id: session_id_text(session.sid),
            subject: session.subject.as_str().to_owned(),
            client_id: session.client.as_str().to_owned(),
        }
    }
}

/// Revokes what the target names, or with `dry_run` says what that would hit. JSON lines are a batch.
///
/// # Errors
/// The caller may not; a member is wrong; more would be hit than was expected: then nothing was done.
pub async fn post(
    State(live): State<Live>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let app = live.now();
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::any_caller(&app, &context, &headers).await?;
    Query::read(&uri, &[])?;
    let asker = Asker { live, app, caller, context };
    if body::is_json_lines(&headers) {
        return revocation_batch::answer(asker, body).await;
    }
    let Object(request): Object<RevocationRequest> =
        parse_json(&json_bytes(&headers, body).await?)?;
    let outcome = asker.revoke(&request.check()?).await?;
    Ok(Json(outcome).into_response())
}

/// Who asks, and whom.
#[derive(Clone)]
pub(super) struct Asker {
    live: Live,
    app: Arc<App>,
    caller: Caller,
    context: Context,
}

impl Asker {
    /// Whether the caller may revoke this.
    pub(super) fn may(&self, wanted: &Wanted) -> Result<(), Problem> {
        match wanted {
            Wanted::Session(_) | Wanted::Filter(_) => self.caller.require(ApiScope::SessionsEnd),
            Wanted::Token(_) => {
                self.caller.require(ApiScope::SessionsEnd)?;
                self.caller.subject_wide("revoke a token by its name")
            }
            Wanted::Subject(_) => {
                self.caller.require(ApiScope::SubjectsWrite)?;
                self.caller.subject_wide("revoke a subject")
            }
            Wanted::Client(client) => {
                self.caller.require(ApiScope::Admin)?;
                match self.caller.reaches(client) {
                    true => Ok(()),
                    false => self.caller.subject_wide("revoke another client"),
                }
            }
            Wanted::Key(_) | Wanted::Everything => {
                self.caller.require(ApiScope::Admin)?;
                self.caller.subject_wide("revoke everything, or a key")
            }
        }
    }

    /// Does one revocation.
    pub(super) async fn revoke(&self, asked: &Revocation) -> Result<Outcome, Problem> {
        self.may(&asked.wanted)?;
        let act = self.context.act(self.caller.actor(), asked.note.clone());
        let why = Why { reason: asked.reason, act, at: self.app.now()? };
        let one = One { asker: self, asked, why };
        ending::say_waits(&self.app, asked.wait).await;
        let mut outcome = match &asked.wanted {
            Wanted::Session(sid) => one.session(*sid).await,
            Wanted::Token(jti) => one.token(*jti).await,
            Wanted::Subject(subject) => one.subject(subject).await,
            Wanted::Client(client) => one.client(client).await,
            Wanted::Key(kid) => one.key(kid).await,
            Wanted::Everything => one.everything().await,
            Wanted::Filter(_) => one.filter().await,
        }?;
        if !asked.dry_run {
            let (request_id, target) = (&*self.context.request_id, asked.wanted.word());
            let (reason, matched) = (asked.reason.as_str(), outcome.matched);
            tracing::info!(request_id, target, reason, matched, "revoked");
        }
        outcome.verifiers = ending::heard(&self.app, outcome.position, asked.wait).await;
        Ok(outcome)
    }
}

/// One revocation that is under way.
struct One<'a> {
    asker: &'a Asker,
    asked: &'a Revocation,
    why: Why,
}

/// What would be hit: how many, and some of them.
#[derive(Default)]
struct Found {
    matched: u64,
    /// Bounded by the number of clients.
    by_client: BTreeMap<ClientId, u64>,
    sids: Vec<SessionId>,
    /// The first of them by name, so that who asks twice is told the same.
    first: BTreeMap<SessionId, Hit>,
}

impl Found {
    fn note(&mut self, session: &Session) {
        self.matched += 1;
        match self.by_client.get_mut(&session.client) {
            Some(count) => *count += 1,
            None => drop(self.by_client.insert(session.client.clone(), 1)),
        }
        if self.sids.len() < FILTER_MAX {
            self.sids.push(session.sid);
        }
        let is_first = |(last, _): (&SessionId, &Hit)| session.sid < *last;
        if self.first.len() < SAMPLE_MAX || self.first.last_key_value().is_some_and(is_first) {
            self.first.insert(session.sid, Hit::new(session));
        }
        if SAMPLE_MAX < self.first.len() {
            self.first.pop_last();
        }
    }

    fn sample(self) -> Vec<Hit> {
        self.first.into_values().collect()
    }
}

impl One<'_> {
    fn app(&self) -> &App {
        &self.asker.app
    }

    /// Refuses what hits more than was expected.
    fn expected(&self, matched: u64) -> Result<(), Problem> {
        match matched <= self.asked.at_most {
            true => Ok(()),
            false => Err(too_many(matched, self.asked.at_most)),
        }
    }

    /// The head of the feed, for an answer that did nothing.
    async fn position(&self) -> Result<u64, Problem> {
        Ok(self.app().store.bump(|now| Ok((now, Vec::new(), ()))).await?.position)
    }

    fn is_active(&self, loaded: &Loaded) -> bool {
        end_of(self.app(), loaded, self.why.at).is_none()
    }

    /// Looks at every session once.
    async fn survey(&self) -> Result<Found, Problem> {
        let found = Arc::new(Mutex::new(Found::default()));
        let (asker, wanted, at) = (self.asker.clone(), self.asked.wanted.clone(), self.why.at);
        let telling = Arc::clone(&found);
        let look = move |loaded: &Loaded| {
            if wanted.holds(&loaded.session)
                && asker.caller.reaches(&loaded.session.client)
                && end_of(&asker.app, loaded, at).is_none()
            {
                telling.lock().unwrap_or_else(PoisonError::into_inner).note(&loaded.session);
            }
        };
        self.app().store.survey(look).await?;
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut found))
    }

    async fn session(&self, sid: SessionId) -> Result<Outcome, Problem> {
        let loaded = self.app().store.session(sid).await?;
        let reached = |now: &Loaded| self.asker.caller.reaches(&now.session.client);
        let hit = loaded.filter(|now| reached(now) && self.is_active(now));
        let sample: Vec<_> = hit.iter().map(|now| Hit::new(&now.session)).collect();
        self.expected(sample.len() as u64)?;
        if self.asked.dry_run || sample.is_empty() {
            let matched = sample.len() as u64;
            return Ok(Outcome::new(self.position().await?, matched, sample));
        }
        let (gone, position) = self.end(sid, |_| true).await?;
        let matched = u64::from(gone);
        Ok(Outcome::new(position, matched, if gone { sample } else { Vec::new() }))
    }

    /// Ends one session that still holds; answers whether this did it, and where in the feed.
    async fn end(
        &self,
        sid: SessionId,
        holds: impl Fn(&Session) -> bool + Send + Sync,
    ) -> Result<(bool, u64), Problem> {
        let (app, why) = (self.app(), &self.why);
        let decide = |now: Loaded| {
            if !holds(&now.session) {
                return Ok(Decision::unchanged(None));
            }
            let policy = app.policies.of(&now.session.client);
            let gone = Gone { sid, client: now.session.client.clone(), reason: why.reason };
            let ended = now.end(why.reason, &why.act, &policy, why.at);
            Ok(ended.map(|by_this| by_this.then_some(gone)))
        };
        let Some(done) = app.store.step(sid, decide).await? else { return Ok((false, 0)) };
        if let Some(gone) = &done.reply {
            ending::note(app, &self.asker.context, gone);
        }
        Ok((done.reply.is_some(), done.position))
    }

    async fn token(&self, jti: [u8; 16]) -> Result<Outcome, Problem> {
        self.expected(1)?;
        let (matched, sample) = (1, Vec::new());
        if self.asked.dry_run {
            return Ok(Outcome::new(self.position().await?, matched, sample));
        }
        let decide = |mut now: Cutoffs| {
            let bump = self.why.bump(now.epoch);
            Ok(match now.revoke_token(jti, None, self.asked.effect, &bump) {
                Ok(event) => (now, vec![event], Ok(())),
                Err(full) => (now, Vec::new(), Err(full)),
            })
        };
        let done = self.app().store.bump(decide).await?;
        done.reply.map_err(key::full)?;
        Ok(Outcome::new(done.position, matched, sample))
    }

    async fn key(&self, kid: &str) -> Result<Outcome, Problem> {
        let key = key::own_key(self.app(), kid)?;
        self.expected(1)?;
        let position = match self.asked.dry_run {
            true => self.position().await?,
            false => key::revoke(&self.asker.live, &key, self.asked.effect, &self.why).await?,
        };
        Ok(Outcome::new(position, 1, Vec::new()))
    }

    async fn subject(&self, subject: &Subject) -> Result<Outcome, Problem> {
        let (app, why) = (self.app(), &self.why);
        let shard = app.keys.shards.shard(subject.as_str());
        // In a dry run nothing is expected, and so nothing is done.
        let at_most = if self.asked.dry_run { 0 } else { self.asked.at_most };
        let at_most = usize::try_from(at_most).unwrap_or(usize::MAX);
        let decide = |now: LoadedSubject| {
            let sample =
                now.all_active(&app.policies, why.at).map(Hit::new).take(SAMPLE_MAX).collect();
            let said = (why.reason, &why.act);
            let count = |reply: Result<usize, usize>| (reply, Vec::<Gone>::new());
            Ok(match self.asked.effect {
                Effect::Revoked => {
                    now.revoke(said, at_most, &app.policies, why.at).map(|reply| match reply {
                        Ok(gone) => ((Ok(gone.len()), gone), sample),
                        Err(matched) => (count(Err(matched)), sample),
                    })
                }
                Effect::Stale => now
                    .require_renewal(said, at_most, &app.policies, why.at)
                    .map(|reply| (count(reply.map(|hit| hit.len())), sample)),
            })
        };
        let done = app.store.step_subject(subject, shard, decide).await?;
        let ((matched, gone), sample): (_, Vec<Hit>) = done.reply;
        gone.iter().for_each(|gone| ending::note(app, &self.asker.context, gone));
        let matched = match matched {
            Ok(matched) => matched as u64,
            Err(matched) if self.asked.dry_run => {
                self.expected(matched as u64)?;
                matched as u64
            }
            Err(matched) => return Err(too_many(matched as u64, self.asked.at_most)),
        };
        Ok(Outcome::new(done.position, matched, sample))
    }

    async fn client(&self, client: &ClientId) -> Result<Outcome, Problem> {
        let known = self.app().config.clients.contains_key(client)
            || self.app().store.cutoffs().clients.contains_key(client);
        if !known {
            let why = "is no client of the configuration";
            return Err(Problem::member("target.client_id", why));
        }
        self.bound(|now, why, effect| now.bump_client(client, effect, &why.bump(now.epoch))).await
    }

    async fn everything(&self) -> Result<Outcome, Problem> {
        self.bound(|now, why, effect| now.bump_everything(effect, &why.bump(now.epoch))).await
    }

    /// Sets a bound, whose event hits any number of sessions at once. They are counted just before: who
    /// signs in between is hit all the same.
    async fn bound(
        &self,
        bump: impl Fn(&mut Cutoffs, &Why, Effect) -> symbolon_core::Event + Send + Sync,
    ) -> Result<Outcome, Problem> {
        let Found { matched, first, by_client, .. } = self.survey().await?;
        let sample = first.into_values().collect();
        self.expected(matched)?;
        if self.asked.dry_run {
            return Ok(Outcome::new(self.position().await?, matched, sample));
        }
        let decide = |mut now: Cutoffs| {
            let event = bump(&mut now, &self.why, self.asked.effect);
            Ok((now, vec![event], ()))
        };
        let done = self.app().store.bump(decide).await?;
        if self.asked.effect == Effect::Revoked {
            let count = |(client, ended): (&ClientId, &u64)| {
                self.app().metrics.ended_many(client, self.why.reason, *ended);
            };
            by_client.iter().for_each(count);
        }
        Ok(Outcome::new(done.position, matched, sample))
    }

    async fn filter(&self) -> Result<Outcome, Problem> {
        let mut found = self.survey().await?;
        self.expected(found.matched)?;
        if !self.asked.dry_run && (FILTER_MAX as u64) < found.matched {
            return Err(too_many(found.matched, FILTER_MAX as u64));
        }
        if self.asked.dry_run || found.sids.is_empty() {
            let position = self.position().await?;
            return Ok(Outcome::new(position, found.matched, found.sample()));
        }
        let (mut running, mut matched, mut position) = (JoinSet::new(), 0, 0);
        let mut left = std::mem::take(&mut found.sids).into_iter();
        loop {
            while running.len() < AT_ONCE
                && let Some(sid) = left.next()
            {
                running.spawn(self.end_if_it_holds(sid));
            }
            let Some(done) = running.join_next().await else { break };
            let (gone, at) =
                done.map_err(|_| Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR))??;
            matched += u64::from(gone);
            position = position.max(at);
        }
        Ok(Outcome::new(position, matched, found.sample()))
    }

    /// Ends a session on a task of its own, if what was asked for still holds of it.
    fn end_if_it_holds(
        &self,
        sid: SessionId,
    ) -> impl Future<Output = Result<(bool, u64), Problem>> + Send + 'static {
        let (asker, asked, why) = (self.asker.clone(), self.asked.clone(), self.why.clone());
        async move {
            let one = One { asker: &asker, asked: &asked, why };
            one.end(sid, |session| asked.wanted.holds(session)).await
        }
    }
}

fn too_many(matched: u64, at_most: u64) -> Problem {
    let detail = format!(
        "{matched} sessions match, and at most {at_most} were to be hit. Nothing was done: look with \
         `dry_run`, then ask again for less or allow more."
    );
    let status = StatusCode::CONFLICT;
    Problem::new(status, "more-than-expected", "More than expected", detail).matching(matched)
}
