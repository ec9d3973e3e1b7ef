//! What a failed sync, or a process before, left in doubt: it is written again before anything is built upon it.

use super::Places;
use crate::Store;
use crate::conformance::{AT, kick, sign_in};
use rusqlite::Connection;
use std::path::PathBuf;

fn log_of(places: &Places, name: &str) -> PathBuf {
    let mut path = places.path(name).into_os_string();
    path.push("-wal");
    path.into()
}

/// A number that rises when the log is begun from its start: the first salt in its head.
fn begun(places: &Places) -> u32 {
    let log = std::fs::read(log_of(places, "one")).unwrap();
    u32::from_be_bytes(log[16..20].try_into().unwrap())
}

/// Leaves what a crash of the store `one` would leave, as `crashed`.
fn crash(places: &Places) {
    for ending in ["", "-wal", ".ends"] {
        let of = |name: &str| {
            let mut path = places.path(name).into_os_string();
            path.push(ending);
            path
        };
        std::fs::copy(of("one"), of("crashed")).unwrap();
    }
}

async fn is_there(store: &Store, sid: symbolon_core::SessionId) -> bool {
    store.session(sid).await.unwrap().is_some()
}

/// The log may be in the system's memory alone: what it says is in the database, and synced, before the first
/// commit.
#[tokio::test]
async fn a_start_writes_back_the_log_that_a_crash_left_and_empties_it() {
    let places = Places::new();
    let store = places.open("one");
    let sid = sign_in(&store, "10086", 1).await.grant.session.sid;
    crash(&places);
    // Somebody else has it open: else the last connection that is closed would do it, by the way.
    let beside = Connection::open(places.path("crashed")).unwrap();
    beside.query_row("SELECT count(*) FROM sessions", [], |_| Ok(())).unwrap();
    assert!(0 < std::fs::metadata(log_of(&places, "crashed")).unwrap().len());
    let started = places.open("crashed");
    assert_eq!(std::fs::metadata(log_of(&places, "crashed")).unwrap().len(), 0);
    assert!(is_there(&started, sid).await);
    let database = std::fs::read(places.path("crashed")).unwrap();
    assert!(database.windows(16).any(|window| window == sid.as_bytes()), "it is in the database");
}

#[tokio::test]
async fn after_a_failed_commit_the_log_is_begun_anew_and_the_store_says_how_it_is() {
    let places = Places::new();
    let store = places.open("one");
    let session = sign_in(&store, "10086", 1).await.grant.session;
    let (before, broken) = (
        begun(&places),
        "CREATE TRIGGER broken BEFORE INSERT ON events BEGIN \
         SELECT raise(ABORT, 'disk'); END",
    );
    let beside = Connection::open(places.path("one")).unwrap();
    beside.execute_batch(broken).unwrap();
    assert!(store.takes_writes());
    let decide = |loaded: symbolon_core::Loaded| {
        let (policy, act) = (crate::conformance::policy(), symbolon_core::Act::authority());
        Ok(loaded.end(symbolon_core::Reason::Kicked, &act, &policy, AT))
    };
    assert!(store.step(session.sid, decide).await.is_err());
    assert!(!store.takes_writes());
    assert_eq!(begun(&places), before);
    beside.execute_batch("DROP TRIGGER broken").unwrap();
    assert!(kick(&store, session.sid, AT).await.reply);
    assert!(store.takes_writes());
    assert_ne!(begun(&places), before, "nothing was appended to what is in doubt");
}

#[tokio::test]
async fn a_start_while_a_copy_is_being_made_goes_on_with_the_log_as_it_is() {
    let places = Places::new();
    let store = places.open("one");
    let sid = sign_in(&store, "10086", 1).await.grant.session.sid;
    crash(&places);
    let copying = Connection::open(places.path("crashed")).unwrap();
    copying.execute_batch("BEGIN; SELECT count(*) FROM sessions").unwrap();
    let before = std::fs::read(log_of(&places, "crashed")).unwrap();
    let started = places.open("crashed");
    assert_eq!(std::fs::read(log_of(&places, "crashed")).unwrap(), before);
    assert!(is_there(&started, sid).await);
    assert!(kick(&started, sid, AT).await.reply);
}
