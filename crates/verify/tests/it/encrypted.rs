//! Tokens that are encrypted for this resource server: opened, and then verified as any other.

use crate::tokens::{AUDIENCE, ISSUED, ISSUER, at, key, keys, token};
use data_encoding::BASE64URL_NOPAD;
use symbolon_verify::{
    Algorithm, DecryptionKey, Distrust, Now, Policy, Presented, Rejected, SetupError, Timestamp,
    Verified, Verifier,
};
use symbolon_wire::{
    EncryptionKey, GeneratedKey, KeyManagement, MasterKey, NewProof, SecretKeyPair, SigningKey,
    Type,
};

/// A key of each kind: what the authority seals with, and what a resource server keeps.
pub(crate) fn drawn(alg: KeyManagement) -> (EncryptionKey, DecryptionKey) {
    let drawn = GeneratedKey::draw(alg).unwrap();
    let opens =
        DecryptionKey::from_jwk(drawn.private.expose()).unwrap_or_else(|why| panic!("{why}"));
    let seals = match &drawn.public {
        Some(public) => EncryptionKey::from_public_jwk(public),
        None => SecretKeyPair::parse(alg, drawn.private.expose()).map(|pair| pair.seals),
    };
    (seals.unwrap_or_else(|why| panic!("{why}")), opens)
}

pub(crate) fn sealed(seals: &EncryptionKey, token: &str) -> String {
    let master = MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU");
    let by = master.unwrap_or_else(|why| panic!("{why}")).token_sealing_key();
    seals.seal(&by, Type::AccessTokenJwt, token).unwrap().expose().to_owned()
}

fn verifier(key: &SigningKey, opens: &[&DecryptionKey]) -> Verifier {
    let builder = Verifier::builder(ISSUER).audience(AUDIENCE);
    let add = |builder: symbolon_verify::Builder, key: &&DecryptionKey| {
        builder.decrypt_with((*key).clone())
    };
    opens.iter().fold(builder, add).offline(keys(&[key])).unwrap()
}

fn check(verifier: &Verifier, token: &str, now: Now) -> Result<Verified, Rejected> {
    verifier.verify(&Presented::bearer(token), &Policy::offline(), now)
}

fn untrusted(what: Distrust) -> Option<Rejected> {
    Some(Rejected::Untrusted(what))
}

#[test]
fn a_token_that_was_encrypted_for_us_says_what_it_says_in_clear() {
    let key = key(Algorithm::EdDsa);
    for alg in KeyManagement::ALL {
        let (seals, opens) = drawn(alg);
        let verifier = verifier(&key, &[&opens]);
        let sealed = sealed(&seals, &token(&key, &[]));
        // The second time it is found by its whole text.
        for _ in 0..2 {
            let verified = check(&verifier, &sealed, at(1)).unwrap();
            assert_eq!((verified.claims().sub, verified.claims().jti), ("42", "j"), "{alg:?}");
        }
        assert_eq!(verifier.status(at(1).monotonic).cache_hits, 1);
        assert_eq!(check(&verifier, &sealed, at(100_000)).err(), Some(Rejected::Expired));
    }
}

#[test]
fn encrypted_is_not_signed() {
    let (own, other) = (key(Algorithm::EdDsa), SigningKey::generate(Algorithm::EdDsa).unwrap());
    let (seals, opens) = drawn(KeyManagement::EcdhEsA256Kw);
    let verifier = verifier(&own, &[&opens]);
    let good = token(&own, &[]);
    let (body, _) = good.rsplit_once('.').unwrap();
    let claims = good.split('.').nth(1).unwrap();
    // CVE-2026-29000: whoever has the public key can encrypt anything.
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}.");
    for forged in [format!("{body}."), format!("{body}.AAAA"), unsigned, token(&other, &[])] {
        assert!(check(&verifier, &sealed(&seals, &forged), at(1)).is_err(), "{forged}");
    }
    for nothing in ["", "{}", "a.b", "a.b.c"] {
        let refused = check(&verifier, &sealed(&seals, nothing), at(1)).err();
        assert!(matches!(refused, Some(Rejected::Malformed(_))), "{nothing}: {refused:?}");
    }
    let twice = sealed(&seals, &sealed(&seals, &good));
    assert!(matches!(check(&verifier, &twice, at(1)).err(), Some(Rejected::Malformed(_))));
    let issuer = sealed(&seals, &token(&own, &[("iss", "\"https://other.example\"")]));
    assert_eq!(check(&verifier, &issuer, at(1)).err(), untrusted(Distrust::Issuer));
}

#[test]
fn a_token_for_another_key_is_not_opened() {
    let key = key(Algorithm::EdDsa);
    let [(seals, opens), (others, _)] =
        [drawn(KeyManagement::EcdhEsA256Kw), drawn(KeyManagement::Dir)];
    let verifier = verifier(&key, &[&opens]);
    let sealed_for_other = sealed(&others, &token(&key, &[]));
    assert_eq!(check(&verifier, &sealed_for_other, at(1)).err(), untrusted(Distrust::Encryption));
    let mut changed = sealed(&seals, &token(&key, &[]));
    let last = if changed.pop() == Some('A') { "Q" } else { "A" };
    changed.push_str(last);
    assert_eq!(check(&verifier, &changed, at(1)).err(), untrusted(Distrust::Encryption));
}

#[test]
fn while_keys_change_over_the_tokens_of_both_are_opened() {
    let key = key(Algorithm::EdDsa);
    let [old, new] = [drawn(KeyManagement::EcdhEsA256Kw), drawn(KeyManagement::EcdhEsA256Kw)];
    let verifier = verifier(&key, &[&old.1, &new.1]);
    for (seals, _) in [&old, &new] {
        assert!(check(&verifier, &sealed(seals, &token(&key, &[])), at(1)).is_ok());
    }
}

#[test]
fn a_verifier_without_a_key_says_that_it_has_none() {
    let key = key(Algorithm::EdDsa);
    let (seals, _) = drawn(KeyManagement::EcdhEsA256Kw);
    let refused = check(&verifier(&key, &[]), &sealed(&seals, &token(&key, &[])), at(1));
    let refused = refused.err().unwrap();
    assert_eq!(refused.reason(), Some("malformed"));
    assert!(refused.to_string().contains("is encrypted, and there is no key"), "{refused}");
}

#[test]
fn a_token_in_clear_is_taken_unless_encryption_is_required() {
    let key = key(Algorithm::EdDsa);
    let (seals, opens) = drawn(KeyManagement::A256Kw);
    let clear = token(&key, &[]);
    assert!(check(&verifier(&key, &[&opens]), &clear, at(1)).is_ok());
    let builder = Verifier::builder(ISSUER).audience(AUDIENCE).decrypt_with(opens);
    let strict = builder.require_encrypted().offline(keys(&[&key])).unwrap();
    assert_eq!(check(&strict, &clear, at(1)).err(), untrusted(Distrust::NotEncrypted));
    assert!(check(&strict, &sealed(&seals, &clear), at(1)).is_ok());
}

#[test]
fn keys_that_cannot_stand_together_are_refused_when_the_verifier_is_made() {
    let key = key(Algorithm::EdDsa);
    let (_, opens) = drawn(KeyManagement::Dir);
    let builder = || Verifier::builder(ISSUER).audience(AUDIENCE);
    let twice = builder().decrypt_with(opens.clone()).decrypt_with(opens);
    let none = builder().require_encrypted();
    for builder in [twice, none] {
        let refused = builder.offline(keys(&[&key])).err().unwrap();
        assert!(matches!(refused, SetupError::DecryptionKeys(_)), "{refused}");
    }
}

#[test]
fn a_bound_token_that_is_encrypted_is_proved_by_the_text_that_travels() {
    let (issuer, device) = (key(Algorithm::EdDsa), key(Algorithm::Es256));
    let jkt = BASE64URL_NOPAD.encode(&device.public_jwk().unwrap().thumbprint());
    let inside = token(&issuer, &[("cnf", &format!("{{\"jkt\":\"{jkt}\"}}"))]);
    let (seals, opens) = drawn(KeyManagement::EcdhEsA256Kw);
    let sealed = sealed(&seals, &inside);
    let builder =
        Verifier::builder(ISSUER).audience(AUDIENCE).public_url("https://api.example.com");
    let verifier = builder.decrypt_with(opens).offline(keys(&[&issuer])).unwrap();
    let show = |jti: &str, of: &str| {
        let (method, url) = ("GET", "https://api.example.com/orders");
        let at_second = Timestamp::from_seconds(ISSUED + 1);
        let new = NewProof { jti, method, url, at: at_second, access_token: Some(of), nonce: None };
        let proof = new.sign(&device).unwrap();
        let presented = Presented::dpop(&sealed).request(method, "/orders").proof(Some(&proof));
        verifier.verify(&presented, &Policy::offline(), at(1))
    };
    // RFC 9449 §4.2: `ath` is over the token as it is sent.
    for jti in ["cold", "warm"] {
        assert!(show(jti, &sealed).is_ok(), "{jti}");
    }
    assert_eq!(show("inside", &inside).err().unwrap().reason(), Some("proof"));
    assert_eq!(check(&verifier, &sealed, at(1)).err(), Some(Rejected::Binding));
}
