//! The published Wycheproof vectors of every primitive in use.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{
    self, ECDH_P256, PrivateKey, UnparsedPublicKey, X25519, agree as shared,
};
use aws_lc_rs::key_wrap::{AES_256, KeyEncryptionKey, KeyWrap};
use aws_lc_rs::{hkdf, hmac};
use data_encoding::BASE64URL_NOPAD;
use symbolon_wire::{Algorithm, KeySet, PublicJwk, Refused, VerifyingKey};
use wycheproof::{TestResult, aead, ecdsa, eddsa, mac, rsa_pkcs1_verify as rsa};

/// Compares one verdict with the expected one; "acceptable" may go either way.
fn agree(expected: &TestResult, accepted: bool, case: &str) {
    match expected {
        TestResult::Valid => assert!(accepted, "{case}: refused"),
        TestResult::Invalid => assert!(!accepted, "{case}: accepted"),
        TestResult::Acceptable => {}
    }
}

fn key(jwk: &PublicJwk) -> VerifyingKey {
    VerifyingKey::from_public(jwk).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut count = 0;
    for group in set.test_groups {
        let key = key(&PublicJwk::Ed25519 { x: group.key.pk[..].try_into().unwrap() });
        for test in group.tests {
            let accepted = key.check(&test.msg, &test.sig).is_ok();
            agree(&test.result, accepted, &format!("ed25519 {}", test.tc_id));
            count += 1;
        }
    }
    assert!(count >= 140, "{count}");
}

#[test]
fn ecdsa_p256_sha256() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut count = 0;
    for group in set.test_groups {
        let (x, y) = group.key.key[1..].split_at(32);
        let jwk = PublicJwk::P256 { x: x.try_into().unwrap(), y: y.try_into().unwrap() };
        let key = key(&jwk);
        for test in group.tests {
            let accepted = key.check(&test.msg, &test.sig).is_ok();
            agree(&test.result, accepted, &format!("ecdsa {}", test.tc_id));
            count += 1;
        }
    }
    assert!(count >= 250, "{count}");
}

#[test]
fn rsa_pkcs1_sha256_with_2048_3072_4096_and_8192_bits() {
    use rsa::TestName::{Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256};
    let mut count = 0;
    for name in [Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256] {
        for group in rsa::TestSet::load(name).unwrap().test_groups {
            let n = trimmed(&group.key.n);
            let key = key(&PublicJwk::Rsa { n, e: trimmed(&group.key.e) });
            for test in group.tests {
                let accepted = key.check(&test.msg, &test.sig).is_ok();
                agree(&test.result, accepted, &format!("rsa {name:?} {}", test.tc_id));
                count += 1;
            }
        }
    }
    assert!(count >= 900, "{count}");
}

#[test]
fn hmac_sha256() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut count = 0;
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let accepted = match hmac_key(&test.key) {
            Some(keys) => keys.keys()[0].check(&test.msg, &test.tag).is_ok(),
            // Too short for a token; the primitive is asked directly.
            None => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &test.key);
                hmac::verify(&key, &test.msg, &test.tag).is_ok()
            }
        };
        // We never accept a cut tag, as some of these protocols do.
        let cut = test.tag.len() < 32;
        assert!(!(cut && accepted), "hmac {}: accepted", test.tc_id);
        if !cut {
            agree(&test.result, accepted, &format!("hmac {}", test.tc_id));
        }
        count += 1;
    }
    assert!(count >= 170, "{count}");
}

fn hmac_key(key: &[u8]) -> Option<KeySet> {
    let k = BASE64URL_NOPAD.encode(key);
    KeySet::parse(&format!("{{\"keys\":[{{\"kty\":\"oct\",\"k\":\"{k}\"}}]}}")).ok()
}

#[test]
fn hkdf_sha256() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
    let mut count = 0;
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, &test.salt).extract(&test.ikm);
        let mut okm = vec![0; test.size];
        let filled = root
            .expand(&[&test.info], Length(test.size))
            .and_then(|expanded| expanded.fill(&mut okm));
        let accepted = filled.is_ok() && okm == test.okm[..];
        agree(&test.result, accepted, &format!("hkdf {}", test.tc_id));
        count += 1;
    }
    assert!(count >= 80, "{count}");
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[test]
fn aes_256_gcm() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let mut count = 0;
    for group in set.test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &test.key).unwrap());
            let nonce = Nonce::try_assume_unique_for_key(&test.nonce).unwrap();
            let mut sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = key.open_in_place(nonce, Aad::from(&test.aad[..]), &mut sealed);
            let accepted = opened.is_ok_and(|plain| *plain == test.pt[..]);
            agree(&test.result, accepted, &format!("aes-gcm {}", test.tc_id));
            count += 1;
        }
    }
    assert!(count >= 60, "{count}");
}

#[test]
fn aes_256_key_wrap() {
    let set = wycheproof::keywrap::TestSet::load(wycheproof::keywrap::TestName::AesKeyWrap);
    let mut count = 0;
    for group in set.unwrap().test_groups.into_iter().filter(|group| group.key_size == 256) {
        for test in group.tests {
            let key = KeyEncryptionKey::new(&AES_256, &test.key).unwrap();
            let mut out = vec![0; test.ct.len().max(8) - 8];
            let unwrapped = key.unwrap(&test.ct, &mut out).map(|key| key.to_vec());
            let accepted = unwrapped.is_ok_and(|key| key == test.pt[..]);
            agree(&test.result, accepted, &format!("aes-wrap {}", test.tc_id));
            count += 1;
        }
    }
    assert!(count >= 30, "{count}");
}

#[test]
fn ecdh_p256() {
    let set = wycheproof::ecdh::TestSet::load(wycheproof::ecdh::TestName::EcdhSecp256r1Ecpoint);
    let mut count = 0;
    for test in set.unwrap().test_groups.into_iter().flat_map(|group| group.tests) {
        // As a JWK gives it: 32 bytes, whatever leading zeros a vector has or lacks; and never compressed.
        let (private, public) = (trimmed(&test.private_key), &test.public_key[..]);
        if private.len() > 32 || public.first() != Some(&4) {
            continue;
        }
        let private = [vec![0; 32 - private.len()], private].concat();
        let accepted =
            agreed(&ECDH_P256, &private, public).as_deref() == Some(&*test.shared_secret);
        agree(&test.result, accepted, &format!("ecdh {}", test.tc_id));
        count += 1;
    }
    assert!(count >= 200, "{count}");
}

#[test]
fn x25519() {
    let set = wycheproof::xdh::TestSet::load(wycheproof::xdh::TestName::X25519).unwrap();
    let mut count = 0;
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let accepted = agreed(&X25519, &test.private_key, &test.public_key).as_deref()
            == Some(&*test.shared_secret);
        // A shared secret of zeros, which the vectors leave open, is never one here (RFC 7748 §6.1).
        assert!(!(accepted && test.shared_secret.iter().all(|byte| *byte == 0)), "{}", test.tc_id);
        agree(&test.result, accepted, &format!("x25519 {}", test.tc_id));
        count += 1;
    }
    assert!(count >= 400, "{count}");
}

fn agreed(alg: &'static agreement::Algorithm, private: &[u8], public: &[u8]) -> Option<Vec<u8>> {
    let private = PrivateKey::from_private_key(alg, private).ok()?;
    shared(&private, UnparsedPublicKey::new(alg, public), (), |secret| Ok(secret.to_vec())).ok()
}

/// A JWK writes integers without leading zeros.
fn trimmed(integer: &[u8]) -> Vec<u8> {
    integer.iter().copied().skip_while(|byte| *byte == 0).collect()
}

#[test]
fn a_refused_signature_says_so_and_nothing_more() {
    let key = key(&PublicJwk::Ed25519 { x: [9; 32] });
    assert_eq!(key.algorithm(), Algorithm::EdDsa);
    assert_eq!(key.check(b"", b""), Err(Refused::Signature));
}
