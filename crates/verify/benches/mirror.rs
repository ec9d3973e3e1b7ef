//! Look-ups in the mirror at its sizes, what an entry weighs, and how fast entries are applied beside readers.
//!
//! `cargo bench -p symbolon-verify --bench mirror`; `-- 1000000` for that size alone.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;
use support::{Digests, ended, median, per_call, rounds, target_key, verdict};
use symbolon_verify::Timestamp;
use symbolon_verify::measure::Filled;

/// How many entries a batch has.
const BATCH: u64 = 1000;

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn main() {
    let asked: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![1_000_000, 10_000_000] } else { asked };
    for size in sizes {
        let before = resident();
        let mirror = Filled::new();
        mirror.use_target_key(target_key());
        let filled = apply(&mirror, 0..size);
        let bytes = (resident() - before) as f64 / size as f64;
        println!("{size} entries");
        println!(
            "  bytes an entry            {bytes:>6.1}      at most 48: {}",
            verdict(bytes <= 48.0)
        );
        println!("  applied, nobody reading   {filled:>6.2} M/s");
        let Looked { floor, miss, hit } = Looked::at(&mirror, size);
        let most = if size > 1_000_000 { 150.0 } else { 80.0 };
        let ok = verdict(miss <= most && hit <= most);
        println!("  miss, hit             {miss:>6.1}, {hit:.1} ns  at most {most}: {ok}");
        let [floor_miss, floor_hit] = floor;
        println!("  std HashSet miss, hit {floor_miss:>6.1}, {floor_hit:.1} ns  (floor)");
        let (alone, beside, rate) = contended(&mirror, size);
        println!(
            "  applied beside a reader   {rate:>6.2} M/s  at least 1: {}",
            verdict(rate >= 1.0)
        );
        let slower = beside / alone;
        println!(
            "  reader alone, beside  {alone:>6.1}, {beside:.1} ns  {slower:.2} x, under 2: {}",
            verdict(slower < 2.0)
        );
    }
}

/// Applies a range of numbers in batches; millions a second.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn apply(mirror: &Filled, numbers: std::ops::Range<u64>) -> f64 {
    let mut spent = std::time::Duration::ZERO;
    let count = numbers.end - numbers.start;
    let mut at = numbers.start;
    while at < numbers.end {
        let batch: Vec<_> =
            (at..(at + BATCH).min(numbers.end)).map(|n| ended(Digests::of(n))).collect();
        let start = Instant::now();
        mirror.apply(&batch);
        spent += start.elapsed();
        at += BATCH;
    }
    count as f64 / spent.as_secs_f64() / 1e6
}

/// Medians, in nanoseconds a look-up, less what making the digest takes.
struct Looked {
    /// A miss and a hit of a set that nobody may change meanwhile.
    floor: [f64; 2],
    miss: f64,
    hit: f64,
}

impl Looked {
    fn at(mirror: &Filled, size: u64) -> Self {
        // Short rounds, so that most are over before another program has its turn.
        const CALLS: usize = 5_000;
        let floor: HashSet<[u8; 16], foldhash::fast::RandomState> =
            (0..size).map(Digests::of).collect();
        let mut times = [const { Vec::new() }; 5];
        let mut round = 0_u64;
        for _ in 0..rounds(501) {
            round += 1;
            let mut some = Digests(round);
            times[0].push(per_call(CALLS, |_| Digests::of(some.word()) != [0; 16]));
            let mut some = Digests(round);
            times[1].push(per_call(CALLS, |_| !mirror.find(&Digests::of(some.word() | 1 << 63))));
            let mut some = Digests(round);
            times[2].push(per_call(CALLS, |_| mirror.find(&Digests::of(some.word() % size))));
            let mut some = Digests(round);
            times[4].push(per_call(CALLS, |_| floor.contains(&Digests::of(some.word() % size))));
            let mut some = Digests(round);
            times[3]
                .push(per_call(CALLS, |_| !floor.contains(&Digests::of(some.word() | 1 << 63))));
        }
        let [making, miss, hit, floor_miss, floor_hit] = times.map(median);
        let floor = [floor_miss - making, floor_hit - making];
        Self { floor, miss: miss - making, hit: hit - making }
    }
}

/// A reader alone, and beside a writer that applies and forgets; and that writer's millions a second.
fn contended(mirror: &Filled, size: u64) -> (f64, f64, f64) {
    const CALLS: usize = 5_000;
    let look = |seed| {
        let mut some = Digests(seed);
        per_call(CALLS, |_| mirror.find(&Digests::of(some.word() % size)))
    };
    let alone = median((0..501).map(look).collect());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut times = Vec::new();
            while !done.load(Ordering::Acquire) || times.is_empty() {
                times.push(look(times.len() as u64));
            }
            median(times)
        });
        let rate = apply(mirror, size..size + 2_000_000);
        mirror.forget(Timestamp::from_seconds(1_700_000_000));
        done.store(true, Ordering::Release);
        (alone, reader.join().expect("it ran"), rate)
    })
}

/// What this process weighs, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a number");
    pages * 4096
}
