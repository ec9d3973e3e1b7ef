//! The tables, as numbered steps that are never edited once released.

use super::fault;
use crate::Refusal;
use crate::codec::Damage;
use crate::crc::crc32c;
use rusqlite::Connection;
use std::path::Path;
use symbolon_core::Fault;

/// Marks a file as ours (`PRAGMA application_id`): "SYMB".
pub(super) const APPLICATION_ID: i32 = 0x5359_4D42;

/// Bytes of a database page. A power of two; chosen by measurement, see `docs/decisions`.
pub(super) const PAGE_BYTES: u32 = 2048;

/// Every step that ever shaped the file, in order. Step `n` of the file is `MIGRATIONS[n - 1]`.
const MIGRATIONS: [&str; 2] =
    [include_str!("schema/0001_first.sql"), include_str!("schema/0002_imported.sql")];

/// Brings an empty or older file to this version; refuses a newer one.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Refusal> {
    let found = version(connection, path)?;
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        apply(connection, index + 1, sql).map_err(|error| Refusal::io(path, &error))?;
    }
    Ok(())
}

/// The file's version, if we know it and every step that led to it is the one that we know.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<usize, Refusal> {
    let found: u32 = pragma(connection, path, "user_version")?;
    let found = found as usize;
    if found > MIGRATIONS.len() {
        return Err(Refusal::Newer { path: path.into(), found, known: MIGRATIONS.len() });
    }
    if found > 0 {
        compare(connection, path, found)?;
    }
    Ok(found)
}

/// Whether the file needs [`migrate`].
pub(super) fn is_current(found: usize) -> bool {
    found == MIGRATIONS.len()
}

/// Compares every table and index with what the steps make of an empty file.
pub(super) fn differs(connection: &Connection) -> Result<(), Fault> {
    let ours = Connection::open_in_memory().map_err(|error| fault(&error))?;
    for sql in MIGRATIONS {
        ours.execute_batch(sql).map_err(|error| fault(&error))?;
    }
    match described(connection)? == described(&ours)? {
        true => Ok(()),
        false => Err(Damage("a table or an index is not as it was made").into()),
    }
}

fn described(connection: &Connection) -> Result<Vec<[Option<String>; 4]>, Fault> {
    const ALL: &str = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name";
    let read = || {
        let mut all = connection.prepare(ALL)?;
        let rows =
            all.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
        rows.collect::<rusqlite::Result<_>>()
    };
    read().map_err(|error| fault(&error))
}

fn pragma<T: rusqlite::types::FromSql>(
    connection: &Connection,
    path: &Path,
    name: &str,
) -> Result<T, Refusal> {
    let read = connection.pragma_query_value(None, name, |row| row.get(0));
    read.map_err(|error| Refusal::unreadable(path, &error))
}

fn compare(connection: &Connection, path: &Path, found: usize) -> Result<(), Refusal> {
    let damaged = |error: rusqlite::Error| Refusal::unreadable(path, &error);
    let mut steps = connection
        .prepare("SELECT number, checksum FROM migrations ORDER BY number")
        .map_err(damaged)?;
    let rows = steps.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(damaged)?;
    let applied: Vec<(i64, u32)> = rows.collect::<Result<_, _>>().map_err(damaged)?;
    let known = MIGRATIONS.iter().map(|sql| checksum(sql)).enumerate();
    let known: Vec<(i64, u32)> =
        known.map(|(index, sum)| (index as i64 + 1, sum)).take(found).collect();
    if applied == known {
        Ok(())
    } else {
        let what = "the migrations it records are not those of this program";
        Err(Refusal::Damaged { path: path.into(), what: what.into() })
    }
}

fn apply(connection: &mut Connection, number: usize, sql: &str) -> rusqlite::Result<()> {
    let step = connection.transaction()?;
    step.execute_batch(sql)?;
    step.execute(
        "INSERT INTO migrations (number, checksum) VALUES (?1, ?2)",
        (number as i64, checksum(sql)),
    )?;
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", number as i64)?;
    step.commit()
}

fn checksum(sql: &str) -> u32 {
    crc32c(&[sql.as_bytes()])
}
