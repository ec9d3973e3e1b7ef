//! What a mirror must know: the records of every revocation that is still needed.

use std::sync::Arc;
use symbolon_core::Timestamp;
use symbolon_wire::feed::{ENTRIES_MAX, Entry, RECORD_BYTES};

/// A record of a snapshot.
pub type Record = [u8; RECORD_BYTES];

/// How many records lie together. Inclusive: a snapshot shares them with what comes later.
const CHUNK: usize = 8192;

/// How many of those are looked at in one go for what has expired.
const PRUNED_AT_ONCE: usize = 16;

/// The records, oldest first.
#[derive(Default)]
pub struct Entries {
    chunks: Vec<Arc<Vec<Record>>>,
    len: usize,
    /// Where pruning goes on.
    next: usize,
    /// One more came than a snapshot can hold.
    overfull: bool,
}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether something that a mirror must know is not here.
    pub fn is_overfull(&self) -> bool {
        self.overfull
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds one, if there is room for it.
    pub fn push(&mut self, entry: &Entry) {
        if self.len == ENTRIES_MAX {
            self.overfull = true;
            return;
        }
        self.len += 1;
        match self.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => Arc::make_mut(chunk).push(entry.to_record()),
            None => self.chunks.push(Arc::new(vec![entry.to_record()])),
        }
    }

    /// All of them as they are now; later changes do not reach them.
    pub fn share(&self) -> Vec<Arc<Vec<Record>>> {
        self.chunks.clone()
    }

    /// Drops some of those that have expired; who calls again and again drops all.
    pub fn prune(&mut self, at: Timestamp) {
        for _ in 0..PRUNED_AT_ONCE.min(self.chunks.len()) {
            self.next = if self.next < self.chunks.len() { self.next } else { 0 };
            let Some(chunk) = self.chunks.get_mut(self.next) else { return };
            let gone = chunk.iter().filter(|record| !is_needed(record, at)).count();
            if 0 < gone {
                self.len -= gone;
                *chunk = Arc::new(chunk.iter().filter(|one| is_needed(one, at)).copied().collect());
            }
            self.join(self.next);
        }
    }

    /// Lays a part with the one before it if both fit into one, or takes it out if it is empty; goes on behind.
    fn join(&mut self, at: usize) {
        let before = at.checked_sub(1).map(|before| self.chunks[before].len());
        let fits = before.is_some_and(|before| before + self.chunks[at].len() <= CHUNK);
        if self.chunks[at].is_empty() {
            self.chunks.remove(at);
        } else if fits {
            let moved = self.chunks.remove(at);
            Arc::make_mut(&mut self.chunks[at - 1]).extend_from_slice(&moved);
        } else {
            self.next += 1;
        }
    }
}

/// Whether a mirror must still know it. Inclusive.
pub fn is_needed(record: &Record, at: Timestamp) -> bool {
    let expires_at = record[17..22].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    at.as_seconds() <= expires_at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(expires_at: u64) -> Entry {
        let mut record = [0; RECORD_BYTES];
        record[16] = 2;
        record[17..22].copy_from_slice(&expires_at.to_be_bytes()[3..]);
        Entry::from_record(&record).unwrap()
    }

    fn all(entries: &Entries) -> Vec<u64> {
        let records = entries.share();
        let records = records.iter().flat_map(|chunk| chunk.iter());
        records.map(|record| Entry::from_record(record).unwrap().expires_at.as_seconds()).collect()
    }

    #[test]
    fn what_expired_leaves_and_what_has_not_stays_in_its_order() {
        let mut entries = Entries::default();
        let (count, at) = (200_000_u64, Timestamp::from_seconds(500));
        (0..count).for_each(|number| entries.push(&entry(number * 7919 % 1000)));
        let before = entries.share();
        for _ in 0..10 {
            entries.prune(at);
        }
        let expected: Vec<_> =
            (0..count).map(|n| n * 7919 % 1000).filter(|end| 500 <= *end).collect();
        assert_eq!(all(&entries), expected);
        assert_eq!(entries.len(), expected.len());
        let fewest = expected.len().div_ceil(CHUNK);
        assert!(entries.chunks.len() <= 2 * fewest, "{} of {fewest}", entries.chunks.len());
        let shared: usize = before.iter().map(|chunk| chunk.len()).sum();
        assert_eq!(shared, 200_000, "a snapshot under way keeps what it has");
        for _ in 0..20 {
            entries.prune(Timestamp::from_seconds(1000));
        }
        assert_eq!((entries.len(), entries.chunks.len()), (0, 0));
        entries.prune(at);
    }

    #[test]
    fn an_entry_is_needed_until_the_end_of_its_second() {
        let record = entry(500).to_record();
        assert!(is_needed(&record, Timestamp::from_millis(500_999)));
        assert!(!is_needed(&record, Timestamp::from_millis(501_000)));
    }
}
