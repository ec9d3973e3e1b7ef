//! `symbolon doctor` on servers that are as they should be, and on servers that are not.

use crate::machine::Machine;
use crate::postgres::Server as Postgres;
use crate::redis::{KEEPING, Server, until};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use symbolon::clock::Hands;
use symbolon_core::Duration;
use symbolon_store::postgres::Level;
use tempfile::TempDir;

fn on_redis(server: &Server) -> Machine {
    Machine::new(&server.url(), None)
}

fn on_postgres(server: &Postgres) -> Machine {
    Machine::new(&server.url("place"), None)
}

#[tokio::test]
async fn a_redis_that_keeps_what_it_is_told_and_has_a_replica_is_well() {
    let server = Server::start("redis-server", &KEEPING).await;
    let machine = on_redis(&server);
    let alone = machine.doctor();
    alone.expect("replication", "warn", &["has 0 replicas", "add one"]);
    let of = server.port.to_string();
    let follows = ["--replicaof", "127.0.0.1", &of, "--repl-diskless-sync-delay", "0"];
    let replica = Server::start("redis-server", &[&KEEPING[..], &follows].concat()).await;
    until("it follows", async || {
        replica.info("master_link_status").as_deref() == Some("up")
            && server.info("connected_slaves").as_deref() == Some("1")
    })
    .await;
    let found = machine.doctor();
    assert_eq!(found.code, 0);
    found.expect("store", "good", &["opens"]);
    found.expect("version", "good", &["is Redis"]);
    found.expect("persistence", "good", &["appends to a file, synced everysec"]);
    found.expect("replication", "good", &["has 1 replicas"]);
    found.expect("memory", "good", &["it has no limit"]);
    found.expect("store clock", "good", &["s from this machine"]);
    found.expect("lost events", "good", &["none"]);
    assert_eq!(found.of("latency").len(), 1);
}

#[tokio::test]
async fn a_redis_that_keeps_nothing_is_short_of_memory_or_throws_away_is_named() {
    let server = Server::start("redis-server", &["--save", ""]).await;
    let machine = on_redis(&server);
    machine.doctor().expect("persistence", "warn", &["no append-only file", "appendonly yes"]);
    // Forty megabytes of something else, so that what is left of the limit is enough to be asked at all.
    server.ask("SETRANGE pad 40000000 x");
    let used: u64 = server.info("used_memory").unwrap().parse().unwrap();
    server.ask(&format!("CONFIG SET maxmemory {}", used + used / 8));
    machine.doctor().expect("memory", "warn", &["make room"]);
    server.ask("CONFIG SET maxmemory 0");
    server.ask("DEL pad");
    server.ask("CONFIG SET appendfsync no");
    server.ask("CONFIG SET appendonly yes");
    machine.doctor().expect("persistence", "warn", &["appendfsync everysec"]);
    server.ask("CONFIG SET maxmemory-policy allkeys-lru");
    let found = machine.doctor();
    assert_eq!(found.code, 1);
    found.expect("memory", "bad", &["set maxmemory-policy noeviction"]);
    found.expect("store", "bad", &["allkeys-lru", "CONFIG SET"]);
}

#[tokio::test]
async fn a_redis_that_is_gone_is_named_with_where_it_was() {
    let server = Server::start("redis-server", &KEEPING).await;
    let machine = on_redis(&server);
    server.kill();
    let found = machine.doctor();
    assert_eq!(found.code, 1);
    found.expect("store", "bad", &["cannot be reached", &server.port.to_string()]);
}

#[tokio::test]
async fn a_postgres_as_debian_starts_it_is_well_but_for_its_missing_standby() {
    let server = Postgres::new(&[]);
    let found = on_postgres(&server).doctor();
    assert_eq!(found.code, 0);
    found.expect("store", "good", &["opens"]);
    found.expect("version", "good", &["PostgreSQL"]);
    for what in ["fsync", "full_page_writes", "synchronous_commit"] {
        found.expect(what, "good", &["is on"]);
    }
    found.expect("replication", "warn", &["no standby is synchronous"]);
    found.expect("connections", "good", &["max_connections is 400"]);
    found.expect("store clock", "good", &["s from ours"]);
    found.expect("origin", "good", &["cluster and timeline"]);
    found.expect("lost events", "good", &["none"]);
    assert_eq!(found.of("latency").len(), 1);
}

#[tokio::test]
async fn a_postgres_that_may_lose_what_it_acknowledged_is_named() {
    let server = Postgres::new(&[]);
    let machine = on_postgres(&server);
    for name in ["fsync", "full_page_writes", "synchronous_commit"] {
        server.set(name, "off");
        until("it is off", async || server.sql(&format!("SHOW {name}")) == "off").await;
    }
    let found = machine.doctor();
    assert_eq!(found.code, 1);
    found.expect("fsync", "bad", &["fsync is off", "is lost when the machine stops"]);
    found.expect("full_page_writes", "bad", &["may be torn"]);
    found.expect("synchronous_commit", "warn", &["is off for this user", "raises it to on"]);
}

#[tokio::test]
async fn a_postgres_that_is_gone_is_named_with_where_it_was() {
    let mut server = Postgres::new(&[]);
    let machine = on_postgres(&server);
    server.kill();
    let found = machine.doctor();
    assert_eq!(found.code, 1);
    found.expect("store", "bad", &["cannot be reached", &server.port.to_string()]);
}

/// A server whose clock is half a minute ahead, by a library that it loads.
fn ahead(folder: &Path) -> &'static str {
    const SOURCE: &str = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <sys/time.h>\n\
         int gettimeofday(struct timeval *now, void *zone) {\n\
           int (*own)(struct timeval *, void *) = dlsym(RTLD_NEXT, \"gettimeofday\");\n\
           int answer = own(now, zone);\n\
           now->tv_sec += 30;\n\
           return answer;\n\
         }\n";
    let (source, library) = (folder.join("ahead.c"), folder.join("ahead.so"));
    fs::write(&source, SOURCE).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
    let made =
        compiler.output().unwrap_or_else(|why| panic!("cc: {why}; run: apt-get install gcc"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let program = folder.join("redis-ahead");
    let text = format!("#!/bin/sh\nLD_PRELOAD={} exec redis-server \"$@\"\n", library.display());
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    program.display().to_string().leak()
}

#[tokio::test]
async fn a_redis_whose_clock_is_not_this_machines_is_named() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(ahead(folder.path()), &KEEPING).await;
    let found = on_redis(&server).doctor();
    found.expect("store clock", "warn", &["s from this machine", "the same time servers"]);
    let (_, text) = &found.of("store clock")[0];
    assert!(text.contains(" 30.") || text.contains(" 29."), "{text}");
}

#[tokio::test]
async fn a_postgres_whose_clock_is_not_this_machines_is_named() {
    let server = Postgres::new(&[]);
    let url = server.url("place");
    let address = symbolon_store::postgres::Address::parse(&url).unwrap();
    // The machine is asked what time it is, and says something else.
    let behind = (Hands::MACHINE.wall)().before(Duration::from_secs(30));
    let found = symbolon_store::postgres::doctor(&address, behind).await;
    let clock = found.iter().find(|finding| finding.what == "store clock").unwrap();
    assert_eq!(clock.level, Level::Warning, "{clock:?}");
    assert!(clock.text.contains("clock is 30."), "{clock:?}");
}
