//! A new store epoch in a store on a server of its own, whose data the engine's own tools put back.

use super::{RestoreArgs, above};
use crate::authority::open_store;
use crate::cli::backup::not_a_file;
use crate::cli::{Failure, out};
use crate::config::StoreUrl;
use serde_json::json;
use symbolon_core::{Cutoffs, Effect, Fault, StoreEpoch, Timestamp};
use symbolon_store::{Role, Store};

/// Opens the epoch, also while authorities serve: they follow it.
pub(super) async fn run(
    args: &RestoreArgs,
    store: &StoreUrl,
    at: Timestamp,
) -> Result<(), Failure> {
    if args.copy.is_some() {
        return Err(not_a_file("nothing was restored", store));
    }
    let opened = open_store(store, Role::Operate).await;
    let opened =
        opened.map_err(|refusal| Failure::could_not("nothing was restored").because(refusal))?;
    let (before, epoch) = open_epoch(args, &opened, at)
        .await
        .map_err(|fault| Failure::could_not("no store epoch was opened").because(fault))?;
    if args.json {
        out::json(&json!({ "now": at.as_seconds(), "epoch": epoch.0, "dry_run": args.dry_run }));
        return Ok(());
    }
    let done = if args.dry_run { "would reopen" } else { "reopened" };
    out::line(format!("{done} {store} in place"));
    out::line(format!("  store epoch  {} -> {}", before.0, epoch.0));
    out::line("what it means");
    for line in args.meaning() {
        out::line(format!("  - {line}"));
    }
    out::line("  - Who was ended or banned in the window is back, unless the engine kept it.");
    Ok(())
}

async fn open_epoch(
    args: &RestoreArgs,
    store: &Store,
    at: Timestamp,
) -> Result<(StoreEpoch, StoreEpoch), Fault> {
    let next = |epoch: StoreEpoch| StoreEpoch(epoch.0.saturating_add(1));
    if args.dry_run {
        let now = store.cutoffs().epoch;
        return Ok((now, next(now)));
    }
    let effect: Option<Effect> = args.effect();
    let decide = |mut cutoffs: Cutoffs| {
        let before = cutoffs.epoch;
        cutoffs.epoch = next(before);
        let events = above(&mut cutoffs, effect, at);
        let after = cutoffs.epoch;
        Ok((cutoffs, events, (before, after)))
    };
    Ok(store.bump(decide).await?.reply)
}
