//! Which key sets are read, and what a refusal says.

use symbolon_wire::{Algorithm, KeySet, PublicJwk, SigningKey, VerifyingKey, key_set_json};

const ED: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
const EC: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;

fn oct(kid: &str) -> String {
    format!(r#"{{"kty":"oct","kid":"{kid}","k":"{}"}}"#, b64([5; 32]))
}

fn set(keys: &[&str]) -> Result<KeySet, String> {
    KeySet::parse(&format!("{{\"keys\":[{}]}}", keys.join(","))).map_err(|e| e.to_string())
}

#[track_caller]
fn refused(keys: &[&str], says: &str) {
    let why = set(keys).err().unwrap_or_default();
    assert!(why.contains(says), "{why:?} does not say {says:?}");
}

fn rsa(n: &[u8], e: &[u8]) -> String {
    format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, b64(n), b64(e))
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    data_encoding::BASE64URL_NOPAD.encode(bytes.as_ref())
}

/// An odd number of so many bits, no product of two primes.
fn odd(bits: usize) -> Vec<u8> {
    let mut n = vec![0xb5; bits.div_ceil(8)];
    n[0] = 0xff >> ((8 - bits % 8) % 8);
    n
}

#[test]
fn a_set_of_every_kind_of_public_key_is_read() {
    let ed = format!(
        "{{{ED},\"kid\":\"1\",\"use\":\"sig\",\"alg\":\"EdDSA\",\"key_ops\":[\"verify\"]}}"
    );
    let ec = format!("{{{EC},\"kid\":\"2\",\"x5t\":\"AAAA\"}}");
    let keys = set(&[&ed, &ec, &rsa(&odd(2048), &[1, 0, 1])]).ok().unwrap();
    let algs: Vec<_> = keys.keys().iter().map(VerifyingKey::algorithm).collect();
    assert_eq!(algs, [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]);
    assert_eq!(keys.keys()[1].kid(), Some("2"));
    assert_eq!(keys.ignored(), 0);
}

#[test]
fn two_keys_of_one_name_are_refused() {
    refused(&[&oct("a"), &oct("a")], "kid: names two keys");
    assert!(set(&[&oct("a"), &oct("b")]).is_ok());
}

#[test]
fn symmetric_and_asymmetric_keys_do_not_mix() {
    refused(&[&oct("a"), &format!("{{{ED}}}")], "mixes symmetric and asymmetric");
}

#[test]
fn a_mac_key_under_32_bytes_or_over_512_is_refused() {
    let key = |len: usize| format!(r#"{{"kty":"oct","k":"{}"}}"#, b64(vec![1; len]));
    for len in [0, 1, 31] {
        refused(&[&key(len)], "keys[0].k: is shorter than 32 bytes");
    }
    refused(&[&key(513)], "keys[0].k");
    assert!(set(&[&key(32)]).is_ok() && set(&[&key(512)]).is_ok());
}

#[test]
fn an_rsa_key_under_2048_bits_or_over_8192_is_refused() {
    for bits in [8, 1024, 2047] {
        refused(&[&rsa(&odd(bits), &[1, 0, 1])], "n: is shorter than 2048 bits");
    }
    refused(&[&rsa(&odd(8193), &[1, 0, 1])], "n: is longer than 8192 bits");
    assert!(set(&[&rsa(&odd(8192), &[3])]).is_ok());
}

#[test]
fn an_rsa_key_that_cannot_be_one_is_refused() {
    let even = [&odd(2040)[..], &[2]].concat();
    refused(&[&rsa(&even, &[1, 0, 1])], "n: is even");
    refused(&[&rsa(&[&[0], &odd(2048)[..]].concat(), &[1, 0, 1])], "n: has leading zeros");
    refused(&[&rsa(&odd(2048), &[1])], "e: is too small");
    refused(&[&rsa(&odd(2048), &[])], "e: is too small");
    refused(&[&rsa(&odd(2048), &[4])], "e: is even");
    refused(&[&rsa(&odd(2048), &[0, 3])], "e: has leading zeros");
    refused(&[&rsa(&odd(2048), &[1, 0, 0, 0, 1])], "e: is longer");
}

#[test]
fn an_rsa_key_of_the_factorable_kind_is_refused() {
    // Congruent to 65537 modulo every small prime: 65537 plus a multiple of their product.
    let mut product = vec![1_u8];
    for prime in [
        2_u32, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83,
        89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ] {
        multiply(&mut product, prime);
    }
    while product.len() < 300 || product[0] < 0x80 {
        multiply(&mut product, 2);
    }
    let len = product.len();
    product[len - 1] |= 1;
    product[len - 3] |= 1;
    refused(&[&rsa(&product, &[1, 0, 1])], "ROCA");
}

fn multiply(number: &mut Vec<u8>, factor: u32) {
    let mut carry = 0;
    for byte in number.iter_mut().rev() {
        carry += u32::from(*byte) * factor;
        *byte = carry as u8;
        carry >>= 8;
    }
    while carry > 0 {
        number.insert(0, carry as u8);
        carry >>= 8;
    }
}

#[test]
fn a_wrong_use_key_ops_alg_or_crv_is_refused_by_name() {
    let with = |member: &str| format!("{{{ED},{member}}}");
    refused(&[&with(r#""use":"enc""#)], "keys[0].use: must be \"sig\"");
    refused(&[&with(r#""use":1"#)], "keys[0].use: must be a string");
    refused(&[&with(r#""key_ops":["encrypt"]"#)], "keys[0].key_ops");
    refused(&[&with(r#""key_ops":["verify","encrypt"]"#)], "keys[0].key_ops");
    refused(&[&with(r#""key_ops":["sign"]"#)], "does not have \"verify\"");
    refused(&[&with(r#""key_ops":[]"#)], "does not have \"verify\"");
    refused(&[&with(r#""key_ops":["verify","verify"]"#)], "twice");
    refused(&[&with(r#""key_ops":"verify""#)], "must be an array");
    refused(&[&with(r#""alg":"ES256""#)], "keys[0].alg");
    refused(&[&with(r#""alg":"HS256""#)], "keys[0].alg");
    refused(&[&with(r#""alg":"none""#)], "keys[0].alg");
    refused(&[&format!("{{{}}}", ED.replace("Ed25519", "X25519"))], "keys[0].crv: must be Ed25519");
    refused(&[&format!("{{{}}}", EC.replace("P-256", "P-384"))], "keys[0].crv: must be P-256");
    refused(&[&format!("{{{}}}", EC.replace("P-256", "Ed25519"))], "keys[0].crv");
    refused(&[&format!("{{{}}}", EC.replace("\"EC\"", "\"RSA\""))], "keys[0].n: is missing");
}

#[test]
fn a_private_member_in_a_public_key_is_refused_by_name() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        refused(
            &[&format!("{{{EC},\"{name}\":\"AAAA\"}}")],
            &format!("keys[0].{name}: is a private"),
        );
    }
}

#[test]
fn a_point_that_is_not_on_the_curve_or_of_small_order_is_refused() {
    refused(&[&format!("{{{}}}", EC.replace("5a0", "5a4"))], "keys[0].x: and y are not a point");
    refused(&[&format!("{{{}}}", EC.replace("RVEU", "RVE"))], "keys[0].x");
    let ed = |x: [u8; 32]| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, b64(x));
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    for x in [[0; 32], one, minus_one] {
        refused(&[&ed(x)], "keys[0].x: is a point of small order");
    }
    let order_8 = "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU";
    refused(&[&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{order_8}"}}"#)], "small order");
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    refused(&[r#"{"kid":"a"}"#], "keys[0].kty: is missing");
    refused(&[&format!("{{{ED}}}"), r#"{"kty":7}"#], "keys[1].kty: must be a string");
    refused(&[&format!("{{{ED},\"kid\":7}}")], "keys[0].kid: must be a string");
    refused(&[&format!("{{{ED},\"kid\":\"\"}}")], "keys[0].kid: is empty");
    refused(&[&format!("{{{ED},\"kid\":\"{}\"}}", "k".repeat(256))], "keys[0].kid: is too long");
    refused(&[&format!("{{{ED},\"kid\":\"a\",\"kid\":\"b\"}}")], "keys[0]");
    refused(&[&format!("{{{ED},\"m\":{{\"a\":1,\"a\":1}}}}")], "keys[0]");
    refused(&["[]"], "keys[0]");
    refused(&["null"], "keys[0]");
    refused(&[r#"{"kty":"oct","k":"A+A/"}"#], "keys[0].k: is not canonical base64url");
}

#[test]
fn a_set_must_be_one_object_with_keys() {
    let why = |text: &str| KeySet::parse(text).err().map(|e| e.to_string()).unwrap_or_default();
    assert_eq!(why("[]"), "keys: is not a JSON object");
    assert_eq!(why("{}"), "keys: is missing");
    assert_eq!(why(r#"{"keys":{}}"#), "keys: must be an array");
    assert_eq!(why(r#"{"keys":[]}"#), "keys: has no key that we can use");
    assert_eq!(why(r#"{"keys":[],"keys":[]}"#), "keys: names a member twice");
    assert_eq!(why(&format!("{{\"keys\":[{{{ED}}}]}}x")), "keys: is not a JSON object");
    assert!(why(&" ".repeat(64 * 1024 + 1)).contains("64 KiB"));
    let many: Vec<_> = (0..65).map(|i| oct(&i.to_string())).collect();
    assert!(why(&format!("{{\"keys\":[{}]}}", many.join(","))).contains("more than 64"));
}

#[test]
fn a_key_of_an_unknown_kind_is_passed_over_and_counted() {
    let ed = format!("{{{ED}}}");
    let keys = set(&[r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}"#, &ed]).ok().unwrap();
    assert_eq!((keys.keys().len(), keys.ignored()), (1, 1));
    refused(&[r#"{"kty":"AKP"}"#], "has no key that we can use");
}

#[test]
fn what_we_publish_is_what_we_read() {
    let algs = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
    let jwks: Vec<PublicJwk> =
        algs.iter().map(|alg| SigningKey::generate(*alg).unwrap().public_jwk().unwrap()).collect();
    let keys = KeySet::parse(&key_set_json(&jwks)).ok().unwrap();
    assert_eq!(keys.keys().len(), 3);
    for (key, alg) in keys.keys().iter().zip(algs) {
        assert_eq!(key.algorithm(), alg);
        assert_eq!(key.kid().map(str::len), Some(16));
    }
}

#[test]
fn a_set_covers_another_if_it_has_every_key_of_it_under_the_same_name() {
    for alg in [Algorithm::EdDsa, Algorithm::Es256] {
        let keys = [(); 3].map(|()| SigningKey::generate(alg).unwrap());
        let set = |chosen: &[usize]| {
            let keys = chosen.iter().map(|at| keys[*at].verifying_key());
            KeySet::from_keys(keys.collect()).ok().unwrap()
        };
        assert!(set(&[0]).covers(&set(&[0])) && set(&[2, 0, 1]).covers(&set(&[0, 1])));
        assert!(!set(&[0]).covers(&set(&[1])) && !set(&[0, 1]).covers(&set(&[0, 2])));
        assert!(
            !set(&[0, 1]).covers(&set(&[0])),
            "a token that names no key verified under the one"
        );
    }
    let secret = SigningKey::generate(Algorithm::Hs256).unwrap();
    let secret = || KeySet::from_keys(vec![secret.verifying_key()]).ok().unwrap();
    assert!(!secret().covers(&secret()), "secrets are not compared");
}
