//! Scheduled expiry: when it is due, and whom it hits.

use crate::common::{DAY, Family, HOUR, client, s, secs};
use symbolon_core::device::DeviceClass;
use symbolon_core::schedule::{Schedule, Weekday, When};
use symbolon_core::{Actor, Duration, Reason, Timestamp};

/// 2024-01-01 was a Monday.
const MONDAY: u64 = 1_704_067_200;

fn at(days: u64, hours: u64, minutes: u64) -> Timestamp {
    Timestamp::from_seconds(MONDAY + days * DAY + hours * HOUR + minutes * 60)
}

fn time(hours: u64, minutes: u64) -> Duration {
    secs(hours * HOUR + minutes * 60)
}

fn everybody(name: &str) -> Schedule {
    Schedule {
        name: name.into(),
        when: When::Every(secs(HOUR)),
        clients: Vec::new(),
        device_classes: Vec::new(),
        older_than: None,
        unused_for: None,
        reason: Reason::Expired,
    }
}

#[test]
fn a_time_of_the_day_was_due_today_or_yesterday() {
    let twice = When::At(vec![time(3, 30), time(15, 0)], Vec::new());
    for (now, due) in [
        (at(0, 3, 30), at(0, 3, 30)),
        (at(0, 14, 59), at(0, 3, 30)),
        (at(0, 15, 0), at(0, 15, 0)),
        (at(1, 0, 0), at(0, 15, 0)),
        (at(1, 3, 29), at(0, 15, 0)),
    ] {
        assert_eq!(twice.last_due(now), due, "{now:?}");
    }
}

#[test]
fn a_day_of_the_week_is_waited_for() {
    let weekend = When::At(vec![time(1, 0)], vec![Weekday::Saturday, Weekday::Sunday]);
    let sunday = When::At(vec![time(1, 0)], vec![Weekday::Sunday]);
    for (now, of_weekend, of_sunday) in [
        (at(5, 0, 59), at(0, 1, 0).before(secs(DAY)), at(0, 1, 0).before(secs(DAY))),
        (at(5, 1, 0), at(5, 1, 0), at(0, 1, 0).before(secs(DAY))),
        (at(6, 1, 0), at(6, 1, 0), at(6, 1, 0)),
        (at(13, 0, 59), at(12, 1, 0), at(6, 1, 0)),
    ] {
        assert_eq!(weekend.last_due(now), of_weekend, "{now:?}");
        assert_eq!(sunday.last_due(now), of_sunday, "{now:?}");
    }
    assert_eq!(Weekday::parse("thu"), Some(Weekday::Thursday));
    assert_eq!(Weekday::parse("Thursday"), None);
}

#[test]
fn a_span_is_counted_from_the_beginning_of_time_and_not_from_the_last_run() {
    let hourly = When::Every(secs(HOUR));
    assert_eq!(hourly.last_due(at(0, 5, 59)), at(0, 5, 0));
    assert_eq!(hourly.last_due(at(0, 6, 0)), at(0, 6, 0));
}

#[test]
fn before_the_first_instant_nothing_was_due() {
    let nightly = When::At(vec![time(3, 30)], Vec::new());
    assert_eq!(nightly.last_due(Timestamp::from_seconds(60)), Timestamp::default());
}

#[test]
fn who_began_before_it_was_due_leaves_and_who_came_since_stays() {
    let family = Family::new();
    let session = &family.loaded.session;
    let all = everybody("hourly");
    assert!(all.hits(session, session.created_at.after(Duration::from_millis(1))));
    assert!(!all.hits(session, session.created_at));
}

/// Whether a session is hit that began ten hours before, and what is asked of it.
type Case = (bool, fn(&mut Schedule));

#[test]
fn every_condition_must_hold() {
    let family = Family::new();
    let session = &family.loaded.session;
    let due = s(10 * HOUR);
    let hits = |change: fn(&mut Schedule)| {
        let mut schedule = everybody("some");
        change(&mut schedule);
        schedule.hits(session, due)
    };
    let cases: [Case; 9] = [
        (true, |own| own.clients = vec![client("app"), client("web")]),
        (false, |own| own.clients = vec![client("app")]),
        (true, |own| own.device_classes = vec![DeviceClass::Web]),
        (false, |own| own.device_classes = vec![DeviceClass::App]),
        (true, |own| own.older_than = Some(secs(10 * HOUR))),
        (false, |own| own.older_than = Some(secs(10 * HOUR + 1))),
        (true, |own| own.unused_for = Some(secs(10 * HOUR))),
        (false, |own| own.unused_for = Some(secs(10 * HOUR + 1))),
        (false, |own| {
            own.clients = vec![client("web")];
            own.device_classes = vec![DeviceClass::App];
        }),
    ];
    for (expected, change) in cases {
        assert_eq!(hits(change), expected);
    }
}

#[test]
fn the_end_says_which_schedule_it_was_and_comes_once() {
    let family = Family::new();
    let schedule = Schedule { reason: Reason::Admin, ..everybody("nightly") };
    let ending = |loaded: symbolon_core::Loaded| {
        loaded.end_as_scheduled(&schedule, s(HOUR), &family.policy, s(HOUR + 5))
    };
    let done = ending(family.loaded.clone());
    assert!(done.reply);
    let (session, event) = (done.session.unwrap(), &done.events[0]);
    let end = session.end.clone().unwrap();
    assert_eq!((end.reason, end.at), (Reason::Admin, s(HOUR + 5)));
    assert_eq!(end.by, Actor::Schedule("nightly".into()));
    assert_eq!((event.reason, &event.act.actor), (Reason::Admin, &end.by));
    let again = ending(symbolon_core::Loaded { session, ..family.loaded.clone() });
    assert!(!again.reply && again.session.is_none() && again.events.is_empty());
}

#[test]
fn a_timeout_that_passed_before_is_written_as_what_it_is() {
    let family = Family::new();
    let late = s(100 * DAY);
    let done = family.loaded.clone().end_as_scheduled(&everybody("x"), late, &family.policy, late);
    assert!(!done.reply, "the schedule did not end it");
    assert_eq!(
        done.session.and_then(|own| own.end.clone()).map(|end| end.reason),
        Some(Reason::Idle)
    );
}
