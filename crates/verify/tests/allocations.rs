//! How often a check allocates: the payload once, and once more for claims that a back end added. A hit never.

#![expect(clippy::unwrap_used, reason = "the tests' helper unwraps as the tests do")]

use allocation_counter::measure;
use data_encoding::BASE64URL_NOPAD;
use std::time::Duration;
use symbolon_core::binding::Network;
use symbolon_core::{Salt, SessionId};
use symbolon_verify::measure::{Filled, tell};
use symbolon_verify::{Algorithm, KeySet, Now, Policy, Presented, Timestamp, Verifier};
use symbolon_wire::{
    HandleKind, MasterKey, SigningKey, Type, features_imprint, network_imprint, sha256,
};

const BEFORE: &str = r#"{"iss":"https://id.example.com","sub":"42","aud":"demo-api","client_id":"web","iat":1700000000,"exp":1700000300,"jti":"j","scope":"orders:read profile","sid":"AAAAAAAAAAAAAAAAAAAAAA","ver":[1,7,3,2],"amr":["pwd"],"roles":["clerk","buyer"]"#;

fn allocations(alg: Algorithm, cache: usize, claims: &str) -> [u64; 2] {
    let key = SigningKey::generate(alg).unwrap();
    let token = key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap();
    let keys = || KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
    let builder = Verifier::builder("https://id.example.com").audience("demo-api");
    let verifier = builder.algorithm(alg).cache(cache).offline(keys()).unwrap();
    let policy = Policy::offline().scope("orders:read").role("buyer");
    let wall = Timestamp::from_seconds(1_700_000_001);
    let now = Now { wall, monotonic: Duration::ZERO };
    let check = || {
        let checked = verifier.check(&Presented::bearer(&token), &policy, now, |own| own.sub.len());
        assert_eq!(checked, Ok(2));
    };
    // Whatever a library sets up once is set up by another key's check.
    check();
    verifier.replace_keys(keys());
    let other = SigningKey::generate(alg).unwrap();
    verifier.replace_keys(KeySet::from_keys(vec![other.verifying_key()]).ok().unwrap());
    verifier.replace_keys(keys());
    [measure(check).count_total, measure(check).count_total]
}

#[test]
fn a_cold_check_allocates_twice_at_most() {
    let plain = format!("{BEFORE}}}");
    let extra = format!("{BEFORE},\"tenant\":\"t\",\"plan\":7,\"beta\":[true,\"x\"]}}");
    for alg in Algorithm::ALL {
        assert_eq!(allocations(alg, 0, &plain), [1, 1], "{alg:?}");
        assert_eq!(allocations(alg, 0, &extra), [2, 2], "{alg:?}");
    }
}

#[test]
fn a_token_that_is_known_allocates_nothing() {
    for alg in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let [first, second] = allocations(alg, 16, &format!("{BEFORE}}}"));
        assert!(0 < first && second == 0, "{alg:?}: {first}, then {second}");
    }
}

#[test]
fn a_known_token_that_is_bound_to_features_and_a_network_allocates_nothing() {
    let sid = SessionId::from_bytes([0; 16]);
    let home: std::net::IpAddr = "203.0.113.7".parse().unwrap();
    let features = features_imprint(sid, &sha256(b"Firefox on Debian"));
    let network = network_imprint(sid, Network::of(home));
    let [features, network] = [features, network].map(|own| BASE64URL_NOPAD.encode(&own.0));
    let cnf = format!(r#"{{"features":"{features}","network":"{network}"}}"#);
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let token = key.sign(Type::AccessTokenJwt, format!("{BEFORE},\"cnf\":{cnf}}}").as_bytes());
    let token = token.unwrap();
    let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
    let verifier = Verifier::builder("https://id.example.com").audience("demo-api");
    let verifier = verifier.offline(keys).unwrap();
    let policy = Policy::offline();
    let now = Now { wall: Timestamp::from_seconds(1_700_000_001), monotonic: Duration::ZERO };
    let presented = Presented::bearer(&token).features(Some("Firefox on Debian")).ip(home);
    let check = || assert_eq!(verifier.check(&presented, &policy, now, |_| ()), Ok(()));
    check();
    assert_eq!(measure(check).count_total, 0);
}

#[test]
fn an_opaque_token_that_was_asked_about_allocates_nothing() {
    let master = MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU").ok().unwrap();
    let sid = SessionId::from_bytes([0; 16]);
    let token = master.handle_keys().mint(HandleKind::AccessToken, sid, Salt([7; 8]));
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
    let builder = Verifier::builder("https://id.example.com").audience("demo-api");
    let verifier = Filled::new().asking(builder, keys).unwrap();
    let policy = Policy::offline().scope("orders:read").role("buyer");
    let now = Now { wall: Timestamp::from_seconds(1_700_000_001), monotonic: Duration::ZERO };
    let body = BEFORE.replacen('{', "{\"active\":true,", 1) + "}";
    let told = tell(&verifier, token.expose(), body.as_bytes(), &policy, now);
    assert!(told.unwrap().is_some());
    let presented = Presented::bearer(token.expose());
    let check = || {
        let checked = verifier.check(&presented, &policy, now, |own| own.sub.len());
        assert_eq!(checked, Ok(2));
    };
    check();
    assert_eq!(measure(check).count_total, 0);
}

#[tokio::test]
async fn noting_which_sessions_are_used_allocates_once_a_minute_and_not_at_every_hit() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let token = key.sign(Type::AccessTokenJwt, format!("{BEFORE}}}").as_bytes()).unwrap();
    let builder = Verifier::builder("https://id.example.com").audience("demo-api");
    // Its tasks run when this test awaits something, which it never does.
    let verifier = builder.introspection("k").report_activity(true).connect_lazily().unwrap();
    verifier.replace_keys(KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap());
    let check = |seconds: u64| {
        let wall = Timestamp::from_seconds(1_700_000_040 + seconds);
        let now = Now { wall, monotonic: Duration::ZERO };
        let presented = Presented::bearer(&token);
        assert_eq!(verifier.check(&presented, &Policy::offline(), now, |_| ()), Ok(()));
    };
    check(0);
    assert_eq!(measure(|| check(59)).count_total, 0);
    check(60);
    assert_eq!(verifier.status(Duration::ZERO).uses_waiting, 1);
    assert_eq!(measure(|| check(119)).count_total, 0);
}
