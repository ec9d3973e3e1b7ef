//! Signing in, and signing out of many: DESIGN.md §4.3, §4.7.

use crate::common::{
    DAY, HOUR, KEY, LATER_KEY, client, commit, ms, nobody, s, secs, sid, sign_in, start,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::device::{Device, DeviceClass, Overflow};
use symbolon_core::epoch::Bump;
use symbolon_core::revocation::LEEWAY_MAX;
use symbolon_core::subject::Ban;
use symbolon_core::time::CLOCK_DRIFT_MAX;
use symbolon_core::{
    Act, ClientPolicy, Denial, Effect, Generation, LoadedSubject, Outcome, Policies, Reason,
    Standing, Start, StoreEpoch, Target, Terms, Timestamp, Ver, Which,
};

fn admin() -> Option<Arc<[Arc<str>]>> {
    Some(["admin".into()].into())
}

fn because(reason: Reason, at: Timestamp) -> Bump {
    nobody().bump(reason, &Act::authority(), at)
}

#[test]
fn a_sign_in_starts_a_session_as_it_was_asked_for() {
    let mut house = nobody();
    house.cutoffs = Arc::new(symbolon_core::Cutoffs { epoch: StoreEpoch(3), ..Default::default() });
    let asked = Start {
        authenticated_at: Some(ms(4_500)),
        claims: "{\"a\":1}".into(),
        acr: Some("high".into()),
        ..start(1)
    };
    let (reply, events) = sign_in(&mut house, &asked, &ClientPolicy::default(), ms(9_900));
    let grant = reply.unwrap().grant;
    let session = &grant.session;
    assert_eq!((session.generation, grant.outcome), (Generation(0), Outcome::Started));
    assert_eq!((grant.issued_at, grant.expires_at, grant.key), (s(9), s(309), KEY));
    assert_eq!((session.created_at, session.last_used_at), (ms(9_900), ms(9_900)));
    assert_eq!(session.authenticated_at, s(4), "whole seconds");
    assert_eq!(session.expires_at, s(90 * DAY + 9), "whole seconds, rounded down");
    assert_eq!(session.tokens_live_until, s(309));
    assert_eq!(session.born, Ver { store: StoreEpoch(3), ..Ver::default() });
    assert_eq!((session.rotation.epoch, session.rotation.key), (StoreEpoch(3), KEY));
    assert_eq!(events, []);
    assert!(house.sessions[0] == *session, "what was granted is what is kept");
}

#[test]
fn nobody_was_authenticated_in_the_future() {
    for asked in [None, Some(s(HOUR))] {
        let asked = Start { authenticated_at: asked, ..start(1) };
        let (reply, _) = sign_in(&mut nobody(), &asked, &ClientPolicy::default(), s(9));
        assert_eq!(reply.unwrap().grant.session.authenticated_at, s(9));
    }
}

#[test]
fn a_disabled_client_signs_nobody_in() {
    let mut house = nobody();
    let cutoffs = Arc::make_mut(&mut house.cutoffs);
    cutoffs.set_client_disabled(&client("web"), true, &because(Reason::ClientDisabled, s(1)));
    let (reply, _) = sign_in(&mut house, &start(1), &ClientPolicy::default(), s(2));
    assert_eq!(reply.map(|_| ()), Err(Denial::ClientDisabled));
    assert!(house.sessions.is_empty());
}

#[test]
fn a_banned_subject_is_told_until_when() {
    let mut house = nobody();
    house.subject.ban =
        Some(Ban { since: s(1), until: Some(s(60)), reason: Reason::Banned, note: None });
    let (reply, _) = sign_in(&mut house, &start(1), &ClientPolicy::default(), s(59));
    assert_eq!(reply.map(|_| ()), Err(Denial::Banned(Some(s(60)))));
    assert_eq!(Denial::Banned(None).reason(), Some(Reason::Banned));
    let (reply, _) = sign_in(&mut house, &start(1), &ClientPolicy::default(), s(60));
    assert!(reply.is_ok());
}

#[test]
fn other_roles_at_sign_in_are_a_stale_bump_that_ends_nobody() {
    let (mut house, policy) = (nobody(), ClientPolicy::default());
    sign_in(&mut house, &start(1), &policy, s(0)).0.unwrap();
    let (reply, events) = sign_in(&mut house, &Start { roles: admin(), ..start(2) }, &policy, s(9));
    let grant = reply.unwrap().grant;
    assert_eq!(events.len(), 1);
    let (event, bound) = (&events[0], house.subject.epochs.stale.unwrap());
    assert_eq!((event.effect, event.reason), (Effect::Stale, Reason::PermissionsChanged));
    assert_eq!(event.target, Target::Subject(house.subject.subject.clone(), bound.below));
    assert_eq!(house.sessions.len(), 2);
    assert_eq!(house.sessions[0].born.subject, 0);
    assert_eq!((grant.ver.subject, grant.session.born.subject), (1, 1), "born after the bump");
    assert_eq!(Some(grant.roles), admin());
}

#[test]
fn equal_roles_or_none_at_sign_in_bump_nothing() {
    let (mut house, policy) = (nobody(), ClientPolicy::default());
    sign_in(&mut house, &Start { roles: admin(), ..start(1) }, &policy, s(0)).0.unwrap();
    for (n, roles) in [(2, admin()), (3, None)] {
        let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY] };
        let asked = Start { roles, ..start(n) };
        let decision = house.clone().sign_in(&asked, &terms, &Act::authority(), s(9));
        assert!(decision.subject.is_none() && decision.events.is_empty());
        assert_eq!(Some(decision.reply.unwrap().grant.roles), admin(), "those stored stand");
    }
}

#[test]
fn a_stale_bump_is_remembered_as_long_as_any_token_of_the_subject_can_live() {
    let (mut house, mut policy) = (nobody(), ClientPolicy::default());
    policy.access_ttl = secs(HOUR);
    sign_in(&mut house, &start(1), &policy, s(0)).0.unwrap();
    policy.access_ttl = secs(60);
    sign_in(&mut house, &start(2), &policy, s(0)).0.unwrap();
    let bump = house.bump(Reason::PermissionsChanged, &Act::authority(), s(9));
    let longest = s(9 + HOUR).after(CLOCK_DRIFT_MAX * 2).after(LEEWAY_MAX);
    assert_eq!((bump.tokens_live_until, bump.at, bump.epoch), (longest, s(9), StoreEpoch(0)));
    assert_eq!(because(Reason::Admin, s(9)).tokens_live_until, s(9).after(LEEWAY_MAX));
}

#[test]
fn a_sign_in_displaces_before_it_bumps_and_tells_both_in_one_commit() {
    let (mut house, mut policy) = (nobody(), ClientPolicy::default());
    policy.devices.per_subject = 1;
    sign_in(&mut house, &start(1), &policy, s(100)).0.unwrap();
    let asked = Start { roles: admin(), ..start(2) };
    let (reply, events) = sign_in(&mut house, &asked, &policy, s(40));
    assert_eq!(reply.unwrap().displaced, [(sid(1), Reason::Displaced)]);
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].target, Target::Session(sid(1)));
    assert_eq!(events[0].at, s(100), "never before the session's last instant");
    assert_eq!(events[1].effect, Effect::Stale);
    assert_eq!(house.sessions.len(), 1);
}

#[test]
fn a_refused_sign_in_changes_no_roles() {
    let (mut house, mut policy) = (nobody(), ClientPolicy::default());
    (policy.devices.per_subject, policy.devices.overflow) = (1, Overflow::Refuse);
    sign_in(&mut house, &start(1), &policy, s(0)).0.unwrap();
    let (reply, events) = sign_in(&mut house, &Start { roles: admin(), ..start(2) }, &policy, s(1));
    assert!(reply.is_err() && events.is_empty() && house.subject.roles.is_empty());
}

#[test]
fn the_same_request_racing_with_itself_starts_one_session_and_displaces_nobody() {
    let (mut house, mut policy) = (nobody(), ClientPolicy::default());
    policy.devices.per_subject = 1;
    let asked = Start { roles: admin(), ..start(1) };
    let first = sign_in(&mut house, &asked, &policy, s(0)).0.unwrap().grant;
    let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY] };
    let again = house.clone().sign_in(&asked, &terms, &Act::authority(), s(1));
    assert!(again.created.is_none() && again.changed.is_empty() && again.events.is_empty());
    let again = again.reply.unwrap();
    assert!(again.displaced.is_empty() && again.grant.session == first.session);
    assert_eq!((again.grant.outcome, again.grant.issued_at), (Outcome::Repeated, s(0)));
}

// Signing out of many.

/// 1: web. 2: app on device `a`. 3: app of another client on device `a`. 4: web.
fn four() -> LoadedSubject {
    let (mut house, policy) = (nobody(), ClientPolicy::default());
    let phone = Device { class: DeviceClass::App, id: Some("a".into()), name: None };
    let on_phone = Start { device: phone, ..start(2) };
    let other = Start { client: client("app"), sid: sid(3), ..on_phone.clone() };
    for asked in [start(1), on_phone, other, start(4)] {
        sign_in(&mut house, &asked, &policy, s(0)).0.unwrap();
    }
    house
}

fn end(house: &mut LoadedSubject, which: &Which, policies: &Policies, at: Timestamp) -> Vec<u8> {
    let act = Act::authority();
    let decision = house.clone().end_sessions(which, (Reason::SignedOut, &act), policies, at);
    assert!(decision.created.is_none() && decision.subject.is_none(), "never a bump");
    assert_eq!(decision.events.len(), decision.reply.len());
    for (event, gone) in decision.events.iter().zip(&decision.reply) {
        let (sid, reason) = (&gone.sid, &gone.reason);
        assert_eq!(event.target, Target::Session(*sid));
        assert_eq!(
            (event.effect, event.reason, *reason),
            (Effect::Revoked, *reason, Reason::SignedOut)
        );
    }
    commit(house, &decision);
    decision.reply.iter().map(|gone| gone.sid.as_bytes()[0]).collect()
}

#[test]
fn every_condition_of_a_sign_out_ends_exactly_the_sessions_it_means() {
    let all = Which::default;
    for (which, meant) in [
        (all(), vec![1, 2, 3, 4]),
        (Which { only: Some(sid(2)), ..all() }, vec![2]),
        (Which { except: Some(sid(2)), ..all() }, vec![1, 3, 4]),
        (Which { class: Some(DeviceClass::App), ..all() }, vec![2, 3]),
        (Which { device_id: Some("a".into()), ..all() }, vec![2, 3]),
        (Which { device_id: Some("b".into()), ..all() }, vec![]),
        (Which { client: Some(client("app")), ..all() }, vec![3]),
        (Which { class: Some(DeviceClass::App), client: Some(client("web")), ..all() }, vec![2]),
        (Which { except: Some(sid(3)), device_id: Some("a".into()), ..all() }, vec![2]),
    ] {
        let mut house = four();
        assert_eq!(end(&mut house, &which, &Policies::default(), s(1)), meant, "{which:?}");
        let left: Vec<u8> = house.sessions.iter().map(|one| one.sid.as_bytes()[0]).collect();
        let expected: Vec<u8> = (1..=4).filter(|n| !meant.contains(n)).collect();
        assert_eq!(left, expected, "{which:?}");
        let policy = ClientPolicy::default();
        for session in &house.sessions {
            let standing = session.standing(&house.subject, &house.cutoffs, &policy, s(1));
            assert_eq!(standing, Standing::Active, "not even stale: {which:?}");
        }
    }
}

#[test]
fn a_sign_out_of_many_answers_only_those_that_it_ended() {
    let mut house = four();
    let mut policies = Policies::default();
    let brief = ClientPolicy { idle: secs(60), ..ClientPolicy::default() };
    policies.0.insert(client("app"), brief);
    let act = Act::authority();
    let decision =
        house.clone().end_sessions(&Which::default(), (Reason::Kicked, &act), &policies, s(61));
    let ended: Vec<u8> = decision.reply.iter().map(|gone| gone.sid.as_bytes()[0]).collect();
    assert_eq!(ended, [1, 2, 4], "3 was over by its own client's rules");
    assert_eq!(decision.changed.len(), 4);
    let reasons: Vec<_> = decision.events.iter().map(|event| event.reason).collect();
    assert_eq!(reasons, [Reason::Kicked, Reason::Kicked, Reason::Idle, Reason::Kicked]);
    commit(&mut house, &decision);
    assert_eq!(end(&mut house, &Which::default(), &policies, s(62)), [0; 0]);
}

#[test]
fn a_client_that_left_the_configuration_keeps_the_defaults() {
    let policies = Policies(BTreeMap::new());
    assert_eq!(policies.of(&client("gone")), ClientPolicy::default());
    let defaults = ClientPolicy::default();
    assert_eq!((defaults.access_ttl, defaults.grace), (secs(300), secs(10)));
    assert_eq!((defaults.idle, defaults.absolute), (secs(14 * DAY), secs(90 * DAY)));
    assert_eq!(defaults.devices.per_subject, 10);
}

#[test]
fn a_first_grant_is_signed_by_the_current_key() {
    let policy = ClientPolicy::default();
    let terms = Terms { policy: &policy, key: LATER_KEY, keys_usable: &[LATER_KEY, KEY] };
    let decision = nobody().sign_in(&start(1), &terms, &Act::authority(), s(0));
    assert_eq!(decision.reply.unwrap().grant.key, LATER_KEY);
}
