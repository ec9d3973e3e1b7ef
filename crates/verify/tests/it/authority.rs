//! An authority on the loopback that answers as it is told.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use symbolon_wire::{SigningKey, key_set_json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub(crate) const METADATA: &str = "/.well-known/oauth-authorization-server";
pub(crate) const JWKS: &str = "/.well-known/jwks.json";
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
pub(crate) const ACTIVITY: &str = "/v1/activity";
pub(crate) const REDEEM: &str = "/v1/tokens/redeem";

/// What a path answers.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    /// A permit is taken from here before the answer leaves.
    pub(crate) gate: Option<Arc<Semaphore>>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), gate: None }
    }

    pub(crate) fn ok(body: impl Into<Bytes>) -> Self {
        Self::new(200, body)
    }

    pub(crate) fn behind(self, gate: &Arc<Semaphore>) -> Self {
        Self { gate: Some(Arc::clone(gate)), ..self }
    }
}

/// The last question about a token: its headers and its body.
pub(crate) type Question = (HeaderMap, String);

#[derive(Default)]
struct State {
    answers: Mutex<HashMap<String, Answer>>,
    asked: Mutex<HashMap<String, usize>>,
    last: Mutex<Option<Question>>,
    told: Mutex<Vec<Question>>,
    open: AtomicUsize,
    open_most: AtomicUsize,
}

#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) issuer: String,
    state: Arc<State>,
}

impl Authority {
    /// An authority that publishes these keys and finds every token active.
    pub(crate) async fn start(keys: &[&SigningKey]) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), keys)
    }

    pub(crate) fn on(listener: TcpListener, keys: &[&SigningKey]) -> Self {
        let address: SocketAddr = listener.local_addr().unwrap();
        let issuer = format!("http://{address}");
        let authority = Self { issuer, state: Arc::default() };
        authority.answers(METADATA, Answer::ok(authority.metadata()));
        authority.publish(keys);
        authority.answers(INTROSPECT, Answer::ok(r#"{"active":true}"#));
        let state = Arc::clone(&authority.state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        authority
    }

    pub(crate) fn metadata(&self) -> String {
        let issuer = &self.issuer;
        format!(
            r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}{JWKS}","introspection_endpoint":"{issuer}{INTROSPECT}"}}"#
        )
    }

    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        let jwks: Vec<_> = keys.iter().filter_map(|key| key.public_jwk()).collect();
        self.answers(JWKS, Answer::ok(key_set_json(&jwks)));
    }

    pub(crate) fn answers(&self, path: &str, answer: Answer) {
        self.state.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.state.asked.lock().unwrap().get(path).copied().unwrap_or_default()
    }

    pub(crate) fn last(&self) -> Question {
        self.state.last.lock().unwrap().clone().unwrap()
    }

    /// What was told of activity: headers and bodies.
    pub(crate) fn told(&self) -> Vec<Question> {
        self.state.told.lock().unwrap().clone()
    }

    /// The most questions that were open at once.
    pub(crate) fn open_most(&self) -> usize {
        self.state.open_most.load(Ordering::SeqCst)
    }
}

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let form = body.collect().await.unwrap().to_bytes();
    let path = parts.uri.path().to_owned();
    let open = state.open.fetch_add(1, Ordering::SeqCst) + 1;
    state.open_most.fetch_max(open, Ordering::SeqCst);
    let told = state.answers.lock().unwrap().get(&path).cloned();
    if path == ACTIVITY {
        let body = String::from_utf8(form.to_vec()).unwrap();
        state.told.lock().unwrap().push((parts.headers.clone(), body));
    }
    if path == INTROSPECT || path == REDEEM {
        let form = String::from_utf8(form.to_vec()).unwrap();
        *state.last.lock().unwrap() = Some((parts.headers, form));
    }
    *state.asked.lock().unwrap().entry(path).or_default() += 1;
    let told = told.unwrap_or_else(|| Answer::new(404, ""));
    if let Some(gate) = told.gate {
        gate.acquire().await.unwrap().forget();
    }
    state.open.fetch_sub(1, Ordering::SeqCst);
    let mut answer = Response::new(Full::new(told.body));
    *answer.status_mut() = told.status.try_into().unwrap();
    Ok(answer)
}
