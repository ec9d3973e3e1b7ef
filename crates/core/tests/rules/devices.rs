//! Device limits at sign-in: DESIGN.md §4.7.

use crate::common::{HOUR, client, commit, nobody, s, sid, sign_in, start};
use std::collections::BTreeMap;
use symbolon_core::device::{Device, DeviceClass, DeviceLimits, DevicePolicy, Overflow};
use symbolon_core::{
    Act, Change, ClientPolicy, Denial, LoadedSubject, Reason, Session, SessionState, Start, Target,
    Timestamp,
};

fn limited(per_subject: u16, overflow: Overflow) -> ClientPolicy {
    let devices = DevicePolicy { per_subject, per_class: BTreeMap::new(), overflow };
    ClientPolicy { devices, ..ClientPolicy::default() }
}

fn on(n: u8, class: DeviceClass, id: Option<&str>) -> Start {
    Start { device: Device { class, id: id.map(Into::into), name: None }, ..start(n) }
}

/// Whom the sign-in displaces, in order.
fn displaces(house: &mut LoadedSubject, start: &Start, policy: &ClientPolicy, at: u64) -> Vec<u8> {
    let (reply, events) = sign_in(house, start, policy, s(at));
    let displaced = reply.unwrap().displaced;
    assert!(displaced.iter().all(|(_, reason)| *reason == Reason::Displaced));
    let mut told: Vec<_> = events.iter().map(|event| event.target.clone()).collect();
    let mut gone: Vec<_> = displaced.iter().map(|(sid, _)| Target::Session(*sid)).collect();
    let by_text = |target: &Target| format!("{target:?}");
    told.sort_by_key(by_text);
    gone.sort_by_key(by_text);
    assert_eq!(told, gone, "one event for each");
    displaced.iter().map(|(sid, _)| sid.as_bytes()[0]).collect()
}

fn alive(house: &LoadedSubject) -> Vec<u8> {
    let mut alive: Vec<_> = house.sessions.iter().map(|one| one.sid.as_bytes()[0]).collect();
    alive.sort_unstable();
    alive
}

fn used_at(house: &mut LoadedSubject, n: u8, at: Timestamp) {
    for session in house.sessions.iter_mut().filter(|session| session.sid == sid(n)) {
        let mut state = SessionState::clone(session);
        state.last_used_at = at;
        *session = Session::restore(state);
    }
}

#[test]
fn sessions_up_to_the_limit_coexist() {
    let (mut house, policy) = (nobody(), limited(3, Overflow::EvictIdle));
    for n in 1..=3 {
        assert_eq!(displaces(&mut house, &start(n), &policy, u64::from(n)), [0; 0]);
    }
    assert_eq!(alive(&house), [1, 2, 3]);
}

#[test]
fn the_session_unused_for_longest_leaves_under_evict_idle() {
    let (mut house, policy) = (nobody(), limited(2, Overflow::EvictIdle));
    displaces(&mut house, &start(1), &policy, 1);
    displaces(&mut house, &start(2), &policy, 2);
    used_at(&mut house, 1, s(50));
    assert_eq!(displaces(&mut house, &start(3), &policy, 60), [2]);
    assert_eq!(alive(&house), [1, 3]);
}

#[test]
fn the_session_signed_in_first_leaves_under_evict_oldest() {
    let (mut house, policy) = (nobody(), limited(2, Overflow::EvictOldest));
    displaces(&mut house, &start(2), &policy, 1);
    displaces(&mut house, &start(1), &policy, 2);
    used_at(&mut house, 2, s(50));
    assert_eq!(displaces(&mut house, &start(3), &policy, 60), [2]);
}

#[test]
fn of_equal_sessions_the_same_one_always_leaves() {
    for overflow in [Overflow::EvictIdle, Overflow::EvictOldest] {
        let (mut house, policy) = (nobody(), limited(2, overflow));
        displaces(&mut house, &start(9), &policy, 1);
        displaces(&mut house, &start(4), &policy, 1);
        assert_eq!(displaces(&mut house, &start(5), &policy, 1), [4]);
    }
}

#[test]
fn the_newcomer_is_refused_under_refuse_and_nothing_changes() {
    let (mut house, policy) = (nobody(), limited(1, Overflow::Refuse));
    displaces(&mut house, &start(1), &policy, 1);
    let (reply, events) = sign_in(&mut house, &start(2), &policy, s(2));
    assert_eq!(reply.map(|_| ()), Err(Denial::DeviceLimit));
    assert_eq!((events.len(), alive(&house)), (0, vec![1]));
}

#[test]
fn a_session_that_is_over_makes_room_before_it_is_written_down() {
    let (mut house, policy) = (nobody(), limited(1, Overflow::Refuse));
    displaces(&mut house, &start(1), &policy, 1);
    let after_idle = 15 * 24 * HOUR;
    assert_eq!(displaces(&mut house, &start(2), &policy, after_idle), [0; 0]);
}

#[test]
fn a_clock_that_stepped_back_counts_a_session_as_its_last_instant_says() {
    let mut policy = limited(1, Overflow::Refuse);
    let mut house = nobody();
    displaces(&mut house, &start(1), &policy, 100);
    policy.absolute = symbolon_core::Duration::from_secs(0);
    assert_eq!(displaces(&mut house, &start(2), &policy, 50), [0; 0]);
}

#[test]
fn a_limit_lowered_below_what_is_there_makes_all_the_surplus_leave() {
    let mut house = nobody();
    for n in 1..=5 {
        displaces(&mut house, &start(n), &limited(9, Overflow::EvictIdle), u64::from(n));
    }
    let gone = displaces(&mut house, &start(6), &limited(2, Overflow::EvictIdle), 9);
    assert_eq!((gone, alive(&house)), (vec![1, 2, 3, 4], vec![5, 6]));
}

#[test]
fn a_class_limit_counts_its_own_class_alone_and_comes_before_the_limit_of_all() {
    let (mut house, mut policy) = (nobody(), limited(3, Overflow::EvictIdle));
    policy.devices.per_class.insert(DeviceClass::Web, 1);
    displaces(&mut house, &on(1, DeviceClass::App, None), &policy, 1);
    displaces(&mut house, &on(2, DeviceClass::Web, None), &policy, 2);
    displaces(&mut house, &on(3, DeviceClass::App, None), &policy, 3);
    // Both limits are reached: who leaves for the class makes room for both.
    assert_eq!(displaces(&mut house, &on(4, DeviceClass::Web, None), &policy, 4), [2]);
    assert_eq!(displaces(&mut house, &on(5, DeviceClass::App, None), &policy, 5), [1]);
}

#[test]
fn a_class_limit_refuses_too() {
    let (mut house, mut policy) = (nobody(), limited(9, Overflow::Refuse));
    policy.devices.per_class.insert(DeviceClass::Web, 1);
    displaces(&mut house, &on(1, DeviceClass::Web, None), &policy, 1);
    displaces(&mut house, &on(2, DeviceClass::App, None), &policy, 2);
    let (reply, _) = sign_in(&mut house, &on(3, DeviceClass::Web, None), &policy, s(3));
    assert_eq!(reply.map(|_| ()), Err(Denial::DeviceLimit));
}

#[test]
fn the_same_device_replaces_its_old_session_under_every_rule() {
    for overflow in [Overflow::EvictIdle, Overflow::EvictOldest, Overflow::Refuse] {
        let (mut house, policy) = (nobody(), limited(2, overflow));
        displaces(&mut house, &on(1, DeviceClass::App, Some("a")), &policy, 1);
        displaces(&mut house, &on(2, DeviceClass::App, Some("b")), &policy, 2);
        assert_eq!(displaces(&mut house, &on(3, DeviceClass::App, Some("b")), &policy, 3), [2]);
        assert_eq!(alive(&house), [1, 3]);
    }
}

#[test]
fn who_leaves_as_the_same_device_is_not_counted_twice_when_more_must_leave() {
    let mut house = nobody();
    for (n, id) in [(1, "a"), (2, "b"), (3, "c")] {
        let phone = on(n, DeviceClass::App, Some(id));
        displaces(&mut house, &phone, &limited(9, Overflow::EvictIdle), u64::from(n));
    }
    let again = on(4, DeviceClass::App, Some("b"));
    let gone = displaces(&mut house, &again, &limited(2, Overflow::EvictIdle), 9);
    assert_eq!((gone, alive(&house)), (vec![2, 1], vec![3, 4]));
}

#[test]
fn sessions_without_a_device_id_are_not_the_same_device() {
    let (mut house, policy) = (nobody(), limited(9, Overflow::EvictIdle));
    displaces(&mut house, &start(1), &policy, 1);
    assert_eq!(displaces(&mut house, &start(2), &policy, 2), [0; 0]);
}

#[test]
fn another_clients_sessions_neither_count_nor_leave() {
    let (mut house, policy) = (nobody(), limited(1, Overflow::EvictIdle));
    let app = Start { client: client("app"), ..on(1, DeviceClass::App, Some("a")) };
    displaces(&mut house, &app, &policy, 1);
    assert_eq!(displaces(&mut house, &on(2, DeviceClass::App, Some("a")), &policy, 2), [0; 0]);
    assert_eq!(alive(&house), [1, 2]);
}

#[test]
fn many_sign_ins_in_any_order_never_exceed_the_limits() {
    let (mut house, mut policy) = (nobody(), limited(4, Overflow::EvictIdle));
    policy.devices.per_class.insert(DeviceClass::Web, 2);
    for n in 1..=64 {
        let class = DeviceClass::ALL[usize::from(n) * 5 % 7];
        displaces(&mut house, &on(n, class, None), &policy, u64::from(n) * 7 % 13);
        let web = house.sessions.iter().filter(|one| one.device.class == DeviceClass::Web);
        assert!(web.count() <= 2 && house.sessions.len() <= 4);
        assert!(alive(&house).contains(&n), "the newcomer is in");
    }
}

#[test]
fn every_class_is_read_back_from_its_word() {
    for class in DeviceClass::ALL {
        assert_eq!(DeviceClass::parse(class.as_str()), Some(class));
    }
    assert_eq!(DeviceClass::parse("toaster"), None);
}

#[test]
fn what_is_said_of_a_subject_goes_before_its_clients_settings_and_the_rest_stays() {
    let mut policy = limited(3, Overflow::EvictIdle).devices;
    policy.per_class = [(DeviceClass::Web, 2), (DeviceClass::App, 1)].into();
    let limits = |per_subject, per_class: &[(DeviceClass, u16)], overflow| DeviceLimits {
        per_subject,
        per_class: per_class.iter().copied().collect(),
        overflow,
    };
    assert_eq!(policy.under(&DeviceLimits::default()), policy);
    let all = policy.under(&limits(Some(9), &[(DeviceClass::Web, 5)], Some(Overflow::Refuse)));
    assert_eq!((all.per_subject, all.overflow), (9, Overflow::Refuse));
    assert_eq!(all.per_class, [(DeviceClass::Web, 5), (DeviceClass::App, 1)].into());
}

#[test]
fn a_limited_subject_makes_room_at_its_next_sign_in_and_not_before() {
    let (mut house, policy) = (nobody(), limited(3, Overflow::EvictIdle));
    for n in 1..=3 {
        displaces(&mut house, &start(n), &policy, u64::from(n));
    }
    let one = DeviceLimits { per_subject: Some(1), ..DeviceLimits::default() };
    let decision = house.clone().limit_devices(&one, &Act::authority(), s(10));
    assert!(decision.reply.changed && decision.changed.is_empty(), "nobody leaves now");
    let told = &decision.events[0].target;
    assert_eq!(told, &Target::Nothing(Change::DevicesLimited(house.subject.subject.clone())));
    commit(&mut house, &decision);
    assert_eq!(displaces(&mut house, &start(4), &policy, 11), [1, 2, 3]);
    let again = house.clone().limit_devices(&one, &Act::authority(), s(12));
    assert!(!again.reply.changed && again.events.is_empty());
}
