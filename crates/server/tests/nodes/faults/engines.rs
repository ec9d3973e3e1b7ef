//! Engines that stop, hang, lose their primary, are full or take no writes.

use super::{Run, a_while};
use crate::history::Keeps;
use crate::house::House;
use crate::pass;
use crate::postgres::Postgres;
use crate::redis::{KEEPING, Server, Watched, new_cluster, url_of};
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
use std::time::Duration;

async fn on_postgres(store: &Postgres) -> House {
    House::on(store.address, |at| format!("postgres://symbolon@{at}/symbolon")).await
}

async fn on_redis(store: &Server) -> House {
    let at = SocketAddr::from(([127, 0, 0, 1], store.port));
    House::on(at, |at| format!("redis://{at}/0")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_restarted_and_its_connections_are_cut() {
    let mut store = Postgres::start().await;
    let mut house = on_postgres(&store).await;
    let run = Run::begin("restarts and cut connections, PostgreSQL", &house);
    while run.goes_on() {
        store.ask(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'symbolon'",
        );
        a_while().await;
        store.crash();
        pass(Duration::from_millis(300)).await;
        store.start_again().await;
        a_while().await;
    }
    run.end(&mut house, Keeps::All).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_hangs() {
    let store = Postgres::start().await;
    let mut house = on_postgres(&store).await;
    let run = Run::begin("paused, PostgreSQL", &house);
    while run.goes_on() {
        store.freeze(true);
        a_while().await;
        a_while().await;
        store.freeze(false);
        a_while().await;
    }
    run.end(&mut house, Keeps::All).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_takes_no_writes() {
    let store = Postgres::start().await;
    let mut house = on_postgres(&store).await;
    let run = Run::begin("read-only, PostgreSQL", &house);
    while run.goes_on() {
        store.set("default_transaction_read_only", "on");
        a_while().await;
        store.set("default_transaction_read_only", "off");
        a_while().await;
    }
    store.set("default_transaction_read_only", "off");
    run.end(&mut house, Keeps::All).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_hangs() {
    let store = Server::start("redis-server", &KEEPING).await;
    let mut house = on_redis(&store).await;
    let process = Pid::from_raw(store.info("process_id").unwrap().parse().unwrap()).unwrap();
    let run = Run::begin("paused, Redis", &house);
    while run.goes_on() {
        kill_process(process, Signal::STOP).unwrap();
        a_while().await;
        a_while().await;
        kill_process(process, Signal::CONT).unwrap();
        a_while().await;
    }
    run.end(&mut house, Keeps::All).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_full_and_takes_no_writes() {
    let store = Server::start("redis-server", &KEEPING).await;
    let mut house = on_redis(&store).await;
    let run = Run::begin("full and read-only, Redis", &house);
    while run.goes_on() {
        store.ask("CONFIG SET maxmemory 1");
        a_while().await;
        store.ask("CONFIG SET maxmemory 0");
        pass(Duration::from_millis(300)).await;
        store.ask("CONFIG SET min-replicas-to-write 1");
        a_while().await;
        store.ask("CONFIG SET min-replicas-to-write 0");
        a_while().await;
    }
    run.end(&mut house, Keeps::All).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_is_killed_and_sentinels_promote_another() {
    let store = Watched::start().await;
    let at = SocketAddr::from(([127, 0, 0, 1], store.servers[0].port));
    let url = store.url();
    let mut house = House::on(at, |_| url.clone()).await;
    let run = Run::begin("primary killed, Redis with Sentinel", &house);
    a_while().await;
    store.servers[0].kill();
    while run.goes_on() {
        a_while().await;
    }
    run.end(&mut house, Keeps::WhatTheEngineKept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_a_cluster_is_killed() {
    let servers = new_cluster().await;
    let at = SocketAddr::from(([127, 0, 0, 1], servers[0].port));
    let url = url_of(&servers);
    let mut house = House::on(at, |_| url.clone()).await;
    let run = Run::begin("primary killed, Redis Cluster", &house);
    a_while().await;
    servers[0].kill();
    while run.goes_on() {
        a_while().await;
    }
    run.end(&mut house, Keeps::WhatTheEngineKept).await;
}
