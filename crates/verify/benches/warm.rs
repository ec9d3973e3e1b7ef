//! Checking a token that was verified before, beside its floor, a look-up in a plain map, and beside the
//! `jsonwebtoken` crate decoding the same token; and an opaque token of the same session that was asked about before.
//!
//! `cargo bench -p symbolon-verify --bench warm`; `-- --quick` for a tenth of the rounds. Rounds of all are
//! interleaved; ratios are medians of the rounds' own.

mod support;

use foldhash::fast::RandomState;
use jsonwebtoken::{DecodingKey, Validation};
use std::collections::HashMap;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;
use support::{builder, ended, median, now, opaque, per_call, rounds, target_key, tokens, verdict};
use symbolon_verify::measure::{Filled, tell};
use symbolon_verify::{Algorithm, Policy, Presented, Timestamp, Verifier};
use symbolon_wire::{KeySet, SigningKey};

const TOKENS: usize = 1000;
const MIRROR: u64 = 100_000;

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn main() {
    let key = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    let keys = || KeySet::from_keys(vec![key.verifying_key()]).expect("a set");
    let mirror = Filled::new();
    mirror.use_target_key(target_key());
    let entries: Vec<_> = (0..MIRROR).map(|n| ended(support::Digests::of(n))).collect();
    mirror.apply(&entries);
    mirror.vouch(Timestamp::from_seconds(1_700_000_001), now().monotonic);
    let verifier = mirror.verifier(builder(), keys()).expect("a verifier");
    let tokens = tokens(&key, TOKENS);
    println!("{TOKENS} tokens of {} bytes, a mirror of {}", tokens[0].len(), mirror.len());
    let all = Measured::of(&verifier, &mirror, &key, &tokens);
    let Measured { floor, check, moved, verify, decode, ratio, opaque, opaque_ratio } = all;
    println!("plain map look-up        {floor:>8.0} ns   (floor)");
    let ok = verdict(check <= 200.0);
    println!(
        "check                    {check:>8.0} ns   {:.2} of the floor, at most 200: {ok}",
        floor / check
    );
    println!("check, mirror just moved {moved:>8.0} ns");
    let ok = verdict(opaque_ratio <= 2.0);
    println!(
        "check, opaque            {opaque:>8.0} ns   {opaque_ratio:.2} x check, at most 2: {ok}"
    );
    let ok = verdict(verify <= 400.0);
    println!("verify (owned)           {verify:>8.0} ns   at most 400: {ok}");
    let ok = verdict(ratio >= 150.0);
    println!("jsonwebtoken             {decode:>8.0} ns   {ratio:.0} x check, at least 150: {ok}");
    for (name, tokens) in [("1000 tokens", &tokens[..]), ("one token", &tokens[..1])] {
        let (one, two) = scaling(&verifier, tokens);
        let ok = verdict(two / one >= 1.7);
        println!(
            "{name:<12} 1 thread {:.1} M/s, 2 threads {:.1} M/s: {:.2} x, at least 1.7: {ok}",
            one / 1e6,
            two / 1e6,
            two / one
        );
    }
}

/// Medians, in nanoseconds a call.
struct Measured {
    floor: f64,
    check: f64,
    moved: f64,
    verify: f64,
    decode: f64,
    ratio: f64,
    opaque: f64,
    opaque_ratio: f64,
}

impl Measured {
    fn of(verifier: &Verifier, mirror: &Filled, key: &SigningKey, tokens: &[String]) -> Self {
        let map: HashMap<&str, usize, RandomState> =
            tokens.iter().enumerate().map(|(at, token)| (&**token, at)).collect();
        let policy = Policy::default().scope("orders:read");
        let decoding = decoding_key(key);
        let mut validation = Validation::new(jsonwebtoken::Algorithm::EdDSA);
        validation.set_audience(&["demo-api"]);
        validation.set_issuer(&["https://id.example.com"]);
        let decode = |token: &String| {
            jsonwebtoken::decode::<support::Decoded>(token, &decoding, &validation).is_ok()
        };
        let asked = asked(mirror, key);
        let opaque: Vec<_> = opaque(TOKENS).into_iter().map(|(token, _)| token).collect();
        let mut times = [const { Vec::new() }; 6];
        for _ in 0..rounds(1001) {
            let token = |at: usize| &tokens[at * 7 % TOKENS];
            times[0].push(per_call(TOKENS, |at| map.contains_key(&**token(at))));
            // The first use of each after a change looks every target up; then nothing has changed.
            mirror.apply(&[]);
            times[1].push(per_call(TOKENS, |at| check(verifier, &policy, token(at))));
            times[2].push(per_call(TOKENS, |at| check(verifier, &policy, token(at))));
            times[3].push(per_call(TOKENS, |at| {
                verifier.verify(&Presented::bearer(token(at)), &policy, now()).is_ok()
            }));
            times[4].push(per_call(3, |at| decode(token(at))));
            let opaque = |at: usize| &opaque[at * 7 % TOKENS];
            // As above: what follows a change is not measured here.
            per_call(TOKENS, |at| check(&asked, &policy, opaque(at)));
            times[5].push(per_call(TOKENS, |at| check(&asked, &policy, opaque(at))));
        }
        let to_check = |times: &[f64], checks: &[f64]| {
            median(times.iter().zip(checks).map(|(own, check)| own / check).collect())
        };
        let ratio = to_check(&times[4], &times[2]);
        let opaque_ratio = to_check(&times[5], &times[2]);
        let [floor, moved, check, verify, decode, opaque] = times.map(median);
        Self { floor, check, moved, verify, decode, ratio, opaque, opaque_ratio }
    }
}

/// A verifier that was told of every opaque token.
fn asked(mirror: &Filled, key: &SigningKey) -> Verifier {
    let keys = KeySet::from_keys(vec![key.verifying_key()]).expect("a set");
    let verifier = mirror.asking(builder(), keys).expect("a verifier");
    for (token, body) in opaque(TOKENS) {
        let told = tell(&verifier, &token, body.as_bytes(), &Policy::default(), now());
        assert!(told.is_ok_and(|told| told.is_some()));
    }
    verifier
}

fn check(verifier: &Verifier, policy: &Policy, token: &str) -> bool {
    verifier.check(&Presented::bearer(token), policy, now(), |claims| claims.sub.len()).is_ok()
}

fn decoding_key(key: &SigningKey) -> DecodingKey {
    let jwk = key.public_jwk().expect("a public key").to_json();
    let x = jwk.split("\"x\":\"").nth(1).and_then(|rest| rest.split('"').next());
    DecodingKey::from_ed_components(x.expect("an Ed25519 key")).expect("a key")
}

/// Checks a second of one and of two threads; each the best of five.
fn scaling(verifier: &Verifier, tokens: &[String]) -> (f64, f64) {
    let mut best = [0.0_f64; 2];
    for _ in 0..5 {
        best[0] = best[0].max(throughput(verifier, tokens, 1));
        best[1] = best[1].max(throughput(verifier, tokens, 2));
    }
    (best[0], best[1])
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn throughput(verifier: &Verifier, tokens: &[String], threads: usize) -> f64 {
    const CALLS: usize = 1_000_000;
    let (barrier, policy) = (Barrier::new(threads + 1), Policy::default().scope("orders:read"));
    let run = |thread: usize| {
        barrier.wait();
        let at = |call: usize| (call + thread * 500) % tokens.len();
        per_call(CALLS, |call| check(verifier, &policy, &tokens[at(call)]));
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|own| scope.spawn(move || run(own))).collect();
        barrier.wait();
        let start = Instant::now();
        running.into_iter().for_each(|thread| thread.join().expect("it ran"));
        (CALLS * threads) as f64 / start.elapsed().as_secs_f64()
    })
}
