//! A link that loses, doubles, reorders, cuts and flips what it carries: 10,000 random faults, or `FEED_FAULTS`.

use crate::feed::{after, begin, verifier};
use crate::script::{Script, kicked, text};
use symbolon_verify::feed::{Follower, Want};
use symbolon_verify::{Policy, Verifier};
use symbolon_wire::feed::{BLOCK, Cursor};

/// Random enough, and the same again from its seed (Marsaglia's xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % bound.max(1)
    }
}

/// One verifier on one bad link.
struct Link {
    script: Script,
    verifier: Verifier,
    follower: Follower,
    chance: Chance,
    stale_snapshot: Vec<u8>,
    /// Whose end was checked to be known.
    checked: u64,
    kicked: u64,
    refused: usize,
    advanced: usize,
}

impl Link {
    fn new(seed: u64) -> Self {
        let script = Script::new();
        let verifier = verifier(&script);
        let mut follower = Follower::new(&verifier);
        begin(&script, &mut follower);
        let stale_snapshot = script.snapshot();
        let chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        Self {
            script,
            verifier,
            follower,
            chance,
            stale_snapshot,
            checked: 0,
            kicked: 0,
            refused: 0,
            advanced: 0,
        }
    }

    fn round(&mut self) {
        let batch = match self.chance.below(40) {
            0 => usize::try_from(BLOCK).unwrap(),
            other => other % 5,
        };
        for _ in 0..batch {
            self.script.kick(self.kicked);
            self.kicked += 1;
        }
        self.script.pass(200);
        let outcome = match self.follower.wants() {
            Want::Keys => {
                self.follower.on_keys();
                Ok(())
            }
            Want::Snapshot => self.faulty_snapshot(),
            Want::Stream { after } => self.faulty_stream(&after),
            other => unreachable!("{other:?}"),
        };
        match outcome {
            Ok(()) => self.advanced += 1,
            Err(()) => self.refused += 1,
        }
        self.check();
    }

    fn faulty_snapshot(&mut self) -> Result<(), ()> {
        let mut bytes = self.script.snapshot();
        match self.chance.below(4) {
            0 => self.flip(&mut bytes),
            1 => bytes.truncate(self.chance.below(bytes.len())),
            2 => bytes = std::mem::replace(&mut self.stale_snapshot, bytes),
            _ => {}
        }
        self.follower.on_snapshot(&bytes, self.script.reading()).map_err(drop)
    }

    fn faulty_stream(&mut self, after: &str) -> Result<(), ()> {
        let mut frames = self.script.frames(after).unwrap();
        let (at, other) = (self.chance.below(frames.len()), self.chance.below(frames.len()));
        let mut cut = None;
        match self.chance.below(7) {
            0 => drop(frames.remove(at)),
            1 => frames.insert(other, frames[at].clone()),
            2 => frames.swap(at, other),
            3 => drop(frames.drain(at.min(other)..at.max(other))),
            4 => cut = Some(true),
            5 => cut = Some(false),
            _ => {}
        }
        let mut bytes = text(&frames).into_bytes();
        match cut {
            Some(true) => bytes.truncate(self.chance.below(bytes.len())),
            Some(false) => (0..=self.chance.below(3)).for_each(|_| self.flip(&mut bytes)),
            None => {}
        }
        let mut rest = &bytes[..];
        let mut heard = Ok(());
        while !rest.is_empty() && heard.is_ok() {
            let (piece, later) = rest.split_at(1 + self.chance.below(rest.len().min(4096)));
            heard = self.follower.on_bytes(piece, self.script.reading()).map(drop).map_err(drop);
            rest = later;
        }
        if self.chance.below(3) == 0 {
            self.follower.on_end();
        } else if heard.is_ok() {
            // The connection goes on in a clean piece: a frame that was cut in two shows now.
            let more = self.script.checkpoint(None).to_text();
            heard = self
                .follower
                .on_bytes(more.as_bytes(), self.script.reading())
                .map(drop)
                .map_err(drop);
            self.follower.on_end();
        } else {
            self.follower.on_end();
        }
        heard
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            bytes[self.chance.below(bytes.len())] ^= 1 << self.chance.below(8);
        }
    }

    /// Whatever a checkpoint vouched for is refused; nobody else is.
    fn check(&mut self) {
        let Want::Stream { after } = self.follower.wants() else { return };
        let vouched = Cursor::parse(&after).unwrap().position;
        assert!(self.script.frames(&after).is_some(), "a place that never was: {after}");
        while self.checked < vouched {
            let judged = self.script.judged(&self.verifier, self.checked, &Policy::offline());
            assert_eq!(judged, kicked(), "session {} was skipped", self.checked);
            // Whole blocks are looked at in samples.
            self.checked +=
                1 + self.chance.below(if vouched - self.checked > 64 { 97 } else { 1 }) as u64;
        }
    }

    fn heals(&mut self) {
        if !matches!(self.follower.wants(), Want::Stream { .. }) {
            self.follower.on_keys();
            if self.follower.wants() == Want::Snapshot {
                begin(&self.script, &mut self.follower);
            }
        }
        let frames = self.script.frames(&after(&self.follower)).unwrap();
        self.follower.on_bytes(text(&frames).as_bytes(), self.script.reading()).unwrap();
        self.check();
        assert_eq!(after(&self.follower), self.script.head().to_text());
        let never = self.script.judged(&self.verifier, u64::MAX, &Policy::offline());
        assert_eq!(never, Ok(()), "nothing forged was applied");
    }
}

#[expect(clippy::disallowed_methods, reason = "scripts/long asks for more of them")]
fn faults_max() -> usize {
    std::env::var("FEED_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

#[test]
fn no_fault_of_the_link_skips_a_revocation() {
    let faults = faults_max();
    let (mut refused, mut advanced) = (0, 0);
    let mut seed = 1;
    while refused + advanced < faults {
        let mut link = Link::new(seed);
        (0..100).for_each(|_| link.round());
        link.heals();
        refused += link.refused;
        advanced += link.advanced;
        seed += 1;
    }
    // Neither all nor nothing: both kinds of outcome were really met.
    assert!(faults / 4 < refused && faults / 4 < advanced, "{refused} refused, {advanced} taken");
}
