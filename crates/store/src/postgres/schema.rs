//! The tables, as numbered steps that are never edited once released.

use super::place::{Connection, Place};
use super::refuse;
use super::rows;
use super::trouble::Trouble;
use crate::Refusal;
use crate::crc::crc32c;
use std::sync::Arc;
use tokio_postgres::Error;

/// Every step that ever shaped a store, in order. Step `n` is `STEPS[n - 1]`.
const STEPS: [&str; 2] =
    [include_str!("schema/0001_first.sql"), include_str!("schema/0002_lost.sql")];

/// What marks a schema as ours.
const MARK: &str = "symbolon_migrations";

/// How a schema stands to the steps.
enum Standing {
    /// There is nothing in it.
    Empty,
    /// So many steps were taken.
    At(usize),
    Refused(Refusal),
}

/// Brings an empty or older schema to this version, while nobody else does; refuses a newer one.
pub(super) async fn migrate(place: &Arc<Place>, connection: &Connection) -> Result<(), Refusal> {
    let failed = |error: Error| refuse::error(place, &error);
    match standing(place, connection).await? {
        Standing::Refused(refusal) => return Err(refusal),
        Standing::At(step) if step == STEPS.len() => return Ok(()),
        Standing::At(_) | Standing::Empty => {}
    }
    connection.run(&begin(place)).await.map_err(failed)?;
    let migrated = apply(place, connection).await;
    match migrated {
        Ok(()) => connection.run("COMMIT").await.map_err(failed),
        Err(refusal) => {
            connection.roll_back().await;
            Err(refusal)
        }
    }
}

/// One node at a time; the others wait, and find it done.
fn begin(place: &Place) -> String {
    let lock = i64::from(crc32c(&[place.schema().as_bytes()])) | 0x5359_4D42 << 32;
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '30s'; \
         SET LOCAL statement_timeout = '30s'; SELECT pg_advisory_xact_lock({lock})"
    )
}

async fn apply(place: &Arc<Place>, connection: &Connection) -> Result<(), Refusal> {
    let failed = |error: Error| refuse::error(place, &error);
    let schema = place.schema();
    let from = match standing(place, connection).await? {
        Standing::Refused(refusal) => return Err(refusal),
        Standing::At(step) => step,
        Standing::Empty => {
            let there = format!("SELECT 1 FROM pg_namespace WHERE nspname = '{schema}'");
            if connection.look(&there).await.map_err(failed)?.is_empty() {
                connection.run(&format!("CREATE SCHEMA {schema}")).await.map_err(failed)?;
            }
            let mark = format!(
                "CREATE TABLE {schema}.{MARK} (number integer PRIMARY KEY, checksum bigint NOT NULL)"
            );
            connection.run(&mark).await.map_err(failed)?;
            0
        }
    };
    for (index, step) in STEPS.iter().enumerate().skip(from) {
        connection.run(&step.replace("{s}", schema)).await.map_err(failed)?;
        let taken = format!(
            "INSERT INTO {schema}.{MARK} (number, checksum) VALUES ({}, {})",
            index + 1,
            checksum(step)
        );
        connection.run(&taken).await.map_err(failed)?;
    }
    Ok(())
}

async fn standing(place: &Arc<Place>, connection: &Connection) -> Result<Standing, Refusal> {
    let schema = place.schema();
    let failed = |error: Error| refuse::error(place, &error);
    let odd = |trouble: Trouble| refuse::damaged(place, trouble.fault().to_string());
    let tables = format!(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = '{schema}' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
    );
    let mut names: Vec<String> = Vec::new();
    for row in &connection.look(&tables).await.map_err(failed)? {
        names.push(rows::column(row, 0).map_err(odd)?);
    }
    if names.is_empty() {
        return Ok(Standing::Empty);
    }
    if !names.iter().any(|name| name == MARK) {
        return Ok(Standing::Refused(refuse::foreign(place)));
    }
    let taken = format!("SELECT number::bigint, checksum FROM {schema}.{MARK} ORDER BY number");
    let mut found: Vec<(u64, u64)> = Vec::new();
    for row in &connection.look(&taken).await.map_err(failed)? {
        found.push((rows::number(row, 0).map_err(odd)?, rows::number(row, 1).map_err(odd)?));
    }
    if STEPS.len() < found.len() {
        return Ok(Standing::Refused(refuse::newer(place, found.len(), STEPS.len())));
    }
    let known = STEPS.iter().enumerate().map(|(at, step)| (at as u64 + 1, checksum(step)));
    match found.iter().copied().eq(known.take(found.len())) {
        true => Ok(Standing::At(found.len())),
        false => {
            let what = "the steps that it records are not those of this program".into();
            Ok(Standing::Refused(refuse::damaged(place, what)))
        }
    }
}

fn checksum(step: &str) -> u64 {
    u64::from(crc32c(&[step.as_bytes()]))
}
