//! Renewing what is over (decision 0040): a sidecar has no keys to do it with, so it asks the gate of the authority about
//! the whole request, by the rules that are configured there, and hands on what that answers.

use super::cookies::Cookies;
use crate::http::delivery::{X_ACCESS_TOKEN, X_REFRESH_TOKEN};
use crate::http::gateway::renewal::{Passed, Renewal, Renewed};
use crate::http::gateway::{Admitted, Refused, may};
use axum::http::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN, SET_COOKIE, UPGRADE,
};
use axum::http::{Method, StatusCode};
use serde_json::Value;
use symbolon_core::{Fault, Reason};
use symbolon_verify::{Distrust, Now, Presented, Rejected};
use symbolon_wire::{CookieKind, SecretText};

const TOKEN: HeaderName = HeaderName::from_static("x-symbolon-token");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const WEBSOCKET: HeaderName = HeaderName::from_static("sec-websocket-version");

/// What the authority looks at.
static SHOWN: [HeaderName; 7] = [
    AUTHORIZATION,
    COOKIE,
    ORIGIN,
    X_REFRESH_TOKEN,
    WEBSOCKET,
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("x-symbolon-csrf"),
];

/// What whoever asked is handed.
static BACK: [HeaderName; 3] = [X_ACCESS_TOKEN, X_REFRESH_TOKEN, SET_COOKIE];

/// Asks the authority, if anything came along that might renew.
pub(super) async fn renew(own: &Cookies, asked: Renewal<'_>) -> Result<Passed, Refused> {
    let cookies = asked.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let in_cookie = own.named.find(CookieKind::RefreshToken, cookies).map_err(Refused::Cookie)?;
    if in_cookie.is_none() && !asked.headers.contains_key(X_REFRESH_TOKEN) {
        return Err(asked.why.into());
    }
    let away = || Fault::Store("the authority could not be asked to renew".into());
    let Ok(method) = Method::from_bytes(asked.method.as_bytes()) else {
        return Err(asked.why.into());
    };
    let path = format!("/gateway/check{}", asked.target);
    let answer = own.upstream.check(method, &path, shown(&asked)).await.map_err(|_| away())?;
    if answer.status.is_server_error() {
        return Err(away().into());
    }
    let token = answer.headers.get(TOKEN).and_then(|token| token.to_str().ok());
    let Some(token) = token.filter(|_| answer.status == StatusCode::OK) else {
        return Err(refused(&answer.body).unwrap_or(asked.why).into());
    };
    let verifier = own.verifiers.get(&asked.needs.audience);
    let verifier = verifier.ok_or(Rejected::Untrusted(Distrust::Audience))?;
    let verified = verifier.admit(&Presented::bearer(token), &own.policy).await?;
    let admitted = Admitted::Verified(verified);
    may(asked.needs, &admitted, || Ok(Now::read().wall))?;
    let mut back = HeaderMap::new();
    for name in &BACK {
        for value in answer.headers.get_all(name) {
            back.append(name, sensitive(value));
        }
    }
    let token = SecretText::new(token.to_owned());
    Ok((admitted, Renewed { token, back }))
}

/// The headers that the question is about. A handshake is shown by the header that no client of ours would take for one.
fn shown(asked: &Renewal<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in &SHOWN {
        for value in asked.headers.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    if asked.headers.contains_key(UPGRADE) || asked.headers.contains_key("sec-websocket-key") {
        headers.insert(WEBSOCKET, HeaderValue::from_static("13"));
    }
    if let Ok(address) = HeaderValue::try_from(asked.context.address.to_string()) {
        headers.insert(FORWARDED_FOR, address);
    }
    headers
}

/// That the session is over, if the authority says so.
fn refused(body: &[u8]) -> Option<Rejected> {
    let told: Value = serde_json::from_slice(body).ok()?;
    let ended = Reason::parse(told.get("reason")?.as_str()?)?;
    Some(Rejected::Revoked { ended: Some(ended) })
}

fn sensitive(value: &HeaderValue) -> HeaderValue {
    let mut value = value.clone();
    value.set_sensitive(true);
    value
}
