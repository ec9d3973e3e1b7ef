//! A link that loses, doubles, reorders, cuts and flips what it carries.

use crate::chance::Chance;
use std::collections::BTreeMap;

/// What happened to what was sent, counted.
#[derive(Default, Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub(crate) dropped: usize,
    pub(crate) doubled: usize,
    pub(crate) moved: usize,
    pub(crate) cut: usize,
    pub(crate) flipped: usize,
    pub(crate) replayed: usize,
}

impl Faults {
    pub(crate) fn all(&self) -> [usize; 6] {
        [self.dropped, self.doubled, self.moved, self.cut, self.flipped, self.replayed]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.dropped += other.dropped;
        self.doubled += other.doubled;
        self.moved += other.moved;
        self.cut += other.cut;
        self.flipped += other.flipped;
        self.replayed += other.replayed;
    }
}

/// What is on its way, by the instant at which it arrives and the order in which it was sent.
#[derive(Default)]
pub(crate) struct Link {
    under_way: BTreeMap<(u64, u64), Vec<u8>>,
    sent: u64,
    latest: u64,
}

impl Link {
    /// Sends a frame; `rate` is once in how many frames something happens to it, and never for 0.
    pub(crate) fn send(
        &mut self,
        frame: &[u8],
        at: u64,
        (rate, chance, faults): (usize, &mut Chance, &mut Faults),
    ) {
        let mut frame = frame.to_vec();
        // In order, as TCP has it, unless a fault moves one.
        self.latest = self.latest.max(at + chance.span(1..15));
        let arrives_at = self.latest;
        if rate == 0 || !chance.once_in(rate) {
            return self.put(arrives_at, frame);
        }
        match chance.below(5) {
            0 => faults.dropped += 1,
            1 => {
                faults.doubled += 1;
                self.put(arrives_at, frame.clone());
                self.put(arrives_at + chance.span(0..300), frame);
            }
            2 => {
                faults.moved += 1;
                self.put(arrives_at + chance.span(20..400), frame);
            }
            3 => {
                faults.cut += 1;
                frame.truncate(chance.below(frame.len()));
                self.put(arrives_at, frame);
            }
            _ => {
                flip(&mut frame, chance, faults);
                self.put(arrives_at, frame);
            }
        }
    }

    fn put(&mut self, at: u64, bytes: Vec<u8>) {
        self.sent += 1;
        self.under_way.insert((at, self.sent), bytes);
    }

    /// What has arrived.
    pub(crate) fn take(&mut self, at: u64) -> Vec<u8> {
        let later = self.under_way.split_off(&(at + 1, 0));
        std::mem::replace(&mut self.under_way, later).into_values().flatten().collect()
    }

    /// Whoever swallows bytes: all that is under way is lost.
    pub(crate) fn lose_all(&mut self) {
        self.under_way.clear();
    }
}

/// Changes one to three bits.
pub(crate) fn flip(bytes: &mut [u8], chance: &mut Chance, faults: &mut Faults) {
    faults.flipped += 1;
    for _ in 0..=chance.below(3) {
        if !bytes.is_empty() {
            bytes[chance.below(bytes.len())] ^= 1 << chance.below(8);
        }
    }
}
