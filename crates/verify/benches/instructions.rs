//! Paths without cryptography, made to be counted and not timed: `scripts/instructions` runs this under valgrind with
//! two counts and divides the difference, so that what comes before does not matter. Nothing here is random.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod support;

use std::hint::black_box;
use support::{Digests, builder, claims, ended, now, target_key, tokens};
use symbolon_verify::measure::Filled;
use symbolon_verify::{Policy, Presented, Timestamp};
use symbolon_wire::{KeySet, ParsedClaims, SigningKey};

/// How many tokens take turns, and how many entries the mirror has.
const TOKENS: usize = 16;
const ENTRIES: u64 = 10_000;

fn main() {
    let args: Vec<_> = std::env::args().collect();
    let [_, path, times, ..] = &*args else { return };
    // `cargo bench` without arguments of ours passes a flag; there is nothing to time.
    let Ok(times) = times.parse() else { return };
    let mirror = Filled::new();
    mirror.use_target_key(target_key());
    mirror.apply(&(0..ENTRIES).map(|n| ended(Digests::of(n))).collect::<Vec<_>>());
    mirror.vouch(Timestamp::from_seconds(1_700_000_001), now().monotonic);
    match &**path {
        "warm" => warm(&mirror, times, false),
        "moved" => warm(&mirror, times, true),
        "look-up" => look_up(&mirror, times),
        "apply" => apply(&mirror, times),
        "claims" => parse(times),
        _ => panic!("there is no path of that name"),
    }
}

/// Checks of tokens that were verified before, with or without something new in the mirror.
fn warm(mirror: &Filled, times: usize, moved: bool) {
    // A fixed seed, so that Ed25519's tokens, and with them their places in the cache, are the same at each run.
    let mut der = data_encoding::HEXLOWER
        .decode(b"302e020100300506032b657004220420")
        .expect("the beginning of every such key (RFC 8410)");
    der.extend_from_slice(&[7; 32]);
    let key = SigningKey::from_pkcs8(&der).expect("a key");
    let keys = KeySet::from_keys(vec![key.verifying_key()]).expect("a set");
    let verifier = mirror.predictable(builder(), keys).expect("a verifier");
    let policy = Policy::default().scope("orders:read");
    let tokens = tokens(&key, TOKENS);
    for at in 0..TOKENS + times {
        if moved {
            mirror.apply(&[]);
        }
        let presented = Presented::bearer(&tokens[at % TOKENS]);
        let checked = verifier.check(&presented, &policy, now(), |claims| claims.sub.len());
        assert!(black_box(checked).is_ok());
    }
}

fn look_up(mirror: &Filled, times: usize) {
    for number in 0..times as u64 {
        // Every other one is there.
        let digest = Digests::of(number / 2 + ENTRIES * (number % 2));
        assert_eq!(black_box(mirror.find(&digest)), number % 2 == 0);
    }
}

fn apply(mirror: &Filled, times: usize) {
    for number in 0..times as u64 {
        mirror.apply(&[ended(Digests::of(ENTRIES + number))]);
    }
}

fn parse(times: usize) {
    let payload = claims(7);
    for _ in 0..times {
        let parsed = ParsedClaims::parse_unverified(black_box(payload.as_bytes()));
        assert!(black_box(parsed).is_ok());
    }
}
