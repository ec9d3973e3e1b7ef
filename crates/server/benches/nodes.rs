//! How soon an end that one node acknowledged is refused everywhere: three nodes on one store, twenty verifiers behind a
//! load balancer, all on this machine.
//!
//! `cargo bench -p symbolon --bench nodes -- [postgres|redis] [seconds]`. A latency runs from the instant at which the DELETE
//! was due to the one at which a verifier was told. The floor is the answer to the DELETE itself.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

#[path = "../tests/http/common/answer.rs"]
#[expect(dead_code, reason = "shared with the tests, which ask more")]
mod answer;
#[path = "../tests/http/common/ask.rs"]
#[expect(dead_code, reason = "shared with the tests, which ask more")]
mod ask;
#[path = "../tests/nodes/balancer.rs"]
mod balancer;
#[path = "../tests/nodes/house.rs"]
#[expect(dead_code, reason = "shared with the tests, which ask more")]
mod house;
#[path = "../tests/nodes/network.rs"]
#[expect(dead_code, reason = "shared with the tests, which cut nodes off")]
mod network;
#[path = "../tests/nodes/node.rs"]
#[expect(dead_code, reason = "shared with the tests, which ask more")]
mod node;
#[path = "../../store/tests/postgres/server.rs"]
#[expect(dead_code, reason = "shared with the tests of the store, which ask more")]
mod postgres;
#[path = "../tests/nodes/proxy.rs"]
#[expect(dead_code, reason = "shared with the tests, which ask more")]
mod proxy;
#[path = "../../store/tests/redis/servers.rs"]
#[expect(dead_code, reason = "shared with the tests of the store, which ask more")]
mod redis;
#[path = "../tests/nodes/soon.rs"]
mod soon;

use answer::Answer;
use ask::Ask;
use hdrhistogram::Histogram;
use house::{House, SignedIn};
use soon::{SOON, pass, until};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use symbolon_verify::{Now, Policy, Presented, Verifier};
use tokio::task::JoinSet;

/// How many verifiers there are.
const VERIFIERS: usize = 20;

/// How long between two ends.
const EVERY: Duration = Duration::from_millis(20);

/// Latencies, in microseconds.
type Heard = Arc<Mutex<Histogram<u64>>>;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let seconds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(10);
    if !words.iter().any(|word| word == "redis") {
        let store = postgres::Server::new(&[]);
        measure("PostgreSQL", House::on_postgres(&store).await, seconds).await;
    }
    if !words.iter().any(|word| word == "postgres") {
        let store = redis::Server::start("redis-server", &redis::KEEPING).await;
        measure("Redis", House::on_redis(&store).await, seconds).await;
    }
}

async fn measure(name: &str, house: House, seconds: u64) {
    let verifiers = house.more_verifiers(VERIFIERS).await;
    let new = || Arc::new(Mutex::new(Histogram::<u64>::new(3).unwrap()));
    let (heard, answered): (Heard, Heard) = (new(), new());
    let mut watching = JoinSet::new();
    let count = (seconds * 1000) / EVERY.as_millis() as u64;
    let mut sessions = Vec::new();
    for number in 0..count {
        sessions.push(house.sign_in(&format!("b{number}")).await);
    }
    let mut tick = tokio::time::interval(EVERY);
    for (number, SignedIn { sid, access, .. }) in sessions.into_iter().enumerate() {
        let due = Arc::new(Mutex::new(None));
        for verifier in &verifiers {
            watching.spawn(told(
                verifier.clone(),
                access.clone(),
                Arc::clone(&due),
                Arc::clone(&heard),
            ));
        }
        tokio::task::yield_now().await;
        tick.tick().await;
        let began = Instant::now();
        *due.lock().unwrap() = Some(began);
        let path = format!("/v1/sessions/{sid}");
        house.ask(number % house.nodes.len(), Ask::delete(&path)).await.expect(200);
        record(&answered, began);
    }
    let all = watching.len();
    let told = watching.join_all().await.into_iter().filter(|told| *told).count();
    let (heard, answered) = (heard.lock().unwrap(), answered.lock().unwrap());
    println!("{name}: three nodes, {VERIFIERS} verifiers, {count} ends; {told} of {all} heard");
    for (what, own) in [("refused at a verifier", &heard), ("floor: the answer", &answered)] {
        let ms = |quantile| own.value_at_quantile(quantile) as f64 / 1000.0;
        let (p50, p99, max) = (ms(0.5), ms(0.99), own.max() as f64 / 1000.0);
        println!("  {what}: p50 {p50:.1} ms, p99 {p99:.1} ms, maximum {max:.1} ms");
    }
}

/// Whether a verifier heard that the session of a token ended.
async fn told(
    verifier: Verifier,
    access: String,
    due: Arc<Mutex<Option<Instant>>>,
    heard: Heard,
) -> bool {
    let shown = Presented::bearer(&access);
    let Ok(verified) = verifier.verify(&shown, &Policy::offline(), Now::read()) else {
        return false;
    };
    let ended = verified.ended().await;
    let began = *due.lock().unwrap();
    let Some(began) = began.filter(|_| ended.is_some()) else { return false };
    record(&heard, began);
    true
}

fn record(histogram: &Heard, began: Instant) {
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    histogram.lock().unwrap().saturating_record(micros);
}
