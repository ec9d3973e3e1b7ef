//! Nodes that go, come back, and are cut off.

use super::{FORGETFUL, Run, a_while};
use crate::history::Keeps;
use crate::house::{House, NODES, SignedIn, postgres_url, redis_url};
use crate::network::Network;
use crate::node::ask;
use crate::postgres;
use crate::proxy::Way;
use crate::redis::{KEEPING, Server};
use crate::{Ask, namespaces, pass};
use std::time::Duration;

async fn nodes_are_killed(what: &'static str, mut house: House) {
    let run = Run::begin(what, &house);
    let mut turn = 0;
    while run.goes_on() {
        let node = turn % house.nodes.len();
        house.nodes[node].kill();
        pass(Duration::from_millis(300)).await;
        house.nodes[node].start();
        a_while().await;
        turn += 1;
    }
    run.end(&mut house, Keeps::All).await;
}

async fn nodes_are_replaced(what: &'static str, mut house: House) {
    let run = Run::begin(what, &house);
    let mut turn = 0;
    while run.goes_on() {
        let node = turn % house.nodes.len();
        house.nodes[node].stop().await;
        house.nodes[node].start();
        house.nodes[node].ready().await;
        turn += 1;
    }
    let history = run.end(&mut house, Keeps::All).await;
    let counts = history.counts;
    assert_eq!((counts.unanswered, counts.unavailable), (0, 0), "{counts:?}");
}

async fn nodes_are_cut_off(what: &'static str, mut house: House) {
    let run = Run::begin(what, &house);
    let mut turn = 0_u8;
    while run.goes_on() {
        match turn % (NODES + 1) {
            NODES if turn == NODES => house.all_ways(Way::Still),
            NODES => (0..NODES).for_each(|node| house.cut_off(node)),
            one => house.cut_off(one),
        }
        a_while().await;
        house.connected();
        pass(Duration::from_millis(400)).await;
        turn = turn.wrapping_add(1);
    }
    run.end(&mut house, Keeps::All).await;
}

async fn the_store_is_slow(what: &'static str, mut house: House) {
    let run = Run::begin(what, &house);
    while run.goes_on() {
        house.all_ways(Way::Slow(Duration::from_secs(1)));
        a_while().await;
        a_while().await;
        house.all_ways(Way::Open);
        a_while().await;
    }
    run.end(&mut house, Keeps::All).await;
}

/// While no node reaches its store, what is known is still said, and a renewal is to be tried again.
async fn no_node_reaches_its_store(house: House) {
    let SignedIn { sid, refresh, access } = house.sign_in("alice").await;
    house.all_ways(Way::Cut);
    let answer = ask(house.nodes[0].address, Ask::refresh("app", &refresh)).await.unwrap();
    let answer = answer.expect(503);
    assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    house.all_ways(Way::Open);
    house.stay_away(&access).await;
    house.ask(1, Ask::get(&format!("/v1/sessions/{sid}"))).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_killed_on_postgres() {
    let store = postgres::Server::new(&FORGETFUL);
    nodes_are_killed("kill -9 of nodes, PostgreSQL", House::on_postgres(&store).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_killed_on_redis() {
    let store = Server::start("redis-server", &KEEPING).await;
    nodes_are_killed("kill -9 of nodes, Redis", House::on_redis(&store).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_replaced_on_postgres() {
    let store = postgres::Server::new(&FORGETFUL);
    nodes_are_replaced("rolling upgrade, PostgreSQL", House::on_postgres(&store).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_replaced_on_redis() {
    let store = Server::start("redis-server", &KEEPING).await;
    nodes_are_replaced("rolling upgrade, Redis", House::on_redis(&store).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_cut_off_from_postgres() {
    if !namespaces() {
        let store = postgres::Server::new(&FORGETFUL);
        let house = House::on_postgres(&store).await;
        return nodes_are_cut_off("nodes cut off, PostgreSQL", house).await;
    }
    let network = Network::of(NODES);
    let listens = format!("listen_addresses=127.0.0.1,{}", network.store());
    let store = postgres::Server::new(&[FORGETFUL[0], &listens]);
    let house = House::across(network, store.port, postgres_url).await;
    nodes_are_cut_off("nodes in namespaces cut off, PostgreSQL", house).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_cut_off_from_redis() {
    if !namespaces() {
        let store = Server::start("redis-server", &KEEPING).await;
        return nodes_are_cut_off("nodes cut off, Redis", House::on_redis(&store).await).await;
    }
    let network = Network::of(NODES);
    let at = network.store().to_string();
    let listens = ["--bind", "127.0.0.1", &at, "--protected-mode", "no"];
    let store = Server::start("redis-server", &[&KEEPING[..], &listens].concat()).await;
    let house = House::across(network, store.port, redis_url).await;
    nodes_are_cut_off("nodes in namespaces cut off, Redis", house).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_answers_late() {
    let store = postgres::Server::new(&FORGETFUL);
    the_store_is_slow("answers 1 s late, PostgreSQL", House::on_postgres(&store).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_answers_late() {
    let store = Server::start("redis-server", &KEEPING).await;
    the_store_is_slow("answers 1 s late, Redis", House::on_redis(&store).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_no_node_reaches_its_redis_tokens_are_verified_and_a_renewal_is_to_be_tried_again() {
    let store = Server::start("redis-server", &KEEPING).await;
    no_node_reaches_its_store(House::on_redis(&store).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_no_node_reaches_its_postgres_tokens_are_verified_and_a_renewal_is_to_be_tried_again()
{
    let store = postgres::Server::new(&FORGETFUL);
    no_node_reaches_its_store(House::on_postgres(&store).await).await;
}
