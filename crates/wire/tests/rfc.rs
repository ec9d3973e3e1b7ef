//! The examples of the specifications.

use symbolon_wire::{Algorithm, KeySet, Payload, PublicJwk, Refused, verify};

fn key_set(jwk: &str) -> KeySet {
    KeySet::parse(&format!("{{\"keys\":[{jwk}]}}")).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn text(payload: Result<Payload<'_>, Refused>) -> String {
    let payload = payload.unwrap_or_else(|refused| panic!("{refused}"));
    String::from_utf8_lossy(payload.bytes()).into_owned()
}

const JOE: &str =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

const JOE_SEGMENT: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                           cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

const FRODO: &str = "It\u{2019}s a dangerous business, Frodo, going out your door. You step onto \
                     the road, and if you don't keep your feet, there\u{2019}s no knowing where you \
                     might be swept off to.";

const FRODO_SEGMENT: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IH\
                             lvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBk\
                             b24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcm\
                             UgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";

#[test]
fn rfc_7515_appendix_a_1_hs256() {
    let keys = key_set(
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
    );
    let token = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE_SEGMENT}.\
         dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    assert_eq!(text(verify(&keys, Algorithm::Hs256, &token)), JOE);
}

#[test]
fn rfc_7515_appendix_a_2_rs256() {
    let keys = key_set(
        r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
    );
    let token = format!(
        "eyJhbGciOiJSUzI1NiJ9.{JOE_SEGMENT}.\
         cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7\
         AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4\
         BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K\
         0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv\
         hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB\
         p0igcN_IoypGlUPQGe77Rw"
    );
    assert_eq!(text(verify(&keys, Algorithm::Rs256, &token)), JOE);
}

#[test]
fn rfc_7515_appendix_a_3_es256() {
    let keys = key_set(
        r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
    );
    let token = format!(
        "eyJhbGciOiJFUzI1NiJ9.{JOE_SEGMENT}.\
         DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA\
         pmWQxfKTUJqPP3-Kg6NU1Q"
    );
    assert_eq!(text(verify(&keys, Algorithm::Es256, &token)), JOE);
}

#[test]
fn rfc_7515_appendix_a_5_an_unsecured_token_is_refused() {
    let keys = key_set(
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
    );
    let token = format!("eyJhbGciOiJub25lIn0.{JOE_SEGMENT}.");
    for alg in Algorithm::ALL {
        assert_eq!(verify(&keys, alg, &token).err(), Some(Refused::Algorithm));
    }
}

#[test]
fn rfc_7515_appendix_e_an_unknown_critical_extension_is_refused() {
    let keys = key_set(&format!("{{\"kty\":\"oct\",\"k\":\"{}\"}}", "A".repeat(43)));
    let token = "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQog\
                 Imh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.";
    let Some(Refused::Malformed(why)) = verify(&keys, Algorithm::Hs256, token).err() else {
        panic!("accepted");
    };
    assert_eq!(why.member(), "crit");
}

#[test]
fn rfc_7520_section_4_1_rs256() {
    let keys = key_set(
        r#"{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}"#,
    );
    let token = format!(
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZX\
         hhbXBsZSJ9.{FRODO_SEGMENT}.\
         MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmK\
         ZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4J\
         IwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8w\
         W1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluP\
         xUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_f\
         cIe8u9ipH84ogoree7vjbU5y18kDquDg"
    );
    assert_eq!(text(verify(&keys, Algorithm::Rs256, &token)), FRODO);
}

#[test]
fn rfc_7520_section_4_4_hs256() {
    let keys = key_set(
        r#"{"kty":"oct","kid":"018c0ae5-4d9b-471b-bfd6-eef314bc7037","use":"sig","alg":"HS256","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}"#,
    );
    let token = format!(
        "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LW\
         VlZjMxNGJjNzAzNyJ9.{FRODO_SEGMENT}.\
         s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"
    );
    assert_eq!(text(verify(&keys, Algorithm::Hs256, &token)), FRODO);
}

#[test]
fn rfc_8037_appendix_a_4_ed25519() {
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                 hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt\
                 9g7sVvpAr_MuM0KAg";
    let keys = key_set(jwk);
    assert_eq!(text(verify(&keys, Algorithm::EdDsa, token)), "Example of Ed25519 signing");
}

#[test]
fn rfc_8037_appendix_a_3_thumbprint_of_an_ed25519_key() {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let x = data_encoding::BASE64URL_NOPAD.decode(x.as_bytes()).unwrap().try_into().unwrap();
    let thumbprint = PublicJwk::Ed25519 { x }.thumbprint();
    let text = data_encoding::BASE64URL_NOPAD.encode(&thumbprint);
    assert_eq!(text, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn rfc_7638_section_3_1_thumbprint_of_an_rsa_key() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let n = data_encoding::BASE64URL_NOPAD.decode(n.as_bytes()).unwrap();
    let thumbprint = PublicJwk::Rsa { n, e: vec![1, 0, 1] }.thumbprint();
    let text = data_encoding::BASE64URL_NOPAD.encode(&thumbprint);
    assert_eq!(text, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}
