//! How refresh tokens travel to a client and back: in bodies, in a cookie, or in headers (decision 0040).

use super::body::Form;
use super::cookies;
use super::cors;
use super::oauth_error::OAuthError;
use crate::app::App;
use crate::config::{Client, Delivery};
use axum::http::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use symbolon_core::{Grant, Timestamp};

/// Where an access token stands for those who keep both.
pub const X_ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-access-token");

/// Where a refresh token stands, in requests and in answers.
pub const X_REFRESH_TOKEN: HeaderName = HeaderName::from_static("x-refresh-token");

/// The refresh token of a request, by the way that the client's travel; a form that holds one will always do. Where the
/// browser adds it by itself, a page of the client must have asked.
///
/// # Errors
/// A page that may not; two, of which nobody knows which is meant.
pub fn presented<'a>(
    app: &App,
    client: &Client,
    headers: &'a HeaderMap,
    in_form: Option<&'a str>,
) -> Result<Option<&'a str>, OAuthError> {
    match client.delivery {
        Delivery::Body => Ok(in_form),
        Delivery::Cookie => {
            cors::require(client, headers)?;
            let in_cookie = cookies::refresh_token(app, headers)?;
            Ok(in_form.or(in_cookie))
        }
        Delivery::Headers => match (in_form, in_header(headers)) {
            (Some(one), Ok(Some(other))) if one != other => Err(two_tokens()),
            (in_form, Ok(in_header)) => Ok(in_form.or(in_header)),
            (_, Err(Unclear)) => Err(two_tokens()),
        },
    }
}

/// Several headers where there may be one, or one that is no text.
pub struct Unclear;

/// The refresh token in the headers of a request.
///
/// # Errors
/// There are several, or it is no text.
pub fn in_header(headers: &HeaderMap) -> Result<Option<&str>, Unclear> {
    let mut values = headers.get_all(X_REFRESH_TOKEN).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(only), None) => only.to_str().map(Some).map_err(|_| Unclear),
        (Some(_), Some(_)) => Err(Unclear),
    }
}

/// The refresh token that a form must have.
///
/// # Errors
/// There is none: `invalid_request` where the client sends it itself, `invalid_grant` where the browser does.
pub fn required<'a>(
    client: &Client,
    found: Option<&'a str>,
    form: &'a Form,
) -> Result<&'a str, OAuthError> {
    match (found, client.delivery) {
        (Some(text), _) => Ok(text),
        (None, Delivery::Cookie) => Err(OAuthError::no_cookie()),
        (None, Delivery::Body | Delivery::Headers) => form.require("refresh_token"),
    }
}

/// What a renewal puts beside the body of its answer.
pub fn beside(
    app: &App,
    client: &Client,
    (grant, access_token): (&Grant, &str),
    at: Timestamp,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    match client.delivery {
        Delivery::Body => {}
        Delivery::Cookie => {
            put(&mut headers, SET_COOKIE, &cookies::of_refresh_token(app, grant, at));
        }
        Delivery::Headers => {
            put(&mut headers, X_ACCESS_TOKEN, access_token);
            put(&mut headers, X_REFRESH_TOKEN, app.keys.refresh_token(grant).expose());
        }
    }
    headers
}

/// Puts a text that nothing on the way may print.
pub fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(mut value) = HeaderValue::from_str(text) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}

fn two_tokens() -> OAuthError {
    OAuthError::invalid_request("The request shows two refresh tokens. Send one.".to_owned())
}
