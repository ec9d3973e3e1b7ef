//! `ANY /gateway/check` and `/gateway/check/{*path}`: whether a proxy may let a request through.
//!
//! The proxy says what it was asked, the rules say what that takes, and a [`Judge`] says what a token is
//! worth. Whoever mounts these handlers brings the judge: the authority looks into its store, so that its
//! answer is exact; a process without a store brings a verifier. Neither rules nor answers differ.

mod answer;
mod authority;
pub mod behind;
mod described;
pub mod ext_authz;
mod proved;
pub mod renewal;
pub mod session;
mod ticket;
pub mod token;
pub mod verifier;

use super::around::Around;
use super::dpop::DPOP;
use super::edge::Context;
use super::forwarded::told_address;
use super::serve::Peer;
use crate::app::Live;
use crate::config;
use crate::metrics::Metrics;
use answer::{Answer, Outcome, Undecided};
use axum::Extension;
use axum::extract::{FromRef, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE, HeaderValue};
use axum::response::Response;
use behind::{Behind, Shown};
use described::Described;
use renewal::{Passed, Renewal};
use std::pin::Pin;
use std::sync::Arc;
use symbolon_core::csrf::Forgery;
use symbolon_core::gateway::{Asks, Needs, Rule, Unruled};
use symbolon_core::target::{Ambiguous, Target, is_method};
use symbolon_core::{Fault, Timestamp};
use symbolon_verify::{Presented, Rejected, Verified};
use symbolon_wire::{CookieKind, Cookies, Malformed, SecretText};

/// Who says what a token is worth to an audience.
pub trait Judges: Send + Sync {
    /// Lets a token in that is known to be good without waiting; `None`: [`Self::judge`] must tell.
    fn at_once(&self, shown: &Presented<'_>, audience: &str) -> Option<Admitted>;

    /// Says what it is worth.
    fn judge<'a>(&'a self, shown: Presented<'a>, audience: &'a str) -> Judging<'a>;

    /// The same of a session's cookie, which is shown as a bearer token is: what is known to stand behind it.
    fn behind_at_once(&self, shown: &Presented<'_>, audience: &str) -> Option<ByCookie>;

    /// Says what stands behind it.
    fn behind<'a>(&'a self, shown: Presented<'a>, audience: &'a str) -> Seeking<'a>;

    /// Renews what is over by what came beside it, for whoever then has what the rule asks.
    fn renew<'a>(&'a self, asked: Renewal<'a>) -> Renewing<'a>;

    /// Tells the person, where they watch, that a rule asks for more than they have proved.
    fn ask_for_more(&self, _: &Admitted, _: &Rejected) {}

    /// Redeems a ticket, once.
    fn redeem<'a>(&'a self, ticket: &'a str, audience: &'a str) -> Redeeming<'a>;

    /// What time it is.
    ///
    /// # Errors
    /// The clocks contradict each other.
    fn now(&self) -> Result<Timestamp, Fault>;
}

/// Who asks with a cookie, and what stands behind it.
pub type ByCookie = (Admitted, Arc<Behind>);

/// A judge at work on a cookie.
pub type Seeking<'a> = Pin<Box<dyn Future<Output = Result<ByCookie, Refused>> + Send + 'a>>;

/// A judge at work on what is over.
pub type Renewing<'a> = Pin<Box<dyn Future<Output = Result<Passed, Refused>> + Send + 'a>>;

/// Whoever does, for all who ask.
pub type Judge = Arc<dyn Judges>;

/// A judge at work.
pub type Judging<'a> = Pin<Box<dyn Future<Output = Result<Admitted, Refused>> + Send + 'a>>;

/// A judge at work on a ticket: who it is, and the token that the ticket earned.
pub type Redeeming<'a> =
    Pin<Box<dyn Future<Output = Result<(Admitted, SecretText), Refused>> + Send + 'a>>;

/// What a good token says, for the upstream.
pub enum Admitted {
    /// As a verifier keeps it.
    Verified(Verified),
    /// As the authority read it.
    Read(Read),
}

/// What the authority read of a good token.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Read {
    /// `sub`.
    pub subject: String,
    /// `sid`; a client's own token has none.
    pub session: Option<String>,
    /// `client_id`.
    pub client: String,
    /// `scope`.
    pub scope: String,
    /// `roles`.
    pub roles: Vec<String>,
    /// `auth_time`; a client's own token has none.
    pub auth_time: Option<Timestamp>,
    /// `acr`.
    pub acr: Option<String>,
}

/// Why a judge does not say yes.
#[derive(Clone, Debug)]
pub enum Refused {
    /// The token is not good.
    Rejected(Rejected),
    /// It could not be found out.
    Fault(Fault),
    /// The cookies of the request cannot be read.
    Cookie(Malformed),
    /// It shows two credentials, of two sessions.
    TwoCredentials,
    /// Another site may have written the request.
    Forged(Forgery),
}

impl From<Rejected> for Refused {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Rules and the judge of those who ask here; what a process gives to mount these handlers.
#[derive(Clone)]
pub struct Gateway {
    /// Whom to believe, and the rules.
    pub settings: Arc<config::Gateway>,
    /// What a token is worth.
    pub judge: Judge,
    /// Where checks are counted.
    pub metrics: Arc<Metrics>,
    /// How the cookies of sessions are called; `None`: there are none, and nobody looks for them.
    pub cookies: Option<Cookies>,
}

impl FromRef<Live> for Gateway {
    fn from_ref(live: &Live) -> Self {
        let app = live.now();
        let (settings, metrics) = (Arc::clone(&app.config.gateway), Arc::clone(&app.metrics));
        let cookies = app.has_gateway_sessions.then_some(app.cookies);
        Self { settings, judge: app, metrics, cookies }
    }
}

/// Answers a proxy: 200 with who it is, or what to send back instead.
pub async fn check(
    State(gateway): State<Gateway>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Response {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let (trusted, ip) = match request.extensions().get::<Peer>() {
        Some(Peer::Address(address)) => {
            let own = &gateway.settings;
            (own.trusts(*address), told_address(own, *address, headers))
        }
        Some(Peer::Operator(_)) | None => (false, None),
    };
    match Described::by(method, uri, headers, trusted) {
        Ok(described) => {
            let described = Described { ip, ..described };
            gateway.answer(&described, headers, &context).await.to_response()
        }
        Err(unknown) => {
            let unknown = Answer::new(Outcome::Undecided(Undecided::Unknown(unknown)));
            gateway.count(unknown).to_response()
        }
    }
}

impl Gateway {
    /// Decides about a request, and counts that.
    async fn answer<'h>(
        &self,
        described: &Described<'_>,
        headers: &'h HeaderMap,
        context: &Context,
    ) -> Answer<'h> {
        let mut answer = match self.rule(described) {
            Ok(rule) => {
                let outcome = match &rule.asks {
                    Asks::Nothing => Outcome::Public,
                    Asks::Token(needs) => {
                        let asked = Asking { needs, described, headers, context };
                        self.ask(asked).await
                    }
                };
                Answer { rule: Some(Arc::clone(&rule.name)), ..Answer::new(outcome) }
            }
            Err(undecided) => Answer::new(Outcome::Undecided(undecided)),
        };
        answer.login = self.settings.login_url.clone().filter(|_| described.is_page(headers));
        self.count(answer)
    }

    fn count<'h>(&self, answer: Answer<'h>) -> Answer<'h> {
        self.metrics.checked(answer.rule.as_ref(), answer.what());
        answer
    }

    /// The rule that decides about a request.
    fn rule(&self, described: &Described<'_>) -> Result<&Rule, Undecided> {
        let method = described.method;
        if !is_method(method) {
            return Err(Undecided::Ambiguous(Ambiguous::Method));
        }
        let target = Target::parse(described.target).map_err(Undecided::Ambiguous)?;
        self.settings.rules.decide(method, &target).map_err(|unruled| match unruled {
            Unruled::NoRule => Undecided::NoRule,
            Unruled::OtherCase(_) => Undecided::OtherCase,
        })
    }

    /// Whether what a request shows is enough.
    async fn ask<'h>(&self, asked: Asking<'_, 'h>) -> Outcome<'h> {
        let Asking { needs, described, headers, .. } = asked;
        if let Some(ticket) = ticket::shown(needs, described, headers) {
            return self.redeem(needs, ticket).await;
        }
        match self.judged(&needs.audience, described, headers).await {
            Ok((admitted, shown)) => self.suffices(needs, admitted, shown),
            Err(Refused::Rejected(why @ (Rejected::Expired | Rejected::Stale)))
                if needs.renews && !self.has_cookie(headers) =>
            {
                self.renewed(asked, why).await.unwrap_or_else(Outcome::Refused)
            }
            Err(refused) => Outcome::Refused(refused),
        }
    }

    /// What is over, renewed by what came beside it. That it suffices was looked at before anything was renewed.
    async fn renewed<'h>(
        &self,
        asked: Asking<'_, 'h>,
        why: Rejected,
    ) -> Result<Outcome<'h>, Refused> {
        let Asking { needs, described, headers, context } = asked;
        let (method, target) = (described.method, described.target);
        let token = presented(headers)?.token;
        let asked = Renewal { token, why, needs, method, target, headers, context };
        let (admitted, renewed) = self.judge.renew(asked).await?;
        Ok(Outcome::Admitted(admitted, Shown::Renewed(Box::new(renewed))))
    }

    /// Whether who it is has enough. Rights come first: stepping up gives nobody a scope.
    fn suffices<'h>(&self, needs: &Needs, admitted: Admitted, shown: Shown<'h>) -> Outcome<'h> {
        match may(needs, &admitted, || self.judge.now()) {
            Ok(()) => Outcome::Admitted(admitted, shown),
            Err(refused) => {
                if let Refused::Rejected(why @ Rejected::InsufficientAuthentication { .. }) =
                    &refused
                {
                    self.judge.ask_for_more(&admitted, why);
                }
                Outcome::Refused(refused)
            }
        }
    }

    /// What the one credential of a request is worth. Two are one if they are of one session, and none otherwise,
    /// since the upstream might take the other one.
    async fn judged<'h>(
        &self,
        audience: &str,
        described: &Described<'_>,
        headers: &'h HeaderMap,
    ) -> Result<(Admitted, Shown<'h>), Refused> {
        let Some(cookie) = self.cookie(headers)? else {
            return self.by_token(audience, described, headers).await;
        };
        let by_token = match headers.contains_key(AUTHORIZATION) {
            true => Some(self.by_token(audience, described, headers).await?),
            false => None,
        };
        let shown = Around::new(headers, described.ip).beside(Presented::bearer(cookie));
        let (admitted, behind) = match self.judge.behind_at_once(&shown, audience) {
            Some(known) => known,
            None => self.judge.behind(shown, audience).await?,
        };
        match by_token {
            Some(by_token) if by_token.0.session() == admitted.session() => Ok(by_token),
            Some(_) => Err(Refused::TwoCredentials),
            None => {
                behind.meant(described.method, headers)?;
                Ok((admitted, Shown::Behind(behind)))
            }
        }
    }

    /// Whether a session's cookie came along: then no token beside it is renewed.
    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        !matches!(self.cookie(headers), Ok(None))
    }

    /// The cookie of a session, where there are such.
    fn cookie<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, Refused> {
        let Some(cookies) = self.cookies else { return Ok(None) };
        let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        cookies.find(CookieKind::Session, lines).map_err(Refused::Cookie)
    }

    async fn by_token<'h>(
        &self,
        audience: &str,
        described: &Described<'_>,
        headers: &'h HeaderMap,
    ) -> Result<(Admitted, Shown<'h>), Refused> {
        let presented = Around::new(headers, described.ip).beside(presented(headers)?);
        let token = presented.token;
        // What a proof must be for; without it none can be good.
        let url = described.url();
        let shown = match &url {
            Some(url) => presented.request(described.method, url),
            None => presented,
        };
        let admitted = match self.judge.at_once(&shown, audience) {
            Some(known) => known,
            None => self.judge.judge(shown, audience).await?,
        };
        Ok((admitted, Shown::Own(token)))
    }
}

/// A request that a rule asks something of.
#[derive(Clone, Copy)]
struct Asking<'a, 'h> {
    needs: &'a Needs,
    described: &'a Described<'a>,
    headers: &'h HeaderMap,
    context: &'a Context,
}

/// Whether who it is has what a rule asks.
///
/// # Errors
/// A right is missing, or a proof of who it is; the clocks contradict each other.
pub fn may(
    needs: &Needs,
    admitted: &Admitted,
    now: impl FnOnce() -> Result<Timestamp, Fault>,
) -> Result<(), Refused> {
    if !admitted.meets(needs) {
        let needed = needs.scopes.join(" ").into();
        return Err(Rejected::InsufficientScope { needed }.into());
    }
    proved::check(needs, admitted, now)
}

impl Admitted {
    /// The session, if it is one's.
    fn session(&self) -> Option<String> {
        match self {
            Self::Verified(verified) => verified.claims().session_id().map(|sid| (*sid).to_owned()),
            Self::Read(read) => read.session.clone(),
        }
    }

    fn meets(&self, needs: &Needs) -> bool {
        match self {
            Self::Verified(verified) => {
                let claims = verified.claims();
                needs.are_met(|scope| claims.has_scope(scope), |role| claims.has_role(role))
            }
            Self::Read(read) => needs.are_met(
                |needed| read.scope.split(' ').any(|own| own == needed),
                |needed| read.roles.iter().any(|own| own == needed),
            ),
        }
    }
}

/// The one token of a request. Two are none, since the upstream might take the other one.
fn presented(headers: &HeaderMap) -> Result<Presented<'_>, Rejected> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let presented = match (values.next(), values.next()) {
        (Some(only), None) => Presented::from_authorization(only.to_str().ok()),
        (None, _) | (Some(_), Some(_)) => Err(Rejected::Missing),
    };
    presented.map(|presented| presented.proof(proof(headers)))
}

/// The one proof that came with it (RFC 9449 §4.3); of two, none.
fn proof(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(DPOP).iter();
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    only.to_str().ok()
}
