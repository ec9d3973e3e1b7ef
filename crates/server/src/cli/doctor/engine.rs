//! The engine that a store lives in: what it is, what it keeps, how far away it is.

use super::Finding;
use crate::clock::civil_now;
use crate::config::{Config, StoreUrl};
use symbolon_core::{Duration, Timestamp};
use symbolon_store::{Store, postgres, redis};

/// How far the engine's clock may lie from this machine's. Inclusive.
const CLOCK_MAX: Duration = Duration::from_secs(1);

/// A longer way there and back makes every answer slow. Inclusive.
const WAY_MAX: Duration = Duration::from_millis(10);

/// Under so much of its memory a server of Redis is safe: what it cannot keep it refuses.
const MEMORY_PERCENT_MAX: u64 = 80;

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    match &config.store {
        StoreUrl::Sqlite(_) => Vec::new(),
        StoreUrl::Postgres(address) => {
            let found = postgres::doctor(address, civil_now()).await;
            found.into_iter().map(of_postgres).collect()
        }
        StoreUrl::Redis(address) => match redis::doctor(address).await {
            Ok(servers) => servers.iter().flat_map(of_redis).collect(),
            Err(why) => vec![Finding::bad("store", why, REACH)],
        },
    }
}

/// What was acknowledged and is not there any more, as far as any process that serves noticed; nothing of a file.
pub(super) fn lost(store: &Store) -> Option<Finding> {
    const WHAT: &str = "lost events";
    let found = match (store.is_shared(), store.lost()) {
        (false, _) => return None,
        (true, 0) => Finding::good(WHAT, "none: the store has all that its processes know of"),
        (true, lost) => Finding::warn(
            WHAT,
            format!("{lost} that the store had acknowledged are gone, counted since it was made"),
            "end those sessions again: docs/runbook.md, \u{201c}the store lost events\u{201d}",
        ),
    };
    Some(found)
}

const REACH: &str = "see that the server runs, and that `store` says where";

fn of_postgres(found: postgres::Finding) -> Finding {
    let postgres::Finding { what, level, text } = found;
    let next = "see docs/guide/cluster.md, \u{201c}PostgreSQL\u{201d}";
    match level {
        postgres::Level::Good => Finding::good(what, text),
        postgres::Level::Warning => Finding::warn(what, text, next),
        postgres::Level::Bad => Finding::bad(what, text, next),
    }
}

fn of_redis(found: &redis::Finding) -> Vec<Finding> {
    let at = civil_now();
    let name = &found.server;
    vec![
        Finding::good("version", format!("{name} is Redis {}, or like it", found.version)),
        kept(found),
        replicas(found),
        memory(found),
        clock(found, at),
        way(found),
    ]
}

fn kept(found: &redis::Finding) -> Finding {
    let name = &found.server;
    if !found.appends {
        let next = "set appendonly yes: without it a restart loses all since the last snapshot";
        return Finding::warn("persistence", format!("{name} has no append-only file"), next);
    }
    match found.appendfsync.as_deref() {
        Some("no") => Finding::warn(
            "persistence",
            format!("{name} leaves it to the system when its append-only file is synced"),
            "set appendfsync everysec, or always",
        ),
        Some(when) => {
            Finding::good("persistence", format!("{name} appends to a file, synced {when}"))
        }
        None => Finding::good("persistence", format!("{name} appends to a file")),
    }
}

fn replicas(found: &redis::Finding) -> Finding {
    let text = format!("{} has {} replicas", found.server, found.replicas);
    match found.replicas {
        0 => Finding::warn("replication", text, "one machine less, and nobody renews: add one"),
        1.. => Finding::good("replication", text),
    }
}

fn memory(found: &redis::Finding) -> Finding {
    let (used, most) = (found.used_memory >> 20, found.maxmemory >> 20);
    let text = format!("{} uses {used} MiB of {most}", found.server);
    if found.maxmemory_policy != "noeviction" {
        let next = "set maxmemory-policy noeviction: it throws sessions away otherwise";
        return Finding::bad("memory", text, next);
    }
    match found.maxmemory {
        0 => Finding::good("memory", format!("{} uses {used} MiB; it has no limit", found.server)),
        most if most / 100 * MEMORY_PERCENT_MAX < found.used_memory => {
            Finding::warn("memory", text, "make room: when it is full, nobody renews or is ended")
        }
        _ => Finding::good("memory", text),
    }
}

fn clock(found: &redis::Finding, at: Timestamp) -> Finding {
    let theirs = Timestamp::from_millis(found.clock_ms);
    let apart = theirs.since(at).max(at.since(theirs));
    let text = format!("{} is {:.1} s from this machine", found.server, apart.as_secs_f64());
    match apart <= CLOCK_MAX {
        true => Finding::good("store clock", text),
        false => Finding::warn("store clock", text, "have both set by the same time servers"),
    }
}

fn way(found: &redis::Finding) -> Finding {
    let millis = found.latency.as_secs_f64() * 1e3;
    let text = format!("{}: there and back in {millis:.1} ms", found.server);
    match found.latency <= WAY_MAX {
        true => Finding::good("latency", text),
        false => Finding::warn("latency", text, "put processes and store into one network"),
    }
}
