//! A small client: one request, one bounded answer, one deadline.

use crate::SetupError;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest answer that is read, in bytes. Inclusive.
pub(crate) const ANSWER_BYTES_MAX: usize = symbolon_wire::key_set::KEY_SET_BYTES_MAX;

/// How long a connection may take to come about. Inclusive.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How long an unused connection is kept. Shorter than what servers and balancers usually allow.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Speaks to the authority. It follows no redirect: keys come from where the configuration says.
pub(crate) struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Http {
    pub(crate) fn new() -> Result<Self, SetupError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        // The provider is named here and not taken from the process: a library has no say in that.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|_| SetupError::Tls)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(connector);
        Ok(Self(client))
    }

    /// Fetches a document.
    pub(crate) async fn get(&self, uri: &Uri, deadline: Duration) -> Result<Bytes, FetchError> {
        self.call(request(Method::GET, uri, Bytes::new()), deadline).await
    }

    /// Posts a form, with a credential.
    pub(crate) async fn post_form(
        &self,
        uri: &Uri,
        authorization: &HeaderValue,
        form: String,
        deadline: Duration,
    ) -> Result<Bytes, FetchError> {
        let mut request = request(Method::POST, uri, form.into());
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form_type);
        request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        self.call(request, deadline).await
    }

    async fn call(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Duration,
    ) -> Result<Bytes, FetchError> {
        tokio::time::timeout(deadline, self.exchange(request))
            .await
            .map_err(|_| FetchError::Late)?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Bytes, FetchError> {
        let answer = self.0.request(request).await.map_err(|_| FetchError::Unreachable)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|failed| {
            match failed.is::<http_body_util::LengthLimitError>() {
                true => FetchError::Oversized,
                false => FetchError::Unreachable,
            }
        })
    }
}

fn request(method: Method, uri: &Uri, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri.clone();
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request
}

/// Why the authority's answer could not be had or used. Another try may go better.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    Late,
    /// Another status than 200; redirects are not followed.
    Status(u16),
    /// The answer is longer than 64 KiB.
    Oversized,
    /// The metadata is not what RFC 8414 says; a whole sentence's predicate.
    Metadata(&'static str),
    /// The keys cannot be used; the member that is wrong.
    Keys(symbolon_wire::Malformed),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("the authority could not be reached"),
            Self::Late => f.write_str("the authority did not answer in time"),
            Self::Status(status) => write!(f, "the authority answered {status}"),
            Self::Oversized => f.write_str("the authority's answer is longer than 64 KiB"),
            Self::Metadata(why) => write!(f, "the authority's metadata {why}"),
            Self::Keys(why) => write!(f, "the authority's key set is refused: {why}"),
        }
    }
}

impl std::error::Error for FetchError {}
