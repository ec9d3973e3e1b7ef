//! Sessions of other systems: what they become, and what their old refresh tokens earn.

use crate::common::{DAY, Family, KEY, ms, nobody, s, secs, start, subject};
use std::sync::Arc;
use symbolon_core::epoch::ClientState;
use symbolon_core::subject::Ban;
use symbolon_core::{
    Arrival, ClientPolicy, Cutoffs, Denial, Import, Imported, Outcome, Reason, RefreshToken, Start,
    StoreEpoch, SubjectState, Terms, Timestamp,
};

fn import() -> Import {
    Import { start: Start { expires_at: Some(s(30 * DAY)), ..start(1) }, created_at: None }
}

fn decide(
    import: &Import,
    subject: &SubjectState,
    cutoffs: &Cutoffs,
    at: Timestamp,
) -> Result<Imported, Denial> {
    let policy = ClientPolicy::default();
    let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY] };
    import.decide(subject, cutoffs, &terms, at)
}

fn arrival(import: &Import, at: Timestamp) -> Arrival {
    match decide(import, &nobody().subject, &Cutoffs::default(), at) {
        Ok(Imported::Goes(arrival)) => *arrival,
        other => panic!("it does not go on: {other:?}"),
    }
}

/// A family that came from elsewhere at `s(0)`, and its old token.
fn family() -> (Family, RefreshToken) {
    let mut family = Family::new();
    family.loaded.session = arrival(&import(), s(0)).session;
    let old = RefreshToken::assume_imported(&family.loaded.session);
    (family, old)
}

fn roles(names: &[&str]) -> Arc<[Arc<str>]> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

#[test]
fn the_old_token_is_generation_0_of_the_family() {
    let (mut family, old) = family();
    let grant = family.present(&old, s(60)).unwrap();
    assert_eq!((grant.outcome, grant.session.generation.0), (Outcome::Advanced, 1));
    assert_eq!(family.earns(1, s(120)), (Outcome::Advanced, 2));
}

#[test]
fn the_old_token_again_within_the_grace_window_earns_the_same() {
    let (mut family, old) = family();
    let first = family.present(&old, s(60)).unwrap();
    let again = family.present(&old, ms(69_999)).unwrap();
    assert_eq!(again.outcome, Outcome::Repeated);
    assert_eq!((again.session, again.issued_at), (first.session, first.issued_at));
}

#[test]
fn the_old_token_after_its_window_ends_the_family() {
    let (mut family, old) = family();
    family.present(&old, s(60)).unwrap();
    family.ends_by(&old, Reason::Replayed, s(70));
}

#[test]
fn a_store_epoch_that_opened_since_takes_nothing_from_the_old_token() {
    let (mut family, old) = family();
    family.open_epoch(3);
    assert_eq!(family.present(&old, s(60)).unwrap().outcome, Outcome::Advanced);
    family.ends_by(&old, Reason::Replayed, s(70));
}

#[test]
fn a_session_that_came_in_a_later_store_epoch_knows_its_old_token() {
    let cutoffs = Cutoffs { epoch: StoreEpoch(7), ..Cutoffs::default() };
    let decided = decide(&import(), &nobody().subject, &cutoffs, s(0));
    let Ok(Imported::Goes(arrival)) = decided else { panic!("it goes on") };
    assert_eq!(RefreshToken::assume_imported(&arrival.session).epoch(), StoreEpoch(7));
}

#[test]
fn it_keeps_its_end_and_its_age_and_idles_from_now() {
    let import = Import { created_at: Some(s(0)), ..import() };
    let session = arrival(&import, s(20 * DAY)).session;
    assert_eq!((session.created_at, session.authenticated_at), (s(0), s(0)));
    assert_eq!(session.expires_at, s(30 * DAY));
    let policy = ClientPolicy::default();
    assert_eq!(session.idle_expires_at(&policy), s(34 * DAY));
}

#[test]
fn an_end_beyond_the_clients_absolute_life_is_cut_to_it() {
    let far = Start { expires_at: Some(s(400 * DAY)), ..start(1) };
    let aged = Import { start: far.clone(), created_at: Some(s(0)) };
    let arrived = arrival(&aged, s(10 * DAY));
    assert_eq!((arrived.session.expires_at, arrived.cut), (s(90 * DAY), true));
    let new = arrival(&Import { start: far, created_at: None }, s(10 * DAY));
    assert_eq!((new.session.expires_at, new.cut), (s(100 * DAY), true));
    assert!(!arrival(&import(), s(0)).cut);
}

#[test]
fn what_is_over_there_or_here_does_not_come() {
    let over = |import: &Import, at| {
        let decided = decide(import, &nobody().subject, &Cutoffs::default(), at);
        matches!(decided, Ok(Imported::Over))
    };
    assert!(!over(&import(), ms(30 * DAY * 1000 - 1)));
    assert!(over(&import(), s(30 * DAY)));
    let start = Start { expires_at: Some(s(400 * DAY)), ..start(1) };
    let aged = Import { start, created_at: Some(s(0)) };
    assert!(!over(&aged, ms(90 * DAY * 1000 - 1)));
    assert!(over(&aged, s(90 * DAY)));
}

#[test]
fn a_start_that_lies_ahead_is_now() {
    let ahead = Import { created_at: Some(s(5)), ..import() };
    assert_eq!(arrival(&ahead, s(0)).session.created_at, s(0));
}

#[test]
fn a_banned_subject_and_a_disabled_client_bring_nothing() {
    let ban = Ban { since: s(0), until: Some(s(60)), reason: Reason::Banned, note: None };
    let banned = SubjectState { ban: Some(ban), ..nobody().subject };
    let decided = decide(&import(), &banned, &Cutoffs::default(), s(0));
    assert_eq!(decided.map(|_| ()), Err(Denial::Banned(Some(s(60)))));
    assert!(decide(&import(), &banned, &Cutoffs::default(), s(60)).is_ok());
    let mut cutoffs = Cutoffs::default();
    let off = ClientState { disabled: true, ..ClientState::default() };
    cutoffs.clients.insert(start(1).client, off);
    let decided = decide(&import(), &nobody().subject, &cutoffs, s(0));
    assert_eq!(decided.map(|_| ()), Err(Denial::ClientDisabled));
}

#[test]
fn roles_of_a_file_are_those_of_a_subject_of_whom_nothing_is_known() {
    let with = |names: &[&str]| {
        let start = Start { roles: Some(roles(names)), ..import().start };
        Import { start, created_at: None }
    };
    let arrived = arrival(&with(&["member"]), s(0));
    assert_eq!(arrived.subject.map(|subject| subject.roles), Some(roles(&["member"])));
    assert!(!arrived.roles_kept);
    assert!(arrival(&with(&[]), s(0)).subject.is_none());
    let known = SubjectState { roles: roles(&["admin"]), ..SubjectState::unknown(subject()) };
    let decided = decide(&with(&["member"]), &known, &Cutoffs::default(), s(0));
    let Ok(Imported::Goes(arrived)) = decided else { panic!("it goes on") };
    assert!(arrived.subject.is_none() && arrived.roles_kept);
}

#[test]
fn a_bump_before_the_import_does_not_reach_it_and_one_after_it_does() {
    let (mut family, old) = family();
    let bump = family.bump(Reason::PasswordChanged, s(1));
    family.loaded.subject.bump(symbolon_core::Effect::Revoked, &bump);
    let later = decide(&import(), &family.loaded.subject, &family.loaded.cutoffs, s(2));
    let Ok(Imported::Goes(later)) = later else { panic!("it goes on") };
    assert_eq!(family.refuses_over(&old, s(2)), Reason::PasswordChanged);
    family.loaded.session = later.session;
    assert!(family.lives(s(2).after(secs(1))));
}
