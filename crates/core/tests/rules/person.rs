//! What is done to a subject as a whole: profile, ban, erasure. DESIGN.md §4.3.

use crate::common::{DAY, DEVICE_KEY, commit, nobody, s, secs, sid, sign_in, start, subject};
use symbolon_core::binding::Binding;
use symbolon_core::device::{Device, DeviceClass};
use symbolon_core::person::{Ended, Profile, Replaced};
use symbolon_core::revocation::{Actor, Below, Whose};
use symbolon_core::subject::Ban;
use symbolon_core::{
    Act, Change, ClientPolicy, Denial, Effect, Event, LoadedSubject, Policies, Reason, Session,
    SessionId, Standing, Start, StoreEpoch, Target, Timestamp,
};

fn act() -> Act {
    Act { actor: Actor::ApiKey("ops".into()), ..Act::authority() }
}

fn house(sessions: u8) -> LoadedSubject {
    let mut house = nobody();
    for n in 1..=sessions {
        sign_in(&mut house, &start(n), &ClientPolicy::default(), s(0)).0.unwrap();
    }
    house
}

fn profile(role: &str) -> Profile {
    Profile { roles: [role.into()].into(), claims: "{\"a\":1}".into() }
}

fn version(counter: u64) -> Below {
    Below { epoch: StoreEpoch(0), counter }
}

fn a_ban(reason: Reason, until: Option<Timestamp>) -> Ban {
    Ban { since: s(5), until, reason, note: Some("spam".into()) }
}

fn ban(house: &mut LoadedSubject, ban: Ban, at: Timestamp) -> (Ended, Vec<Event>) {
    let decision = house.clone().ban(ban, &act(), &Policies::default(), at);
    commit(house, &decision);
    (decision.reply, decision.events)
}

fn erase(house: &mut LoadedSubject, at: Timestamp) -> (Ended, Vec<Event>) {
    let decision = house.clone().erase((Reason::Admin, &act()), &Policies::default(), at);
    commit(house, &decision);
    (decision.reply, decision.events)
}

fn standing(house: &LoadedSubject, sid: SessionId, at: Timestamp) -> Standing {
    let session = all(house).find(|session| session.sid == sid).unwrap();
    session.standing(&house.subject, &house.cutoffs, &ClientPolicy::default(), at)
}

fn all(house: &LoadedSubject) -> impl Iterator<Item = &Session> {
    house.sessions.iter().chain(&house.ended)
}

fn why_over(house: &LoadedSubject, sid: SessionId, at: Timestamp) -> (Reason, Timestamp) {
    match standing(house, sid, at) {
        Standing::Active => panic!("it is alive"),
        Standing::Ended(end) | Standing::Over(end) => (end.reason, end.at),
    }
}

/// Which sessions ended, and why.
fn named(ended: &Ended) -> Vec<(SessionId, Reason)> {
    ended.iter().map(|gone| (gone.sid, gone.reason)).collect()
}

#[test]
fn a_new_profile_is_one_stale_bump_and_signs_nobody_out() {
    let mut house = house(2);
    let decision = house.clone().replace_profile(&profile("admin"), None, &act(), s(3));
    assert_eq!(decision.reply, Ok(Replaced { version: version(1), changed: true }));
    assert_eq!(decision.events.len(), 1);
    let event = &decision.events[0];
    assert_eq!((event.effect, event.reason), (Effect::Stale, Reason::PermissionsChanged));
    assert_eq!(
        (event.target.clone(), &event.act),
        (Target::Subject(subject(), version(1)), &act())
    );
    commit(&mut house, &decision);
    assert_eq!(house.count_active(&Policies::default(), s(4)), 2);
    assert_eq!((&*house.subject.roles[0], &*house.subject.claims), ("admin", "{\"a\":1}"));
    let again = house.replace_profile(&profile("admin"), None, &act(), s(5));
    assert_eq!(again.reply, Ok(Replaced { version: version(1), changed: false }));
    assert!(again.subject.is_none() && again.events.is_empty());
}

#[test]
fn a_profile_is_replaced_only_at_a_version_that_was_expected() {
    let mut house = house(0);
    let old = profile("old");
    let decision = house.clone().replace_profile(&old, Some(&[version(0)]), &act(), s(1));
    commit(&mut house, &decision);
    for (expected, met) in [
        (&[version(0)][..], false),
        (&[], false),
        (&[version(2), Below { epoch: StoreEpoch(1), counter: 1 }], false),
        (&[version(0), version(1)], true),
    ] {
        let new = house.clone().replace_profile(&profile("new"), Some(expected), &act(), s(2));
        assert_eq!(new.reply.is_ok(), met, "{expected:?}");
        assert_eq!(new.subject.is_some(), met, "{expected:?}");
        assert_eq!(new.events.len(), usize::from(met));
        assert!(met || new.reply == Err(version(1)));
    }
}

#[test]
fn a_ban_ends_every_session_by_one_event_and_keeps_who_comes_out() {
    let mut house = house(2);
    let (ended, events) = ban(&mut house, a_ban(Reason::Admin, None), s(5));
    assert_eq!(named(&ended), [(sid(1), Reason::Admin), (sid(2), Reason::Admin)]);
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].effect, events[0].reason), (Effect::Revoked, Reason::Admin));
    assert_eq!(why_over(&house, sid(1), s(6)), (Reason::Admin, s(5)));
    assert_eq!(house.count_active(&Policies::default(), s(6)), 0);
    let refused = sign_in(&mut house, &start(3), &ClientPolicy::default(), s(7)).0;
    assert_eq!(refused.unwrap_err(), Denial::Banned(None));
}

#[test]
fn a_ban_that_says_the_same_changes_nothing_and_one_that_differs_counts() {
    let mut house = house(1);
    let first = a_ban(Reason::Banned, Some(s(60)));
    ban(&mut house, first.clone(), s(5));
    let later = Ban { since: s(8), ..first.clone() };
    let again = house.clone().ban(later.clone(), &act(), &Policies::default(), s(8));
    assert!(again.subject.is_none() && again.events.is_empty() && again.reply.is_empty());
    for other in [
        Ban { until: None, ..later.clone() },
        Ban { reason: Reason::Admin, ..later.clone() },
        Ban { note: None, ..later.clone() },
    ] {
        let decision = house.clone().ban(other.clone(), &act(), &Policies::default(), s(8));
        assert_eq!(decision.subject.and_then(|state| state.ban), Some(other));
        assert_eq!((decision.events.len(), decision.reply.len()), (1, 0));
    }
    let over = house.ban(Ban { since: s(60), ..first }, &act(), &Policies::default(), s(60));
    assert_eq!(over.events.len(), 1, "the first one was over");
}

#[test]
fn a_later_bound_does_not_rewrite_why_a_session_ended() {
    let mut house = house(1);
    ban(&mut house, a_ban(Reason::Banned, Some(s(60))), s(5));
    sign_in(&mut house, &start(2), &ClientPolicy::default(), s(61)).0.unwrap();
    let (ended, events) = ban(&mut house, a_ban(Reason::Admin, None), s(70));
    assert_eq!(named(&ended), [(sid(2), Reason::Admin)]);
    assert_eq!(events.len(), 1, "the first end was told by its own bound");
    assert_eq!(why_over(&house, sid(1), s(71)), (Reason::Banned, s(5)));
    assert_eq!(why_over(&house, sid(2), s(71)), (Reason::Admin, s(70)));
}

#[test]
fn a_timeout_before_a_ban_is_told_as_a_timeout() {
    let mut house = house(1);
    let (ended, events) = ban(&mut house, a_ban(Reason::Banned, None), s(20 * DAY));
    assert!(ended.is_empty());
    let reasons: Vec<_> = events.iter().map(|event| event.reason).collect();
    assert_eq!(reasons, [Reason::Idle, Reason::Banned]);
    assert_eq!(why_over(&house, sid(1), s(21 * DAY)).0, Reason::Idle);
}

#[test]
fn lifting_a_ban_revives_nothing_and_lets_sign_in_again() {
    let mut house = house(1);
    ban(&mut house, a_ban(Reason::Banned, None), s(5));
    let lifted = house.clone().unban((Reason::Banned, &act()), s(6));
    assert_eq!(lifted.reply, Replaced { version: version(1), changed: true });
    let [event] = &*lifted.events else { panic!("{:?}", lifted.events) };
    assert_eq!(
        (&event.target, &event.act),
        (&Target::Nothing(Change::BanLifted(subject())), &act())
    );
    assert_eq!((event.subject(), event.expires_at), (Some(&subject()), s(6)));
    commit(&mut house, &lifted);
    assert_eq!(why_over(&house, sid(1), s(6)), (Reason::Banned, s(5)));
    sign_in(&mut house, &start(2), &ClientPolicy::default(), s(7)).0.unwrap();
    assert_eq!(standing(&house, sid(2), s(8)), Standing::Active);
    let again = house.unban((Reason::Banned, &act()), s(9));
    assert!(!again.reply.changed && again.subject.is_none() && again.events.is_empty());
}

/// A session of which everything that can be personal is known.
fn telling(n: u8) -> Start {
    Start {
        device: Device {
            class: DeviceClass::App,
            id: Some("imei".into()),
            name: Some("Ann's phone".into()),
        },
        claims: "{\"mail\":\"ann@example.com\"}".into(),
        binding: Binding { key: Some(DEVICE_KEY), features: Some(DEVICE_KEY) },
        ip: Some("192.0.2.7".into()),
        user_agent: Some("Mozilla".into()),
        started_by: Some(DEVICE_KEY),
        ..start(n)
    }
}

#[test]
fn erasing_ends_everything_and_forgets_the_person_but_not_the_counters() {
    let mut house = nobody();
    sign_in(&mut house, &telling(1), &ClientPolicy::default(), s(0)).0.unwrap();
    let gone = house.clone().end_sessions(
        &symbolon_core::Which::default(),
        (Reason::Kicked, &act()),
        &Policies::default(),
        s(1),
    );
    commit(&mut house, &gone);
    let other =
        Start { device: Device { id: Some("b".into()), ..telling(2).device }, ..telling(2) };
    sign_in(&mut house, &other, &ClientPolicy::default(), s(1)).0.unwrap();
    let roles = house.clone().replace_profile(&profile("admin"), None, &act(), s(2));
    commit(&mut house, &roles);
    let (ended, events) = erase(&mut house, s(3));
    assert_eq!(named(&ended), [(sid(2), Reason::Admin)]);
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].effect, &events[0].act), (Effect::Revoked, &act()));
    assert_eq!(house.version(), version(2));
    assert!(house.subject.roles.is_empty() && house.subject.claims.is_empty());
    assert_eq!((house.sessions.len(), house.ended.len()), (0, 2));
    for session in &house.ended {
        let end = session.end.as_ref().unwrap();
        assert_eq!(end.by, act().actor);
        assert_eq!((&session.device.id, &session.device.name), (&None, &None));
        assert_eq!((&session.ip, &session.user_agent, session.started_by), (&None, &None, None));
        assert_eq!((&*session.claims, session.binding), ("", Binding::default()));
    }
    assert_eq!(why_over(&house, sid(1), s(9)), (Reason::Kicked, s(1)), "its end stays as it was");
    let again = house.clone().erase((Reason::Admin, &act()), &Policies::default(), s(4));
    assert!(again.subject.is_none() && again.changed.is_empty() && again.events.is_empty());
    sign_in(&mut house, &start(3), &ClientPolicy::default(), s(5)).0.unwrap();
    assert_eq!(standing(&house, sid(3), s(6)), Standing::Active);
}

#[test]
fn erasing_forgets_the_note_of_a_ban_and_not_the_ban() {
    let mut house = house(0);
    ban(&mut house, a_ban(Reason::Banned, Some(s(60))), s(5));
    erase(&mut house, s(6));
    let ban = house.subject.banned(s(7)).unwrap();
    assert_eq!((ban.until, ban.reason, &ban.note), (Some(s(60)), Reason::Banned, &None));
}

#[test]
fn an_event_says_whose_session_it_hit_and_finds_what_a_bound_hit() {
    let mut house = house(1);
    let first = house.sessions[0].clone();
    let (_, events) = ban(&mut house, a_ban(Reason::Banned, Some(s(60))), s(5));
    assert!(events[0].hits(&first));
    assert_eq!((events[0].subject(), events[0].client()), (Some(&subject()), None));
    sign_in(&mut house, &start(2), &ClientPolicy::default(), s(61)).0.unwrap();
    let second = house.sessions.iter().find(|session| session.sid == sid(2)).unwrap().clone();
    assert!(!events[0].hits(&second), "born after the bound");
    let (_, later) = ban(&mut house, a_ban(Reason::Admin, None), s(70));
    let settled = house.ended.iter().find(|session| session.sid == sid(1)).unwrap();
    assert!(events[0].hits(settled) && !later[0].hits(settled), "it had ended before");
    let which = symbolon_core::Which::default();
    let own = nobody_with(&second);
    let kicked = own.end_sessions(&which, (Reason::Kicked, &act()), &Policies::default(), s(62));
    let whose = Whose { subject: subject(), client: second.client.clone() };
    assert_eq!(kicked.events[0].whose, Some(whose));
    assert_eq!(kicked.events[0].client(), Some(&second.client));
    assert!(kicked.events[0].hits(&second) && !kicked.events[0].hits(&first));
}

fn nobody_with(session: &Session) -> LoadedSubject {
    LoadedSubject { sessions: vec![session.clone()], ..nobody() }
}

#[test]
fn a_timed_ban_lets_in_again_at_its_end() {
    let mut house = house(0);
    let until = s(5).after(secs(55));
    ban(&mut house, a_ban(Reason::Banned, Some(until)), s(5));
    let policy = ClientPolicy::default();
    assert_eq!(
        sign_in(&mut house, &start(1), &policy, s(59)).0.unwrap_err(),
        Denial::Banned(Some(until))
    );
    sign_in(&mut house, &start(1), &policy, s(60)).0.unwrap();
}

fn revoke(house: &mut LoadedSubject, at_most: usize, at: Timestamp) -> Result<Ended, usize> {
    let decision =
        house.clone().revoke((Reason::Kicked, &act()), at_most, &Policies::default(), at);
    commit(house, &decision);
    decision.reply
}

#[test]
fn a_revocation_of_a_subject_ends_all_its_sessions_by_one_bound() {
    let mut house = house(3);
    let before = house.version();
    let decision = house.clone().revoke((Reason::Kicked, &act()), 3, &Policies::default(), s(9));
    assert_eq!(decision.events.len(), 1);
    assert_eq!(decision.events[0].effect, Effect::Revoked);
    commit(&mut house, &decision);
    assert_eq!(decision.reply.unwrap().len(), 3);
    assert!(before < house.version());
    for n in 1..=3 {
        assert_eq!(why_over(&house, sid(n), s(10)), (Reason::Kicked, s(9)));
    }
    sign_in(&mut house, &start(4), &ClientPolicy::default(), s(11)).0.unwrap();
    assert_eq!(standing(&house, sid(4), s(12)), Standing::Active, "who signs in again may");
}

#[test]
fn a_revocation_that_would_hit_more_than_expected_does_nothing() {
    let mut house = house(3);
    let before = house.clone();
    assert_eq!(revoke(&mut house, 2, s(9)), Err(3));
    assert_eq!((house.version(), house.sessions.len()), (before.version(), 3));
    let renewal = house.clone().require_renewal(
        (Reason::PermissionsChanged, &act()),
        2,
        &Policies::default(),
        s(9),
    );
    assert_eq!((renewal.reply.map(|hit| hit.len()), renewal.events.len()), (Err(3), 0));
}

#[test]
fn a_revocation_of_nobody_bumps_nothing() {
    let mut house = house(1);
    assert_eq!(revoke(&mut house, 9, s(9)).unwrap().len(), 1);
    let version = house.version();
    assert_eq!(revoke(&mut house, 9, s(10)).unwrap(), []);
    assert_eq!(house.version(), version);
}

#[test]
fn a_renewal_that_is_required_signs_nobody_out() {
    let mut house = house(2);
    let reason = (Reason::PermissionsChanged, &act());
    let decision = house.clone().require_renewal(reason, 2, &Policies::default(), s(9));
    commit(&mut house, &decision);
    let hit: Vec<_> = decision.reply.unwrap().iter().map(|own| own.sid).collect();
    assert_eq!(hit, [sid(1), sid(2)]);
    assert_eq!(decision.events.len(), 1);
    assert_eq!(decision.events[0].effect, Effect::Stale);
    for n in 1..=2 {
        assert_eq!(standing(&house, sid(n), s(10)), Standing::Active);
    }
    let bound = house.subject.epochs.stale.unwrap();
    assert_eq!((bound.reason, bound.at), (Reason::PermissionsChanged, s(9)));
}
