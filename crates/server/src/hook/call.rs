//! One question to a back end: what is sent, and what may be said.

use super::answer;
use crate::app::App;
use crate::config::{Client, Hook};
use crate::outbound::Outbound;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use axum::http::{Method, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use symbolon_core::{Below, Duration, Fault, Loaded, Timestamp, Word};
use symbolon_wire::{Algorithm, HookCall, session_id_text, sha256};

/// How long a call may be shown after it was signed, for clocks that disagree.
const CALL_LIVES: Duration = Duration::from_secs(60);

/// Why nothing was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unheard {
    /// Nothing answers there, or the connection broke.
    Unreachable,
    /// It took too long.
    Late,
    /// It answered another status than 200. Redirects are not followed.
    Status(u16),
    /// The answer is longer than one may be.
    Oversized,
    /// The answer is none.
    Malformed,
    /// It did not answer lately, and is left alone for a while.
    Paused,
    /// Too many ask.
    Crowded,
    /// We could not ask.
    Unable,
}

impl Unheard {
    /// The word in metrics and logs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Late => "late",
            Self::Status(_) => "status",
            Self::Oversized => "oversized",
            Self::Malformed => "malformed",
            Self::Paused => "paused",
            Self::Crowded => "crowded",
            Self::Unable => "unable",
        }
    }

    /// Whether the back end is there: it said something, if only something wrong of one person. `None`: it was not asked.
    pub(super) const fn is_there(self) -> Option<bool> {
        match self {
            Self::Unreachable | Self::Late => Some(false),
            Self::Status(status) => Some(status < 500),
            Self::Oversized | Self::Malformed => Some(true),
            Self::Paused | Self::Crowded | Self::Unable => None,
        }
    }
}

/// What a back end is asked about: the session as it is before the renewal.
#[derive(Serialize)]
struct Question<'a> {
    session_id: String,
    subject: &'a str,
    client_id: &'a str,
    device: Device<'a>,
    scope: &'a str,
    roles: &'a [Arc<str>],
    claims: &'a RawValue,
    authenticated_at: u64,
    created_at: u64,
    last_active_at: u64,
}

#[derive(Serialize)]
struct Device<'a> {
    class: &'static str,
    id: Option<&'a str>,
    name: Option<&'a str>,
}

/// A question that is ready to be sent. Has no `Debug`: it is signed.
pub(super) struct Signed {
    request: Request<Full<Bytes>>,
    asked_at: Below,
    profile_bytes_max: usize,
}

impl Signed {
    /// Writes and signs the question.
    ///
    /// # Errors
    /// It cannot be written now.
    pub(super) fn new(
        (app, client): (&App, &Client),
        (hook, uri): (&Hook, &Uri),
        loaded: &Loaded,
        at: Timestamp,
    ) -> Result<Self, Fault> {
        let unsigned = || Fault::Store("a question to a back end could not be signed".into());
        let body = body(loaded)?;
        let session = &loaded.session;
        let call = HookCall {
            iss: &app.config.issuer,
            aud: &hook.url,
            sub: &session.subject,
            sid: session.sid,
            client_id: &session.client,
            iat: at,
            exp: at.after(CALL_LIVES),
            drawn: app.random()?,
            body: sha256(&body),
        };
        let token = app.keys.sign_hook_call(algorithm(app, client), &call);
        let token = format!("Bearer {}", token.map_err(|_| unsigned())?);
        let mut request = Request::new(Full::new(body.into()));
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, uri.clone());
        let mut authorization = HeaderValue::try_from(token).map_err(|_| unsigned())?;
        authorization.set_sensitive(true);
        let json = HeaderValue::from_static("application/json");
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(CONTENT_TYPE, json.clone());
        headers.insert(ACCEPT, json);
        let profile_bytes_max = app.config.profile_bytes_max();
        Ok(Self { request, asked_at: loaded.version(), profile_bytes_max })
    }

    /// Sends it, and reads what is answered.
    pub(super) async fn send(self, outbound: &Outbound) -> Result<Word, Unheard> {
        let answer = outbound.request(self.request).await.map_err(|_| Unheard::Unreachable)?;
        if answer.status() != StatusCode::OK {
            return Err(Unheard::Status(answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), answer::ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|broken| match broken.is::<LengthLimitError>() {
            true => Unheard::Oversized,
            false => Unheard::Unreachable,
        })?;
        let said = answer::read(&body.to_bytes(), self.asked_at, self.profile_bytes_max);
        said.map_err(|problem| {
            let (_, why, _) = problem.into_parts();
            tracing::warn!(why, "what a back end says of a renewal cannot be read");
            Unheard::Malformed
        })
    }
}

/// That of the client's own tokens: whoever is asked can check such signatures.
fn algorithm(app: &App, client: &Client) -> Algorithm {
    let first = client.audience.first().and_then(|name| app.config.audience(name));
    let own = first.map(|audience| audience.alg).filter(|alg| !alg.is_symmetric());
    own.unwrap_or(Algorithm::EdDsa)
}

fn body(loaded: &Loaded) -> Result<Vec<u8>, Fault> {
    let session = &loaded.session;
    let claims = if session.claims.is_empty() { "{}" } else { &session.claims };
    let damaged = |_| Fault::Store("a session's claims are no JSON".into());
    let question = Question {
        session_id: session_id_text(session.sid),
        subject: session.subject.as_str(),
        client_id: session.client.as_str(),
        device: Device {
            class: session.device.class.as_str(),
            id: session.device.id.as_deref(),
            name: session.device.name.as_deref(),
        },
        scope: &session.scope,
        roles: loaded.roles(),
        claims: serde_json::from_str(claims).map_err(damaged)?,
        authenticated_at: session.authenticated_at.as_seconds(),
        created_at: session.created_at.as_seconds(),
        last_active_at: session.last_used_at.as_seconds(),
    };
    serde_json::to_vec(&question).map_err(damaged)
}
