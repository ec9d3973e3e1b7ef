//! What an operator sets of a client while the authority runs.

use crate::common::{Family, client, s, secs};
use symbolon_core::epoch::{Bump, ReplayFor};
use symbolon_core::person::Replaced;
use symbolon_core::refresh::Answer;
use symbolon_core::revocation::Below;
use symbolon_core::switches::Switches;
use symbolon_core::{
    Act, Change, Cutoffs, Denial, Effect, Event, Outcome, Reason, Replay, StoreEpoch, Target,
    Timestamp,
};

const ON: Switches = Switches { disabled: false, replay: None };
const OFF: Switches = Switches { disabled: true, replay: None };

fn lenient(until: Timestamp) -> Switches {
    Switches { replay: Some(ReplayFor { replay: Replay::Report, until }), ..ON }
}

fn version(counter: u64) -> Below {
    Below { epoch: StoreEpoch(2), counter }
}

fn known() -> Cutoffs {
    Cutoffs { epoch: StoreEpoch(2), ..Cutoffs::default() }
}

fn put_at(
    all: &mut Cutoffs,
    new: &Switches,
    expected: Option<&[Below]>,
    at: Timestamp,
) -> Result<(Replaced, Vec<Event>), Below> {
    let (epoch, reason) = (all.epoch, Reason::ClientDisabled);
    let bump = Bump { epoch, reason, at, tokens_live_until: s(99), act: Act::authority() };
    all.replace_switches(&client("web"), new, expected, &bump)
}

fn put(all: &mut Cutoffs, new: &Switches) -> (Replaced, Vec<Event>) {
    put_at(all, new, None, s(1)).unwrap()
}

#[test]
fn switching_off_is_a_stale_bump_and_every_change_another_version() {
    let mut all = known();
    let (replaced, events) = put(&mut all, &OFF);
    assert_eq!(replaced, Replaced { version: version(1), changed: true });
    let [event] = &*events else { panic!("{events:?}") };
    assert_eq!(event.effect, Effect::Stale, "no session ends");
    assert_eq!(event.target, Target::Client(client("web"), version(1)));
    for (counter, new) in [(2, ON), (3, lenient(s(60))), (4, lenient(s(90))), (5, ON)] {
        let (replaced, events) = put(&mut all, &new);
        assert_eq!(replaced, Replaced { version: version(counter), changed: true });
        for event in events {
            assert!(matches!(event.target, Target::Nothing(_)), "nothing is revoked by {new:?}");
            assert_eq!(event.expires_at, s(1), "no verifier keeps {event:?}");
        }
    }
    let bounds = all.client(&client("web")).epochs;
    assert_eq!(bounds.stale.map(|bound| bound.below), Some(version(1)), "no other bound was set");
}

#[test]
fn every_switch_that_revokes_nothing_is_in_the_history_with_its_reason() {
    let mut all = known();
    let until = |at| ReplayFor { replay: Replay::Report, until: s(at) };
    let web = || client("web");
    for (new, changes) in [
        (OFF, vec![]),
        (lenient(s(60)), vec![Change::ClientEnabled(web()), Change::ReplaySet(web(), until(60))]),
        (lenient(s(90)), vec![Change::ReplaySet(web(), until(90))]),
        (ON, vec![Change::ReplayEnded(web())]),
    ] {
        let (_, events) = put(&mut all, &new);
        let of = |event: &Event| {
            let Target::Nothing(change) = &event.target else { return None };
            Some((change.clone(), event.reason))
        };
        let reason = |change: &Change| match matches!(change, Change::ClientEnabled(_)) {
            true => Reason::ClientDisabled,
            false => Reason::Replayed,
        };
        let expected: Vec<_> = changes.iter().map(|own| (own.clone(), reason(own))).collect();
        assert_eq!(events.iter().filter_map(of).collect::<Vec<_>>(), expected, "{new:?}");
        assert!(events.iter().all(|event| event.client() == Some(&web())));
    }
}

#[test]
fn nothing_changed_bumps_nothing() {
    let mut all = known();
    for new in [ON, OFF, lenient(s(60)), Switches { disabled: true, ..lenient(s(60)) }] {
        put(&mut all, &new);
        let before = all.clone();
        let (replaced, events) = put(&mut all, &new);
        assert_eq!((replaced.changed, events), (false, Vec::new()));
        assert_eq!(all, before, "{new:?}");
    }
}

#[test]
fn a_leniency_whose_time_has_passed_is_no_difference() {
    let mut all = known();
    put(&mut all, &lenient(s(60)));
    let (replaced, _) = put_at(&mut all, &ON, None, s(60)).unwrap();
    assert!(!replaced.changed, "it was over already");
    assert_eq!(all.client(&client("web")).switches(s(59)), lenient(s(60)));
    assert_eq!(all.client(&client("web")).switches(s(60)), ON);
}

#[test]
fn a_version_that_is_not_the_expected_one_changes_nothing() {
    let mut all = known();
    put(&mut all, &OFF);
    let before = all.clone();
    assert_eq!(put_at(&mut all, &ON, Some(&[version(0)]), s(2)), Err(version(1)));
    assert_eq!(put_at(&mut all, &ON, Some(&[]), s(2)), Err(version(1)));
    assert_eq!(all, before);
    assert!(put_at(&mut all, &ON, Some(&[version(0), version(1)]), s(2)).unwrap().0.changed);
}

#[test]
fn a_switched_off_client_renews_nothing_and_loses_nobody() {
    let mut family = Family::new();
    family.cutoffs(|all| drop(put(all, &OFF)));
    let token = family.token(0);
    assert_eq!(family.refuses_unchanged(&token, s(2)), Denial::ClientDisabled);
    family.cutoffs(|all| drop(put(all, &ON)));
    assert_eq!(family.earns(0, s(3)), (Outcome::Advanced, 1));
}

/// Refreshes once, and again long after the window.
fn replay(mut family: Family, at: Timestamp) -> Answer {
    family.earns(0, s(1));
    family.refresh(0, at)
}

#[test]
fn what_an_operator_says_of_replays_holds_for_its_time_and_not_longer() {
    let mut family = Family::new();
    family.policy.grace = secs(10);
    family.cutoffs(|all| drop(put(all, &lenient(s(60)))));
    let grant = replay(family.clone(), s(59)).unwrap();
    assert_eq!((grant.outcome, grant.alert), (Outcome::Repeated, Some(Reason::Replayed)));
    assert_eq!(replay(family.clone(), s(60)), Err(Denial::Ended(Reason::Replayed)));

    family.policy.replay = Replay::Off;
    let strict =
        Switches { replay: Some(ReplayFor { replay: Replay::Enforce, until: s(60) }), ..ON };
    family.cutoffs(|all| drop(put(all, &strict)));
    assert_eq!(replay(family.clone(), s(59)), Err(Denial::Ended(Reason::Replayed)));
    assert_eq!(replay(family, s(60)), Err(Denial::Replayed));
}
