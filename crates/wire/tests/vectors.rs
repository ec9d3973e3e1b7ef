//! `api/vectors/tokens.json`: the formats that other implementations and later versions must keep.

use serde_json::Value;
use symbolon_core::{Generation, Salt, SessionId, Shard, StoreEpoch, Timestamp, Ver};
use symbolon_wire::{
    Algorithm, Claims, ExtraClaims, KeySet, MasterKey, ParsedClaims, SecretHash, SharedSecret,
    SigningKey, Type, key_id_text, session_id_text, sha256, verify,
};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../api/vectors/tokens.json")).expect("it is JSON")
}

fn master(vectors: &Value) -> MasterKey {
    let text = vectors["master_key"].as_str().expect("a string");
    MasterKey::parse(text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn a_refresh_token_keeps_its_text() {
    let vectors = vectors();
    let vector = &vectors["refresh_token"];
    let keys = master(&vectors).refresh_token_keys(1, 1);
    let sid = SessionId::from_bytes([0x11; 16]);
    let text = keys.mint(StoreEpoch(2), sid, Generation(3), Salt([0x44; 8]));
    assert_eq!(vector["text"], text.expose());
    assert_eq!(vector["sid"], session_id_text(sid));
    let opened = keys.open(text.expose()).expect("it is genuine");
    assert_eq!(u64::from(opened.epoch().0), vector["store_epoch"]);
    assert_eq!(u64::from(opened.generation().0), vector["generation"]);
}

#[test]
fn an_access_token_keeps_its_bytes_and_its_name() {
    let vectors = vectors();
    let vector = &vectors["access_token"];
    let key = SigningKey::from_secret(SharedSecret::assume_drawn(&[0x42; 32]));
    let extra = ExtraClaims::parse(r#"{"tenant":"t-1"}"#).expect("the name is free");
    let claims = Claims {
        iss: "https://id.example.com",
        sub: "42",
        aud: &["demo-api"],
        client_id: "web",
        iat: Timestamp::from_seconds(1_700_000_000),
        exp: Timestamp::from_seconds(1_700_000_300),
        scope: Some("orders:read"),
        sid: Some(SessionId::from_bytes([0x11; 16])),
        ver: Ver { store: StoreEpoch(2), subject: 5, client: 6, everything: 7 },
        auth_time: Some(Timestamp::from_seconds(1_699_999_000)),
        acr: None,
        amr: &["pwd"],
        roles: &["member"],
        jkt: None,
        imprints: symbolon_core::imprint::Imprints::default(),
        extra: &extra,
    };
    let jti_key = master(&vectors).jti_key();
    let issued = claims.issue(&key, Type::AccessTokenJwt, &jti_key, Generation(3));
    let issued = issued.expect("it is short");
    assert_eq!(vector["text"], issued.token.expose());
    assert_eq!(vector["jti"], issued.jti.to_text());
    assert_eq!(vector["kid"], key_id_text(key.kid()));
    let keys = KeySet::from_keys(vec![key.verifying_key()]).expect("one key is a set");
    let payload = verify(&keys, Algorithm::Hs256, issued.token.expose()).expect("it is genuine");
    assert_eq!(vector["payload"], *String::from_utf8_lossy(payload.bytes()));
    ParsedClaims::of(&payload).expect("we wrote the claims");
}

#[test]
fn an_api_key_keeps_its_digest_and_a_secret_its_hash() {
    let vectors = vectors();
    let vector = &vectors["api_key"];
    let (id, text, digest) = master(&vectors).api_key_digests().mint(&[0xa5; 32]);
    assert_eq!(vector["id"], id.to_text());
    assert_eq!(vector["text"], text.expose());
    assert_eq!(vector["digest"], data_encoding::HEXLOWER.encode(digest.as_bytes()));
    let vector = &vectors["secret_hash"];
    let secret = vector["secret"].as_str().expect("a string");
    assert_eq!(vector["text"], SecretHash::of(secret).to_text());
}

#[test]
fn a_subject_keeps_its_shard() {
    let vectors = vectors();
    let vector = &vectors["shard"];
    let shard = master(&vectors).shard_key().shard(vector["subject"].as_str().expect("a string"));
    assert_eq!(vector["shard"], data_encoding::HEXLOWER.encode(&shard.0));
}

#[test]
fn an_imported_token_keeps_its_digest_and_the_name_of_its_session() {
    let vectors = vectors();
    let vector = &vectors["imported_token"];
    let tokens = master(&vectors).imported_tokens();
    let text = vector["text"].as_str().expect("a string");
    let handed_over = sha256(text.as_bytes());
    assert_eq!(vector["sha256"], data_encoding::HEXLOWER.encode(&handed_over.0));
    let kept = tokens.of_text(text).expect("it is another system's");
    assert_eq!(vector["digest"], data_encoding::HEXLOWER.encode(&kept.0));
    let sid = tokens.session_id(Shard([0x65, 0xc6]), &handed_over);
    assert_eq!(vector["sid"], session_id_text(sid));
}
