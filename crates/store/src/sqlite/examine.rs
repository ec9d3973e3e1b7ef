//! Looking at every row, page and record: what a start, which looks at the ends alone, may miss.

use super::ends::{self, EndsLog};
use super::{fault, open, read, schema};
use crate::codec::{self, Damage};
use crate::{Kind, Refusal};
use rusqlite::{Connection, Row};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use symbolon_core::{Fault, Subject, Timestamp};

/// The most things that are said to be damaged. Inclusive; the rest is cut off.
const DAMAGES_MAX: usize = 20;

/// What a look at everything found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Examined {
    /// Rows whose checksums were computed.
    pub rows: u64,
    /// Records of the ends log.
    pub ends: usize,
    /// What is not as it was written, at most twenty.
    pub damages: Vec<String>,
}

/// How the ends log beside a database looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndsState {
    /// There is none, and there never was.
    NotYet,
    /// There was one, and it is gone.
    Gone,
    /// There is a file, and nothing in it.
    Empty,
    /// Every record is as it was written.
    Sound {
        /// How many.
        records: usize,
        /// How many bytes at the end are no whole record: one that is being written, or that was when power
        /// went.
        torn: usize,
    },
}

/// Looks at the ends log alone. Changes nothing.
pub(super) fn ends_log(path: &Path) -> Result<EndsState, Refusal> {
    let unreadable = |error| Refusal::unreadable(path, &error);
    let log = ends::path_of(path);
    if !log.exists() {
        let connection = open::reader(path).map_err(unreadable)?;
        let had = read::had_ends_log(&connection).map_err(|fault| open::damaged(path, &fault))?;
        return Ok(if had { EndsState::Gone } else { EndsState::NotYet });
    }
    Ok(match EndsLog::measure(&log)? {
        (_, 0, _) => EndsState::Empty,
        (records, sound, length) => EndsState::Sound { records, torn: length - sound },
    })
}

/// Which file the ends log of a database is, if there is one.
pub(super) fn ends_file(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(ends::path_of(path)).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Looks at everything, also while another process serves. Changes nothing.
pub(super) fn examine(path: &Path) -> Result<Examined, Refusal> {
    let unreadable = |error| Refusal::unreadable(path, &error);
    let mut connection = open::reader(path).map_err(unreadable)?;
    let snapshot = connection.transaction().map_err(unreadable)?;
    let mut found = Examined::default();
    found.note("schema", schema::differs(&snapshot));
    let pages = pages(&snapshot, &mut found);
    found.note("pages", pages);
    for (table, sql, check) in TABLES {
        let looked = rows(&snapshot, sql, check, &mut found.rows);
        found.note(table, looked);
    }
    let feed = feed(&snapshot);
    found.note("events", feed);
    match EndsLog::count(&ends::path_of(path)) {
        Ok(records) => found.ends = records,
        Err(refusal) => found.say(refusal.to_string()),
    }
    Ok(found)
}

impl Examined {
    fn note(&mut self, what: &str, looked: Result<(), Fault>) {
        if let Err(fault) = looked {
            self.say(format!("{what}: {fault}"));
        }
    }

    fn say(&mut self, damage: String) {
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(damage);
        }
    }
}

/// What the engine itself knows of pages, their order, and indices that must agree with their tables.
fn pages(connection: &Connection, found: &mut Examined) -> Result<(), Fault> {
    let mut check = connection.prepare("PRAGMA integrity_check").map_err(|error| fault(&error))?;
    let said = check.query_map([], |row| row.get(0)).map_err(|error| fault(&error))?;
    for line in said {
        let line: String = line.map_err(|error| fault(&error))?;
        if line != "ok" {
            // The engine names pages and rows by number, never what is in them.
            found.say(format!("pages: {line}"));
        }
    }
    Ok(())
}

type Check = fn(&Row<'_>) -> Result<(), Fault>;

/// Every table with contents of ours, and how a row of it is held to its checksum.
const TABLES: [(&str, &str, Check); 7] = [
    ("sessions", "SELECT sid, version, subject, row, ended FROM sessions", session),
    ("subjects", "SELECT subject, row FROM subjects", subject),
    ("events", "SELECT position, keep_until, body FROM events", event),
    ("spent", "SELECT digest, until, value FROM spent", spent),
    ("imported", "SELECT digest, until, sid FROM imported", spent),
    ("records", "SELECT kind, name, version, value FROM records", record),
    ("single", "SELECT name, value FROM single", single),
];

fn rows(connection: &Connection, sql: &str, check: Check, count: &mut u64) -> Result<(), Fault> {
    let mut all = connection.prepare(sql).map_err(|error| fault(&error))?;
    let mut rows = all.query([]).map_err(|error| fault(&error))?;
    while let Some(row) = rows.next().map_err(|error| fault(&error))? {
        check(row)?;
        *count += 1;
    }
    Ok(())
}

fn session(row: &Row<'_>) -> Result<(), Fault> {
    let (session, _) = read::session_of(row)?;
    let ended: i64 = column(row, 4)?;
    // What an older copy was told again may have ended without being written as ended.
    let sound = ended == 0 || (ended == 1 && session.end.is_some());
    if sound { Ok(()) } else { Err(Damage("a session is written as ended and is not").into()) }
}

fn subject(row: &Row<'_>) -> Result<(), Fault> {
    let name: String = column(row, 0)?;
    let name = Subject::parse(&name).map_err(|_| Damage("a subject is no subject"))?;
    codec::subject::decode(&name, &column::<Vec<u8>>(row, 1)?)?;
    Ok(())
}

fn event(row: &Row<'_>) -> Result<(), Fault> {
    let position: i64 = column(row, 0)?;
    let event = codec::event::decode(position.cast_unsigned(), &column::<Vec<u8>>(row, 2)?)?;
    let keep_until = event.at.max(event.expires_at).as_millis();
    let sound = column::<i64>(row, 1)? == i64::try_from(keep_until).unwrap_or(i64::MAX);
    if sound { Ok(()) } else { Err(Damage("an event is kept for another time").into()) }
}

/// What is spent, and old tokens of other systems, are sealed alike.
fn spent(row: &Row<'_>) -> Result<(), Fault> {
    let (digest, until): (Vec<u8>, i64) = (column(row, 0)?, column(row, 1)?);
    codec::unseal(&column::<Vec<u8>>(row, 2)?, &[&digest, &until.to_le_bytes()])?;
    Ok(())
}

fn record(row: &Row<'_>) -> Result<(), Fault> {
    let code: i64 = column(row, 0)?;
    let kind = Kind::ALL.into_iter().find(|kind| i64::from(kind.code()) == code);
    let kind = kind.ok_or(Damage("a record is of an unknown kind"))?;
    let raw = (column(row, 1)?, column::<i64>(row, 2)?.cast_unsigned(), column(row, 3)?);
    read::open_record(kind, raw).map(|_| ())
}

fn single(row: &Row<'_>) -> Result<(), Fault> {
    let (name, value): (String, Vec<u8>) = (column(row, 0)?, column(row, 1)?);
    match &*name {
        "cutoffs" => codec::subject::decode_cutoffs(&value).map(|_| ())?,
        "latest" | read::COPIED => read::instant(&value, &name).map(|_: Timestamp| ())?,
        read::ENDS => codec::unseal(&value, &[name.as_bytes()]).map(|_| ())?,
        _ => return Err(Damage("a single value has an unknown name").into()),
    }
    Ok(())
}

/// Positions have no gaps: a row that cannot be found any more is missed here.
fn feed(connection: &Connection) -> Result<(), Fault> {
    const GAPS: &str =
        "SELECT count(*) = coalesce(max(position) - min(position) + 1, 0) FROM events";
    let whole = connection.query_row(GAPS, [], |row| row.get(0)).map_err(|error| fault(&error))?;
    if whole { Ok(()) } else { Err(Damage("an event is missing").into()) }
}

fn column<T: rusqlite::types::FromSql>(row: &Row<'_>, index: usize) -> Result<T, Fault> {
    row.get(index).map_err(|error| fault(&error))
}
