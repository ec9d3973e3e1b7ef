//! Rows of DESIGN.md §4.1 about tokens of an older store epoch: restores and fail-overs.

use crate::common::{Family, HOUR, KEY, LATER_KEY, s, secs};
use symbolon_core::{Denial, Fault, Generation, Outcome, Reason, Replay, StoreEpoch};

/// A family at generation `newest` whose store lost what came after, and opened epoch 1.
fn restored(newest: u32) -> Family {
    let mut family = Family::new();
    family.rewrite(|state| state.generation = Generation(newest));
    family.open_epoch(1);
    family
}

fn windows(family: &Family) -> Vec<u32> {
    family.loaded.session.windows.iter().map(|window| window.generation.0).collect()
}

#[test]
fn the_newest_token_of_an_older_epoch_simply_advances_where_nothing_was_lost() {
    let mut family = restored(5);
    assert_eq!(family.earns_of(0, 5, s(60)), (Outcome::Advanced, 6));
    assert_eq!(family.loaded.session.fast_forward, None);
    assert_eq!(family.loaded.session.rotation.epoch, StoreEpoch(1));
}

#[test]
fn a_token_that_the_store_forgot_carries_the_family_forward_and_advances_it() {
    let mut family = restored(5);
    assert_eq!(family.earns_of(0, 7, s(60)), (Outcome::FastForwarded, 8));
    let session = &family.loaded.session;
    let first = session.fast_forward.unwrap();
    assert_eq!((first.to, first.epoch, first.until), (Generation(7), StoreEpoch(1), s(70)));
    assert_eq!((session.last_used_at, session.rotation.at), (s(60), s(60)));
    assert_eq!(session.rotation.epoch, StoreEpoch(1));
    assert_eq!(windows(&family), [5, 6, 7]);
}

#[test]
fn skipped_generations_earn_the_newest_for_grace_from_the_fast_forward() {
    let mut family = restored(5);
    family.earns_of(0, 7, s(60));
    for generation in [5, 6, 7] {
        assert_eq!(family.earns_of(0, generation, s(69)), (Outcome::Repeated, 8));
    }
    family.ends_by(&family.token_of(0, 6), Reason::Replayed, s(70));
}

#[test]
fn only_the_newest_eight_skipped_generations_get_a_window() {
    let mut family = restored(5);
    family.earns_of(0, 20, s(60));
    assert_eq!(windows(&family), [12, 13, 14, 15, 16, 17, 18, 19]);
    assert_eq!(family.earns_of(0, 12, s(61)).1, 20);
    family.ends_by(&family.token_of(0, 11), Reason::Replayed, s(61));
}

#[test]
fn seven_skipped_generations_leave_room_to_advance_and_eight_do_not() {
    let mut seven = restored(5);
    assert_eq!(seven.earns_of(0, 12, s(60)), (Outcome::FastForwarded, 13));
    let mut eight = restored(5);
    assert_eq!(eight.earns_of(0, 13, s(60)), (Outcome::FastForwarded, 13));
}

#[test]
fn a_family_carried_past_eight_waits_at_the_token_it_was_shown_until_the_windows_close() {
    let mut family = restored(0);
    assert_eq!(family.earns_of(0, 20, s(60)), (Outcome::FastForwarded, 20));
    let session = &family.loaded.session;
    // What is answered is the very token that was presented: its rotation was in the older epoch.
    assert_eq!((session.rotation.epoch, session.rotation.at), (StoreEpoch(0), s(60)));
    assert_eq!(family.earns_of(0, 20, s(69)), (Outcome::Repeated, 20));
    assert_eq!(family.earns_of(0, 20, s(70)), (Outcome::Advanced, 21));
    assert_eq!(family.loaded.session.rotation.epoch, StoreEpoch(1));
}

#[test]
fn a_waiting_family_is_answered_under_the_key_and_life_of_the_fast_forward() {
    let mut family = restored(0);
    family.keys = vec![LATER_KEY, KEY];
    family.policy.access_ttl = secs(600);
    let grant = family.present(&family.token_of(0, 20), s(60)).unwrap();
    assert_eq!((grant.key, grant.issued_at, grant.expires_at), (LATER_KEY, s(60), s(660)));
}

#[test]
fn without_grace_a_fast_forward_opens_no_window_and_advances() {
    let mut family = restored(0);
    family.policy.grace = secs(0);
    assert_eq!(family.earns_of(0, 20, s(60)), (Outcome::FastForwarded, 21));
    assert_eq!(windows(&family), [0; 0]);
}

#[test]
fn a_second_fast_forward_within_grace_goes_on_and_the_race_still_ends_with_the_first() {
    let mut family = restored(5);
    family.earns_of(0, 7, s(60));
    assert_eq!(family.earns_of(0, 11, s(70)), (Outcome::FastForwarded, 12));
    let first = family.loaded.session.fast_forward.unwrap();
    assert_eq!((first.to, first.until), (Generation(11), s(70)));
    assert_eq!(windows(&family), [8, 9, 10, 11]);
}

#[test]
fn a_second_fast_forward_keeps_older_windows_that_are_open_up_to_eight() {
    let mut family = restored(5);
    family.earns_of(0, 7, s(60));
    assert_eq!(family.earns_of(0, 11, s(69)), (Outcome::FastForwarded, 12));
    assert_eq!(windows(&family), [5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(family.earns_of(0, 14, s(69)), (Outcome::FastForwarded, 14));
    assert_eq!(windows(&family), [6, 7, 8, 9, 10, 11, 12, 13]);
}

#[test]
fn a_token_beyond_the_first_fast_forward_after_grace_proves_that_one_dead() {
    let mut family = restored(5);
    family.earns_of(0, 7, s(60));
    // Exactly grace later may still be a race; a millisecond more is not.
    assert!(family.decide(&family.token_of(0, 8), s(70)).unwrap().reply.is_ok());
    let late = crate::common::ms(70_001);
    family.ends_by(&family.token_of(0, 20), Reason::Replayed, late);
}

#[test]
fn the_dead_fast_forward_is_found_whatever_the_newest_generation_is_by_then() {
    for owner in [8, 10, 30] {
        let mut family = restored(5);
        family.earns_of(0, 7, s(60));
        family.earns(8, s(100));
        family.earns(9, s(200));
        family.ends_by(&family.token_of(0, owner), Reason::Replayed, s(201));
    }
}

#[test]
fn a_token_of_an_older_epoch_up_to_the_first_fast_forward_proves_nothing_by_itself() {
    let mut family = restored(5);
    family.policy.grace = secs(0);
    family.earns_of(0, 7, s(60));
    family.policy.replay = Replay::Off;
    let denial = family.refuses_unchanged(&family.token_of(0, 7), s(HOUR));
    assert_eq!(denial, Denial::Replayed);
}

#[test]
fn the_key_forgives_the_very_token_of_the_first_fast_forward() {
    let mut family = Family::bound();
    family.rewrite(|state| state.generation = Generation(5));
    family.open_epoch(1);
    family.earns_of(0, 7, s(60));
    assert_eq!(family.earns_of(0, 7, s(HOUR)), (Outcome::Repeated, 8));
    family.ends_by(&family.token_of(0, 8), Reason::Replayed, s(HOUR));
}

#[test]
fn a_token_tells_where_it_belongs() {
    let token = Family::new().token_of(3, 7);
    assert_eq!((token.epoch(), token.generation()), (StoreEpoch(3), Generation(7)));
}

#[test]
fn the_first_fast_forward_says_nothing_of_tokens_of_its_own_epoch() {
    let mut family = restored(5);
    family.earns_of(0, 7, s(60));
    assert_eq!(family.earns(8, s(HOUR)), (Outcome::Advanced, 9));
    let ahead = family.decide(&family.token(10), s(HOUR)).unwrap_err();
    assert!(matches!(ahead, Fault::Impossible { presented: Generation(10), .. }));
}

#[test]
fn a_later_change_of_grace_neither_lengthens_nor_shortens_the_race_of_a_fast_forward() {
    let mut family = restored(5);
    family.earns_of(0, 7, s(60));
    family.policy.grace = secs(120);
    family.ends_by(&family.token_of(0, 20), Reason::Replayed, s(71));

    let mut family = restored(5);
    family.earns_of(0, 7, s(60));
    family.policy.grace = secs(1);
    assert_eq!(family.earns_of(0, 9, s(70)), (Outcome::FastForwarded, 10));
}

#[test]
fn a_token_that_this_epoch_followed_is_retried_in_its_own_window_after_the_race() {
    let mut family = restored(5);
    family.earns_of(0, 7, s(60));
    assert_eq!(family.earns_of(0, 10, s(69)), (Outcome::FastForwarded, 11));
    // Its answer was lost; 10 s have passed since the first fast-forward, not since this use.
    assert_eq!(family.earns_of(0, 10, s(75)), (Outcome::Repeated, 11));
    family.ends_by(&family.token_of(0, 10), Reason::Replayed, s(79));
}

#[test]
fn a_family_that_waits_beyond_the_first_fast_forward_still_answers_that_token() {
    let mut family = restored(0);
    family.earns_of(0, 20, s(60));
    assert_eq!(family.earns_of(0, 30, s(69)), (Outcome::FastForwarded, 30));
    assert_eq!(family.earns_of(0, 30, s(75)), (Outcome::Repeated, 30));
    assert_eq!(family.earns_of(0, 30, s(300)), (Outcome::Advanced, 31));
}

#[test]
fn a_family_that_advanced_to_a_number_did_not_follow_the_older_token_of_that_number() {
    let mut family = restored(0);
    family.earns_of(0, 7, s(60));
    family.earns(8, s(100));
    // A thief followed dead generation 7 up to 9; the owner's 9 is another token.
    family.ends_by(&family.token_of(0, 9), Reason::Replayed, s(101));
}

#[test]
fn a_token_that_was_answered_again_during_the_race_is_so_after_it() {
    let mut family = restored(1);
    assert_eq!(family.earns_of(0, 8, s(60)), (Outcome::FastForwarded, 9));
    // Eight windows are open, so 9 is answered again; that it is the owner's must not be forgotten.
    let before = family.loaded.session.clone();
    assert_eq!(family.earns_of(0, 9, s(64)), (Outcome::Repeated, 9));
    let after = family.loaded.session.clone();
    assert_eq!((before.last_used_at, &before.windows), (after.last_used_at, &after.windows));
    assert_eq!(before.rotation, after.rotation);
    let decision = family.decide(&family.token_of(0, 9), s(65)).unwrap();
    assert!(decision.session.is_none(), "nothing more to remember");
    assert_eq!(family.earns_of(0, 9, s(71)), (Outcome::Advanced, 10));
    family.ends_by(&family.token_of(0, 10), Reason::Replayed, s(72));
}

#[test]
fn a_token_of_this_epoch_answered_again_does_not_vouch_for_the_older_one_of_its_number() {
    let mut family = restored(1);
    assert_eq!(family.earns_of(0, 8, s(60)), (Outcome::FastForwarded, 9));
    // A thief carried the dead 8 forward and uses its own 9 while eight windows are open.
    let decision = family.decide(&family.token(9), s(64)).unwrap();
    assert!(decision.session.is_none());
    assert_eq!(family.earns(9, s(64)), (Outcome::Repeated, 9));
    family.ends_by(&family.token_of(0, 9), Reason::Replayed, s(71));
}

#[test]
fn a_token_with_a_window_of_this_epoch_is_retried_in_it_after_the_race() {
    let mut family = restored(5);
    family.earns_of(0, 7, s(60));
    assert_eq!(family.earns(8, s(69)), (Outcome::Advanced, 9));
    assert_eq!(family.earns_of(0, 8, s(78)), (Outcome::Repeated, 9));
    family.ends_by(&family.token_of(0, 8), Reason::Replayed, s(79));
}

#[test]
fn a_family_waits_at_the_token_it_followed_last_even_after_it_advanced_between() {
    let mut family = restored(6);
    family.earns_of(0, 7, s(60));
    assert_eq!(family.loaded.session.rotation.epoch, StoreEpoch(1));
    assert_eq!(family.earns_of(0, 30, s(69)), (Outcome::FastForwarded, 30));
    assert_eq!(family.earns_of(0, 30, s(300)), (Outcome::Advanced, 31));
}

#[test]
fn a_dead_fast_forward_obeys_the_replay_setting() {
    let mut family = restored(5);
    family.earns_of(0, 7, s(60));
    let owner = family.token_of(0, 20);
    family.policy.replay = Replay::Off;
    assert_eq!(family.refuses_unchanged(&owner, s(HOUR)), Denial::Replayed);
    family.policy.replay = Replay::Report;
    let decision = family.decide(&owner, s(HOUR)).unwrap();
    assert!(decision.session.is_none());
    let grant = decision.reply.unwrap();
    assert_eq!((grant.session.generation.0, grant.alert), (8, Some(Reason::Replayed)));
}

#[test]
fn every_store_epoch_has_a_first_fast_forward_of_its_own() {
    let mut family = restored(5);
    family.earns_of(0, 7, s(60));
    family.open_epoch(2);
    // The store lost writes once more: epoch 1 had led the family on to 40.
    assert_eq!(family.earns_of(1, 40, s(HOUR)).0, Outcome::FastForwarded);
    let first = family.loaded.session.fast_forward.unwrap();
    assert_eq!((first.to, first.epoch), (Generation(40), StoreEpoch(2)));
    family.ends_by(&family.token_of(0, 41), Reason::Replayed, s(2 * HOUR));
}

#[test]
fn a_token_two_epochs_old_is_followed_like_one_of_the_last() {
    let mut family = restored(5);
    family.open_epoch(7);
    assert_eq!(family.earns_of(2, 6, s(60)), (Outcome::FastForwarded, 7));
}

#[test]
fn a_fast_forward_to_the_last_generation_is_a_fault() {
    let family = restored(u32::MAX - 1);
    let fault = family.decide(&family.token_of(0, u32::MAX), s(60)).unwrap_err();
    assert_eq!(fault, Fault::Exhausted);
    // Far below it, the eight windows keep the family waiting there: granted, never wrapped.
    let family = restored(0);
    let grant = family.decide(&family.token_of(0, u32::MAX), s(60)).unwrap().reply.unwrap();
    assert_eq!(grant.session.generation, Generation(u32::MAX));
}

#[test]
fn a_restored_session_answers_its_end_and_its_timeouts_before_any_fast_forward() {
    let mut family = restored(5);
    family.kick(Reason::Kicked, s(1));
    assert_eq!(
        family.refuses_unchanged(&family.token_of(0, 9), s(2)),
        Denial::Ended(Reason::Kicked)
    );
}
