//! `POST /oauth2/introspect`: whether an access token is in force now (RFC 7662), from memory.
//!
//! What the authority would answer for a token of these audiences. A refresh token is never active. Nothing is said,
//! neither yes nor no, by knowledge that is older than it may be. An opaque token is asked about at the authority
//! first, and whoever asks here again is answered from memory until something changes.
//!
//! A verifier behind, which shows its API key, asks because its own knowledge is too old, and perhaps about an audience
//! that is not known here: its question goes to the authority, since this mirror may be older than its bound.

use super::Sidecar;
use super::upstream::NoAnswer;
use crate::http::auth::{basic, bearer};
use crate::http::body::Form;
use crate::http::edge::{Context, no_store};
use crate::http::introspect::active;
use crate::http::oauth_error::OAuthError;
use crate::http::serve::Peer;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use symbolon_verify::{
    Bound, Claims, Distrust, Imprint, Imprints, Now, Policy, Presented, Rejected, Verified,
    Verifier,
};
use symbolon_wire::{HandleKind, UnverifiedAccessToken, is_encrypted};

/// What every API key begins with.
const API_KEY: &str = "sym_ak_";

/// What was answered, counted.
#[derive(Default)]
pub(super) struct Introspections {
    active: AtomicU64,
    inactive: AtomicU64,
    unknown: AtomicU64,
}

impl Introspections {
    /// The counts, by what was answered.
    pub(super) fn read(&self) -> [(&'static str, u64); 3] {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (active, inactive) = (read(&self.active), read(&self.inactive));
        [("active", active), ("inactive", inactive), ("unknown", read(&self.unknown))]
    }

    fn count(&self, answer: Result<&Option<Map<String, Value>>, &OAuthError>) {
        let count = match answer {
            Ok(Some(_)) => &self.active,
            Ok(None) => &self.inactive,
            Err(_) => &self.unknown,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers a resource server. Inactive is `{"active":false}` and nothing else, whatever the cause.
///
/// # Errors
/// The caller may not; what is known is too old, which is never "inactive".
pub(super) async fn post(
    State(sidecar): State<Sidecar>,
    Extension(context): Extension<Context>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, OAuthError> {
    let answer = if bearer(&headers).is_some_and(|shown| shown.starts_with(API_KEY)) {
        let caller = sidecar.inner.callers.check(&sidecar.inner.upstream, &headers).await?;
        let form = Form::read(&headers, body).await?;
        sidecar.ask_above(&caller, form.require("token")?).await
    } else {
        let form = sidecar.authenticated((&context, peer), &headers, body).await?;
        sidecar.introspect(form.require("token")?).await
    };
    sidecar.inner.introspections.count(answer.as_ref());
    let answer = answer?.map_or_else(|| json!({"active": false}), active);
    let mut response = Json(answer).into_response();
    no_store(response.headers_mut());
    Ok(response)
}

impl Sidecar {
    /// What the authority says of a token to who shows this key.
    async fn ask_above(
        &self,
        caller: &HeaderValue,
        token: &str,
    ) -> Result<Option<Map<String, Value>>, OAuthError> {
        let answer = self.inner.upstream.introspect(caller, token).await?;
        if answer.status.is_server_error() {
            return Err(NoAnswer::Unreachable.into());
        }
        let answer = answer.or_refusal()?;
        let said: Map<String, Value> =
            serde_json::from_slice(&answer.body).map_err(|_| NoAnswer::Unreachable)?;
        match said.get("active").and_then(Value::as_bool) {
            Some(true) => Ok(Some(said)),
            Some(false) => Ok(None),
            None => Err(NoAnswer::Unreachable.into()),
        }
    }

    /// A name and a secret of the file, in any way that RFC 6749 §2.3.1 knows; where there is no file, whoever asks from
    /// this machine.
    async fn authenticated(
        &self,
        (context, peer): (&Context, Peer),
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Form, OAuthError> {
        let form = Form::read(headers, body).await?;
        let may = match &self.inner.secrets {
            Some(secrets) => {
                let by_header = basic(headers);
                let in_form = form.get("client_id").zip(form.get("client_secret"));
                let shown = bearer(headers).is_some_and(|secret| secrets.is_anybodys(secret));
                let right = |name: &str, secret: &str| secrets.is_right(name, secret);
                match by_header {
                    Some((name, secret)) => right(&name, &secret),
                    None => shown || in_form.is_some_and(|(name, secret)| right(name, secret)),
                }
            }
            // Neither a neighbour, nor one whom a proxy on this machine brings here.
            None => peer.is_loopback() && context.address.to_canonical().is_loopback(),
        };
        match may {
            true => Ok(form),
            false => Err(self.stranger(context, headers)),
        }
    }

    fn stranger(&self, context: &Context, headers: &HeaderMap) -> OAuthError {
        self.inner.metrics.failed_credential();
        match self.inner.failures.note(context.address, Now::read().wall, 1) {
            Some(seconds) => OAuthError::too_many_failures(seconds),
            None => {
                let basic = headers.contains_key(AUTHORIZATION) || self.inner.secrets.is_some();
                OAuthError::invalid_client("Nobody of that name and secret may ask here.", basic)
            }
        }
    }

    /// The claims of a token that is in force; `None`: it is not. What it is bound to is for whoever asks to check.
    async fn introspect(&self, text: &str) -> Result<Option<Map<String, Value>>, OAuthError> {
        self.fresh()?;
        let policy = Policy::strict(self.inner.max_staleness);
        let admitted = match self.verifier_of(text) {
            Some(verifier) => verifier.admit(&Presented::asked_about(text), &policy).await,
            None if text.starts_with(HandleKind::AccessToken.prefix()) => {
                self.admit_opaque(text, &policy).await
            }
            None if is_encrypted(text) => self.admit_encrypted(text, &policy).await,
            None => return Ok(None),
        };
        match admitted {
            Ok(verified) => Ok(Some(claims(text, &verified))),
            Err(Rejected::Unverifiable(_) | Rejected::Ask) => {
                // It grew too old meanwhile, or a newer key could not be fetched.
                self.fresh()?;
                Err(NoAnswer::Unreachable.into())
            }
            Err(_) => Ok(None),
        }
    }

    /// Lets an opaque token in that is for any audience here: by what one of them knows, else by what is told.
    async fn admit_opaque(&self, text: &str, policy: &Policy) -> Result<Verified, Rejected> {
        let presented = Presented::asked_about(text);
        for verifier in self.inner.verifiers.values() {
            match verifier.verify(&presented, policy, Now::read()) {
                Err(Rejected::Ask) => {}
                known => return known,
            }
        }
        for verifier in self.inner.verifiers.values() {
            match verifier.admit(&presented, policy).await {
                Err(Rejected::Untrusted(Distrust::Audience)) => {}
                told => return told,
            }
        }
        Err(Rejected::Untrusted(Distrust::Audience))
    }

    /// Lets an encrypted token in that is for any audience here: which, only whoever opens it sees.
    async fn admit_encrypted(&self, text: &str, policy: &Policy) -> Result<Verified, Rejected> {
        let presented = Presented::asked_about(text);
        for verifier in self.inner.verifiers.values() {
            match verifier.admit(&presented, policy).await {
                Err(Rejected::Untrusted(_)) => {}
                known => return known,
            }
        }
        Err(Rejected::Untrusted(Distrust::Audience))
    }

    /// The verifier of an audience that a token says it is for.
    fn verifier_of(&self, text: &str) -> Option<&Verifier> {
        let token = UnverifiedAccessToken::read(text).ok()?;
        let claims = token.claims().ok()?;
        claims.aud.iter().find_map(|name| self.inner.verifiers.get(name))
    }
}

/// All that holds of a token: what it says itself, byte for byte, unless that was outdated by what was told of it, or it
/// leaves something out.
fn claims(text: &str, verified: &Verified) -> Map<String, Value> {
    let now = held(verified);
    match said(text) {
        Some(said) if said.get("ver") == now.get("ver") && !said.contains_key("rights") => said,
        Some(_) | None => now,
    }
}

/// What a token is bound to, enforced or only reported.
fn confirmation(claims: &Claims<'_>, enforced: bool) -> Option<Value> {
    let Imprints { features, network } = claims.imprints();
    let of = |own: Option<Bound<Imprint>>| {
        own.filter(|own| own.enforced == enforced).map(|own| BASE64URL_NOPAD.encode(&own.to.0))
    };
    let jkt = claims.jkt().filter(|_| enforced).map(|jkt| BASE64URL_NOPAD.encode(&jkt.0));
    let members = [("jkt", jkt), ("features", of(features)), ("network", of(network))];
    let there = members.into_iter().filter_map(|(name, text)| Some((name.into(), json!(text?))));
    let there: Map<String, Value> = there.collect();
    (!there.is_empty()).then(|| there.into())
}

/// All that a signed token says.
fn said(text: &str) -> Option<Map<String, Value>> {
    let payload = BASE64URL_NOPAD.decode(text.split('.').nth(1)?.as_bytes()).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// What was told of a token, as the authority says it (RFC 7662 §2.2).
fn held(verified: &Verified) -> Map<String, Value> {
    let claims = verified.claims();
    let names = |names: Vec<&str>| (!names.is_empty()).then(|| json!(names));
    let aud: Vec<_> = claims.aud().collect();
    let ver = claims.ver;
    let members = [
        ("iss", Some(json!(claims.iss))),
        ("sub", Some(json!(claims.sub))),
        ("aud", Some(if let [one] = &*aud { json!(one) } else { json!(aud) })),
        ("client_id", Some(json!(claims.client_id))),
        ("iat", Some(json!(claims.iat.as_seconds()))),
        ("exp", Some(json!(claims.exp.as_seconds()))),
        ("scope", claims.scope.map(|scope| json!(scope))),
        ("sid", claims.session_id().map(|sid| json!(sid))),
        ("ver", Some(json!([ver.store.0, ver.subject, ver.client, ver.everything]))),
        ("auth_time", claims.auth_time.map(|at| json!(at.as_seconds()))),
        ("acr", claims.acr.map(|acr| json!(acr))),
        ("amr", names(claims.amr().collect())),
        ("roles", names(claims.roles().collect())),
        ("jti", Some(json!(claims.jti))),
        ("cnf", confirmation(&claims, true)),
        ("cnf_reported", confirmation(&claims, false)),
    ];
    let own = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let added = claims
        .extras()
        .filter_map(|(name, value)| Some((name.to_owned(), serde_json::from_str(value).ok()?)));
    own.chain(added).collect()
}

impl From<NoAnswer> for OAuthError {
    fn from(why: NoAnswer) -> Self {
        crate::http::problem::Problem::from(why).into()
    }
}
