//! `symbolon bench verify`: what a check costs on this machine, each figure beside its floor from the same run.
//!
//! Short rounds of all are interleaved, so that whatever else the machine does disturbs them alike.

use crate::cli::stopwatch::Stopwatch;
use crate::cli::{Failure, out};
use clap::Args;
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::hint::black_box;
use std::thread;
use std::time::Duration;
use symbolon_core::{Effect, Reason, SessionId};
use symbolon_verify::measure::Filled;
use symbolon_verify::{
    Algorithm, Builder, KeySet, Now, Policy, Presented, Timestamp, Type, Verifier,
};
use symbolon_wire::feed::{Entry, Hit, TargetDigest, TargetKey};
use symbolon_wire::{SigningKey, VerifyingKey, session_id_text};

/// When everything here happens, in seconds, and when all of it ends.
const AT: u64 = 1_700_000_000;
const END: u64 = 4_102_444_800;

/// How many signatures one round checks.
const COLD_CALLS: usize = 10;

/// How many checks a thread makes when threads are compared.
const SCALING_CALLS: usize = 200_000;

/// How much there is to verify.
#[derive(Args)]
pub struct VerifyArgs {
    /// How many different tokens come in turn
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    tokens: u32,
    /// How many sessions the mirror knows as ended
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    revoked: u32,
    /// How many rounds; medians count
    #[arg(long, default_value_t = 301, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Medians, in nanoseconds a call.
#[derive(Serialize, Default)]
struct Figures {
    tokens: u32,
    revoked: usize,
    /// A token that was verified before.
    check_ns: f64,
    /// The same, owned.
    verify_ns: f64,
    /// Their floor: a look-up by the whole token in the standard library's map.
    map_ns: f64,
    /// A token that was not.
    cold_ns: f64,
    /// Its floor: the signature alone.
    signature_ns: f64,
    /// A look-up in the mirror that finds something, and one that does not.
    mirror_hit_ns: f64,
    mirror_miss_ns: f64,
    /// Their floor: the standard library's set.
    set_hit_ns: f64,
    set_miss_ns: f64,
    /// What two threads do together over what one does, best of five.
    two_threads: f64,
}

/// Measures.
///
/// # Errors
/// No key could be made.
pub(super) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let bench = Bench::new(args).ok_or_else(|| Failure::could_not("no key could be made"))?;
    let figures = bench.measure(args);
    if args.json {
        out::json(&figures)
    } else {
        figures.print()
    }
    Ok(())
}

struct Bench {
    key: VerifyingKey,
    tokens: Vec<String>,
    ended: Vec<[u8; 16]>,
    living: Vec<[u8; 16]>,
    mirror: Filled,
    warm: Verifier,
    cold: Verifier,
}

impl Bench {
    fn new(args: &VerifyArgs) -> Option<Self> {
        let key = SigningKey::generate(Algorithm::EdDsa).ok()?;
        let targets = TargetKey::parse(&"A".repeat(43)).ok()?;
        let sign = |number| key.sign(Type::AccessTokenJwt, claims(number).as_bytes()).ok();
        let tokens = (0..u64::from(args.tokens)).map(sign).collect::<Option<Vec<_>>>()?;
        let digest = |number| targets.digest_session(session(number)).0;
        let first = 1 << 32;
        let ended: Vec<_> = (first..first + u64::from(args.revoked)).map(digest).collect();
        let living = (2 * first..2 * first + 10_000).map(digest).collect();
        let mirror = Filled::new();
        mirror.use_target_key(targets);
        ended
            .chunks(4096)
            .for_each(|some| mirror.apply(&some.iter().map(entry).collect::<Vec<_>>()));
        mirror.vouch(Timestamp::from_seconds(AT), now().monotonic);
        let keys = || KeySet::from_keys(vec![key.verifying_key()]).ok();
        let warm = mirror.verifier(builder().cache(8 * tokens.len()), keys()?).ok()?;
        let cold = mirror.verifier(builder().cache(0), keys()?).ok()?;
        Some(Self { key: key.verifying_key(), tokens, ended, living, mirror, warm, cold })
    }

    fn measure(&self, args: &VerifyArgs) -> Figures {
        let map: HashMap<&str, usize> =
            self.tokens.iter().enumerate().map(|(at, token)| (&**token, at)).collect();
        let set: HashSet<&[u8; 16]> = self.ended.iter().collect();
        let parted: Vec<_> = self.tokens.iter().filter_map(|token| part(token)).collect();
        let policy = Policy::default().scope("orders:read");
        let mut times = [const { Vec::new() }; 9];
        for round in 0..args.rounds as usize {
            let token = |at: usize| &*self.tokens[at * 7 % self.tokens.len()];
            let other = |at: usize| (at + round * COLD_CALLS) % parted.len();
            let digest = |of: &[[u8; 16]], at: usize| of[(at + round) * 7919 % of.len()];
            let every = self.tokens.len();
            times[0].push(per_call(every, |at| map.contains_key(token(at))));
            times[1].push(per_call(every, |at| check(&self.warm, &policy, token(at))));
            times[2].push(per_call(every, |at| {
                self.warm.verify(&Presented::bearer(token(at)), &policy, now()).is_ok()
            }));
            times[3].push(per_call(COLD_CALLS, |at| {
                let (message, signature) = &parted[other(at)];
                self.key.check(message, signature).is_ok()
            }));
            times[4].push(per_call(COLD_CALLS, |at| {
                check(&self.cold, &policy, &self.tokens[other(at)])
            }));
            times[5].push(per_call(1000, |at| self.mirror.find(&digest(&self.ended, at))));
            times[6].push(per_call(1000, |at| !self.mirror.find(&digest(&self.living, at))));
            times[7].push(per_call(1000, |at| set.contains(&digest(&self.ended, at))));
            times[8].push(per_call(1000, |at| !set.contains(&digest(&self.living, at))));
        }
        let [map_ns, check_ns, verify_ns, signature_ns, cold_ns, hit, miss, set_hit, set_miss] =
            times.map(median);
        Figures {
            tokens: args.tokens,
            revoked: self.mirror.len(),
            check_ns,
            verify_ns,
            map_ns,
            cold_ns,
            signature_ns,
            mirror_hit_ns: hit,
            mirror_miss_ns: miss,
            set_hit_ns: set_hit,
            set_miss_ns: set_miss,
            two_threads: self.two_threads(),
        }
    }

    fn two_threads(&self) -> f64 {
        let best = |threads| (0..5).map(|_| self.throughput(threads)).fold(0.0, f64::max);
        best(2) / best(1)
    }

    /// Checks a second of so many threads.
    fn throughput(&self, threads: usize) -> f64 {
        let policy = Policy::default().scope("orders:read");
        let watch = Stopwatch::start();
        thread::scope(|scope| {
            for own in 0..threads {
                let (policy, tokens) = (&policy, &self.tokens);
                let token = move |at: usize| &*tokens[(at + own * 500) % tokens.len()];
                let run =
                    move || per_call(SCALING_CALLS, |at| check(&self.warm, policy, token(at)));
                scope.spawn(run);
            }
        });
        (threads * SCALING_CALLS) as f64 / watch.elapsed().as_secs_f64()
    }
}

impl Figures {
    fn print(&self) {
        let row = |what: &str, own: f64, floor: f64, of: &str, promised: &str| {
            let text = [what, of, promised].map(str::to_owned);
            let [what, of, promised] = text;
            vec![what, format!("{own:.0}"), format!("{floor:.0}"), of, promised]
        };
        let rows = vec![
            row("check, seen before", self.check_ns, self.map_ns, "a map", "at most 200"),
            row("verify, seen before", self.verify_ns, self.map_ns, "a map", "at most 400"),
            row(
                "check, not seen before (EdDSA)",
                self.cold_ns,
                self.signature_ns,
                "the signature alone",
                "floor at least 0.95 of it",
            ),
            row("mirror, ended", self.mirror_hit_ns, self.set_hit_ns, "a set", "at most 80"),
            row("mirror, not ended", self.mirror_miss_ns, self.set_miss_ns, "a set", "at most 80"),
        ];
        out::table(&["WHAT", "NS", "FLOOR NS", "FLOOR", "PROMISED"], rows);
        out::line(format!(
            "{} tokens, {} sessions ended; two threads do {:.2} x what one does (promised: 1.7)",
            self.tokens, self.revoked, self.two_threads
        ));
    }
}

fn builder() -> Builder {
    Verifier::builder("https://id.example.com").audience("demo-api")
}

fn check(verifier: &Verifier, policy: &Policy, token: &str) -> bool {
    verifier.check(&Presented::bearer(token), policy, now(), |claims| claims.sub.len()).is_ok()
}

const fn now() -> Now {
    Now { wall: Timestamp::from_seconds(AT + 1), monotonic: Duration::from_secs(1) }
}

fn session(number: u64) -> SessionId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

/// A token's claims, as those of a web client are.
fn claims(number: u64) -> String {
    format!(
        r#"{{"iss":"https://id.example.com","sub":"user-{number:04}","aud":"demo-api","client_id":"web","iat":{AT},"exp":{END},"jti":"AAAAAAAAAAAAAAAAAA{number:04}","scope":"orders:read profile","sid":"{}","ver":[1,7,3,2],"auth_time":{AT},"acr":"1","amr":["pwd"],"roles":["clerk","buyer"]}}"#,
        session_id_text(session(number)),
    )
}

fn entry(digest: &[u8; 16]) -> Entry {
    let hit = Hit::Session(TargetDigest(*digest));
    let expires_at = Timestamp::from_seconds(END);
    Entry { hit, effect: Effect::Revoked, reason: Reason::Kicked, expires_at }
}

/// What is signed, and the signature.
fn part(token: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (message, signature) = token.rsplit_once('.')?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
    Some((message.as_bytes().to_vec(), signature))
}

/// Nanoseconds a call.
///
/// # Panics
/// If one call does not answer what it should: a figure of something else would be worthless.
fn per_call(calls: usize, mut call: impl FnMut(usize) -> bool) -> f64 {
    let watch = Stopwatch::start();
    for at in 0..calls {
        assert!(black_box(call(at)), "what is measured did not do what it should");
    }
    watch.elapsed().as_secs_f64() * 1e9 / calls as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2] * 10.0).round() / 10.0
}
