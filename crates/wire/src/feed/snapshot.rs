//! Everything that a mirror must know, in one piece.

use super::chain::Cursor;
use super::checkpoint::{Checkpoint, number};
use super::entry::{Entry, RECORD_BYTES};
use super::target::TargetKey;
use crate::Malformed;
use crate::json::Object;
use crate::jws::Refused;
use crate::key_set::KeySet;
use symbolon_core::Digest;

/// The most entries that a snapshot may have. Inclusive: half a gigabyte of records.
pub const ENTRIES_MAX: usize = 1 << 24;

/// The longest first line, in bytes. Inclusive.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// A snapshot whose checkpoint vouches for every byte of it.
pub struct Snapshot<'a> {
    /// What was signed about it: where it stands in the feed, and when it was read.
    pub checkpoint: Checkpoint,
    /// The key under which its targets, and those of the feed after it, are digested.
    pub target_key: TargetKey,
    records: &'a [u8],
}

/// Writes a snapshot; `sign` is given the digest that its checkpoint must carry.
///
/// # Errors
/// What `sign` could not.
pub fn write_snapshot<E>(
    cursor: &Cursor,
    key: &TargetKey,
    records: &[[u8; RECORD_BYTES]],
    sign: impl FnOnce(Digest) -> Result<String, E>,
) -> Result<Vec<u8>, E> {
    let records = records.as_flattened();
    let jws = sign(digest(key, records))?;
    let line = serde_json::json!({
        "cursor": cursor.to_text(),
        "digest": cursor.chain.to_text(),
        "digest_key": key.to_text(),
        "count": records.len() / RECORD_BYTES,
        "jws": jws,
    })
    .to_string();
    let mut bytes = Vec::with_capacity(line.len() + 1 + records.len());
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(records);
    Ok(bytes)
}

impl<'a> Snapshot<'a> {
    /// Reads a snapshot and checks that its checkpoint is by a key of the issuer and over these bytes.
    ///
    /// # Errors
    /// Cut short, too long, changed, or signed by nobody that we know.
    pub fn read(keys: &KeySet, bytes: &'a [u8]) -> Result<Self, Refused> {
        let refused = |why| Malformed::new("snapshot", why);
        let head = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
        let end = head.iter().position(|byte| *byte == b'\n');
        let (line, rest) = bytes.split_at(end.ok_or(refused("has no first line"))?);
        let records = &rest[1..];
        let line = std::str::from_utf8(line).map_err(|_| refused("is not UTF-8"))?;
        let object = Object::parse(line, "snapshot")?;
        let count: usize = number(&object, "count")?;
        if count > ENTRIES_MAX || count * RECORD_BYTES != records.len() {
            return Err(refused("does not have as many entries as it says").into());
        }
        let target_key = TargetKey::parse(&object.required("digest_key")?)?;
        let checkpoint = Checkpoint::read(keys, &object.required("jws")?)?;
        if checkpoint.snapshot != Some(digest(&target_key, records)) {
            return Err(refused("is not the one that was signed").into());
        }
        if object.required("cursor")? != checkpoint.cursor.to_text() {
            return Err(refused("stands elsewhere than its checkpoint").into());
        }
        Ok(Self { checkpoint, target_key, records })
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.records.len() / RECORD_BYTES
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The entries. One that this version does not know is an error: to pass it over would be to let in
    /// whom it refuses.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry, Malformed>> {
        let (records, _) = self.records.as_chunks::<RECORD_BYTES>();
        records.iter().map(Entry::from_record)
    }
}

fn digest(key: &TargetKey, records: &[u8]) -> Digest {
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    hash.update(key.bytes());
    hash.update(records);
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.finish().as_ref());
    Digest(digest)
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::any_entry;
    use super::*;
    use crate::{Algorithm, SigningKey};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::sync::LazyLock;
    use symbolon_core::{StoreEpoch, Timestamp};

    static KEY: LazyLock<SigningKey> =
        LazyLock::new(|| SigningKey::generate(Algorithm::EdDsa).unwrap());

    fn keys() -> KeySet {
        KeySet::from_keys(vec![KEY.verifying_key()]).ok().unwrap()
    }

    fn target_key() -> TargetKey {
        TargetKey::parse(&"A".repeat(43)).ok().unwrap()
    }

    fn written(entries: &[Entry]) -> Vec<u8> {
        let records: Vec<_> = entries.iter().map(Entry::to_record).collect();
        let cursor = Cursor::block(StoreEpoch(1), 2048);
        let sign = |digest| {
            let (read_at, now) = (Timestamp::from_millis(5), Timestamp::from_millis(6));
            let (iss, nonce, snapshot) = ("i".to_owned(), None, Some(digest));
            Checkpoint { iss, cursor, read_at, now, nonce, snapshot }.sign(&KEY)
        };
        write_snapshot(&cursor, &target_key(), &records, sign).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_snapshot_is_read_back_and_no_byte_of_it_can_be_changed_or_lost(
            entries in vec(any_entry(), 0..9), at in any::<prop::sample::Index>(), bit in 0..8_u8,
        ) {
            let bytes = written(&entries);
            let keys = keys();
            let snapshot = Snapshot::read(&keys, &bytes).ok().unwrap();
            prop_assert_eq!(snapshot.len(), entries.len());
            prop_assert!(snapshot.target_key.is(&target_key()));
            let read: Vec<_> = snapshot.entries().map(Result::unwrap).collect();
            prop_assert_eq!(&read, &entries);
            let index = at.index(bytes.len());
            prop_assert!(Snapshot::read(&keys, &bytes[..index]).is_err());
            let mut changed = bytes.clone();
            changed[index] ^= 1_u8 << bit;
            // Only the first line has bytes that mean nothing, such as the names of further members.
            let same = |read: Snapshot<'_>| read.entries().map(Result::unwrap).eq(entries.iter().copied());
            prop_assert!(Snapshot::read(&keys, &changed).map(same).unwrap_or(true));
        }
    }

    #[test]
    fn a_million_entries_are_at_most_32_megabytes() {
        let entry = Entry::from_record(&{
            let mut record = [7; RECORD_BYTES];
            record[16] = 2;
            record[22..].fill(0);
            record
        });
        assert!(written(&vec![entry.unwrap(); 1_000_000]).len() <= 32_000_000);
    }

    #[test]
    fn a_checkpoint_of_the_stream_vouches_for_no_snapshot() {
        let cursor = Cursor::block(StoreEpoch(1), 0);
        let sign = |_| {
            let (read_at, now) = (Timestamp::from_millis(5), Timestamp::from_millis(6));
            let (iss, nonce, snapshot) = ("i".to_owned(), None, None);
            Checkpoint { iss, cursor, read_at, now, nonce, snapshot }.sign(&KEY)
        };
        let bytes = write_snapshot(&cursor, &target_key(), &[], sign).unwrap();
        assert!(Snapshot::read(&keys(), &bytes).is_err());
    }
}
