//! Which key signs when: DESIGN.md §4.2 and issue "keys": announced, current, retiring, gone.

use crate::common::{DAY, s, secs};
use symbolon_core::signing::{
    KeyLife, KeyPlan, KeyState, RETIRING, Turn, Wish, due, retires_at, state, turn,
};
use symbolon_core::{KeyId, Timestamp};

fn key(name: u8, current_from: Timestamp) -> KeyLife {
    KeyLife { kid: KeyId([name; 12]), current_from }
}

fn plan() -> KeyPlan {
    KeyPlan { rotate_every: secs(90 * DAY), announce: secs(DAY) }
}

#[test]
fn a_key_is_announced_then_signs_then_retires_then_is_gone() {
    let all = [key(1, s(0)), key(2, s(1_000))];
    let gone = s(1_000).after(RETIRING);
    for (at, first, second) in [
        (s(0), KeyState::Current, KeyState::Announced),
        (s(999), KeyState::Current, KeyState::Announced),
        (s(1_000), KeyState::Retiring, KeyState::Current),
        (gone, KeyState::Retiring, KeyState::Current),
        (gone.after(secs(1)), KeyState::Gone, KeyState::Current),
    ] {
        assert_eq!((state(&all[0], &all, at), state(&all[1], &all, at)), (first, second), "{at:?}");
    }
    assert_eq!(retires_at(&all[0], &all), Some(s(1_000)));
    assert_eq!(retires_at(&all[1], &all), None);
}

#[test]
fn a_clock_that_was_set_back_still_finds_a_key_that_signs() {
    let all = [key(2, s(2_000)), key(1, s(1_000))];
    assert_eq!(state(&all[1], &all, s(5)), KeyState::Current);
    assert_eq!(state(&all[0], &all, s(5)), KeyState::Announced);
}

#[test]
fn the_next_key_is_announced_so_early_that_it_signs_on_time() {
    let all = [key(1, s(0))];
    assert_eq!(due(&all, &plan(), s(89 * DAY - 1)), None);
    assert_eq!(due(&all, &plan(), s(89 * DAY)), Some(s(90 * DAY)));
}

#[test]
fn a_key_that_is_overdue_is_followed_as_early_as_it_can_be_announced() {
    let all = [key(1, s(0))];
    assert_eq!(due(&all, &plan(), s(400 * DAY)), Some(s(401 * DAY)));
}

#[test]
fn while_a_key_is_announced_no_other_is() {
    let all = [key(1, s(0)), key(2, s(90 * DAY))];
    assert_eq!(due(&all, &plan(), s(89 * DAY + 5)), None);
    assert_eq!(due(&all, &plan(), s(90 * DAY)), None, "and the new one has its own time");
}

#[test]
fn no_key_no_plan() {
    assert_eq!(due(&[], &plan(), s(DAY)), None);
}

/// Every set of up to three keys over a few instants.
fn small_rings() -> Vec<Vec<KeyLife>> {
    let instants = [0, 1, 2, 500, 90_000];
    let mut rings = Vec::new();
    for (a, b, c) in instants.into_iter().flat_map(|a| {
        instants.into_iter().flat_map(move |b| instants.into_iter().map(move |c| (a, b, c)))
    }) {
        let all = [key(1, s(a)), key(2, s(b)), key(3, s(c))];
        rings.extend([all[..1].to_vec(), all[..2].to_vec(), all.to_vec()]);
    }
    rings
}

const MOMENTS: [u64; 9] = [0, 1, 2, 3, 499, 501, 89_999, 90_001, 400_000];

#[test]
fn exactly_one_key_signs_at_any_instant() {
    for ring in small_rings() {
        for at in MOMENTS {
            let signs = |key: &&KeyLife| state(key, &ring, s(at)) == KeyState::Current;
            assert_eq!(ring.iter().filter(signs).count(), 1, "{ring:?} at {at}");
        }
    }
}

#[test]
fn no_key_goes_backwards() {
    let rank = |state| match state {
        KeyState::Announced => 0,
        KeyState::Current => 1,
        KeyState::Retiring => 2,
        KeyState::Gone => 3,
    };
    for ring in small_rings() {
        for key in &ring {
            let ranks = MOMENTS.map(|at| rank(state(key, &ring, s(at))));
            assert!(ranks.is_sorted(), "{key:?} of {ring:?}: {ranks:?}");
        }
    }
}

#[test]
fn the_first_key_signs_at_once_whatever_is_wished() {
    for wish in [Wish::Planned, Wish::Announced, Wish::Now] {
        assert_eq!(turn(&[], &plan(), wish, s(7)), Turn::Make(s(7)));
    }
}

#[test]
fn a_next_key_can_be_wished_for_before_it_is_due_and_only_one() {
    let one = [key(1, s(0))];
    assert_eq!(turn(&one, &plan(), Wish::Planned, s(7)), Turn::Keep);
    assert_eq!(turn(&one, &plan(), Wish::Announced, s(7)), Turn::Make(s(7 + DAY)));
    let two = [key(1, s(0)), key(2, s(7 + DAY))];
    assert_eq!(turn(&two, &plan(), Wish::Announced, s(8)), Turn::Keep);
}

#[test]
fn a_key_that_must_sign_now_is_the_announced_one_if_there_is_one() {
    let two = [key(1, s(0)), key(2, s(7 + DAY))];
    assert_eq!(turn(&two, &plan(), Wish::Now, s(8)), Turn::Hasten(KeyId([2; 12]), s(8)));
    assert_eq!(turn(&two[..1], &plan(), Wish::Now, s(8)), Turn::Make(s(8)));
}
