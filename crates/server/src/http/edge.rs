//! The outermost layer: a name for every request, a limit on its time, and one way of saying no.

use super::forwarded::client_address;
use super::oauth_error::OAuthError;
use super::problem::Problem;
use super::serve::Peer;
use crate::app::Live;
use crate::config::Gateway;
use crate::metrics::Metrics;
use axum::body::Body;
use axum::extract::{FromRef, Request, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use symbolon_core::revocation::{Act, Actor};
use tokio::time::{Duration, timeout};

/// How long the authority works on one request before it gives up.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(15);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request beside its contents.
#[derive(Clone)]
pub struct Context {
    /// `X-Request-Id` of the answer and of every log line about it.
    pub request_id: Arc<str>,
    /// Where it came from: what a trusted proxy says, else who connected.
    pub address: IpAddr,
    /// Who asks over the admin socket, by their user id.
    pub operator: Option<u32>,
}

impl Context {
    /// An act in the course of this request.
    pub fn act(&self, actor: Actor, note: Option<Arc<str>>) -> Act {
        let ip = self.operator.is_none().then(|| self.address.to_string().into());
        Act { actor, note, ip, request_id: Arc::clone(&self.request_id) }
    }
}

/// What a process gives this layer.
#[derive(Clone)]
pub struct Edge {
    /// What the requests of this process are named after.
    pub name: Arc<str>,
    /// Whom to believe about who asks.
    pub gateway: Arc<Gateway>,
    /// Where requests without an answer are counted.
    pub metrics: Arc<Metrics>,
}

impl FromRef<Live> for Edge {
    fn from_ref(live: &Live) -> Self {
        let app = live.now();
        let (name, gateway) = (Arc::clone(&app.name), Arc::clone(&app.config.gateway));
        Self { name, gateway, metrics: Arc::clone(&app.metrics) }
    }
}

/// Names the request, runs it, and writes its refusal if it has one.
pub async fn edge(State(own): State<Edge>, mut request: Request, next: Next) -> Response {
    let (address, operator) = match request.extensions().get::<Peer>() {
        Some(Peer::Address(address)) => {
            (client_address(&own.gateway, *address, request.headers()), None)
        }
        Some(Peer::Operator(uid)) => (IpAddr::V4(Ipv4Addr::LOCALHOST), Some(*uid)),
        None => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), None),
    };
    let context = Context { request_id: request_id(&own), address, operator };
    let oauth = request.uri().path().starts_with("/oauth2/");
    request.extensions_mut().insert(context.clone());
    let refuse = |problem: Problem| match oauth {
        true => OAuthError::from(problem).into_response(),
        false => problem.into_response(),
    };
    let one_way = is_chunked(&request);
    let mut response = if has_one_host(&request) {
        let answered = timeout(REQUEST_TIME_MAX, next.run(request)).await;
        answered.unwrap_or_else(|_| refuse(overdue()))
    } else {
        refuse(Problem::member("Host", "must be there once (RFC 9112 §3.2)"))
    };
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        own.metrics.unanswered();
    }
    if one_way {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    finish(response, &context, oauth)
}

/// Two hosts, or none, is how one request becomes two to a proxy in front of us.
fn has_one_host(request: &Request) -> bool {
    let count = request.headers().get_all(HOST).iter().count();
    match request.version() {
        Version::HTTP_11 => count == 1,
        _ => count <= 1,
    }
}

/// A chunked body may have come with a length too, which hyper drops unseen: a proxy before us that obeyed
/// the length would take what follows for another request. So nothing follows (RFC 9112 §6.1).
fn is_chunked(request: &Request) -> bool {
    request.version() == Version::HTTP_11 && request.headers().contains_key(TRANSFER_ENCODING)
}

fn overdue() -> Problem {
    let detail = "The authority did not answer in time. The request may have taken effect.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "Try again", detail).retry_after(1)
}

fn finish(mut response: Response, context: &Context, oauth: bool) -> Response {
    let problem = response.extensions_mut().remove::<Problem>();
    let error = response.extensions_mut().remove::<OAuthError>();
    let status = response.status();
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
    let bare = status.is_client_error() || status.is_server_error();
    match (problem, error) {
        (Some(problem), _) => {
            log(context, status, problem.code());
            let (status, body) = problem.render(&context.request_id, headers);
            replace(response, status, body)
        }
        (None, Some(error)) => {
            log(context, status, error.code());
            let (status, body) = error.render(&context.request_id, headers);
            replace(response, status, body)
        }
        (None, None) if bare && oauth => {
            let error = OAuthError::bad_body(status, "There is no such call.");
            let (status, body) = error.render(&context.request_id, headers);
            replace(response, status, body)
        }
        (None, None) if bare => {
            let (status, body) = Problem::of_status(status).render(&context.request_id, headers);
            replace(response, status, body)
        }
        (None, None) => response,
    }
}

fn replace(mut response: Response, status: StatusCode, body: Body) -> Response {
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.status_mut() = status;
    *response.body_mut() = body;
    response
}

/// The detail is for the caller alone: it may repeat what they sent.
fn log(context: &Context, status: StatusCode, code: &str) {
    let status = status.as_u16();
    tracing::info!(request_id = &*context.request_id, status, code, "refused");
}

/// A process's own prefix and a count: unique, and cheap enough for every request.
fn request_id(own: &Edge) -> Arc<str> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{count:x}", own.name).into()
}

/// Says that an answer holds a token, or a secret about one, and must not be kept (RFC 6749 §5.1).
pub fn no_store(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
