//! What a durable `step` costs beside a bare SQLite group commit of the same rows.
//!
//! `cargo bench -p symbolon-store --bench step -- [sessions] [rounds] [seconds]`
//!
//! The floor is one thread that does nothing but `BEGIN; UPDATE …; COMMIT` on a copy of the store's own
//! file: the same build, pragmas, rows and batch sizes (those that the store's writer was seen to use),
//! with the log written back in the same way. Rounds are interleaved. The store does all of it: 256 callers
//! each load a session of their own choice, ask `Loaded::refresh`, encode, compare and set, wait for the
//! disk.
//!
//! Last, the same callers go on while the store is copied: how long the copy takes, and how much longer the
//! slowest of them wait than without it.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures with the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

mod bare;
mod load;

use bare::Bare;
use load::{AT, fill, median, storm, storm_until};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};
use symbolon_store::sqlite::backup;
use symbolon_store::{Role, Store};

fn main() {
    let numbers = std::env::args().skip(1).filter_map(|word| word.parse::<u32>().ok());
    let numbers: Vec<u32> = numbers.collect();
    let or = |index: usize, default| numbers.get(index).copied().unwrap_or(default);
    let (sessions, rounds, seconds) = (or(0, 20_000), or(1, 3), or(2, 1));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = place.path().join("store.db");
    let begun = Instant::now();
    let store = Store::open_sqlite(&path, Role::Serve).unwrap();
    runtime.block_on(fill(&store, sessions));
    drop(store);
    println!("{sessions} sign-ins in {:.1} s", begun.elapsed().as_secs_f64());
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!(
        "{:.0} bytes per session on disk after checkpoint",
        bytes as f64 / f64::from(sessions)
    );
    let begun = Instant::now();
    let store = Store::open_sqlite(&path, Role::Serve).unwrap();
    println!("opened in {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    drop(store);
    compare(&runtime, &path, sessions, (rounds, Duration::from_secs(seconds.into())));
}

fn compare(
    runtime: &tokio::runtime::Runtime,
    path: &Path,
    sessions: u32,
    (rounds, span): (u32, Duration),
) {
    let copy = path.with_file_name("bare.db");
    std::fs::copy(path, &copy).unwrap();
    let mut bare = Bare::open(&copy, sessions);
    let store = Store::open_sqlite(path, Role::Serve).unwrap();
    let turns: Arc<Vec<AtomicU32>> = Arc::new((0..sessions).map(|_| AtomicU32::new(0)).collect());
    let (mut floors, mut steps) = (Vec::new(), Vec::new());
    let mut ratios = Vec::new();
    for round in 0..=rounds {
        let before = commits(&store);
        let step = runtime.block_on(storm(&store, &turns, span));
        let batch = step.latencies.len() / (commits(&store) - before).max(1) as usize;
        let floor = bare.run(batch, span);
        let ratio = step.per_second / floor;
        println!(
            "round {round}: step {:.0}/s (p50 {:.2?}, p99 {:.2?}, max {:.2?}), bare {floor:.0}/s, ratio {ratio:.2}, batches of {batch}",
            step.per_second,
            step.quantile(0.5),
            step.quantile(0.99),
            step.quantile(1.0)
        );
        if round > 0 {
            floors.push(floor);
            steps.push(step.per_second);
            ratios.push(ratio);
        }
    }
    println!(
        "median of {rounds}: step {:.0}/s, bare {:.0}/s, ratio {:.2} (target 0.70)",
        median(&mut steps),
        median(&mut floors),
        median(&mut ratios)
    );
    copy_under_load(runtime, path, (&store, &turns), span);
}

fn copy_under_load(
    runtime: &tokio::runtime::Runtime,
    path: &Path,
    (store, turns): (&Store, &Arc<Vec<AtomicU32>>),
    span: Duration,
) {
    let usual = runtime.block_on(storm(store, turns, span));
    let (from, to) = (path.to_owned(), path.with_file_name("copy.db"));
    let begun = Instant::now();
    let copying = async {
        let copy = move || backup(&from, &to, AT, |_, _| {}).unwrap();
        let copied = tokio::task::spawn_blocking(copy).await.unwrap();
        (copied, begun.elapsed())
    };
    let (beside, (copied, took)) = runtime.block_on(storm_until(store, turns, copying));
    let (before, now) = (usual.quantile(0.99), beside.quantile(0.99));
    println!(
        "copy of {} sessions, {} MiB, in {:.1} s (target 10); step p99 {before:.2?} before, {now:.2?} beside it, ratio {:.2} (target 3.00)",
        copied.sessions,
        copied.bytes >> 20,
        took.as_secs_f64(),
        now.as_secs_f64() / before.as_secs_f64()
    );
}

fn commits(store: &Store) -> u64 {
    match store {
        Store::Sqlite(store) => store.commits(),
        Store::Redis(_) => 0,
        Store::Postgres(store) => store.commits(),
    }
}
