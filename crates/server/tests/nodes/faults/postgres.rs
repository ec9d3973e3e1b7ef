//! A PostgreSQL that stops, hangs, takes no writes, has no room left, or is replaced by its standby.

use super::{FORGETFUL, Run, a_while};
use crate::disk::Disk;
use crate::history::Keeps;
use crate::house::{House, postgres_at};
use crate::postgres::Server;
use crate::{pass, until};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_restarted_and_its_connections_are_cut() {
    let mut store = Server::new(&FORGETFUL);
    let mut house = House::on_postgres(&store).await;
    let run = Run::begin("restarts and cut connections, PostgreSQL", &house);
    while run.goes_on() {
        store.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        );
        a_while().await;
        store.kill();
        pass(Duration::from_millis(300)).await;
        store.restart(&FORGETFUL);
        a_while().await;
    }
    run.end(&mut house, Keeps::All).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_hangs() {
    let store = Server::new(&FORGETFUL);
    let mut house = House::on_postgres(&store).await;
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
    let store = Server::new(&FORGETFUL);
    let mut house = House::on_postgres(&store).await;
    let run = Run::begin("read-only, PostgreSQL", &house);
    while run.goes_on() {
        store.set("default_transaction_read_only", "on");
        a_while().await;
        store.set("default_transaction_read_only", "off");
        a_while().await;
    }
    run.end(&mut house, Keeps::All).await;
}

/// First the tables cannot grow; then its log of writes cannot, and it stops until there is room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_has_no_room_left() {
    let disk = Disk::mounted();
    // No room is kept for a log that is not written yet.
    let settings = [FORGETFUL[0], "wal_recycle=off", "min_wal_size=32MB", "max_wal_size=32MB"];
    let mut store = Server::new_in(&disk.place, &settings);
    let mut house = House::on_postgres(&store).await;
    let run = Run::begin("disk full, PostgreSQL", &house);
    let mut turn = 0;
    while run.goes_on() {
        disk.fill();
        let asked = match turn % 2 {
            // Nothing of it goes to the log of writes.
            0 => "CREATE UNLOGGED TABLE large AS SELECT generate_series(1, 100000)",
            // The next segment of the log, or the one after it, has no room: the server stops.
            _ => "SELECT pg_switch_wal(), pg_sleep(0.1)",
        };
        assert!((0..20).any(|_| store.try_sql(asked).is_err()), "there was room");
        a_while().await;
        disk.free();
        goes_again(&mut store, &settings).await;
        a_while().await;
        turn += 1;
    }
    run.end(&mut house, Keeps::All).await;
}

/// Starts it again if it has stopped, as whatever watches over it does, until it answers.
async fn goes_again(store: &mut Server, settings: &[&str]) {
    until("it goes again", || {
        if store.has_ended() {
            store.restart(settings);
        }
        let answers = store.try_sql("SELECT 1").is_ok();
        async move { answers.then_some(()) }
    })
    .await;
}

/// A primary and its standby; the standby has all that was acknowledged if `synchronous`.
fn pair(synchronous: bool) -> [Server; 2] {
    let primary = Server::new(&FORGETFUL);
    let standby = primary.standby(&FORGETFUL);
    if synchronous {
        primary.set("synchronous_standby_names", "'*'");
    }
    [primary, standby]
}

/// The nodes know both; the proxies before them stand before neither.
async fn on_both(servers: &[Server; 2]) -> House {
    let hosts = servers.each_ref().map(|server| format!("127.0.0.1:{}", server.port)).join(",");
    let url = format!("postgres://symbolon@{hosts}/postgres");
    House::on(postgres_at(&servers[0]), |_| url.clone()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_synchronous_standby_of_postgres_takes_over() {
    let mut servers = pair(true);
    let mut house = on_both(&servers).await;
    let run = Run::begin("primary killed, synchronous standby promoted, PostgreSQL", &house);
    a_while().await;
    servers[0].kill();
    servers[1].promote();
    while run.goes_on() {
        a_while().await;
    }
    run.end(&mut house, Keeps::All).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_of_postgres_takes_over_that_lacks_the_last_second() {
    let mut servers = pair(false);
    let mut house = on_both(&servers).await;
    let run = Run::begin("primary killed, standby behind it promoted, PostgreSQL", &house);
    a_while().await;
    servers[1].stop();
    a_while().await;
    servers[0].kill();
    servers[1].restart(&FORGETFUL);
    servers[1].promote();
    while run.goes_on() {
        a_while().await;
    }
    run.end(&mut house, Keeps::WhatTheEngineKept).await;
    // It is not silent: what was lost is counted, once for all nodes.
    let lost = servers[1].sql("SELECT sum(told - head) FROM symbolon.lost");
    assert!(0 < lost.parse().unwrap(), "nothing was lost: {lost}");
    assert_eq!(servers[1].sql("SELECT count(*) FROM symbolon.lost"), "1");
}
