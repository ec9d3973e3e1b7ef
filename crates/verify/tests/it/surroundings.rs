//! Tokens that are bound to features or a network: what lets them in, cold and warm.

use crate::tokens::{AUDIENCE, ISSUER, at, claims, key, keys, token};
use data_encoding::BASE64URL_NOPAD;
use std::net::IpAddr;
use symbolon_core::binding::Network;
use symbolon_verify::measure::{Filled, tell_shown};
use symbolon_verify::{
    Algorithm, Imprint, Policy, Presented, Rejected, SessionId, Unknown, Verified, Verifier,
};
use symbolon_wire::{features_imprint, network_imprint, sha256};

const SID: SessionId = SessionId::from_bytes([0; 16]);
pub(crate) const OWN: &str = "Firefox on Debian";
pub(crate) const HOME: &str = "203.0.113.7";

fn text(imprint: Imprint) -> String {
    BASE64URL_NOPAD.encode(&imprint.0)
}

/// The claim of a session that began with [`OWN`] at [`HOME`].
pub(crate) fn bound() -> String {
    let features = text(features_imprint(SID, &sha256(OWN.as_bytes())));
    let network = text(network_imprint(SID, Network::of(HOME.parse().unwrap())));
    format!(r#"{{"features":"{features}","network":"{network}"}}"#)
}

fn scene(claim: &str) -> (Verifier, String) {
    let issuer = key(Algorithm::EdDsa);
    let verifier = Verifier::builder(ISSUER).audience(AUDIENCE);
    (verifier.offline(keys(&[&issuer])).unwrap(), token(&issuer, &[(claim, &bound())]))
}

fn shown<'a>(token: &'a str, features: Option<&'a str>, ip: &str) -> Presented<'a> {
    Presented::bearer(token).features(features).ip(ip.parse::<IpAddr>().unwrap())
}

fn verify(verifier: &Verifier, presented: &Presented<'_>) -> Result<Verified, Rejected> {
    verifier.verify(presented, &Policy::offline(), at(1))
}

#[test]
fn a_bound_token_is_let_in_with_its_own_features_from_its_own_network_cold_and_warm() {
    let (verifier, token) = scene("cnf");
    for ip in [HOME, "203.0.113.250", "::ffff:203.0.113.9"] {
        assert!(verify(&verifier, &shown(&token, Some(OWN), ip)).is_ok(), "{ip}");
    }
    assert_eq!(verifier.status(at(1).monotonic).cache_hits, 2);
}

#[test]
fn other_features_or_another_network_are_refused_cold_and_warm() {
    let long = "f".repeat(1025);
    for (features, ip) in [
        (Some("curl"), HOME),
        (Some(""), HOME),
        (Some(&*long), HOME),
        (None, HOME),
        (Some(OWN), "203.0.114.7"),
        (Some(OWN), "2001:db8::7"),
    ] {
        let (verifier, token) = scene("cnf");
        for round in ["cold", "warm"] {
            let refused = verify(&verifier, &shown(&token, features, ip)).err();
            assert_eq!(refused, Some(Rejected::Elsewhere), "{round} {features:?} {ip}");
            verify(&verifier, &shown(&token, Some(OWN), HOME)).unwrap();
        }
        let rejected = verifier.status(at(1).monotonic).rejected;
        assert!(rejected.contains(&("binding", 2)), "{rejected:?}");
    }
}

#[test]
fn a_program_that_does_not_look_lets_no_bound_token_in_and_is_told_what_it_lacks() {
    let (verifier, token) = scene("cnf");
    let home: IpAddr = HOME.parse().unwrap();
    for (presented, unknown) in [
        (Presented::bearer(&token), Unknown::Features),
        (Presented::bearer(&token).ip(home), Unknown::Features),
        (Presented::bearer(&token).features(Some(OWN)), Unknown::Address),
    ] {
        for _ in 0..2 {
            let refused = verify(&verifier, &presented).err().unwrap();
            assert_eq!(refused, Rejected::Unverifiable(unknown));
            assert!(refused.to_string().contains("Presented::"), "{refused}");
        }
    }
}

#[test]
fn what_is_only_reported_is_let_in_and_counted() {
    let (verifier, token) = scene("cnf_reported");
    let counted = || verifier.status(at(1).monotonic).bindings_reported;
    verify(&verifier, &shown(&token, Some(OWN), HOME)).unwrap();
    assert_eq!(counted(), 0);
    for (round, presented) in [
        shown(&token, Some("curl"), HOME),
        shown(&token, Some(OWN), "198.51.100.7"),
        Presented::bearer(&token),
    ]
    .iter()
    .enumerate()
    {
        verify(&verifier, presented).unwrap();
        assert_eq!(counted(), round as u64 + 1);
    }
}

#[test]
fn a_policy_that_only_reports_lets_what_is_enforced_in_and_counts_it() {
    let (verifier, token) = scene("cnf");
    let policy = Policy::offline().report_bindings();
    verifier.verify(&shown(&token, Some("curl"), HOME), &policy, at(1)).unwrap();
    assert_eq!(verifier.status(at(1).monotonic).bindings_reported, 1);
}

#[test]
fn whoever_only_asks_about_a_token_compares_it_themselves() {
    let (verifier, token) = scene("cnf");
    let verified = verify(&verifier, &Presented::asked_about(&token)).unwrap();
    let features = verified.claims().imprints().features.unwrap();
    assert!(features.enforced);
    assert_eq!(features.to, features_imprint(SID, &sha256(OWN.as_bytes())));
}

#[test]
fn what_is_told_of_an_opaque_token_is_compared_at_once_and_at_every_use() {
    let handle = crate::told::opaque(SID);
    let token = &*handle;
    let verifier = Filled::new()
        .asking(Verifier::builder(ISSUER).audience(AUDIENCE), keys(&[&key(Algorithm::EdDsa)]))
        .unwrap();
    let told = claims(ISSUER, &[("active", "true"), ("cnf", &bound())]);
    let tell = |presented: &Presented<'_>| {
        tell_shown(&verifier, presented, told.as_bytes(), &Policy::offline(), at(1))
    };
    let (own, other) = (shown(token, Some(OWN), HOME), shown(token, Some("curl"), HOME));
    assert_eq!(tell(&other).err(), Some(Rejected::Elsewhere));
    assert_eq!(verify(&verifier, &own).err(), Some(Rejected::Ask), "not kept");
    assert!(tell(&own).unwrap().is_some());
    assert!(verify(&verifier, &own).is_ok());
    assert_eq!(verify(&verifier, &other).err(), Some(Rejected::Elsewhere));
}
