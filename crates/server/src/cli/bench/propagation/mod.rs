//! `symbolon bench propagation`: how long after a DELETE was to be sent the first `check` refuses.
//!
//! Open loop: all instants of sending are fixed before the first, and what is late counts from the instant at which it
//! was due. Verifiers run in processes of their own, at most four, each on its own connection to the feed; all
//! processes read the same steady clock of the machine, so that nobody has to be asked.

mod authority;
mod load;
mod report;
mod steady;
mod verifiers;

use crate::cli::net::{Net, parse_url};
use crate::cli::{Failure, out};
use authority::Authority;
use clap::Args;
use http::Uri;
use load::Load;
use report::{Report, Run};
use std::sync::Arc;
use verifiers::{Order, Processes};

/// In how many processes verifiers run. Inclusive.
const PROCESSES_MAX: usize = 4;

/// How long after everybody is ready the first DELETE is due, in microseconds.
const LEAD_US: u64 = 300_000;

/// What to measure, and where.
#[derive(Args, Clone)]
pub struct PropagationArgs {
    /// A running authority [default: one is started for the purpose, and removed]
    #[arg(long, value_name = "URL", requires = "api_key", value_parser = parse_url)]
    url: Option<Uri>,
    /// An API key with the scopes sessions:start, sessions:end and revocations:read
    #[arg(long, value_name = "KEY", env = "SYMBOLON_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// The client whose sessions are started and ended
    #[arg(long, default_value = "web")]
    client_id: String,
    /// How many verifiers [default: three settings, of 1, 100, and 100 beside two busy loops]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    verifiers: Option<u16>,
    /// How many sessions are ended a second [default: 500 for one verifier, else 100]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: Option<u32>,
    /// How many threads only burn time meanwhile
    #[arg(long, value_parser = clap::value_parser!(u16).range(0..=64))]
    busy: Option<u16>,
    /// For how many seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=120))]
    seconds: u32,
    /// How many runs; the median of their p99 counts, and the largest of their maxima
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=99))]
    runs: u8,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Be a process of verifiers of another run of this command, which says on standard input which
    #[arg(long, hide = true)]
    as_verifiers: bool,
}

/// How many verifiers, how many ends a second, beside how many busy loops; and the p99 that is promised.
#[derive(Clone, Copy)]
struct Setting {
    verifiers: usize,
    rate: u32,
    busy: usize,
    p99_ms_max: Option<f64>,
}

/// What docs/benchmarks.md promises.
const PROMISED: [Setting; 3] = [
    Setting { verifiers: 1, rate: 500, busy: 0, p99_ms_max: Some(10.0) },
    Setting { verifiers: 100, rate: 100, busy: 0, p99_ms_max: Some(50.0) },
    Setting { verifiers: 100, rate: 100, busy: 2, p99_ms_max: Some(100.0) },
];

/// Measures.
///
/// # Errors
/// No authority can be had, it refuses, or a process of verifiers ended early.
pub(super) async fn run(args: PropagationArgs) -> Result<(), Failure> {
    if args.as_verifiers {
        return verifiers::be().await;
    }
    let authority = Arc::new(Authority::of(&args)?);
    let net = Arc::new(Net::new(None)?);
    let mut reports = Vec::new();
    for setting in settings(&args) {
        let mut runs = Vec::new();
        for number in 1..=args.runs {
            note(&args, setting, number);
            runs.push(measure(&args, setting, &authority, &net).await?);
        }
        reports.push(Report::of(setting, runs));
    }
    match args.json {
        true => out::json(&serde_json::json!({ "seconds": args.seconds, "settings": reports })),
        false => report::print(&reports, args.seconds),
    }
    match reports.iter().all(Report::is_whole) {
        true => Ok(()),
        false => Err(Failure::could_not("not every end was seen by every verifier")
            .next("the log of the authority says whether it served the feed all the while")),
    }
}

fn settings(args: &PropagationArgs) -> Vec<Setting> {
    if args.verifiers.is_none() && args.rate.is_none() && args.busy.is_none() {
        return PROMISED.to_vec();
    }
    let verifiers = usize::from(args.verifiers.unwrap_or(1));
    let rate = args.rate.unwrap_or(if verifiers == 1 { 500 } else { 100 });
    let busy = usize::from(args.busy.unwrap_or(0));
    vec![Setting { verifiers, rate, busy, p99_ms_max: None }]
}

fn note(args: &PropagationArgs, setting: Setting, number: u8) {
    if !args.json {
        let Setting { verifiers, rate, busy, .. } = setting;
        out::note(format!(
            "verifiers: {verifiers}, ends/s: {rate}, busy loops: {busy}; run {number} of {}",
            args.runs
        ));
    }
}

/// One run, with sessions and verifiers of its own.
async fn measure(
    args: &PropagationArgs,
    setting: Setting,
    authority: &Authority,
    net: &Arc<Net>,
) -> Result<Run, Failure> {
    let count = setting.rate as usize * args.seconds as usize;
    let load = Load::start(authority, net, &args.client_id, count).await?;
    let order = Order::of(authority, setting, load.tokens())?;
    let processes = Processes::start(order, setting.verifiers.min(PROCESSES_MAX)).await?;
    let busy = steady::burn(setting.busy);
    let start_us = steady::now_us() + LEAD_US;
    processes.begin(start_us)?;
    let answers = load.end_all(setting.rate, start_us).await;
    let seen = processes.seen().await?;
    drop(busy);
    Ok(Run::of(seen, answers?, count * setting.verifiers))
}
