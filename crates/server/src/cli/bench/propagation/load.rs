//! Sessions that are started, and ended one by one at instants fixed before.

use super::authority::Authority;
use super::steady::{due_us, now_us, wait_until};
use crate::cli::Failure;
use crate::cli::api::{host, origin_form, read_json, refusal};
use crate::cli::net::{Answer, Connection, Net, NoAnswer, at, escape};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// On how many connections sessions are started and ended. Inclusive.
const CONNECTIONS_MAX: usize = 64;

/// A session that was started.
struct Started {
    sid: String,
    token: String,
}

/// Sessions at an authority.
pub(super) struct Load {
    caller: Arc<Caller>,
    sessions: Arc<Vec<Started>>,
}

/// Who asks.
struct Caller {
    net: Arc<Net>,
    base: Uri,
    bearer: String,
    client_id: String,
}

impl Load {
    /// Starts so many sessions, of as many subjects.
    pub(super) async fn start(
        authority: &Authority,
        net: &Arc<Net>,
        client_id: &str,
        count: usize,
    ) -> Result<Self, Failure> {
        let caller = Arc::new(Caller {
            net: Arc::clone(net),
            base: authority.url.clone(),
            bearer: format!("Bearer {}", authority.api_key),
            client_id: client_id.to_owned(),
        });
        let mut starting = JoinSet::new();
        for worker in 0..CONNECTIONS_MAX.min(count) {
            let caller = Arc::clone(&caller);
            let numbers = (worker..count).step_by(CONNECTIONS_MAX);
            starting.spawn(async move { caller.start(numbers).await });
        }
        let mut sessions = Vec::with_capacity(count);
        while let Some(started) = starting.join_next().await {
            sessions.extend(started.map_err(|why| Failure::could_not("stopped").because(why))??);
        }
        Ok(Self { caller, sessions: Arc::new(sessions) })
    }

    /// Their access tokens, in the order in which they are ended.
    pub(super) fn tokens(&self) -> Vec<String> {
        self.sessions.iter().map(|started| started.token.clone()).collect()
    }

    /// Ends one after the other, each when it is due whatever became of those before. Answers how long after that each was
    /// answered, in microseconds.
    pub(super) async fn end_all(&self, rate: u32, start_us: u64) -> Result<Vec<u64>, Failure> {
        let count = self.sessions.len();
        let (sender, receiver) = mpsc::channel(count.max(1));
        let receiver = Arc::new(Mutex::new(receiver));
        let mut ending = JoinSet::new();
        for _ in 0..CONNECTIONS_MAX.min(count) {
            let mut connection = self.caller.connect().await?;
            let (caller, sessions) = (Arc::clone(&self.caller), Arc::clone(&self.sessions));
            let receiver = Arc::clone(&receiver);
            ending.spawn(async move {
                let mut answered = Vec::new();
                while let Some((number, due)) = next(&receiver).await {
                    let started: &Started = &sessions[number];
                    caller.end(&mut connection, &started.sid).await?;
                    answered.push(now_us().saturating_sub(due));
                }
                Ok::<_, Failure>(answered)
            });
        }
        // Timers of the runtime are good to a millisecond, which is a part of what is measured.
        let pacing = tokio::task::spawn_blocking(move || {
            for number in 0..count {
                let due = due_us(start_us, rate, number);
                wait_until(due);
                if sender.blocking_send((number, due)).is_err() {
                    return;
                }
            }
        });
        let mut answers = Vec::with_capacity(count);
        while let Some(ended) = ending.join_next().await {
            answers.extend(ended.map_err(|why| Failure::could_not("stopped").because(why))??);
        }
        drop(receiver);
        pacing.await.map_err(|why| Failure::could_not("stopped").because(why))?;
        Ok(answers)
    }
}

async fn next(receiver: &Mutex<mpsc::Receiver<(usize, u64)>>) -> Option<(usize, u64)> {
    receiver.lock().await.recv().await
}

fn no_answer(why: NoAnswer) -> Failure {
    Failure::could_not("no answer from the authority").because(why)
}

impl Caller {
    async fn connect(&self) -> Result<Connection, Failure> {
        self.net.connect(&self.base).await.map_err(no_answer)
    }

    async fn start(
        &self,
        numbers: impl Iterator<Item = usize> + Send,
    ) -> Result<Vec<Started>, Failure> {
        let (mut connection, mut all) = (self.connect().await?, Vec::new());
        let run = now_us();
        for number in numbers {
            let body = json!({
                "subject": format!("bench-{run}-{number}"),
                "client_id": self.client_id,
                "device": { "class": "web" },
            });
            let request = self.request(&Method::POST, "/v1/sessions", body.to_string())?;
            let answer = connection.send(request).await.map_err(no_answer)?;
            expect(&answer, StatusCode::CREATED, (&Method::POST, "/v1/sessions"))?;
            let answer = read_json(&answer)?;
            let text = |member: &str| answer[member].as_str().unwrap_or_default().to_owned();
            all.push(Started { sid: text("session_id"), token: text("access_token") });
        }
        Ok(all)
    }

    async fn end(&self, connection: &mut Connection, sid: &str) -> Result<(), Failure> {
        let path = format!("/v1/sessions/{}", escape(sid));
        let request = self.request(&Method::DELETE, &path, String::new())?;
        let answer = connection.send(request).await.map_err(no_answer)?;
        expect(&answer, StatusCode::OK, (&Method::DELETE, &path))
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: String,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(origin_form(&at(&self.base, path)))
            .header(header::HOST, host(&self.base))
            .header(header::AUTHORIZATION, &self.bearer);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| Failure::wrong_usage("the API key has characters that no API key has"))
    }
}

fn expect(answer: &Answer, status: StatusCode, call: (&Method, &str)) -> Result<(), Failure> {
    if answer.status == status { Ok(()) } else { Err(refusal(call, answer)) }
}
