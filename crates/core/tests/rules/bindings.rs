//! Rows of DESIGN.md §4.1 about what a token's holder must also show.

use crate::common::{DEVICE_KEY, Family, HOUR, OTHER_KEY, all, s, start};
use symbolon_core::binding::{Binding, KeyProof, Network};
use symbolon_core::imprint::Bound;
use symbolon_core::{
    BindingMode, BindingPolicy, ClientPolicy, Denial, Outcome, Reason, Replay, Start,
};

#[test]
fn a_valid_proof_by_the_sessions_key_renews() {
    let mut family = Family::bound();
    assert_eq!(family.earns(0, s(1)), (Outcome::Advanced, 1));
}

#[test]
fn a_valid_proof_by_another_key_or_none_is_theft_even_with_the_newest_token() {
    for shown in [KeyProof::Valid(OTHER_KEY), KeyProof::None] {
        let mut family = Family::bound();
        family.proof.key = shown;
        family.ends_by(&family.token(0), Reason::BindingMismatch, s(1));
    }
}

#[test]
fn theft_by_binding_ends_the_session_whatever_the_replay_setting() {
    for replay in [Replay::Enforce, Replay::Report, Replay::Off] {
        let mut family = Family::bound();
        family.policy.replay = replay;
        family.proof.key = KeyProof::None;
        family.ends_by(&family.token(0), Reason::BindingMismatch, s(1));
    }
}

#[test]
fn other_features_or_none_are_theft() {
    let policy = ClientPolicy { binding: all(BindingMode::Enforce), ..ClientPolicy::default() };
    let binding = Binding { key: None, features: Some(DEVICE_KEY) };
    for shown in [None, Some(OTHER_KEY)] {
        let mut family = Family::with(&Start { binding, ..start(1) }, &policy);
        family.proof.features = Some(DEVICE_KEY);
        assert_eq!(family.earns(0, s(1)), (Outcome::Advanced, 1));
        family.proof.features = shown;
        family.ends_by(&family.token(1), Reason::BindingMismatch, s(2));
    }
}

#[test]
fn an_unusable_proof_is_asked_for_again_and_changes_nothing() {
    let mut family = Family::bound();
    family.earns(0, s(1));
    family.proof.key = KeyProof::Unusable;
    for (generation, at) in [(1, s(2)), (0, s(HOUR))] {
        let denial = family.refuses_unchanged(&family.token(generation), at);
        assert_eq!((denial, denial.reason()), (Denial::ProofNeeded, None));
    }
}

#[test]
fn a_mismatch_is_told_before_a_replay() {
    let mut family = Family::bound();
    family.earns(0, s(1));
    family.proof.key = KeyProof::None;
    family.ends_by(&family.token(0), Reason::BindingMismatch, s(HOUR));
}

#[test]
fn a_mismatch_under_report_goes_on_and_alerts_and_under_off_says_nothing() {
    for (mode, alert) in
        [(BindingMode::Report, Some(Reason::BindingMismatch)), (BindingMode::Off, None)]
    {
        let mut family = Family::bound();
        family.policy.binding = all(mode);
        family.proof.key = KeyProof::Valid(OTHER_KEY);
        let advanced = family.refresh(0, s(1)).unwrap();
        assert_eq!((advanced.outcome, advanced.alert), (Outcome::Advanced, alert));
        let again = family.refresh(0, s(2)).unwrap();
        assert_eq!((again.outcome, again.alert), (Outcome::Repeated, alert));
    }
}

#[test]
fn a_match_alerts_nobody_under_any_mode() {
    for mode in [BindingMode::Enforce, BindingMode::Report, BindingMode::Off] {
        let mut family = Family::bound();
        family.policy.binding = all(mode);
        assert_eq!(family.refresh(0, s(1)).unwrap().alert, None);
    }
}

#[test]
fn the_predecessor_with_the_sessions_key_earns_the_newest_at_any_time() {
    let mut family = Family::bound();
    family.earns(0, s(1));
    let decision = family.decide(&family.token(0), s(HOUR)).unwrap();
    assert!(decision.session.is_none() && decision.events.is_empty());
    let grant = decision.reply.unwrap();
    assert_eq!((grant.outcome, grant.session.generation.0), (Outcome::Repeated, 1));
}

#[test]
fn only_the_predecessor_is_forgiven_by_the_key() {
    let mut family = Family::bound();
    family.earns(0, s(1));
    family.earns(1, s(60));
    family.ends_by(&family.token(0), Reason::Replayed, s(HOUR));
}

#[test]
fn the_key_forgives_only_where_it_is_enforced() {
    for mode in [BindingMode::Report, BindingMode::Off] {
        let mut family = Family::bound();
        family.policy.binding = all(mode);
        family.earns(0, s(1));
        family.ends_by(&family.token(0), Reason::Replayed, s(HOUR));
    }
}

#[test]
fn a_proof_shown_for_a_session_without_a_key_forgives_nothing() {
    let mut family = Family::new();
    family.policy.binding = all(BindingMode::Enforce);
    family.proof.key = KeyProof::Valid(DEVICE_KEY);
    family.earns(0, s(1));
    family.ends_by(&family.token(0), Reason::Replayed, s(HOUR));
}

#[test]
fn features_that_match_forgive_nothing() {
    let policy = ClientPolicy { binding: all(BindingMode::Enforce), ..ClientPolicy::default() };
    let binding = Binding { key: None, features: Some(DEVICE_KEY) };
    let mut family = Family::with(&Start { binding, ..start(1) }, &policy);
    family.proof.features = Some(DEVICE_KEY);
    family.earns(0, s(1));
    family.ends_by(&family.token(0), Reason::Replayed, s(HOUR));
}

fn at_home() -> Start {
    Start { ip: Some("203.0.113.7".into()), ..start(1) }
}

fn network(text: &str) -> Option<Network> {
    Some(Network::of(text.parse().unwrap()))
}

#[test]
fn another_network_than_that_of_the_sign_in_is_theft_where_it_is_enforced() {
    let binding = BindingPolicy { network: BindingMode::Enforce, ..BindingPolicy::default() };
    let policy = ClientPolicy { binding, ..ClientPolicy::default() };
    for elsewhere in [None, network("198.51.100.7"), network("2001:db8::7")] {
        let mut family = Family::with(&at_home(), &policy);
        family.proof.network = network("203.0.113.200");
        assert_eq!(family.earns(0, s(1)), (Outcome::Advanced, 1));
        family.proof.network = elsewhere;
        family.ends_by(&family.token(1), Reason::BindingMismatch, s(2));
    }
}

#[test]
fn a_session_without_an_address_is_bound_to_no_network() {
    let policy = ClientPolicy { binding: all(BindingMode::Enforce), ..ClientPolicy::default() };
    let mut family = Family::with(&Start { ip: None, ..start(1) }, &policy);
    family.proof.network = network("198.51.100.7");
    assert_eq!(family.earns(0, s(1)), (Outcome::Advanced, 1));
}

#[test]
fn each_part_of_a_binding_has_a_mode_of_its_own() {
    let mut family = Family::bound();
    let (enforced, reported) = (BindingMode::Enforce, BindingMode::Report);
    family.policy.binding =
        BindingPolicy { key: enforced, features: BindingMode::Off, network: reported };
    let session = family.refresh(0, s(1)).unwrap().session;
    assert!(session.binding.features.is_none() && session.ip.is_none());
    let binding = Binding { key: Some(DEVICE_KEY), features: Some(OTHER_KEY) };
    let policy = family.policy.clone();
    let mut family = Family::with(&Start { binding, ..at_home() }, &policy);
    family.proof.key = KeyProof::Valid(DEVICE_KEY);
    family.proof.network = network("198.51.100.7");
    let grant = family.refresh(0, s(1)).unwrap();
    assert_eq!(grant.alert, Some(Reason::BindingMismatch), "the network alone, and only told");
    family.proof.key = KeyProof::None;
    family.ends_by(&family.token(1), Reason::BindingMismatch, s(2));
}

#[test]
fn a_grant_names_the_key_that_must_be_proved_only_where_that_is_enforced() {
    for (mode, named) in [
        (BindingMode::Enforce, Some(DEVICE_KEY)),
        (BindingMode::Report, None),
        (BindingMode::Off, None),
    ] {
        let mut family = Family::bound();
        family.policy.binding = all(mode);
        assert_eq!(family.refresh(0, s(1)).unwrap().jkt, named);
    }
}

#[test]
fn a_grant_says_what_features_and_network_must_be_wherever_they_are_looked_at() {
    let binding = Binding { key: None, features: Some(DEVICE_KEY) };
    let home = Network::of("203.0.113.1".parse().unwrap());
    for (mode, enforced) in [
        (BindingMode::Enforce, Some(true)),
        (BindingMode::Report, Some(false)),
        (BindingMode::Off, None),
    ] {
        let policy = ClientPolicy { binding: all(mode), ..ClientPolicy::default() };
        let mut family = Family::with(&Start { binding, ..at_home() }, &policy);
        (family.proof.features, family.proof.network) = (Some(DEVICE_KEY), Some(home));
        let grant = family.refresh(0, s(1)).unwrap();
        assert_eq!(grant.features, enforced.map(|enforced| Bound { to: DEVICE_KEY, enforced }));
        assert_eq!(grant.network, enforced.map(|enforced| Bound { to: home, enforced }));
    }
}

#[test]
fn what_a_session_was_not_bound_to_its_tokens_do_not_ask_for() {
    let policy = ClientPolicy { binding: all(BindingMode::Enforce), ..ClientPolicy::default() };
    let mut family = Family::with(&Start { ip: None, ..start(1) }, &policy);
    let grant = family.refresh(0, s(1)).unwrap();
    assert_eq!((grant.features, grant.network), (None, None));
}
