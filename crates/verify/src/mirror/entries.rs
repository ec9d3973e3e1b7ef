//! What the mirror holds: many small tables, so that none takes long to grow, and the sequence that says how
//! far they were filled.
//!
//! Why a reader misses nothing that was published before the sequence it read: the writer raises the sequence
//! (`Release`) after it has filled every slot, and after it has published every table that grew. Whoever reads
//! that sequence (`Acquire`), and only then looks, therefore finds each table at least as new, and in it each
//! slot at least as full. The same holds of `present`, which is raised before the sequence.

use super::sync::{AtomicU64, Ordering, Published};
use super::table::{Added, BOUNDED, Mark, NAMED, Name, Table};
use std::sync::Arc;

/// How many tables there are for targets with a bound, and how many for those without. One of ten million
/// entries' share is copied in a few milliseconds, for which nobody waits but the writer.
const TABLES: usize = 256;

/// How many tables are swept at a time: all of them in sixteen turns.
const TABLES_SWEPT: usize = 2 * TABLES / 16;

/// The kinds of targets that have a bound: subject, client, everything.
const KINDS_WITH_BOUND: [u8; 3] = [3, 4, 6];

/// How full a table may be, in hundredths of its slots. Inclusive.
const FULL: usize = 85;

/// How much room a new table has, in hundredths of what it holds: small steps, so that memory follows.
const ROOM: usize = 120;

/// A word on a cache line of its own: whoever writes it disturbs nobody who reads another.
#[repr(align(64))]
struct Apart(AtomicU64);

/// What everybody reads.
pub(super) struct Entries {
    tables: Box<[Published<Table>]>,
    /// How often something was added.
    sequence: Apart,
    /// The kinds of which there is any, a bit each: seldom written, so that readers share it.
    present: Apart,
    /// What ended before this second is forgotten, swept or not.
    oldest: AtomicU64,
    /// How many marks are kept.
    kept: AtomicU64,
}

/// What only the writer knows; there is one.
pub(super) struct Writer {
    shares: Vec<Share>,
    kinds: [usize; 8],
    kept: usize,
    next_swept: usize,
}

struct Share {
    table: Arc<Table>,
    width: usize,
    filled: usize,
    kept: usize,
}

impl Entries {
    pub(super) fn new() -> (Self, Writer) {
        let widths = [NAMED, BOUNDED].into_iter().flat_map(|width| [width; TABLES]);
        let shares: Vec<_> = widths.map(Share::new).collect();
        let tables = shares.iter().map(|share| Published::new(Arc::clone(&share.table)));
        let zero = || Apart(AtomicU64::new(0));
        let entries = Self {
            tables: tables.collect(),
            sequence: zero(),
            present: zero(),
            oldest: AtomicU64::new(0),
            kept: AtomicU64::new(0),
        };
        (entries, Writer { shares, kinds: [0; 8], kept: 0, next_swept: 0 })
    }

    /// How far everything was filled. Read it before anything else.
    #[inline]
    pub(super) fn sequence(&self) -> u64 {
        self.sequence.0.load(Ordering::Acquire)
    }

    /// Whether there may be anything of a kind.
    #[inline]
    pub(super) fn has(&self, kind: u8) -> bool {
        self.present.0.load(Ordering::Acquire) >> kind & 1 == 1
    }

    /// What ended before this second is forgotten.
    #[inline]
    pub(super) fn oldest(&self) -> u64 {
        self.oldest.load(Ordering::Acquire)
    }

    /// How many marks are kept.
    pub(super) fn len(&self) -> usize {
        self.kept.load(Ordering::Relaxed) as usize
    }

    /// What holds of a target: revoked and stale, each if it does.
    #[inline]
    pub(super) fn find(&self, name: &Name) -> [Option<Mark>; 2] {
        self.tables[table_of(name)].load().find(name, self.oldest())
    }

    /// Adds a mark; nobody needs to have seen it before [`Entries::publish`].
    pub(super) fn add(&self, writer: &mut Writer, name: &Name, mark: &Mark) {
        let at = table_of(name);
        let share = &mut writer.shares[at];
        if share.table.slots() * FULL < (share.filled + 1) * 100 {
            share.grow(1);
            self.tables[at].store(Arc::clone(&share.table));
        }
        let added = share.table.add(name, mark, self.oldest());
        share.filled += usize::from(added == Added::Slot);
        if added != Added::Merged {
            share.kept += 1;
            writer.kept += 1;
            writer.count(self, name.kind);
        }
    }

    /// Says that everything added so far is to be seen.
    pub(super) fn publish(&self, writer: &Writer) {
        self.kept.store(writer.kept as u64, Ordering::Relaxed);
        let next = self.sequence.0.load(Ordering::Relaxed) + 1;
        self.sequence.0.store(next, Ordering::Release);
    }

    /// Forgets what ended before that second: at once for all who look, and by and by in memory.
    pub(super) fn forget(&self, writer: &mut Writer, oldest: u64) {
        let oldest = oldest.max(self.oldest());
        self.oldest.store(oldest, Ordering::Release);
        for _ in 0..TABLES_SWEPT {
            let at = writer.next_swept;
            writer.next_swept = (at + 1) % self.tables.len();
            let (share, kinds) = (&mut writer.shares[at], &mut writer.kinds);
            let before = share.kept;
            share.table.sweep(oldest, |kind| {
                share.kept -= 1;
                kinds[usize::from(kind)] -= 1;
            });
            writer.kept -= before - share.kept;
            if share.filled - share.kept > share.kept / 4 + 64 {
                share.grow(0);
                self.tables[at].store(Arc::clone(&share.table));
            }
        }
        self.kept.store(writer.kept as u64, Ordering::Relaxed);
        let bits = writer.kinds.iter().enumerate().filter(|(_, count)| **count > 0);
        let present = bits.fold(0, |bits, (kind, _)| bits | 1 << kind);
        self.present.0.store(present, Ordering::Release);
    }
}

impl Writer {
    /// How many marks are kept.
    pub(super) const fn kept(&self) -> usize {
        self.kept
    }

    fn count(&mut self, entries: &Entries, kind: u8) {
        let count = &mut self.kinds[usize::from(kind)];
        *count += 1;
        if *count == 1 {
            let present = entries.present.0.load(Ordering::Relaxed);
            entries.present.0.store(present | 1 << kind, Ordering::Release);
        }
    }
}

impl Share {
    fn new(width: usize) -> Self {
        Self { table: Arc::new(Table::with_slots(1, width)), width, filled: 0, kept: 0 }
    }

    /// Moves what is kept to a table with room for it and `more`; the caller publishes it.
    fn grow(&mut self, more: usize) {
        let table = Table::with_slots((self.kept + more) * ROOM / FULL + 1, self.width);
        self.filled = self.table.copy_to(&table);
        self.kept = self.filled;
        self.table = Arc::new(table);
    }
}

fn table_of(name: &Name) -> usize {
    let bounded = KINDS_WITH_BOUND.contains(&name.kind);
    usize::from(bounded) * TABLES + (name.high >> 56) as usize % TABLES
}
