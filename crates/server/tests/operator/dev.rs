//! `symbolon dev --store URL`: on both engines it is the same `dev`, and what was there is there again.

use crate::common::{Configuration, Home, Server};
use crate::node::symbolon;
use crate::postgres::Server as Postgres;
use crate::redis::{KEEPING, Server as Redis};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;

async fn stopped(server: Server) -> Arc<Home> {
    server.tell_to_stop();
    server.stopped().await.0
}

async fn expect_dev_on(url: &str) {
    let home = Home::new(&["--store", url]);
    let first = home.start().await;
    let tokens = first.sign_in("10086").await;
    let renewed = first.renew(&tokens.refresh).await;
    let key = first.api_key().to_owned();
    let home = stopped(first).await;
    assert!(!home.data().join("symbolon.db").exists(), "the store is elsewhere");

    let second = home.start().await;
    assert_eq!(second.active("10086").await, std::slice::from_ref(&tokens.sid));
    let again = second.renew(&renewed.refresh).await;
    assert_eq!(second.introspect(&again.access).await["active"], true);
    let ask = crate::Ask::get("/v1/sessions?limit=1").key(&key);
    second.ask(ask).await.expect(200);
    stopped(second).await;

    // Another directory has another master key, and says which one belongs to the store.
    let stranger = Home::new(&["--store", url]);
    assert_eq!(stranger.try_start().await.err().and_then(|status| status.code()), Some(3));
    assert!(stranger.log().contains("another master key"), "{}", stranger.log());

    // With a file of settings, the flag goes before what it says.
    let file = Configuration::new().client("web", "");
    let configured = Home::configured_with(&file, &["--store", url]).with_the_key_of(&home);
    let third = configured.start().await;
    assert_eq!(third.active("10086").await, [tokens.sid]);
}

#[tokio::test]
async fn dev_on_postgres_finds_what_was_there() {
    let server = Postgres::new(&[]);
    expect_dev_on(&server.url("place")).await;
}

#[tokio::test]
async fn dev_on_redis_finds_what_was_there() {
    let server = Redis::start("redis-server", &KEEPING).await;
    expect_dev_on(&server.url()).await;
}

/// Starts `dev` without a directory, and answers what it said until it was stopped.
fn say_without_a_directory(url: &str) -> String {
    let mut dev = symbolon();
    dev.args(["dev", "--store", url, "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"]);
    let mut dev = dev.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(dev.stdout.take().unwrap()).lines() {
        said += &(line.unwrap() + "\n");
        if said.contains("Ctrl-C") {
            kill_process(Pid::from_child(&dev), Signal::TERM).unwrap();
        }
    }
    said + &String::from_utf8(dev.wait_with_output().unwrap().stderr).unwrap()
}

#[test]
fn dev_without_a_directory_says_that_the_stores_key_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/kept.db", folder.path().display());
    let said = say_without_a_directory(&url);
    assert!(said.contains("the store's master key too: name one with --data"), "{said}");
    let again = say_without_a_directory(&url);
    assert!(again.contains("another master key") && again.contains("--data DIR"), "{again}");
}
