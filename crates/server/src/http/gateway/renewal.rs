//! Renewing at a gate (decision 0040): whoever shows an access token that is over, and beside it what renews it, passes
//! with the tokens that the token endpoint would have answered, and is handed them beside the upstream's answer.
//!
//! Only where the answer is yes: a request that is refused renews nothing, since nobody hands on what a refusal says. A
//! back end that is asked before renewals is asked here, too.

use super::behind::meant;
use super::session::described;
use super::{Admitted, Refused, may};
use crate::app::App;
use crate::config::{Client, Delivery};
use crate::hook::{self, Away};
use crate::http::delivery::{Unclear, X_ACCESS_TOKEN, beside, in_header, put};
use crate::http::edge::Context;
use crate::http::own_token::OwnToken;
use crate::http::token::{Outcomes, ended_by};
use crate::http::tokens::{Unwritten, Writing};
use crate::keys::Recipients;
use crate::presence::Online;
use axum::http::header::{COOKIE, HeaderMap, HeaderValue};
use symbolon_core::binding::Proof;
use symbolon_core::gateway::Needs;
use symbolon_core::renewal::{Beside, Place};
use symbolon_core::revocation::Actor;
use symbolon_core::{
    Act, ClientId, Decision, Denial, Fault, Grant, Loaded, Reason, Refresh, RefreshToken,
    Timestamp, Word,
};
use symbolon_verify::Rejected;
use symbolon_wire::{CookieKind, SecretText, session_id_text};

/// A request whose access token is genuine, and over.
pub struct Renewal<'a> {
    /// The access token.
    pub token: &'a str,
    /// What is to be said of it if it is not renewed here.
    pub why: Rejected,
    /// What the rule asks.
    pub needs: &'a Needs,
    /// The method of the request.
    pub method: &'a str,
    /// Its target.
    pub target: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What else is known of it.
    pub context: &'a Context,
}

/// What became of it. Has no `Debug`: it is made of tokens.
pub struct Renewed {
    /// The new access token.
    pub token: SecretText,
    /// What is handed to whoever asked, beside the upstream's answer.
    pub back: HeaderMap,
}

/// Who it is, and the new tokens.
pub type Passed = (Admitted, Renewed);

/// Renews at the authority itself.
pub(super) async fn renew(app: &App, asked: Renewal<'_>) -> Result<Passed, Refused> {
    let Some(shown) = shown(app, &asked).await? else { return Err(asked.why.into()) };
    let renewing = Renewing { app, asked: &asked, shown: &shown, at: app.now()? };
    let word = renewing.word().await?;
    let (token, at) = (&shown.token, app.now()?);
    let renewing = Renewing { at, ..renewing };
    let done = app.store.step(token.sid(), |now| renewing.decide(now, &word)).await?;
    let Some(done) = done else { return Err(asked.why.into()) };
    let (client, outcomes) = done.reply;
    if let Some(client) = client.and_then(|id| app.config.clients.get(&id)) {
        outcomes.count(app, asked.context, (client, token), at);
    }
    outcomes.answer
}

/// A genuine refresh token that came beside an access token.
struct Shown {
    token: RefreshToken,
    delivery: Delivery,
    /// Else the page and its browser disagree on who it is.
    same_session: bool,
}

/// Finds it: that of the same session before any other.
///
/// # Errors
/// The cookies cannot be read.
async fn shown(app: &App, asked: &Renewal<'_>) -> Result<Option<Shown>, Refused> {
    let cookies = asked.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let in_cookie = app.cookies.find(CookieKind::RefreshToken, cookies).map_err(Refused::Cookie)?;
    let Ok(in_header) = in_header(asked.headers).map_err(|Unclear| ()) else { return Ok(None) };
    let own = OwnToken::read(app, asked.token);
    let own = own.as_ref().and_then(OwnToken::claims).and_then(|claims| claims.get("sid"));
    let Some(own) = own.and_then(|sid| sid.as_str()) else { return Ok(None) };
    let mut other = None;
    for (delivery, text) in [(Delivery::Headers, in_header), (Delivery::Cookie, in_cookie)] {
        let Some(text) = text else { continue };
        let Some(token) = app.refresh_token(text).await? else { continue };
        let same_session = session_id_text(token.sid()) == own;
        let shown = Shown { token, delivery, same_session };
        match same_session {
            true => return Ok(Some(shown)),
            false => other = Some(shown),
        }
    }
    Ok(other)
}

struct Renewing<'a> {
    app: &'a App,
    asked: &'a Renewal<'a>,
    shown: &'a Shown,
    at: Timestamp,
}

/// Whose it is, and what is decided.
type Decided = (Option<ClientId>, Outcomes<Result<Passed, Refused>>);

impl Renewing<'_> {
    /// What the client's back end says, where there is one and something to ask about. Without an answer that is needed
    /// nothing is renewed here, and the token endpoint says why.
    async fn word(&self) -> Result<Word, Refused> {
        let (app, token, at) = (self.app, &self.shown.token, self.at);
        if app.hooks.is_empty() {
            return Ok(Word::AsKnown);
        }
        let Some(loaded) = app.store.session(token.sid()).await? else { return Ok(Word::Unasked) };
        let Ok((client, recipients)) = self.prepared(&loaded) else { return Ok(Word::Unasked) };
        if client.hook.is_none() {
            return Ok(Word::AsKnown);
        }
        let act = self.act(&client.id);
        if !loaded.asks(&self.refresh(client, &recipients, &act)?, at)? {
            return Ok(Word::Unasked);
        }
        let renewal = hook::Renewal { app, client, loaded: &loaded, token, at };
        app.hooks.word(&renewal).await.map_err(|Away| self.asked.why.clone().into())
    }

    fn act(&self, client: &ClientId) -> Act {
        self.asked.context.act(Actor::Client(client.clone()), None)
    }

    fn refresh<'a>(
        &'a self,
        client: &'a Client,
        recipients: &Recipients,
        act: &'a Act,
    ) -> Result<Refresh<'a>, Fault> {
        let terms = self.app.terms(client, &recipients.signer)?;
        let (token, proof) = (&self.shown.token, Proof::default());
        Ok(Refresh { token, client: &client.id, proof, terms, act })
    }

    /// The rule, and the text of what it grants. What does not lead to a yes changes nothing, but for an end that the
    /// refresh token itself brings about.
    fn decide(&self, now: Loaded, word: &Word) -> Result<Decision<Decided>, Fault> {
        let id = now.session.client.clone();
        let (client, recipients) = match self.prepared(&now) {
            Ok(prepared) => prepared,
            Err(refused) => return Ok(Decision::unchanged((None, Outcomes::of(Err(refused))))),
        };
        let act = self.act(&id);
        let ask = self.refresh(client, &recipients, &act)?;
        let decision = now.refresh_as_told(&ask, word, self.at)?;
        let ended = ended_by(&decision);
        let grant = match decision.reply {
            Ok(ref grant) => grant,
            Err(denial) => {
                let answer = Err(self.denied(denial).into());
                let outcomes = Outcomes { denied: Some(denial), ended, ..Outcomes::of(answer) };
                return Ok(decision.map(|_| (Some(id), outcomes)));
            }
        };
        let granted = Some((grant.outcome, grant.alert));
        let online = Some(Online::of(&grant.session, self.at));
        match self.write(client, grant, &recipients) {
            Ok(passed) => {
                let outcomes = Outcomes { granted, online, ..Outcomes::of(Ok(passed)) };
                Ok(decision.map(|_| (Some(id), outcomes)))
            }
            Err(refused) => Ok(Decision::unchanged((None, Outcomes::of(Err(refused))))),
        }
    }

    /// Whether this is to be renewed here, by a request that was meant, and for whom the tokens will be.
    fn prepared(&self, now: &Loaded) -> Result<(&Client, Recipients), Refused> {
        let itself = || Refused::from(self.asked.why.clone());
        let client = self.app.config.clients.get(&now.session.client).ok_or_else(itself)?;
        let known = Beside {
            same_session: self.shown.same_session,
            as_delivered: client.preset.has_refresh_tokens()
                && client.delivery == self.shown.delivery,
            confidential: client.is_confidential(),
            bound: client.policy.binding != Default::default(),
        };
        match known.place() {
            Place::Here => {}
            Place::TokenEndpoint => return Err(itself()),
            Place::Nowhere => return Err(Refused::TwoCredentials),
        }
        if self.shown.delivery == Delivery::Cookie {
            let csrf = self.app.keys.csrf.token(now.session.sid, now.session.salt);
            meant((self.asked.method, self.asked.headers), &client.origins, &csrf)?;
        }
        let recipients = self.app.recipients(client, &now.session.audience, None);
        let recipients = recipients.ok_or_else(itself)?;
        // A token for one use would come with each repetition of the request that renews.
        match !recipients.one_use && recipients.names.contains(&self.asked.needs.audience) {
            true => Ok((client, recipients)),
            false => Err(itself()),
        }
    }

    /// Only an end is news; whatever else is told to whoever asks the token endpoint.
    fn denied(&self, denial: Denial) -> Rejected {
        match denial {
            Denial::Ended(reason) => Rejected::Revoked { ended: Some(reason) },
            Denial::Banned(_) => Rejected::Revoked { ended: Some(Reason::Banned) },
            Denial::UnknownSession
            | Denial::ForeignToken
            | Denial::DeviceLimit
            | Denial::ClientDisabled
            | Denial::Replayed
            | Denial::Withheld(_)
            | Denial::ProofNeeded => self.asked.why.clone(),
        }
    }

    fn write(
        &self,
        client: &Client,
        grant: &Grant,
        recipients: &Recipients,
    ) -> Result<Passed, Refused> {
        let admitted = Admitted::Read(described(grant));
        may(self.asked.needs, &admitted, || Ok(self.at))?;
        let (app, at) = (self.app, self.at);
        let written = Writing { app, client, at }.access_token(grant, recipients, &grant.scope);
        let (issued, grant) = written.map_err(Unwritten::into_fault)?;
        let token = issued.token.expose();
        let mut back = beside(app, client, (&grant, token), at);
        put(&mut back, X_ACCESS_TOKEN, token);
        Ok((admitted, Renewed { token: SecretText::new(token.to_owned()), back }))
    }
}
