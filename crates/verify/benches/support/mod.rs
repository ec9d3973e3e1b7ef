//! What the benchmarks share: tokens, clocks, medians.

use std::hint::black_box;
use std::time::{Duration, Instant};
use symbolon_core::{Effect, Reason, Salt, SessionId};
use symbolon_verify::{Builder, Now, Timestamp, Type, Verifier};
use symbolon_wire::feed::{Entry, Hit, TargetDigest, TargetKey};
use symbolon_wire::{HandleKind, MasterKey, SigningKey};

/// A token's claims: 317 bytes with a number of four digits. They end in 2100, since `jsonwebtoken` reads the
/// clock by itself.
pub(crate) fn claims(number: usize) -> String {
    format!(
        r#"{{"iss":"https://id.example.com","sub":"user-{number:04}","aud":"demo-api","client_id":"web","iat":1700000000,"exp":4102444800,"jti":"AAAAAAAAAAAAAAAAAA{number:04}","scope":"orders:read profile","sid":"{}","ver":[1,7,3,2],"auth_time":1700000000,"acr":"1","amr":["pwd"],"roles":["clerk","buyer"]}}"#,
        session(number),
    )
}

/// What a typical caller of `jsonwebtoken` reads.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "it is only decoded")]
pub(crate) struct Decoded {
    iss: String,
    sub: String,
    client_id: String,
    iat: u64,
    exp: u64,
    jti: String,
    scope: String,
    sid: String,
    ver: [u64; 4],
    roles: Vec<String>,
}

/// A session's name.
pub(crate) fn session(number: usize) -> String {
    symbolon_wire::session_id_text(session_id(number))
}

fn session_id(number: usize) -> SessionId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
    SessionId::from_bytes(bytes)
}

/// Opaque tokens of the same sessions, and what the authority says of each.
pub(crate) fn opaque(count: usize) -> Vec<(String, String)> {
    let master = MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU").expect("a key");
    let keys = master.handle_keys();
    let one = |number| {
        let token = keys.mint(HandleKind::AccessToken, session_id(number), Salt([7; 8]));
        let body = claims(number).replacen('{', "{\"active\":true,\"token_type\":\"Bearer\",", 1);
        (token.expose().to_owned(), body)
    };
    (0..count).map(one).collect()
}

pub(crate) fn tokens(key: &SigningKey, count: usize) -> Vec<String> {
    let sign = |number| key.sign(Type::AccessTokenJwt, claims(number).as_bytes());
    (0..count).map(|number| sign(number).expect("a token")).collect()
}

pub(crate) fn builder() -> Builder {
    Verifier::builder("https://id.example.com").audience("demo-api")
}

pub(crate) fn target_key() -> TargetKey {
    TargetKey::parse(&"A".repeat(43)).expect("a key")
}

/// When everything here happens.
pub(crate) fn now() -> Now {
    let wall = Timestamp::from_seconds(1_700_000_001);
    Now { wall, monotonic: Duration::from_secs(1) }
}

/// Digests that look like any other, and are made in next to no time (SplitMix64).
pub(crate) struct Digests(pub(crate) u64);

impl Digests {
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// The digest of a number.
    pub(crate) fn of(number: u64) -> [u8; 16] {
        let mut own = Self(number.wrapping_mul(0xd134_2543_de82_ef95));
        let mut digest = [0; 16];
        digest[..8].copy_from_slice(&own.word().to_be_bytes());
        digest[8..].copy_from_slice(&own.word().to_be_bytes());
        digest
    }
}

/// An ended session, kept until 2100.
pub(crate) fn ended(digest: [u8; 16]) -> Entry {
    let (hit, effect, reason) =
        (Hit::Session(TargetDigest(digest)), Effect::Revoked, Reason::Kicked);
    Entry { hit, effect, reason, expires_at: Timestamp::from_seconds(4_102_444_800) }
}

/// Nanoseconds a call.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn per_call(calls: usize, mut call: impl FnMut(usize) -> bool) -> f64 {
    let start = Instant::now();
    for at in 0..calls {
        assert!(black_box(call(at)));
    }
    start.elapsed().as_secs_f64() * 1e9 / calls as f64
}

pub(crate) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// `--quick` for a tenth of the rounds.
pub(crate) fn rounds(all: usize) -> usize {
    if std::env::args().any(|arg| arg == "--quick") { all.div_ceil(10) } else { all }
}

pub(crate) fn verdict(ok: bool) -> &'static str {
    if ok { "ok" } else { "SHORT" }
}
