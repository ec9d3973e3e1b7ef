//! An older copy of the database is put back: nothing that was ended comes back.

use super::{Places, open};
use crate::Store;
use crate::conformance::{
    AT, kick, refresh, session_start, shard_of, sign_in, sign_in_through, token_of,
};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::os::fd::{AsRawFd, OwnedFd};
use symbolon_core::epoch::Bump;
use symbolon_core::subject::Ban;
use symbolon_core::{
    Act, ClientPolicy, Denial, Effect, Fault, Generation, Loaded, LoadedSubject, Policies, Reason,
    StoreEpoch, Subject, SubjectDecision,
};

pub(super) fn copy(places: &Places, from: &str, to: &str) {
    std::fs::copy(places.path(from), places.path(to)).unwrap();
}

pub(super) async fn set_ban(store: &Store, subject: &str, banned: bool) {
    let decide = |loaded: LoadedSubject| {
        let bump = loaded.bump(Reason::Banned, &Act::authority(), AT);
        let mut state = loaded.subject;
        let ban = Ban { since: AT, until: None, reason: Reason::Banned, note: Some("spam".into()) };
        let events = match banned {
            true => vec![state.set_ban(ban, &bump)],
            false => {
                state.lift_ban();
                Vec::new()
            }
        };
        let unchanged = SubjectDecision::unchanged(());
        Ok(SubjectDecision { subject: Some(state), events, ..unchanged })
    };
    let name = Subject::parse(subject).unwrap();
    store.step_subject(&name, shard_of(subject), decide).await.unwrap();
}

async fn ban_because(store: &Store, subject: &str, reason: Reason) {
    let ban = Ban { since: AT, until: None, reason, note: None };
    let decide =
        |now: LoadedSubject| Ok(now.ban(ban.clone(), &Act::authority(), &Policies::default(), AT));
    let name = Subject::parse(subject).unwrap();
    store.step_subject(&name, shard_of(subject), decide).await.unwrap();
}

pub(super) async fn state_of(store: &Store, subject: &str) -> symbolon_core::SubjectState {
    let name = Subject::parse(subject).unwrap();
    let state = |loaded: LoadedSubject| Ok(SubjectDecision::unchanged(loaded.subject));
    store.step_subject(&name, shard_of(subject), state).await.unwrap().reply
}

/// A file that takes what is in it and nothing more, by the name of an ends log.
fn ends_log_that_cannot_grow(places: &Places, name: &str) -> OwnedFd {
    let file = memfd_create("ends", MemfdFlags::ALLOW_SEALING).unwrap();
    let behind = format!("/proc/self/fd/{}", file.as_raw_fd());
    std::os::unix::fs::symlink(behind, places.path(name).with_extension("db.ends")).unwrap();
    file
}

#[tokio::test]
async fn nobody_is_told_that_a_session_ended_while_the_ends_log_lacks_it() {
    let places = Places::new();
    let ends = ends_log_that_cannot_grow(&places, "one");
    let store = places.open("one");
    let sid = sign_in(&store, "10086", 1).await.grant.session.sid;
    fcntl_add_seals(&ends, SealFlags::GROW).unwrap();
    let (act, policy) = (Act::authority(), ClientPolicy::default());
    let kick = |loaded: Loaded| Ok(loaded.end(Reason::Kicked, &act, &policy, AT));
    for _ in 0..2 {
        let told = store.step(sid, kick).await.map(|done| done.map(|done| done.reply));
        assert!(matches!(told, Err(Fault::Store(_))), "{told:?}");
    }
}

#[tokio::test]
async fn an_ends_log_ahead_of_the_database_opens_an_epoch_and_ends_all_again() {
    let places = Places::new();
    let store = places.open("one");
    let kicked = sign_in(&store, "10086", 1).await.grant.session;
    let banned = sign_in(&store, "10087", 2).await.grant.session;
    let kept = sign_in(&store, "10088", 3).await.grant.session;
    drop(store);
    copy(&places, "one", "backup");
    let store = places.open("one");
    kick(&store, kicked.sid, AT).await;
    set_ban(&store, "10087", true).await;
    set_ban(&store, "10089", true).await;
    set_ban(&store, "10089", false).await;
    drop(store);
    copy(&places, "backup", "one");

    let store = places.open("one");
    assert_eq!(store.cutoffs().epoch, StoreEpoch(1));
    let denied = |reason| Some(Denial::Ended(reason));
    assert_eq!(refresh(&store, &token_of(&kicked), AT).await.err(), denied(Reason::Kicked));
    assert_eq!(refresh(&store, &token_of(&banned), AT).await.err(), denied(Reason::Banned));
    assert_eq!(state_of(&store, "10087").await.ban.unwrap().note.as_deref(), Some("spam"));
    assert!(state_of(&store, "10089").await.ban.is_none());
    assert!(refresh(&store, &token_of(&kept), AT).await.is_ok());
    let events = store.events_after(0, 10).await.unwrap();
    let reasons: Vec<_> = events.iter().map(|(_, event)| event.reason).collect();
    assert_eq!(reasons, [Reason::Kicked, Reason::Banned, Reason::Banned]);
    drop(store);

    let store = places.open("one");
    assert_eq!(store.cutoffs().epoch, StoreEpoch(1), "an ordinary start opens no epoch");
    assert_eq!(store.events_after(0, 10).await.unwrap(), events);
}

#[tokio::test]
async fn the_same_copy_put_back_twice_opens_two_epochs() {
    let places = Places::new();
    let store = places.open("one");
    let first = sign_in(&store, "10086", 1).await.grant.session;
    drop(store);
    copy(&places, "one", "backup");
    let store = places.open("one");
    kick(&store, first.sid, AT).await;
    drop(store);
    for epoch in 1..=2 {
        copy(&places, "backup", "one");
        let store = places.open("one");
        assert_eq!(store.cutoffs().epoch, StoreEpoch(epoch));
        let denied = refresh(&store, &token_of(&first), AT).await.err();
        assert_eq!(denied, Some(Denial::Ended(Reason::Kicked)));
    }
}

#[tokio::test]
async fn a_copy_that_went_its_own_way_is_seen() {
    let places = Places::new();
    let store = places.open("one");
    let a = sign_in(&store, "10086", 1).await.grant.session;
    let b = sign_in(&store, "10087", 2).await.grant.session;
    drop(store);
    copy(&places, "one", "backup");
    kick(&places.open("one"), a.sid, AT).await;
    kick(&places.open("backup"), b.sid, AT).await;
    copy(&places, "backup", "one");
    let store = places.open("one");
    assert_eq!(store.cutoffs().epoch, StoreEpoch(1));
    for session in [a, b] {
        let denied = refresh(&store, &token_of(&session), AT).await.err();
        assert_eq!(denied, Some(Denial::Ended(Reason::Kicked)));
    }
}

#[tokio::test]
async fn bounds_of_clients_and_everything_are_raised_again() {
    let places = Places::new();
    let store = places.open("one");
    let session = sign_in(&store, "10086", 1).await.grant.session;
    drop(store);
    copy(&places, "one", "backup");
    let store = places.open("one");
    let bump = |mut cutoffs: symbolon_core::Cutoffs| {
        let reason = Reason::KeyCompromised;
        let (epoch, act) = (cutoffs.epoch, Act::authority());
        let bump = Bump { epoch, reason, at: AT, tokens_live_until: AT, act };
        let event = cutoffs.bump_everything(Effect::Revoked, &bump);
        Ok((cutoffs, vec![event], ()))
    };
    store.bump(bump).await.unwrap();
    drop(store);
    copy(&places, "backup", "one");
    let store = places.open("one");
    let denied = refresh(&store, &token_of(&session), AT).await.err();
    assert_eq!(denied, Some(Denial::Ended(Reason::KeyCompromised)));
    let newer = sign_in_through(&store, &session_start("10086", 2)).await.grant.session;
    assert!(refresh(&store, &token_of(&newer), AT).await.is_ok());
}

#[tokio::test]
async fn a_family_that_a_copy_lost_track_of_is_carried_forward() {
    let places = Places::new();
    let store = places.open("one");
    let other = sign_in(&store, "10087", 2).await.grant.session;
    let mut session = sign_in(&store, "10086", 1).await.grant.session;
    drop(store);
    copy(&places, "one", "backup");
    let store = places.open("one");
    for _ in 0..3 {
        session = refresh(&store, &token_of(&session), AT).await.unwrap().session;
    }
    kick(&store, other.sid, AT).await;
    drop(store);
    copy(&places, "backup", "one");
    let store = places.open("one");
    let grant = refresh(&store, &token_of(&session), AT).await.unwrap();
    assert_eq!(grant.session.generation, Generation(4));
}

#[tokio::test]
async fn a_log_that_lags_behind_is_caught_up_at_start() {
    let places = Places::new();
    let store = places.open("one");
    let session = sign_in(&store, "10086", 1).await.grant.session;
    drop(store);
    copy(&places, "one", "backup");
    let store = places.open("one");
    kick(&store, session.sid, AT).await;
    set_ban(&store, "10087", true).await;
    ban_because(&store, "10088", Reason::Admin).await;
    drop(store);
    std::fs::remove_file(places.0.path().join("one.db.ends")).unwrap();
    drop(places.open("one"));
    copy(&places, "backup", "one");
    let store = places.open("one");
    let denied = refresh(&store, &token_of(&session), AT).await.err();
    assert_eq!(denied, Some(Denial::Ended(Reason::Kicked)));
    assert!(state_of(&store, "10087").await.ban.is_some());
    let ban = state_of(&store, "10088").await.ban;
    assert_eq!(ban.map(|ban| ban.reason), Some(Reason::Admin), "a ban may have any reason");
}

#[tokio::test]
async fn a_damaged_ends_log_is_refused() {
    let places = Places::new();
    let store = places.open("one");
    for number in 0..4 {
        let sid = sign_in(&store, "10086", number).await.grant.session.sid;
        kick(&store, sid, AT).await;
    }
    drop(store);
    let log = places.0.path().join("one.db.ends");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let refused = open(&places.path("one")).err().unwrap();
    assert!(refused.to_string().contains("one.db.ends is damaged"), "{refused}");
}
