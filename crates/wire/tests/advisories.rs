//! What went wrong in other libraries, each with its advisory; and the rest of RFC 8725.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use symbolon_wire::{Algorithm, KeySet, Malformed, ParsedClaims, Payload, Refused, verify};

const HEADER: &str = r#"{"alg":"EdDSA","kid":"k"}"#;

const CLAIMS: &str = r#"{"iss":"https://id.example.com","sub":"42","aud":"api","client_id":"web","iat":1,"exp":2,"jti":"j","ver":[1,2,3,4]"#;

/// The verdict on a token whose header is replaced, everything else being right.
fn with_header(header: &str) -> Result<(), Refused> {
    let signer = Anything::new();
    verdict(&signer.keys(), &signer.sign(header, "{}"))
}

#[test]
fn the_token_that_these_tests_change_is_accepted() {
    assert_eq!(with_header(HEADER), Ok(()));
    assert_eq!(with_header(r#" { "kid" : "k" , "alg" : "EdDSA" , "other":[1] } "#), Ok(()));
    assert!(ParsedClaims::parse_unverified(format!("{CLAIMS}}}").as_bytes()).is_ok());
}

#[test]
fn jsonwebtoken_cve_2026_25537_an_unreadable_time_is_an_error_and_no_absence() {
    for name in ["exp", "nbf", "iat", "auth_time"] {
        for value in [
            "\"2\"",
            "null",
            "-1",
            "1.5",
            "1e3",
            "true",
            "[2]",
            "{}",
            "253402300800",
            "99999999999999999999",
        ] {
            let claims = CLAIMS.replace(&format!("\"{name}\":"), "\"was\":");
            let claims = format!("{claims},\"{name}\":{value}}}");
            let read = ParsedClaims::parse_unverified(claims.as_bytes());
            assert_eq!(member_of(read), name, "{value}");
        }
    }
}

#[test]
fn pyjwt_cve_2026_32597_authlib_cve_2025_59420_an_unknown_crit_is_refused() {
    for crit in ["[\"x\"]", "[\"exp\"]", "[\"alg\"]", "[]", "null", "\"x\"", "[\"b64\"]"] {
        let header = format!(r#"{{"alg":"EdDSA","kid":"k","x":1,"crit":{crit}}}"#);
        assert_eq!(wrong_member(with_header(&header)), "crit");
    }
}

#[test]
fn pyjwt_cve_2026_48526_fast_jwt_cve_2023_48223_a_public_key_is_never_a_mac_key() {
    let signer = Anything::new();
    let keys = signer.keys();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", b64(signer.x()));
    let padded_pem = format!(" \n{pem}");
    for secret in [
        signer.x(),
        signer.jwk().as_bytes(),
        b64(signer.x()).as_bytes(),
        pem.as_bytes(),
        padded_pem.as_bytes(),
        b"",
    ] {
        let signed = format!("{}.{}", b64(r#"{"alg":"HS256","kid":"k"}"#), b64("{}"));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        let token = format!("{signed}.{}", b64(tag.as_ref()));
        for alg in Algorithm::ALL {
            assert_eq!(verify(&keys, alg, &token).err(), Some(Refused::Algorithm));
        }
    }
}

#[test]
fn pac4j_cve_2026_29000_an_encrypted_token_is_not_a_signed_one() {
    let signer = Anything::new();
    let five = format!("{}.a.b.c.d", b64(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#));
    assert_eq!(wrong_member(verdict(&signer.keys(), &five)), "token");
    let header = r#"{"alg":"EdDSA","kid":"k","enc":"A256GCM"}"#;
    assert_eq!(wrong_member(with_header(header)), "enc");
}

#[test]
fn web_token_ghsa_jc38_x7x8_2xc8_there_is_no_unprotected_header() {
    let signer = Anything::new();
    let token = signer.sign(HEADER, "{}");
    let segments: Vec<_> = token.split('.').collect();
    let json = format!(
        r#"{{"payload":"{}","protected":"{}","header":{{"alg":"EdDSA"}},"signature":"{}"}}"#,
        segments[1], segments[0], segments[2]
    );
    assert!(verdict(&signer.keys(), &json).is_err());
}

#[test]
fn pyjwt_cve_2024_53861_vault_cve_2024_5798_names_are_compared_whole() {
    let several = CLAIMS.replace("\"api\"", "[\"api\",\"api.example.com\"]") + "}";
    let one = CLAIMS.to_owned() + "}";
    let one = ParsedClaims::parse_unverified(one.as_bytes()).unwrap();
    let several = ParsedClaims::parse_unverified(several.as_bytes()).unwrap();
    assert!(one.aud.contains("api") && several.aud.contains("api.example.com"));
    for part in ["ap", "api.", "", "example.com", "API", "api,api.example.com"] {
        assert!(!one.aud.contains(part) && !several.aud.contains(part), "{part}");
    }
    for nobody in ["[]", "\"\"", "[\"\"]", "[\"api\",\"\"]", "null", "[null]", "{}", "1"] {
        let claims = CLAIMS.replace("\"api\"", nobody) + "}";
        assert_eq!(member_of(ParsedClaims::parse_unverified(claims.as_bytes())), "aud");
    }
}

#[test]
fn go_jose_cve_2025_27144_golang_jwt_cve_2025_30204_dots_cost_nothing() {
    let keys = Anything::new().keys();
    for token in [".".repeat(1 << 24), ".".repeat(16 * 1024), "..".into(), "....".into()] {
        assert!(verdict(&keys, &token).is_err());
    }
}

#[test]
fn go_jose_cve_2024_28180_jose2go_cve_2025_63811_nothing_is_ever_decompressed() {
    assert_eq!(wrong_member(with_header(r#"{"alg":"EdDSA","kid":"k","zip":"DEF"}"#)), "zip");
}

#[test]
fn ws_2023_0431_no_header_makes_us_derive_a_key() {
    for alg in ["PBES2-HS256+A128KW", "dir", "ECDH-ES", "RSA1_5", "A128KW"] {
        let header = format!(r#"{{"alg":"{alg}","kid":"k","p2c":2147483647,"p2s":"AAAA"}}"#);
        assert_eq!(with_header(&header), Err(Refused::Algorithm));
    }
}

#[test]
fn nimbus_cve_2025_53864_deep_nesting_is_refused() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let header = format!(r#"{{"alg":"EdDSA","kid":"k","x":{}}}"#, deep(500));
    assert_eq!(wrong_member(with_header(&header)), "header");
    for depth in [16, 5_000] {
        let claims = format!("{CLAIMS},\"x\":{}}}", deep(depth));
        assert_eq!(member_of(ParsedClaims::parse_unverified(claims.as_bytes())), "claims");
    }
}

#[test]
fn java_cve_2022_21449_a_signature_of_zeros_is_refused() {
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let keys = KeySet::parse(&format!("{{\"keys\":[{jwk}]}}")).ok().unwrap();
    for signature in [b64([0; 64]), b64([0; 32]), b64([]), b64([0xff; 64])] {
        let token = format!("{}.{}.{signature}", b64(r#"{"alg":"ES256"}"#), b64("{}"));
        let refused = verify(&keys, Algorithm::Es256, &token).err();
        assert_eq!(refused, Some(Refused::Signature));
    }
}

#[test]
fn no_header_brings_a_key() {
    let jwk = Anything::new().jwk();
    for (name, value) in [
        ("jwk", &*jwk),
        ("jku", "\"https://evil.example/jwks\""),
        ("x5u", "\"https://evil.example/cert\""),
        ("x5c", "[\"MIIB\"]"),
        ("jwk", "null"),
    ] {
        let header = format!(r#"{{"alg":"EdDSA","kid":"k","{name}":{value}}}"#);
        assert_eq!(wrong_member(with_header(&header)), name);
    }
}

#[test]
fn an_unencoded_payload_is_refused() {
    for b64 in ["false", "true", "null"] {
        let header = format!(r#"{{"alg":"EdDSA","kid":"k","b64":{b64}}}"#);
        assert_eq!(wrong_member(with_header(&header)), "b64");
    }
}

#[test]
fn alg_is_compared_and_never_obeyed() {
    for alg in ["none", "None", "nOnE", "HS256", "ES256", "eddsa", "EdDSA ", "Ed25519", ""] {
        let header = format!(r#"{{"alg":"{alg}","kid":"k"}}"#);
        assert_eq!(with_header(&header), Err(Refused::Algorithm), "{alg}");
    }
    for alg in ["null", "1", "[\"EdDSA\"]", "{}"] {
        assert_eq!(wrong_member(with_header(&format!(r#"{{"alg":{alg},"kid":"k"}}"#))), "alg");
    }
    assert_eq!(wrong_member(with_header(r#"{"kid":"k"}"#)), "alg");
    let signer = Anything::new();
    let token = signer.sign(HEADER, "{}");
    for alg in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Hs256] {
        assert_eq!(verify(&signer.keys(), alg, &token).err(), Some(Refused::Algorithm));
    }
}

#[test]
fn a_header_that_names_a_member_twice_is_refused() {
    for header in [
        r#"{"alg":"EdDSA","alg":"EdDSA","kid":"k"}"#,
        r#"{"alg":"none","kid":"k","\u0061lg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","kid":"k","x":{"y":1,"y":1}}"#,
    ] {
        assert_eq!(wrong_member(with_header(header)), "header");
    }
}

#[test]
fn a_header_that_is_not_one_json_object_is_refused() {
    for header in [
        "",
        "[]",
        r#"["EdDSA"]"#,
        "null",
        "\"x\"",
        r#"{"alg":"EdDSA","kid":"k"}x"#,
        r#"{"alg":"EdDSA","kid":"k"}{}"#,
        "\u{feff}{}",
    ] {
        assert_eq!(wrong_member(with_header(header)), "header", "{header}");
    }
    let signer = Anything::new();
    let latin_1 = signer.sign_segments(&b64(b"{\"alg\":\"EdDSA\",\"kid\":\"\xe9\"}"), "e30");
    assert_eq!(wrong_member(verdict(&signer.keys(), &latin_1)), "header");
}

#[test]
fn claims_that_are_not_one_strict_json_object_are_refused() {
    for claims in [
        "",
        "[]",
        "null",
        r#"["https://id.example.com","42"]"#,
        "\"{}\"",
        &format!("{CLAIMS}}}{{}}"),
        &format!("{CLAIMS},\"sub\":\"43\"}}"),
        &format!("{CLAIMS},\"\\u0073ub\":\"43\"}}"),
        &format!("{CLAIMS},\"x\":{{\"y\":1,\"y\":2}}}}"),
        &format!("{CLAIMS},\"x\":\"\\ud800\"}}"),
    ] {
        assert_eq!(member_of(ParsedClaims::parse_unverified(claims.as_bytes())), "claims");
    }
    assert!(ParsedClaims::parse_unverified(b"{\"iss\":\"\xff\"}").is_err());
}

#[test]
fn only_three_canonical_segments_are_a_token() {
    let signer = Anything::new();
    let token = signer.sign(HEADER, "{}");
    for other in [
        String::new(),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.e30"),
        format!("{token}="),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("Bearer {token}"),
        token.replacen('.', "..", 1),
        token[..token.rfind('.').unwrap()].to_owned(),
        token[..token.rfind('.').unwrap() + 1].to_owned(),
        token.replace('.', "\u{ff0e}"),
    ] {
        assert!(verdict(&signer.keys(), &other).is_err(), "{other}");
    }
}

#[test]
fn a_segment_is_refused_in_every_spelling_but_one() {
    let signer = Anything::new();
    // Sixteen bytes leave four unused bits in the last character.
    let payload = b64("{\"a\":\"16 bytes\"}");
    let spellings = [
        payload[..payload.len() - 1].to_owned() + "R",
        format!("{payload}=="),
        format!("{payload}="),
        format!("{payload}\n"),
        payload.replacen('e', " e", 1),
        format!("{payload}?"),
    ];
    assert_eq!(verdict(&signer.keys(), &signer.sign_segments(&b64(HEADER), &payload)), Ok(()));
    for spelling in spellings {
        let token = signer.sign_segments(&b64(HEADER), &spelling);
        assert_eq!(wrong_member(verdict(&signer.keys(), &token)), "payload", "{spelling}");
        let token = signer.sign_segments(&format!("{}=", b64(HEADER)), &payload);
        assert_eq!(wrong_member(verdict(&signer.keys(), &token)), "header");
    }
}

#[test]
fn a_token_of_16_kib_is_read_and_one_byte_more_is_refused() {
    let signer = Anything::new();
    let room = 16 * 1024 - signer.sign(HEADER, "").len();
    let fits = signer.sign_segments(&b64(HEADER), &"A".repeat(room / 4 * 4));
    assert_eq!(verdict(&signer.keys(), &fits), Ok(()));
    let long = signer.sign_segments(&b64(HEADER), &"A".repeat(room + 4));
    assert_eq!(wrong_member(verdict(&signer.keys(), &long)), "token");
}

#[test]
fn a_name_of_no_key_a_long_name_and_a_path_find_nothing() {
    for kid in ["", "K", "k ", "../../dev/null", "' OR 1=1 --", "k\\u0000"] {
        let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#);
        assert_eq!(with_header(&header), Err(Refused::UnknownKey), "{kid}");
    }
    let long = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, "k".repeat(256));
    assert_eq!(wrong_member(with_header(&long)), "kid");
    assert_eq!(wrong_member(with_header(r#"{"alg":"EdDSA","kid":null}"#)), "kid");
}

#[test]
fn a_token_without_a_key_name_needs_a_set_of_one_key() {
    let signer = Anything::new();
    let token = signer.sign(r#"{"alg":"EdDSA"}"#, "{}");
    assert_eq!(verdict(&signer.keys(), &token), Ok(()));
    let other = r#"{"kty":"OKP","crv":"Ed25519","kid":"l","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let two = KeySet::parse(&format!("{{\"keys\":[{},{other}]}}", signer.jwk())).ok().unwrap();
    assert_eq!(verdict(&two, &token), Err(Refused::UnknownKey));
}

#[test]
fn no_single_changed_character_of_a_token_is_accepted() {
    let signer = Anything::new();
    let keys = signer.keys();
    let token = signer.sign(HEADER, "{\"a\":1}");
    for at in 0..token.len() {
        for other in ['A', 'B', 'Q', 'g', 'w', '_', '.', '='] {
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            assert!(changed == token || verdict(&keys, &changed).is_err(), "{changed}");
        }
    }
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

/// A signer that signs anything: everything about its tokens can be wrong but the signature.
struct Anything(Ed25519KeyPair);

impl Anything {
    fn new() -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any 32 bytes are a seed"))
    }

    fn x(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn jwk(&self) -> String {
        let x = b64(self.x());
        format!("{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"{x}\"}}")
    }

    fn keys(&self) -> KeySet {
        let text = format!("{{\"keys\":[{}]}}", self.jwk());
        KeySet::parse(&text).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// Signs segments as they are given, well-formed or not.
    fn sign_segments(&self, header: &str, payload: &str) -> String {
        let signed = format!("{header}.{payload}");
        let signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", b64(signature))
    }

    fn sign(&self, header: &str, payload: impl AsRef<[u8]>) -> String {
        self.sign_segments(&b64(header), &b64(payload))
    }
}

fn verdict(keys: &KeySet, token: &str) -> Result<(), Refused> {
    verify(keys, Algorithm::EdDsa, token).map(|_: Payload<'_>| ())
}

/// The member that a refusal names.
#[track_caller]
fn wrong_member<T>(verdict: Result<T, Refused>) -> String {
    match verdict.err() {
        Some(Refused::Malformed(why)) => why.member().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn member_of<T>(read: Result<T, Malformed>) -> String {
    read.err().map(|why| why.member().to_owned()).expect("it is refused")
}
