//! Handles: credentials that stay the same as long as their session (DESIGN.md §4.6, §4.8).

use crate::common::{DAY, Family, HOUR, KEY, LATER_KEY, all, ms, s, secs, start};
use symbolon_core::binding::{Binding, Network};
use symbolon_core::imprint::Bound;
use symbolon_core::refresh::Answer;
use symbolon_core::{
    BindingMode, ClientPolicy, Denial, Digest, Duration, Grant, Handle, Reason, Salt, Shown, Start,
    Terms, Timestamp,
};

/// Tokens of five minutes, a session that may idle for two hours and lives for a day.
fn sliding() -> Family {
    let policy = ClientPolicy { idle: secs(2 * HOUR), absolute: secs(DAY), ..Default::default() };
    Family::with(&start(1), &policy)
}

fn own_handle(family: &Family) -> Handle {
    Handle::assume_genuine(family.loaded.session.sid, family.loaded.session.salt)
}

/// Shows a handle and commits what was decided; answers whether anything was.
fn show(family: &mut Family, handle: &Handle, at: Timestamp) -> (Answer, bool) {
    let terms = Terms { policy: &family.policy, key: family.keys[0], keys_usable: &family.keys };
    let ask = Shown { handle, terms };
    let decision = family.loaded.clone().by_handle(&ask, at);
    let written = decision.session.is_some();
    family.events.extend(decision.events);
    family.loaded.session = decision.session.unwrap_or_else(|| family.loaded.session.clone());
    (decision.reply, written)
}

fn shown(family: &mut Family, at: Timestamp) -> Result<Grant, Denial> {
    let handle = own_handle(family);
    show(family, &handle, at).0
}

#[test]
fn all_who_ask_within_half_a_tokens_life_get_the_same_tokens_and_nobody_less_than_half_of_it() {
    let mut family = sliding();
    let mut before = shown(&mut family, s(0)).unwrap();
    let mut different = 0;
    for at in (0..1200).map(s) {
        let grant = shown(&mut family, at).unwrap();
        assert!(grant.issued_at <= at && at < grant.expires_at);
        assert!(secs(150) <= grant.expires_at.since(at), "at least half a life is left");
        different += u32::from(grant.issued_at != before.issued_at);
        before = grant;
    }
    assert_eq!(different, 1200 / 150 - 1);
}

#[test]
fn showing_a_handle_slides_the_session_and_is_written_at_most_once_an_hour() {
    let mut family = sliding();
    let handle = own_handle(&family);
    let minutes = (1..=23 * 60).map(|minute| s(minute * 60));
    let written = minutes.filter(|at| show(&mut family, &handle, *at).1).count();
    assert!((20..=23).contains(&written), "{written}");
    assert_eq!(shown(&mut family, s(DAY)).err(), Some(Denial::Ended(Reason::Expired)));
}

#[test]
fn a_handle_that_is_not_shown_for_the_idle_time_ends_its_session_once() {
    let mut family = sliding();
    let handle = own_handle(&family);
    assert!(shown(&mut family, ms(2 * HOUR * 1000 - 1)).is_ok());
    let late = ms(4 * HOUR * 1000 - 1);
    let (refused, written) = show(&mut family, &handle, late);
    assert_eq!((refused.err(), written), (Some(Denial::Ended(Reason::Idle)), true));
    let (again, written) = show(&mut family, &handle, late);
    assert_eq!((again.err(), written), (Some(Denial::Ended(Reason::Idle)), false));
    assert_eq!(family.events.len(), 1);
}

#[test]
fn what_a_handle_earns_never_outlives_the_session() {
    let mut family = sliding();
    for half_hour in 1..48 {
        shown(&mut family, s(half_hour * HOUR / 2)).unwrap();
    }
    let grant = shown(&mut family, s(DAY - 10)).unwrap();
    assert_eq!(grant.expires_at, s(DAY));
}

#[test]
fn a_kicked_session_answers_its_handle_with_the_reason() {
    let mut family = sliding();
    assert!(family.kick(Reason::Kicked, s(5)));
    assert_eq!(shown(&mut family, s(6)).err(), Some(Denial::Ended(Reason::Kicked)));
}

#[test]
fn a_disabled_client_earns_nothing_and_no_session_ends() {
    let mut family = sliding();
    let id = family.client.clone();
    family.cutoffs(|cutoffs| cutoffs.clients.entry(id).or_default().disabled = true);
    assert_eq!(shown(&mut family, s(1)).err(), Some(Denial::ClientDisabled));
    assert!(family.events.is_empty());
}

#[test]
fn a_right_tag_over_another_salt_is_no_handle_of_this_session() {
    let mut family = sliding();
    let forged = Handle::assume_genuine(family.loaded.session.sid, Salt([0xee; 8]));
    assert_eq!(show(&mut family, &forged, s(1)).0.err(), Some(Denial::UnknownSession));
}

#[test]
fn a_shorter_token_life_reaches_sessions_that_exist_and_a_longer_one_does_not() {
    let mut family = sliding();
    for (ttl, life) in [(60, 60), (300, 300), (3600, 300)] {
        family.policy.access_ttl = secs(ttl);
        let grant = shown(&mut family, s(1000)).unwrap();
        assert_eq!(grant.expires_at.since(grant.issued_at), secs(life), "{ttl}");
    }
}

#[test]
fn the_key_that_signs_now_signs_what_a_handle_earns() {
    let mut family = sliding();
    assert_eq!(shown(&mut family, s(1)).unwrap().key, KEY);
    family.keys.insert(0, LATER_KEY);
    assert_eq!(shown(&mut family, s(2)).unwrap().key, LATER_KEY);
}

#[test]
fn a_handle_says_nothing_of_features_and_network_and_what_it_earns_says_it() {
    const OWN: Digest = Digest([7; 32]);
    let binding = Binding { key: None, features: Some(OWN) };
    let begun = Start { binding, ip: Some("203.0.113.7".into()), ..start(1) };
    let home = Network::of("203.0.113.1".parse().unwrap());
    for (mode, enforced) in [(BindingMode::Enforce, true), (BindingMode::Report, false)] {
        let policy = ClientPolicy { binding: all(mode), ..ClientPolicy::default() };
        let mut family = Family::with(&begun, &policy);
        let grant = shown(&mut family, s(1)).unwrap();
        assert_eq!(grant.features, Some(Bound { to: OWN, enforced }));
        assert_eq!(grant.network, Some(Bound { to: home, enforced }));
        assert!(family.events.is_empty());
    }
}

#[test]
fn whoever_only_wants_to_know_changes_nothing() {
    let mut family = sliding();
    let handle = own_handle(&family);
    let knows = |family: &Family, at| family.loaded.knows(&handle, &family.policy, at);
    assert_eq!(knows(&family, s(HOUR + 60)), Ok(()));
    assert_eq!(knows(&family, s(2 * HOUR)), Err(Denial::Ended(Reason::Idle)));
    assert!(family.kick(Reason::Kicked, s(5)));
    assert_eq!(knows(&family, s(6)), Err(Denial::Ended(Reason::Kicked)));
}

#[test]
fn what_was_earned_is_the_same_until_the_instant_that_is_told_and_nothing_is_written_before() {
    let mut family = sliding();
    let mut told = 0;
    let mut at = s(0);
    while at < s(4 * HOUR) {
        let grant = shown(&mut family, at).unwrap();
        let until = grant.session.same_until(&family.policy, at);
        assert!(at < until, "it says something of the future");
        let last = until.before(Duration::from_millis(1));
        let handle = own_handle(&family);
        let (again, written) = show(&mut family.clone(), &handle, last);
        assert_eq!((again.unwrap().issued_at, written), (grant.issued_at, false));
        let (next, written) = show(&mut family.clone(), &handle, until);
        assert!(next.unwrap().issued_at != grant.issued_at || written, "and then it is not");
        (told, at) = (told + 1, until);
    }
    assert!(4 * HOUR / 150 <= told, "{told}");
}
