//! An authority on the loopback that sends the feed of a [`Script`], and misbehaves as it is told.

use crate::authority::{INTROSPECT, JWKS, METADATA};
use crate::script::{Script, text};
use crate::tokens::{AUDIENCE, key};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame as Piece, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use symbolon_verify::{Algorithm, Builder, Now, Policy, Presented, Rejected, Verifier};
use symbolon_wire::SigningKey;
use symbolon_wire::feed::Frame;
use symbolon_wire::key_set_json;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

const SNAPSHOT: &str = "/v1/feed/snapshot";
const STREAM: &str = "/v1/feed";
const POLL: &str = "/v1/feed/poll";
const APPLIED: &str = "/v1/feed/applied";
const ENDED: &str = "/v1/feed/ended";

/// How often an idle stream gets its checkpoint; a real one waits a second.
const BEAT: Duration = Duration::from_millis(100);

/// What is done about a path instead of answering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The head comes, and then nothing.
    Swallows,
    /// Nothing comes at all.
    Hangs,
    /// Another status.
    Status(u16),
}

#[derive(Default)]
struct State {
    faults: Vec<(&'static str, Fault)>,
    asked: Vec<String>,
    applied: Vec<Value>,
    ended: Value,
    introspected: HashMap<String, String>,
    gate: Option<Arc<Semaphore>>,
    extra: Vec<Frame>,
    authorization: String,
}

pub(crate) struct Sender {
    pub(crate) script: Mutex<Script>,
    state: Mutex<State>,
    changed: Notify,
    began: Instant,
    keys: Mutex<String>,
    /// How far the verifier's steady clock has been set on.
    slept: Mutex<Duration>,
    address: SocketAddr,
    tasks: Mutex<JoinSet<()>>,
}

impl Sender {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Script::of(&format!("http://{address}"), key(Algorithm::EdDsa));
        let sender = Arc::new(Self {
            script: Mutex::new(script),
            state: Mutex::default(),
            changed: Notify::new(),
            began: Instant::now(),
            keys: Mutex::default(),
            slept: Mutex::default(),
            address,
            tasks: Mutex::default(),
        });
        let own: Vec<_> = sender.script.lock().unwrap().key.public_jwk().into_iter().collect();
        *sender.keys.lock().unwrap() = key_set_json(&own);
        sender.serve(listener);
        sender
    }

    fn serve(self: &Arc<Self>, listener: TcpListener) {
        let sender = Arc::clone(self);
        let accept = async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let sender = Arc::clone(&sender);
                let service = service_fn(move |request| Arc::clone(&sender).answer(request));
                let connection = hyper::server::conn::http1::Builder::new();
                connections.spawn(async move {
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        };
        self.tasks.lock().unwrap().spawn(accept);
    }

    /// Goes down: connections break, and nobody listens.
    pub(crate) async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap());
        tasks.shutdown().await;
    }

    pub(crate) async fn start_again(self: &Arc<Self>) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serve(listener);
    }

    /// What a verifier beside it reads.
    pub(crate) fn reading(&self) -> Now {
        let elapsed = self.began.elapsed();
        let slept = *self.slept.lock().unwrap();
        let wall = self.script.lock().unwrap().begin.after(elapsed + slept);
        Now { wall, monotonic: Duration::from_secs(1000) + elapsed + slept }
    }

    /// The verifier's machine is suspended for that long, as its clocks see it.
    pub(crate) fn sleeps(&self, span: Duration) {
        *self.slept.lock().unwrap() += span;
    }

    pub(crate) fn builder(self: &Arc<Self>) -> Builder {
        let (issuer, sender) = (self.script.lock().unwrap().issuer.clone(), Arc::clone(self));
        let builder = Verifier::builder(&issuer).audience(AUDIENCE).feed("sym_ak_test");
        builder.clock(move || sender.reading()).instance("one")
    }

    pub(crate) async fn connect(self: &Arc<Self>) -> Verifier {
        self.builder().connect().await.unwrap()
    }

    pub(crate) fn does(&self, act: impl FnOnce(&mut Script)) {
        let mut script = self.script();
        act(&mut script);
        drop(script);
        self.changed.notify_waiters();
    }

    /// The script, at the present time.
    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        let mut script = self.script.lock().unwrap();
        script.elapsed = self.began.elapsed();
        script
    }

    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        let keys: Vec<_> = keys.iter().filter_map(|key| key.public_jwk()).collect();
        *self.keys.lock().unwrap() = key_set_json(&keys);
    }

    pub(crate) fn fails(&self, faults: &[(&'static str, Fault)]) {
        self.state.lock().unwrap().faults = faults.to_vec();
    }

    /// Sends this to every stream.
    pub(crate) fn sends(&self, frame: Frame) {
        self.state.lock().unwrap().extra.push(frame);
        self.changed.notify_waiters();
    }

    pub(crate) fn says_ended(&self, answer: Value) {
        self.state.lock().unwrap().ended = answer;
    }

    /// What is answered about a token from now on; every other one is active, and nothing more is said.
    pub(crate) fn says(&self, token: &str, body: &str) {
        self.state.lock().unwrap().introspected.insert(token.to_owned(), body.to_owned());
    }

    /// Answers about tokens wait here once they are made.
    pub(crate) fn holds_back(&self, gate: &Arc<Semaphore>) {
        self.state.lock().unwrap().gate = Some(Arc::clone(gate));
    }

    pub(crate) fn asked(&self, path: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }

    pub(crate) fn applied(&self) -> Vec<Value> {
        self.state.lock().unwrap().applied.clone()
    }

    pub(crate) fn authorization(&self) -> String {
        self.state.lock().unwrap().authorization.clone()
    }

    pub(crate) fn judged(
        &self,
        verifier: &Verifier,
        number: u64,
        policy: &Policy,
    ) -> Result<(), Rejected> {
        let token = self.script().token(number);
        verifier.check(&Presented::bearer(&token), policy, self.reading(), |_| ())
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Pieces>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default();
        let query = |name: &str| {
            let pair =
                query.split('&').find_map(|pair| pair.split_once('=').filter(|p| p.0 == name));
            pair.map(|(_, value)| value.to_owned())
        };
        let fault = {
            let mut state = self.state.lock().unwrap();
            state.asked.push(path.clone());
            if let Some(value) = parts.headers.get("authorization") {
                state.authorization = value.to_str().unwrap().to_owned();
            }
            state.faults.iter().find(|(at, _)| path == *at).map(|(_, fault)| *fault)
        };
        match fault {
            Some(Fault::Status(status)) => return Ok(answered(status, "")),
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Swallows) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                return Ok(Response::new(Pieces(receiver, Some(sender))));
            }
            None => {}
        }
        Ok(match &*path {
            METADATA => answered(200, self.metadata()),
            JWKS => answered(200, self.keys.lock().unwrap().clone()),
            INTROSPECT => answered(200, self.introspect(&body).await),
            SNAPSHOT => answered(200, self.script().snapshot()),
            STREAM => self.stream(query("after").unwrap()),
            POLL => self.poll(&query("after").unwrap(), query("wait"), query("nonce")).await,
            APPLIED => {
                let report = serde_json::from_slice(&body).unwrap();
                self.state.lock().unwrap().applied.push(report);
                answered(204, "")
            }
            ENDED => {
                let sids: Value = serde_json::from_slice(&body).unwrap();
                assert!(sids["sids"].as_array().is_some_and(|sids| sids.len() <= 1000));
                answered(200, self.state.lock().unwrap().ended.to_string())
            }
            _ => answered(404, ""),
        })
    }

    async fn introspect(&self, form: &Bytes) -> String {
        let form = String::from_utf8(form.to_vec()).unwrap();
        let token = form.strip_prefix("token=").unwrap().split('&').next().unwrap().to_owned();
        let (body, gate) = {
            let state = self.state.lock().unwrap();
            (state.introspected.get(&token).cloned(), state.gate.clone())
        };
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        body.unwrap_or_else(|| r#"{"active":true}"#.to_owned())
    }

    fn metadata(&self) -> String {
        let issuer = self.script().issuer.clone();
        format!(
            r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}{JWKS}","introspection_endpoint":"{issuer}{INTROSPECT}"}}"#
        )
    }

    fn stream(self: Arc<Self>, mut after: String) -> Response<Pieces> {
        if self.script().frames(&after).is_none() {
            return answered(410, "");
        }
        let (pieces, receiver) = mpsc::unbounded_channel();
        let mut extra = self.state.lock().unwrap().extra.len();
        tokio::spawn(async move {
            loop {
                let changed = self.changed.notified();
                let swallowed =
                    self.state.lock().unwrap().faults.contains(&(STREAM, Fault::Swallows));
                let frames = self.script().frames(&after).filter(|_| !swallowed);
                if let Some(frames) = frames {
                    after = self.script().head().to_text();
                    let more = self.state.lock().unwrap().extra[extra..].to_vec();
                    extra += more.len();
                    let bytes = text(&frames) + &text(&more);
                    if pieces.send(bytes.into()).is_err() || more.iter().any(is_bye) {
                        return;
                    }
                } else if !swallowed {
                    return;
                }
                let _ = timeout(BEAT, changed).await;
            }
        });
        Response::new(Pieces(receiver, None))
    }

    async fn poll(
        &self,
        after: &str,
        wait: Option<String>,
        nonce: Option<String>,
    ) -> Response<Pieces> {
        let wait = wait.map_or(0, |text| text.strip_suffix("ms").unwrap().parse().unwrap());
        let until = Instant::now() + Duration::from_millis(wait);
        loop {
            let changed = self.changed.notified();
            let (frames, head) = {
                let script = self.script();
                let mut frames = script.frames(after);
                if let Some(last) = frames.as_mut().and_then(|frames| frames.last_mut()) {
                    *last = script.checkpoint(nonce.as_deref());
                }
                (frames, script.head().to_text())
            };
            let Some(frames) = frames else { return answered(410, "") };
            if head != after || until <= Instant::now() {
                return answered(200, text(&frames));
            }
            let _ = tokio::time::timeout_at(until, changed).await;
        }
    }
}

fn is_bye(frame: &Frame) -> bool {
    matches!(frame, Frame::Bye(_))
}

fn answered(status: u16, body: impl Into<Bytes>) -> Response<Pieces> {
    let (pieces, receiver) = mpsc::unbounded_channel();
    pieces.send(body.into()).unwrap();
    let mut answer = Response::new(Pieces(receiver, None));
    *answer.status_mut() = status.try_into().unwrap();
    answer
}

/// A body of the pieces that are sent; a kept sender keeps it from ending.
pub(crate) struct Pieces(
    mpsc::UnboundedReceiver<Bytes>,
    #[expect(dead_code, reason = "held, so that the body never ends")]
    Option<mpsc::UnboundedSender<Bytes>>,
);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Piece<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Piece::data(bytes))))
    }
}
