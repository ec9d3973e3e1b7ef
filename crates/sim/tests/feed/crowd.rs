//! Many: tokens and ended sessions, no false yes and no false no; and a verifier that comes late to a large mirror.

use crate::node::{ISSUER, Keys};
use crate::store::{BEGIN, TTL, instant, session};
use crate::world::token;
use std::time::{Duration, Instant};
use symbolon_core::{Effect, Reason, StoreEpoch};
use symbolon_verify::feed::{Follower, Gap};
use symbolon_verify::{Algorithm, KeySet, Now, Policy, Presented, Rejected, Timestamp, Verifier};
use symbolon_wire::SigningKey;
use symbolon_wire::feed::{
    Checkpoint, Cursor, Entry, Frame, Hit, TargetKey, TargetKind, write_snapshot,
};

const BOUND: Duration = Duration::from_secs(2);

struct Crowd {
    keys: Keys,
    verifier: Verifier,
    follower: Follower,
}

impl Crowd {
    fn new() -> Self {
        let signing = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let targets = TargetKey::parse(&"A".repeat(43)).ok().unwrap();
        let set = KeySet::from_keys(vec![signing.verifying_key()]).ok().unwrap();
        let verifier =
            Verifier::builder(ISSUER).audience("demo-api").cache(0).offline(set).unwrap();
        let follower = Follower::new(&verifier);
        Self { keys: Keys { signing, targets }, verifier, follower }
    }

    /// A snapshot in which every session of these numbers has ended.
    fn snapshot(&self, ended: impl Iterator<Item = u64>) -> Vec<u8> {
        let record = |number| {
            let text = symbolon_wire::session_id_text(session(number));
            let hit = Hit::Session(self.keys.targets.digest(TargetKind::Session, &text));
            let expires_at = Timestamp::from_seconds(BEGIN + TTL);
            Entry { hit, effect: Effect::Revoked, reason: Reason::Kicked, expires_at }.to_record()
        };
        let records: Vec<_> = ended.map(record).collect();
        let sign = |digest| checkpoint(None, Some(digest)).sign(&self.keys.signing);
        write_snapshot(&cursor(), &self.keys.targets, &records, sign).unwrap()
    }

    /// Until it says yes: the snapshot, then an answer that says what time it is.
    fn takes(&mut self, snapshot: &[u8]) -> Result<(), Gap> {
        self.follower.on_snapshot(snapshot, now())?;
        let question = self.follower.ask_time([7; 16], now()).unwrap();
        let nonce = question.path().split("nonce=").nth(1).map(str::to_owned);
        let said = checkpoint(nonce, None).sign(&self.keys.signing).unwrap();
        self.follower.on_time(Frame::Checkpoint(said).to_text().as_bytes(), now())
    }

    fn judged(&self, token: &str) -> Result<(), Rejected> {
        let policy = Policy::strict(BOUND);
        self.verifier.check(&Presented::bearer(token), &policy, now(), |_| ())
    }
}

fn cursor() -> Cursor {
    Cursor::block(StoreEpoch(1), 1 << 20)
}

fn checkpoint(nonce: Option<String>, snapshot: Option<symbolon_core::Digest>) -> Checkpoint {
    let (iss, at) = (ISSUER.to_owned(), instant(1000));
    Checkpoint { iss, cursor: cursor(), read_at: at, now: at, nonce, snapshot }
}

fn now() -> Now {
    Now { wall: instant(1000), monotonic: Duration::from_secs(1) }
}

#[expect(clippy::disallowed_methods, reason = "scripts/long asks for more of them")]
fn count(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is promised")]
fn who_comes_late_is_ready_within_two_seconds_and_says_no_until_then() {
    let entries = count("FEED_ENTRIES", 50_000);
    let mut crowd = Crowd::new();
    let (ended, living) = (token(&crowd.keys, 0), token(&crowd.keys, entries));
    let snapshot = crowd.snapshot(0..entries);
    assert!(crowd.judged(&living).is_err(), "nothing is known yet");
    assert!(crowd.takes(&snapshot[..snapshot.len() - 1]).is_err());
    assert!(crowd.judged(&living).is_err(), "a part of it is nothing");
    let began = Instant::now();
    crowd.takes(&snapshot).unwrap();
    let took = began.elapsed();
    println!("{entries} entries, ready after {took:?}");
    assert_eq!(crowd.judged(&living), Ok(()));
    assert!(matches!(crowd.judged(&ended), Err(Rejected::Revoked { .. })));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn among_many_tokens_exactly_those_of_ended_sessions_are_refused() {
    let tokens = count("FEED_TOKENS", 20_000);
    let mut crowd = Crowd::new();
    let snapshot = crowd.snapshot((0..tokens).filter(|number| number % 10 == 3));
    crowd.takes(&snapshot).unwrap();
    for number in 0..tokens {
        let judged = crowd.judged(&token(&crowd.keys, number));
        match number % 10 {
            3 => assert!(matches!(judged, Err(Rejected::Revoked { .. })), "{number} {judged:?}"),
            _ => assert_eq!(judged, Ok(()), "{number}"),
        }
    }
}
