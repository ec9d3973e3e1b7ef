//! A table of targets that one writer fills while anybody reads: open addressing over atomic words.
//!
//! Slots stand in groups of eight under one word of tags, a byte for each: zero for an empty slot, else seven
//! bits of the name. A look-up that finds nothing, which is nearly every one, so reads little more than
//! that word.
//!
//! A reader can be told nothing that was not so. A slot's name is written once, before its tag, and never again:
//! whoever has seen the tag (`Acquire`) sees the name (before the tag's `Release`). What changes afterwards is
//! the mark and the bound, each one word, and each is true with either value of the other: a bound only
//! rises, and while it does the reason may be that of the lower one, which hit as well. What is forgotten
//! keeps its slot until the writer puts a new table in the place of this one.

use super::sync::{AtomicU64, Ordering};
use symbolon_core::{Effect, Reason};

/// How many slots stand under one word of tags.
const LANES: usize = 8;

/// How many words a slot has: the name's two, and the mark.
pub(super) const NAMED: usize = 3;

/// The same with a bound.
pub(super) const BOUNDED: usize = 4;

/// The highest bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The lowest bit of each byte.
const LOW: u64 = 0x0101_0101_0101_0101;

/// What a look-up asks for.
#[derive(Clone, Copy)]
pub(super) struct Name {
    /// The digest's first half.
    pub(super) high: u64,
    /// And its second.
    pub(super) low: u64,
    /// What kind of target it is: 1 to 6.
    pub(super) kind: u8,
}

/// What holds of a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    pub(super) effect: Effect,
    pub(super) reason: Reason,
    /// Until when, in seconds. Inclusive.
    pub(super) expires_at: u64,
    /// Below which counter, packed so that it compares as the bound does; zero where there is none.
    pub(super) below: u64,
}

/// What became of a mark that was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Added {
    /// It took a slot.
    Slot,
    /// It took the slot of one that was forgotten.
    Again,
    /// Its target was marked before; the higher bound and the later end hold.
    Merged,
}

/// The table.
pub(super) struct Table {
    tags: Box<[AtomicU64]>,
    words: Box<[AtomicU64]>,
    /// How many words a slot has: [`NAMED`] or [`BOUNDED`].
    width: usize,
}

/// The word of a mark: kind (3 bits), effect (1), reason (4), whether it is kept (1), then the end in 40 bits.
#[derive(Clone, Copy)]
struct Meta(u64);

impl Meta {
    const KEPT: u64 = 1 << 8;

    fn new(kind: u8, mark: &Mark) -> Self {
        let reason = Reason::ALL.iter().position(|other| *other == mark.reason).unwrap_or(0);
        let name = Self::name(kind, mark.effect) | (reason as u64) << 4;
        Self(name | Self::KEPT | mark.expires_at << 16)
    }

    /// What the slot is about: the bits that never change.
    const fn name(kind: u8, effect: Effect) -> u64 {
        kind as u64 | (matches!(effect, Effect::Stale) as u64) << 3
    }

    const fn is(self, kind: u8) -> bool {
        self.0 & 7 == kind as u64
    }

    const fn effect(self) -> Effect {
        if self.0 & 8 == 0 { Effect::Revoked } else { Effect::Stale }
    }

    fn reason(self) -> Reason {
        Reason::ALL[(self.0 >> 4 & 15) as usize]
    }

    const fn expires_at(self) -> u64 {
        self.0 >> 16
    }

    const fn is_kept(self) -> bool {
        self.0 & Self::KEPT != 0
    }

    /// Whether it still holds when everything that ended before `oldest` is forgotten.
    const fn holds(self, oldest: u64) -> bool {
        self.is_kept() && oldest <= self.expires_at()
    }

    const fn with_end(self, expires_at: u64) -> Self {
        Self(self.0 & 0xffff | expires_at << 16)
    }

    const fn forgotten(self) -> Self {
        Self(self.0 & 0xf)
    }
}

impl Table {
    /// A table with room for so many, with or without bounds.
    pub(super) fn with_slots(slots: usize, width: usize) -> Self {
        let groups = slots.div_ceil(LANES).max(1);
        let zeros = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self { tags: zeros(groups), words: zeros(groups * LANES * width), width }
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.tags.len() * LANES
    }

    /// What holds of a target: revoked and stale, each if it does.
    #[inline]
    pub(super) fn find(&self, name: &Name, oldest: u64) -> [Option<Mark>; 2] {
        let mut found = [None; 2];
        self.walk(name, |slot, meta| {
            if meta.holds(oldest) {
                let mark = Mark {
                    effect: meta.effect(),
                    reason: meta.reason(),
                    expires_at: meta.expires_at(),
                    below: self.below(slot),
                };
                found[(meta.effect() == Effect::Stale) as usize] = Some(mark);
            }
        });
        found
    }

    /// Adds a mark. Only for the one writer, which has seen to it that there is room.
    pub(super) fn add(&self, name: &Name, mark: &Mark, oldest: u64) -> Added {
        let mut own = None;
        let (group, lane) = self.walk(name, |slot, meta| {
            if meta.effect() == mark.effect {
                own = Some((slot, meta));
            }
        });
        let Some((slot, meta)) = own else {
            self.fill(group, lane, name, mark);
            return Added::Slot;
        };
        match meta.holds(oldest) {
            true => self.merge(slot, meta, name, mark),
            false => self.mark(slot, name, mark),
        }
        if meta.is_kept() { Added::Merged } else { Added::Again }
    }

    /// Forgets what ended before `oldest`, and says of which kinds.
    pub(super) fn sweep(&self, oldest: u64, mut forgot: impl FnMut(u8)) {
        for (slot, meta) in self.filled() {
            if meta.is_kept() && !meta.holds(oldest) {
                self.words[slot + 2].store(meta.forgotten().0, Ordering::Release);
                forgot((meta.0 & 7) as u8);
            }
        }
    }

    /// Copies what is kept into another table, and says how much that was.
    pub(super) fn copy_to(&self, other: &Self) -> usize {
        let word = |slot: usize, at: usize| self.words[slot + at].load(Ordering::Relaxed);
        let kept = self.filled().filter(|(_, meta)| meta.is_kept());
        let copy = |(slot, meta): (usize, Meta)| {
            let name = Name { high: word(slot, 0), low: word(slot, 1), kind: (meta.0 & 7) as u8 };
            let (group, lane) = other.walk(&name, |_, _| {});
            let (effect, reason) = (meta.effect(), meta.reason());
            let (expires_at, below) = (meta.expires_at(), self.below(slot));
            other.fill(group, lane, &name, &Mark { effect, reason, expires_at, below });
        };
        kept.map(copy).count()
    }

    /// The slots that are not empty.
    fn filled(&self) -> impl Iterator<Item = (usize, Meta)> {
        let full = |group: &usize, lane: usize| {
            self.tags[*group].load(Ordering::Relaxed) >> (8 * lane) & 0x80 != 0
        };
        (0..self.tags.len()).flat_map(move |group| {
            (0..LANES).filter(move |lane| full(&group, *lane)).map(move |lane| {
                let slot = (group * LANES + lane) * self.width;
                (slot, Meta(self.words[slot + 2].load(Ordering::Relaxed)))
            })
        })
    }

    /// Visits the slots of that name, and ends at the first empty one, where it would stand.
    #[inline]
    fn walk(&self, name: &Name, mut visit: impl FnMut(usize, Meta)) -> (usize, usize) {
        let tag = u64::from(tag(name)) * LOW;
        // Any number of groups, not only powers of two: a table grows by a fifth and not by half.
        let mut group = ((u128::from(name.low) * self.tags.len() as u128) >> 64) as usize;
        loop {
            let tags = self.tags[group].load(Ordering::Acquire);
            let other = tags ^ tag;
            // A byte of zero sets its highest bit; so may one above it, which the comparison of names tells.
            let mut hits = other.wrapping_sub(LOW) & !other & HIGH;
            while hits != 0 {
                let lane = hits.trailing_zeros() as usize / 8;
                hits &= hits - 1;
                let slot = (group * LANES + lane) * self.width;
                let meta = Meta(self.words[slot + 2].load(Ordering::Acquire));
                let same = self.words[slot].load(Ordering::Relaxed) == name.high
                    && self.words[slot + 1].load(Ordering::Relaxed) == name.low;
                if same && meta.is(name.kind) {
                    visit(slot, meta);
                }
            }
            let empty = !tags & HIGH;
            if empty != 0 {
                return (group, empty.trailing_zeros() as usize / 8);
            }
            group = if group + 1 == self.tags.len() { 0 } else { group + 1 };
        }
    }

    /// Fills an empty slot, and shows it by its tag when it is whole.
    fn fill(&self, group: usize, lane: usize, name: &Name, mark: &Mark) {
        let slot = (group * LANES + lane) * self.width;
        self.words[slot].store(name.high, Ordering::Relaxed);
        self.words[slot + 1].store(name.low, Ordering::Relaxed);
        self.set_below(slot, mark.below);
        self.words[slot + 2].store(Meta::new(name.kind, mark).0, Ordering::Relaxed);
        let tags = self.tags[group].load(Ordering::Relaxed);
        self.tags[group].store(tags | u64::from(tag(name)) << (8 * lane), Ordering::Release);
    }

    /// Marks a target anew that was forgotten: the bound first, so that whoever sees the mark sees it.
    fn mark(&self, slot: usize, name: &Name, mark: &Mark) {
        self.set_below(slot, mark.below);
        self.words[slot + 2].store(Meta::new(name.kind, mark).0, Ordering::Release);
    }

    fn merge(&self, slot: usize, meta: Meta, name: &Name, mark: &Mark) {
        let below = self.below(slot);
        let expires_at = meta.expires_at().max(mark.expires_at);
        let merged = match below < mark.below {
            true => Meta::new(name.kind, mark).with_end(expires_at),
            false => meta.with_end(expires_at),
        };
        self.set_below(slot, below.max(mark.below));
        self.words[slot + 2].store(merged.0, Ordering::Release);
    }

    fn below(&self, slot: usize) -> u64 {
        match self.width {
            BOUNDED => self.words[slot + 3].load(Ordering::Acquire),
            _ => 0,
        }
    }

    fn set_below(&self, slot: usize, below: u64) {
        if self.width == BOUNDED {
            self.words[slot + 3].store(below, Ordering::Release);
        }
    }
}

/// The byte that stands for a name: never zero.
const fn tag(name: &Name) -> u8 {
    0x80 | (name.high as u8 & 0x7f)
}
