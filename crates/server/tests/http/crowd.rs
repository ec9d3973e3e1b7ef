//! Thousands of connections on which nothing is said: the limit holds, and honest clients are served as fast
//! as before.
//!
//! The comparison is a figure, so it is held only where `CROWD_RATIO_MAX` says so: in `scripts/long`, on a
//! machine that does nothing else.

use crate::common::{Ask, Connection, SOON, Server, Tokens};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::time::Duration;
use symbolon::http::serve::HEADER_TIME_MAX;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// How many connections, unless `CROWD` says otherwise.
const CROWD: usize = 2_000;

/// How many renewals are measured. Fewer would make the 99th percentile a matter of luck.
const ASKED: usize = 1_000;

#[expect(clippy::disallowed_methods, reason = "how large the crowd is is said from outside")]
fn said(name: &str) -> Option<f64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Each connection needs a descriptor here too.
fn take_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// The 99th percentile of a renewal, each by the token of the one before.
async fn renewals(server: &Server, connection: &mut Connection) -> Duration {
    let body = json!({"subject": "alice", "client_id": "app", "device": {"class": "app"}});
    let mut newest = Tokens::of(&server.start_session(&body).await.expect(201));
    let mut times = Vec::with_capacity(ASKED);
    for at in 0..ASKED {
        if at % 8 == 0 {
            // With eight windows open a family does not go on.
            newest = Tokens::of(&server.start_session(&body).await.expect(201));
        }
        let began = Instant::now();
        let answer = connection.ask(Ask::refresh("app", &newest.refresh)).await.unwrap();
        times.push(began.elapsed());
        newest = Tokens::of(&answer.expect(200));
    }
    times.sort_unstable();
    times[ASKED * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_says_nothing_keeps_nobody_waiting_and_is_sent_away() {
    take_descriptors();
    let server = Server::with(&[]).await;
    let mut connection = Connection::open(&server.authority).await.unwrap();
    let alone = renewals(&server, &mut connection).await;
    let count = said("CROWD").map_or(CROWD, |count| count as usize);
    let mut crowd = Vec::with_capacity(count);
    for _ in 0..count {
        let connected = timeout(SOON, TcpStream::connect(&server.authority)).await;
        crowd.push(connected.expect("room for one more").unwrap());
    }
    let among = renewals(&server, &mut connection).await;
    println!("p99 of a renewal: {alone:?} alone, {among:?} among {count}");
    if let Some(most) = said("CROWD_RATIO_MAX") {
        assert!(among.as_secs_f64() < most * alone.as_secs_f64(), "{among:?}, alone {alone:?}");
    }
    for stream in &crowd {
        let ended = timeout(HEADER_TIME_MAX + SOON, stream.readable()).await;
        ended.expect("whoever says nothing is sent away").unwrap();
        assert_eq!(stream.try_read(&mut [0; 1]).unwrap_or(0), 0, "and told nothing");
    }
}
