//! A back end that is asked about renewals, and says what a test wants it to say.

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What it does when it is asked.
#[derive(Clone)]
pub(crate) enum Mood {
    /// It answers 200 with this body.
    Says(String),
    /// It answers this status.
    Status(u16),
    /// It says that somebody else is to be asked.
    Redirects(String),
    /// It says nothing.
    Silent,
    /// It answers 200 with this body, once it is let.
    Waits(String),
}

/// One question that it was asked.
#[derive(Clone)]
pub(crate) struct Heard {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Heard {
    /// The question.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// What it says of who asks.
    pub(crate) fn token(&self) -> &str {
        self.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap()
    }
}

struct Shared {
    mood: Mutex<Mood>,
    heard: Mutex<Vec<Heard>>,
    let_go: Semaphore,
}

/// A back end on this machine.
pub(crate) struct BackEnd {
    pub(crate) url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl BackEnd {
    /// One that says this.
    pub(crate) async fn saying(answer: &Value) -> Self {
        let shared = Shared {
            mood: Mutex::new(Mood::Says(answer.to_string())),
            heard: Mutex::default(),
            let_go: Semaphore::new(0),
        };
        Self::on(bound("127.0.0.1:0".parse().unwrap()), Arc::new(shared))
    }

    fn on(socket: TcpSocket, shared: Arc<Shared>) -> Self {
        let listener = socket.listen(1024).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url: format!("http://{address}/renewals"), address, shared, serving }
    }

    /// Says something else from now on.
    pub(crate) fn says(&self, answer: &Value) {
        self.is(Mood::Says(answer.to_string()));
    }

    /// Does something else from now on.
    pub(crate) fn is(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// Lets everybody have their answer who waits for it.
    pub(crate) fn let_go(&self) {
        self.shared.let_go.add_permits(1);
    }

    /// What it was asked so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.shared.heard.lock().unwrap().clone()
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.heard().len()
    }

    /// Goes away: nothing listens there any more, and nobody else is given the port.
    pub(crate) async fn goes_away(self) -> GoneAway {
        let held = bound(self.address);
        self.serving.abort();
        let _ = self.serving.await;
        GoneAway { held, shared: self.shared }
    }
}

/// A back end that went away.
pub(crate) struct GoneAway {
    held: TcpSocket,
    shared: Arc<Shared>,
}

impl GoneAway {
    /// Comes back to where it was.
    pub(crate) fn comes_back(self) -> BackEnd {
        BackEnd::on(self.held, self.shared)
    }
}

/// Has an address, beside whoever of this test has it, and does not listen.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    shared.heard.lock().unwrap().push(Heard { headers: parts.headers, body });
    let mood = shared.mood.lock().unwrap().clone();
    match mood {
        Mood::Says(text) => text.into_response(),
        Mood::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mood::Redirects(to) => (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response(),
        Mood::Silent => pending().await,
        Mood::Waits(text) => {
            let permit = shared.let_go.acquire().await.unwrap();
            drop(permit);
            text.into_response()
        }
    }
}
