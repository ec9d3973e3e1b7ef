//! Single flipped bits: each is found by a start or by a look at everything, or changes nothing at all.

use super::{Places, open};
use crate::conformance::{AT, kick, sign_in};
use crate::{Examined, Kind, Sqlite, Store};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::Path;
use symbolon_core::{Subject, SubjectDecision};

/// How many bits are flipped, unless `FLIPS` says otherwise.
const FLIPS: usize = 600;

/// A store with rows in every table, in pages at every height.
async fn filled(places: &Places) {
    let store = places.open("one");
    let mut all = Vec::new();
    for number in 0..400 {
        all.push(sign_in(&store, &format!("s{number}"), number).await.grant.session);
    }
    for session in all.iter().step_by(2) {
        kick(&store, session.sid, AT).await;
    }
    for (number, session) in all.iter().enumerate() {
        let digest = [number.to_le_bytes()[0]; 32];
        let later = AT.after(core::time::Duration::from_secs(60));
        store.spend(digest, b"value", later, AT).await.unwrap();
        if number % 8 == 0 {
            with_roles(&store, session).await;
        }
    }
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        assert!(store.put_record(kind, &format!("r{at}"), &[7; 300], None).await.unwrap());
    }
    raise(&store).await;
}

async fn with_roles(store: &Store, session: &symbolon_core::Session) {
    let subject = Subject::clone(&session.subject);
    let decide = |loaded: symbolon_core::LoadedSubject| {
        let mut state = loaded.subject.clone();
        state.epochs.counter += 1;
        Ok(SubjectDecision {
            subject: Some(state),
            created: None,
            changed: Vec::new(),
            events: Vec::new(),
            reply: (),
        })
    };
    store.step_subject(&subject, session.sid.shard(), decide).await.unwrap();
}

async fn raise(store: &Store) {
    let decide = |mut cutoffs: symbolon_core::Cutoffs| {
        cutoffs.everything.counter += 1;
        Ok((cutoffs, Vec::new(), ()))
    };
    store.bump(decide).await.unwrap();
}

/// All that can be read, by every way there is to read it; `None`: it cannot.
fn contents(path: &Path) -> Option<Vec<Vec<Value>>> {
    let connection = Connection::open(path).ok()?;
    let mut all = Vec::new();
    for sql in [
        "SELECT * FROM sessions ORDER BY sid",
        "SELECT sid FROM sessions INDEXED BY sessions_alive WHERE ended = 0 ORDER BY sid",
        "SELECT * FROM subjects ORDER BY subject",
        "SELECT * FROM events ORDER BY position",
        "SELECT * FROM spent ORDER BY digest",
        "SELECT digest FROM spent ORDER BY until, digest",
        "SELECT * FROM imported ORDER BY digest",
        "SELECT digest FROM imported ORDER BY until, digest",
        "SELECT * FROM records ORDER BY kind, name",
        "SELECT * FROM single ORDER BY name",
        "SELECT * FROM migrations ORDER BY number",
    ] {
        let mut query = connection.prepare(sql).ok()?;
        let columns = query.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|index| row.get(index)).collect();
        let rows: rusqlite::Result<Vec<Vec<Value>>> = query.query_map([], row).ok()?.collect();
        all.extend(rows.ok()?);
    }
    Some(all)
}

/// Whether a start or a look at everything finds something.
fn is_found(path: &Path) -> bool {
    // First the look, which must change nothing; a start may write.
    Sqlite::examine(path).map_or(true, |found| !found.damages.is_empty()) || open(path).is_err()
}

#[expect(clippy::disallowed_methods, reason = "how many bits are flipped is said from outside")]
fn flips() -> usize {
    std::env::var("FLIPS").map_or(FLIPS, |text| text.parse().unwrap())
}

#[tokio::test]
async fn a_sound_store_is_found_sound_also_while_it_is_served() {
    let places = Places::new();
    filled(&places).await;
    let Examined { rows, ends, damages } = Sqlite::examine(&places.path("one")).unwrap();
    assert_eq!((damages, ends), (Vec::new(), 200));
    let _serving = places.open("one");
    let beside = Sqlite::examine(&places.path("one")).unwrap();
    assert_eq!((beside.rows, beside.damages), (rows, Vec::new()));
}

/// Seeded, so that a bit that is missed can be looked at again.
#[tokio::test]
async fn every_flipped_bit_is_found_or_changes_nothing() {
    let places = Places::new();
    filled(&places).await;
    let sound = std::fs::read(places.path("one")).unwrap();
    let expected = contents(&places.path("one")).unwrap();
    let ends = std::fs::read(ends_of(&places)).unwrap();
    let (mut found, mut harmless, mut seed) = (0, 0, 0x5EED_u64);
    for _ in 0..flips() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bit = usize::try_from(seed >> 16).unwrap() % (sound.len() * 8);
        let mut damaged = sound.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(places.path("one"), &damaged).unwrap();
        std::fs::write(ends_of(&places), &ends).unwrap();
        if is_found(&places.path("one")) {
            found += 1;
        } else {
            harmless += 1;
            std::fs::write(places.path("one"), &damaged).unwrap();
            let read = contents(&places.path("one"));
            assert!(read.as_ref() == Some(&expected), "bit {bit} changed something unseen");
        }
        remove_beside(&places);
    }
    println!("{found} found, {harmless} in space that holds nothing");
    assert!(harmless < found);
}

fn ends_of(places: &Places) -> std::path::PathBuf {
    super::super::ends::path_of(&places.path("one"))
}

/// What a start may have left of another round.
fn remove_beside(places: &Places) {
    for ending in ["-wal", "-shm"] {
        let mut path = places.path("one").into_os_string();
        path.push(ending);
        let _ = std::fs::remove_file(path);
    }
}

/// The row is still there and sound, and nobody would find it by its name any more.
#[tokio::test]
async fn a_row_that_cannot_be_found_any_more_is_missed() {
    let places = Places::new();
    filled(&places).await;
    let connection = Connection::open(places.path("one")).unwrap();
    let page: u32 = connection
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'events'", [], |row| row.get(0))
        .unwrap();
    let bytes: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
    drop(connection);
    let mut damaged = std::fs::read(places.path("one")).unwrap();
    let at = (page as usize - 1) * bytes as usize;
    assert_eq!(damaged[at], 5, "an interior page of a table");
    // The first cell: a page number of 4 bytes, then the key that parts two pages.
    let cell = u16::from_be_bytes([damaged[at + 12], damaged[at + 13]]) as usize;
    damaged[at + cell + 4] ^= 1;
    std::fs::write(places.path("one"), damaged).unwrap();
    assert!(open(&places.path("one")).is_ok(), "a start does not see it");
    let found = Sqlite::examine(&places.path("one")).unwrap();
    assert_ne!(found.damages, Vec::<String>::new());
}
