//! The two requests of a benchmark, prepared so that a loop builds as little as it can.

use crate::cli::api::{host, origin_form};
use crate::cli::net::{Answer, escape};
use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use serde::Deserialize;
use std::borrow::Cow;

/// A token endpoint, and who asks it.
pub(super) struct TokenEndpoint {
    pub(super) uri: Uri,
    path: Uri,
    headers: HeaderMap,
    body: String,
}

impl TokenEndpoint {
    pub(super) fn new(uri: &Uri, client_id: &str, secret: Option<&str>) -> Self {
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        headers.insert(header::HOST, text(&host(uri)));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let mut body = "grant_type=refresh_token".to_owned();
        match secret {
            // RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
            Some(secret) => {
                let pair = format!("{}:{}", escape(client_id), escape(secret));
                let mut basic = text(&format!("Basic {}", BASE64.encode(pair.as_bytes())));
                basic.set_sensitive(true);
                headers.insert(header::AUTHORIZATION, basic);
            }
            None => body.push_str(&format!("&client_id={}", escape(client_id))),
        }
        body.push_str("&refresh_token=");
        let path = origin_form(uri).parse().unwrap_or_default();
        Self { uri: uri.clone(), path, headers, body }
    }

    pub(super) fn refresh(&self, token: &str) -> Request<Full<Bytes>> {
        let mut body = String::with_capacity(self.body.len() + token.len());
        body.push_str(&self.body);
        body.push_str(&escape(token));
        self.request(Method::POST, self.path.clone(), body)
    }

    /// An empty handler on the same stack: what HTTP alone costs.
    pub(super) fn livez(&self) -> Request<Full<Bytes>> {
        self.request(Method::GET, Uri::from_static("/livez"), String::new())
    }

    fn request(&self, method: Method, path: Uri, body: String) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = path;
        *request.headers_mut() = self.headers.clone();
        request
    }
}

fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("escaped texts and hosts of parsed URLs fit in a header")
}

/// What a token endpoint answers, as far as a benchmark looks (RFC 6749 §5).
#[derive(Deserialize, Default)]
pub(super) struct TokenAnswer<'a> {
    #[serde(borrow, default)]
    pub(super) refresh_token: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
}

/// The longest part of a foreign word that a report repeats, in characters. Inclusive.
const WORD_CHARS_MAX: usize = 40;

impl<'a> TokenAnswer<'a> {
    /// Reads an answer; one that is no JSON has no members.
    pub(super) fn read(answer: &'a Answer) -> Self {
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// The error as a report counts it, such as `400 invalid_grant replayed`.
    pub(super) fn error(&self, answer: &Answer) -> String {
        let mut text = answer.status.as_u16().to_string();
        for word in [&self.error, &self.reason].into_iter().flatten() {
            text.push(' ');
            text.extend(word.chars().filter(|c| !c.is_control()).take(WORD_CHARS_MAX));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use http_body_util::BodyExt;

    async fn body(request: Request<Full<Bytes>>) -> String {
        let bytes = request.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_public_client_names_itself_in_the_form_and_a_confidential_one_in_the_header() {
        let uri: Uri = "https://id.example.com/oauth2/token".parse().unwrap();
        let public = TokenEndpoint::new(&uri, "web", None).refresh("a b");
        assert_eq!(public.uri(), "/oauth2/token");
        assert_eq!(public.headers()[header::HOST], "id.example.com");
        assert_eq!(
            body(public).await,
            "grant_type=refresh_token&client_id=web&refresh_token=a%20b"
        );
        let confidential = TokenEndpoint::new(&uri, "web", Some("s:x")).refresh("t");
        assert_eq!(confidential.headers()[header::AUTHORIZATION], "Basic d2ViOnMlM0F4");
        assert_eq!(body(confidential).await, "grant_type=refresh_token&refresh_token=t");
    }

    #[test]
    fn errors_are_counted_by_status_code_and_reason() {
        let body = Bytes::from(r#"{"error":"invalid_grant","reason":"replayed","x":[1]}"#);
        let answer = Answer { status: StatusCode::BAD_REQUEST, body };
        assert_eq!(TokenAnswer::read(&answer).error(&answer), "400 invalid_grant replayed");
        let answer = Answer { status: StatusCode::BAD_GATEWAY, body: Bytes::from("<html>") };
        assert_eq!(TokenAnswer::read(&answer).error(&answer), "502");
    }
}
