//! Reading, beside the writer: every answer is one snapshot.

use super::{fault, locked, open};
use crate::codec::{self, Damage};
use crate::{Kind, Record, Rows};
use rusqlite::{Connection, OptionalExtension, Row};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use symbolon_core::{
    Cutoffs, Digest, Event, Fault, Session, SessionId, Subject, SubjectState, Timestamp,
};

/// The most connections that read at once. Inclusive; who comes later waits for one, microseconds.
const READERS_MAX: usize = 16;

/// A session with its version and its subject.
pub(super) struct Stored {
    pub(super) session: Session,
    pub(super) version: u64,
    pub(super) subject: SubjectState,
}

/// The connections that read.
pub(super) struct Readers {
    path: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

/// One connection, given back when dropped.
struct Lease<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut pool = locked(&self.readers.pool);
        match self.connection.take() {
            Some(connection) => pool.idle.push(connection),
            None => pool.open -= 1,
        }
        drop(pool);
        self.readers.returned.notify_one();
    }
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, pool: Mutex::default(), returned: Condvar::new() }
    }

    /// Reads with a connection of its own; one that failed is not used again.
    pub(super) fn with<R>(
        &self,
        read: impl FnOnce(&mut Connection) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let mut lease = self.lease()?;
        let mut connection = match lease.connection.take() {
            Some(connection) => connection,
            None => open::reader(&self.path).map_err(|error| fault(&error))?,
        };
        let answer = read(&mut connection)?;
        lease.connection = Some(connection);
        Ok(answer)
    }

    fn lease(&self) -> Result<Lease<'_>, Fault> {
        let mut pool = locked(&self.pool);
        loop {
            let connection = pool.idle.pop();
            if connection.is_none() && pool.open >= READERS_MAX {
                pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            pool.open += usize::from(connection.is_none());
            return Ok(Lease { readers: self, connection });
        }
    }
}

pub(super) fn session(connection: &Connection, sid: SessionId) -> Result<Option<Stored>, Fault> {
    const ONE: &str = "SELECT s.sid, s.version, s.subject, s.row, u.row FROM sessions s \
         LEFT JOIN subjects u ON u.subject = s.subject WHERE s.sid = ?1";
    let mut one = connection.prepare_cached(ONE).map_err(|error| fault(&error))?;
    let mut rows = one.query([sid.as_bytes()]).map_err(|error| fault(&error))?;
    rows.next().map_err(|error| fault(&error))?.map(stored).transpose()
}

/// Sessions after `after`, which may be the beginning of a name, up to and with `last`, in order.
pub(super) fn sessions(
    connection: &Connection,
    names: (&[u8], SessionId),
    limit: usize,
) -> Result<Vec<Stored>, Fault> {
    let mut found = Vec::new();
    each_session(connection, names, limit, |stored| found.push(stored))?;
    Ok(found)
}

/// The same, one by one.
pub(super) fn each_session(
    connection: &Connection,
    (after, last): (&[u8], SessionId),
    limit: usize,
    mut look: impl FnMut(Stored),
) -> Result<(), Fault> {
    const RANGE: &str = "SELECT s.sid, s.version, s.subject, s.row, u.row FROM sessions s \
         LEFT JOIN subjects u ON u.subject = s.subject \
         WHERE s.sid > ?1 AND s.sid <= ?2 ORDER BY s.sid LIMIT ?3";
    let mut range = connection.prepare_cached(RANGE).map_err(|error| fault(&error))?;
    let mut rows = range
        .query((after, last.as_bytes(), limit.cast_signed() as i64))
        .map_err(|error| fault(&error))?;
    while let Some(row) = rows.next().map_err(|error| fault(&error))? {
        look(stored(row)?);
    }
    Ok(())
}

/// A subject and all rows between two names that are its; those that ended only if they are asked for.
pub(super) fn of_subject(
    connection: &mut Connection,
    subject: &Subject,
    (first, last): (SessionId, SessionId),
    which: Rows,
) -> Result<(SubjectState, Vec<(Session, u64)>), Fault> {
    const ALIVE: &str = "SELECT sid, version, subject, row FROM sessions INDEXED BY sessions_alive \
         WHERE sid >= ?1 AND sid <= ?2 AND subject = ?3 AND ended = 0 ORDER BY sid";
    const ALL: &str = "SELECT sid, version, subject, row FROM sessions \
         WHERE sid >= ?1 AND sid <= ?2 AND subject = ?3 ORDER BY sid";
    let sql = match which {
        Rows::Alive => ALIVE,
        Rows::All => ALL,
    };
    let snapshot = connection.transaction().map_err(|error| fault(&error))?;
    let state = self::subject(&snapshot, subject)?;
    let mut found = Vec::new();
    let mut of = snapshot.prepare_cached(sql).map_err(|error| fault(&error))?;
    let range = (first.as_bytes(), last.as_bytes(), subject.as_str());
    let mut rows = of.query(range).map_err(|error| fault(&error))?;
    while let Some(row) = rows.next().map_err(|error| fault(&error))? {
        found.push(session_of(row)?);
    }
    Ok((state, found))
}

pub(super) fn subject(connection: &Connection, subject: &Subject) -> Result<SubjectState, Fault> {
    let row = blob(connection, "SELECT row FROM subjects WHERE subject = ?1", [subject.as_str()])?;
    match row {
        Some(row) => Ok(codec::subject::decode(subject, &row)?),
        None => Ok(SubjectState::unknown(subject.clone())),
    }
}

fn stored(row: &Row<'_>) -> Result<Stored, Fault> {
    let (session, version) = session_of(row)?;
    let subject = match row.get_ref(4).map_err(|error| fault(&error))?.as_blob_or_null() {
        Ok(Some(bytes)) => codec::subject::decode(&session.subject, bytes)?,
        Ok(None) => SubjectState::unknown(session.subject.clone()),
        Err(_) => return Err(Damage("a subject is no bytes").into()),
    };
    Ok(Stored { session, version, subject })
}

pub(super) fn session_of(row: &Row<'_>) -> Result<(Session, u64), Fault> {
    let damage = |_| Damage("a session's columns are of the wrong type");
    let column = |index| row.get_ref(index).map_err(|error| fault(&error));
    let sid = column(0)?.as_blob().map_err(damage)?;
    let sid = sid.try_into().map_err(|_| Damage("a session's name is not of 16 bytes"))?;
    let version = column(1)?.as_i64().map_err(damage)?;
    let version = u64::try_from(version).map_err(|_| Damage("a version is negative"))?;
    let subject = column(2)?.as_str().map_err(damage)?;
    let subject = Subject::parse(subject).map_err(|_| Damage("a subject is no subject"))?;
    let bytes = column(3)?.as_blob().map_err(damage)?;
    let sid = SessionId::from_bytes(sid);
    Ok((codec::session::decode(sid, &subject, version, bytes)?, version))
}

/// The position of the newest event; 0 before the first.
pub(super) fn head(connection: &Connection) -> Result<u64, Fault> {
    let mut head = connection
        .prepare_cached("SELECT coalesce(max(position), 0) FROM events")
        .map_err(|error| fault(&error))?;
    head.query_row([], |row| row.get(0).map(i64::cast_unsigned)).map_err(|error| fault(&error))
}

/// How many sessions there are whose end was not written.
pub(super) fn alive(connection: &Connection) -> Result<u64, Fault> {
    const ALIVE: &str = "SELECT count(*) FROM sessions INDEXED BY sessions_alive WHERE ended = 0";
    let count = connection.query_row(ALIVE, [], |row| row.get(0).map(i64::cast_unsigned));
    count.map_err(|error| fault(&error))
}

pub(super) fn events_after(
    connection: &Connection,
    position: u64,
    limit: usize,
) -> Result<Vec<(u64, Event)>, Fault> {
    sealed_events_after(connection, position, limit)?
        .into_iter()
        .map(|(position, sealed)| Ok((position, codec::event::decode(position, &sealed)?)))
        .collect()
}

pub(super) fn sealed_events_after(
    connection: &Connection,
    position: u64,
    limit: usize,
) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
    const AFTER: &str =
        "SELECT position, body FROM events WHERE position > ?1 ORDER BY position LIMIT ?2";
    let position = i64::try_from(position).unwrap_or(i64::MAX);
    let mut after = connection.prepare_cached(AFTER).map_err(|error| fault(&error))?;
    let rows = after
        .query_map((position, limit.cast_signed() as i64), |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
        })
        .map_err(|error| fault(&error))?;
    rows.collect::<Result<_, _>>().map_err(|error| fault(&error))
}

/// Those of the `count` events after a position that are still needed at `at`.
pub(super) fn needed(
    connection: &Connection,
    (after, count): (u64, u64),
    at: Timestamp,
) -> Result<Vec<(u64, Event)>, Fault> {
    const NEEDED: &str = "SELECT position, body FROM events \
         WHERE position > ?1 AND position <= ?2 AND keep_until >= ?3 ORDER BY position";
    let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let range = (bound(after), bound(after.saturating_add(count)), bound(at.as_millis()));
    let mut needed = connection.prepare_cached(NEEDED).map_err(|error| fault(&error))?;
    let mut rows = needed.query(range).map_err(|error| fault(&error))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(|error| fault(&error))? {
        let position = row.get::<_, i64>(0).map_err(|error| fault(&error))?.cast_unsigned();
        let sealed: Vec<u8> = row.get(1).map_err(|error| fault(&error))?;
        found.push((position, codec::event::decode(position, &sealed)?));
    }
    Ok(found)
}

pub(super) fn cutoffs(connection: &Connection) -> Result<Cutoffs, Fault> {
    match blob(connection, "SELECT value FROM single WHERE name = ?1", ["cutoffs"])? {
        Some(value) => Ok(codec::subject::decode_cutoffs(&value)?),
        None => Ok(Cutoffs::default()),
    }
}

pub(super) fn latest(connection: &Connection) -> Result<Timestamp, Fault> {
    let value = blob(connection, "SELECT value FROM single WHERE name = ?1", ["latest"])?;
    value.map_or(Ok(Timestamp::default()), |value| instant(&value, "latest"))
}

/// An instant that stands alone, from its bytes.
pub(super) fn instant(sealed: &[u8], name: &str) -> Result<Timestamp, Fault> {
    let millis = codec::unseal(sealed, &[name.as_bytes()])?;
    let millis = millis.try_into().map_err(|_| Damage("an instant is not of 8 bytes"))?;
    Ok(Timestamp::from_millis(u64::from_le_bytes(millis)))
}

/// The single value that says that a database has an ends log.
pub(super) const ENDS: &str = "ends";

/// The single value that says when a copy was made.
pub(super) const COPIED: &str = "copied";

/// Whether there was an ends log beside this database.
pub(super) fn had_ends_log(connection: &Connection) -> Result<bool, Fault> {
    let value = blob(connection, "SELECT value FROM single WHERE name = ?1", [ENDS])?;
    Ok(value.is_some())
}

/// When a copy was made, if this is one.
pub(super) fn copied_at(connection: &Connection) -> Result<Option<Timestamp>, Fault> {
    let value = blob(connection, "SELECT value FROM single WHERE name = ?1", [COPIED])?;
    value.map(|value| instant(&value, COPIED)).transpose()
}

/// What was spent and is not forgotten at `at`.
pub(super) fn spent(
    connection: &Connection,
    digest: &[u8; 32],
    at: Timestamp,
) -> Result<Option<Vec<u8>>, Fault> {
    let mut spent = connection
        .prepare_cached("SELECT until, value FROM spent WHERE digest = ?1")
        .map_err(|error| fault(&error))?;
    let columns = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?));
    let found = spent.query_row([digest], columns).optional();
    let Some((until, sealed)): Option<(u64, Vec<u8>)> = found.map_err(|error| fault(&error))?
    else {
        return Ok(None);
    };
    let value = codec::unseal(&sealed, &[digest, &until.to_le_bytes()])?;
    Ok((at.as_millis() < until).then(|| value.to_vec()))
}

/// The session that an old token of another system belongs to.
pub(super) fn imported(
    connection: &Connection,
    digest: &Digest,
) -> Result<Option<SessionId>, Fault> {
    let mut one = connection
        .prepare_cached("SELECT until, sid FROM imported WHERE digest = ?1")
        .map_err(|error| fault(&error))?;
    let columns = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get(1)?));
    let found = one.query_row([digest.0], columns).optional();
    let Some((until, sealed)): Option<(i64, Vec<u8>)> = found.map_err(|error| fault(&error))?
    else {
        return Ok(None);
    };
    let sid = codec::unseal(&sealed, &[&digest.0, &until.to_le_bytes()])?;
    let sid = sid.try_into().map_err(|_| Damage("a session's name is not of 16 bytes"))?;
    Ok(Some(SessionId::from_bytes(sid)))
}

/// Whether any token of another system is known.
pub(super) fn any_imported(connection: &Connection) -> Result<bool, Fault> {
    let any = connection.query_row("SELECT EXISTS (SELECT 1 FROM imported)", [], |row| row.get(0));
    any.map_err(|error| fault(&error))
}

pub(super) fn record(
    connection: &Connection,
    kind: Kind,
    name: &str,
) -> Result<Option<Record>, Fault> {
    let mut one = connection
        .prepare_cached("SELECT name, version, value FROM records WHERE kind = ?1 AND name = ?2")
        .map_err(|error| fault(&error))?;
    let found = one.query_row((kind.code(), name), raw_record).optional();
    found.map_err(|error| fault(&error))?.map(|raw| open_record(kind, raw)).transpose()
}

pub(super) fn records(connection: &Connection, kind: Kind) -> Result<Vec<Record>, Fault> {
    let mut all = connection
        .prepare_cached("SELECT name, version, value FROM records WHERE kind = ?1 ORDER BY name")
        .map_err(|error| fault(&error))?;
    let rows = all.query_map([kind.code()], raw_record).map_err(|error| fault(&error))?;
    rows.map(|raw| open_record(kind, raw.map_err(|error| fault(&error))?)).collect()
}

type RawRecord = (String, u64, Vec<u8>);

fn raw_record(row: &Row<'_>) -> rusqlite::Result<RawRecord> {
    Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned(), row.get(2)?))
}

pub(super) fn open_record(kind: Kind, (name, version, sealed): RawRecord) -> Result<Record, Fault> {
    let key = [&[kind.code()], &version.to_le_bytes()[..], name.as_bytes()];
    let value = codec::unseal(&sealed, &key)?.to_vec();
    Ok(Record { name: name.into(), value, version })
}

fn blob(connection: &Connection, sql: &str, name: [&str; 1]) -> Result<Option<Vec<u8>>, Fault> {
    let mut query = connection.prepare_cached(sql).map_err(|error| fault(&error))?;
    query.query_row(name, |row| row.get(0)).optional().map_err(|error| fault(&error))
}
