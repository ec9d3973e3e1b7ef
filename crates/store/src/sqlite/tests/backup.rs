//! Copies that were made and put back: what a person, an operator and a thief then find.

use super::restore::{copy, set_ban, state_of};
use super::{Places, open};
use crate::conformance::{AT, kick, refresh, sign_in, token_of};
use crate::sqlite::{Restore, Restored, Source, backup, restore};
use crate::{Kind, Refusal, Role, Sqlite, Store};
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use symbolon_core::epoch::Bump;
use symbolon_core::{
    Act, ClientId, Cutoffs, Denial, Duration, Effect, Event, Fault, Generation, KeyId, Reason,
    Session, StoreEpoch,
};

/// Nothing is set above the subjects.
fn nothing(_: &mut Cutoffs) -> Vec<Event> {
    Vec::new()
}

fn bump(cutoffs: &Cutoffs) -> Bump {
    let (epoch, act) = (cutoffs.epoch, Act::authority());
    Bump { epoch, reason: Reason::KeyCompromised, at: AT, tokens_live_until: AT.after(HOUR), act }
}

const HOUR: Duration = Duration::from_secs(3600);

impl Places {
    fn back_up(&self, to: &str) {
        backup(&self.path("one"), &self.path(to), AT, |_, _| {}).unwrap();
    }

    fn what<'a>(&self, from: &'a Path) -> Restore<'a> {
        Restore { copy: Some(from), without_ends_log: false, dry_run: false, at: AT }
    }

    fn put_back(&self, from: &str) -> Restored {
        restore(&self.path("one"), &self.what(&self.path(from)), nothing).unwrap()
    }

    fn ends(&self) -> PathBuf {
        self.path("one").with_extension("db.ends")
    }
}

async fn why(store: &Store, session: &Session) -> Option<Denial> {
    refresh(store, &token_of(session), AT).await.err()
}

/// What `apikey` does, beside a serving process or alone.
pub(super) async fn put_api_key(places: &Places, value: &[u8], expected: Option<u64>) {
    let operator = Sqlite::open(&places.path("one"), Role::Operate).map(Store::Sqlite).unwrap();
    assert!(operator.put_record(Kind::ApiKey, "k", value, expected).await.unwrap());
}

async fn api_key(store: &Store) -> Vec<u8> {
    store.record(Kind::ApiKey, "k").await.unwrap().unwrap().value
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_of_one_instant_though_people_sign_in_meanwhile() {
    let places = Places::new();
    let store = places.open("one");
    for number in 0..2000 {
        sign_in(&store, &format!("s{number}"), number).await;
    }
    let busy = store.clone();
    let writing = tokio::spawn(async move {
        for number in 2000.. {
            let sid = sign_in(&busy, &format!("s{number}"), number).await.grant.session.sid;
            kick(&busy, sid, AT).await;
        }
    });
    let (from, to) = (places.path("one"), places.path("copy"));
    let mut told = Vec::new();
    let copied = tokio::task::spawn_blocking(move || {
        let copied = backup(&from, &to, AT, |done, total| told.push((done, total)));
        (copied.unwrap(), told)
    });
    let (copied, told) = copied.await.unwrap();
    writing.abort();
    assert!(told.windows(2).all(|two| two[0].0 <= two[1].0), "{told:?}");
    assert!(told.last().is_some_and(|(done, total)| 0 < *done && done == total), "{told:?}");
    let mode = std::fs::metadata(places.path("copy")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(copied.bytes, std::fs::metadata(places.path("copy")).unwrap().len());
    let store = places.open("copy");
    let events = store.events_after(0, 4096).await.unwrap();
    assert_eq!(events.last().map_or(0, |(position, _)| *position), copied.position);
    let alive = copied.sessions;
    assert!(alive == 2000 || alive == 2001, "one at a time was being ended: {alive}");
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_needs_a_database() {
    let places = Places::new();
    drop(places.open("one"));
    std::fs::write(places.path("there"), "mine").unwrap();
    let refused = backup(&places.path("one"), &places.path("there"), AT, |_, _| {}).unwrap_err();
    assert!(matches!(refused, Refusal::Exists { .. }), "{refused}");
    assert_eq!(std::fs::read(places.path("there")).unwrap(), b"mine");
    let refused = backup(&places.path("none"), &places.path("new"), AT, |_, _| {}).unwrap_err();
    assert!(matches!(refused, Refusal::Missing { .. }), "{refused}");
    assert!(!places.path("none").exists() && !places.path("new").exists());
    let refused = backup(&places.path("there"), &places.path("new"), AT, |_, _| {}).unwrap_err();
    assert!(matches!(refused, Refusal::Damaged { .. }), "{refused}");
    let left = std::fs::read_dir(places.0.path()).unwrap();
    let left =
        left.filter(|file| file.as_ref().unwrap().file_name().to_str().unwrap().contains(".part"));
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn nobody_who_was_signed_in_at_the_copy_is_signed_out_and_nothing_ended_since_comes_back() {
    let places = Places::new();
    put_api_key(&places, b"valid", None).await;
    let store = places.open("one");
    let mut renewed = sign_in(&store, "10086", 1).await.grant.session;
    let [kicked, banned, untouched] = [
        sign_in(&store, "10087", 2).await.grant.session,
        sign_in(&store, "10088", 3).await.grant.session,
        sign_in(&store, "10089", 4).await.grant.session,
    ];
    places.back_up("copy");
    for _ in 0..3 {
        renewed = refresh(&store, &token_of(&renewed), AT).await.unwrap().session;
    }
    kick(&store, kicked.sid, AT).await;
    set_ban(&store, "10088", true).await;
    let name = |mut all: Cutoffs| {
        let why = bump(&all);
        let token = all.revoke_token([5; 16], None, Effect::Revoked, &why).unwrap();
        let key = all.revoke_key(KeyId([6; 12]), Effect::Stale, &why).unwrap();
        all.set_client_disabled(&ClientId::parse("iot").unwrap(), true, &why);
        Ok((all, vec![token, key], ()))
    };
    store.bump(name).await.unwrap();
    put_api_key(&places, b"revoked", Some(1)).await;
    let later = sign_in(&store, "10090", 5).await.grant.session;
    drop(store);

    let restored = places.put_back("copy");
    assert_eq!((restored.from.at, restored.from.sessions), (AT, 4));
    assert_eq!((restored.epoch, restored.source), (StoreEpoch(1), Source::EndsLog));
    let again = restored.replayed;
    assert_eq!((again.sessions, again.bans, again.bounds), (1, 1, 1));
    assert_eq!((again.named, again.api_keys, again.switches), (2, 1, 1));

    let store = places.open("one");
    assert_eq!(store.cutoffs().epoch, StoreEpoch(1), "a start after a restore opens no other");
    let grant = refresh(&store, &token_of(&renewed), AT).await.unwrap();
    assert_eq!(grant.session.generation, Generation(4), "carried forward");
    assert!(refresh(&store, &token_of(&untouched), AT).await.is_ok());
    assert_eq!(why(&store, &kicked).await, Some(Denial::Ended(Reason::Kicked)));
    assert_eq!(why(&store, &banned).await, Some(Denial::Ended(Reason::Banned)));
    assert!(state_of(&store, "10088").await.ban.is_some());
    assert_eq!(why(&store, &later).await, Some(Denial::UnknownSession));
    let all = store.cutoffs();
    assert_eq!(all.tokens[&[5; 16]].effect, Effect::Revoked);
    assert_eq!(all.keys[&KeyId([6; 12])].effect, Effect::Stale);
    assert!(all.clients[&ClientId::parse("iot").unwrap()].disabled);
    assert_eq!(api_key(&store).await, b"revoked");
}

#[tokio::test]
async fn a_session_that_was_ended_again_is_not_among_the_living() {
    let places = Places::new();
    let store = places.open("one");
    let kicked = sign_in(&store, "10086", 1).await.grant.session;
    places.back_up("copy");
    kick(&store, kicked.sid, AT).await;
    drop(store);
    places.put_back("copy");
    let copied = backup(&places.path("one"), &places.path("second"), AT, |_, _| {}).unwrap();
    assert_eq!(copied.sessions, 0);
}

#[tokio::test]
async fn a_dead_token_of_the_old_epoch_is_found_when_its_owner_comes() {
    let places = Places::new();
    let store = places.open("one");
    let first = sign_in(&store, "10086", 1).await.grant.session;
    places.back_up("copy");
    let second = refresh(&store, &token_of(&first), AT).await.unwrap().session;
    let third = refresh(&store, &token_of(&second), AT).await.unwrap().session;
    drop(store);
    places.put_back("copy");
    let store = places.open("one");
    let day = AT.after(Duration::from_secs(24 * 3600));
    refresh(&store, &token_of(&second), day).await.expect("a thief's, and it carries forward");
    let owner = refresh(&store, &token_of(&third), day.after(HOUR)).await;
    assert_eq!(owner, Err(Denial::Ended(Reason::Replayed)));
}

#[tokio::test]
async fn a_restore_opens_an_epoch_though_nothing_was_ended_since() {
    let places = Places::new();
    let store = places.open("one");
    let first = sign_in(&store, "10086", 1).await.grant.session;
    places.back_up("copy");
    let second = refresh(&store, &token_of(&first), AT).await.unwrap().session;
    drop(store);
    let mut aside = std::collections::BTreeSet::new();
    for epoch in 1..=3 {
        let restored = places.put_back("copy");
        assert_eq!(restored.epoch, StoreEpoch(epoch));
        assert!(aside.insert(restored.aside.unwrap()), "what was moved aside stays there");
    }
    assert!(aside.iter().all(|old| old.exists()));
    let store = places.open("one");
    assert!(refresh(&store, &token_of(&second), AT).await.is_ok());
}

#[tokio::test]
async fn the_old_database_is_moved_aside_and_can_be_put_back() {
    let places = Places::new();
    let store = places.open("one");
    places.back_up("copy");
    let later = sign_in(&store, "10086", 1).await.grant.session;
    drop(store);
    let aside = places.put_back("copy").aside.unwrap();
    assert!(aside.to_str().unwrap().contains("one.db.before-restore-"), "{aside:?}");
    restore(&places.path("one"), &places.what(&aside), nothing).unwrap();
    assert!(refresh(&places.open("one"), &token_of(&later), AT).await.is_ok());
}

#[tokio::test]
async fn a_store_in_use_is_not_restored() {
    let places = Places::new();
    let store = places.open("one");
    places.back_up("copy");
    let copy = places.path("copy");
    let refused = restore(&places.path("one"), &places.what(&copy), nothing).unwrap_err();
    assert!(matches!(refused, Refusal::InUse { .. }), "{refused}");
    drop(store);
    places.put_back("copy");
}

#[tokio::test]
async fn a_copy_that_is_no_copy_or_is_damaged_changes_nothing() {
    let places = Places::new();
    let store = places.open("one");
    for number in 0..200 {
        sign_in(&store, "10086", number).await;
    }
    let last = sign_in(&store, "10087", 200).await.grant.session;
    places.back_up("copy");
    drop(store);
    let whole = std::fs::read(places.path("copy")).unwrap();
    let mut flipped = whole.clone();
    let name = last.sid.as_bytes();
    let row = whole.windows(name.len()).rposition(|bytes| bytes == name).unwrap();
    flipped[row + name.len() + 40] ^= 1;
    for (name, bytes) in [
        ("flipped", &flipped[..]),
        ("short", &whole[..whole.len() - 700]),
        ("empty", b""),
        ("text", b"x"),
    ] {
        std::fs::write(places.path(name), bytes).unwrap();
        let copy = places.path(name);
        let refused = restore(&places.path("one"), &places.what(&copy), nothing).unwrap_err();
        assert!(matches!(refused, Refusal::Damaged { .. }), "{name}: {refused}");
        assert!(refused.to_string().contains(&format!("{name}.db is damaged")), "{refused}");
    }
    let copy = places.path("none");
    let refused = restore(&places.path("one"), &places.what(&copy), nothing).unwrap_err();
    assert!(matches!(refused, Refusal::Missing { .. }), "{refused}");
    assert!(!places.path("one").with_extension("db.restoring").exists());
    let store = places.open("one");
    assert_eq!(store.cutoffs().epoch, StoreEpoch(0));
    assert!(refresh(&store, &token_of(&last), AT).await.is_ok());
}

#[tokio::test]
async fn without_the_ends_log_a_restore_is_refused_unless_that_is_said() {
    let places = Places::new();
    let store = places.open("one");
    let kicked = sign_in(&store, "10086", 1).await.grant.session;
    places.back_up("copy");
    kick(&store, kicked.sid, AT).await;
    drop(store);
    let copy = places.path("copy");
    let what = places.what(&copy);
    for missing in [false, true] {
        match missing {
            false => std::fs::write(places.ends(), "none").unwrap(),
            true => std::fs::remove_file(places.ends()).unwrap(),
        }
        let refused = restore(&places.path("one"), &what, nothing).unwrap_err();
        assert!(matches!(refused, Refusal::NoEndsLog { .. }), "{refused}");
    }
    let anyway = Restore { without_ends_log: true, ..what };
    let restored = restore(&places.path("one"), &anyway, nothing).unwrap();
    assert_eq!(restored.source, Source::Database, "the feed of the old database still says it");
    assert_eq!(why(&places.open("one"), &kicked).await, Some(Denial::Ended(Reason::Kicked)));
}

#[tokio::test]
async fn with_the_whole_machine_lost_the_epoch_is_above_any_that_was_likely_used() {
    let places = Places::new();
    let store = places.open("one");
    let session = sign_in(&store, "10086", 1).await.grant.session;
    places.back_up("copy");
    drop(store);
    places.put_back("copy");
    let newer = refresh(&places.open("one"), &token_of(&session), AT).await.unwrap().session;
    for file in [places.path("one"), places.ends()] {
        std::fs::remove_file(file).unwrap();
    }
    let copy = places.path("copy");
    let what = Restore { without_ends_log: true, ..places.what(&copy) };
    let restored = restore(&places.path("one"), &what, nothing).unwrap();
    assert_eq!((restored.source, restored.aside), (Source::Nothing, None));
    assert!(restored.epoch > newer.rotation.epoch);
    assert!(refresh(&places.open("one"), &token_of(&newer), AT).await.is_ok());
}

#[tokio::test]
async fn a_database_that_cannot_be_read_is_replaced_and_kept() {
    let places = Places::new();
    let store = places.open("one");
    let [kicked, kept] = [
        sign_in(&store, "10086", 1).await.grant.session,
        sign_in(&store, "10087", 2).await.grant.session,
    ];
    places.back_up("copy");
    kick(&store, kicked.sid, AT).await;
    drop(store);
    std::fs::write(places.path("one"), [b'x'; 9000]).unwrap();
    let restored = places.put_back("copy");
    assert!(restored.unread.is_some_and(|why| why.contains("damaged")));
    assert_eq!(std::fs::read(restored.aside.unwrap()).unwrap(), [b'x'; 9000]);
    let store = places.open("one");
    assert_eq!(why(&store, &kicked).await, Some(Denial::Ended(Reason::Kicked)));
    assert_eq!(why(&store, &kept).await, None);
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_does_nothing() {
    let places = Places::new();
    let store = places.open("one");
    let kicked = sign_in(&store, "10086", 1).await.grant.session;
    places.back_up("copy");
    kick(&store, kicked.sid, AT).await;
    drop(store);
    let (before, ends) = (std::fs::read(places.path("one")), std::fs::read(places.ends()));
    let copy = places.path("copy");
    let dry = Restore { dry_run: true, ..places.what(&copy) };
    let told = restore(&places.path("one"), &dry, nothing).unwrap();
    assert_eq!((told.epoch, told.replayed.sessions), (StoreEpoch(1), 1));
    assert_eq!(before.unwrap(), std::fs::read(places.path("one")).unwrap());
    assert_eq!(ends.unwrap(), std::fs::read(places.ends()).unwrap());
    let done = places.put_back("copy");
    assert_eq!(done.replayed, told.replayed);
}

#[tokio::test]
async fn a_database_that_was_replaced_by_hand_is_reopened_in_place() {
    let places = Places::new();
    let store = places.open("one");
    let first = sign_in(&store, "10086", 1).await.grant.session;
    drop(store);
    copy(&places, "one", "by-hand");
    let store = places.open("one");
    let second = refresh(&store, &token_of(&first), AT).await.unwrap().session;
    drop(store);
    copy(&places, "by-hand", "one");
    let ask = async |store: &Store| {
        let (policy, client) = (crate::conformance::policy(), ClientId::parse("web").unwrap());
        let keys = [crate::conformance::key()];
        let terms = symbolon_core::Terms { policy: &policy, key: keys[0], keys_usable: &keys };
        let (token, act) = (token_of(&second), Act::authority());
        let proof = symbolon_core::binding::Proof::default();
        let ask =
            symbolon_core::Refresh { token: &token, client: &client, proof, terms, act: &act };
        store.step(second.sid, |loaded| loaded.refresh(&ask, AT)).await.map(drop)
    };
    let store = places.open("one");
    let told = ask(&store).await;
    assert!(matches!(told, Err(Fault::Impossible { .. })), "nothing was ended, so it is not seen");
    drop(store);
    let in_place = Restore { copy: None, without_ends_log: false, dry_run: false, at: AT };
    let restored = restore(&places.path("one"), &in_place, nothing).unwrap();
    assert_eq!((restored.epoch, restored.aside), (StoreEpoch(1), None));
    assert_eq!(ask(&places.open("one")).await, Ok(()));
}

#[tokio::test]
async fn what_is_set_above_all_holds_from_the_first_request_on_and_survives_the_next_restore() {
    let places = Places::new();
    let store = places.open("one");
    let session = sign_in(&store, "10086", 1).await.grant.session;
    places.back_up("copy");
    drop(store);
    let end_all = |all: &mut Cutoffs| {
        let why = bump(all);
        vec![all.bump_everything(Effect::Revoked, &why)]
    };
    let copy = places.path("copy");
    restore(&places.path("one"), &places.what(&copy), end_all).unwrap();
    let denied = Some(Denial::Ended(Reason::KeyCompromised));
    assert_eq!(why(&places.open("one"), &session).await, denied);
    places.put_back("copy");
    assert_eq!(why(&places.open("one"), &session).await, denied);
}

#[tokio::test]
async fn an_api_key_that_was_revoked_while_nobody_served_stays_revoked() {
    let places = Places::new();
    put_api_key(&places, b"valid", None).await;
    drop(places.open("one"));
    places.back_up("copy");
    put_api_key(&places, b"revoked", Some(1)).await;
    copy(&places, "copy", "one");
    assert_eq!(api_key(&places.open("one")).await, b"revoked", "also when it was put back by hand");
    places.put_back("copy");
    assert_eq!(api_key(&places.open("one")).await, b"revoked");
}

#[tokio::test]
async fn a_process_that_serves_keeps_what_a_command_appended_to_its_log() {
    let places = Places::new();
    put_api_key(&places, b"valid", None).await;
    let store = places.open("one");
    let [a, b] = [
        sign_in(&store, "10086", 1).await.grant.session,
        sign_in(&store, "10087", 2).await.grant.session,
    ];
    places.back_up("copy");
    kick(&store, a.sid, AT).await;
    put_api_key(&places, b"revoked", Some(1)).await;
    kick(&store, b.sid, AT).await;
    drop(store);
    std::fs::remove_file(places.path("one")).unwrap();
    let again = places.put_back("copy").replayed;
    assert_eq!((again.sessions, again.api_keys), (2, 1));
    let store = places.open("one");
    assert_eq!(api_key(&store).await, b"revoked");
    assert_eq!(why(&store, &a).await, why(&store, &b).await);
}

#[tokio::test]
async fn a_ban_that_was_lifted_after_the_copy_stays_lifted() {
    let places = Places::new();
    let store = places.open("one");
    set_ban(&store, "10086", true).await;
    places.back_up("copy");
    set_ban(&store, "10086", false).await;
    drop(store);
    assert_eq!(places.put_back("copy").replayed.bans, 1);
    assert!(state_of(&places.open("one"), "10086").await.ban.is_none());
}

#[tokio::test]
async fn a_database_remembers_that_it_had_an_ends_log() {
    let places = Places::new();
    let had = |name: &str| {
        let connection = crate::sqlite::open::reader(&places.path(name)).unwrap();
        crate::sqlite::read::had_ends_log(&connection).unwrap()
    };
    put_api_key(&places, b"valid", None).await;
    assert!(!had("one"), "nothing was served from it yet");
    drop(open(&places.path("one")).unwrap());
    assert!(had("one"));
    places.back_up("copy");
    assert!(had("copy"), "so does a copy");
}

#[tokio::test]
async fn a_long_log_is_made_shorter_at_a_start_and_keeps_what_matters() {
    let places = Places::new();
    let store = places.open("one");
    let [old, kicked] = [
        sign_in(&store, "10086", 1).await.grant.session,
        sign_in(&store, "10087", 2).await.grant.session,
    ];
    kick(&store, old.sid, AT).await;
    places.back_up("copy");
    kick(&store, kicked.sid, AT).await;
    let much_later = |mut all: Cutoffs| {
        let at = AT.after(Duration::from_secs(500 * 24 * 3600));
        let why = Bump { at, ..bump(&all) };
        let event = all.bump_everything(Effect::Revoked, &why);
        Ok((all, vec![event], ()))
    };
    store.bump(much_later).await.unwrap();
    drop(store);
    let log = std::fs::read(places.ends()).unwrap();
    let first = 16 + u32::from_le_bytes(log[8..12].try_into().unwrap()) as usize;
    let again = log[8..first].iter().copied().cycle().take((first - 8) * 30_000);
    // The same end over and over stands for many that are as old.
    std::fs::write(places.ends(), log[..8].iter().copied().chain(again).collect::<Vec<_>>())
        .unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(places.ends()).unwrap();
    std::io::Write::write_all(&mut file, &log[first..]).unwrap();
    let long = file.metadata().unwrap().len();
    drop(places.open("one"));
    let short = std::fs::metadata(places.ends()).unwrap().len();
    assert!(short < long / 1000, "{long} -> {short}");
    let replayed = places.put_back("copy").replayed;
    assert_eq!((replayed.sessions, replayed.bounds), (0, 1), "no session is 500 days old");
    let denied = why(&places.open("one"), &kicked).await;
    assert_eq!(denied, Some(Denial::Ended(Reason::KeyCompromised)));
}

#[tokio::test]
async fn an_event_is_published_once_however_often_the_same_copy_is_restored() {
    let places = Places::new();
    let store = places.open("one");
    sign_in(&store, "10086", 1).await;
    places.back_up("copy");
    set_ban(&store, "10086", true).await;
    let later = sign_in(&store, "10087", 2).await.grant.session;
    kick(&store, later.sid, AT).await;
    drop(store);
    let first = places.put_back("copy");
    assert_eq!((first.replayed.bounds, first.replayed.bans), (1, 1));
    let length = || std::fs::metadata(places.ends()).unwrap().len();
    let mut lengths = vec![length()];
    for _ in 0..6 {
        assert_eq!(places.put_back("copy").replayed, first.replayed);
        lengths.push(length());
    }
    let grown: Vec<_> = lengths.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(grown.windows(2).all(|pair| pair[0] == pair[1]), "the log doubles: {lengths:?}");
    let store = places.open("one");
    assert_eq!(store.events_after(0, 100).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_stale_bound_that_was_set_after_the_copy_is_set_again() {
    let places = Places::new();
    let store = places.open("one");
    sign_in(&store, "10086", 1).await;
    places.back_up("copy");
    let stale = |mut cutoffs: Cutoffs| {
        let bump = bump(&cutoffs);
        let all = cutoffs.bump_everything(Effect::Stale, &bump);
        let web = cutoffs.bump_client(&ClientId::parse("web").unwrap(), Effect::Stale, &bump);
        Ok((cutoffs, vec![all, web], ()))
    };
    store.bump(stale).await.unwrap();
    let before = store.cutoffs();
    drop(store);
    assert_eq!(places.put_back("copy").replayed.bounds, 2);
    let after = places.open("one").cutoffs();
    assert_eq!(after.everything, before.everything);
    assert_eq!(after.clients, before.clients);
    assert!(after.everything.stale.is_some());
}

#[tokio::test]
async fn a_dry_run_counts_what_only_the_old_database_knows() {
    let places = Places::new();
    let store = places.open("one");
    let kicked = sign_in(&store, "10086", 1).await.grant.session;
    places.back_up("copy");
    kick(&store, kicked.sid, AT).await;
    drop(store);
    let whole = std::fs::read(places.ends()).unwrap();
    std::fs::write(places.ends(), &whole[..whole.len() - 5]).unwrap();
    let copy = places.path("copy");
    let dry = Restore { dry_run: true, ..places.what(&copy) };
    let told = restore(&places.path("one"), &dry, nothing).unwrap();
    assert_eq!(told.replayed.sessions, 1);
    assert!(told.torn > 0, "the log's last record is torn, and whoever restores is told");
    assert_eq!(places.put_back("copy").replayed, told.replayed);
}

#[tokio::test]
async fn a_copy_with_one_bit_flipped_anywhere_that_means_something_is_refused() {
    let places = Places::new();
    let store = places.open("one");
    let kicked = sign_in(&store, "10086", 1).await.grant.session;
    kick(&store, kicked.sid, AT).await;
    drop(store);
    places.back_up("copy");
    let flip = Connection::open(places.path("copy")).unwrap();
    flip.execute("UPDATE events SET keep_until = keep_until + 1", []).unwrap();
    drop(flip);
    let copy = places.path("copy");
    let refused = restore(&places.path("one"), &places.what(&copy), nothing).unwrap_err();
    assert!(refused.to_string().contains("event is kept for another time"), "{refused}");
}
