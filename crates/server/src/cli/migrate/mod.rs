//! `symbolon migrate`: copies a store into another of whatever kind, and logs nobody out.
//!
//! Rows go over as they are, ended sessions too, so that a refused token keeps its reason. A mark in the target says
//! how far the copy is: run again, it goes on from there, and no authority serves from a copy that is not whole. At
//! the end a store epoch opens, since the copy counts its feed anew: verifiers fetch a snapshot and forget nothing.

mod copying;
mod report;

use crate::authority::{keep_files_private, open_store};
use crate::cli::{ConfigArgs, Failure, config, serve};
use crate::clock::civil_now;
use crate::config::StoreUrl;
use crate::keys;
use crate::migration::{self, Looked};
use clap::Args;
use copying::Copying;
use std::path::{Path, PathBuf};
use symbolon_core::Fault;
use symbolon_store::{Refusal, Role, Store};
use symbolon_wire::SecretText;

/// What is copied, and where to.
#[derive(Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The store that is copied [default: that of the configuration]
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The file that holds the password of --from
    #[arg(long, value_name = "FILE")]
    from_password_file: Option<PathBuf>,
    /// The store that it is copied to: an empty one, or one that an earlier run left unfinished
    #[arg(long, value_name = "URL")]
    to: String,
    /// The file that holds the password of --to
    #[arg(long, value_name = "FILE")]
    to_password_file: Option<PathBuf>,
    /// No authority serves from --from: said by you, where it is no file, whose lock would say so
    #[arg(long)]
    source_stopped: bool,
    /// Count what there is to copy, and copy nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Copies, and looks whether all of it came.
///
/// # Errors
/// The configuration is refused, a store cannot be used, an authority serves from the source, the target is not
/// empty, or what came is not what was there.
pub async fn run(args: MigrateArgs) -> Result<(), Failure> {
    keep_files_private();
    let config = config::load(&args.config)?;
    let from = match &args.from {
        Some(text) => url("--from", text, args.from_password_file.as_deref())?,
        None => config.store.clone(),
    };
    let to = url("--to", &args.to, args.to_password_file.as_deref())?;
    refuse_at_once(&args, (&from, &to))?;
    let master = serve::master_key(&config)?;
    let source = open_store(&from, Role::Serve).await.map_err(not_read)?;
    let ring = keys::look(&master, &source).await;
    ring.map_err(|why| stopped().because(why))?;
    let target = match args.dry_run {
        true => None,
        false => Some(open_store(&to, Role::Serve).await.map_err(not_written)?),
    };
    let (shards, urls) = (master.shard_key(), (from.to_string(), to.to_string()));
    let copying =
        Copying { source: &source, shards, urls: &urls, at: civil_now(), quiet: args.json };
    let report = match &target {
        None => copying.count().await,
        Some(target) => {
            may_be_copied_to(target, &urls.0).await?;
            copying.copy(target).await
        }
    };
    let report = report?;
    report.print((&urls.0, &urls.1), args.json);
    report.refuse_differences()
}

fn url(flag: &str, text: &str, password: Option<&Path>) -> Result<StoreUrl, Failure> {
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|why| {
            Failure::could_not(format!("could not read {}", path.display())).because(why)
        });
        text.map(|text| SecretText::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    };
    let password = password.map(read).transpose()?;
    StoreUrl::parse(text, Path::new(""), password.as_ref())
        .map_err(|why| Failure::wrong_usage(format!("{flag} {why}")))
}

/// What needs no look at either store.
fn refuse_at_once(args: &MigrateArgs, (from, to): (&StoreUrl, &StoreUrl)) -> Result<(), Failure> {
    if from == to {
        return Err(Failure::wrong_usage("--from and --to are the same store"));
    }
    match from.file() {
        Some(path) if !path.exists() => {
            Err(Failure::refused(format!("there is no database at {}", path.display()))
                .next("name the store that is copied with --from"))
        }
        None if !args.source_stopped && !args.dry_run => {
            let why =
                "a store on a server of its own cannot tell whether authorities serve from it";
            Err(Failure::refused("nothing was copied").because(why).next(
                "stop every authority that serves from it, then say so with --source-stopped",
            ))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether the target is empty, or holds an unfinished copy of the same store.
async fn may_be_copied_to(target: &Store, from: &str) -> Result<(), Failure> {
    let looked = migration::look(target, from).await.map_err(|fault| stopped().because(fault))?;
    match looked {
        Looked::Empty | Looked::Unfinished => Ok(()),
        Looked::Finished => Err(Failure::refused("nothing was copied")
            .because(
                "the target holds a finished copy already, and may have been served from since",
            )
            .next("serve from it, or name an empty store with --to")),
        Looked::Another(other) => Err(Failure::refused("nothing was copied")
            .because(format!("the target holds an unfinished copy of {other}"))
            .next("finish that one, or name an empty store with --to")),
        Looked::InUse(what) => Err(Failure::refused("nothing was copied")
            .because(format!("the target is not empty: it has {what}"))
            .next("name an empty database, database number or key prefix with --to")),
    }
}

fn not_read(refusal: Refusal) -> Failure {
    let in_use = matches!(refusal, Refusal::InUse { .. });
    let failure = Failure::could_not("the store that is to be copied was not opened");
    match in_use {
        true => failure.because(refusal).next(
            "stop the authority while the copy is made; access tokens are verified meanwhile, and \
             nobody is signed out",
        ),
        false => failure.because(refusal),
    }
}

fn not_written(refusal: Refusal) -> Failure {
    Failure::could_not("the store that is copied to was not opened").because(refusal)
}

fn stopped() -> Failure {
    Failure::could_not("the copy stopped")
}

fn could_not(fault: Fault) -> Failure {
    stopped().because(fault).next("run it again: it goes on where it was")
}
