//! What the server said.

use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Reads an answer to its end.
    pub(crate) async fn read(response: http::Response<Incoming>) -> hyper::Result<Self> {
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Self { status: parts.status, headers: parts.headers, body })
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why} in {self:?}"))
    }

    /// A member of the JSON body; `Null` if it is not there.
    pub(crate) fn member(&self, name: &str) -> Value {
        self.json()[name].clone()
    }

    /// A member that is a text.
    pub(crate) fn text(&self, name: &str) -> String {
        let value = self.member(name);
        value.as_str().unwrap_or_else(|| panic!("`{name}` is no text in {self:?}")).to_owned()
    }

    /// A header; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The same, after checking its status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// Checks that this is a problem document of `/v1` (RFC 9457) with this code.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
        assert_eq!(answer.text("type"), format!("urn:symbolon:{code}"), "{answer:?}");
        assert_eq!(answer.member("status"), status, "{answer:?}");
        assert!(!answer.text("title").is_empty() && !answer.text("detail").is_empty());
        answer.names_its_request();
        answer
    }

    /// Checks that this is an error of RFC 6749 §5.2, and which reason it gives.
    #[track_caller]
    pub(crate) fn expect_oauth(self, status: u16, error: &str, reason: Option<&str>) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/json", "{answer:?}");
        assert_eq!(answer.text("error"), error, "{answer:?}");
        assert_eq!(answer.member("reason").as_str(), reason, "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
        assert!(!answer.text("error_description").is_empty());
        answer.names_its_request();
        answer
    }

    /// Every refused refresh but those of the last row says `invalid_grant`, and why.
    #[track_caller]
    pub(crate) fn expect_over(self, reason: &str) -> Self {
        self.expect_oauth(400, "invalid_grant", Some(reason))
    }

    #[track_caller]
    fn names_its_request(&self) {
        let id = self.header("x-request-id");
        assert!(!id.is_empty(), "{self:?}");
        assert_eq!(self.text("request_id"), id, "{self:?}");
    }
}
