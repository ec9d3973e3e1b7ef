//! What a caller asks.

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// A request, before it has somewhere to go.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Ask {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let method = method.parse().unwrap();
        Self { method, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn delete(path: &str) -> Self {
        Self::new("DELETE", path)
    }

    /// A JSON body.
    pub(crate) fn json(path: &str, body: &Value) -> Self {
        Self::new("POST", path).with("content-type", "application/json").body(body.to_string())
    }

    /// A JSON body that replaces what there is.
    pub(crate) fn put(path: &str, body: &Value) -> Self {
        Self { method: Method::PUT, ..Self::json(path, body) }
    }

    /// A form (RFC 6749 Appendix B).
    pub(crate) fn form(path: &str, parameters: &[(&str, &str)]) -> Self {
        let pair = |(name, value): &(&str, &str)| format!("{}={}", encoded(name), encoded(value));
        let pairs: Vec<_> = parameters.iter().map(pair).collect();
        Self::new("POST", path)
            .with(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")
            .body(pairs.join("&"))
    }

    /// A refresh by a public client.
    pub(crate) fn refresh(client: &str, token: &str) -> Self {
        let grant = ("grant_type", "refresh_token");
        Self::form("/oauth2/token", &[grant, ("client_id", client), ("refresh_token", token)])
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The body, as it is sent.
    pub(crate) fn sent(&self) -> &[u8] {
        &self.body
    }

    /// One more header line.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.push((name.parse().unwrap(), value));
        self
    }

    /// Without a header that was set before.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| own != name);
        self
    }

    /// Shows an API key.
    pub(crate) fn key(self, key: &str) -> Self {
        self.with(AUTHORIZATION.as_str(), &format!("Bearer {key}"))
    }

    /// Shows a client's secret in the header (RFC 6749 §2.3.1).
    pub(crate) fn basic(self, client: &str, secret: &str) -> Self {
        let pair = format!("{}:{}", encoded(client), encoded(secret));
        let pair = data_encoding::BASE64.encode(pair.as_bytes());
        self.with(AUTHORIZATION.as_str(), &format!("Basic {pair}"))
    }

    /// The request, for a host.
    pub(crate) fn request(self, authority: &str) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.path.parse().unwrap();
        let headers = request.headers_mut();
        headers.insert(HOST, authority.parse().unwrap());
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        request
    }
}

/// A text as it stands in a path, a query or a form.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
