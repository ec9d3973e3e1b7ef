//! The load: sessions, connections, and what each of them saw.

use super::RefreshArgs;
use super::token_endpoint::{TokenAnswer, TokenEndpoint};
use crate::cli::Failure;
use crate::cli::api::{host, origin_form, read_json, refusal};
use crate::cli::net::{Connection, Net, NoAnswer, at};
use crate::cli::stopwatch::Stopwatch;
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// How many different errors a report tells apart; the others are counted together. Inclusive.
const ERRORS_MAX: usize = 32;

/// How often a connection is opened anew without an answer between, before it gives up. Inclusive.
const RECONNECTS_MAX: u32 = 5;

/// Where the load goes, and for how long.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) net: Arc<Net>,
    pub(super) endpoint: Arc<TokenEndpoint>,
    pub(super) duration: Duration,
}

/// What was seen.
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) advanced: u64,
    pub(super) seconds: f64,
    /// Microseconds of answers that were 200.
    pub(super) micros: Histogram<u64>,
    pub(super) errors: BTreeMap<String, u64>,
}

impl Tally {
    fn new() -> Result<Self, Failure> {
        let micros = Histogram::new_with_bounds(1, 60_000_000, 3)
            .map_err(|why| Failure::could_not("could not measure").because(why))?;
        Ok(Self { requests: 0, advanced: 0, seconds: 0.0, micros, errors: BTreeMap::new() })
    }

    pub(super) fn answered_well(&self) -> bool {
        !self.micros.is_empty()
    }

    fn note(&mut self, error: String) {
        let full = self.errors.len() >= ERRORS_MAX && !self.errors.contains_key(&error);
        let error = if full { "other".to_owned() } else { error };
        *self.errors.entry(error).or_default() += 1;
    }

    fn note_duration(&mut self, duration: Duration) {
        self.micros.saturating_record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.advanced += other.advanced;
        // Both have the same bounds, so nothing can be lost.
        let _ = self.micros.add(&other.micros);
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
    }
}

/// The refresh tokens to begin with.
pub(super) async fn tokens(args: &RefreshArgs, net: &Arc<Net>) -> Result<Vec<String>, Failure> {
    let count = usize::try_from(args.sessions).unwrap_or(usize::MAX);
    if let Some(path) = &args.tokens {
        let text = std::fs::read_to_string(path).map_err(|why| {
            Failure::could_not(format!("could not read {}", path.display())).because(why)
        })?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        return Ok(lines.take(count).map(str::to_owned).collect());
    }
    let (Some(authority), Some(key)) = (&args.authority, &args.api_key) else {
        return Err(Failure::wrong_usage("give --tokens, or --authority and --api-key"));
    };
    let starter = Starter {
        net: net.clone(),
        uri: at(authority, "/v1/sessions"),
        bearer: format!("Bearer {key}"),
        client_id: args.client_id.clone(),
        run: std::process::id(),
        bar: progress(u64::from(args.sessions), args.json),
    };
    start_all(Arc::new(starter), count, usize::from(args.connections)).await
}

fn progress(sessions: u64, json: bool) -> ProgressBar {
    let style = ProgressStyle::with_template("starting sessions {bar:40} {pos}/{len}");
    let target =
        if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
    let bar = ProgressBar::with_draw_target(Some(sessions), target);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Starts sessions at an authority.
struct Starter {
    net: Arc<Net>,
    uri: Uri,
    bearer: String,
    client_id: String,
    run: u32,
    bar: ProgressBar,
}

async fn start_all(
    starter: Arc<Starter>,
    count: usize,
    connections: usize,
) -> Result<Vec<String>, Failure> {
    let mut starting = JoinSet::new();
    for worker in 0..connections.min(count) {
        let starter = starter.clone();
        starting.spawn(async move { starter.start((worker..count).step_by(connections)).await });
    }
    let mut tokens = Vec::with_capacity(count);
    while let Some(started) = starting.join_next().await {
        tokens.extend(started.map_err(|why| Failure::could_not("stopped").because(why))??);
    }
    starter.bar.finish_and_clear();
    Ok(tokens)
}

impl Starter {
    async fn start(
        &self,
        numbers: impl Iterator<Item = usize> + Send,
    ) -> Result<Vec<String>, Failure> {
        let no_answer = |why: NoAnswer| Failure::could_not("could not start sessions").because(why);
        let mut connection = self.net.connect(&self.uri).await.map_err(no_answer)?;
        let mut tokens = Vec::new();
        for number in numbers {
            let answer = connection.send(self.request(number)?).await.map_err(no_answer)?;
            if answer.status != StatusCode::CREATED {
                return Err(refusal("POST /v1/sessions", &answer));
            }
            match read_json(&answer)?["refresh_token"].as_str() {
                Some(token) => tokens.push(token.to_owned()),
                None => return Err(Failure::refused("this client gets no refresh tokens")),
            }
            self.bar.inc(1);
        }
        Ok(tokens)
    }

    fn request(&self, number: usize) -> Result<Request<Full<Bytes>>, Failure> {
        let body: Value = json!({
            "subject": format!("bench-{}-{number}", self.run),
            "client_id": self.client_id,
            "device": { "class": "web" },
        });
        Request::post(origin_form(&self.uri))
            .header(header::HOST, host(&self.uri))
            .header(header::AUTHORIZATION, &self.bearer)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|_| Failure::wrong_usage("the API key has characters that no API key has"))
    }
}

/// Deals the sessions out: every connection has its own, and no session two.
pub(super) fn shares(tokens: Vec<String>, connections: usize) -> Vec<VecDeque<String>> {
    let mut shares = vec![VecDeque::new(); connections.min(tokens.len())];
    let count = shares.len();
    for (at, token) in tokens.into_iter().enumerate() {
        shares[at % count].push_back(token);
    }
    shares
}

/// Renews until the time is over. All connections stand before the first request.
pub(super) async fn measure(load: &Load, shares: Vec<VecDeque<String>>) -> Result<Tally, Failure> {
    let barrier = Arc::new(Barrier::new(shares.len() + 1));
    let mut workers = JoinSet::new();
    for share in shares {
        let connection = load.net.connect(&load.endpoint.uri).await.map_err(|why| {
            Failure::could_not(format!("no answer from {}", load.endpoint.uri)).because(why)
        })?;
        let worker = Worker { load: load.clone(), connection, share, tally: Tally::new()? };
        let barrier = barrier.clone();
        workers.spawn(async move {
            barrier.wait().await;
            worker.run().await
        });
    }
    barrier.wait().await;
    let watch = Stopwatch::start();
    let mut tally = Tally::new()?;
    while let Some(worker) = workers.join_next().await {
        tally.add(worker.map_err(|why| Failure::could_not("stopped").because(why))?);
    }
    tally.seconds = watch.elapsed().as_secs_f64();
    Ok(tally)
}

/// One connection and its share of the sessions.
struct Worker {
    load: Load,
    connection: Connection,
    share: VecDeque<String>,
    tally: Tally,
}

impl Worker {
    async fn run(mut self) -> Tally {
        let watch = Stopwatch::start();
        let mut reconnects = 0;
        while watch.elapsed() < self.load.duration && reconnects <= RECONNECTS_MAX {
            let Some(token) = self.share.pop_front() else { break };
            match self.renew(token).await {
                Ok(()) => reconnects = 0,
                Err(why) => {
                    reconnects += 1;
                    self.reconnect(&why).await;
                }
            }
        }
        self.tally
    }

    /// Sends the newest token of a session, and keeps the one that the answer holds.
    async fn renew(&mut self, token: String) -> Result<(), NoAnswer> {
        let watch = Stopwatch::start();
        let request = self.load.endpoint.refresh(&token);
        let answer = match self.connection.send(request).await {
            Ok(answer) => answer,
            Err(why) => {
                // The answer may be lost, not the renewal: the same token earns the same again.
                self.share.push_back(token);
                return Err(why);
            }
        };
        let elapsed = watch.elapsed();
        self.tally.requests += 1;
        let read = TokenAnswer::read(&answer);
        if answer.status != StatusCode::OK {
            self.tally.note(read.error(&answer));
            // 400 is final: the session is over. Anything else may pass.
            if answer.status != StatusCode::BAD_REQUEST {
                self.share.push_back(token);
            }
            return Ok(());
        }
        self.tally.note_duration(elapsed);
        match read.refresh_token {
            Some(newer) if *newer != *token => {
                self.tally.advanced += 1;
                self.share.push_back(newer.into_owned());
            }
            Some(_) | None => self.share.push_back(token),
        }
        Ok(())
    }

    async fn reconnect(&mut self, why: &NoAnswer) {
        self.tally.note(match why {
            NoAnswer::Connection(_) => "connection".to_owned(),
            NoAnswer::Timeout => "timeout".to_owned(),
        });
        if let Ok(connection) = self.load.net.connect(&self.load.endpoint.uri).await {
            self.connection = connection;
        }
    }
}

/// Requests per second of an empty handler at the same host; `None` if it has no `/livez`.
pub(super) async fn measure_floor(
    load: &Load,
    connections: usize,
    duration: Duration,
) -> Option<f64> {
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let load = load.clone();
        let mut connection = load.net.connect(&load.endpoint.uri).await.ok()?;
        workers.spawn(async move {
            let watch = Stopwatch::start();
            let mut answers = 0_u64;
            while watch.elapsed() < duration {
                let answer = connection.send(load.endpoint.livez()).await.ok()?;
                answers += u64::from(answer.status == StatusCode::OK);
            }
            Some(answers)
        });
    }
    let watch = Stopwatch::start();
    let mut answers = 0;
    while let Some(worker) = workers.join_next().await {
        answers += worker.ok()??;
    }
    (answers > 0).then(|| answers as f64 / watch.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_is_dealt_to_one_connection() {
        let tokens: Vec<_> = (0..10).map(|n| n.to_string()).collect();
        let dealt = shares(tokens.clone(), 4);
        assert_eq!(dealt.iter().map(VecDeque::len).collect::<Vec<_>>(), [3, 3, 2, 2]);
        let mut all: Vec<_> = dealt.into_iter().flatten().collect();
        all.sort();
        assert_eq!(all, tokens);
        assert_eq!(shares(tokens, 64).len(), 10);
    }

    #[test]
    fn errors_beyond_a_bound_are_counted_together() {
        let mut tally = Tally::new().unwrap();
        for n in 0..1000 {
            tally.note(format!("400 {n}"));
        }
        assert!(tally.errors.len() <= ERRORS_MAX + 1);
        assert_eq!(tally.errors.values().sum::<u64>(), 1000);
    }
}
