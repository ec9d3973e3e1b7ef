//! Copying out: subjects, what was spent and old tokens, each by its name.

use super::ask::Ask;
use super::trouble::Trouble;
use super::{Primary, rows};
use crate::OldToken;
use crate::codec::{Damage, unseal};
use crate::copy::{COPY_MAX, Part, Row, Rows, Spent};
use symbolon_core::{Digest, Fault, SessionId, Timestamp};
use tokio_postgres::Row as Found;

/// What makes a row of the store of one that the server gave.
type Read = fn(&Found) -> Result<Row, Trouble>;

impl Primary {
    pub(super) async fn listed_after(&self, part: Part, after: &[u8]) -> Result<Rows, Fault> {
        let (ask, read): (_, Read) = match part {
            Part::Subjects => (Ask::ListSubjects, subject),
            Part::Spent => (Ask::ListSpent, spent),
            Part::OldTokens => (Ask::ListImported, old_token),
            Part::Sessions | Part::Events => {
                let what = "sessions and events are walked over by their names";
                return Err(Fault::Store(what.into()));
            }
        };
        let of = |found: &[Found]| {
            let last = found.last().map(|row| rows::column::<Vec<u8>>(row, 0)).transpose()?;
            let all = found.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            Ok((all, last))
        };
        let (rows, last) = self.read(ask, &[&after, &(COPY_MAX as i64)], of).await?;
        let next = last.filter(|_| rows.len() == COPY_MAX);
        Ok(Rows { rows, next })
    }
}

fn subject(row: &Found) -> Result<Row, Trouble> {
    let name = rows::subject(row, 0)?;
    Ok(Row::Subject(Box::new(rows::state(&name, rows::column(row, 1)?)?)))
}

fn digest(row: &Found) -> Result<[u8; 32], Trouble> {
    let bytes: &[u8] = rows::column(row, 0)?;
    let odd = || Trouble::Over(Damage("a digest is not of 32 bytes").into());
    bytes.try_into().map_err(|_| odd())
}

fn spent(row: &Found) -> Result<Row, Trouble> {
    let (digest, until) = (digest(row)?, rows::number(row, 1)?);
    let value = unseal(rows::column(row, 2)?, &[&digest, &until.to_le_bytes()]);
    let value = value.map_err(Fault::from)?.to_vec();
    Ok(Row::Spent(Spent { digest, value, until: Timestamp::from_millis(until) }))
}

fn old_token(row: &Found) -> Result<Row, Trouble> {
    let (digest, until) = (Digest(digest(row)?), rows::number(row, 1)?);
    let sid = unseal(rows::column(row, 2)?, &[&digest.0, &until.to_le_bytes()]);
    let sid = sid.map_err(Fault::from)?;
    let odd = || Trouble::Over(Damage("a session's name is not of 16 bytes").into());
    let sid = SessionId::from_bytes(sid.try_into().map_err(|_| odd())?);
    Ok(Row::OldToken(OldToken { digest, sid, until: Timestamp::from_millis(until) }))
}
