//! Who asks: API keys of trusted back ends, and clients of `/oauth2`.

use super::body::{Form, Object, json_bytes, parse_json};
use super::edge::Context;
use super::oauth_error::OAuthError;
use super::problem::Problem;
use super::query::Query;
use crate::api_keys::{ApiKeyRecord, ApiScope};
use crate::app::App;
use crate::config::Client;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use data_encoding::BASE64;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use symbolon_core::ClientId;
use symbolon_core::revocation::Actor;

/// A trusted back end or an operator.
#[derive(Clone)]
pub enum Caller {
    /// Who shows an API key.
    Key(ApiKeyRecord),
    /// Who may open the admin socket, by their user id: they could read the store itself.
    Operator(u32),
}

impl Caller {
    /// The API key, if it shows one.
    pub const fn key(&self) -> Option<&ApiKeyRecord> {
        match self {
            Self::Key(record) => Some(record),
            Self::Operator(_) => None,
        }
    }

    /// Who acted, for the history.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Key(record) => Actor::ApiKey(record.name.as_str().into()),
            Self::Operator(uid) => Actor::Operator(*uid),
        }
    }

    /// What makes this caller's idempotency keys its own.
    pub fn id(&self) -> &str {
        match self {
            Self::Key(record) => &record.id,
            Self::Operator(_) => "operator",
        }
    }

    /// Whether it may do what the scope names.
    pub fn may(&self, scope: ApiScope) -> bool {
        match self {
            Self::Key(record) => record.scopes.contains(&scope),
            Self::Operator(_) => true,
        }
    }

    /// Refuses what it may not do.
    ///
    /// # Errors
    /// 403, naming the scope that it lacks.
    pub fn require(&self, scope: ApiScope) -> Result<(), Problem> {
        let detail = format!("The API key lacks the scope `{}`.", scope.as_str());
        match self.may(scope) {
            true => Ok(()),
            false => Err(Problem::forbidden("insufficient-scope", detail)),
        }
    }

    /// Whether it may see and touch the sessions of a client.
    pub fn reaches(&self, client: &ClientId) -> bool {
        let named = |clients: &[String]| clients.iter().any(|own| own == client.as_str());
        self.limits().is_none_or(named)
    }

    /// Whether it is limited to named clients.
    pub fn is_limited(&self) -> bool {
        self.limits().is_some()
    }

    /// The clients that it is limited to.
    fn limits(&self) -> Option<&[String]> {
        match self {
            Self::Key(record) => record.clients.as_deref(),
            Self::Operator(_) => None,
        }
    }

    /// Refuses a call that is about a subject at large to a key that is limited to named clients.
    ///
    /// # Errors
    /// 403, saying what such a key cannot do.
    pub fn subject_wide(&self, what: &str) -> Result<(), Problem> {
        let detail = format!("A key that is limited to named clients cannot {what}.");
        if self.is_limited() { Err(Problem::forbidden("key-limited", detail)) } else { Ok(()) }
    }
}

/// Finds out which API key asks, and that it has a scope.
///
/// # Errors
/// 401 without a right key (429 after too many wrong ones), 403 without the scope.
pub async fn caller(
    app: &App,
    context: &Context,
    headers: &HeaderMap,
    scope: ApiScope,
) -> Result<Caller, Problem> {
    let caller = any_caller(app, context, headers).await?;
    caller.require(scope)?;
    Ok(caller)
}

/// The same for a call that has a JSON object for its body and no query: who asks, and what they say.
///
/// # Errors
/// As [`caller`]'s; there is a query; the body is not such an object.
pub async fn caller_says<T: DeserializeOwned>(
    app: &App,
    context: &Context,
    request: Request,
    scope: ApiScope,
) -> Result<(Caller, T), Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = caller(app, context, &headers, scope).await?;
    Query::read(&uri, &[])?;
    let Object(says) = parse_json(&json_bytes(&headers, body).await?)?;
    Ok((caller, says))
}

/// Finds out which API key asks; what it may do is checked once it is known what it asks for.
///
/// # Errors
/// 401 without a right key (429 after too many wrong ones).
pub async fn any_caller(
    app: &App,
    context: &Context,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let Some(text) = bearer(headers) else {
        let unknown = Problem::unauthorized("Send `Authorization: Bearer sym_ak_…`.");
        return context.operator.map(Caller::Operator).ok_or(unknown);
    };
    let Some(record) = find(app, text).await? else {
        return Err(wrong_key(app, context));
    };
    Ok(Caller::Key(record))
}

async fn find(app: &App, text: &str) -> Result<Option<ApiKeyRecord>, Problem> {
    let Ok(presented) = app.keys.api_keys.parse(text) else { return Ok(None) };
    let record = crate::api_keys::find(&app.store, presented.id()).await?;
    Ok(record.filter(|record| presented.is(&record.digest) && record.revoked_at.is_none()))
}

fn wrong_key(app: &App, context: &Context) -> Problem {
    app.metrics.failed_credential();
    let problem = Problem::unauthorized("The API key is not known, or it was revoked.");
    match app.failures.note(context.address, app.clock.wall(), app.nodes.live()) {
        Some(seconds) => {
            let detail = "Too many wrong API keys from this address. A right one still works.";
            let status = StatusCode::TOO_MANY_REQUESTS;
            Problem::new(status, "too-many-failures", "Too many failures", detail)
                .retry_after(seconds)
        }
        None => problem,
    }
}

/// What stands behind `Authorization: Bearer`, whatever it is.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    scheme(headers, "bearer")
}

/// The access token of a request, and whether it came by `DPoP`, beside a proof of the key that it is bound to.
pub fn token(headers: &HeaderMap) -> Option<(&str, bool)> {
    let bearer = bearer(headers).map(|text| (text, false));
    bearer.or_else(|| scheme(headers, "dpop").map(|text| (text, true)))
}

fn scheme<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(rest)
}

/// Finds out which client asks (RFC 6749 §2.3): a confidential one by its secret, in one way only; a
/// public one by its name.
///
/// # Errors
/// `invalid_client`, or `invalid_request` when two ways are used at once.
pub fn client<'a>(
    app: &'a App,
    context: &Context,
    headers: &HeaderMap,
    form: &Form,
) -> Result<&'a Client, OAuthError> {
    let by_header = match headers.contains_key(AUTHORIZATION) {
        true => Some(basic(headers).ok_or_else(|| failed(app, context, true))?),
        false => None,
    };
    let claimed = claimed(form, by_header.as_ref())?;
    let known = app.client(&claimed.0);
    let right = known.filter(|client| match (&claimed.1, client.is_confidential()) {
        (Some(secret), true) => client.has_secret(secret),
        (None, false) => true,
        (Some(_), false) | (None, true) => false,
    });
    right.ok_or_else(|| failed(app, context, by_header.is_some()))
}

/// The name and secret that a request claims.
fn claimed(
    form: &Form,
    by_header: Option<&(String, String)>,
) -> Result<(String, Option<String>), OAuthError> {
    let in_form = form.get("client_secret").map(str::to_owned);
    match by_header {
        Some(_) if in_form.is_some() => {
            Err(OAuthError::invalid_request("Authenticate in one way: header or form, not both."))
        }
        Some((id, _)) if form.get("client_id").is_some_and(|other| other != id) => {
            Err(OAuthError::invalid_request("`client_id` is not the client that authenticated."))
        }
        Some((id, secret)) => Ok((id.clone(), Some(secret.clone()))),
        None => Ok((form.require("client_id")?.to_owned(), in_form)),
    }
}

fn failed(app: &App, context: &Context, basic: bool) -> OAuthError {
    app.metrics.failed_credential();
    match app.failures.note(context.address, app.clock.wall(), app.nodes.live()) {
        Some(seconds) => OAuthError::too_many_failures(seconds),
        None => OAuthError::invalid_client("The client is unknown or its secret is wrong.", basic),
    }
}

/// RFC 6749 §2.3.1: both halves are form-encoded inside the base64.
pub(crate) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let decoded = BASE64.decode(scheme(headers, "basic")?.as_bytes()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    let plain = |half: &str| {
        Some(percent_decode_str(&half.replace('+', " ")).decode_utf8().ok()?.into_owned())
    };
    Some((plain(id)?, plain(secret)?))
}

/// Whether a request shows an API key instead of a client's credentials.
pub fn shows_api_key(headers: &HeaderMap) -> bool {
    bearer(headers).is_some()
}
