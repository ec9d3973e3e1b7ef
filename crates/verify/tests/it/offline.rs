//! What a verifier decides by itself, also when it is built without a network half.

use crate::tokens::{AUDIENCE, ISSUED, ISSUER, at, claims, key, keys, token, verifier};
use data_encoding::BASE64URL_NOPAD;
use std::time::Duration;
use symbolon_verify::{
    Algorithm, Distrust, Now, Policy, Presented, Rejected, SetupError, Type, Unknown, Verified,
    Verifier,
};
use symbolon_wire::SigningKey;

fn offline(verifier: &Verifier, token: &str, now: Now) -> Result<Verified, Rejected> {
    verifier.verify(&Presented::bearer(token), &Policy::offline(), now)
}

/// What becomes of a token with these claims changed.
fn with(changes: &[(&str, &str)]) -> Result<Verified, Rejected> {
    let key = key(Algorithm::EdDsa);
    offline(&verifier(&key), &token(&key, changes), at(1))
}

fn untrusted(what: Distrust) -> Option<Rejected> {
    Some(Rejected::Untrusted(what))
}

fn malformed(checked: Result<Verified, Rejected>) -> String {
    match checked.err() {
        Some(Rejected::Malformed(why)) => why.member().to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_good_token_shows_its_claims() {
    let verified = with(&[("tenant", "{\"id\":7}")]).unwrap();
    let claims = verified.claims();
    assert_eq!((claims.iss, claims.sub, claims.client_id, claims.jti), (ISSUER, "42", "web", "j"));
    assert_eq!(claims.scopes().collect::<Vec<_>>(), ["orders:read", "profile"]);
    assert_eq!(claims.roles().collect::<Vec<_>>(), ["clerk"]);
    assert_eq!(claims.aud().collect::<Vec<_>>(), [AUDIENCE]);
    assert_eq!(claims.session_id().as_deref(), Some("AAAAAAAAAAAAAAAAAAAAAA"));
    assert_eq!(claims.extra("tenant"), Some("{\"id\":7}"));
    assert_eq!(claims.extra("sub"), None);
}

#[test]
fn a_clients_own_token_has_no_session_and_is_accepted() {
    let own =
        [("sid", ""), ("sub", "\"client:billing\""), ("client_id", "\"billing\""), ("roles", "")];
    let verified = with(&own).unwrap();
    let claims = verified.claims();
    assert_eq!((claims.sub, claims.session_id()), ("client:billing", None));
    assert_eq!(claims.roles().count(), 0);
}

#[test]
fn check_lends_the_same_claims_that_verify_gives() {
    let key = key(Algorithm::EdDsa);
    let (verifier, token) = (verifier(&key), token(&key, &[("x", "[1]")]));
    let presented = Presented::bearer(&token);
    let lent = verifier.check(&presented, &Policy::offline(), at(1), |claims| {
        let lists: Vec<String> =
            claims.roles().chain(claims.aud()).chain(claims.amr()).map(String::from).collect();
        (claims.sub.to_owned(), claims.sid, lists, claims.extra("x").map(String::from))
    });
    let kept = verifier.verify(&presented, &Policy::offline(), at(1)).unwrap();
    let kept = kept.claims();
    let lists = vec!["clerk".to_owned(), AUDIENCE.to_owned()];
    assert_eq!(lent, Ok((kept.sub.to_owned(), kept.sid, lists, kept.extra("x").map(String::from))));
}

#[test]
fn what_verify_gives_may_travel_between_threads_and_outlive_the_token() {
    fn travels<T: Send + Sync + 'static>(_: &T) {}
    travels(&with(&[]).unwrap());
    travels(&verifier(&key(Algorithm::EdDsa)));
}

#[test]
fn every_algorithm_verifies_when_it_is_pinned_and_no_other_does() {
    for alg in Algorithm::ALL {
        let key = key(alg);
        let token = token(&key, &[]);
        for pinned in Algorithm::ALL {
            let builder = Verifier::builder(ISSUER).audience(AUDIENCE).algorithm(pinned);
            let verifier = builder.offline(keys(&[&key])).unwrap();
            let expected = if alg == pinned { None } else { untrusted(Distrust::Algorithm) };
            assert_eq!(offline(&verifier, &token, at(1)).err(), expected, "{alg:?} {pinned:?}");
        }
    }
}

#[test]
fn an_audience_that_moves_between_algorithms_accepts_both() {
    let (old, new) = (key(Algorithm::EdDsa), key(Algorithm::Es256));
    let builder = Verifier::builder(ISSUER).audience(AUDIENCE);
    let builder = builder.algorithm(Algorithm::EdDsa).algorithm(Algorithm::Es256);
    let verifier = builder.offline(keys(&[&old, &new])).unwrap();
    for key in [&old, &new] {
        assert!(offline(&verifier, &token(key, &[]), at(1)).is_ok());
    }
}

#[test]
fn the_algorithm_of_the_header_is_compared_and_never_obeyed() {
    let key = key(Algorithm::Rs256);
    let good = token(&key, &[]);
    let (_, rest) = good.split_once('.').unwrap();
    let kid = symbolon_wire::key_id_text(key.kid());
    let builder = Verifier::builder(ISSUER).audience(AUDIENCE).algorithm(Algorithm::Rs256);
    let verifier = builder.offline(keys(&[&key])).unwrap();
    for alg in ["none", "HS256", "EdDSA", "rs256", ""] {
        let header = format!("{{\"alg\":\"{alg}\",\"typ\":\"at+jwt\",\"kid\":\"{kid}\"}}");
        let forged = format!("{}.{rest}", BASE64URL_NOPAD.encode(header.as_bytes()));
        assert_eq!(
            offline(&verifier, &forged, at(1)).err(),
            untrusted(Distrust::Algorithm),
            "{alg}"
        );
    }
}

#[test]
fn a_token_of_another_issuer_is_refused_however_alike_the_names_are() {
    for issuer in [
        "https://id.example.co",
        "https://id.example.com/",
        "https://id.example.comm",
        "https://ID.example.com",
        "http://id.example.com",
        " https://id.example.com",
    ] {
        let key = key(Algorithm::EdDsa);
        let claims = claims(issuer, &[]);
        let token = key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap();
        let checked = offline(&verifier(&key), &token, at(1));
        assert_eq!(checked.err(), untrusted(Distrust::Issuer), "{issuer}");
    }
}

#[test]
fn a_token_for_another_audience_is_refused() {
    for aud in ["\"demo\"", "\"demo-api2\"", "\"DEMO-API\"", "[\"a\",\"b\"]", "\"demo-api \""] {
        assert_eq!(with(&[("aud", aud)]).err(), untrusted(Distrust::Audience), "{aud}");
    }
    assert!(with(&[("aud", "[\"https://id.example.com\",\"demo-api\"]")]).is_ok());
}

#[test]
fn a_token_signed_by_another_key_is_refused() {
    let (ours, theirs) = (key(Algorithm::EdDsa), key(Algorithm::EdDsa));
    let foreign = token(&theirs, &[]);
    let checked = offline(&verifier(&ours), &foreign, at(1));
    assert_eq!(checked.err(), untrusted(Distrust::Key));
    let (header, _) =
        token(&ours, &[]).split_once('.').map(|(h, r)| (h.to_owned(), r.to_owned())).unwrap();
    let (_, rest) = foreign.split_once('.').unwrap();
    let renamed = format!("{header}.{rest}");
    assert_eq!(offline(&verifier(&ours), &renamed, at(1)).err(), untrusted(Distrust::Signature));
}

#[test]
fn a_token_with_any_changed_character_is_refused() {
    let key = key(Algorithm::EdDsa);
    let (verifier, good) = (verifier(&key), token(&key, &[]));
    for index in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(offline(&verifier, &changed, at(1)).is_err(), "character {index}");
    }
}

#[test]
fn only_the_expected_type_is_an_access_token() {
    let key = key(Algorithm::EdDsa);
    let claims = claims(ISSUER, &[]);
    let jwt = key.sign(Type::Jwt, claims.as_bytes()).unwrap();
    let at_jwt = key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap();
    let strict = verifier(&key);
    let lax = Verifier::builder(ISSUER).audience(AUDIENCE).typ(Type::Jwt);
    let lax = lax.offline(keys(&[&key])).unwrap();
    assert_eq!(offline(&strict, &jwt, at(1)).err(), untrusted(Distrust::Type));
    assert_eq!(offline(&lax, &at_jwt, at(1)).err(), untrusted(Distrust::Type));
    assert!(offline(&strict, &at_jwt, at(1)).is_ok());
    assert!(offline(&lax, &jwt, at(1)).is_ok());
}

#[test]
fn a_token_is_good_until_just_before_its_expiry() {
    let key = key(Algorithm::EdDsa);
    let (verifier, token) = (verifier(&key), token(&key, &[]));
    let with = |seconds, leeway| {
        let policy = Policy::offline().leeway(Duration::from_secs(leeway));
        verifier.verify(&Presented::bearer(&token), &policy, at(seconds)).err()
    };
    for (seconds, leeway, refused) in [
        (299, 0, false),
        (300, 0, true),
        (309, 10, false),
        (310, 10, true),
        (359, 600, false),
        (360, 600, true),
    ] {
        let expected = refused.then_some(Rejected::Expired);
        assert_eq!(with(seconds, leeway), expected, "{seconds} s with {leeway} s of leeway");
    }
}

#[test]
fn a_token_from_the_future_is_refused_beyond_what_clocks_differ() {
    let key = key(Algorithm::EdDsa);
    let (verifier, fresh) = (verifier(&key), token(&key, &[]));
    assert!(offline(&verifier, &fresh, at(-10)).is_ok());
    assert_eq!(offline(&verifier, &fresh, at(-11)).err(), untrusted(Distrust::NotYet));
    let later = token(&key, &[("nbf", &(ISSUED + 100).to_string())]);
    assert!(offline(&verifier, &later, at(90)).is_ok());
    assert_eq!(offline(&verifier, &later, at(89)).err(), untrusted(Distrust::NotYet));
}

#[test]
fn a_claim_that_cannot_be_read_is_not_an_absent_one() {
    for (claim, value) in [
        ("exp", "\"1700000300\""),
        ("exp", "null"),
        ("exp", "-1"),
        ("exp", "1e300"),
        ("nbf", "\"0\""),
        ("nbf", "null"),
        ("iat", "true"),
        ("aud", "{}"),
        ("aud", "[]"),
        ("scope", "[\"orders:read\"]"),
        ("roles", "\"admin\""),
        ("sid", "\"short\""),
        ("ver", "[0,0,0]"),
    ] {
        assert_eq!(malformed(with(&[(claim, value)])), claim, "{value}");
    }
}

#[test]
fn every_claim_that_rfc_9068_requires_is_required() {
    for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        assert_eq!(malformed(with(&[(claim, "")])), claim);
    }
}

#[test]
fn a_payload_that_is_no_object_is_refused() {
    let key = key(Algorithm::EdDsa);
    for payload in ["", "[]", "null", "\"a\"", "[[\"iss\",1]]", "{} {}"] {
        let token = key.sign(Type::AccessTokenJwt, payload.as_bytes()).unwrap();
        assert_eq!(malformed(offline(&verifier(&key), &token, at(1))), "claims", "{payload}");
    }
}

#[test]
fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let jkt = format!("{{\"jkt\":\"{}\"}}", "A".repeat(43));
    assert_eq!(with(&[("cnf", &jkt)]).err(), Some(Rejected::Binding));
    let key = key(Algorithm::EdDsa);
    let token = token(&key, &[]);
    let bare = verifier(&key).verify(&Presented::dpop(&token), &Policy::offline(), at(1));
    assert_eq!(bare.err(), Some(Rejected::Binding), "nor is a bearer token a bound one");
    // Bound in a way that is not understood: not a bearer token either.
    assert!(with(&[("cnf", "{\"x5t#S256\":\"AAAA\"}")]).is_err());
}

#[test]
fn a_refresh_token_and_other_text_are_never_an_access_token() {
    let verifier = verifier(&key(Algorithm::EdDsa));
    let refresh = format!("sym_rt_{}", "A".repeat(80));
    let long = "a".repeat(1 << 20);
    for text in ["", ".", "..", "a.b", "a.b.c.d", "a.b.c.d.e", &refresh, "sym_ak_AAAA", &long] {
        let checked = offline(&verifier, text, at(1)).err();
        assert!(matches!(checked, Some(Rejected::Malformed(_))), "{checked:?}");
    }
}

#[test]
fn a_policy_that_needs_to_know_of_revocations_says_ask() {
    let key = key(Algorithm::EdDsa);
    let (verifier, token) = (verifier(&key), token(&key, &[]));
    for policy in [Policy::default(), Policy::strict(Duration::MAX), Policy::bounded(Duration::MAX)]
    {
        let checked = verifier.check(&Presented::bearer(&token), &policy, at(1), |_| ());
        assert_eq!(checked, Err(Rejected::Ask));
        let expired = verifier.check(&Presented::bearer(&token), &policy, at(300), |_| ());
        assert_eq!(expired, Err(Rejected::Expired), "what is known is said at once");
    }
}

#[test]
fn scopes_and_roles_must_all_be_there_whole() {
    let key = key(Algorithm::EdDsa);
    let (verifier, token) = (verifier(&key), token(&key, &[]));
    let check =
        |policy: Policy| verifier.check(&Presented::bearer(&token), &policy, at(1), |_| ()).err();
    let any = Policy::offline;
    assert_eq!(check(any().scope("orders:read").scope("profile").role("clerk")), None);
    for (policy, needed) in [
        (any().scope("orders"), "orders"),
        (any().scope("orders:read profile"), "orders:read profile"),
        (any().scope("profile").scope("orders:write"), "profile orders:write"),
        (any().scope("ORDERS:READ"), "ORDERS:READ"),
        (any().role("manager"), ""),
        (any().role("cler"), ""),
    ] {
        let expected = Rejected::InsufficientScope { needed: needed.into() };
        assert_eq!(check(policy), Some(expected));
    }
}

#[test]
fn an_authentication_that_is_older_than_the_route_allows_is_asked_for_again() {
    let key = key(Algorithm::EdDsa);
    let auth_time = (ISSUED - 60).to_string();
    let (verifier, own) = (verifier(&key), token(&key, &[("auth_time", &auth_time)]));
    let policy = Policy::offline().require_recent(Duration::from_millis(120_900));
    let check = |policy: &Policy, token: &str, seconds| {
        verifier.check(&Presented::bearer(token), policy, at(seconds), |_| ())
    };
    let max_age = Some(Duration::from_secs(120));
    let again = Rejected::InsufficientAuthentication { max_age, acr: "".into() };
    for warm in [false, true] {
        assert_eq!(check(&policy, &own, 60), Ok(()), "{warm}");
        assert_eq!(check(&policy, &own, 61), Err(again.clone()), "{warm}");
    }
    assert_eq!(check(&policy.clone().leeway(Duration::from_secs(5)), &own, 65), Ok(()));
    let of_a_client = token(&key, &[("auth_time", "")]);
    assert_eq!(check(&policy, &of_a_client, 1), Err(again.clone()));
    let lacking = Rejected::InsufficientScope { needed: "refund".into() };
    assert_eq!(check(&policy.scope("refund"), &own, 200), Err(lacking), "rights come first");
    assert_eq!(
        again.challenge(),
        r#"Bearer error="insufficient_user_authentication", max_age="120""#
    );
}

#[test]
fn a_level_suffices_if_it_is_named_and_levels_have_no_order() {
    let key = key(Algorithm::EdDsa);
    let verifier = verifier(&key);
    let check = |levels: &[&str], acr: &str| {
        let (token, policy) = (token(&key, &[("acr", acr)]), Policy::offline().require_acr(levels));
        verifier.check(&Presented::bearer(&token), &policy, at(1), |_| ()).err()
    };
    let asked =
        |acr: &str| Some(Rejected::InsufficientAuthentication { max_age: None, acr: acr.into() });
    assert_eq!(check(&["2", "3"], "\"3\""), None);
    assert_eq!(check(&["2"], "\"3\""), asked("2"));
    assert_eq!(check(&["2", "3"], "\"1\""), asked("2 3"));
    assert_eq!(check(&["2", "3"], "\"2 3\""), asked("2 3"));
    assert_eq!(check(&["2"], ""), asked("2"));
    assert_eq!(check(&[], ""), None);
}

#[test]
fn keys_are_replaced_whole() {
    let (old, new) = (key(Algorithm::EdDsa), key(Algorithm::EdDsa));
    let verifier = verifier(&old);
    verifier.clone().replace_keys(keys(&[&new]));
    assert!(offline(&verifier, &token(&new, &[]), at(1)).is_ok());
    assert_eq!(offline(&verifier, &token(&old, &[]), at(1)).err(), untrusted(Distrust::Key));
}

#[test]
fn a_verifier_without_issuer_or_audience_cannot_be_made() {
    let key: SigningKey = key(Algorithm::EdDsa);
    let made = |issuer: &str, audience: Option<&str>| {
        let builder = Verifier::builder(issuer);
        let builder = match audience {
            Some(name) => builder.audience(name),
            None => builder,
        };
        builder.offline(keys(&[&key])).err()
    };
    assert_eq!(made(ISSUER, None), Some(SetupError::Audience));
    assert_eq!(made(ISSUER, Some("")), Some(SetupError::Audience));
    assert!(matches!(made("", Some(AUDIENCE)), Some(SetupError::Issuer(_))));
}

#[test]
fn what_is_unknown_is_not_called_untrusted() {
    assert_eq!(Rejected::Unverifiable(Unknown::Keys).reason(), Some("unverifiable"));
    assert_eq!(Rejected::Untrusted(Distrust::Key).reason(), Some("untrusted"));
}
