//! Nodes whose clocks do not agree. They run in this process, each by hands of its own.

use super::{FORGETFUL, Run, a_while};
use crate::history::Keeps;
use crate::house::{Ground, House, postgres_at, postgres_url, redis_at, redis_url};
use crate::node::{MASTER_KEY, Node};
use crate::postgres;
use crate::redis::{KEEPING, Server};
use std::time::Duration;
use symbolon::authority::{Doors, listen, open_by, run};
use symbolon::clock::Hands;
use symbolon::config::Config;
use symbolon_core::Timestamp;
use symbolon_wire::MasterKey;
use tokio::sync::watch;

fn ahead() -> Timestamp {
    (Hands::MACHINE.wall)().after(Duration::from_secs(1))
}

fn behind() -> Timestamp {
    (Hands::MACHINE.wall)().before(Duration::from_secs(1))
}

/// The hands of a node: the second is a second ahead, and the third one behind.
fn hands(number: usize) -> Hands {
    let wall = [Hands::MACHINE.wall, ahead, behind][number];
    Hands { wall, ..Hands::MACHINE }
}

/// Runs a node in this process, until the test is over.
fn start(number: usize, node: &mut Node) {
    let (file, address) = (node.configuration(), node.address);
    tokio::spawn(async move {
        let text = std::fs::read_to_string(file).unwrap();
        let config = Config::from_text("symbolon.toml", &text).ok().unwrap();
        let master = MasterKey::parse(MASTER_KEY).ok().unwrap();
        let live =
            open_by(hands(number), config, master).await.unwrap_or_else(|why| panic!("{why}"));
        let api = listen(address).await.unwrap_or_else(|why| panic!("{why}"));
        let (_running, stop) = watch::channel(false);
        run(live, Doors { api, metrics: None, admin: None }, stop).await;
    });
}

async fn clocks_are_two_seconds_apart(what: &'static str, ground: Ground<'_>) {
    let mut house = House::started(ground, start).await;
    let run = Run::begin(what, &house);
    while run.goes_on() {
        a_while().await;
    }
    run.end(&mut house, Keeps::All).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_are_two_seconds_apart_on_postgres() {
    let store = postgres::Server::new(&FORGETFUL);
    let ground = Ground::new(postgres_at(&store), &postgres_url);
    clocks_are_two_seconds_apart("clocks 2 s apart, PostgreSQL", ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_are_two_seconds_apart_on_redis() {
    let store = Server::start("redis-server", &KEEPING).await;
    let ground = Ground::new(redis_at(&store), &redis_url);
    clocks_are_two_seconds_apart("clocks 2 s apart, Redis", ground).await;
}
