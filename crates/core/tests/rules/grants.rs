//! The deterministic grant of DESIGN.md §4.1: equal questions earn equal answers.

use crate::common::{DAY, Family, HOUR, KEY, LATER_KEY, ms, s, secs, start};
use std::sync::Arc;
use symbolon_core::{
    ClientPolicy, Denial, Effect, Grant, Loaded, Outcome, Reason, Start, StoreEpoch, Terms,
    Timestamp, Ver,
};

fn repeat(family: &Family, at: Timestamp) -> Result<Grant, Denial> {
    let keys = &family.keys;
    let terms = Terms { policy: &family.policy, key: keys[0], keys_usable: keys };
    Loaded::repeat(family.loaded.clone(), &terms, at)
}

#[test]
fn a_grant_is_dated_by_its_rotation_in_whole_seconds() {
    let mut family = Family::new();
    let grant = family.refresh(0, ms(1_750)).unwrap();
    assert_eq!((grant.issued_at, grant.expires_at), (s(1), s(301)));
    assert_eq!((grant.key, grant.outcome, grant.alert), (KEY, Outcome::Advanced, None));
    assert_eq!(grant.refresh_expires_at, ms(14 * DAY * 1000 + 1_750));
    assert!(grant.session == family.loaded.session, "the session as committed");
}

#[test]
fn equal_questions_in_a_window_earn_equal_grants() {
    let mut family = Family::new();
    let first = family.refresh(0, ms(1_200)).unwrap();
    for at in [1_200, 3_000, 11_199] {
        let again = family.refresh(0, ms(at)).unwrap();
        assert_eq!(again.outcome, Outcome::Repeated);
        assert_eq!(Grant { outcome: Outcome::Advanced, ..again }, first);
    }
}

#[test]
fn a_rotation_of_the_signing_key_does_not_change_an_answer_given_again() {
    let mut family = Family::new();
    family.refresh(0, s(1)).unwrap();
    family.keys = vec![LATER_KEY, KEY];
    let again = family.refresh(0, s(2)).unwrap();
    assert_eq!((again.key, again.issued_at), (KEY, s(1)));
    assert_eq!(family.refresh(1, s(3)).unwrap().key, LATER_KEY);
}

#[test]
fn an_answer_whose_key_may_no_longer_sign_is_dated_afresh_under_the_current_one() {
    let mut family = Family::new();
    family.refresh(0, s(1)).unwrap();
    family.keys = vec![LATER_KEY];
    let again = family.refresh(0, ms(4_500)).unwrap();
    assert_eq!((again.key, again.issued_at, again.expires_at), (LATER_KEY, s(4), s(304)));
    assert_eq!(again.session.generation.0, 1, "beside the same refresh token");
}

#[test]
fn an_answer_with_under_a_quarter_of_its_life_left_is_dated_afresh() {
    let family = Family::new();
    let quarter = repeat(&family, s(225)).unwrap();
    assert_eq!((quarter.issued_at, quarter.expires_at), (s(0), s(300)));
    let less = repeat(&family, ms(225_001)).unwrap();
    assert_eq!((less.issued_at, less.expires_at), (s(225), s(525)));
    assert_eq!(less.session.generation.0, 0);
}

#[test]
fn an_answer_dated_afresh_is_signed_by_the_current_key() {
    let mut family = Family::new();
    family.keys = vec![LATER_KEY, KEY];
    assert_eq!(repeat(&family, s(225)).unwrap().key, KEY);
    assert_eq!(repeat(&family, s(226)).unwrap().key, LATER_KEY);
}

#[test]
fn a_longer_life_of_access_tokens_begins_with_the_next_rotation() {
    let mut family = Family::new();
    family.policy.access_ttl = secs(600);
    assert_eq!(repeat(&family, s(1)).unwrap().expires_at, s(300));
    assert_eq!(family.refresh(0, s(2)).unwrap().expires_at, s(602));
}

#[test]
fn no_access_token_outlives_its_sessions_absolute_end() {
    let mut family = Family::new();
    family.rewrite(|state| state.last_used_at = s(89 * DAY));
    let grant = family.refresh(0, s(90 * DAY - 100)).unwrap();
    assert_eq!(grant.expires_at, s(90 * DAY));
    assert_eq!(grant.refresh_expires_at, s(90 * DAY));
    family.policy.absolute = secs(90 * DAY - 50);
    assert_eq!(family.refresh(1, s(90 * DAY - 99)).unwrap().expires_at, s(90 * DAY - 50));
}

#[test]
fn expires_in_is_counted_from_now_rounded_up_and_at_least_one() {
    let mut family = Family::new();
    let grant = family.refresh(0, ms(1_750)).unwrap();
    for (at, expected) in [
        (ms(1_750), 300),
        (s(2), 299),
        (ms(2_001), 299),
        (ms(300_500), 1),
        (s(301), 1),
        (s(HOUR), 1),
    ] {
        assert_eq!(grant.expires_in(at), expected, "{at:?}");
    }
    assert_eq!(grant.refresh_expires_in(ms(1_750)), 14 * DAY);
    assert_eq!(grant.refresh_expires_in(s(20 * DAY)), 1);
}

#[test]
fn a_grant_carries_the_four_counters_the_roles_and_the_claims_of_now() {
    let mut family = Family::new();
    let bump = family.bump(Reason::PermissionsChanged, s(1));
    let roles: Arc<[Arc<str>]> = ["admin".into()].into();
    family.loaded.subject.set_profile(roles.clone(), "{\"vip\":true}".into(), &bump);
    family.cutoffs(|all| {
        for _ in 0..2 {
            all.bump_client(&crate::common::client("web"), Effect::Stale, &bump);
        }
        for _ in 0..3 {
            all.bump_everything(Effect::Stale, &bump);
        }
    });
    family.open_epoch(4);
    let grant = family.refresh(0, s(2)).unwrap_or_else(|_| unreachable!("nothing was revoked"));
    let ver = Ver { store: StoreEpoch(4), subject: 1, client: 2, everything: 3 };
    assert_eq!((grant.ver, grant.roles), (ver, roles));
    assert_eq!(&*grant.subject_claims, "{\"vip\":true}");
    assert_eq!(family.loaded.session.born, Ver::default(), "no refresh changes the birth");
}

// A repeated `Idempotency-Key`.

#[test]
fn a_repeated_sign_in_is_answered_for_the_newest_generation_without_counting_as_a_use() {
    let mut family = Family::new();
    family.refresh(0, s(60)).unwrap();
    let grant = repeat(&family, s(HOUR)).unwrap();
    assert_eq!((grant.outcome, grant.session.generation.0), (Outcome::Repeated, 1));
    assert_eq!(grant.issued_at, s(HOUR));
    assert_eq!(grant.refresh_expires_at, s(60 + 14 * DAY));
}

#[test]
fn a_repeated_sign_in_of_a_session_that_ended_is_told_why() {
    let mut family = Family::new();
    assert_eq!(repeat(&family, s(14 * DAY)), Err(Denial::Ended(Reason::Idle)));
    let bump = family.bump(Reason::ClientDisabled, s(2));
    family.cutoffs(|all| {
        all.set_client_disabled(&crate::common::client("web"), true, &bump);
    });
    assert_eq!(repeat(&family, s(3)), Err(Denial::ClientDisabled));
    family.kick(Reason::SignedOut, s(4));
    assert_eq!(repeat(&family, s(5)), Err(Denial::Ended(Reason::SignedOut)));
}

#[test]
fn a_repeated_sign_in_under_a_clock_that_stepped_back_is_never_dated_before_the_session() {
    let mut family = Family::new();
    family.refresh(0, s(1000)).unwrap();
    family.keys = vec![LATER_KEY];
    assert_eq!(repeat(&family, s(990)).unwrap().issued_at, s(1000));
}

#[test]
fn a_scope_that_the_client_lost_is_granted_no_more_and_one_that_it_gained_is_not() {
    let policy = ClientPolicy { scope: "a b".into(), ..ClientPolicy::default() };
    let mut family = Family::with(&Start { scope: "a b".into(), ..start(1) }, &policy);
    for (allowed, granted) in [("a b", "a b"), ("b", "b"), ("b c", "b"), ("", ""), ("a b", "a b")] {
        family.policy.scope = allowed.into();
        let generation = family.loaded.session.generation.0;
        let at = s(u64::from(generation) * 60 + 1);
        let renewed = family.refresh(generation, at).unwrap();
        assert_eq!(&*renewed.scope, granted, "renewed with {allowed:?}");
        let repeated = family.refresh(generation, at).unwrap();
        assert_eq!(repeated.scope, renewed.scope, "answered again with {allowed:?}");
        assert_eq!(&*renewed.session.scope, "a b", "what was granted is remembered");
    }
}
