//! A Redis that hangs, loses its primary, is full or takes no writes.

use super::{Run, a_while};
use crate::history::Keeps;
use crate::house::{House, redis_at};
use crate::redis::{KEEPING, Server, Watched, new_cluster, url_of};
use crate::{pass, until};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_hangs() {
    let store = Server::start("redis-server", &KEEPING).await;
    let mut house = House::on_redis(&store).await;
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
async fn redis_is_restarted_and_its_connections_are_cut() {
    let mut store = Server::start("redis-server", &KEEPING).await;
    let mut house = House::on_redis(&store).await;
    let run = Run::begin("restarts and cut connections, Redis", &house);
    while run.goes_on() {
        for kind in ["normal", "pubsub"] {
            store.ask(&format!("CLIENT KILL TYPE {kind}"));
        }
        a_while().await;
        store.kill();
        pass(Duration::from_millis(300)).await;
        store.run();
        until("Redis answers", || async { store.info("process_id").map(drop) }).await;
        a_while().await;
    }
    run.end(&mut house, Keeps::WhatTheEngineKept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_full_and_takes_no_writes() {
    let store = Server::start("redis-server", &KEEPING).await;
    let mut house = House::on_redis(&store).await;
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
    let url = store.url();
    let mut house = House::on(redis_at(&store.servers[0]), |_| url.clone()).await;
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
    let url = url_of(&servers);
    let mut house = House::on(redis_at(&servers[0]), |_| url.clone()).await;
    let run = Run::begin("primary killed, Redis Cluster", &house);
    a_while().await;
    servers[0].kill();
    while run.goes_on() {
        a_while().await;
    }
    run.end(&mut house, Keeps::WhatTheEngineKept).await;
}
