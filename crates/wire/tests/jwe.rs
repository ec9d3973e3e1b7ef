//! Encrypted tokens: `api/vectors/jwe.json`, which another implementation made, and what is refused.

use serde_json::Value;
use symbolon_wire::{
    DecryptionKey, DecryptionKeys, EncryptionKey, GeneratedKey, KeyManagement, MasterKey,
    SealingKey, SecretKeyPair, Type, Unopened, UnverifiedJwe, is_encrypted,
};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../api/vectors/jwe.json")).expect("it is JSON")
}

fn key(jwk: &str) -> DecryptionKey {
    DecryptionKey::from_jwk(jwk).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn keys(jwk: &str) -> DecryptionKeys {
    DecryptionKeys::new(vec![key(jwk)]).expect("one key is a set")
}

fn sealing() -> SealingKey {
    let master = MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU");
    master.unwrap_or_else(|wrong| panic!("{wrong}")).token_sealing_key()
}

/// A key of each kind: what seals, and what opens.
fn pairs() -> Vec<(EncryptionKey, DecryptionKeys)> {
    let pair = |alg| {
        let drawn = GeneratedKey::draw(alg).expect("the library draws");
        let seals = match &drawn.public {
            Some(public) => EncryptionKey::from_public_jwk(public),
            None => SecretKeyPair::parse(alg, drawn.private.expose()).map(|pair| pair.seals),
        };
        (seals.unwrap_or_else(|wrong| panic!("{wrong}")), keys(drawn.private.expose()))
    };
    let mut pairs: Vec<_> = KeyManagement::ALL.map(pair).into();
    let x25519 = &vectors()["tokens"][2]["jwk"];
    let mut public = x25519.clone();
    public.as_object_mut().expect("an object").remove("d");
    let seals = EncryptionKey::from_public_jwk(&public.to_string());
    pairs.push((seals.unwrap_or_else(|wrong| panic!("{wrong}")), keys(&x25519.to_string())));
    pairs
}

#[test]
fn what_another_implementation_sealed_is_opened() {
    let vectors = vectors();
    let tokens = vectors["tokens"].as_array().expect("a list");
    assert_eq!(tokens.len(), 5);
    for vector in tokens {
        let opened = keys(&vector["jwk"].to_string()).open(vector["text"].as_str().unwrap());
        let opened = opened.unwrap_or_else(|why| panic!("{}: {why}", vector["name"]));
        assert_eq!(vectors["signed"], opened.expose(), "{}", vector["name"]);
    }
}

#[test]
fn what_is_not_exactly_ours_is_refused_though_the_rest_of_it_is_whole() {
    let vectors = vectors();
    let keys = keys(&vectors["tokens"][3]["jwk"].to_string());
    assert!(keys.open(vectors["tokens"][3]["text"].as_str().unwrap()).is_ok());
    let refused = vectors["refused"].as_array().expect("a list");
    assert!(refused.len() >= 15, "{}", refused.len());
    for vector in refused {
        let opened = keys.open(vector["text"].as_str().unwrap());
        assert!(opened.is_err(), "{}", vector["why"]);
    }
}

#[test]
fn the_tokens_of_rfc_7520_that_are_none_of_ours_are_refused() {
    let vectors = vectors();
    let keys = keys(&vectors["tokens"][3]["jwk"].to_string());
    for header in [
        r#"{"alg":"RSA1_5","kid":"frodo.baggins@hobbiton.example","enc":"A128CBC-HS256"}"#,
        r#"{"alg":"RSA-OAEP","kid":"samwise.gamgee@hobbiton.example","enc":"A256GCM"}"#,
        r#"{"alg":"PBES2-HS512+A256KW","p2s":"8Q1SzinasR3xchYz6ZZcHA","p2c":8192,"cty":"jwk-set+json","enc":"A128CBC-HS256"}"#,
        r#"{"alg":"dir","kid":"77c7e2b8-6e13-45cf-8672-617b5b45243a","enc":"A128GCM"}"#,
        r#"{"alg":"A256GCMKW","kid":"18ec08e1-bfa9-4d95-b205-2b4dd1d4321d","tag":"kfPduVQ3T3H6vnewt--ksw","iv":"KkYT0GX_2jHlfqN_","enc":"A128CBC-HS256"}"#,
        r#"{"alg":"A128KW","kid":"81b20965-8332-43d9-a468-82160ad91ac8","enc":"A128GCM"}"#,
        r#"{"alg":"A128KW","kid":"81b20965-8332-43d9-a468-82160ad91ac8","enc":"A128GCM","zip":"DEF"}"#,
    ] {
        let header = data_encoding::BASE64URL_NOPAD.encode(header.as_bytes());
        let token = format!("{header}.AAAA.{}.AAAA.{}", "A".repeat(16), "A".repeat(22));
        let refused = keys.open(&token).err().expect("it is refused");
        assert!(matches!(refused, Unopened::Malformed(_)), "{refused}");
    }
}

#[test]
fn what_was_sealed_for_a_key_is_opened_by_it_alone() {
    let (pairs, by) = (pairs(), sealing());
    for (at, (seals, opens)) in pairs.iter().enumerate() {
        for typ in Type::ALL {
            let sealed = seals.seal(&by, typ, "a.b.c").expect("it is sealed");
            let opened = opens.open(sealed.expose()).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(opened.expose(), "a.b.c");
            let others = pairs.iter().enumerate().filter(|(other, _)| *other != at);
            for (_, (_, other)) in others {
                assert_eq!(other.open(sealed.expose()).err(), Some(Unopened::UnknownKey));
            }
        }
    }
}

#[test]
fn how_long_a_sealed_token_is_is_known_before() {
    let by = sealing();
    for (seals, _) in pairs() {
        for typ in Type::ALL {
            for length in [0, 1, 2, 3, 500, 3000] {
                let sealed = seals.seal(&by, typ, &"x".repeat(length)).expect("it is sealed");
                assert_eq!(sealed.expose().len(), seals.sealed_bytes(typ, length));
            }
        }
    }
}

#[test]
fn equal_tokens_are_sealed_to_equal_bytes_and_everything_else_to_others() {
    let by = sealing();
    for (seals, _) in pairs() {
        let seal = |typ, token| {
            let sealed = seals.seal(&by, typ, token).expect("it is sealed");
            sealed.expose().split('.').map(str::to_owned).collect::<Vec<_>>()
        };
        let first = seal(Type::AccessTokenJwt, "a.b.c");
        assert_eq!(first, seal(Type::AccessTokenJwt, "a.b.c"));
        for other in [seal(Type::AccessTokenJwt, "a.b.d"), seal(Type::Jwt, "a.b.c")] {
            for segment in [2, 3, 4] {
                assert_ne!(first[segment], other[segment], "{}", seals.algorithm().name());
            }
            assert!(first[1].is_empty() || first[1] != other[1], "the key is another");
        }
    }
}

#[test]
fn no_changed_bit_goes_unnoticed_and_nothing_tells_which_step_failed() {
    for (seals, opens) in pairs() {
        let sealed = seals.seal(&sealing(), Type::AccessTokenJwt, "a.b.c").expect("it is sealed");
        let segments: Vec<_> = sealed.expose().split('.').collect();
        let decode = |text: &str| data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        for at in 1..5 {
            let bytes = decode(segments[at]);
            for bit in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let changed = data_encoding::BASE64URL_NOPAD.encode(&changed);
                let mut segments = segments.clone();
                segments[at] = &changed;
                let refused = opens.open(&segments.join(".")).err();
                assert_eq!(refused, Some(Unopened::Failed), "segment {at}, bit {bit}");
            }
        }
        let mut header = decode(segments[0]);
        header.splice(1..1, *b" ");
        let header = data_encoding::BASE64URL_NOPAD.encode(&header);
        let spaced = [&[&*header], &segments[1..]].concat().join(".");
        assert_eq!(opens.open(&spaced).err(), Some(Unopened::Failed), "the header is sealed too");
    }
}

#[test]
fn a_key_that_is_chosen_by_its_curve_agrees_with_no_other() {
    let vectors = vectors();
    let (p256, x25519) = (&vectors["tokens"][0], &vectors["tokens"][2]);
    let mut other = x25519["jwk"].clone();
    other["kid"] = p256["jwk"]["kid"].clone();
    let refused = keys(&other.to_string()).open(p256["text"].as_str().unwrap()).err();
    assert_eq!(refused, Some(Unopened::Failed));
}

#[test]
fn keys_are_read_strictly_and_never_repeated() {
    let why = |text: &str| DecryptionKey::from_jwk(text).err().map(|wrong| wrong.to_string());
    let vectors = vectors();
    let with = |at: usize, name: &str, value: Value| {
        let mut jwk = vectors["tokens"][at]["jwk"].clone();
        jwk[name] = value;
        jwk.to_string()
    };
    for (text, said) in [
        ("{}".to_owned(), "kty"),
        (with(0, "use", "sig".into()), "use"),
        (with(0, "alg", "ECDH-ES".into()), "alg"),
        (with(0, "enc", "A128GCM".into()), "enc"),
        (with(0, "crv", "P-384".into()), "crv"),
        (with(0, "kty", "RSA".into()), "kty"),
        (with(0, "kid", "".into()), "kid"),
        (with(0, "d", "AAAA".into()), "d"),
        (with(0, "d", vectors["tokens"][2]["jwk"]["d"].clone()), "d"),
        (with(3, "alg", "A128KW".into()), "alg"),
        (with(3, "alg", "ECDH-ES+A256KW".into()), "alg"),
        (with(3, "k", "AAAA".into()), "k"),
        (with(3, "k", "A".repeat(43).into()), "secret"),
        (format!("{}{}", with(3, "x", "y".into()), " ".repeat(4096)), "key"),
    ] {
        let why = why(&text).unwrap_or_else(|| panic!("{text}"));
        assert!(why.starts_with(&format!("{said}: ")), "{why}");
    }
    let private = vectors["tokens"][0]["jwk"].to_string();
    let refused = EncryptionKey::from_public_jwk(&private).err().expect("it is private");
    assert!(refused.to_string().starts_with("d: makes this a private key"), "{refused}");
    let off = with(0, "y", vectors["tokens"][0]["jwk"]["x"].clone());
    let mut off: Value = serde_json::from_str(&off).expect("it is JSON");
    off.as_object_mut().expect("an object").remove("d");
    let refused = EncryptionKey::from_public_jwk(&off.to_string()).err().expect("it is no point");
    assert_eq!(refused.to_string(), "x: is not a point of the curve");
}

#[test]
fn a_secret_may_be_written_in_three_ways_and_is_one_that_was_drawn() {
    let bytes = data_encoding::BASE64URL_NOPAD
        .decode(b"q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU")
        .expect("it is base64url");
    let texts = [
        data_encoding::BASE64URL_NOPAD.encode(&bytes),
        format!("{}\n", data_encoding::BASE64.encode(&bytes)),
        data_encoding::HEXLOWER.encode(&bytes).to_uppercase(),
    ];
    let kid = |text: &String| {
        let pair = SecretKeyPair::parse(KeyManagement::A256Kw, text);
        pair.unwrap_or_else(|wrong| panic!("{wrong}")).seals.kid().to_owned()
    };
    assert!(texts.iter().map(kid).all(|name| name == kid(&texts[0])));
    for text in ["", "short", &"00".repeat(32), &"A".repeat(44)] {
        assert!(SecretKeyPair::parse(KeyManagement::Dir, text).is_err(), "{text}");
    }
    assert!(SecretKeyPair::parse(KeyManagement::EcdhEsA256Kw, &texts[0]).is_err());
}

#[test]
fn a_set_has_keys_and_no_two_of_one_name() {
    let vectors = vectors();
    let one = || key(&vectors["tokens"][0]["jwk"].to_string());
    assert!(DecryptionKeys::new(Vec::new()).is_err());
    assert!(DecryptionKeys::new(vec![one(), one()]).is_err());
    let other = key(&vectors["tokens"][3]["jwk"].to_string());
    let both = DecryptionKeys::new(vec![one(), other]).expect("they have two names");
    for at in [0, 3] {
        assert!(both.open(vectors["tokens"][at]["text"].as_str().unwrap()).is_ok());
    }
}

#[test]
fn a_sealed_token_keeps_its_bytes() {
    let vectors = vectors();
    let vector = &vectors["sealed"];
    let key = EncryptionKey::from_public_jwk(&vector["jwk"].to_string());
    let key = key.unwrap_or_else(|wrong| panic!("{wrong}"));
    let signed = vectors["signed"].as_str().expect("a string");
    let sealed = key.seal(&sealing(), Type::AccessTokenJwt, signed).expect("it is sealed");
    assert_eq!(vector["text"], sealed.expose());
}

#[test]
fn an_encrypted_token_says_outside_how_and_for_whom_and_nothing_else() {
    let vectors = vectors();
    let text = vectors["tokens"][0]["text"].as_str().unwrap();
    assert!(is_encrypted(text) && !is_encrypted("a.b.c") && !is_encrypted("a.b.c.d.e.f"));
    let read = UnverifiedJwe::read(text).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!((&*read.alg, &*read.enc), ("ECDH-ES+A256KW", "A256GCM"));
    assert_eq!(read.kid.as_deref(), Some("p256"));
}
