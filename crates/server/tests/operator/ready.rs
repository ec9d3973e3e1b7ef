//! `GET /readyz` while the store is away: for five seconds nobody is sent elsewhere, then everybody.

use crate::Ask;
use crate::common::pass;
use crate::machine::Machine;
use crate::postgres::Server as Postgres;
use crate::redis::{KEEPING, Server};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;
use tokio::time::Instant;

/// So long it is ready whatever happens: less than five seconds, by what the last poll may be old.
const READY: Duration = Duration::from_secs(4);

/// So long it may take on a busy machine until it is not any more.
const NOT_READY: Duration = Duration::from_secs(20);

async fn status(machine: &Machine) -> u16 {
    machine.ask(Ask::get("/readyz")).await.status.as_u16()
}

/// Takes the store away, watches, and gives it back.
async fn watch_while_away(machine: &Machine, away: impl FnOnce(), part: &str) {
    let key = machine.api_key();
    let session = machine.sign_in(&key, "10086").await;
    let begun = Instant::now();
    away();
    let refused = machine.refresh(&session["refresh_token"]).await;
    assert_eq!(refused.status, 503, "what needs the store says so at once");
    assert!(!refused.header("retry-after").is_empty());
    loop {
        let status = status(machine).await;
        let elapsed = begun.elapsed();
        if status == 503 {
            assert!(READY < elapsed, "not ready after {elapsed:?} already");
            break;
        }
        assert_eq!(status, 200);
        assert!(elapsed < NOT_READY, "still ready after {elapsed:?}");
        pass(Duration::from_millis(20)).await;
    }
    let answer = machine.ask(Ask::get("/readyz")).await;
    assert!(answer.text("detail").contains(part), "{}", answer.json());
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(machine.ask(Ask::get("/livez")).await.status, 200, "no reason to restart it");
}

#[tokio::test]
async fn a_postgres_that_hangs_makes_a_node_unready_after_five_seconds() {
    let server = Postgres::new(&[]);
    let url = server.url("place");
    let machine = Machine::serving(&url).await;
    watch_while_away(&machine, || server.freeze(true), "not been heard").await;
    server.freeze(false);
    machine.node.ready().await;
}

#[tokio::test]
async fn a_postgres_that_takes_no_writes_makes_a_node_unready_after_five_seconds() {
    let server = Postgres::new(&[]);
    let url = server.url("place");
    let machine = Machine::serving(&url).await;
    let read_only = || {
        server.set("default_transaction_read_only", "on");
        let all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE usename = 'symbolon' AND pid <> pg_backend_pid()";
        server.sql(all);
    };
    // It is asked for by connections to who takes writes, and nobody does.
    watch_while_away(&machine, read_only, "not been heard").await;
    server.set("default_transaction_read_only", "off");
    machine.node.ready().await;
}

#[tokio::test]
async fn a_redis_that_hangs_makes_a_node_unready_after_five_seconds() {
    let server = Server::start("redis-server", &KEEPING).await;
    let machine = Machine::serving(&server.url()).await;
    let process = Pid::from_raw(server.info("process_id").unwrap().parse().unwrap()).unwrap();
    let away = || kill_process(process, Signal::STOP).unwrap();
    watch_while_away(&machine, away, "not been heard").await;
    kill_process(process, Signal::CONT).unwrap();
    machine.node.ready().await;
}

#[tokio::test]
async fn a_redis_that_is_gone_makes_a_node_unready_after_five_seconds_until_it_is_back() {
    let mut server = Server::start("redis-server", &KEEPING).await;
    let machine = Machine::serving(&server.url()).await;
    watch_while_away(&machine, || server.kill(), "not been heard").await;
    server.run();
    machine.node.ready().await;
}

#[tokio::test]
async fn a_redis_that_is_full_makes_a_node_unready_after_five_seconds() {
    let server = Server::start("redis-server", &KEEPING).await;
    let machine = Machine::serving(&server.url()).await;
    let full = || drop(server.ask("CONFIG SET maxmemory 1"));
    watch_while_away(&machine, full, "taken no writes").await;
    server.ask("CONFIG SET maxmemory 0");
    machine.node.ready().await;
}
