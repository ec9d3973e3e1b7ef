//! `ANY /gateway/check` and `/gateway/check/{*path}`: whether a proxy may let a request through.
//!
//! The proxy says what it was asked, the rules say what that takes, and a [`Judge`] says what a token is
//! worth. Whoever mounts these handlers brings the judge: the authority looks into its store, so that its
//! answer is exact; a process without a store brings a verifier. Neither rules nor answers differ.

mod answer;
mod authority;
mod described;
pub mod ext_authz;
pub mod verifier;

use super::serve::Peer;
use crate::app::Live;
use crate::config;
use crate::metrics::Metrics;
use answer::{Answer, Outcome, Undecided};
use axum::Extension;
use axum::extract::{FromRef, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use described::Described;
use std::pin::Pin;
use std::sync::Arc;
use symbolon_core::Fault;
use symbolon_core::gateway::{Asks, Needs, Rule, Unruled};
use symbolon_core::target::{Ambiguous, Target, is_method};
use symbolon_verify::{Presented, Rejected};
use symbolon_wire::SecretText;

/// Who says what a token is worth to an audience.
pub type Judge = Arc<dyn Fn(SecretText, Arc<str>) -> Judging + Send + Sync>;

/// A judge at work.
pub type Judging = Pin<Box<dyn Future<Output = Result<Admitted, Refused>> + Send>>;

/// What a good token says, for the upstream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admitted {
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
}

/// Why a judge does not say yes.
#[derive(Clone, Debug)]
pub enum Refused {
    /// The token is not good.
    Rejected(Rejected),
    /// It could not be found out.
    Fault(Fault),
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
}

impl FromRef<Live> for Gateway {
    fn from_ref(live: &Live) -> Self {
        let app = live.now();
        let (settings, metrics) = (Arc::clone(&app.config.gateway), Arc::clone(&app.metrics));
        let judge: Judge = Arc::new(move |token, audience| {
            let app = Arc::clone(&app);
            Box::pin(async move { authority::judge(&app, token.expose(), &audience).await })
        });
        Self { settings, judge, metrics }
    }
}

/// Answers a proxy: 200 with who it is, or what to send back instead.
pub async fn check(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let trusted = match peer {
        Peer::Address(address) => gateway.settings.trusts(address),
        Peer::Operator(_) => false,
    };
    let answer = match Described::by(&method, &uri, &headers, trusted) {
        Ok(described) => gateway.answer(&described, &headers).await,
        Err(unknown) => gateway.count(Answer::new(Outcome::Undecided(Undecided::Unknown(unknown)))),
    };
    answer.to_response()
}

impl Gateway {
    /// Decides about a request, and counts that.
    async fn answer(&self, described: &Described, headers: &HeaderMap) -> Answer {
        let mut answer = match self.rule(described) {
            Ok(rule) => {
                let outcome = match &rule.asks {
                    Asks::Nothing => Outcome::Public,
                    Asks::Token(needs) => self.ask(needs, headers).await,
                };
                Answer { rule: Some(Arc::clone(&rule.name)), ..Answer::new(outcome) }
            }
            Err(undecided) => Answer::new(Outcome::Undecided(undecided)),
        };
        answer.login = self.settings.login_url.clone().filter(|_| described.is_page(headers));
        self.count(answer)
    }

    fn count(&self, answer: Answer) -> Answer {
        self.metrics.checked(answer.rule.as_deref(), answer.what());
        answer
    }

    /// The rule that decides about a request.
    fn rule(&self, described: &Described) -> Result<&Rule, Undecided> {
        let method = &described.method;
        if !is_method(method) {
            return Err(Undecided::Ambiguous(Ambiguous::Method));
        }
        let target = Target::parse(&described.target).map_err(Undecided::Ambiguous)?;
        self.settings.rules.decide(method, &target).map_err(|unruled| match unruled {
            Unruled::NoRule => Undecided::NoRule,
            Unruled::OtherCase(_) => Undecided::OtherCase,
        })
    }

    /// Whether what a request shows is enough.
    async fn ask(&self, needs: &Needs, headers: &HeaderMap) -> Outcome {
        let token = match presented(headers) {
            Ok(presented) => presented.token,
            Err(rejected) => return Outcome::Refused(rejected.into()),
        };
        let judging = (self.judge)(SecretText::new(token.to_owned()), Arc::clone(&needs.audience));
        match judging.await {
            Ok(admitted) if needs.are_met(&admitted.scope, admitted.roles()) => {
                Outcome::Admitted(admitted, SecretText::new(token.to_owned()))
            }
            Ok(_) => {
                let needed = needs.scopes.join(" ").into();
                Outcome::Refused(Rejected::InsufficientScope { needed }.into())
            }
            Err(refused) => Outcome::Refused(refused),
        }
    }
}

impl Admitted {
    fn roles(&self) -> impl Iterator<Item = &str> + Clone {
        self.roles.iter().map(String::as_str)
    }
}

/// The one credential of a request: a bearer token today, which a session's cookie will stand beside. Two are
/// none, since the upstream might take the other one.
fn presented(headers: &HeaderMap) -> Result<Presented<'_>, Rejected> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(only), None) => Presented::from_authorization(only.to_str().ok()),
        (None, _) | (Some(_), Some(_)) => Err(Rejected::Missing),
    }
}
