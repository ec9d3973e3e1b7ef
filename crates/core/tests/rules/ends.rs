//! Ends of sessions and their events: DESIGN.md §4.3.

use crate::common::{DAY, Family, HOUR, LATER_KEY, client, ms, s, secs, subject};
use std::sync::Arc;
use symbolon_core::revocation::LEEWAY_MAX;
use symbolon_core::time::CLOCK_DRIFT_MAX;
use symbolon_core::{
    Act, Actor, ClientId, Denial, Effect, Reason, RefreshToken, Replay, Salt, Standing, Target,
    Terms, Timestamp, Verdict,
};

fn apart() -> symbolon_core::Duration {
    CLOCK_DRIFT_MAX * 2
}

fn expire(family: &mut Family, at: Timestamp) -> Option<Reason> {
    let decision = family.loaded.clone().expire(&family.policy, at);
    family.events.extend(decision.events);
    family.loaded.session = decision.session.unwrap_or_else(|| family.loaded.session.clone());
    decision.reply
}

#[test]
fn an_end_is_committed_with_its_event_and_who_did_it() {
    let mut family = Family::new();
    let act = Act {
        actor: Actor::ApiKey("console".into()),
        note: Some("lost phone".into()),
        ip: Some("192.0.2.1".into()),
        request_id: "r1".into(),
    };
    let decision = family.loaded.clone().end(Reason::Kicked, &act, &family.policy, s(5));
    assert!(decision.reply);
    let end = decision.session.and_then(|session| session.end.clone()).unwrap();
    assert_eq!((end.reason, end.at, end.by), (Reason::Kicked, s(5), act.actor.clone()));
    let event = &decision.events[0];
    assert_eq!(event.target, Target::Session(family.loaded.session.sid));
    assert_eq!((event.effect, event.reason, event.at), (Effect::Revoked, Reason::Kicked, s(5)));
    assert_eq!(event.act, act);
    family.rewrite(|_| ());
}

#[test]
fn a_session_ends_once() {
    let mut family = Family::new();
    assert!(family.kick(Reason::Kicked, s(5)));
    assert!(!family.kick(Reason::SignedOut, s(6)));
    assert_eq!(expire(&mut family, s(100 * DAY)), None);
    assert_eq!(family.events.len(), 1);
    assert_eq!(family.loaded.session.end.as_ref().map(|end| end.reason), Some(Reason::Kicked));
}

#[test]
fn ending_a_session_whose_timeout_passed_writes_the_timeout() {
    let mut family = Family::new();
    assert!(!family.kick(Reason::Kicked, s(15 * DAY)));
    assert_eq!(family.events[0].reason, Reason::Idle);
    assert_eq!(family.loaded.session.end.as_ref().map(|end| end.at), Some(s(14 * DAY)));
}

#[test]
fn every_timeout_is_published_by_the_sweep() {
    for (unused_since, reason) in [(0, Reason::Idle), (80 * DAY, Reason::Expired)] {
        let mut family = Family::new();
        family.rewrite(|state| state.last_used_at = s(unused_since));
        assert_eq!(expire(&mut family, s(14 * DAY - 1)), None);
        assert_eq!(expire(&mut family, s(100 * DAY)), Some(reason));
        assert_eq!(family.events.len(), 1);
        assert_eq!((family.events[0].reason, family.events[0].effect), (reason, Effect::Revoked));
        assert_eq!(family.events[0].act, Act::authority());
    }
}

#[test]
fn a_bound_is_its_own_event_when_the_sweep_writes_it_down() {
    let mut family = Family::new();
    family.loaded.subject.bump(Effect::Revoked, &family.bump(Reason::Banned, s(5)));
    assert_eq!(expire(&mut family, s(6)), Some(Reason::Banned));
    assert_eq!(family.events, []);
    assert_eq!(family.loaded.session.end.as_ref().map(|end| end.reason), Some(Reason::Banned));
}

#[test]
fn any_genuine_generation_signs_its_session_out_and_nothing_else_does() {
    let mut family = Family::new();
    family.refresh(0, s(1)).unwrap();
    let (web, app, act) = (client("web"), client("app"), Act::authority());
    let policy = family.policy.clone();
    let signs_out = |token: &RefreshToken, client: &ClientId| {
        let ending = (&act, &policy);
        let decision = family.loaded.clone().sign_out(token, client, ending, s(60));
        assert_eq!(decision.reply, decision.session.is_some());
        assert_eq!(decision.events.len(), usize::from(decision.reply));
        let reason = decision.session.and_then(|session| session.end.clone());
        reason.map(|end| end.reason)
    };
    for generation in [0, 1] {
        let token = family.token(generation);
        assert_eq!(signs_out(&token, &web), Some(Reason::SignedOut));
        assert_eq!(signs_out(&token, &app), None);
        let (epoch, sid) = (token.epoch(), token.sid());
        let forged = RefreshToken::assume_genuine(epoch, sid, token.generation(), Salt([9; 8]));
        assert_eq!(signs_out(&forged, &web), None);
        assert_eq!(signs_out(&forged, &app), None);
    }
}

// How long a mirror keeps an end.

#[test]
fn an_end_outlives_the_latest_access_token_by_the_largest_leeway() {
    let mut family = Family::new();
    family.policy.access_ttl = secs(600);
    family.refresh(0, s(100)).unwrap();
    family.policy.access_ttl = secs(60);
    family.refresh(1, s(110)).unwrap();
    assert_eq!(family.loaded.session.tokens_live_until, s(700));
    family.kick(Reason::Kicked, s(111));
    assert_eq!(family.events[0].expires_at, s(700).after(LEEWAY_MAX));
}

#[test]
fn an_end_outlives_answers_that_were_dated_afresh_without_a_write() {
    let mut family = Family::bound();
    family.refresh(0, s(100)).unwrap();
    let again = family.refresh(0, s(HOUR)).unwrap();
    assert_eq!((again.issued_at, again.expires_at), (s(HOUR), s(HOUR + 300)));
    family.kick(Reason::Kicked, s(HOUR));
    let longest = s(HOUR + 300).after(apart()).after(LEEWAY_MAX);
    assert_eq!(family.events[0].expires_at, longest);
}

#[test]
fn an_end_decided_by_a_clock_behind_outlives_answers_dated_by_a_clock_ahead() {
    let mut family = Family::new();
    family.policy.replay = Replay::Report;
    family.refresh(0, s(100)).unwrap();
    family.keys = vec![LATER_KEY];
    let ahead = s(HOUR).after(CLOCK_DRIFT_MAX);
    let answered = family.refresh(0, ahead).unwrap().expires_at;
    family.kick(Reason::Kicked, ms((HOUR - 60) * 1000));
    assert!(answered.after(LEEWAY_MAX) <= family.events[0].expires_at);
}

#[test]
fn a_timeout_noticed_late_outlives_answers_given_under_the_longer_setting() {
    let mut family = Family::bound();
    family.refresh(0, s(100)).unwrap();
    let answered = family.refresh(0, s(DAY)).unwrap().expires_at;
    family.policy.idle = secs(HOUR);
    assert_eq!(expire(&mut family, s(DAY)), Some(Reason::Idle));
    let event = &family.events[0];
    assert_eq!(event.at, s(100 + HOUR), "over when the timeout passed");
    assert!(answered.after(LEEWAY_MAX) <= event.expires_at);
}

#[test]
fn an_end_under_a_clock_that_stepped_back_is_never_before_the_sessions_last_instant() {
    let mut family = Family::new();
    family.refresh(0, s(100)).unwrap();
    family.kick(Reason::Kicked, s(50));
    assert_eq!(family.loaded.session.end.as_ref().map(|end| end.at), Some(s(100)));
    let mut family = Family::new();
    family.refresh(0, s(100)).unwrap();
    family.policy.idle = secs(0);
    assert_eq!(expire(&mut family, s(50)), Some(Reason::Idle));
    let expires_at = family.events[0].expires_at;
    assert_eq!(expires_at, s(400).after(apart()).after(LEEWAY_MAX));
}

// What introspection says.

const JTI: [u8; 16] = [7; 16];

#[test]
fn an_access_token_is_live_until_its_session_ends() {
    let mut family = Family::new();
    let ver = family.refresh(0, s(1)).unwrap().ver;
    let policy = family.policy.clone();
    assert_eq!(family.loaded.judge(&JTI, &ver, &policy, s(2)), Verdict::Live);
    assert_eq!(
        family.loaded.judge(&JTI, &ver, &policy, s(20 * DAY)),
        Verdict::Revoked(Reason::Idle)
    );
    family.kick(Reason::Displaced, s(3));
    assert_eq!(family.loaded.judge(&JTI, &ver, &policy, s(3)), Verdict::Revoked(Reason::Displaced));
}

#[test]
fn a_stale_bump_makes_older_tokens_stale_and_the_next_one_live() {
    for above in ["subject", "client", "everything"] {
        let mut family = Family::new();
        let old = family.refresh(0, s(1)).unwrap().ver;
        let bump = family.bump(Reason::PermissionsChanged, s(2));
        match above {
            "subject" => drop(family.loaded.subject.bump(Effect::Stale, &bump)),
            "client" => {
                family.cutoffs(|all| drop(all.bump_client(&client("web"), Effect::Stale, &bump)));
            }
            _ => family.cutoffs(|all| drop(all.bump_everything(Effect::Stale, &bump))),
        }
        let stale = Verdict::Stale(Reason::PermissionsChanged);
        assert_eq!(family.loaded.judge(&JTI, &old, &family.policy, s(3)), stale, "{above}");
        let new = family.refresh(1, s(4)).unwrap().ver;
        assert_eq!(family.loaded.judge(&JTI, &new, &family.policy, s(4)), Verdict::Live, "{above}");
    }
}

#[test]
fn a_revoked_bump_revokes_and_outweighs_staleness() {
    let mut family = Family::new();
    let ver = family.refresh(0, s(1)).unwrap().ver;
    family.loaded.subject.bump(Effect::Stale, &family.bump(Reason::PermissionsChanged, s(2)));
    family.loaded.subject.bump(Effect::Revoked, &family.bump(Reason::Banned, s(3)));
    let verdict = family.loaded.judge(&JTI, &ver, &family.policy, s(4));
    assert_eq!(verdict, Verdict::Revoked(Reason::Banned));
}

#[test]
fn tokens_of_a_disabled_client_are_stale_not_revoked_and_older_ones_stay_so() {
    let mut family = Family::new();
    let ver = family.refresh(0, s(1)).unwrap().ver;
    let bump = family.bump(Reason::ClientDisabled, s(2));
    family.cutoffs(|all| drop(all.set_client_disabled(&client("web"), true, &bump)));
    let stale = Verdict::Stale(Reason::ClientDisabled);
    assert_eq!(family.loaded.judge(&JTI, &ver, &family.policy, s(3)), stale);
    let now = family.loaded.cutoffs.ver(&client("web"), &family.loaded.subject);
    assert_eq!(family.loaded.judge(&JTI, &now, &family.policy, s(3)), stale, "even one made since");
    family.cutoffs(|all| drop(all.set_client_disabled(&client("web"), false, &bump)));
    assert_eq!(family.loaded.judge(&JTI, &ver, &family.policy, s(4)), stale);
    assert_eq!(family.loaded.judge(&JTI, &now, &family.policy, s(4)), Verdict::Live);
}

#[test]
fn standing_is_derived_before_it_is_written() {
    let mut family = Family::new();
    let policy = family.policy.clone();
    assert_eq!(family.loaded.standing(&policy, s(1)), Standing::Active);
    assert!(matches!(family.loaded.standing(&policy, s(14 * DAY)), Standing::Over(_)));
    family.kick(Reason::Kicked, s(2));
    assert!(matches!(family.loaded.standing(&policy, s(3)), Standing::Ended(_)));
}

#[test]
fn a_clock_that_stepped_back_does_not_make_a_session_younger_than_its_last_use() {
    let mut family = Family::new();
    family.refresh(0, s(1000)).unwrap();
    family.policy.idle = secs(0);
    assert!(matches!(family.loaded.standing(&family.policy, s(1)), Standing::Over(_)));
    let terms = Terms { policy: &family.policy, key: LATER_KEY, keys_usable: &[LATER_KEY] };
    let reply = family.loaded.clone().repeat(&terms, s(1));
    assert_eq!(reply, Err(Denial::Ended(Reason::Idle)));
}

#[test]
fn what_is_printed_of_a_session_holds_no_salt() {
    let family = Family::new();
    let text = format!("{:?} {:?}", family.loaded.session, family.loaded.subject.subject);
    assert!(text.contains("generation") && text.contains(subject().as_str()));
    assert!(!text.to_lowercase().contains("salt"));
    assert_eq!(Arc::strong_count(&family.loaded.cutoffs), 1);
}
