//! A revocation as a mirror keeps it: 31 bytes.

use super::target::{TargetDigest, TargetKey, TargetKind};
use crate::{Malformed, base64url, session_id_text};
use symbolon_core::change::BELOW_NOTHING;
use symbolon_core::{Below, Effect, Event, KeyId, Reason, StoreEpoch, Target, Timestamp};

/// How many bytes a [record](Entry::to_record) has.
pub const RECORD_BYTES: usize = 31;

/// The largest counter and the latest instant that a record holds: 40 bits. Inclusive.
const FORTY_BITS: u64 = (1 << 40) - 1;

/// What a revocation hits, as far as strangers are told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hit {
    /// One access token.
    Token(TargetDigest),
    /// One session.
    Session(TargetDigest),
    /// Every token of a subject that is below.
    Subject(TargetDigest, Below),
    /// Every token of a client that is below.
    Client(TargetDigest, Below),
    /// Every token that a key signed.
    Key(KeyId),
    /// Every token that is below.
    Everything(Below),
}

/// What a mirror keeps of a revocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What it hits.
    pub hit: Hit,
    /// Must renew, or must sign in.
    pub effect: Effect,
    /// Why.
    pub reason: Reason,
    /// Until when a mirror keeps it, in whole seconds. Inclusive.
    pub expires_at: Timestamp,
}

/// A revocation as it travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// When it was decided, in whole seconds.
    pub at: Timestamp,
    /// What of it is kept.
    pub entry: Entry,
}

impl Revocation {
    /// What strangers are told of an event. The end of its life is rounded up to whole seconds.
    pub fn of(event: &Event, key: &TargetKey) -> Self {
        let hit = match &event.target {
            Target::Token(jti) => {
                Hit::Token(key.digest(TargetKind::Token, &base64url::encode(jti)))
            }
            Target::Session(sid) => {
                Hit::Session(key.digest(TargetKind::Session, &session_id_text(*sid)))
            }
            Target::Subject(subject, below) => {
                Hit::Subject(key.digest(TargetKind::Subject, subject.as_str()), *below)
            }
            Target::Client(client, below) => {
                Hit::Client(key.digest(TargetKind::Client, client.as_str()), *below)
            }
            Target::Key(kid) => Hit::Key(*kid),
            Target::Everything(below) => Hit::Everything(*below),
            // Strangers are told that something was committed here, and nothing of what.
            Target::Nothing(_) => Hit::Everything(BELOW_NOTHING),
        };
        let expires_at = event.expires_at.as_millis().div_ceil(1000);
        let entry = Entry {
            hit,
            effect: event.effect,
            reason: event.reason,
            expires_at: Timestamp::from_seconds(expires_at.min(FORTY_BITS)),
        };
        Self { at: event.at.floor_second(), entry }
    }
}

impl Hit {
    /// The kind of target, as frames name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Session(_) => "session",
            Self::Subject(..) => "subject",
            Self::Client(..) => "client",
            Self::Key(_) => "key",
            Self::Everything(_) => "everything",
        }
    }

    /// The bound, where it is one.
    pub const fn below(&self) -> Option<Below> {
        match self {
            Self::Subject(_, below) | Self::Client(_, below) | Self::Everything(below) => {
                Some(*below)
            }
            Self::Token(_) | Self::Session(_) | Self::Key(_) => None,
        }
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Token(_) => 1,
            Self::Session(_) => 2,
            Self::Subject(..) => 3,
            Self::Client(..) => 4,
            Self::Key(_) => 5,
            Self::Everything(_) => 6,
        }
    }

    fn name(&self) -> [u8; 16] {
        match self {
            Self::Token(digest)
            | Self::Session(digest)
            | Self::Subject(digest, _)
            | Self::Client(digest, _) => digest.0,
            Self::Key(kid) => {
                let mut name = [0; 16];
                name[..12].copy_from_slice(&kid.0);
                name
            }
            Self::Everything(_) => [0; 16],
        }
    }
}

impl Entry {
    /// The record: target (16 bytes), `reason << 4 | effect << 3 | kind`, then big-endian `expires_at`
    /// (5 bytes), epoch (4) and counter (5) of the bound, zero where there is none.
    pub fn to_record(&self) -> [u8; RECORD_BYTES] {
        let mut record = [0; RECORD_BYTES];
        record[..16].copy_from_slice(&self.hit.name());
        let stale = u8::from(self.effect == Effect::Stale);
        record[16] = reason_code(self.reason) << 4 | stale << 3 | self.hit.code();
        record[17..22].copy_from_slice(&forty_bits(self.expires_at.as_seconds()));
        if let Some(below) = self.hit.below() {
            record[22..26].copy_from_slice(&below.epoch.0.to_be_bytes());
            record[26..].copy_from_slice(&forty_bits(below.counter));
        }
        record
    }

    /// Reads a record. There is one record of an entry: what is not used is zero.
    ///
    /// # Errors
    /// An unknown kind or reason, or bytes that are not used and not zero.
    pub fn from_record(record: &[u8; RECORD_BYTES]) -> Result<Self, Malformed> {
        let refused = |why| Malformed::new("record", why);
        let (name, bound) = (digest_of(&record[..16]), &record[22..]);
        let epoch = bound[..4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let below = Below { epoch: StoreEpoch(epoch), counter: number(&bound[4..]) };
        let hit = match record[16] & 7 {
            1 => Hit::Token(name),
            2 => Hit::Session(name),
            3 => Hit::Subject(name, below),
            4 => Hit::Client(name, below),
            5 => {
                let mut kid = [0; 12];
                kid.copy_from_slice(&record[..12]);
                Hit::Key(KeyId(kid))
            }
            6 => Hit::Everything(below),
            _ => return Err(refused("is of an unknown kind")),
        };
        let reason = Reason::ALL.get(usize::from(record[16] >> 4));
        let entry = Self {
            hit,
            effect: if record[16] & 8 == 0 { Effect::Revoked } else { Effect::Stale },
            reason: *reason.ok_or(refused("has an unknown reason"))?,
            expires_at: Timestamp::from_seconds(number(&record[17..22])),
        };
        match entry.to_record() == *record {
            true => Ok(entry),
            false => Err(refused("has bytes that mean nothing")),
        }
    }
}

fn digest_of(bytes: &[u8]) -> TargetDigest {
    let mut digest = [0; 16];
    digest.copy_from_slice(bytes);
    TargetDigest(digest)
}

/// Its place in DESIGN.md §4.3: the order is part of the layout.
fn reason_code(reason: Reason) -> u8 {
    Reason::ALL.iter().position(|other| *other == reason).map_or(0, |place| place as u8)
}

fn forty_bits(number: u64) -> [u8; 5] {
    let bytes = number.min(FORTY_BITS).to_be_bytes();
    [bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn below()(epoch in any::<u32>(), counter in 0..=FORTY_BITS) -> Below {
            Below { epoch: StoreEpoch(epoch), counter }
        }
    }

    prop_compose! {
        pub(in crate::feed) fn any_entry()(
            kind in 1..=6,
            name in any::<[u8; 16]>(),
            below in below(),
            stale in any::<bool>(),
            reason in 0..Reason::ALL.len(),
            expires_at in 0..=FORTY_BITS,
        ) -> Entry {
            let (digest, mut kid) = (TargetDigest(name), [0; 12]);
            kid.copy_from_slice(&name[..12]);
            let hit = match kind {
                1 => Hit::Token(digest),
                2 => Hit::Session(digest),
                3 => Hit::Subject(digest, below),
                4 => Hit::Client(digest, below),
                5 => Hit::Key(KeyId(kid)),
                _ => Hit::Everything(below),
            };
            let effect = if stale { Effect::Stale } else { Effect::Revoked };
            let expires_at = Timestamp::from_seconds(expires_at);
            Entry { hit, effect, reason: Reason::ALL[reason], expires_at }
        }
    }

    proptest! {
        #[test]
        fn an_entry_is_read_back_from_its_record(entry in any_entry()) {
            prop_assert_eq!(Entry::from_record(&entry.to_record()), Ok(entry));
        }

        #[test]
        fn a_record_is_the_only_one_of_its_entry(record in any::<[u8; RECORD_BYTES]>()) {
            if let Ok(entry) = Entry::from_record(&record) {
                prop_assert_eq!(entry.to_record(), record);
            }
        }
    }

    #[test]
    fn an_entry_lives_until_the_end_of_its_last_second() {
        let key = TargetKey::parse(&"A".repeat(43)).ok().unwrap();
        let event = Event {
            at: Timestamp::from_millis(1_999),
            target: Target::Key(KeyId([1; 12])),
            whose: None,
            effect: Effect::Revoked,
            reason: Reason::KeyCompromised,
            expires_at: Timestamp::from_millis(5_001),
            act: symbolon_core::Act::authority(),
        };
        let told = Revocation::of(&event, &key);
        assert_eq!((told.at.as_millis(), told.entry.expires_at.as_millis()), (1_000, 6_000));
    }
}
