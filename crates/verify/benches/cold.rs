//! Cold verification beside its floor, the bare signature check, in the same run.
//!
//! Short rounds of both are interleaved, so that a noisy machine disturbs both alike; the ratio is the
//! median of the rounds' own ratios, since a slow minute in the middle would bend a ratio of medians. `cargo bench -p symbolon-verify --bench cold`; `-- --quick` for a few rounds.

use data_encoding::BASE64URL_NOPAD;
use std::hint::black_box;
use std::time::{Duration, Instant};
use symbolon_verify::{Algorithm, Now, Policy, Presented, Timestamp, Verifier};
use symbolon_wire::{KeySet, SigningKey, Type};

/// The ratio that a cold check should reach; HS256 is printed without one.
const TARGET: f64 = 0.9;

const CLAIMS: &str = r#"{"iss":"https://id.example.com","sub":"user-10086","aud":"demo-api","client_id":"web","iat":1700000000,"exp":1700000300,"jti":"AAAAAAAAAAAAAAAAAAAAAA","scope":"orders:read profile","sid":"AAAAAAAAAAAAAAAAAAAAAA","ver":[1,7,3,2],"auth_time":1700000000,"acr":"1","amr":["pwd"],"roles":["clerk","buyer"]}"#;

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn main() {
    let rounds = if std::env::args().any(|arg| arg == "--quick") { 101 } else { 2001 };
    println!("{:8} {:>10} {:>10} {:>10} {:>7}", "alg", "bare", "check", "verify", "ratio");
    for alg in Algorithm::ALL {
        let row = Row::measure(alg, rounds);
        let ratio = row.ratio;
        let verdict = match (alg.is_symmetric(), TARGET <= ratio) {
            (true, _) => "",
            (false, true) => "ok",
            (false, false) => "below 0.9",
        };
        let [bare, check, verify] =
            [row.bare, row.check, row.verify].map(|us| format!("{us:.2} us"));
        println!("{:8} {bare:>10} {check:>10} {verify:>10} {ratio:>7.3} {verdict}", alg.name());
    }
}

/// Medians, in microseconds a call.
struct Row {
    bare: f64,
    check: f64,
    verify: f64,
    /// Of the bare check to the whole one, round by round.
    ratio: f64,
}

impl Row {
    fn measure(alg: Algorithm, rounds: usize) -> Self {
        let key = SigningKey::generate(alg).expect("a key");
        let token = key.sign(Type::AccessTokenJwt, CLAIMS.as_bytes()).expect("a token");
        let (message, signature) = token.rsplit_once('.').expect("three segments");
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
        let bare_key = key.verifying_key();
        let keys = KeySet::from_keys(vec![key.verifying_key()]).expect("a set");
        let verifier = Verifier::builder("https://id.example.com").audience("demo-api");
        let verifier = verifier.algorithm(alg).offline(keys).expect("a verifier");
        let (presented, policy) =
            (Presented::bearer(&token), Policy::offline().scope("orders:read"));
        let wall = Timestamp::from_seconds(1_700_000_001);
        let now = Now { wall, monotonic: Duration::ZERO };
        let calls = if alg.is_symmetric() { 500 } else { 10 };
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            // The bare check is the library's own on a parsed key, behind one `match`.
            times[0]
                .push(per_call(calls, || bare_key.check(message.as_bytes(), &signature).is_ok()));
            times[1].push(per_call(calls, || {
                verifier.check(&presented, &policy, now, |claims| claims.sub.len()).is_ok()
            }));
            times[2].push(per_call(calls, || verifier.verify(&presented, &policy, now).is_ok()));
        }
        let ratios = times[0].iter().zip(&times[1]).map(|(bare, check)| bare / check).collect();
        let [bare, check, verify] = times.map(median);
        Self { bare, check, verify, ratio: median(ratios) }
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn per_call(calls: u32, mut call: impl FnMut() -> bool) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        assert!(black_box(call()));
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
