//! The table of DESIGN.md §4.1 in its order; fast-forwards and bindings have files of their own.

use crate::common::{DAY, Family, HOUR, client, ms, s, secs, start, subject};
use symbolon_core::binding::KeyProof;
use symbolon_core::subject::Ban;
use symbolon_core::{
    ClientPolicy, Denial, Effect, Fault, Generation, Outcome, Reason, RefreshToken, Replay, Salt,
    Start, Target,
};

// The row "no such session" is the store's: `step` answers `None`. Its twin is a token whose tag is
// right and whose salt is not this session's.

#[test]
fn a_token_with_another_salt_is_of_no_session_and_changes_nothing() {
    let family = Family::new();
    let real = family.token(0);
    let forged =
        RefreshToken::assume_genuine(real.epoch(), real.sid(), real.generation(), Salt([9; 8]));
    assert_eq!(family.refuses_unchanged(&forged, s(1)), Denial::UnknownSession);
    assert_eq!(Denial::UnknownSession.reason(), None);
}

#[test]
fn a_foreign_clients_token_changes_nothing() {
    let mut family = Family::new();
    family.client = client("app");
    assert_eq!(family.refuses_unchanged(&family.token(0), s(1)), Denial::ForeignToken);
}

#[test]
fn a_foreign_client_learns_nothing_of_an_ended_or_disabled_session() {
    let mut family = Family::new();
    family.kick(Reason::Kicked, s(1));
    let bump = family.bump(Reason::ClientDisabled, s(2));
    family.cutoffs(|all| drop(all.set_client_disabled(&client("web"), true, &bump)));
    family.client = client("app");
    assert_eq!(family.refuses_unchanged(&family.token(0), s(3)), Denial::ForeignToken);
}

#[test]
fn a_foreign_client_that_replays_does_not_end_the_session() {
    let mut family = Family::new();
    family.earns(0, s(1));
    family.client = client("app");
    assert_eq!(family.refuses_unchanged(&family.token(0), s(HOUR)), Denial::ForeignToken);
}

#[test]
fn a_disabled_client_is_refused_until_it_is_enabled_and_nothing_changes() {
    let mut family = Family::new();
    let bump = family.bump(Reason::ClientDisabled, s(1));
    family.cutoffs(|all| drop(all.set_client_disabled(&client("web"), true, &bump)));
    assert_eq!(family.refuses_unchanged(&family.token(0), s(2)), Denial::ClientDisabled);
    family.cutoffs(|all| drop(all.set_client_disabled(&client("web"), false, &bump)));
    assert_eq!(family.earns(0, s(3)), (Outcome::Advanced, 1));
}

#[test]
fn a_disabled_client_is_told_so_before_any_end_of_the_session() {
    let mut family = Family::new();
    family.earns(0, s(1));
    let bump = family.bump(Reason::ClientDisabled, s(1));
    family.cutoffs(|all| drop(all.set_client_disabled(&client("web"), true, &bump)));
    // A replay and an idle timeout, neither of which is written down.
    assert_eq!(family.refuses_unchanged(&family.token(0), s(HOUR)), Denial::ClientDisabled);
    assert_eq!(family.refuses_unchanged(&family.token(1), s(15 * DAY)), Denial::ClientDisabled);
    family.kick(Reason::Kicked, s(HOUR));
    assert_eq!(family.refuses_unchanged(&family.token(1), s(HOUR)), Denial::ClientDisabled);
}

#[test]
fn an_ended_session_answers_its_reason_and_stays_as_it_is() {
    for reason in Reason::ALL {
        let mut family = Family::new();
        assert!(family.kick(reason, s(1)));
        for generation in [0, 7] {
            let token = family.token(generation);
            assert_eq!(family.refuses_unchanged(&token, s(20 * DAY)), Denial::Ended(reason));
        }
    }
}

#[test]
fn an_ended_session_keeps_its_reason_through_bounds_timeouts_and_mismatches() {
    let mut family = Family::bound();
    family.kick(Reason::PasswordChanged, s(1));
    family.loaded.subject.bump(Effect::Revoked, &family.bump(Reason::Admin, s(2)));
    family.proof.key = KeyProof::None;
    let denial = family.refuses_unchanged(&family.token(0), s(100 * DAY));
    assert_eq!(denial, Denial::Ended(Reason::PasswordChanged));
}

#[test]
fn a_session_born_below_a_revoked_bound_ends_for_the_bounds_reason_without_an_event_of_its_own() {
    for above in ["subject", "client", "everything"] {
        let mut family = Family::new();
        let bump = family.bump(Reason::PasswordChanged, s(5));
        match above {
            "subject" => drop(family.loaded.subject.bump(Effect::Revoked, &bump)),
            "client" => {
                family.cutoffs(|all| drop(all.bump_client(&client("web"), Effect::Revoked, &bump)))
            }
            _ => family.cutoffs(|all| drop(all.bump_everything(Effect::Revoked, &bump))),
        }
        let answer = family.refresh(0, s(6));
        assert_eq!(answer, Err(Denial::Ended(Reason::PasswordChanged)), "{above}");
        let end = family.loaded.session.end.clone().unwrap();
        assert_eq!((end.reason, end.at), (Reason::PasswordChanged, s(5)), "{above}");
        assert_eq!(family.events, [], "the bound is the event: {above}");
    }
}

#[test]
fn a_session_below_several_bounds_ends_for_the_first_of_them() {
    let mut family = Family::new();
    family.loaded.subject.bump(Effect::Revoked, &family.bump(Reason::Banned, s(9)));
    let bump = family.bump(Reason::KeyCompromised, s(8));
    family.cutoffs(|all| drop(all.bump_everything(Effect::Revoked, &bump)));
    let answer = family.refresh(0, s(10));
    assert_eq!(answer, Err(Denial::Ended(Reason::KeyCompromised)));
}

#[test]
fn a_bound_of_another_client_does_not_touch_this_one() {
    let mut family = Family::new();
    let bump = family.bump(Reason::Admin, s(1));
    family.cutoffs(|all| drop(all.bump_client(&client("app"), Effect::Revoked, &bump)));
    assert_eq!(family.earns(0, s(2)), (Outcome::Advanced, 1));
}

#[test]
fn a_banned_subject_ends_even_without_a_bound() {
    let mut family = Family::new();
    family.loaded.subject.ban =
        Some(Ban { since: s(3), until: Some(s(60)), reason: Reason::Banned, note: None });
    assert_eq!(family.refresh(0, s(59)), Err(Denial::Ended(Reason::Banned)));
    let end = family.loaded.session.end.clone().unwrap();
    assert_eq!((end.reason, end.at), (Reason::Banned, s(3)));
}

#[test]
fn a_ban_is_over_exactly_at_its_end() {
    let mut family = Family::new();
    family.loaded.subject.ban =
        Some(Ban { since: s(3), until: Some(s(60)), reason: Reason::Banned, note: None });
    assert_eq!(family.earns(0, s(60)), (Outcome::Advanced, 1));
}

#[test]
fn lifting_a_ban_revives_nothing() {
    let mut family = Family::new();
    let bump = family.bump(Reason::Banned, s(5));
    let event = family
        .loaded
        .subject
        .set_ban(Ban { since: s(5), until: None, reason: Reason::Banned, note: None }, &bump);
    assert_eq!(event.effect, Effect::Revoked);
    assert!(family.loaded.subject.lift_ban());
    assert!(!family.loaded.subject.lift_ban());
    assert_eq!(family.refresh(0, s(7)), Err(Denial::Ended(Reason::Banned)));
}

#[test]
fn a_bound_is_told_before_a_timeout_that_passed_earlier() {
    let mut family = Family::new();
    family.loaded.subject.bump(Effect::Revoked, &family.bump(Reason::Admin, s(20 * DAY)));
    assert_eq!(family.refresh(0, s(21 * DAY)), Err(Denial::Ended(Reason::Admin)));
}

#[test]
fn an_unused_session_ends_exactly_at_its_idle_end() {
    let mut family = Family::new();
    assert!(family.lives(ms(14 * DAY * 1000 - 1)));
    family.ends_by(&family.token(0), Reason::Idle, s(14 * DAY));
    assert_eq!(family.loaded.session.end.as_ref().map(|end| end.at), Some(s(14 * DAY)));
}

#[test]
fn every_advance_moves_the_idle_end_and_nothing_moves_the_absolute_end() {
    let mut family = Family::new();
    let absolute = family.loaded.session.expires_at;
    for week in 1..=12 {
        let generation = u32::try_from(week).unwrap() - 1;
        assert_eq!(family.earns(generation, s(week * 7 * DAY)).0, Outcome::Advanced);
        assert_eq!(family.loaded.session.expires_at, absolute);
    }
    assert_eq!(absolute, s(90 * DAY));
    assert!(family.lives(ms(90 * DAY * 1000 - 1)));
    family.ends_by(&family.token(12), Reason::Expired, s(90 * DAY));
}

#[test]
fn whichever_timeout_came_first_is_the_reason() {
    for (unused_since, reason, ended) in [
        (75 * DAY, Reason::Idle, 89 * DAY),
        (76 * DAY, Reason::Expired, 90 * DAY),
        (77 * DAY, Reason::Expired, 90 * DAY),
    ] {
        let mut family = Family::new();
        family.rewrite(|state| state.last_used_at = s(unused_since));
        family.ends_by(&family.token(0), reason, s(200 * DAY));
        let end = family.loaded.session.end.clone().unwrap();
        assert_eq!((end.reason, end.at), (reason, s(ended)));
    }
}

#[test]
fn a_shorter_timeout_reaches_sessions_that_exist_and_a_longer_one_does_not() {
    let mut shorter = Family::new();
    shorter.policy.absolute = secs(DAY);
    assert!(shorter.lives(ms(DAY * 1000 - 1)));
    shorter.ends_by(&shorter.token(0), Reason::Expired, s(DAY));

    let mut idle = Family::new();
    idle.policy.idle = secs(HOUR);
    idle.ends_by(&idle.token(0), Reason::Idle, s(HOUR));

    let mut longer = Family::new();
    longer.policy.idle = secs(1000 * DAY);
    longer.policy.absolute = secs(1000 * DAY);
    longer.ends_by(&longer.token(0), Reason::Expired, s(90 * DAY));
}

#[test]
fn an_end_that_was_asked_for_at_sign_in_holds_if_it_is_earlier() {
    for (asked, holds) in [(ms(DAY * 1000 + 999), s(DAY)), (s(1000 * DAY), s(90 * DAY))] {
        let start = Start { expires_at: Some(asked), ..start(1) };
        let family = Family::with(&start, &ClientPolicy::default());
        assert_eq!(family.loaded.session.expires_at, holds);
    }
}

#[test]
fn a_timeout_is_told_before_a_replay_or_a_mismatch() {
    let mut family = Family::bound();
    family.earns(0, s(1));
    family.proof.key = KeyProof::None;
    family.ends_by(&family.token(0), Reason::Idle, s(1 + 14 * DAY));
}

// Rows about generations.

#[test]
fn a_token_ahead_of_a_store_that_lost_nothing_is_a_fault_and_nothing_is_committed() {
    let family = Family::new();
    let fault = family.decide(&family.token(1), s(1)).unwrap_err();
    let expected = Fault::Impossible {
        sid: family.loaded.session.sid,
        presented: Generation(1),
        newest: Generation(0),
    };
    assert_eq!(fault, expected);
    assert!(fault.to_string().contains("symbolon restore --in-place"));
}

#[test]
fn a_token_of_a_store_epoch_to_come_is_a_fault_whatever_its_generation() {
    let mut family = Family::new();
    family.earns(0, s(1));
    for generation in [0, 1, 2] {
        assert!(family.decide(&family.token_of(1, generation), s(2)).is_err(), "{generation}");
    }
}

#[test]
fn the_newest_generation_advances() {
    let mut family = Family::new();
    for generation in 0..20 {
        let at = s(300 * u64::from(generation) + 300);
        assert_eq!(family.earns(generation, at), (Outcome::Advanced, generation + 1));
        assert_eq!(family.loaded.session.last_used_at, at);
    }
    assert_eq!(family.events, []);
}

#[test]
fn an_advance_opens_the_window_of_the_used_generation_until_grace_has_passed() {
    let mut family = Family::new();
    family.earns(0, s(1));
    let windows = &family.loaded.session.windows;
    assert_eq!(windows.len(), 1);
    assert_eq!((windows[0].generation, windows[0].ends), (Generation(0), s(11)));
}

#[test]
fn with_eight_windows_open_the_newest_generation_is_answered_again_and_nothing_changes() {
    let mut family = Family::new();
    for generation in 0..8 {
        assert_eq!(family.earns(generation, s(1)), (Outcome::Advanced, generation + 1));
    }
    let decision = family.decide(&family.token(8), ms(10_999)).unwrap();
    let grant = decision.reply.unwrap();
    assert!(decision.session.is_none() && decision.events.is_empty());
    assert_eq!((grant.outcome, grant.session.generation), (Outcome::Repeated, Generation(8)));
    assert_eq!(family.earns(8, s(11)), (Outcome::Advanced, 9));
}

#[test]
fn every_one_of_eight_used_generations_still_earns_the_newest() {
    let mut family = Family::new();
    for generation in 0..8 {
        family.earns(generation, s(1));
    }
    for generation in 0..8 {
        assert_eq!(family.earns(generation, s(2)), (Outcome::Repeated, 8));
    }
}

#[test]
fn a_used_token_earns_the_newest_until_its_window_ends_and_not_at_that_instant() {
    let mut family = Family::new();
    family.earns(0, s(1));
    assert_eq!(family.earns(0, ms(10_999)), (Outcome::Repeated, 1));
    family.ends_by(&family.token(0), Reason::Replayed, s(11));
}

#[test]
fn a_straggler_two_generations_back_earns_the_newest_in_its_own_window() {
    let mut family = Family::new();
    family.earns(0, s(1));
    family.earns(1, s(8));
    assert_eq!(family.earns(0, ms(10_999)), (Outcome::Repeated, 2));
    family.ends_by(&family.token(0), Reason::Replayed, s(11));
}

#[test]
fn a_use_inside_the_window_changes_nothing_and_extends_nothing() {
    let mut family = Family::new();
    family.earns(0, s(1));
    let before = family.loaded.session.clone();
    for second in 2..11 {
        let decision = family.decide(&family.token(0), s(second)).unwrap();
        assert!(decision.session.is_none() && decision.events.is_empty());
        assert_eq!(decision.reply.unwrap().outcome, Outcome::Repeated);
    }
    assert!(family.loaded.session == before);
    family.ends_by(&family.token(0), Reason::Replayed, s(11));
}

#[test]
fn windows_are_stored_by_their_end_so_a_longer_grace_reopens_none_and_a_shorter_closes_none() {
    let mut longer = Family::new();
    longer.earns(0, s(1));
    longer.policy.grace = secs(120);
    longer.ends_by(&longer.token(0), Reason::Replayed, s(11));

    let mut shorter = Family::new();
    shorter.earns(0, s(1));
    shorter.policy.grace = secs(1);
    assert_eq!(shorter.earns(0, ms(10_999)), (Outcome::Repeated, 1));
}

#[test]
fn without_grace_a_used_token_is_dead_at_once() {
    let mut family = Family::new();
    family.policy.grace = secs(0);
    assert_eq!(family.earns(0, s(1)), (Outcome::Advanced, 1));
    assert!(family.loaded.session.windows.is_empty());
    family.ends_by(&family.token(0), Reason::Replayed, s(1));
}

#[test]
fn a_closed_window_is_forgotten_by_the_next_advance() {
    let mut family = Family::new();
    family.earns(0, s(1));
    family.earns(1, s(11));
    let windows = &family.loaded.session.windows;
    assert_eq!(windows.iter().map(|window| window.generation.0).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_replayed_token_ends_this_session_with_its_event_in_the_same_commit() {
    let mut family = Family::new();
    family.earns(0, s(1));
    family.ends_by(&family.token(0), Reason::Replayed, s(60));
    let event = &family.events[0];
    assert_eq!(event.target, Target::Session(family.loaded.session.sid));
    assert_eq!((event.effect, event.at), (Effect::Revoked, s(60)));
    // One theft, one event: the next replay, and the owner, only hear the reason.
    for generation in [0, 1] {
        let token = family.token(generation);
        assert_eq!(family.refuses_unchanged(&token, s(61)), Denial::Ended(Reason::Replayed));
    }
}

#[test]
fn a_replay_under_report_answers_the_newest_again_and_alerts() {
    let mut family = Family::new();
    family.policy.replay = Replay::Report;
    family.earns(0, s(1));
    family.earns(1, s(60));
    let decision = family.decide(&family.token(0), s(120)).unwrap();
    assert!(decision.session.is_none() && decision.events.is_empty());
    let grant = decision.reply.unwrap();
    assert_eq!((grant.outcome, grant.session.generation.0), (Outcome::Repeated, 2));
    assert_eq!(grant.alert, Some(Reason::Replayed));
}

#[test]
fn a_replay_under_off_is_refused_and_the_session_lives() {
    let mut family = Family::new();
    family.policy.replay = Replay::Off;
    family.earns(0, s(1));
    let denial = family.refuses_unchanged(&family.token(0), s(60));
    assert_eq!((denial, denial.reason()), (Denial::Replayed, Some(Reason::Replayed)));
    assert_eq!(family.earns(1, s(61)), (Outcome::Advanced, 2));
}

#[test]
fn a_window_means_the_same_under_every_replay_setting_and_alerts_nobody() {
    for replay in [Replay::Enforce, Replay::Report, Replay::Off] {
        let mut family = Family::new();
        family.policy.replay = replay;
        family.earns(0, s(1));
        let grant = family.refresh(0, s(10)).unwrap();
        assert_eq!((grant.outcome, grant.alert), (Outcome::Repeated, None));
    }
}

#[test]
fn the_last_generation_is_a_fault_and_never_wraps() {
    let mut family = Family::new();
    family.rewrite(|state| state.generation = Generation(u32::MAX));
    assert_eq!(family.decide(&family.token(u32::MAX), s(1)).unwrap_err(), Fault::Exhausted);
}

// Time.

#[test]
fn a_clock_that_steps_back_reopens_nothing_and_moves_nothing_back() {
    let mut family = Family::new();
    family.earns(0, s(100));
    family.earns(1, s(111));
    // The wall clock now shows an instant inside generation 0's window; the session knows better.
    family.ends_by(&family.token(0), Reason::Replayed, s(105));
    assert_eq!(family.events[0].at, s(111));
}

#[test]
fn an_advance_under_a_clock_that_stepped_back_happens_at_the_sessions_last_instant() {
    let mut family = Family::new();
    family.earns(0, s(100));
    assert_eq!(family.earns(1, s(40)), (Outcome::Advanced, 2));
    let session = &family.loaded.session;
    assert_eq!((session.last_used_at, session.rotation.at), (s(100), s(100)));
    assert_eq!(family.earns(1, ms(109_999)), (Outcome::Repeated, 2));
}

#[test]
fn a_sessions_last_instant_is_the_later_of_use_and_rotation() {
    let mut family = Family::new();
    family.rewrite(|state| state.rotation.at = s(50));
    assert_eq!(family.loaded.session.not_before(s(1)), s(50));
    family.rewrite(|state| state.last_used_at = s(60));
    assert_eq!(family.loaded.session.not_before(s(1)), s(60));
    assert_eq!(family.loaded.session.not_before(s(70)), s(70));
}

#[test]
fn a_refresh_is_a_function_of_what_it_is_given() {
    let mut family = Family::new();
    family.earns(0, s(1));
    for (generation, at) in [(0, 5), (0, 60), (1, 60)] {
        let (one, two) = (0, 1);
        let decisions =
            [one, two].map(|_| family.decide(&family.token(generation), s(at)).unwrap());
        assert!(decisions[0].session == decisions[1].session);
        assert_eq!(decisions[0].events, decisions[1].events);
        assert_eq!(decisions[0].reply, decisions[1].reply);
    }
    assert_eq!(family.loaded.subject.subject, subject());
}
