//! The running digest, and the cursor that carries it.

use super::entry::Revocation;
use crate::{Malformed, base64url, sha256};
use symbolon_core::StoreEpoch;

/// How many revocations one running digest covers; it begins anew after each.
///
/// So any node computes the digest of any position from at most this many events, and keeps nothing. At
/// the end of a block there is always a checkpoint, and whoever follows must have seen it before it
/// accepts the next block's first revocation: what it vouched for is then whole.
pub const BLOCK: u64 = 1024;

/// The running digest: every revocation since the block began is folded into it, in order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Chain([u8; 16]);

/// A place in the feed: opaque to strangers, compared whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cursor {
    /// The store epoch in which it was issued.
    pub epoch: StoreEpoch,
    /// How many revocations there were in all.
    pub position: u64,
    /// The running digest there.
    pub chain: Chain,
}

impl Chain {
    fn of(bytes: &[u8]) -> Self {
        let mut chain = [0; 16];
        chain.copy_from_slice(&sha256(bytes).0[..16]);
        Self(chain)
    }

    /// What a block begins with.
    fn seed(epoch: StoreEpoch, position: u64) -> Self {
        let mut bytes = *b"symbolon feed\0\0\0\0\0\0\0\0\0\0\0\0";
        bytes[13..17].copy_from_slice(&epoch.0.to_be_bytes());
        bytes[17..].copy_from_slice(&position.to_be_bytes());
        Self::of(&bytes)
    }

    /// The text: 22 characters of base64url.
    pub fn to_text(&self) -> String {
        base64url::encode(&self.0)
    }

    /// Reads the text.
    ///
    /// # Errors
    /// Anything but 22 characters of canonical base64url.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        base64url::decode_exact(text, "digest").map(Self)
    }
}

impl Cursor {
    /// The place at which a block begins. `position` is rounded down to one.
    pub fn block(epoch: StoreEpoch, position: u64) -> Self {
        let position = position - position % BLOCK;
        Self { epoch, position, chain: Chain::seed(epoch, position) }
    }

    /// Whether a block ends here and the next begins.
    pub const fn is_boundary(&self) -> bool {
        self.position.is_multiple_of(BLOCK)
    }

    /// The place after one more revocation.
    #[must_use]
    pub fn after(&self, revocation: &Revocation) -> Self {
        let base = match self.is_boundary() {
            true => Chain::seed(self.epoch, self.position),
            false => self.chain,
        };
        let position = self.position.saturating_add(1);
        let mut folded = Vec::with_capacity(64);
        folded.extend_from_slice(&base.0);
        folded.extend_from_slice(&position.to_be_bytes());
        folded.extend_from_slice(&revocation.at.as_seconds().to_be_bytes());
        folded.extend_from_slice(&revocation.entry.to_record());
        Self { epoch: self.epoch, position, chain: Chain::of(&folded) }
    }

    /// The text: 38 characters of base64url.
    pub fn to_text(&self) -> String {
        let mut bytes = [0; 28];
        bytes[..4].copy_from_slice(&self.epoch.0.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.position.to_be_bytes());
        bytes[12..].copy_from_slice(&self.chain.0);
        base64url::encode(&bytes)
    }

    /// Reads the text.
    ///
    /// # Errors
    /// Anything but 38 characters of canonical base64url.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let bytes = base64url::decode_exact::<28>(text, "cursor")?;
        let number = |part: &[u8]| part.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let mut chain = [0; 16];
        chain.copy_from_slice(&bytes[12..]);
        let epoch = StoreEpoch(number(&bytes[..4]) as u32);
        Ok(Self { epoch, position: number(&bytes[4..12]), chain: Chain(chain) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::any_entry;
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use symbolon_core::Timestamp;

    fn walk(from: Cursor, revocations: &[Revocation]) -> Cursor {
        revocations.iter().fold(from, |cursor, revocation| cursor.after(revocation))
    }

    prop_compose! {
        fn revocations()(entries in vec(any_entry(), 1..8)) -> Vec<Revocation> {
            let at = Timestamp::from_seconds(9);
            entries.into_iter().map(|entry| Revocation { at, entry }).collect()
        }
    }

    proptest! {
        #[test]
        fn whatever_is_left_out_changed_or_moved_changes_the_chain(
            all in revocations(), start in 0..3_u64, at in any::<prop::sample::Index>(),
        ) {
            let from = walk(Cursor::block(StoreEpoch(1), 0), &all[..(start as usize).min(all.len())]);
            let right = walk(from, &all);
            let index = at.index(all.len());
            let (mut less, mut changed) = (all.clone(), all.clone());
            less.remove(index);
            changed[index].at = Timestamp::from_seconds(10);
            prop_assert_ne!(walk(from, &less).chain, right.chain);
            prop_assert_ne!(walk(from, &changed).chain, right.chain);
            let mut moved = all.clone();
            moved.rotate_left(1);
            prop_assert!(moved == all || walk(from, &moved).chain != right.chain);
        }

        #[test]
        fn a_cursor_is_read_back_from_its_text(epoch in any::<u32>(), position in any::<u64>()) {
            let cursor = Cursor { position, ..Cursor::block(StoreEpoch(epoch), 0) };
            prop_assert_eq!(cursor.to_text().len(), 38);
            prop_assert_eq!(Cursor::parse(&cursor.to_text()), Ok(cursor));
        }
    }

    #[test]
    fn a_block_begins_with_nothing_of_the_one_before() {
        let entry = Revocation {
            at: Timestamp::from_seconds(1),
            entry: super::super::Entry::from_record(&{
                let mut record = [0; 31];
                record[16] = 1;
                record
            })
            .unwrap(),
        };
        let end = walk(Cursor::block(StoreEpoch(1), 0), &[entry; BLOCK as usize]);
        assert!(end.is_boundary());
        assert_ne!(end, Cursor::block(StoreEpoch(1), BLOCK), "the end vouches for the block");
        assert_eq!(end.after(&entry), Cursor::block(StoreEpoch(1), BLOCK + 7).after(&entry));
        assert_ne!(
            Cursor::block(StoreEpoch(2), 0).after(&entry).chain,
            Cursor::block(StoreEpoch(1), 0).after(&entry).chain,
            "no epoch's digest is another's"
        );
    }
}
