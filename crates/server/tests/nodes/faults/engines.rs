//! A Redis that hangs, loses its primary, is full or takes no writes.

use super::{Run, a_while};
use crate::history::Keeps;
use crate::house::House;
use crate::pass;
use crate::redis::{KEEPING, Server, Watched, new_cluster, url_of};
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
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
