//! Rows as values. What is not what was written is damage, never a default.

use super::trouble::Trouble;
use crate::codec::{self, Damage};
use crate::remote::{Stored, StoredSubject};
use crate::{Kind, Record};
use std::sync::Arc;
use symbolon_core::{Cutoffs, Digest, Event, Fault, Session, SessionId, Subject, SubjectState};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// Which counter the number of moves that a decision saw is of: a living session's fence, which only a write of
/// its subject's state moves, or the subject's own count, which a sign-in moves too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Saw {
    Fence(i64),
    Moves(i64),
}

impl Saw {
    /// As one number, which is handed back with the decision.
    pub(super) const fn pack(self) -> u64 {
        match self {
            Self::Fence(number) => number.cast_unsigned() << 1,
            Self::Moves(number) => number.cast_unsigned() << 1 | 1,
        }
    }

    pub(super) const fn unpack(packed: u64) -> Self {
        let number = (packed >> 1).cast_signed();
        if packed & 1 == 0 { Self::Fence(number) } else { Self::Moves(number) }
    }
}

/// The cut-offs that the asker knows, with their version: what they are compared with is not sent again.
pub(super) type Known = (Arc<Cutoffs>, u64);

/// A column's value.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, Trouble> {
    let damage = |_| Trouble::Over(Damage("a column is of the wrong type").into());
    row.try_get(at).map_err(damage)
}

/// A number that is never negative.
pub(super) fn number(row: &Row, at: usize) -> Result<u64, Trouble> {
    let number: i64 = column(row, at)?;
    u64::try_from(number).map_err(|_| damaged("a number is negative"))
}

fn damaged(what: &'static str) -> Trouble {
    Trouble::Over(Damage(what).into())
}

/// A number as the server keeps it; instants and versions do not come near its end.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn sid(row: &Row, at: usize) -> Result<SessionId, Trouble> {
    let bytes: &[u8] = column(row, at)?;
    let bytes = bytes.try_into().map_err(|_| damaged("a session's name is not of 16 bytes"))?;
    Ok(SessionId::from_bytes(bytes))
}

pub(super) fn subject(row: &Row, at: usize) -> Result<Subject, Trouble> {
    let bytes: &[u8] = column(row, at)?;
    let text = core::str::from_utf8(bytes).map_err(|_| damaged("a subject is not UTF-8"))?;
    Subject::parse(text).map_err(|_| damaged("a subject is no subject"))
}

/// The cut-offs of a row that has their version and, if they are not those that are known, themselves.
pub(super) fn cutoffs(row: &Row, at: usize, known: &Known) -> Result<Known, Trouble> {
    let version = number(row, at)?;
    if version == known.1 {
        return Ok(known.clone());
    }
    let value: Option<&[u8]> = column(row, at + 1)?;
    let cutoffs = match value {
        Some(value) => codec::subject::decode_cutoffs(value).map_err(Fault::from)?,
        None => Cutoffs::default(),
    };
    Ok((Arc::new(cutoffs), version))
}

/// A session of `LOAD` or `SESSIONS`.
pub(super) fn stored(row: &Row, known: &Known) -> Result<Stored, Trouble> {
    let (sid, version, subject) = (sid(row, 0)?, number(row, 1)?, subject(row, 2)?);
    let body = column(row, 3)?;
    let session = codec::session::decode(sid, &subject, version, body).map_err(Fault::from)?;
    let moves = Saw::Fence(column(row, 4)?).pack();
    let subject = state(&subject, column(row, 5)?)?;
    let (cutoffs, cutoffs_version) = cutoffs(row, 6, known)?;
    Ok(Stored { session, version, subject, moves, cutoffs, cutoffs_version })
}

/// A subject's state; unknown if nothing is written of it.
pub(super) fn state(subject: &Subject, body: Option<&[u8]>) -> Result<SubjectState, Trouble> {
    match body {
        Some(body) => Ok(codec::subject::decode(subject, body).map_err(Fault::from)?),
        None => Ok(SubjectState::unknown(subject.clone())),
    }
}

/// A subject with its rows, as `OF_SUBJECT` gives them: one row at least, without a session if there is none.
pub(super) fn of_subject(
    rows: &[Row],
    name: &Subject,
    known: &Known,
) -> Result<StoredSubject, Trouble> {
    let first = rows.first().ok_or_else(|| damaged("there are no cut-offs"))?;
    let moves: Option<i64> = column(first, 0)?;
    let state = state(name, column(first, 1)?)?;
    let (cutoffs, cutoffs_version) = cutoffs(first, 2, known)?;
    let mut found: Vec<(Session, u64)> = Vec::new();
    for row in rows {
        let any: Option<&[u8]> = column(row, 4)?;
        if any.is_some() {
            let (sid, version) = (sid(row, 4)?, number(row, 5)?);
            let body = column(row, 6)?;
            let session = codec::session::decode(sid, name, version, body).map_err(Fault::from)?;
            found.push((session, version));
        }
    }
    let moves = Saw::Moves(moves.unwrap_or(0)).pack();
    Ok(StoredSubject { state, moves, rows: found, cutoffs, cutoffs_version })
}

pub(super) fn event(row: &Row) -> Result<(u64, Event), Trouble> {
    let position = number(row, 0)?;
    Ok((position, crate::remote::event(column(row, 1)?)?))
}

pub(super) fn record(row: &Row, kind: Kind) -> Result<Record, Trouble> {
    let (name, version): (&[u8], u64) = (column(row, 0)?, number(row, 1)?);
    let key = [&[kind.code()], &version.to_le_bytes()[..], name];
    let value = codec::unseal(column(row, 2)?, &key).map_err(Fault::from)?.to_vec();
    let name = core::str::from_utf8(name).map_err(|_| damaged("a record's name is not UTF-8"))?;
    Ok(Record { name: name.into(), value, version })
}

/// The session that an old token belongs to.
pub(super) fn imported(row: &Row, digest: &Digest) -> Result<SessionId, Trouble> {
    let until: i64 = column(row, 0)?;
    let sid = codec::unseal(column(row, 1)?, &[&digest.0, &until.to_le_bytes()]);
    let sid = sid.map_err(Fault::from)?;
    let sid = sid.try_into().map_err(|_| damaged("a session's name is not of 16 bytes"))?;
    Ok(SessionId::from_bytes(sid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_counter_was_seen_is_handed_back_with_it() {
        for saw in [Saw::Fence(0), Saw::Moves(0), Saw::Fence(7), Saw::Moves(i64::MAX >> 1)] {
            assert_eq!(Saw::unpack(saw.pack()), saw);
        }
    }
}
