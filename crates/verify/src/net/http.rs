//! A small client: one request, one bounded answer, one deadline.

use crate::SetupError;
use crate::feed::Gap;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
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

/// How long a large answer may go without another byte. Inclusive.
const PROGRESS_MAX: Duration = Duration::from_secs(5);

/// How long a large answer may take in all. Inclusive.
const DOWNLOAD_MAX: Duration = Duration::from_secs(120);

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
        self.call(request(Method::GET, uri, Bytes::new()), (ANSWER_BYTES_MAX, deadline)).await
    }

    /// Fetches a document of at most so many bytes, with a credential.
    pub(crate) async fn get_with(
        &self,
        uri: &Uri,
        authorization: &HeaderValue,
        bytes_max: usize,
        deadline: Duration,
    ) -> Result<Bytes, FetchError> {
        let request = authorized(request(Method::GET, uri, Bytes::new()), authorization);
        self.call(request, (bytes_max, deadline)).await
    }

    /// Posts JSON, with a credential; the answer has at most so many bytes and takes at most so long.
    pub(crate) async fn post_json(
        &self,
        uri: &Uri,
        authorization: &HeaderValue,
        json: String,
        limits: (usize, Duration),
    ) -> Result<Bytes, FetchError> {
        let mut request = authorized(request(Method::POST, uri, json.into()), authorization);
        let json_type = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json_type);
        self.call(request, limits).await
    }

    /// Posts JSON, with a credential, and reads what is answered, refusals too.
    pub(crate) async fn post_json_told(
        &self,
        uri: &Uri,
        authorization: &HeaderValue,
        json: String,
        deadline: Duration,
    ) -> Result<(StatusCode, Bytes), FetchError> {
        let mut request = authorized(request(Method::POST, uri, json.into()), authorization);
        let json_type = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json_type);
        let exchange = async {
            let answer = self.0.request(request).await.map_err(|_| FetchError::Unreachable)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|_| FetchError::Unreachable)?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(deadline, exchange).await.map_err(|_| FetchError::Late)?
    }

    /// Opens what has no end; its head must come in time.
    pub(crate) async fn open(
        &self,
        uri: &Uri,
        authorization: &HeaderValue,
        deadline: Duration,
    ) -> Result<Incoming, FetchError> {
        let mut request = authorized(request(Method::GET, uri, Bytes::new()), authorization);
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        let answer = tokio::time::timeout(deadline, self.answer(request));
        answer.await.map_err(|_| FetchError::Late)?.map(Response::into_body)
    }

    /// Fetches something large: it may take long, but something of it must always come.
    pub(crate) async fn download(
        &self,
        uri: &Uri,
        authorization: &HeaderValue,
        bytes_max: usize,
    ) -> Result<Vec<u8>, FetchError> {
        let whole = async {
            let mut body = self.open(uri, authorization, PROGRESS_MAX).await?;
            let mut bytes = Vec::new();
            loop {
                let next = tokio::time::timeout(PROGRESS_MAX, body.frame()).await;
                let Some(frame) = next.map_err(|_| FetchError::Late)? else { return Ok(bytes) };
                let frame = frame.map_err(|_| FetchError::Unreachable)?;
                let data = frame.into_data().unwrap_or_default();
                if bytes_max < bytes.len() + data.len() {
                    return Err(FetchError::Oversized);
                }
                bytes.extend_from_slice(&data);
            }
        };
        tokio::time::timeout(DOWNLOAD_MAX, whole).await.map_err(|_| FetchError::Late)?
    }

    /// Posts a form, with a credential.
    pub(crate) async fn post_form(
        &self,
        uri: &Uri,
        authorization: &HeaderValue,
        form: String,
        deadline: Duration,
    ) -> Result<Bytes, FetchError> {
        let mut request = authorized(request(Method::POST, uri, form.into()), authorization);
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form_type);
        self.call(request, (ANSWER_BYTES_MAX, deadline)).await
    }

    async fn call(
        &self,
        request: Request<Full<Bytes>>,
        (bytes_max, deadline): (usize, Duration),
    ) -> Result<Bytes, FetchError> {
        tokio::time::timeout(deadline, self.exchange(request, bytes_max))
            .await
            .map_err(|_| FetchError::Late)?
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<Bytes, FetchError> {
        let answer = self.answer(request).await?;
        let body = Limited::new(answer.into_body(), bytes_max).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|failed| {
            match failed.is::<http_body_util::LengthLimitError>() {
                true => FetchError::Oversized,
                false => FetchError::Unreachable,
            }
        })
    }

    async fn answer(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, FetchError> {
        let answer = self.0.request(request).await.map_err(|_| FetchError::Unreachable)?;
        match answer.status() {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(answer),
            other => Err(FetchError::Status(other.as_u16())),
        }
    }
}

fn authorized(
    mut request: Request<Full<Bytes>>,
    authorization: &HeaderValue,
) -> Request<Full<Bytes>> {
    request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
    request
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
    /// The answer is longer than such an answer may be.
    Oversized,
    /// The metadata is not what RFC 8414 says; a whole sentence's predicate.
    Metadata(&'static str),
    /// The keys cannot be used; the member that is wrong.
    Keys(symbolon_wire::Malformed),
    /// The feed cannot be followed from where we stand; it is taken up by a snapshot.
    Feed(Gap),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("the authority could not be reached"),
            Self::Late => f.write_str("the authority did not answer in time"),
            Self::Status(status) => write!(f, "the authority answered {status}"),
            Self::Oversized => f.write_str("the authority's answer is longer than it may be"),
            Self::Metadata(why) => write!(f, "the authority's metadata {why}"),
            Self::Feed(gap) => gap.fmt(f),
            Self::Keys(why) => write!(f, "the authority's key set is refused: {why}"),
        }
    }
}

impl std::error::Error for FetchError {}
