//! `symbolon bench`: figures, each with its floor from the same run.

mod load;
mod propagation;
mod report;
mod token_endpoint;
mod tokens;
mod verify;

use crate::cli::net::{Net, parse_url};
use crate::cli::{Failure, out};
use crate::config::parse_duration;
use clap::{ArgGroup, Args, Subcommand};
use http::Uri;
use load::{Load, measure, measure_floor};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use token_endpoint::TokenEndpoint;

/// What can be measured.
#[derive(Subcommand)]
pub enum Command {
    /// Renew sessions as fast as a token endpoint answers; any OAuth 2.0 server will do
    Refresh(RefreshArgs),
    /// How long after a session was ended verifiers refuse it
    Propagation(propagation::PropagationArgs),
    /// What verifying a token costs on this machine
    Verify(verify::VerifyArgs),
}

/// Where to renew, and what.
#[derive(Args)]
#[command(group(ArgGroup::new("source").required(true).args(["tokens", "authority"])))]
pub struct RefreshArgs {
    /// The token endpoint
    #[arg(long, value_name = "TOKEN_ENDPOINT", value_parser = parse_url)]
    url: Uri,
    /// The client that the refresh tokens are of
    #[arg(long)]
    client_id: String,
    /// Its secret, sent by HTTP Basic
    #[arg(long)]
    client_secret: Option<String>,
    /// A file with one refresh token a line; those that are used are spent
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// A Symbolon authority at which to start the sessions
    #[arg(long, value_name = "URL", requires = "api_key", value_parser = parse_url)]
    authority: Option<Uri>,
    /// An API key with the scope sessions:start
    #[arg(long, value_name = "KEY", env = "SYMBOLON_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// How many sessions
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    sessions: u32,
    /// How many connections, each renewing its own share of the sessions, one after the other
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// For how long
    #[arg(long, default_value = "30s", value_parser = parse_duration)]
    duration: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How long the floor is measured.
const FLOOR: Duration = Duration::from_secs(2);

/// Runs a benchmark.
///
/// # Errors
/// There are no sessions to renew, or nothing answers.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Refresh(args) => refresh(args).await,
        Command::Propagation(args) => propagation::run(args).await,
        Command::Verify(args) => verify::run(&args),
    }
}

async fn refresh(args: RefreshArgs) -> Result<(), Failure> {
    let net = Arc::new(Net::new(None)?);
    let secret = args.client_secret.as_deref();
    let endpoint = Arc::new(TokenEndpoint::new(&args.url, &args.client_id, secret));
    let connections = usize::from(args.connections);
    let tokens = tokens::tokens(&args, &net).await?;
    if tokens.is_empty() {
        return Err(Failure::could_not("there are no refresh tokens to use"));
    }
    let shares = load::shares(tokens, connections);
    let load = Load { net, endpoint, duration: args.duration };
    let tally = measure(&load, shares).await?;
    let floor = measure_floor(&load, connections, FLOOR).await;
    let report = report::Report::new(&tally, floor);
    if args.json {
        out::json(&report);
    } else {
        report.print(connections);
    }
    if tally.answered_well() { Ok(()) } else { Err(report.nothing_worked()) }
}
