//! Who may open a place, and what is said to those who may not.

use super::server::{free_port, shared};
use std::sync::Arc;
use symbolon_store::postgres::{Address, Level, doctor};
use symbolon_store::{Refusal, Store};
use tokio::task::JoinSet;

async fn open(url: &str) -> Result<Store, Refusal> {
    Store::open_postgres(&Address::parse(url).unwrap()).await
}

async fn refused(url: &str) -> Refusal {
    match open(url).await {
        Ok(_) => panic!("{url} was opened"),
        Err(refusal) => refusal,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_processes_may_open_an_empty_place_at_once() {
    let url: Arc<str> = shared().url("ten").into();
    let mut opening = JoinSet::new();
    for _ in 0..10 {
        let url = Arc::clone(&url);
        opening.spawn(async move { open(&url).await.map(|store| store.head()) });
    }
    for opened in opening.join_all().await {
        assert_eq!(opened, Ok(0));
    }
    assert_eq!(shared().sql("SELECT count(*) FROM ten.symbolon_migrations"), "2");
    assert_eq!(shared().sql("SELECT count(*) FROM ten.head"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused() {
    let url = shared().url("newer");
    drop(open(&url).await.unwrap());
    shared().sql("INSERT INTO newer.symbolon_migrations VALUES (3, 7)");
    let refusal = refused(&url).await;
    assert!(matches!(refusal, Refusal::NewerSchema { found: 3, known: 2, .. }), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_whose_steps_are_not_ours_is_refused() {
    let url = shared().url("edited");
    drop(open(&url).await.unwrap());
    shared().sql("UPDATE edited.symbolon_migrations SET checksum = 7");
    let refusal = refused(&url).await;
    assert!(matches!(refusal, Refusal::NotAsWritten { .. }), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_schema_is_refused_and_left_alone() {
    shared().sql("CREATE SCHEMA theirs; CREATE TABLE theirs.sessions (id integer)");
    let refusal = refused(&shared().url("theirs")).await;
    assert!(matches!(refusal, Refusal::AnotherProgram { .. }), "{refusal}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'theirs'";
    assert_eq!(shared().sql(tables), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_is_told_what_to_check_and_no_password() {
    let port = free_port();
    let url = format!("postgres://symbolon:geheim@127.0.0.1:{port}/postgres");
    let refusal = refused(&url).await;
    assert!(matches!(refusal, Refusal::Unreachable { .. }), "{refusal}");
    assert!(!refusal.to_string().contains("geheim"), "{refusal}");
    shared().sql("CREATE ROLE poor LOGIN");
    let here = shared().port;
    let poor = format!("postgres://poor:geheim@127.0.0.1:{here}/postgres?schema=poor");
    let refusal = refused(&poor).await;
    assert!(matches!(refusal, Refusal::Rights { .. }), "{refusal}");
    assert!(!refusal.to_string().contains("geheim"), "{refusal}");
    let refusal = refused(&format!("postgres://symbolon@127.0.0.1:{here}/nothing")).await;
    assert!(matches!(refusal, Refusal::Rights { .. }), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_refused() {
    shared().sql("CREATE ROLE reader LOGIN");
    shared().sql("ALTER ROLE reader SET default_transaction_read_only = on");
    let url = format!("postgres://reader@127.0.0.1:{}/postgres", shared().port);
    let refusal = refused(&url).await;
    assert!(matches!(refusal, Refusal::Setting { .. }), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_the_database_is_enough_where_the_schema_is_made_already() {
    shared().sql("CREATE ROLE guest LOGIN; CREATE SCHEMA given AUTHORIZATION guest");
    let url = format!("postgres://guest@127.0.0.1:{}/postgres?schema=given", shared().port);
    assert_eq!(open(&url).await.map(|store| store.head()), Ok(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_a_server_that_forgets() {
    let address = Address::parse(&shared().url("doctor")).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = symbolon_core::Timestamp::from_millis(now.as_millis() as u64);
    let found = doctor(&address, now).await;
    let level = |what| found.iter().find(|one| one.what == what).map(|one| one.level);
    assert_eq!(level("store"), Some(Level::Good));
    assert_eq!(level("fsync"), Some(Level::Bad), "the tests' server has it switched off");
    assert_eq!(level("store clock"), Some(Level::Good));
    assert_eq!(level("origin"), Some(Level::Good));
    assert_eq!(level("replication"), Some(Level::Warning));
    let late = now.after(std::time::Duration::from_secs(5));
    let found = doctor(&address, late).await;
    let clock = found.iter().find(|one| one.what == "store clock");
    assert_eq!(clock.map(|one| one.level), Some(Level::Warning));
    let nobody = format!("postgres://u:geheim@127.0.0.1:{}/d", free_port());
    let found = doctor(&Address::parse(&nobody).unwrap(), now).await;
    assert!(found.iter().any(|one| one.level == Level::Bad));
    assert!(found.iter().all(|one| !one.text.contains("geheim")));
}
