//! The load: connections, their shares of the sessions, and what each of them saw.

use super::token_endpoint::{TokenAnswer, TokenEndpoint};
use crate::cli::Failure;
use crate::cli::net::{Connection, Net, NoAnswer};
use crate::cli::stopwatch::Stopwatch;
use hdrhistogram::Histogram;
use http::StatusCode;
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
