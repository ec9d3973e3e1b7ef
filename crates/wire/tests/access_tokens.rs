//! Access tokens: issued, read back, and never taken for anything else.

use proptest::prelude::*;
use symbolon_core::imprint::{Bound, Imprint, Imprints};
use symbolon_core::{Digest, Generation, SessionId, StoreEpoch, Timestamp, Ver};
use symbolon_wire::{
    Algorithm, Claims, ExtraClaims, IssueError, Issued, KeySet, MasterKey, ParsedClaims,
    RefreshTokenKeys, SharedSecret, SigningKey, Type, session_id_text, verify,
};

fn master() -> MasterKey {
    MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU")
        .unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn claims<'a>(extra: &'a ExtraClaims<'a>) -> Claims<'a> {
    Claims {
        iss: "https://id.example.com",
        sub: "user \"42\" 用户",
        aud: &["demo-api"],
        client_id: "web",
        iat: Timestamp::from_millis(1_700_000_000_999),
        exp: Timestamp::from_seconds(1_700_000_300),
        scope: Some("orders:read orders:write"),
        sid: Some(SessionId::from_bytes([9; 16])),
        ver: Ver { store: StoreEpoch(u32::MAX), subject: u64::MAX, client: 0, everything: 7 },
        auth_time: Some(Timestamp::from_seconds(1_699_999_999)),
        acr: Some("urn:mfa"),
        amr: &["pwd", "otp"],
        roles: &["admin"],
        jkt: Some(Digest([3; 32])),
        imprints: IMPRINTS,
        extra,
    }
}

const IMPRINTS: Imprints = Imprints {
    features: Some(Bound { to: Imprint([4; 16]), enforced: true }),
    network: Some(Bound { to: Imprint([5; 16]), enforced: false }),
};

fn issue(claims: &Claims<'_>, key: &SigningKey) -> Result<Issued, IssueError> {
    claims.issue(key, Type::AccessTokenJwt, &master().jti_key(), Generation(5))
}

#[test]
fn what_was_issued_is_what_is_read_under_every_algorithm() {
    let extra = ExtraClaims::parse(r#"{"tenant":{"id":7},"plan":"a\u0062"}"#).unwrap();
    for alg in Algorithm::ALL {
        let key = SigningKey::generate(alg).unwrap();
        let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
        let issued = issue(&claims(&extra), &key).ok().unwrap();
        let payload = verify(&keys, alg, issued.token.expose()).ok().unwrap();
        let read = ParsedClaims::of(&payload).unwrap();
        assert_eq!(payload.typ(), Some(Type::AccessTokenJwt));
        assert_eq!((&*read.iss, &*read.sub), ("https://id.example.com", "user \"42\" 用户"));
        assert!(read.aud.contains("demo-api"));
        assert_eq!((&*read.client_id, &*read.jti), ("web", &*issued.jti.to_text()));
        assert_eq!(read.iat, Timestamp::from_seconds(1_700_000_000), "rounded down");
        assert_eq!(read.exp, Timestamp::from_seconds(1_700_000_300));
        assert_eq!(read.nbf, None);
        assert_eq!(read.scopes().collect::<Vec<_>>(), ["orders:read", "orders:write"]);
        assert_eq!(read.sid, Some(SessionId::from_bytes([9; 16])));
        assert_eq!(read.ver, claims(&extra).ver);
        assert_eq!(read.auth_time, Some(Timestamp::from_seconds(1_699_999_999)));
        assert_eq!(read.acr.as_deref(), Some("urn:mfa"));
        assert_eq!(read.amr.iter().collect::<Vec<_>>(), ["pwd", "otp"]);
        assert_eq!(read.roles.iter().collect::<Vec<_>>(), ["admin"]);
        assert_eq!((read.jkt, read.imprints), (Some(Digest([3; 32])), IMPRINTS));
        assert_eq!(read.extra("tenant").map(|raw| raw.get()), Some(r#"{"id":7}"#));
        assert_eq!(read.extras().count(), 2);
    }
}

#[test]
fn the_payload_reads_as_rfc_9068_has_it() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
    let least = Claims {
        sub: "client:svc",
        aud: &["a", "b"],
        scope: None,
        sid: None,
        ver: Ver::default(),
        auth_time: None,
        acr: None,
        amr: &[],
        roles: &[],
        jkt: None,
        imprints: Imprints::default(),
        ..claims(&ExtraClaims::NONE)
    };
    let issued = issue(&least, &key).ok().unwrap();
    let payload = verify(&keys, Algorithm::EdDsa, issued.token.expose()).ok().unwrap();
    let expected = format!(
        "{{\"iss\":\"https://id.example.com\",\"sub\":\"client:svc\",\"aud\":[\"a\",\"b\"],\
         \"client_id\":\"web\",\"iat\":1700000000,\"exp\":1700000300,\"ver\":[0,0,0,0],\
         \"jti\":\"{}\"}}",
        issued.jti.to_text()
    );
    assert_eq!(std::str::from_utf8(payload.bytes()).unwrap(), expected);
    assert!(ParsedClaims::of(&payload).is_ok());
}

#[test]
fn equal_claims_make_equal_bytes_and_any_other_claim_another_name() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let extra = ExtraClaims::NONE;
    let one = issue(&claims(&extra), &key).ok().unwrap();
    let same = issue(&claims(&extra), &key).ok().unwrap();
    assert_eq!(one.token.expose(), same.token.expose());
    let later = Claims { iat: Timestamp::from_seconds(1_700_000_001), ..claims(&extra) };
    let other_sid = Claims { sid: None, ..claims(&extra) };
    for changed in [later, other_sid] {
        assert_ne!(issue(&changed, &key).ok().unwrap().jti, one.jti);
    }
    let jti_key = master().jti_key();
    let next = claims(&extra).issue(&key, Type::AccessTokenJwt, &jti_key, Generation(6));
    assert_ne!(next.ok().unwrap().jti, one.jti, "another generation");
    let jwt = claims(&extra).issue(&key, Type::Jwt, &jti_key, Generation(5)).ok().unwrap();
    assert_ne!(jwt.token.expose(), one.token.expose());
}

#[test]
fn a_token_without_a_session_is_named_by_what_was_drawn_for_it() {
    let (key, jti_key) = (SigningKey::generate(Algorithm::EdDsa).unwrap(), master().jti_key());
    let extra = ExtraClaims::NONE;
    let issue = |drawn: u8| {
        let own = Claims { sid: None, imprints: Imprints::default(), ..claims(&extra) };
        own.issue_once(&key, Type::AccessTokenJwt, &jti_key, &[drawn; 16]).ok().unwrap()
    };
    let (one, other) = (issue(1), issue(2));
    assert_ne!(one.jti, other.jti, "two of one second are two tokens");
    assert_eq!(issue(1).token.expose(), one.token.expose());
    let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
    let payload = verify(&keys, Algorithm::EdDsa, one.token.expose()).ok().unwrap();
    let read = ParsedClaims::of(&payload).unwrap();
    assert_eq!((read.sid, &*read.jti), (None, &*one.jti.to_text()));
}

#[test]
fn a_token_over_4_kib_is_not_issued() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let scope = |len| "s".repeat(len);
    let with = |scope: &str| {
        let extra = ExtraClaims::NONE;
        issue(&Claims { scope: Some(scope), ..claims(&extra) }, &key)
    };
    let base = with(&scope(0)).ok().unwrap().token.expose().len();
    let fits = (4096 - base) / 4 * 3;
    assert!(with(&scope(fits)).ok().unwrap().token.expose().len() <= 4096);
    match with(&scope(fits + 4)).err() {
        Some(IssueError::TooLong { bytes }) => assert!(bytes > 4096),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_claim_that_rfc_9068_requires_is_required() {
    let whole = r#"{"iss":"i","sub":"s","aud":"a","client_id":"c","iat":1,"exp":2,"jti":"j","ver":[1,2,3,4]}"#;
    assert!(ParsedClaims::parse_unverified(whole.as_bytes()).is_ok());
    for name in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "ver"] {
        let without = whole.replace(&format!("\"{name}\":"), "\"x\":");
        let why = ParsedClaims::parse_unverified(without.as_bytes()).err().unwrap();
        assert_eq!(why.to_string(), format!("{name}: is missing"));
    }
    for name in ["iss", "sub", "client_id", "jti"] {
        for value in ["\"\"", "null", "7", "[\"x\"]", "{\"x\":1}"] {
            let at = whole.find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
            let end = at + whole[at..].find(',').unwrap();
            let changed = format!("{}{value}{}", &whole[..at], &whole[end..]);
            let why = ParsedClaims::parse_unverified(changed.as_bytes()).err().unwrap();
            assert_eq!(why.member(), name, "{value}");
        }
    }
}

#[test]
fn a_claim_of_ours_that_cannot_be_read_is_refused_by_name() {
    let with = |member: &str| {
        format!(
            r#"{{"iss":"i","sub":"s","aud":"a","client_id":"c","iat":1,"exp":2,"jti":"j",{member}}}"#
        )
    };
    for (name, value) in [
        ("ver", "[1,2,3]"),
        ("ver", "[1,2,3,4,5]"),
        ("ver", "[4294967296,2,3,4]"),
        ("ver", "[1,2,3,-1]"),
        ("ver", "[1,2,3,1.0]"),
        ("ver", "[1,2,3,18446744073709551616]"),
        ("ver", "{}"),
        ("ver", "null"),
    ] {
        let text = with(&format!("\"{name}\":{value}"));
        assert_eq!(ParsedClaims::parse_unverified(text.as_bytes()).err().unwrap().member(), name);
    }
    for (name, value) in [
        ("sid", "\"\""),
        ("sid", "\"short\""),
        ("sid", "null"),
        ("scope", "[]"),
        ("scope", "null"),
        ("acr", "1"),
        ("amr", "\"pwd\""),
        ("amr", "[1]"),
        ("roles", "{}"),
        ("roles", "[null]"),
        ("cnf", "\"x\""),
        ("cnf", "[]"),
        ("cnf", "{\"jkt\":\"AA\",\"jwk\":{}}"),
        ("cnf", "null"),
    ] {
        let text = with(&format!("\"ver\":[1,2,3,4],\"{name}\":{value}"));
        assert_eq!(ParsedClaims::parse_unverified(text.as_bytes()).err().unwrap().member(), name);
    }
    // A binding that we do not know is not a bearer token.
    for value in ["{}", "{\"x5t#S256\":\"AA\"}", "{\"jkt\":\"AA\"}", "{\"jkt\":1}"] {
        let text = with(&format!("\"ver\":[1,2,3,4],\"cnf\":{value}"));
        assert_eq!(
            ParsedClaims::parse_unverified(text.as_bytes()).err().unwrap().member(),
            "cnf.jkt"
        );
    }
}

#[test]
fn what_is_enforced_stands_in_cnf_and_what_is_reported_beside_it() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
    let (features, network) = ("BAQEBAQEBAQEBAQEBAQEBA", "BQUFBQUFBQUFBQUFBQUFBQ");
    let said = |jkt: Option<Digest>, enforced: [bool; 2]| {
        let Imprints { features, network } = IMPRINTS;
        let imprints = Imprints {
            features: features.map(|own| Bound { enforced: enforced[0], ..own }),
            network: network.map(|own| Bound { enforced: enforced[1], ..own }),
        };
        let issued = issue(&Claims { jkt, imprints, ..claims(&ExtraClaims::NONE) }, &key);
        let issued = issued.ok().unwrap();
        let payload = verify(&keys, Algorithm::EdDsa, issued.token.expose()).ok().unwrap();
        assert_eq!(ParsedClaims::of(&payload).unwrap().imprints, imprints);
        let text = std::str::from_utf8(payload.bytes()).unwrap();
        text[text.find(",\"cnf").unwrap()..text.find(",\"jti").unwrap()].to_owned()
    };
    let jkt = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM";
    let both = format!(r#""features":"{features}","network":"{network}"}}"#);
    assert_eq!(said(None, [true, true]), format!(r#","cnf":{{{both}"#));
    assert_eq!(said(None, [false, false]), format!(r#","cnf_reported":{{{both}"#));
    assert_eq!(
        said(Some(Digest([3; 32])), [false, true]),
        format!(
            r#","cnf":{{"jkt":"{jkt}","network":"{network}"}},"cnf_reported":{{"features":"{features}"}}"#
        )
    );
}

#[test]
fn what_is_bound_in_a_way_that_cannot_be_compared_is_refused() {
    let own = "AAAAAAAAAAAAAAAAAAAAAA";
    let with = |member: &str| {
        format!(
            r#"{{"iss":"i","sub":"s","aud":"a","client_id":"c","iat":1,"exp":2,"jti":"j",{member}}}"#
        )
    };
    let sid = format!("\"sid\":\"{own}\"");
    for (claims, wrong) in [
        (format!(r#""cnf":{{"features":"{own}"}}"#), "sid"),
        (format!(r#""cnf_reported":{{"network":"{own}"}}"#), "sid"),
        (format!(r#"{sid},"cnf":{{"features":"AA"}}"#), "cnf.features"),
        (format!(r#"{sid},"cnf":{{"network":null}}"#), "cnf.network"),
        (format!(r#"{sid},"cnf":{{"network":"{own}","place":"x"}}"#), "cnf"),
        (format!(r#"{sid},"cnf_reported":"x""#), "cnf_reported"),
        (format!(r#"{sid},"cnf_reported":{{"features":1}}"#), "cnf_reported.features"),
        (
            format!(r#"{sid},"cnf":{{"features":"{own}"}},"cnf_reported":{{"features":"{own}"}}"#),
            "cnf_reported",
        ),
    ] {
        let text = with(&format!("\"ver\":[1,2,3,4],{claims}"));
        let refused = ParsedClaims::parse_unverified(text.as_bytes()).err().unwrap();
        assert_eq!(refused.member(), wrong, "{claims}");
    }
}

#[test]
fn no_token_is_taken_for_one_of_another_kind() {
    let refresh: RefreshTokenKeys = master().refresh_token_keys(0, 0);
    let sid = SessionId::from_bytes([1; 16]);
    let refresh_text = refresh.mint(StoreEpoch(0), sid, Generation(0), symbolon_core::Salt([1; 8]));
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
    let access = issue(&claims(&ExtraClaims::NONE), &key).ok().unwrap().token;
    let api_keys = master().api_key_digests();
    let (_, api_key, _) = api_keys.mint(&[4; 32]);
    for other in [access.expose(), api_key.expose(), &session_id_text(sid)] {
        assert!(refresh.open(other).is_err());
    }
    for other in [refresh_text.expose(), api_key.expose()] {
        assert!(verify(&keys, Algorithm::EdDsa, other).is_err());
    }
    for other in [refresh_text.expose(), access.expose()] {
        assert!(api_keys.parse(other).is_err());
    }
}

proptest! {
    #[test]
    fn any_text_in_a_claim_comes_back_as_it_was(sub in ".{1,60}", role in ".{0,20}", scope in ".{0,40}") {
        let key = SigningKey::from_secret(SharedSecret::assume_drawn(&[1; 32]));
        let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
        let roles = [&*role];
        let extra = ExtraClaims::NONE;
        let all = Claims { sub: &sub, roles: &roles, scope: Some(&scope), ..claims(&extra) };
        let issued = issue(&all, &key).ok().unwrap();
        let payload = verify(&keys, Algorithm::Hs256, issued.token.expose()).ok().unwrap();
        let read = ParsedClaims::of(&payload).unwrap();
        prop_assert_eq!(&*read.sub, &*sub);
        prop_assert_eq!(read.roles.iter().next(), Some(&*role));
        prop_assert_eq!(read.scope.as_deref(), Some(&*scope));
    }

    #[test]
    fn random_bytes_are_no_claims_and_no_token(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
        let key = SigningKey::from_secret(SharedSecret::assume_drawn(&[1; 32]));
        let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
        prop_assert!(ParsedClaims::parse_unverified(&bytes).is_err());
        prop_assert!(verify(&keys, Algorithm::Hs256, &text).is_err());
        prop_assert!(KeySet::parse(&text).is_err());
    }
}
