//! `POST /oauth2/token`: renewing (RFC 6749 §6). (Client credentials are in [`super::client_credentials`].)

use super::auth;
use super::body::Form;
use super::client_credentials;
use super::cors;
use super::delivery;
use super::dpop::{self, ShownKey};
use super::edge::Context;
use super::ending;
use super::oauth_error::OAuthError;
use super::tokens::{TokenAnswer, Writing};
use crate::app::App;
use crate::config::Client;
use crate::hook::{Away, Renewal};
use crate::keys::{Recipients, Signer};
use crate::presence::Online;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use std::sync::Arc;
use symbolon_core::binding::{KeyProof, Network, Proof};
use symbolon_core::person::Gone;
use symbolon_core::revocation::{Act, Actor, Effect};
use symbolon_core::{
    BindingMode, Decision, Denial, Digest, Fault, Grant, Loaded, Outcome, Reason, Refresh,
    RefreshToken, SessionId, Timestamp, Word, scope,
};
use symbolon_wire::{Algorithm, sha256};

/// Answers a token request, and lets the client's own pages read the answer.
///
/// # Errors
/// RFC 6749 §5.2; a page from an origin that no client lists.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, OAuthError> {
    let origin = cors::check_any(&app, &headers)?;
    let mut response = origin.expose(answer(&app, &context, &headers, body).await);
    dpop::hand_out_nonce(&app, &headers, response.headers_mut());
    Ok(response)
}

async fn answer(
    app: &App,
    context: &Context,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, OAuthError> {
    let form = Form::read(headers, body).await?;
    let client = auth::client(app, context, headers, &form)?;
    cors::check(client, headers)?;
    match form.require("grant_type")? {
        "refresh_token" => {}
        "client_credentials" => {
            return client_credentials::answer(app, client, headers, &form).await;
        }
        _ => return Err(OAuthError::unsupported_grant_type()),
    }
    if !client.preset.has_refresh_tokens() {
        let why = format!("The preset `{}` has no refresh tokens.", client.preset.as_str());
        return Err(OAuthError::unauthorized_client(why));
    }
    let found = delivery::presented(app, client, headers, form.get("refresh_token"))?;
    let text = delivery::required(client, found, &form)?;
    let token = app.refresh_token(text).await?.ok_or_else(OAuthError::invalid_grant)?;
    let request = Request {
        app,
        context,
        client,
        token: &token,
        act: context.act(Actor::Client(client.id.clone()), None),
        shown: Shown::read(&form, context),
        scope: form.get("scope"),
        resource: form.get("resource"),
    };
    request.run(headers).await
}

/// The path of this call, for which proofs are made.
pub const TOKEN_PATH: &str = "/oauth2/token";

/// What a request shows beside its token, but for the key.
#[derive(Clone, Copy)]
struct Shown {
    features: Option<Digest>,
    network: Option<Network>,
}

impl Shown {
    fn read(form: &Form, context: &Context) -> Self {
        Self {
            features: form.get("features").map(|text| sha256(text.as_bytes())),
            network: Some(Network::of(context.address)),
        }
    }
}

/// A refresh, parsed.
struct Request<'a> {
    app: &'a App,
    context: &'a Context,
    client: &'a Client,
    token: &'a RefreshToken,
    act: Act,
    shown: Shown,
    scope: Option<&'a str>,
    resource: Option<&'a str>,
}

/// What a decision comes to, and what is counted of it once it is committed.
pub struct Outcomes<A = Result<TokenAnswer, OAuthError>> {
    /// The answer.
    pub answer: A,
    /// What was granted, and what a setting let pass.
    pub granted: Option<(Outcome, Option<Reason>)>,
    /// Who was seen by it.
    pub online: Option<Online>,
    /// Why not.
    pub denied: Option<Denial>,
    /// Why its session is over by it.
    pub ended: Option<Reason>,
}

impl Request<'_> {
    async fn run(&self, headers: &HeaderMap) -> Result<Response, OAuthError> {
        let at = self.app.now()?;
        let key = self.key(headers, at).await?;
        let word = self.word(&key, at).await?;
        let at = self.app.now()?;
        let decide = |now: Loaded| self.decide(now, (&key, &word), at);
        let Some(done) = self.app.store.step(self.token.sid(), decide).await? else {
            self.app.metrics.refused(&self.client.id, Denial::UnknownSession);
            return Err(OAuthError::invalid_grant());
        };
        done.reply.count(self.app, self.context, (self.client, self.token), at);
        done.reply.answer.map(|tokens| tokens.into_answer(StatusCode::OK))
    }

    /// What the client's back end says, where there is one and something to ask about.
    async fn word(&self, key: &ShownKey, at: Timestamp) -> Result<Word, OAuthError> {
        let Self { app, client, token, .. } = *self;
        if client.hook.is_none() {
            return Ok(Word::AsKnown);
        }
        let found = app.store.session(token.sid()).await?;
        let Some(loaded) = found else { return Ok(Word::Unasked) };
        let recipients = app.recipients(client, &loaded.session.audience, self.resource);
        if !loaded.asks(&self.ask(recipients.as_ref(), key)?, at)? {
            return Ok(Word::Unasked);
        }
        let renewal = Renewal { app, client, loaded: &loaded, token, at };
        app.hooks.word(&renewal).await.map_err(|Away| OAuthError::hook_away())
    }

    fn ask(&self, recipients: Option<&Recipients>, key: &ShownKey) -> Result<Refresh<'_>, Fault> {
        let own = Signer::Own(Algorithm::EdDsa);
        let signer = recipients.map_or(&own, |recipients| &recipients.signer);
        let terms = self.app.terms(self.client, signer)?;
        let (token, client, act) = (self.token, &self.client.id, &self.act);
        let Shown { features, network } = self.shown;
        let proof = Proof { key: key.proof, features, network };
        Ok(Refresh { token, client, proof, terms, act })
    }

    /// The rule, and the text of what it grants: if that cannot be written, nothing happened.
    fn decide(
        &self,
        now: Loaded,
        (key, word): (&ShownKey, &Word),
        at: Timestamp,
    ) -> Result<Decision<Outcomes>, Fault> {
        let audience = Arc::clone(&now.session.audience);
        let recipients = self.app.recipients(self.client, &audience, self.resource);
        let ask = self.ask(recipients.as_ref(), key)?;
        let decision = now.refresh_as_told(&ask, word, at)?;
        let ended = ended_by(&decision);
        let grant = match decision.reply {
            Ok(ref grant) => grant,
            Err(denial @ Denial::ProofNeeded) => {
                let denied =
                    Outcomes { denied: Some(denial), ..Outcomes::of(Err(key.ask_again())) };
                return Ok(decision.map(|_| denied));
            }
            Err(denial) => return Ok(decision.map(|_| Outcomes::denied(denial, ended))),
        };
        let granted = Some((grant.outcome, grant.alert));
        let online = Some(Online::of(&grant.session, at));
        match self.write(grant, recipients, at) {
            Ok(tokens) => {
                Ok(decision.map(|_| Outcomes { granted, online, ..Outcomes::of(Ok(tokens)) }))
            }
            Err(refused) => Ok(Decision::unchanged(Outcomes::of(Err(refused)))),
        }
    }

    /// What is shown of the session's key, where the client is held to it at all.
    async fn key(&self, headers: &HeaderMap, at: Timestamp) -> Result<ShownKey, Fault> {
        if self.client.policy.binding.key == BindingMode::Off {
            return Ok(ShownKey::UNASKED);
        }
        let shown = ShownKey::read(self.app, headers, TOKEN_PATH, at);
        let own = match shown.proof {
            KeyProof::Valid(_) => self.app.store.session(self.token.sid()).await?,
            KeyProof::None | KeyProof::Unusable => None,
        };
        // What a session is bound to never changes, so that it may be looked up before the step.
        shown.spend(self.app, own.and_then(|loaded| loaded.session.binding.key), at).await
    }

    fn write(
        &self,
        grant: &Grant,
        recipients: Option<Recipients>,
        at: Timestamp,
    ) -> Result<TokenAnswer, OAuthError> {
        let recipients = recipients.ok_or_else(OAuthError::invalid_target)?;
        let scope = scope::narrow(&grant.scope, self.scope);
        let scope = scope.ok_or_else(OAuthError::invalid_scope)?;
        let writing = Writing { app: self.app, client: self.client, at };
        Ok(TokenAnswer::renewed(&writing, grant, &recipients, &scope)?)
    }
}

/// Why a session is over by what was decided, if it is.
pub fn ended_by<R>(decision: &Decision<R>) -> Option<Reason> {
    let first = decision.events.first().filter(|event| event.effect == Effect::Revoked);
    first.map(|event| event.reason)
}

impl<A> Outcomes<A> {
    /// An answer of which nothing is counted.
    pub const fn of(answer: A) -> Self {
        Self { answer, granted: None, online: None, denied: None, ended: None }
    }

    /// Counts and tells what was committed.
    pub fn count(
        &self,
        app: &App,
        context: &Context,
        (client, token): (&Client, &RefreshToken),
        at: Timestamp,
    ) {
        let sid = token.sid();
        if let Some(online) = &self.online {
            app.presence.note(sid, online.clone());
        }
        if let Some((outcome, alert)) = self.granted {
            app.metrics.granted(&client.id, outcome, alert, at);
            warn(sid, outcome, alert);
        }
        if let Some(denial) = self.denied {
            app.metrics.refused(&client.id, denial);
        }
        if let Some(reason) = self.ended {
            ending::note(app, context, &Gone { sid, client: client.id.clone(), reason });
        }
    }
}

fn warn(sid: SessionId, outcome: Outcome, alert: Option<Reason>) {
    let sid = symbolon_wire::session_id_text(sid);
    if outcome == Outcome::FastForwarded {
        tracing::warn!(sid, "a token was ahead of the store: it lost writes, the family went on");
    }
    if let Some(reason) = alert {
        tracing::warn!(sid, reason = reason.as_str(), "a setting let this pass");
    }
}

impl Outcomes {
    fn denied(denial: Denial, ended: Option<Reason>) -> Self {
        Self { denied: Some(denial), ended, ..Self::of(Err(denial.into())) }
    }
}
