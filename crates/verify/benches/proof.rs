//! The check of a bound token and of the proof beside it (DPoP, RFC 9449), beside its floor in the same run: the bare
//! signature checks of both, or of the proof alone where the token is known already.
//!
//! `cargo bench -p symbolon-verify --bench proof`; `-- --quick` for a tenth of the rounds.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod support;

use data_encoding::BASE64URL_NOPAD;
use std::time::Duration;
use support::{builder, claims, median, now, per_call, rounds, verdict};
use symbolon_verify::{Algorithm, Now, Policy, Presented, Type, Verifier};
use symbolon_wire::{KeySet, NewProof, SigningKey, VerifyingKey};

/// What of a check its bare signatures should be.
const TARGET: f64 = 0.9;

/// How many tokens, each with its proof, come in turn.
const TOKENS: usize = 500;

const URL: &str = "https://api.example.com/orders";

/// After so long a proof that was used is forgotten, so that it can come again.
const TURN: Duration = Duration::from_secs(180);

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn main() {
    println!("{:8} {:8} {:>8} {:>8} {:>7}   ns", "proof", "token", "bare", "check", "ratio");
    for alg in [Algorithm::EdDsa, Algorithm::Es256] {
        let scene = Scene::new(alg);
        for (known, cache) in [("new", 0), ("known", 4 * TOKENS)] {
            let [bare, check, ratio] = scene.measure(cache, rounds(501));
            let said = verdict(ratio >= TARGET);
            println!(
                "{:8} {known:8} {bare:>8.0} {check:>8.0} {ratio:>7.3}   at least {TARGET}: {said}",
                alg.name()
            );
        }
    }
}

/// Tokens that are bound to a device, and a proof for each.
struct Scene {
    issuer: SigningKey,
    keys: [VerifyingKey; 2],
    shown: Vec<[String; 2]>,
}

impl Scene {
    fn new(alg: Algorithm) -> Self {
        let issuer = SigningKey::generate(Algorithm::EdDsa).expect("a key");
        let device = SigningKey::generate(alg).expect("a key");
        let jkt = device.public_jwk().expect("a public half").thumbprint();
        let cnf = format!(",\"cnf\":{{\"jkt\":\"{}\"}}}}", BASE64URL_NOPAD.encode(&jkt));
        let shown = (0..TOKENS).map(|number| {
            let claims = claims(number);
            let claims = format!("{}{cnf}", &claims[..claims.len() - 1]);
            let token = issuer.sign(Type::AccessTokenJwt, claims.as_bytes()).expect("a token");
            let new = NewProof {
                jti: &format!("-BwC3ESc6acc2l{number:04}"),
                method: "GET",
                url: URL,
                at: now().wall,
                access_token: Some(&token),
                nonce: None,
            };
            let proof = new.sign(&device).expect("a proof");
            [token, proof]
        });
        let shown = shown.collect();
        let keys = [issuer.verifying_key(), device.verifying_key()];
        Self { issuer, keys, shown }
    }

    /// Medians of the bare checks and of the whole one, in nanoseconds, and of their ratios.
    fn measure(&self, cache: usize, rounds: usize) -> [f64; 3] {
        let keys = KeySet::from_keys(vec![self.issuer.verifying_key()]).expect("a set");
        let verifier = builder().cache(cache).offline(keys).expect("a verifier");
        let parted: Vec<_> =
            self.shown.iter().map(|both| both.each_ref().map(|it| part(it))).collect();
        (0..TOKENS).for_each(|at| assert!(self.check(&verifier, at), "a good proof"));
        let mut times = [const { Vec::new() }; 2];
        let calls = 10;
        for round in 0..rounds {
            // The first turn was that which filled the cache.
            let at = |call| TOKENS + round * calls + call;
            times[0].push(per_call(calls, |call| {
                let [token, proof] = &parted[at(call) % TOKENS];
                let is_known = cache > 0 || self.keys[0].check(&token.0, &token.1).is_ok();
                is_known && self.keys[1].check(&proof.0, &proof.1).is_ok()
            }));
            times[1].push(per_call(calls, |call| self.check(&verifier, at(call))));
        }
        let ratios = times[0].iter().zip(&times[1]).map(|(bare, check)| bare / check).collect();
        let [bare, check] = times.map(median);
        [bare, check, median(ratios)]
    }

    fn check(&self, verifier: &Verifier, at: usize) -> bool {
        let [token, proof] = &self.shown[at % TOKENS];
        let policy = Policy::offline().scope("orders:read");
        let presented = Presented::dpop(token).request("GET", URL).proof(Some(proof));
        let monotonic = TURN * (at / TOKENS) as u32;
        let now = Now { monotonic, ..now() };
        verifier.check(&presented, &policy, now, |claims| claims.sub.len()).is_ok()
    }
}

/// What is signed, and the signature.
fn part(token: &str) -> (Vec<u8>, Vec<u8>) {
    let (message, signature) = token.rsplit_once('.').expect("three segments");
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
    (message.as_bytes().to_vec(), signature)
}
