//! Access tokens and keys that are revoked by their own names: DESIGN.md §4.1 and §4.3.

use crate::common::{Family, KEY, LATER_KEY, s};
use symbolon_core::by_name::{Full, KEYS_MAX, TOKENS_MAX};
use symbolon_core::epoch::ReplayFor;
use symbolon_core::revocation::Whose;
use symbolon_core::{
    Cutoffs, Denial, Effect, KeyId, Outcome, Reason, Replay, Target, Terms, Verdict,
};

const JTI: [u8; 16] = [7; 16];

fn terms(family: &Family) -> Terms<'_> {
    Terms { policy: &family.policy, key: family.keys[0], keys_usable: &family.keys }
}

#[test]
fn a_token_revoked_by_name_is_refused_and_the_next_answer_is_dated_afresh() {
    let mut family = Family::new();
    let first = family.refresh(0, s(1)).unwrap();
    let why = family.bump(Reason::Admin, s(2));
    family.cutoffs(|all| drop(all.revoke_token(JTI, None, Effect::Revoked, &why)));
    let judged = family.loaded.judge(&JTI, &first.ver, &family.policy, s(3));
    assert_eq!(judged, Verdict::Revoked(Reason::Admin));
    let other = family.loaded.judge(&[8; 16], &first.ver, &family.policy, s(3));
    assert_eq!(other, Verdict::Live, "its session goes on");

    let again = family.refresh(0, s(4)).unwrap();
    assert!(again.is_revoked(&JTI) && !again.is_revoked(&[8; 16]));
    let afresh = again.dated_afresh(&terms(&family), s(4));
    assert_eq!((afresh.issued_at, afresh.expires_at), (s(4), s(304)));
    assert_eq!(
        afresh.session.generation, again.session.generation,
        "beside the same refresh token"
    );
}

#[test]
fn a_token_made_stale_by_name_must_renew_and_nobody_signs_in_again() {
    let mut family = Family::new();
    let ver = family.refresh(0, s(1)).unwrap().ver;
    let why = family.bump(Reason::PermissionsChanged, s(2));
    family.cutoffs(|all| drop(all.revoke_token(JTI, None, Effect::Stale, &why)));
    let judged = family.loaded.judge(&JTI, &ver, &family.policy, s(3));
    assert_eq!(judged, Verdict::Stale(Reason::PermissionsChanged));
    assert!(family.lives(s(3)));
}

#[test]
fn a_revoked_key_signs_no_answer_again_and_ends_no_session() {
    let mut family = Family::new();
    family.refresh(0, s(1)).unwrap();
    family.keys = vec![LATER_KEY, KEY];
    let why = family.bump(Reason::KeyCompromised, s(2));
    family.cutoffs(|all| drop(all.revoke_key(KEY, Effect::Stale, &why)));
    let again = family.refresh(0, s(3)).unwrap();
    assert_eq!((again.outcome, again.key, again.issued_at), (Outcome::Repeated, LATER_KEY, s(3)));
    assert!(!again.is_revoked(&JTI));
    assert!(family.lives(s(4)));
}

#[test]
fn a_grant_whose_only_key_was_revoked_says_so() {
    let mut family = Family::new();
    let why = family.bump(Reason::KeyCompromised, s(2));
    family.cutoffs(|all| drop(all.revoke_key(KEY, Effect::Stale, &why)));
    assert!(family.refresh(0, s(3)).unwrap().is_revoked(&JTI));
}

#[test]
fn what_is_revoked_by_name_is_one_event_that_names_it() {
    let mut all = Cutoffs::default();
    let why = Family::new().bump(Reason::KeyCompromised, s(1));
    let family = Family::new();
    let (subject, client) = (&family.loaded.session.subject, &family.loaded.session.client);
    let whose = Some(Whose { subject: subject.clone(), client: client.clone() });
    let token = all.revoke_token(JTI, whose.clone(), Effect::Revoked, &why).unwrap();
    assert_eq!((token.target, token.whose), (Target::Token(JTI), whose));
    let key = all.revoke_key(KEY, Effect::Stale, &why).unwrap();
    assert_eq!((key.target, key.effect), (Target::Key(KEY), Effect::Stale));
    assert_eq!(key.expires_at, why.tokens_live_until);
}

#[test]
fn as_many_tokens_and_keys_are_revoked_by_name_as_the_bounds_say() {
    let mut all = Cutoffs::default();
    let why = Family::new().bump(Reason::Admin, s(1));
    let jti = |n: usize| {
        let mut jti = [0; 16];
        jti[..8].copy_from_slice(&(n as u64).to_be_bytes());
        jti
    };
    for n in 0..TOKENS_MAX {
        all.revoke_token(jti(n), None, Effect::Revoked, &why).unwrap();
    }
    assert_eq!(all.revoke_token(jti(TOKENS_MAX), None, Effect::Revoked, &why), Err(Full));
    assert!(all.revoke_token(jti(3), None, Effect::Stale, &why).is_ok(), "one that is known");
    let mut later = why.clone();
    later.at = why.tokens_live_until.after(symbolon_core::Duration::from_millis(1));
    assert!(all.revoke_token(jti(TOKENS_MAX), None, Effect::Revoked, &later).is_ok());
    assert_eq!(all.tokens.len(), 1, "those whose tokens have expired left");

    for n in 0..KEYS_MAX {
        let name = jti(n);
        all.revoke_key(KeyId(name[4..].try_into().unwrap()), Effect::Stale, &why).unwrap();
    }
    assert_eq!(all.revoke_key(KeyId([9; 12]), Effect::Stale, &why), Err(Full));
}

#[test]
fn a_replay_setting_for_a_stated_time_goes_before_the_client_s_own_until_then() {
    let mut family = Family::new();
    family.refresh(0, s(1)).unwrap();
    let client = family.loaded.session.client.clone();
    let until = s(7_200);
    family.cutoffs(|all| {
        let state = all.clients.entry(client.clone()).or_default();
        state.replay = Some(ReplayFor { replay: Replay::Off, until });
    });
    assert_eq!(family.refresh(0, s(7_199)), Err(Denial::Replayed));
    assert!(family.lives(s(7_199)));
    assert_eq!(family.refresh(0, until), Err(Denial::Ended(Reason::Replayed)));
}

#[test]
fn what_a_store_forgot_is_revoked_again_and_room_is_made_for_it() {
    let jti = |n: u64| [n.to_be_bytes(), [0; 8]].concat().try_into().unwrap();
    let mut why = Family::new().bump(Reason::Admin, s(1));
    let mut all = Cutoffs::default();
    let most = TOKENS_MAX as u64;
    for n in 0..=most {
        why.tokens_live_until = s(2 + n);
        let event = Cutoffs::default().revoke_token(jti(n), None, Effect::Stale, &why).unwrap();
        assert!(all.revoke_again(&event));
    }
    assert_eq!(all.tokens.len(), TOKENS_MAX);
    assert!(!all.tokens.contains_key(&jti(0)), "it mattered for the shortest time");
    assert_eq!(all.tokens[&jti(most)].effect, Effect::Stale);
    let everything = Cutoffs::default().bump_everything(Effect::Revoked, &why);
    assert!(!all.revoke_again(&everything), "it names neither a token nor a key");
}
