//! Proofs that a key is held (RFC 9449): its examples, and points 2 to 7 of its §4.3.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::*;
use serde_json::{Value, json};
use symbolon_core::dpop::{DpopProof, Nonce};
use symbolon_core::{StoreEpoch, Timestamp};
use symbolon_wire::dpop::{NAME_BYTES_MAX, PROOF_BYTES_MAX};
use symbolon_wire::{
    Algorithm, DpopNonces, KeySet, NewProof, Refused, SigningKey, access_token_hash,
    open_dpop_proof, parse_thumbprint, verify,
};

fn read(seed: &str) -> String {
    let path = format!("{}/../../fuzz/seeds/dpop/{seed}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the seed is committed")
}

/// Opened, or why not.
fn opened(text: &str) -> Result<DpopProof, String> {
    open_dpop_proof(text).map_err(|refused| refused.to_string())
}

fn b64(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[5; 32]).expect("32 bytes are a seed")
}

fn signed(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", b64(header.as_bytes()), b64(claims.as_bytes()));
    let signature = b64(pair().sign(message.as_bytes()).as_ref());
    format!("{message}.{signature}")
}

fn own_header() -> Value {
    let x = b64(pair().public_key().as_ref());
    json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}})
}

fn own_claims() -> Value {
    json!({"jti": "j-1", "htm": "POST", "htu": "https://a/token", "iat": 1000})
}

/// Our own proof with one member of its header replaced; null takes it away.
fn with_header(name: &str, value: Value) -> Result<DpopProof, String> {
    let mut header = own_header();
    set(&mut header, name, value);
    opened(&signed(&header.to_string(), &own_claims().to_string()))
}

fn with_claim(name: &str, value: Value) -> Result<DpopProof, String> {
    let mut claims = own_claims();
    set(&mut claims, name, value);
    opened(&signed(&own_header().to_string(), &claims.to_string()))
}

fn set(object: &mut Value, name: &str, value: Value) {
    let members = object.as_object_mut().expect("it is an object");
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}

#[test]
fn the_example_of_rfc_9449_at_the_token_endpoint_opens() {
    let proof = opened(&read("token")).unwrap();
    let own = parse_thumbprint("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I").unwrap();
    assert_eq!((proof.key, &*proof.method), (own, "POST"));
    assert_eq!(proof.url.as_str(), "https://server.example.com/token");
    assert_eq!(proof.issued_at, Timestamp::from_seconds(1_562_262_616));
    assert_eq!((proof.access_token, &proof.nonce), (None, &None));
}

#[test]
fn the_example_of_rfc_9449_beside_an_access_token_opens() {
    let proof = opened(&read("resource")).unwrap();
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    assert_eq!(proof.access_token, Some(access_token_hash(token)));
    assert_eq!(proof.url.as_str(), "https://resource.example.org/protectedresource");
    assert_eq!(&*proof.method, "GET");
}

#[test]
fn what_a_client_signs_with_each_algorithm_opens_to_what_it_said() {
    for alg in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let key = SigningKey::generate(alg).unwrap();
        let at = Timestamp::from_seconds(1000);
        let new = NewProof {
            jti: "a",
            method: "GET",
            url: "https://A/x?y",
            at,
            access_token: Some("t"),
            nonce: Some("n"),
        };
        let proof = opened(&new.sign(&key).unwrap()).unwrap();
        assert_eq!(proof.key.0, key.public_jwk().unwrap().thumbprint());
        assert_eq!((&*proof.method, proof.url.as_str()), ("GET", "https://a/x"));
        assert_eq!((proof.issued_at, proof.nonce.as_deref()), (at, Some("n")));
        assert_eq!(proof.access_token, Some(access_token_hash("t")));
    }
}

#[test]
fn point_2_what_is_no_single_well_formed_jwt_is_refused() {
    let good = signed(&own_header().to_string(), &own_claims().to_string());
    assert!(opened(&good).is_ok());
    let long = "x".repeat(PROOF_BYTES_MAX + 1);
    let two = format!("{good}, {good}");
    for text in ["", ".", "..", "a.b", "a.b.c.d.e", &two, &format!("{good}."), &long] {
        assert!(opened(text).is_err(), "{text}");
    }
    for (header, claims) in [
        ("[]".to_owned(), own_claims().to_string()),
        (own_header().to_string(), "[]".to_owned()),
        (own_header().to_string(), own_claims().to_string().replace('{', "{\"jti\":\"j-2\",")),
        (own_header().to_string(), own_claims().to_string() + "x"),
        (
            own_header().to_string().replacen('{', "{\"alg\":\"EdDSA\",", 1),
            own_claims().to_string(),
        ),
    ] {
        assert!(opened(&signed(&header, &claims)).is_err(), "{header} {claims}");
    }
    for name in ["crit", "b64", "jku", "x5u", "x5c", "enc", "zip"] {
        assert!(with_header(name, json!(["x"])).unwrap_err().contains("not understood"), "{name}");
    }
    assert!(with_header("x", json!({"y": 1})).is_ok(), "an unknown member says nothing to us");
}

#[test]
fn point_3_every_claim_that_is_required_must_be_there_and_right() {
    for name in ["jti", "htm", "htu", "iat"] {
        assert_eq!(with_claim(name, Value::Null).unwrap_err(), format!("{name}: is missing"));
    }
    for (name, wrong) in [
        ("jti", json!("")),
        ("jti", json!(1)),
        ("jti", json!("x".repeat(NAME_BYTES_MAX + 1))),
        ("htm", json!("")),
        ("htm", json!("P OST")),
        ("htu", json!("/token")),
        ("htu", json!("https://user@a/token")),
        ("iat", json!("1000")),
        ("iat", json!(1000.5)),
        ("iat", json!(-1)),
        ("ath", json!("short")),
        ("nonce", json!("")),
        ("nonce", json!("x".repeat(NAME_BYTES_MAX + 1))),
    ] {
        let why = with_claim(name, wrong.clone()).unwrap_err();
        assert!(why.starts_with(name), "{name} {wrong}: {why}");
    }
}

#[test]
fn point_4_another_type_is_refused_an_access_token_too() {
    for typ in [Value::Null, json!("JWT"), json!("at+jwt"), json!("DPOP+JWT"), json!("dpop")] {
        assert!(with_header("typ", typ.clone()).unwrap_err().starts_with("typ"), "{typ}");
    }
}

#[test]
fn point_5_only_an_asymmetric_algorithm_that_is_the_keys_own_is_accepted() {
    for alg in [json!("none"), json!("HS256"), json!("ES256"), json!("RS256"), json!("eddsa")] {
        let refused = Refused::Algorithm.to_string();
        assert_eq!(with_header("alg", alg.clone()).unwrap_err(), refused, "{alg}");
    }
    let secret = json!({"kty": "oct", "k": b64(&[7; 32])});
    assert!(with_header("jwk", secret).unwrap_err().starts_with("jwk.k"));
}

#[test]
fn point_6_a_signature_by_another_key_is_refused() {
    let other = Ed25519KeyPair::from_seed_unchecked(&[6; 32]).unwrap();
    let x = b64(other.public_key().as_ref());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
    assert_eq!(with_header("jwk", jwk).unwrap_err(), Refused::Signature.to_string());
    assert_eq!(with_header("jwk", Value::Null).unwrap_err(), "jwk: is missing");
    let small = json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&[0; 32])});
    assert!(with_header("jwk", small).unwrap_err().contains("small order"));
}

#[test]
fn point_7_a_key_with_a_private_part_is_refused() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let mut jwk = own_header()["jwk"].clone();
        jwk[name] = json!("AA");
        assert!(with_header("jwk", jwk).unwrap_err().contains("private"), "{name}");
    }
}

#[test]
fn a_strangers_key_is_bounded() {
    let n = b64(&[&[0x81][..], &[7; 512]].concat());
    let jwk = json!({"kty": "RSA", "e": "AQAB", "n": n});
    assert!(with_header("jwk", jwk).unwrap_err().contains("4096"));
    assert!(with_header("x", json!("y".repeat(4096))).unwrap_err().contains("too long"));
}

#[test]
fn a_proof_is_no_access_token_and_no_two_keys_share_its_name() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let set = format!("{{\"keys\":[{}]}}", key.public_jwk().unwrap().to_json());
    let set = KeySet::parse(&set).unwrap_or_else(|wrong| panic!("{wrong}"));
    let at = Timestamp::from_seconds(1);
    let new = NewProof {
        jti: "j-1",
        method: "GET",
        url: "https://a/",
        at,
        access_token: None,
        nonce: None,
    };
    let text = new.sign(&key).unwrap();
    assert!(verify(&set, Algorithm::EdDsa, &text).is_err());
    let other = opened(&signed(&own_header().to_string(), &own_claims().to_string())).unwrap();
    assert_ne!(opened(&text).unwrap().name, other.name);
}

fn nonces() -> DpopNonces {
    let master = symbolon_wire::MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU");
    master.unwrap_or_else(|wrong| panic!("{wrong}")).dpop_nonces()
}

fn repeating(nonce: &str) -> DpopProof {
    with_claim("nonce", json!(nonce)).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn a_nonce_is_good_for_one_span_after_its_own_and_in_its_epoch_alone() {
    let own = nonces().in_epoch(StoreEpoch(3));
    let at = Timestamp::from_seconds(6000);
    let nonce = own.current(at);
    let proof = repeating(&nonce);
    for (seconds, whose) in [
        (5999, Nonce::Foreign),
        (6000, Nonce::Ours),
        (6059, Nonce::Ours),
        (6119, Nonce::Ours),
        (6120, Nonce::Foreign),
    ] {
        let at = Timestamp::from_seconds(seconds);
        assert_eq!(own.recognise(&proof, at), whose, "{seconds}");
    }
    assert_eq!(own.in_epoch(StoreEpoch(4)).recognise(&proof, at), Nonce::Foreign);
    assert_eq!(DpopNonces::of_secret(&[1; 32]).recognise(&proof, at), Nonce::Foreign);
    assert_eq!(own.recognise(&repeating("x"), at), Nonce::Foreign);
    let none = with_claim("x", json!(1)).unwrap();
    assert_eq!(own.recognise(&none, at), Nonce::None);
    assert_eq!(nonce.len(), 22);
}

proptest! {
    #[test]
    fn no_changed_byte_of_a_proof_is_accepted(at in 0usize..1 << 16, byte in any::<u8>()) {
        let good = read("token").into_bytes();
        let mut changed = good.clone();
        let at = at % changed.len();
        changed[at] = byte;
        if let Ok(text) = String::from_utf8(changed) {
            prop_assert_eq!(opened(&text).is_ok(), text.as_bytes() == good);
        }
    }

    #[test]
    fn random_text_is_no_proof(text in ".{0,300}") {
        prop_assert!(opened(&text).is_err());
    }
}
