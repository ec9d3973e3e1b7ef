//! What stands behind a key: bytes that scripts can compare, around what the codec sealed.

use crate::codec::{self, Damage};
use crate::remote::{Stored, StoredSubject};
use redis::Value;
use std::sync::Arc;
use symbolon_core::{Cutoffs, Fault, Session, SessionId, StoreEpoch, Subject, SubjectState};

/// How many lanes there are. Never changed: a lane is part of every key.
pub(super) const LANES: u8 = 64;

/// The lane of what begins with this byte: lanes lie in the order of names.
pub(super) const fn lane_of(first: u8) -> u8 {
    first >> 2
}

/// Which cut-offs: the store epoch, and how often they changed in it.
pub(super) const fn version_of(epoch: StoreEpoch, changes: u32) -> u64 {
    ((epoch.0 as u64) << 32) | changes as u64
}

/// A session's value: its version, whether it has ended, its subject, its row.
pub(super) fn session(version: u64, ended: bool, subject: &Subject, row: &[u8]) -> Vec<u8> {
    [&front(version, ended, subject)[..], subject.as_str().as_bytes(), row].concat()
}

/// What a session's value begins with, before its subject and its row.
pub(super) fn front(version: u64, ended: bool, subject: &Subject) -> [u8; 10] {
    let mut front = [0; 10];
    front[..8].copy_from_slice(&version.to_be_bytes());
    front[8] = u8::from(ended);
    // A subject has 255 bytes at most.
    front[9] = u8::try_from(subject.as_str().len()).unwrap_or(u8::MAX);
    front
}

fn number(bytes: &[u8]) -> Result<(u64, &[u8]), Damage> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Damage("it is too short"))?;
    Ok((u64::from_be_bytes(*number), rest))
}

pub(super) fn read_session(sid: SessionId, value: &[u8]) -> Result<(Session, u64), Damage> {
    let short = Damage("a session is too short");
    let (version, rest) = number(value)?;
    let ([_ended, length], rest) = rest.split_first_chunk().ok_or(short)?;
    let (name, row) = rest.split_at_checked(usize::from(*length)).ok_or(short)?;
    let name = core::str::from_utf8(name).map_err(|_| Damage("a subject is not UTF-8"))?;
    let subject = Subject::parse(name).map_err(|_| Damage("a subject is no subject"))?;
    Ok((codec::session::decode(sid, &subject, version, row)?, version))
}

/// A subject's state and its moves; `None`: nothing is known of it.
pub(super) fn read_subject(
    subject: &Subject,
    value: Option<&[u8]>,
) -> Result<(SubjectState, u64), Damage> {
    let unknown = || SubjectState::unknown(subject.clone());
    let Some(value) = value else { return Ok((unknown(), 0)) };
    let short = Damage("a subject is too short");
    let (moves, rest) = number(value)?;
    let (living, rest) = rest.split_first_chunk::<2>().ok_or(short)?;
    let living = usize::from(u16::from_be_bytes(*living));
    let row = rest.get(16 * living..).ok_or(short)?;
    let state = if row.is_empty() { unknown() } else { codec::subject::decode(subject, row)? };
    Ok((state, moves))
}

/// Cut-offs, and which they are.
pub(super) type Above = (Arc<Cutoffs>, u64);

pub(super) fn stored(
    sid: SessionId,
    (session, subject): (&[u8], Option<&[u8]>),
    (cutoffs, cutoffs_version): Above,
) -> Result<Stored, Damage> {
    let (session, version) = read_session(sid, session)?;
    let (subject, moves) = read_subject(&session.subject, subject)?;
    Ok(Stored { session, version, subject, moves, cutoffs, cutoffs_version })
}

pub(super) fn stored_subject(
    subject: &Subject,
    value: Option<&[u8]>,
    mut sessions: Vec<(Session, u64)>,
    (cutoffs, cutoffs_version): Above,
) -> Result<StoredSubject, Damage> {
    let (state, moves) = read_subject(subject, value)?;
    sessions.sort_unstable_by_key(|(session, _)| session.sid);
    Ok(StoredSubject { state, moves, rows: sessions, cutoffs, cutoffs_version })
}

pub(super) fn sid_of(bytes: &[u8]) -> Result<SessionId, Damage> {
    let bytes = bytes.try_into().map_err(|_| Damage("a session's name is not of 16 bytes"))?;
    Ok(SessionId::from_bytes(bytes))
}

/// What a script answered, element by element.
pub(super) struct Answer(std::vec::IntoIter<Value>);

impl Answer {
    pub(super) fn of(value: Value) -> Result<Self, Fault> {
        let Value::Array(all) = value else { return Err(strange(&value)) };
        Ok(Self(all.into_iter()))
    }

    /// The next element; `None`: nothing was there, or nothing is left.
    pub(super) fn bytes(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        bytes_of(self.0.next().unwrap_or(Value::Nil))
    }

    /// The next element, which must be there.
    pub(super) fn must(&mut self) -> Result<Vec<u8>, Fault> {
        self.bytes()?.ok_or_else(|| strange(&Value::Nil))
    }

    /// The next element as a whole number in digits.
    pub(super) fn number(&mut self) -> Result<u64, Fault> {
        number_of(&self.must()?)
    }

    /// The next element, a list.
    pub(super) fn list(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        let mut list = Self::of(self.0.next().unwrap_or(Value::Nil))?;
        let mut all = Vec::with_capacity(list.left());
        while list.left() > 0 {
            all.push(list.must()?);
        }
        Ok(all)
    }

    pub(super) fn next(&mut self) -> Option<Value> {
        self.0.next()
    }

    pub(super) fn left(&self) -> usize {
        self.0.len()
    }
}

pub(super) fn bytes_of(value: Value) -> Result<Option<Vec<u8>>, Fault> {
    if let Value::BulkString(bytes) = value {
        return Ok(Some(bytes));
    }
    let text = if let Value::SimpleString(text) = value {
        text
    } else if let Value::Int(number) = value {
        number.to_string()
    } else if value == Value::Okay {
        "OK".into()
    } else if value == Value::Nil {
        return Ok(None);
    } else {
        return Err(strange(&value));
    };
    Ok(Some(text.into_bytes()))
}

pub(super) fn number_of(digits: &[u8]) -> Result<u64, Fault> {
    let digits = core::str::from_utf8(digits).ok();
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| strange(&Value::Nil))
}

/// A version, as scripts give it.
pub(super) fn read_version(bytes: &[u8]) -> Result<u64, Fault> {
    let bytes = bytes.try_into().map_err(|_| Damage("a version is not of 8 bytes"))?;
    Ok(u64::from_be_bytes(bytes))
}

fn strange(value: &Value) -> Fault {
    let what = if *value == Value::Nil { "nothing" } else { "something" };
    Fault::Store(format!(
        "Redis answered {what} where the store expects another thing: check that \
         no other program writes under the same prefix"
    ))
}
