//! `symbolon backup`: a copy of the store in one file, also while an authority serves from it.

use crate::authority::keep_files_private;
use crate::cli::{ConfigArgs, Failure, config, out};
use crate::clock::civil_now;
use crate::config::StoreUrl;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::path::PathBuf;
use symbolon_store::Refusal;
use symbolon_store::sqlite::{self, Copied};

/// Where the copy goes.
#[derive(Args)]
pub struct BackupArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The new file; one that exists is never overwritten
    #[arg(value_name = "FILE")]
    copy: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Makes a copy.
///
/// # Errors
/// The configuration is refused, the file exists, the store or the file cannot be used.
pub fn run(args: &BackupArgs) -> Result<(), Failure> {
    keep_files_private();
    let store = config::load(&args.config)?.store;
    let store = store.file().ok_or_else(|| not_a_file("no backup was made", &store))?;
    let bar = progress(args.json);
    let told = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let copied = sqlite::backup(store, &args.copy, civil_now(), told);
    bar.finish_and_clear();
    let copied = copied.map_err(|refusal| refused("no backup was made", &refusal))?;
    if args.json {
        let mut shown = shown(&copied);
        shown["file"] = args.copy.display().to_string().into();
        out::json(&shown);
    } else {
        out::line(format!("wrote {}: {}", args.copy.display(), described(&copied)));
        out::note(
            "The master key is not in it, and neither is the ends log: keep the one apart, and leave \
             the other beside the store.",
        );
    }
    Ok(())
}

fn progress(json: bool) -> ProgressBar {
    let target =
        if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    match ProgressStyle::with_template("copying {bar:40} {percent} %") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What to do about a store on a server of its own, which no command of ours copies.
pub(super) fn not_a_file(what: &str, store: &StoreUrl) -> Failure {
    let next = match store {
        StoreUrl::Sqlite(_) => "name the file",
        StoreUrl::Redis(_) => "copy the server's RDB or AOF files as its manual says (BGSAVE)",
        StoreUrl::Postgres(_) => "use pg_dump and pg_restore, or pg_basebackup with its archive",
    };
    let why = format!("the store is {}, which has tools of its own for that", store.kind());
    Failure::refused(what)
        .because(why)
        .next(format!("{next}; after putting an older copy back: symbolon restore --in-place"))
}

/// A copy, for people.
pub(super) fn described(copied: &Copied) -> String {
    let Copied { at, bytes, sessions, epoch, position } = copied;
    let (at, epoch) = (out::utc(at.as_seconds()), epoch.0);
    let mib = bytes.div_ceil(1 << 20);
    format!("copy of {at}, {mib} MiB, {sessions} sessions, store epoch {epoch}, feed at {position}")
}

/// The same, for programs.
pub(super) fn shown(copied: &Copied) -> Value {
    json!({
        "at": copied.at.as_seconds(),
        "bytes": copied.bytes,
        "sessions": copied.sessions,
        "epoch": copied.epoch.0,
        "position": copied.position,
    })
}

/// A store that refused, as the end of a command: what was asked for may be wrong, or the store.
pub(super) fn refused(what: &str, refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::InUse { .. }
        | Refusal::Missing { .. }
        | Refusal::Exists { .. }
        | Refusal::NoEndsLog { .. } => Failure::refused(what),
        Refusal::Newer { .. }
        | Refusal::Damaged { .. }
        | Refusal::Foreign { .. }
        | Refusal::Unreachable { .. }
        | Refusal::Rights { .. }
        | Refusal::TooOld { .. }
        | Refusal::Setting { .. }
        | Refusal::AnotherProgram { .. }
        | Refusal::NewerSchema { .. }
        | Refusal::NotAsWritten { .. }
        | Refusal::Io { .. } => Failure::could_not(what),
    }
    .because(refusal)
}
