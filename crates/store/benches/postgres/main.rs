//! What a durable `step` costs on PostgreSQL, beside a bare group commit of the same rows on the same server, and
//! beside one statement for each step.
//!
//! `cargo bench -p symbolon-store --features conformance --bench postgres -- [sessions] [rounds] [seconds]`
//!
//! The server is a real one with its usual durability, started for this and removed afterwards. The floor does
//! nothing but `BEGIN; UPDATE … FROM unnest(…); COMMIT`, over as many connections and in batches as large as the
//! store was seen to use. Rounds are interleaved. The store does all of it: 256 callers each load a session of
//! their own choice, ask `Loaded::refresh`, encode, compare and set, and wait for the disk.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures with the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

#[path = "../step/load.rs"]
mod load;
#[path = "../../tests/postgres/server.rs"]
#[expect(dead_code, reason = "a benchmark only starts and asks the server")]
mod server;

use load::{CALLERS, Measured, fill, median, storm};
use server::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use symbolon_store::Store;
use symbolon_store::postgres::Address;
use tokio::task::JoinSet;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

/// Over how many connections the store makes the usual step.
const CONNECTIONS: usize = 2;

/// Over how many connections single statements go, each with as many under way as it takes.
const SINGLE_CONNECTIONS: usize = 16;

/// Names and bodies of rows, shuffled.
type Rows = Arc<Vec<(Vec<u8>, Vec<u8>)>>;

fn main() {
    let numbers = std::env::args().skip(1).filter_map(|word| word.parse::<u32>().ok());
    let numbers: Vec<u32> = numbers.collect();
    let or = |index: usize, default| numbers.get(index).copied().unwrap_or(default);
    let (sessions, rounds, seconds) = (or(0, 100_000), or(1, 3), or(2, 5));
    let server = Server::new(&["shared_buffers=512MB", "max_wal_size=4GB"]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let span = Duration::from_secs(seconds.into());
    runtime.block_on(compare(&server, sessions, rounds, span));
}

async fn compare(server: &Server, sessions: u32, rounds: u32, span: Duration) {
    let url = server.url("bench");
    let store = Store::open_postgres(&Address::parse(&url).unwrap()).await.unwrap();
    let begun = Instant::now();
    fill(&store, sessions).await;
    println!("{sessions} sign-ins in {:.1} s", begun.elapsed().as_secs_f64());
    sizes(server, sessions, "after the sign-ins");
    // The floor works on a copy, so that the store's rows stay as it knows them.
    server.sql(
        "CREATE TABLE public.bare (LIKE bench.sessions INCLUDING ALL) WITH (fillfactor = 80); \
         INSERT INTO public.bare SELECT * FROM bench.sessions; ANALYZE public.bare; ANALYZE bench.sessions",
    );
    let rows = rows(server, sessions).await;
    let turns: Arc<Vec<AtomicU32>> = Arc::new((0..sessions).map(|_| AtomicU32::new(0)).collect());
    let (mut floors, mut steps, mut singles) = (Vec::new(), Vec::new(), Vec::new());
    let (mut to_floor, mut to_single) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let before = commits(&store);
        let step: Measured = storm(&store, &turns, span).await;
        let batch = step.latencies.len() / (commits(&store) - before).max(1) as usize;
        let floor = bare(server, &rows, batch, span).await;
        let single = one_by_one(server, &rows, span).await;
        println!(
            "round {round}: step {:.0}/s (p50 {:.2?}, p99 {:.2?}), bare {floor:.0}/s, ratio {:.2}, \
             batches of {batch}; one by one {single:.0}/s, {:.1} times",
            step.per_second,
            step.quantile(0.5),
            step.quantile(0.99),
            step.per_second / floor,
            step.per_second / single,
        );
        if round > 0 {
            floors.push(floor);
            singles.push(single);
            to_floor.push(step.per_second / floor);
            to_single.push(step.per_second / single);
            steps.push(step.per_second);
        }
    }
    println!(
        "median of {rounds}: step {:.0}/s, bare {:.0}/s, ratio {:.2} (target 0.60); one by one {:.0}/s, \
         {:.1} times (target 2.0)",
        median(&mut steps),
        median(&mut floors),
        median(&mut to_floor),
        median(&mut singles),
        median(&mut to_single)
    );
    sizes(server, sessions, "after the load");
}

fn sizes(server: &Server, sessions: u32, when: &str) {
    let bytes = |table: &str| {
        let bytes = server.sql(&format!("SELECT pg_total_relation_size('bench.{table}')"));
        bytes.parse::<f64>().unwrap() / f64::from(sessions)
    };
    let (of_session, of_subject) = (bytes("sessions"), bytes("subjects"));
    println!(
        "{when}: {of_session:.0} bytes per session with its indexes, {of_subject:.0} per subject"
    );
}

fn commits(store: &Store) -> u64 {
    match store {
        Store::Sqlite(store) => store.commits(),
        Store::Postgres(store) => store.commits(),
        Store::Redis(_) => 0,
    }
}

async fn connect(server: &Server) -> Client {
    let url = format!("postgres://symbolon@127.0.0.1:{}/postgres", server.port);
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn rows(server: &Server, sessions: u32) -> Rows {
    let client = connect(server).await;
    let rows =
        client.query("SELECT sid, body FROM public.bare ORDER BY md5(sid)", &[]).await.unwrap();
    assert_eq!(rows.len(), sessions as usize);
    Arc::new(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Rows updated a second by group commits of this size.
async fn bare(server: &Server, rows: &Rows, batch: usize, span: Duration) -> f64 {
    const UPDATE: &str = "UPDATE public.bare s SET version = s.version + 1, body = t.body \
         FROM unnest($1::bytea[], $2::bytea[]) AS t(sid, body) WHERE s.sid = t.sid";
    let (next, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (begun, mut callers) = (Instant::now(), JoinSet::new());
    for _ in 0..CONNECTIONS {
        let client = connect(server).await;
        let (rows, next, done) = (Arc::clone(rows), Arc::clone(&next), Arc::clone(&done));
        callers.spawn(async move {
            let update = client.prepare(UPDATE).await.unwrap();
            while begun.elapsed() < span {
                let from = next.fetch_add(batch, Ordering::Relaxed);
                let mut part: Vec<_> =
                    (from..from + batch).map(|at| &rows[at % rows.len()]).collect();
                part.sort_unstable();
                let sids: Vec<&[u8]> = part.iter().map(|(sid, _)| &sid[..]).collect();
                let bodies: Vec<&[u8]> = part.iter().map(|(_, body)| &body[..]).collect();
                let parameters: [&(dyn ToSql + Sync); 2] = [&sids, &bodies];
                let (begun, updated, committed) = tokio::join!(
                    biased;
                    client.batch_execute("BEGIN"),
                    client.execute(&update, &parameters),
                    client.batch_execute("COMMIT"),
                );
                begun.unwrap();
                committed.unwrap();
                done.fetch_add(updated.unwrap() as usize, Ordering::Relaxed);
            }
        });
    }
    callers.join_all().await;
    done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// Rows updated a second by as many callers, each with a statement and a commit of its own.
async fn one_by_one(server: &Server, rows: &Rows, span: Duration) -> f64 {
    const UPDATE: &str = "UPDATE public.bare SET version = version + 1, body = $2 WHERE sid = $1";
    let (next, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut clients = Vec::new();
    for _ in 0..SINGLE_CONNECTIONS {
        let client = connect(server).await;
        let update = client.prepare(UPDATE).await.unwrap();
        clients.push(Arc::new((client, update)));
    }
    let (over, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS as usize {
        let (rows, next, done) = (Arc::clone(rows), Arc::clone(&next), Arc::clone(&done));
        let (client, over) = (Arc::clone(&clients[caller % clients.len()]), Arc::clone(&over));
        callers.spawn(async move {
            let (client, update) = &*client;
            while !over.load(Ordering::Relaxed) && begun.elapsed() < span {
                let at = next.fetch_add(1, Ordering::Relaxed) % rows.len();
                let (sid, body) = &rows[at];
                client.execute(update, &[sid, body]).await.unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    callers.join_all().await;
    done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}
