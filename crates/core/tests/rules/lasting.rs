//! Tokens that nobody can renew: DESIGN.md §4.6.

use crate::common::{DAY, Family, HOUR, KEY, LATER_KEY, s, secs, start};
use symbolon_core::by_name::ByName;
use symbolon_core::lasting::{Lasting, Worth};
use symbolon_core::revocation::Effect;
use symbolon_core::{ClientPolicy, Reason, Terms, Timestamp, Ver, Verdict};

const JTI: [u8; 16] = [9; 16];

/// One token of a day, in a session that may idle for two hours.
fn sliding() -> Family {
    let policy = ClientPolicy {
        access_ttl: secs(DAY),
        idle: secs(2 * HOUR),
        absolute: secs(DAY),
        ..Default::default()
    };
    Family::with(&start(1), &policy)
}

fn ver(family: &Family) -> Ver {
    family.loaded.cutoffs.ver(&family.client, &family.loaded.subject)
}

/// Shows the token that carries `ver`, and commits what was decided.
fn show(family: &mut Family, ver: Ver, at: Timestamp) -> (Result<Worth, Verdict>, bool) {
    let terms = Terms { policy: &family.policy, key: family.keys[0], keys_usable: &family.keys };
    let shown = Lasting { jti: JTI, ver, terms };
    let decision = family.loaded.clone().by_lasting_token(&shown, at);
    let written = decision.session.is_some();
    family.events.extend(decision.events);
    family.loaded.session = decision.session.unwrap_or_else(|| family.loaded.session.clone());
    (decision.reply, written)
}

#[test]
fn a_token_is_believed_as_long_as_nothing_that_it_says_has_changed() {
    let mut family = sliding();
    let ver = ver(&family);
    assert_eq!(show(&mut family, ver, s(5)), (Ok(Worth::AsItSays), false));
}

#[test]
fn changed_roles_take_the_place_of_what_a_token_says_since_it_cannot_be_renewed() {
    let mut family = sliding();
    let (before, bump) = (ver(&family), family.bump(Reason::PermissionsChanged, s(5)));
    family.loaded.subject.epochs.bump(Effect::Stale, &bump);
    family.loaded.subject.roles = ["admin".into()].into();
    let (Ok(Worth::AsOfNow(grant)), false) = show(&mut family, before, s(6)) else {
        panic!("what holds now is believed");
    };
    assert_eq!((&*grant.roles, grant.ver), (&["admin".into()][..], ver(&family)));
    assert_ne!(grant.ver, before);
}

#[test]
fn a_disabled_client_has_no_tokens_that_are_good_and_no_session_ends() {
    let mut family = sliding();
    let (ver, id) = (ver(&family), family.client.clone());
    family.cutoffs(|cutoffs| cutoffs.clients.entry(id).or_default().disabled = true);
    let disabled = Err(Verdict::Stale(Reason::ClientDisabled));
    assert_eq!(show(&mut family, ver, s(3 * HOUR / 2)), (disabled, false));
    assert!(family.loaded.session.end.is_none() && family.events.is_empty());
}

#[test]
fn a_kicked_session_and_a_revoked_name_have_no_worth() {
    let mut family = sliding();
    let ver = ver(&family);
    let (effect, reason) = (Effect::Revoked, Reason::Admin);
    let named = ByName { effect, reason, at: s(1), until: s(DAY) };
    family.cutoffs(|cutoffs| {
        cutoffs.tokens.insert(JTI, named);
    });
    assert_eq!(show(&mut family, ver, s(1)), (Err(Verdict::Revoked(Reason::Admin)), false));
    family.kick(Reason::Kicked, s(5));
    assert_eq!(show(&mut family, ver, s(6)).0, Err(Verdict::Revoked(Reason::Kicked)));
}

#[test]
fn use_slides_the_session_at_most_once_an_hour_and_a_day_is_the_end() {
    let mut family = sliding();
    let ver = ver(&family);
    let minutes = (1..24 * 60).map(|minute| s(minute * 60));
    let written = minutes.filter(|at| show(&mut family, ver, *at).1).count();
    assert!((20..=23).contains(&written), "{written}");
    assert_eq!(show(&mut family, ver, s(DAY)).0, Err(Verdict::Revoked(Reason::Expired)));
}

#[test]
fn a_session_that_idled_too_long_ends_when_its_token_is_shown_again() {
    let mut family = sliding();
    let ver = ver(&family);
    let idle = Err(Verdict::Revoked(Reason::Idle));
    assert_eq!(show(&mut family, ver, s(2 * HOUR)), (idle.clone(), true));
    assert_eq!(family.events.len(), 1);
    assert_eq!(show(&mut family, ver, s(2 * HOUR + 1)), (idle, false));
}

#[test]
fn the_one_token_of_a_session_is_the_same_until_its_end() {
    let mut family = sliding();
    let first = grant_at(&mut family, 1);
    assert_eq!(first.key, KEY);
    for hour in 1..24 {
        let (ver, at) = (ver(&family), hour * (HOUR - 60));
        show(&mut family, ver, s(at)).0.unwrap();
        let again = grant_at(&mut family, at + 1);
        let dates = (again.issued_at, again.expires_at, again.key);
        assert_eq!(dates, (first.issued_at, first.expires_at, first.key), "{hour}");
    }
}

#[test]
fn a_key_that_may_sign_no_more_leaves_the_session_a_token_by_the_next() {
    let mut family = sliding();
    family.keys = vec![LATER_KEY];
    assert_eq!(grant_at(&mut family, 60).key, LATER_KEY);
}

/// What a repeated sign-in is answered.
fn grant_at(family: &mut Family, seconds: u64) -> symbolon_core::Grant {
    let terms = Terms { policy: &family.policy, key: family.keys[0], keys_usable: &family.keys };
    family.loaded.clone().repeat(&terms, s(seconds)).unwrap()
}
