//! `symbolon import`: brings in the sessions of another system. It opens the store as `serve` does, so no
//! authority may serve from it meanwhile.

mod lines;
mod moving;
mod reading;
mod tally;

use crate::authority::{self, StartError, keep_files_private};
use crate::cli::stopwatch::Stopwatch;
use crate::cli::{ConfigArgs, Failure, config, serve};
use clap::Args;
use moving::Moving;
use std::path::PathBuf;
use symbolon_store::Refusal;
use tally::Tally;

/// What to bring in.
#[derive(Args)]
pub struct ImportArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Check every line and say what would become of it; bring in nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave out lines that are wrong, instead of bringing in nothing while there is one
    #[arg(long)]
    skip_bad: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Sessions, one JSON object a line: subject, client_id, device, expires_at, refresh_token_sha256, and
    /// optionally created_at, roles, scope, amr
    #[arg(id = "sessions", value_name = "FILE")]
    file: PathBuf,
}

/// Checks the whole file, then brings in what it holds.
///
/// # Errors
/// A line is wrong, or the file or the store could not be used.
pub async fn run(args: ImportArgs) -> Result<(), Failure> {
    keep_files_private();
    lines::Lines::open(&args.file)?;
    let config = config::load(&args.config)?;
    let master = serve::master_key(&config)?;
    let opened = authority::open(config, master).await;
    let app = opened.map_err(not_opened)?.now();
    let moving = Moving { app: &app, file: &args.file, quiet: args.json };
    let watch = Stopwatch::start();
    let checked = moving.check().await?;
    if args.dry_run {
        checked.print(args.json, (true, watch));
        return checked.refuse_bad(&args);
    }
    if let Err(refused) = checked.refuse_bad(&args) {
        checked.without_what_would_come().print(args.json, (false, watch));
        return Err(refused);
    }
    let brought = moving.bring(args.skip_bad).await?;
    brought.print(args.json, (false, watch));
    Ok(())
}

fn not_opened(why: StartError) -> Failure {
    let in_use = matches!(why, StartError::Store(Refusal::InUse { .. }));
    let failure = Failure::from(why);
    match in_use {
        true => failure.because("sessions are written by one process alone").next(
            "stop the authority while the import runs; nobody is signed out by that, and access \
             tokens are verified meanwhile",
        ),
        false => failure,
    }
}

impl Tally {
    fn refuse_bad(&self, args: &ImportArgs) -> Result<(), Failure> {
        if self.bad == 0 || args.skip_bad {
            return Ok(());
        }
        let came = if args.dry_run { "would come" } else { "was imported" };
        let lines = if self.bad == 1 { "line is" } else { "lines are" };
        Err(Failure::refused(format!("{} {lines} wrong, so nothing {came}", self.bad))
            .next("correct the file, or leave those lines out with --skip-bad"))
    }
}
