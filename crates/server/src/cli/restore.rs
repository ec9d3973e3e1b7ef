//! `symbolon restore`: puts a copy in the store's place, and says what that means for whom.

mod in_place;

use crate::authority::keep_files_private;
use crate::cli::backup::{described, refused, shown};
use crate::cli::{ConfigArgs, Failure, config, out};
use crate::clock::civil_now;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use symbolon_core::client::ACCESS_TTL_MAX;
use symbolon_core::epoch::Bump;
use symbolon_core::revocation::LEEWAY_MAX;
use symbolon_core::{Act, Cutoffs, Effect, Event, Reason, Timestamp};
use symbolon_store::Refusal;
use symbolon_store::sqlite::{self, Replayed, Restore, Restored, Source};

/// What is restored, and how.
#[derive(Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The copy, as `symbolon backup` made it
    #[arg(value_name = "FILE", required_unless_present = "in_place", conflicts_with = "in_place")]
    copy: Option<PathBuf>,
    /// Keep the store as it is and open a new store epoch: for a store that was replaced by hand, or lost
    /// its last writes
    #[arg(long)]
    in_place: bool,
    /// End every session; everybody signs in again
    #[arg(long, conflicts_with = "stale")]
    end_all: bool,
    /// Have every access token renewed, so that no roles are in use that were changed since the copy
    #[arg(long)]
    stale: bool,
    /// Go on though the ends log is missing or damaged: what was ended since the copy comes back
    #[arg(long)]
    without_ends_log: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Restores.
///
/// # Errors
/// The configuration is refused, an authority serves from the store, the copy or the ends log cannot be
/// used, or the disk.
pub async fn run(args: &RestoreArgs) -> Result<(), Failure> {
    keep_files_private();
    let (url, at) = (config::load(&args.config)?.store, civil_now());
    let Some(store) = url.file() else { return in_place::run(args, &url, at).await };
    let what = Restore {
        copy: args.copy.as_deref(),
        without_ends_log: args.without_ends_log,
        dry_run: args.dry_run,
        at,
    };
    let above = |cutoffs: &mut Cutoffs| above(cutoffs, args.effect(), at);
    let restored = sqlite::restore(store, &what, above).map_err(|refusal| not_done(&refusal))?;
    if args.json {
        args.print_json(&restored, at);
    } else {
        args.print(store, &restored, at);
    }
    Ok(())
}

fn not_done(refusal: &Refusal) -> Failure {
    let failure = refused("nothing was restored", refusal);
    match refusal {
        Refusal::InUse { .. } => failure.next("stop `symbolon serve`, then try again"),
        Refusal::NoEndsLog { .. } => failure.next(
            "if it is lost: --without-ends-log goes on, and who was ended or banned since the copy is back; \
             with --end-all nobody is, since everybody signs in again",
        ),
        Refusal::Damaged { .. } => {
            failure.next("restore another copy; the store is as it was")
        }
        Refusal::Newer { .. }
        | Refusal::Foreign { .. }
        | Refusal::Missing { .. }
        | Refusal::Exists { .. }
        | Refusal::Unreachable { .. }
        | Refusal::Rights { .. }
        | Refusal::TooOld { .. }
        | Refusal::Setting { .. }
        | Refusal::AnotherProgram { .. }
        | Refusal::NewerSchema { .. }
        | Refusal::NotAsWritten { .. }
        | Refusal::Io { .. } => failure,
    }
}

/// What is set above all subjects in the new store epoch.
fn above(cutoffs: &mut Cutoffs, effect: Option<Effect>, at: Timestamp) -> Vec<Event> {
    let act = Act { note: Some("symbolon restore".into()), ..Act::authority() };
    let tokens_live_until = at.after(ACCESS_TTL_MAX).after(LEEWAY_MAX);
    let (epoch, reason) = (cutoffs.epoch, Reason::Admin);
    let bump = Bump { epoch, reason, at, tokens_live_until, act };
    effect.map(|effect| cutoffs.bump_everything(effect, &bump)).into_iter().collect()
}

impl RestoreArgs {
    fn effect(&self) -> Option<Effect> {
        match (self.end_all, self.stale) {
            (true, _) => Some(Effect::Revoked),
            (false, true) => Some(Effect::Stale),
            (false, false) => None,
        }
    }

    fn print_json(&self, restored: &Restored, now: Timestamp) {
        let Replayed { sessions, bans, bounds, named, api_keys, switches } = restored.replayed;
        out::json(&json!({
            "copy": shown(&restored.from),
            "now": now.as_seconds(),
            "epoch": restored.epoch.0,
            "replayed": {
                "sessions": sessions,
                "bans": bans,
                "bounds": bounds,
                "named": named,
                "api_keys": api_keys,
                "switches": switches,
            },
            "source": source(restored),
            "torn": restored.torn,
            "unread": restored.unread,
            "aside": restored.aside.as_deref().map(|aside| aside.display().to_string()),
            "dry_run": self.dry_run,
        }));
    }

    fn print(&self, store: &Path, restored: &Restored, now: Timestamp) {
        let (done, store) =
            (if self.dry_run { "would restore" } else { "restored" }, store.display());
        match &self.copy {
            Some(copy) => out::line(format!("{done} {store} from {}", copy.display())),
            None => out::line(format!("{done} {store} in place")),
        }
        let row = |what: &str, found: String| out::line(format!("  {what:<12} {found}"));
        if self.copy.is_some() {
            row("the copy", described(&restored.from));
            row("the window", window(restored.from.at, now));
        }
        row("store epoch", format!("{} -> {}", restored.from.epoch.0, restored.epoch.0));
        row("ended again", replayed(restored));
        if let Some(aside) = &restored.aside {
            row("moved aside", aside.display().to_string());
        }
        if restored.torn > 0 {
            let what =
                format!("{} bytes at the end of the ends log were no whole record", restored.torn);
            row("torn", format!("{what}: who was ended last may be back"));
        }
        if let Some(why) = &restored.unread {
            row("unread", format!("the store that was there: {why}"));
        }
        out::line("what it means");
        for line in self.meaning() {
            out::line(format!("  - {line}"));
        }
    }

    fn meaning(&self) -> Vec<&'static str> {
        let everybody = match self.effect() {
            Some(Effect::Revoked) => "Every session is ended: everybody signs in again.",
            Some(Effect::Stale) | None => {
                "Who was signed in at the copy stays signed in; the next renewal carries on from the token in \
                 their hand."
            }
        };
        let mut lines = vec![everybody];
        if self.copy.is_some() {
            lines.push(
                "Sessions started in the window are unknown: those people sign in again. Access tokens they \
                 hold are good until they expire.",
            );
            lines.push(
                "Roles, claims, API keys and signing keys made or changed in the window are as in the \
                 copy: do it again.",
            );
            lines.push(
                "People who were erased in the window are back as they were in the copy: erase them again.",
            );
        }
        if self.copy.is_some() && self.effect().is_none() {
            lines.push(
                "Access tokens keep the roles they were issued with; --stale has them renewed.",
            );
        }
        lines
    }
}

fn window(from: Timestamp, to: Timestamp) -> String {
    let minutes = to.as_seconds().saturating_sub(from.as_seconds()).div_ceil(60);
    let (from, to) = (out::utc(from.as_seconds()), out::utc(to.as_seconds()));
    format!("{from} until now, {to}: {} h {} min", minutes / 60, minutes % 60)
}

fn replayed(restored: &Restored) -> String {
    let from = match restored.source {
        Source::EndsLog => "from the ends log",
        Source::Database => "from the store that was there",
        Source::Nothing => {
            return "nothing: who was ended or banned in the window is back".to_owned();
        }
    };
    let Replayed { sessions, bans, bounds, named, api_keys, switches } = restored.replayed;
    format!(
        "sessions {sessions}, bans {bans}, bounds {bounds}, tokens and keys {named}, \
         API keys {api_keys}, clients switched {switches} ({from})"
    )
}

fn source(restored: &Restored) -> &'static str {
    match restored.source {
        Source::EndsLog => "ends_log",
        Source::Database => "database",
        Source::Nothing => "nothing",
    }
}
