//! Cold verification beside its floor, the bare signature check, in the same run.
//!
//! Short rounds of all are interleaved, so that a noisy machine disturbs them alike; a ratio is the
//! median of the rounds' own ratios, since a slow minute in the middle would bend a ratio of medians.
//! `cargo bench -p symbolon-verify --bench cold`; `-- --quick` for a tenth of the rounds, and an algorithm's name
//! for that one alone.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod support;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{DecodingKey, Validation};
use support::{builder, median, now, per_call, rounds, tokens, verdict};
use symbolon_verify::{Algorithm, Policy, Presented, Verifier};
use symbolon_wire::{KeySet, SharedSecret, SigningKey};

/// What of a cold check the signature should be, without the cache and with insertion into it.
const TARGETS: [f64; 2] = [0.95, 0.9];

/// How many tokens come in turn, so that none is in a cache of four.
const TOKENS: usize = 500;

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn main() {
    println!(
        "{:8} {:>8} {:>8} {:>7} {:>9} {:>7}   ns",
        "alg", "bare", "check", "ratio", "inserting", "ratio"
    );
    let asked: Vec<_> = std::env::args().collect();
    let named = |alg: &Algorithm| asked.iter().any(|arg| *arg == alg.name());
    let some = Algorithm::ALL.iter().any(named);
    for alg in Algorithm::ALL.into_iter().filter(|alg| !some || named(alg)) {
        let Row { bare, check, insert, ratios: [ratio, inserting], decode } =
            Row::measure(alg, rounds(1001));
        print!("{:8} {bare:>8.0} {check:>8.0} {ratio:>7.3} ", alg.name());
        match decode {
            None => println!(
                "{insert:>9.0} {inserting:>7.3}   at least {TARGETS:?}: {} {}",
                verdict(ratio >= TARGETS[0]),
                verdict(inserting >= TARGETS[1])
            ),
            Some((decode, times)) => println!(
                "{:>17}   jsonwebtoken {decode:.0}: {times:.1} x, at least 3: {}",
                "",
                verdict(times >= 3.0)
            ),
        }
    }
}

/// Medians, in nanoseconds a call.
struct Row {
    bare: f64,
    check: f64,
    insert: f64,
    /// Of the bare check to the whole one, round by round.
    ratios: [f64; 2],
    /// What `jsonwebtoken` takes for the same, and how many times that is ours.
    decode: Option<(f64, f64)>,
}

impl Row {
    fn measure(alg: Algorithm, rounds: usize) -> Self {
        let key = match alg.is_symmetric() {
            true => SigningKey::from_secret(SharedSecret::assume_drawn(&[7; 32])),
            false => SigningKey::generate(alg).expect("a key"),
        };
        let tokens = tokens(&key, TOKENS);
        let parted: Vec<_> = tokens.iter().map(|token| part(token)).collect();
        let bare_key = key.verifying_key();
        let verifier = |cache| {
            let keys = KeySet::from_keys(vec![key.verifying_key()]).expect("a set");
            builder().algorithm(alg).cache(cache).offline(keys).expect("a verifier")
        };
        let (bare, filling) = (verifier(0), verifier(4));
        let decode = decoder();
        let calls = if alg.is_symmetric() { 500 } else { 10 };
        let mut times = [const { Vec::new() }; 4];
        for round in 0..rounds {
            let at = |call| (round * calls + call) % TOKENS;
            // The bare check is the library's own on a parsed key, behind one `match`.
            times[0].push(per_call(calls, |call| {
                let (message, signature) = &parted[at(call)];
                bare_key.check(message, signature).is_ok()
            }));
            times[1].push(per_call(calls, |call| check(&bare, &tokens[at(call)])));
            times[2].push(per_call(calls, |call| check(&filling, &tokens[at(call)])));
            if alg.is_symmetric() {
                times[3].push(per_call(calls, |call| decode(&tokens[at(call)])));
            }
        }
        let ratio = |own: usize, other: usize| {
            median(times[own].iter().zip(&times[other]).map(|(own, other)| own / other).collect())
        };
        let ratios = [ratio(0, 1), ratio(0, 2)];
        let decode = alg.is_symmetric().then(|| (median(times[3].clone()), ratio(3, 1)));
        let [bare, check, insert, _] =
            times.map(|times| if times.is_empty() { 0.0 } else { median(times) });
        Self { bare, check, insert, ratios, decode }
    }
}

/// What is signed, and the signature.
fn part(token: &str) -> (Vec<u8>, Vec<u8>) {
    let (message, signature) = token.rsplit_once('.').expect("three segments");
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
    (message.as_bytes().to_vec(), signature)
}

fn check(verifier: &Verifier, token: &str) -> bool {
    let policy = Policy::offline().scope("orders:read");
    verifier.check(&Presented::bearer(token), &policy, now(), |claims| claims.sub.len()).is_ok()
}

/// `jsonwebtoken` under HS256, everything prepared.
fn decoder() -> impl Fn(&String) -> bool {
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_audience(&["demo-api"]);
    validation.set_issuer(&["https://id.example.com"]);
    let key = DecodingKey::from_secret(&[7; 32]);
    move |token| jsonwebtoken::decode::<support::Decoded>(token, &key, &validation).is_ok()
}
