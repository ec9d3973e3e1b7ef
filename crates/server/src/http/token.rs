//! `POST /oauth2/token`: renewing (RFC 6749 §6). (Client credentials are in [`super::client_credentials`].)

use super::auth;
use super::body::Form;
use super::client_credentials;
use super::cookies;
use super::cors;
use super::edge::Context;
use super::ending;
use super::oauth_error::OAuthError;
use super::tokens::{TokenAnswer, Writing};
use crate::app::App;
use crate::config::{Client, Delivery};
use crate::hook::{Away, Renewal};
use crate::keys::{Recipients, Signer};
use crate::presence::Online;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use std::sync::Arc;
use symbolon_core::binding::Proof;
use symbolon_core::person::Gone;
use symbolon_core::revocation::{Act, Actor, Effect};
use symbolon_core::{
    Decision, Denial, Fault, Grant, Loaded, Outcome, Reason, Refresh, RefreshToken, Timestamp,
    Word, scope,
};
use symbolon_wire::Algorithm;

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
    Ok(origin.expose(answer(&app, &context, &headers, body).await))
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
        "client_credentials" => return client_credentials::answer(app, client, &form).await,
        _ => return Err(OAuthError::unsupported_grant_type()),
    }
    if !client.preset.has_refresh_tokens() {
        let why = format!("The preset `{}` has no refresh tokens.", client.preset.as_str());
        return Err(OAuthError::unauthorized_client(why));
    }
    let text = match client.delivery {
        Delivery::Body => form.require("refresh_token")?,
        Delivery::Cookie => {
            cors::require(client, headers)?;
            let in_cookie = cookies::refresh_token(app, headers)?;
            form.get("refresh_token").or(in_cookie).ok_or_else(OAuthError::no_cookie)?
        }
    };
    let token = app.refresh_token(text).await?.ok_or_else(OAuthError::invalid_grant)?;
    let request = Request {
        app,
        context,
        client,
        token: &token,
        act: context.act(Actor::Client(client.id.clone()), None),
        scope: form.get("scope"),
        resource: form.get("resource"),
    };
    request.run().await
}

/// A refresh, parsed.
struct Request<'a> {
    app: &'a App,
    context: &'a Context,
    client: &'a Client,
    token: &'a RefreshToken,
    act: Act,
    scope: Option<&'a str>,
    resource: Option<&'a str>,
}

/// What a decision comes to, and what is counted of it once it is committed.
struct Outcomes {
    answer: Result<TokenAnswer, OAuthError>,
    granted: Option<(Outcome, Option<Reason>)>,
    online: Option<Online>,
    denied: Option<Denial>,
    ended: Option<Reason>,
}

impl Request<'_> {
    async fn run(&self) -> Result<Response, OAuthError> {
        let word = self.word(self.app.now()?).await?;
        let at = self.app.now()?;
        let decide = |now: Loaded| self.decide(now, &word, at);
        let Some(done) = self.app.store.step(self.token.sid(), decide).await? else {
            self.app.metrics.refused(&self.client.id, Denial::UnknownSession);
            return Err(OAuthError::invalid_grant());
        };
        self.count(&done.reply, at);
        done.reply.answer.map(|tokens| tokens.into_answer(StatusCode::OK))
    }

    /// What the client's back end says, where there is one and something to ask about.
    async fn word(&self, at: Timestamp) -> Result<Word, OAuthError> {
        let Self { app, client, token, .. } = *self;
        if client.hook.is_none() {
            return Ok(Word::AsKnown);
        }
        let found = app.store.session(token.sid()).await?;
        let Some(loaded) = found else { return Ok(Word::Unasked) };
        let recipients = app.recipients(client, &loaded.session.audience, self.resource);
        if !loaded.asks(&self.ask(recipients.as_ref())?, at)? {
            return Ok(Word::Unasked);
        }
        let renewal = Renewal { app, client, loaded: &loaded, token, at };
        app.hooks.word(&renewal).await.map_err(|Away| OAuthError::hook_away())
    }

    fn ask(&self, recipients: Option<&Recipients>) -> Result<Refresh<'_>, Fault> {
        let own = Signer::Own(Algorithm::EdDsa);
        let signer = recipients.map_or(&own, |recipients| &recipients.signer);
        let terms = self.app.terms(self.client, signer)?;
        let (token, client, act) = (self.token, &self.client.id, &self.act);
        Ok(Refresh { token, client, proof: Proof::default(), terms, act })
    }

    /// The rule, and the text of what it grants: if that cannot be written, nothing happened.
    fn decide(&self, now: Loaded, word: &Word, at: Timestamp) -> Result<Decision<Outcomes>, Fault> {
        let audience = Arc::clone(&now.session.audience);
        let recipients = self.app.recipients(self.client, &audience, self.resource);
        let ask = self.ask(recipients.as_ref())?;
        let decision = now.refresh_as_told(&ask, word, at)?;
        let ends = decision.events.first().filter(|event| event.effect == Effect::Revoked);
        let ended = ends.map(|event| event.reason);
        let grant = match decision.reply {
            Ok(ref grant) => grant,
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

    fn count(&self, outcomes: &Outcomes, at: Timestamp) {
        let (metrics, client) = (&self.app.metrics, &self.client.id);
        if let Some(online) = &outcomes.online {
            self.app.presence.note(self.token.sid(), online.clone());
        }
        if let Some((outcome, alert)) = outcomes.granted {
            metrics.granted(client, outcome, alert, at);
            self.alert(outcome, alert);
        }
        if let Some(denial) = outcomes.denied {
            metrics.refused(client, denial);
        }
        if let Some(reason) = outcomes.ended {
            let (sid, client) = (self.token.sid(), client.clone());
            ending::note(self.app, self.context, &Gone { sid, client, reason });
        }
    }

    fn alert(&self, outcome: Outcome, alert: Option<Reason>) {
        let sid = symbolon_wire::session_id_text(self.token.sid());
        if outcome == Outcome::FastForwarded {
            tracing::warn!(
                sid,
                "a token was ahead of the store: it lost writes, the family went on"
            );
        }
        if let Some(reason) = alert {
            tracing::warn!(sid, reason = reason.as_str(), "a setting let this pass");
        }
    }
}

impl Outcomes {
    fn of(answer: Result<TokenAnswer, OAuthError>) -> Self {
        Self { answer, granted: None, online: None, denied: None, ended: None }
    }

    fn denied(denial: Denial, ended: Option<Reason>) -> Self {
        Self { denied: Some(denial), ended, ..Self::of(Err(denial.into())) }
    }
}
