//! Keys through the years, by a clock of the test's own.

use super::{Keys, KeysUnavailable};
use crate::config::Config;
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::signing::{RETIRING, Wish};
use symbolon_core::{Duration, KeyState, Timestamp};
use symbolon_store::{Kind, Role, Store};
use symbolon_wire::{Algorithm, MasterKey};
use tempfile::TempDir;

const MASTER_KEY: &str = "8b5f0d2e7a91c4463fd0b2a6917e53c81d64af90e273bc585902cd7f16ea3b4d";

const OTHER_MASTER_KEY: &str = "1c64af90e273bc585902cd7f16ea3b4d8b5f0d2e7a91c4463fd0b2a6917e53c8";

const DAY: u64 = 24 * 60 * 60;

fn day(days: u64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + days * DAY)
}

fn config() -> Config {
    let text = "issuer = \"https://id.example.com\"\nstore = \"sqlite:s.db\"\n\
                keys = { rotate_every = \"90d\", announce = \"2d\" }\n\
                [[audiences]]\nname = \"api\"\n";
    Config::from_text("symbolon.toml", text).ok().unwrap()
}

fn store(folder: &TempDir) -> Store {
    Store::open_sqlite(&folder.path().join("s.db"), Role::Serve).ok().unwrap()
}

async fn open(store: &Store, master: &str, at: Timestamp) -> Result<Keys, KeysUnavailable> {
    let master = Arc::new(MasterKey::parse(master).ok().unwrap());
    Keys::open(master, store, &config(), at).await
}

async fn turned(keys: &Keys, store: &Store, at: Timestamp) -> Keys {
    keys.turn(store, &config(), BTreeMap::new(), at).await.ok().unwrap()
}

fn states(keys: &Keys, at: Timestamp) -> Vec<KeyState> {
    keys.views(at).into_iter().map(|key| key.state).collect()
}

#[tokio::test]
async fn two_that_start_at_once_announce_one_set_and_turn_it_together() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let open = || open(&store, MASTER_KEY, day(0));
    let (here, there) = tokio::join!(open(), open());
    let (here, there) = (here.ok().unwrap(), there.ok().unwrap());
    assert_eq!(here.jwks(), there.jwks());
    let (one, other) =
        tokio::join!(turned(&here, &store, day(90)), turned(&there, &store, day(90)));
    assert_eq!(one.jwks(), other.jwks());
    assert_eq!(states(&one, day(90)).len(), 2);
    assert!(here.are_outdated(&store, &config(), day(0)).await.unwrap());
}

#[tokio::test]
async fn keys_turn_as_planned_and_what_is_gone_leaves_the_store() {
    use KeyState::{Announced, Current, Retiring};
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let mut keys = open(&store, MASTER_KEY, day(0)).await.ok().unwrap();
    let first = keys.views(day(0))[0].kid;
    let gone = day(90).after(RETIRING).after(Duration::from_secs(1));
    for (at, expected) in [
        (day(0), vec![Current]),
        (day(87), vec![Current]),
        (day(88), vec![Current, Announced]),
        (day(90), vec![Retiring, Current]),
        (gone, vec![Current]),
        (day(178), vec![Current, Announced]),
    ] {
        let outdated = keys.are_outdated(&store, &config(), at).await.unwrap();
        let before = states(&keys, at);
        keys = turned(&keys, &store, at).await;
        assert_eq!(states(&keys, at), expected, "{at:?}");
        assert!(outdated || before == expected, "the task would have slept at {at:?}");
        assert!(!keys.are_outdated(&store, &config(), at).await.unwrap(), "and would not rest");
    }
    let name = symbolon_wire::key_id_text(first);
    let wiped = store.record(Kind::SigningKey, &name).await.unwrap().unwrap();
    assert!(wiped.value.is_empty(), "a key that is gone cannot be stolen any more");
}

#[tokio::test]
async fn two_processes_that_turn_at_once_come_to_the_same_keys() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let (one, two) =
        tokio::join!(open(&store, MASTER_KEY, day(0)), open(&store, MASTER_KEY, day(0)));
    let (one, two) = (one.ok().unwrap(), two.ok().unwrap());
    let (one, two) = tokio::join!(turned(&one, &store, day(88)), turned(&two, &store, day(88)));
    assert_eq!(states(&one, day(88)).len(), 2);
    assert_eq!(one.jwks(), two.jwks());
    let ahead = turned(&one, &store, day(90)).await;
    let wishes = [(Algorithm::EdDsa, Wish::Announced)].into();
    ahead.turn(&store, &config(), wishes, day(91)).await.ok().unwrap();
    assert!(two.are_outdated(&store, &config(), day(88)).await.unwrap());
}

#[tokio::test]
async fn keys_that_another_master_key_sealed_stop_the_start() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    open(&store, MASTER_KEY, day(0)).await.ok().unwrap();
    let refused = open(&store, OTHER_MASTER_KEY, day(0)).await;
    assert!(matches!(refused, Err(KeysUnavailable::OtherMasterKey)));
    assert!(open(&store, MASTER_KEY, day(0)).await.is_ok(), "and nothing was lost");
}

#[tokio::test]
async fn a_clock_that_was_set_back_still_finds_a_key_that_signs() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let keys = open(&store, MASTER_KEY, day(500)).await.ok().unwrap();
    let back = turned(&keys, &store, day(1)).await;
    assert_eq!(states(&back, day(1)), [KeyState::Current]);
}
