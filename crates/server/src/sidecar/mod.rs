//! The sidecar: the verifier as a process without a store, for services in any language and for gateways.
//!
//! One runs on each host or in each pod. It follows the authority's feed as any verifier does, answers from memory,
//! and passes the feed on to verifiers behind it. It holds no signing key and opens nothing of the authority's.

mod callers;
mod cookies;
mod documents;
mod feed;
mod health;
mod introspect;
mod lanes;
mod metrics;
mod relay;
mod renewal;
mod secrets;
mod upstream;

pub use callers::{JUDGED_MAX, KEPT_FOR, KEYS_MAX, KNOWN_FOR};
pub use documents::FRESH_FOR;
pub use secrets::{SECRETS_MAX, Secrets};
pub use upstream::{QUESTIONS_MAX, WAITING_MAX};

use crate::config::{self, Audience, Shared};
use crate::http::edge::{Edge, edge};
use crate::http::failures::Failures;
use crate::http::gateway::behind::Kept;
use crate::http::gateway::renewal::Renewal;
use crate::http::gateway::verifier::{self, Verifiers};
use crate::http::gateway::{
    self, Admitted, ByCookie, Gateway, Judge, Judges, Judging, Redeeming, Refused, Renewing,
    Seeking,
};
use crate::http::problem::Problem;
use crate::http::{Door, Stop, health as authority_health, serve};
use crate::metrics::Metrics;
use axum::Router;
use axum::extract::FromRef;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use callers::Callers;
use cookies::Cookies;
use documents::Document;
use introspect::Introspections;
use lanes::Lanes;
use relay::Relay;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use symbolon_core::{Duration, Fault, Timestamp};
use symbolon_verify::{Builder, Now, Policy, Presented, Rejected, Status, Unknown, Verifier};
use symbolon_wire::{DecryptionKey, KeySet};
use tokio::net::TcpListener;
use upstream::Upstream;

/// Where an authority says what it offers (RFC 8414 §3).
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// What a sidecar is made from. It holds an API key, so it has no `Debug`.
pub struct Settings {
    /// What the requests of this process are named after.
    pub name: Arc<str>,
    /// Where the authority is reached.
    pub authority: String,
    /// Whose tokens are taken; where it is not given, the authority's URL.
    pub issuer: String,
    /// An API key of scope `revocations:read`.
    pub api_key: String,
    /// Under which name it reports what it applied.
    pub instance: Option<String>,
    /// Audiences and gateway.
    pub shared: Shared,
    /// How old what it knows may be. Inclusive.
    pub max_staleness: Duration,
    /// Whether the authority is told which sessions are used.
    pub report_activity: bool,
    /// Whether a token is let in only once the authority said that it is its own.
    pub allowlist: bool,
    /// Who may introspect; without any, whoever asks from this machine.
    pub secrets: Option<Secrets>,
    /// What opens tokens that are encrypted for the audiences here.
    pub decrypt: Vec<DecryptionKey>,
    /// Whether tokens that are signed alone are refused.
    pub require_encrypted: bool,
}

/// Why a sidecar cannot be made: the same at every try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetupError {
    /// The verifier cannot.
    Verifier(symbolon_verify::SetupError),
    /// Nobody says whom tokens are for.
    NoAudience,
    /// This audience shares a secret, which is not published.
    SharedSecret(Arc<str>),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verifier(why) => why.fmt(f),
            Self::NoAudience => f.write_str("nobody says whom the tokens are for"),
            Self::SharedSecret(name) => {
                write!(f, "tokens for {name} are signed with a shared secret (HS256)")
            }
        }
    }
}

impl std::error::Error for SetupError {}

impl From<symbolon_verify::SetupError> for SetupError {
    fn from(why: symbolon_verify::SetupError) -> Self {
        Self::Verifier(why)
    }
}

/// The sidecar of this process.
#[derive(Clone)]
pub struct Sidecar {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    gateway: RwLock<Arc<config::Gateway>>,
    audiences: Vec<Audience>,
    /// The one that follows the feed; the others share what it knows.
    first: Verifier,
    verifiers: Arc<Verifiers>,
    max_staleness: Duration,
    judge: Judge,
    metrics: Arc<Metrics>,
    introspections: Introspections,
    relay: Arc<Relay>,
    upstream: Arc<Upstream>,
    cookies: symbolon_wire::Cookies,
    authorization: HeaderValue,
    callers: Callers,
    secrets: Option<Secrets>,
    failures: Failures,
    metadata: Document,
    jwks: Document,
    started: Timestamp,
}

impl Sidecar {
    /// Makes it and begins to follow; the authority need not answer yet. Needs a tokio runtime.
    ///
    /// # Errors
    /// It cannot be made of these settings.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let Settings { name, api_key, shared, max_staleness, secrets, .. } = &settings;
        let relay = Arc::new(Relay::default());
        let (first, verifiers) = verifiers(&settings, &relay)?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {api_key}"))
            .map_err(|_| symbolon_verify::SetupError::ApiKey)?;
        authorization.set_sensitive(true);
        let verifiers = Arc::new(verifiers);
        let policy = Policy::bounded(*max_staleness);
        let upstream = Arc::new(Upstream::new(&settings.authority)?);
        let named = symbolon_wire::Cookies { secure: settings.issuer.starts_with("https://") };
        let cookies = Cookies {
            named,
            upstream: Arc::clone(&upstream),
            authorization: authorization.clone(),
            verifiers: Arc::clone(&verifiers),
            policy: policy.clone(),
            kept: Kept::default(),
            asking: Lanes::new(),
        };
        let judged = verifier::judge(Arc::clone(&verifiers), policy);
        let inner = Inner {
            name: Arc::clone(name),
            gateway: RwLock::new(Arc::clone(&shared.gateway)),
            audiences: shared.audiences.clone(),
            first,
            verifiers,
            max_staleness: *max_staleness,
            judge: Arc::new(Unknowing(judged, cookies)),
            metrics: Arc::default(),
            introspections: Introspections::default(),
            relay,
            upstream,
            cookies: named,
            authorization,
            callers: Callers::new(api_key),
            secrets: secrets.clone(),
            failures: Failures::default(),
            metadata: Document::at(METADATA),
            jwks: Document::at("/.well-known/jwks.json"),
            started: Now::read().wall,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Asks the authority whether its name is the one that is expected and whether the API key may follow its feed.
    /// `Ok(false)`: it could not be asked, and this process goes on trying.
    ///
    /// # Errors
    /// What it refuses, or its name; another try would end alike.
    pub async fn introduce(&self, issuer: &str) -> Result<bool, Unacceptable> {
        let own = &self.inner;
        let Ok((_, metadata)) = self.metadata().await else {
            return Ok(false);
        };
        // The page of a proxy whose authority is away is no word of an authority.
        let said: Result<serde_json::Value, _> = serde_json::from_slice(&metadata);
        let Ok(said) = said else { return Ok(false) };
        match said.get("issuer").and_then(serde_json::Value::as_str) {
            Some(name) if name == issuer => {}
            Some(other) => return Err(Unacceptable::Issuer(other.to_owned())),
            None => return Err(Unacceptable::NoAuthority),
        }
        match callers::probe(&own.upstream, &own.authorization).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(refused)) => Err(Unacceptable::Key(Box::new(refused))),
            Err(_) => Ok(false),
        }
    }

    /// Puts other rules in place for the requests that come from now on. `false`: the audiences are others than at the
    /// start, for which there are no verifiers.
    pub fn reload(&self, shared: &Shared) -> bool {
        let same = self.inner.audiences == shared.audiences;
        if same {
            let mut gateway = self.inner.gateway.write().unwrap_or_else(PoisonError::into_inner);
            *gateway = Arc::clone(&shared.gateway);
        }
        same
    }

    /// Answers until told to stop, then lets the requests under way finish.
    pub async fn run(self, api: TcpListener, metrics: Option<TcpListener>, stop: Stop) {
        let counting = metrics.map(|listener| {
            let router =
                Router::new().route("/metrics", get(metrics::get)).with_state(self.clone());
            tokio::spawn(serve(Door::Address(listener, None), router, stop.clone()))
        });
        let (own, until) = (self.clone(), stop.clone());
        let fetching = tokio::spawn(async move { own.keep_snapshot_fresh(until).await });
        let (own, until) = (self.clone(), stop.clone());
        let keeping = tokio::spawn(async move { own.keep_documents(until).await });
        let (relay, mut stopping) = (Arc::clone(&self.inner.relay), stop.clone());
        let leaving = tokio::spawn(async move {
            // Who follows is sent away, so that connections can end.
            let _ = stopping.wait_for(|stop| *stop).await;
            relay.stop();
        });
        serve(Door::Address(api, None), self.router(), stop).await;
        // All end with the same signal; whether they ended well changes nothing any more.
        for other in [Some(fetching), Some(keeping), Some(leaving), counting].into_iter().flatten()
        {
            let _ = other.await;
        }
    }

    fn router(self) -> Router {
        Router::new()
            .route("/gateway/check", any(gateway::check))
            .route("/gateway/check/", any(gateway::check))
            .route("/gateway/check/{*path}", any(gateway::check))
            .route(
                "/envoy.service.auth.v3.Authorization/Check",
                post(gateway::ext_authz::post::<Self>),
            )
            .route("/oauth2/introspect", post(introspect::post))
            .route("/v1/feed", get(feed::stream))
            .route("/v1/feed/poll", get(feed::poll))
            .route("/v1/feed/snapshot", get(feed::snapshot))
            .route("/v1/feed/applied", post(feed::pass_up))
            .route("/v1/feed/ended", post(feed::pass_up))
            .route("/v1/activity", post(feed::pass_up))
            .route("/v1/operations/redeem", post(feed::pass_up))
            .route("/v1/tickets/redeem", post(feed::pass_up))
            .route("/v1/tokens/redeem", post(feed::pass_up))
            .route(METADATA, get(documents::metadata))
            .route("/.well-known/jwks.json", get(documents::jwks))
            .route("/livez", get(authority_health::livez))
            .route("/readyz", get(health::readyz))
            .layer(from_fn_with_state(self.clone(), edge))
            .with_state(self)
    }

    async fn keep_snapshot_fresh(&self, stop: Stop) {
        let own = &self.inner;
        let keys = || async {
            let (_, text) = self.jwks().await.ok()?;
            KeySet::parse(std::str::from_utf8(&text).ok()?).ok()
        };
        own.relay.keep_fresh(&own.upstream, &own.authorization, keys, stop).await;
    }

    fn status(&self) -> Status {
        self.inner.first.status(Now::read().monotonic)
    }

    /// That what is known is no older than it may be.
    ///
    /// # Errors
    /// It is older, or not whole yet; the problem says how old.
    fn fresh(&self) -> Result<Status, Problem> {
        let status = self.status();
        let bound = self.inner.max_staleness;
        match status.age {
            Some(age) if age <= bound && self.inner.first.is_ready() => Ok(status),
            age => {
                let detail = match age {
                    Some(age) => format!(
                        "What this sidecar knows of revocations is {} ms old; it may be {} ms.",
                        age.as_millis(),
                        bound.as_millis()
                    ),
                    None => "This sidecar has not heard yet what is revoked.".to_owned(),
                };
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let problem = Problem::new(status, "not-ready", "Try again", detail);
                Err(problem.aged(age).retry_after(1))
            }
        }
    }
}

/// Why this authority is not one for this sidecar.
#[derive(Clone, Debug)]
pub enum Unacceptable {
    /// What answers there is no authority.
    NoAuthority,
    /// It has another name.
    Issuer(String),
    /// It does not take the API key.
    Key(Box<Problem>),
}

/// The verifier that follows the feed, and one for each audience.
fn verifiers(settings: &Settings, relay: &Arc<Relay>) -> Result<(Verifier, Verifiers), SetupError> {
    let audiences = &settings.shared.audiences;
    if let Some(shared) = audiences.iter().find(|audience| audience.alg.is_symmetric()) {
        return Err(SetupError::SharedSecret(Arc::clone(&shared.name)));
    }
    let builder = |audience: &Audience| {
        let builder = Verifier::builder(&settings.issuer).audience(&audience.name);
        let builder = audience.algorithms().fold(builder, Builder::algorithm);
        let builder = builder
            .typ(audience.typ)
            .max_staleness(settings.max_staleness)
            .allowlist(settings.allowlist);
        let builder = settings.decrypt.iter().cloned().fold(builder, Builder::decrypt_with);
        if settings.require_encrypted { builder.require_encrypted() } else { builder }
    };
    let leader = audiences.first().ok_or(SetupError::NoAudience)?;
    let relay = Arc::clone(relay);
    let mut leading = builder(leader)
        .through(&settings.authority)
        .feed(&settings.api_key)
        .report_activity(settings.report_activity)
        .relay(move |heard| relay.hear(heard));
    if let Some(name) = &settings.instance {
        leading = leading.instance(name);
    }
    let first = leading.connect_lazily()?;
    let mut verifiers = Verifiers::from([(Arc::clone(&leader.name), first.clone())]);
    for audience in &audiences[1..] {
        verifiers.insert(Arc::clone(&audience.name), builder(audience).sharing(&first)?);
    }
    Ok((first, verifiers))
}

/// A judge that does not send to sign in again, while the authority is away, whom nobody knows anything against: that
/// is a 503.
struct Unknowing(Judge, Cookies);

impl Judges for Unknowing {
    fn at_once(&self, shown: &Presented<'_>, audience: &str) -> Option<Admitted> {
        self.0.at_once(shown, audience)
    }

    fn judge<'a>(&'a self, shown: Presented<'a>, audience: &'a str) -> Judging<'a> {
        Box::pin(async move { self.0.judge(shown, audience).await.map_err(unknowing) })
    }

    fn behind_at_once(&self, shown: &Presented<'_>, audience: &str) -> Option<ByCookie> {
        self.1.at_once(shown, audience)
    }

    fn behind<'a>(&'a self, shown: Presented<'a>, audience: &'a str) -> Seeking<'a> {
        Box::pin(async move { self.1.behind(&shown, audience).await.map_err(unknowing) })
    }

    fn renew<'a>(&'a self, asked: Renewal<'a>) -> Renewing<'a> {
        Box::pin(renewal::renew(&self.1, asked))
    }

    fn redeem<'a>(&'a self, ticket: &'a str, audience: &'a str) -> Redeeming<'a> {
        Box::pin(async move {
            let why = "only the authority redeems a ticket, and it is away";
            self.0.redeem(ticket, audience).await.map_err(|refused| away(refused, why))
        })
    }

    fn now(&self) -> Result<Timestamp, Fault> {
        self.0.now()
    }
}

fn unknowing(refused: Refused) -> Refused {
    away(refused, "what is known of revocations is too old, and the authority is away")
}

/// What could not be found out is no refusal.
fn away(refused: Refused, why: &str) -> Refused {
    match refused {
        // What the proxy did not say, the authority does not know either.
        untold @ Refused::Rejected(Rejected::Unverifiable(
            Unknown::Url | Unknown::Features | Unknown::Address,
        )) => untold,
        Refused::Rejected(Rejected::Unverifiable(_) | Rejected::Ask) => {
            Refused::Fault(Fault::Store(why.into()))
        }
        known @ (Refused::Rejected(_)
        | Refused::Fault(_)
        | Refused::Cookie(_)
        | Refused::TwoCredentials
        | Refused::Forged(_)) => known,
    }
}

impl FromRef<Sidecar> for Gateway {
    fn from_ref(sidecar: &Sidecar) -> Self {
        let own = &sidecar.inner;
        let settings = own.gateway.read().unwrap_or_else(PoisonError::into_inner);
        let (judge, metrics) = (Arc::clone(&own.judge), Arc::clone(&own.metrics));
        Self { settings: Arc::clone(&settings), judge, metrics, cookies: Some(own.cookies) }
    }
}

impl FromRef<Sidecar> for Edge {
    fn from_ref(sidecar: &Sidecar) -> Self {
        let own = &sidecar.inner;
        let gateway = own.gateway.read().unwrap_or_else(PoisonError::into_inner);
        let (name, metrics) = (Arc::clone(&own.name), Arc::clone(&own.metrics));
        Self { name, gateway: Arc::clone(&gateway), metrics }
    }
}
