//! Copying: rows out of the file, and into it.

use super::change::{Change, Seen, Spend, Task};
use super::read::{self, Readers};
use super::{Sqlite, fault};
use crate::codec::{self, Damage};
use crate::copy::{COPY_MAX, Copying, EventsThere, Part, Row, Rows, Sorted, Spent};
use crate::{EVENTS_MAX, OldToken};
use rusqlite::{Connection, types::FromSql};
use symbolon_core::{Digest, Fault, Session, SessionId, Subject, SubjectState, Timestamp};

/// The last name that a session can have.
const LAST: SessionId = SessionId::from_bytes([0xFF; 16]);

impl Sqlite {
    pub(crate) async fn copy_out(&self, part: Part, after: Option<&[u8]>) -> Result<Rows, Fault> {
        self.serving()?;
        let after = after.unwrap_or_default();
        let read = |readers: &Readers| {
            readers.with(|connection| match part {
                Part::Subjects => subjects(connection, after),
                Part::Sessions => sessions(connection, after),
                Part::Spent => spent(connection, after),
                Part::OldTokens => old_tokens(connection, after),
                Part::Events => events(connection, after),
            })
        };
        let rows = read(&self.0.readers)?;
        let next = rows.last().map(|(at, _)| at.clone()).filter(|_| rows.len() == COPY_MAX);
        Ok(Rows { rows: rows.into_iter().map(|(_, row)| row).collect(), next })
    }

    pub(crate) async fn events_there(&self) -> Result<EventsThere, Fault> {
        let (mut there, mut at) = (EventsThere::default(), 0);
        loop {
            let events = self.events_after(at, EVENTS_MAX).await?;
            let Some((last, _)) = events.last() else { return Ok(there) };
            at = *last;
            events.iter().for_each(|(_, event)| there.note(event));
        }
    }

    pub(crate) async fn copy_in(&self, rows: &[Row], copying: &Copying<'_>) -> Result<(), Fault> {
        self.serving()?;
        let sorted = Sorted::new(rows, copying)?;
        // What is there already is left as it is: nobody else writes, so this copy wrote it.
        let subjects = sorted.subjects.iter().map(|state| {
            let mut change = self.blind();
            change.replace_subject(&SubjectState::unknown(state.subject.clone()), state);
            change
        });
        let created = sorted.sessions.iter().map(|session| self.change(session, Change::copy));
        let ended = sorted.sessions.iter().filter(|session| session.end.is_some());
        let ended = ended.map(|session| self.change(session, Change::end_copied));
        let told = sorted.events.iter().map(|event| {
            let mut change = self.blind();
            change.publish(std::slice::from_ref(event));
            change
        });
        self.submit_all(subjects.chain(created).chain(ended).chain(told).collect()).await?;
        for spent in sorted.spent {
            let Spent { digest, value, until } = spent.clone();
            let at = copying.at;
            self.submit(Task::Spend(Spend { digest, value, until, at })).await?;
        }
        match sorted.tokens.is_empty() {
            true => Ok(()),
            false => self.know_tokens(&sorted.tokens).await,
        }
    }

    /// A change that was decided on nothing.
    fn blind(&self) -> Change {
        Change::new(Seen { subject: None, ..self.0.shared.seen() })
    }

    fn change(&self, session: &Session, write: impl Fn(&mut Change, &Session)) -> Change {
        let mut change = self.blind();
        write(&mut change, session);
        change
    }
}

type At = (Vec<u8>, Row);

fn subjects(connection: &Connection, after: &[u8]) -> Result<Vec<At>, Fault> {
    const SUBJECTS: &str =
        "SELECT subject, row, 0 FROM subjects WHERE subject > ?1 ORDER BY subject LIMIT ?2";
    let after = String::from_utf8_lossy(after).into_owned();
    let read = |(name, row, _): (String, Vec<u8>, i64)| {
        let subject = Subject::parse(&name).map_err(|_| Damage("a subject is no subject"))?;
        let state = codec::subject::decode(&subject, &row)?;
        Ok((name.into_bytes(), Row::Subject(Box::new(state))))
    };
    all(connection, SUBJECTS, after, read)
}

fn sessions(connection: &Connection, after: &[u8]) -> Result<Vec<At>, Fault> {
    let rows = read::sessions(connection, (after, LAST), COPY_MAX)?;
    let row = |stored: read::Stored| {
        (stored.session.sid.as_bytes().to_vec(), Row::Session(Box::new(stored.session)))
    };
    Ok(rows.into_iter().map(row).collect())
}

fn spent(connection: &Connection, after: &[u8]) -> Result<Vec<At>, Fault> {
    const SPENT: &str =
        "SELECT digest, value, until FROM spent WHERE digest > ?1 ORDER BY digest LIMIT ?2";
    all(connection, SPENT, after.to_vec(), |(at, sealed, until): (Vec<u8>, _, _)| {
        let digest = name(&at)?;
        let until = until.cast_unsigned();
        let value = codec::unseal(&sealed, &[&digest, &until.to_le_bytes()])?.to_vec();
        let until = Timestamp::from_millis(until);
        Ok((at, Row::Spent(Spent { digest, value, until })))
    })
}

fn old_tokens(connection: &Connection, after: &[u8]) -> Result<Vec<At>, Fault> {
    const TOKENS: &str =
        "SELECT digest, sid, until FROM imported WHERE digest > ?1 ORDER BY digest LIMIT ?2";
    all(connection, TOKENS, after.to_vec(), |(at, sealed, until): (Vec<u8>, _, _)| {
        let digest = name(&at)?;
        let sid = codec::unseal(&sealed, &[&digest, &until.to_le_bytes()])?;
        let sid = sid.try_into().map_err(|_| Damage("a session's name is not of 16 bytes"))?;
        let (digest, sid) = (Digest(digest), SessionId::from_bytes(sid));
        let until = Timestamp::from_millis(until.cast_unsigned());
        Ok((at, Row::OldToken(OldToken { digest, sid, until })))
    })
}

fn events(connection: &Connection, after: &[u8]) -> Result<Vec<At>, Fault> {
    let after = after.try_into().map(u64::from_be_bytes).unwrap_or_default();
    let events = read::events_after(connection, after, COPY_MAX)?;
    let row = |(at, event): (u64, _)| (at.to_be_bytes().to_vec(), Row::Event(Box::new(event)));
    Ok(events.into_iter().map(row).collect())
}

fn name(bytes: &[u8]) -> Result<[u8; 32], Damage> {
    bytes.try_into().map_err(|_| Damage("a digest is not of 32 bytes"))
}

/// The rows after one, each of three columns.
fn all<K: rusqlite::ToSql, N: FromSql>(
    connection: &Connection,
    sql: &str,
    after: K,
    read: impl Fn((N, Vec<u8>, i64)) -> Result<At, Fault>,
) -> Result<Vec<At>, Fault> {
    let mut all = connection.prepare_cached(sql).map_err(|error| fault(&error))?;
    let rows = all
        .query_map((after, COPY_MAX as i64), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .map_err(|error| fault(&error))?;
    rows.map(|row| read(row.map_err(|error| fault(&error))?)).collect()
}
