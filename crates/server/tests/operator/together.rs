//! Processes that start at once on one store that nobody has used.

use crate::Ask;
use crate::machine::{Machine, free};
use crate::postgres::Server as Postgres;
use crate::redis::{KEEPING, Server};
use symbolon_store::{Kind, Refusal, Store};

/// How many start at once.
const NODES: usize = 4;

/// How often, each time on a place of its own.
const ROUNDS: usize = 3;

async fn expect_one_set_of_keys(url: &str, open: impl AsyncFn() -> Result<Store, Refusal>) {
    let issuer = free();
    let mut machines: Vec<_> = (0..NODES).map(|_| Machine::new(url, Some(issuer))).collect();
    machines.iter_mut().for_each(|machine| machine.node.start());
    let mut told = Vec::new();
    for machine in &machines {
        machine.node.ready().await;
        let answer = machine.ask(Ask::get("/.well-known/jwks.json")).await.expect(200).json();
        told.push(answer);
    }
    assert_eq!(told[0]["keys"].as_array().unwrap().len(), 1, "{}", told[0]);
    assert!(told.iter().all(|keys| *keys == told[0]), "they announce other keys: {told:?}");
    let made = |machine: &Machine| machine.node.log().matches("made a signing key").count();
    assert_eq!(machines.iter().map(made).sum::<usize>(), 1, "one of them made it");
    // A key that lost its race is written over with nothing.
    let store = open().await.unwrap_or_else(|why| panic!("{why}"));
    let keys = store.records(Kind::SigningKey).await.unwrap();
    let kept: Vec<_> = keys.iter().filter(|key| !key.value.is_empty()).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(*kept[0].name, *told[0]["keys"][0]["kid"].as_str().unwrap());
    // What one signs another lets in.
    let key = machines[0].api_key();
    let session = machines[1].sign_in(&key, "10086").await;
    let token = session["access_token"].as_str().unwrap();
    let ask = Ask::form("/oauth2/introspect", &[("token", token)]).key(&key);
    let answer = machines[2].ask(ask).await.expect(200).json();
    assert_eq!(answer["active"], true, "{answer}");
}

#[tokio::test]
async fn nodes_that_start_at_once_on_an_empty_postgres_have_one_set_of_keys() {
    let server = Postgres::new(&[]);
    for round in 0..ROUNDS {
        let url = server.url(&format!("at{round}"));
        // Made by the processes; looked at afterwards.
        let address = symbolon_store::postgres::Address::parse(&url).unwrap();
        expect_one_set_of_keys(&url, async || Store::open_postgres(&address).await).await;
    }
}

#[tokio::test]
async fn nodes_that_start_at_once_on_an_empty_redis_have_one_set_of_keys() {
    let server = Server::start("redis-server", &KEEPING).await;
    for round in 0..ROUNDS {
        let url = format!("{}?prefix=at{round}", server.url());
        let address = symbolon_store::redis::Address::parse(&url).unwrap();
        expect_one_set_of_keys(&url, async || Store::open_redis(&address).await).await;
    }
}
