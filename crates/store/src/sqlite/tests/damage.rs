//! Files that must not be served, and what must not be in them.

use super::{Places, bytes_of, open};
use crate::conformance::{AT, kick, refresh, session_start, sign_in, sign_in_through, token_of};
use crate::{Kind, Query, Refusal, Role, Store};
use rusqlite::Connection;
use std::path::Path;
use symbolon_core::{Fault, SessionId};

const SESSIONS: u32 = 300;

async fn filled(places: &Places) -> Vec<SessionId> {
    let store = places.open("one");
    let mut names = Vec::new();
    for number in 0..SESSIONS {
        let started = sign_in(&store, &format!("s{}", number % 97), number).await;
        names.push(started.grant.session.sid);
    }
    names
}

fn sql(path: &Path, statement: &str) {
    Connection::open(path).unwrap().execute_batch(statement).unwrap();
}

#[tokio::test]
async fn a_file_in_use_is_refused() {
    let places = Places::new();
    let first = places.open("one");
    let second = open(&places.path("one")).err().unwrap();
    assert!(matches!(second, Refusal::InUse { .. }), "{second}");
    assert!(second.to_string().contains("stop that one first"));
    drop(first);
    places.open("one");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_as_it_is() {
    let places = Places::new();
    filled(&places).await;
    sql(&places.path("one"), "PRAGMA user_version = 99");
    let before = std::fs::read(places.path("one")).unwrap();
    let refused = open(&places.path("one")).err().unwrap();
    assert!(matches!(refused, Refusal::Newer { found: 99, known: 2, .. }), "{refused}");
    assert_eq!(std::fs::read(places.path("one")).unwrap(), before);
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_to_this_one() {
    let places = Places::new();
    let names = filled(&places).await;
    let first = "DROP TABLE imported; DELETE FROM migrations WHERE number = 2; \
                 PRAGMA user_version = 1";
    sql(&places.path("one"), first);
    let store = places.open("one");
    assert!(store.session(names[0]).await.unwrap().is_some());
    assert!(store.imported(&symbolon_core::Digest([1; 32])).await.unwrap().is_none());
}

#[tokio::test]
async fn a_file_with_another_history_of_migrations_is_refused() {
    let places = Places::new();
    filled(&places).await;
    sql(&places.path("one"), "UPDATE migrations SET checksum = checksum + 1");
    let refused = open(&places.path("one")).err().unwrap();
    assert!(matches!(refused, Refusal::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let places = Places::new();
    sql(&places.path("one"), "CREATE TABLE theirs (a)");
    let refused = open(&places.path("one")).err().unwrap();
    assert!(matches!(refused, Refusal::Foreign { .. }), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    for content in [&b"x"[..], b"{\"sessions\": []}, and much more of this kind"] {
        let places = Places::new();
        std::fs::write(places.path("one"), content).unwrap();
        let refused = open(&places.path("one")).err().unwrap();
        assert!(matches!(refused, Refusal::Damaged { .. }), "{refused}");
        assert_eq!(std::fs::read(places.path("one")).unwrap(), content);
    }
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_refused() {
    let places = Places::new();
    filled(&places).await;
    let whole = std::fs::read(places.path("one")).unwrap();
    for cut in [1, 100, 4096, whole.len() / 2] {
        std::fs::write(places.path("one"), &whole[..whole.len() - cut]).unwrap();
        let refused = open(&places.path("one")).err().unwrap();
        assert!(matches!(refused, Refusal::Damaged { .. }), "{cut}: {refused}");
    }
}

/// Flips one bit of a page at a time, in every page: a session is served whole or not at all.
#[tokio::test]
async fn a_flipped_bit_is_never_served_as_another_session() {
    let places = Places::new();
    let names = filled(&places).await;
    let store = places.open("one");
    let mut sound = Vec::new();
    for sid in &names {
        sound.push(store.session(*sid).await.unwrap().unwrap().session);
    }
    drop(store);
    let whole = std::fs::read(places.path("one")).unwrap();
    let mut found = 0;
    for at in (200..whole.len()).step_by(937) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(places.path("one"), damaged).unwrap();
        let Ok(store) = open(&places.path("one")) else {
            found += 1;
            continue;
        };
        for session in &sound {
            match store.session(session.sid).await {
                Ok(Some(read)) => assert_eq!(read.session, *session, "byte {at}"),
                Ok(None) | Err(Fault::Store(_)) => found += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(0 < found);
}

#[tokio::test]
async fn a_damaged_row_is_a_fault_and_not_unknown() {
    let places = Places::new();
    let names = filled(&places).await;
    let flip = "UPDATE sessions SET row = CAST(substr(row, 1, 20) || x'AA' || substr(row, 22) AS BLOB) \
                WHERE subject = 's5'";
    sql(&places.path("one"), flip);
    let store = places.open("one");
    let mut faults = 0;
    for sid in names {
        faults += u32::from(store.session(sid).await.is_err());
    }
    assert_eq!(faults, 4);
    let all = Query { limit: 1000, ..Query::default() };
    assert!(matches!(store.sessions(&all, |_| true).await, Err(Fault::Store(_))));
}

#[tokio::test]
async fn an_operator_writes_records_beside_a_server_and_sessions_never() {
    let places = Places::new();
    let server = places.open("one");
    let sid = sign_in(&server, "10086", 1).await.grant.session.sid;
    let operator = Store::open_sqlite(&places.path("one"), Role::Operate).unwrap();
    assert!(operator.put_record(Kind::ApiKey, "ops", b"digest", None).await.unwrap());
    assert_eq!(server.record(Kind::ApiKey, "ops").await.unwrap().unwrap().value, b"digest");
    assert!(operator.session(sid).await.is_err());
    assert!(operator.bump(|cutoffs| Ok((cutoffs, Vec::new(), ()))).await.is_err());
    drop(operator);
    assert!(kick(&server, sid, AT).await.reply);
}

#[tokio::test]
async fn an_operator_may_come_before_the_first_server() {
    let places = Places::new();
    let operator = Store::open_sqlite(&places.path("one"), Role::Operate).unwrap();
    assert!(operator.put_record(Kind::ApiKey, "ops", b"digest", None).await.unwrap());
    let server = places.open("one");
    assert!(server.record(Kind::ApiKey, "ops").await.unwrap().is_some());
}

/// The salt may be there; what a token is made of beside it is computed, and the tag is nobody's to keep.
#[tokio::test]
async fn nothing_in_the_files_looks_like_a_token() {
    let places = Places::new();
    let store = places.open("one");
    let started = sign_in_through(&store, &session_start("10086", 1)).await.grant.session;
    refresh(&store, &token_of(&started), AT).await.unwrap();
    kick(&store, started.sid, AT).await;
    drop(store);
    let bytes = bytes_of(&places);
    for secret in ["sym_rt_", "sym_ak_", "eyJ", "Bearer"] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}

#[tokio::test]
async fn a_failed_commit_is_told_to_all_and_the_next_one_works() {
    let places = Places::new();
    let store = places.open("one");
    let session = sign_in(&store, "10086", 1).await.grant.session;
    let path = places.path("one");
    sql(
        &path,
        "CREATE TRIGGER broken BEFORE UPDATE ON sessions BEGIN SELECT raise(ABORT, 'disk'); END",
    );
    let later = AT.after(core::time::Duration::from_secs(60));
    let failing = || store.step(session.sid, |loaded| Ok(end(loaded)));
    let (one, two) = tokio::join!(failing(), failing());
    assert!(matches!((one, two), (Err(Fault::Store(_)), Err(Fault::Store(_)))));
    assert!(store.events_after(0, 9).await.unwrap().is_empty());
    sql(&path, "DROP TRIGGER broken");
    assert!(refresh(&store, &token_of(&session), later).await.is_ok());
    assert_eq!(kick(&store, session.sid, later).await.position, 1);
}

fn end(loaded: symbolon_core::Loaded) -> symbolon_core::Decision<bool> {
    let (policy, act) = (crate::conformance::policy(), symbolon_core::Act::authority());
    loaded.end(symbolon_core::Reason::Kicked, &act, &policy, AT)
}
