//! Use that verifiers report: DESIGN.md §4.6.

use crate::common::{DAY, Family, HOUR, ms, s, secs, start};
use symbolon_core::{
    ClientPolicy, Duration, Effect, Outcome, Reason, SessionState, Timestamp, Used,
};

const KEPT: Used = Used { accepted: 1, extended: false };
const EXTENDED: Used = Used { accepted: 1, extended: true };

/// A family that may idle for so long, and 90 days in all.
fn idling(idle: Duration) -> Family {
    Family::with(&start(1), &ClientPolicy { idle, ..ClientPolicy::default() })
}

/// Two hours, as a session whose token cannot change has.
fn sliding() -> Family {
    idling(secs(2 * HOUR))
}

/// Reports uses and commits what was decided.
fn report(family: &mut Family, uses: &[Timestamp], at: Timestamp) -> Used {
    let decision = family.loaded.clone().used(uses, &family.policy, at);
    family.events.extend(decision.events);
    family.loaded.session = decision.session.unwrap_or_else(|| family.loaded.session.clone());
    decision.reply
}

/// Reports one use at the instant of its use.
fn used(family: &mut Family, at: Timestamp) -> Used {
    report(family, &[at], at)
}

fn idle_end(family: &Family) -> Timestamp {
    family.loaded.session.idle_expires_at(&family.policy)
}

#[test]
fn a_use_moves_the_idle_end_only_when_under_half_of_it_is_left() {
    let mut family = sliding();
    assert_eq!(used(&mut family, s(HOUR)), KEPT);
    assert_eq!(idle_end(&family), s(2 * HOUR));
    assert_eq!(used(&mut family, ms(HOUR * 1000 + 1)), EXTENDED);
    assert_eq!(idle_end(&family), ms(3 * HOUR * 1000 + 1));
}

#[test]
fn however_often_it_is_used_a_session_is_written_at_most_once_an_hour() {
    for idle in [secs(2 * HOUR), secs(14 * DAY)] {
        let mut family = idling(idle);
        let minutes = (1..=48 * 60).map(|minute| s(minute * 60));
        let written = minutes.filter(|at| used(&mut family, *at).extended).count();
        assert!((40..=48).contains(&written), "{written} writes in 48 hours, idle {idle:?}");
        assert!(family.lives(s(48 * HOUR + 60)));
    }
}

#[test]
fn a_session_that_may_idle_for_long_does_not_end_much_earlier_for_being_written_seldom() {
    let mut family = idling(secs(14 * DAY));
    for hour in 1..=6 * 24 {
        used(&mut family, s(hour * HOUR));
    }
    let last = s(6 * DAY);
    assert!(last.after(secs(14 * DAY - HOUR)) <= idle_end(&family), "at most an hour early");
    assert!(family.lives(last.after(secs(14 * DAY - HOUR - 1))));
}

#[test]
fn a_short_idle_time_is_moved_each_half_of_it() {
    let mut family = idling(secs(600));
    assert_eq!(used(&mut family, s(300)), KEPT);
    assert_eq!(used(&mut family, s(301)), EXTENDED);
    assert!(family.lives(s(900)) && !family.lives(s(901)));
}

#[test]
fn a_session_in_use_reaches_its_absolute_end_and_no_further() {
    let mut family = sliding();
    let absolute = family.loaded.session.expires_at;
    let uses = (1..).map(|minute| s(minute * 60)).take_while(|at| *at < absolute);
    for at in uses {
        assert_eq!(used(&mut family, at).accepted, 1, "{at:?}");
    }
    assert_eq!(family.loaded.session.expires_at, absolute);
    assert_eq!(used(&mut family, absolute), Used::IGNORED);
    let end = family.loaded.session.end.clone().unwrap();
    assert_eq!((end.reason, end.at), (Reason::Expired, absolute));
}

#[test]
fn nothing_that_is_over_is_revived_by_a_use_from_before_its_end() {
    let mut family = sliding();
    let before = s(2 * HOUR - 1);
    assert_eq!(report(&mut family, &[before], s(2 * HOUR)), Used::IGNORED);
    assert_eq!(family.loaded.session.end.as_ref().map(|end| end.reason), Some(Reason::Idle));
    assert_eq!(family.events.len(), 1, "whoever notices the end publishes it");

    let mut family = sliding();
    family.kick(Reason::Kicked, s(HOUR + 60));
    let kicked = family.clone();
    assert_eq!(report(&mut family, &[s(HOUR + 30)], s(HOUR + 61)), Used::IGNORED);
    assert_eq!(family.loaded.session, kicked.loaded.session);
    assert_eq!(family.events.len(), 1);

    let mut family = sliding();
    family.loaded.subject.bump(Effect::Revoked, &family.bump(Reason::Banned, s(HOUR)));
    assert_eq!(report(&mut family, &[s(HOUR + 30)], s(HOUR + 61)), Used::IGNORED);
    assert!(!family.lives(s(HOUR + 62)));
}

#[test]
fn a_use_dated_ahead_of_the_clock_is_none_and_spoils_no_other() {
    let mut family = sliding();
    let now = s(HOUR + 60);
    assert_eq!(
        report(&mut family, &[ms((HOUR + 60) * 1000 + 1)], now),
        Used { accepted: 0, extended: false }
    );
    assert_eq!(idle_end(&family), s(2 * HOUR));
    let some = [s(1000 * DAY), now, Timestamp::from_millis(u64::MAX)];
    assert_eq!(report(&mut family, &some, now), EXTENDED);
    assert_eq!(family.loaded.session.last_used_at, now);
}

#[test]
fn a_use_that_is_older_than_the_last_changes_nothing() {
    let mut family = sliding();
    used(&mut family, s(90 * 60));
    let before = family.loaded.session.clone();
    let late = [s(0), s(HOUR + 1), s(90 * 60), Timestamp::default()];
    let all = Used { accepted: 4, extended: false };
    assert_eq!(report(&mut family, &late, s(100 * 60)), all);
    assert_eq!(family.loaded.session, before);
}

#[test]
fn reports_in_any_order_and_however_often_never_take_back_what_was_given() {
    let uses = [s(30 * 60), s(61 * 60), s(95 * 60), s(110 * 60)];
    let now = s(115 * 60);
    let mut latest_first = sliding();
    report(&mut latest_first, &[uses[3]], now);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 1, 3, 3], [3, 0, 0, 2]] {
        let mut family = sliding();
        let mut end = idle_end(&family);
        for at in order {
            report(&mut family, &[uses[at]], now);
            assert!(end <= idle_end(&family), "{order:?}");
            end = idle_end(&family);
        }
        // What was written is a use that was, and a second telling adds nothing.
        assert!(uses.contains(&family.loaded.session.last_used_at), "{order:?}");
        let once = family.loaded.session.clone();
        for at in order {
            assert_eq!(report(&mut family, &[uses[at]], now), KEPT);
        }
        assert_eq!(family.loaded.session, once);
        // One batch says the same as its latest use, whatever else stands in it.
        let mut family = sliding();
        report(&mut family, &order.map(|at| uses[at]), now);
        let has_latest = order.contains(&3);
        assert_eq!(family.loaded.session == latest_first.loaded.session, has_latest, "{order:?}");
    }
}

#[test]
fn a_use_from_before_a_refresh_is_the_same_whether_it_is_told_before_or_after_it() {
    let (used_at, refreshed) = (s(65 * 60), s(70 * 60));
    let mut told_first = sliding();
    assert_eq!(report(&mut told_first, &[used_at], refreshed), EXTENDED);
    told_first.refresh(0, refreshed).unwrap();
    let mut told_later = sliding();
    told_later.refresh(0, refreshed).unwrap();
    assert_eq!(report(&mut told_later, &[used_at], s(71 * 60)), KEPT);
    assert_eq!(told_first.loaded.session, told_later.loaded.session);
    assert_eq!(told_later.loaded.session.last_used_at, refreshed);
}

#[test]
fn a_use_changes_no_token_window_or_rotation() {
    let mut family = sliding();
    family.refresh(0, s(1)).unwrap();
    let before = SessionState::clone(&family.loaded.session);
    assert_eq!(used(&mut family, s(HOUR + 60)), EXTENDED);
    let expected = SessionState { last_used_at: s(HOUR + 60), ..before };
    assert!(SessionState::clone(&family.loaded.session) == expected);
    assert!(family.events.is_empty());
    assert_eq!(family.earns(1, s(HOUR + 61)), (Outcome::Advanced, 2));
}

#[test]
fn a_clock_that_steps_back_after_a_use_reopens_nothing() {
    let mut family = sliding();
    family.refresh(0, s(HOUR + 30)).unwrap();
    assert_eq!(family.earns(0, s(HOUR + 39)), (Outcome::Repeated, 1));
    let mut stepped = family.clone();
    assert_eq!(report(&mut stepped, &[s(3 * HOUR)], s(3 * HOUR)), EXTENDED);
    // By the session's last instant the window of generation 0 is long closed.
    stepped.ends_by(&stepped.token(0), Reason::Replayed, s(HOUR + 39));
}
