//! Tokens to order.

use symbolon_verify::{Algorithm, KeySet, Now, Timestamp, Type, Verifier};
use symbolon_wire::SigningKey;

pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const AUDIENCE: &str = "demo-api";

/// When the tokens of [`claims`] are issued, in seconds; they live 300 s.
pub(crate) const ISSUED: u64 = 1_700_000_000;

pub(crate) fn key(alg: Algorithm) -> SigningKey {
    SigningKey::generate(alg).unwrap()
}

pub(crate) fn keys(keys: &[&SigningKey]) -> KeySet {
    KeySet::from_keys(keys.iter().map(|key| key.verifying_key()).collect()).ok().unwrap()
}

/// A verifier that has one EdDSA key.
pub(crate) fn verifier(key: &SigningKey) -> Verifier {
    Verifier::builder(ISSUER).audience(AUDIENCE).offline(keys(&[key])).unwrap()
}

/// A token's claims as an object's text, with `changes` in the place of members of the same name;
/// a change to the empty text leaves the member out.
pub(crate) fn claims(issuer: &str, changes: &[(&str, &str)]) -> String {
    let (iat, exp) = (ISSUED.to_string(), (ISSUED + 300).to_string());
    let iss = format!("\"{issuer}\"");
    let mut members = vec![
        ("iss", &*iss),
        ("sub", "\"42\""),
        ("aud", "\"demo-api\""),
        ("client_id", "\"web\""),
        ("iat", &iat),
        ("exp", &exp),
        ("jti", "\"j\""),
        ("scope", "\"orders:read profile\""),
        ("sid", "\"AAAAAAAAAAAAAAAAAAAAAA\""),
        ("ver", "[0,0,0,0]"),
        ("roles", "[\"clerk\"]"),
    ];
    for (name, value) in changes {
        members.retain(|(member, _)| member != name);
        members.push((name, value));
    }
    let members = members.iter().filter(|(_, value)| !value.is_empty());
    let members: Vec<_> = members.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

pub(crate) fn token(key: &SigningKey, changes: &[(&str, &str)]) -> String {
    key.sign(Type::AccessTokenJwt, claims(ISSUER, changes).as_bytes()).unwrap()
}

/// So many seconds after the tokens were issued.
pub(crate) fn at(seconds: i64) -> Now {
    let wall = Timestamp::from_seconds(ISSUED.saturating_add_signed(seconds));
    Now { wall, monotonic: std::time::Duration::from_secs(1) }
}
