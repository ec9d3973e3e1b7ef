//! Appending to the ends log what the database has beyond it: a log that was lost, or whose last record
//! was not written before the power went.

use super::ends::{EndsLog, Entry, Lost, frame, frame_event};
use super::{read, write};
use crate::{Kind, codec};
use rusqlite::Connection;
use symbolon_core::{Change, Effect, Event, Fault, StoreEpoch, Subject, Target};

/// How many events are read at once.
const CHUNK: usize = 1000;

/// How far the log goes in the feed of an epoch.
pub(super) fn known(entries: &[Entry], epoch: StoreEpoch) -> u64 {
    let of_epoch = entries.iter().filter(|entry| entry.epoch == epoch);
    of_epoch.map(|entry| entry.position).max().unwrap_or(0)
}

/// Appends the events that the feed has after a position, and the API keys that were revoked and
/// are not among the log's entries.
pub(super) fn catch_up(
    connection: &Connection,
    log: &mut EndsLog,
    (entries, known): (&[Entry], u64),
) -> Result<(), Fault> {
    beyond(connection, (entries, known), |framed| log.append(&framed))
}

/// Gives what [`catch_up`] would append, framed, part by part.
pub(super) fn beyond(
    connection: &Connection,
    (entries, mut known): (&[Entry], u64),
    mut take: impl FnMut(Vec<u8>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let epoch = write::epoch(connection)?;
    take(api_keys(connection, entries, epoch)?)?;
    loop {
        let chunk = read::sealed_events_after(connection, known, CHUNK)?;
        let Some((last, _)) = chunk.last() else { return Ok(()) };
        known = *last;
        let mut framed = Vec::new();
        for (position, sealed) in &chunk {
            let event = codec::event::decode(*position, sealed)?;
            framed.extend(frame_event(epoch, *position, sealed));
            framed.extend(ban_beside(connection, epoch, (*position, &event))?);
        }
        take(framed)?;
    }
}

/// The ban, if any, that stands behind a revoking event of a subject: a ban may have any reason.
fn ban_beside(
    connection: &Connection,
    epoch: StoreEpoch,
    (position, event): (u64, &Event),
) -> Result<Vec<u8>, Fault> {
    if let (Target::Subject(subject, _), Effect::Revoked)
    | (Target::Nothing(Change::BanLifted(subject)), _) = (&event.target, event.effect)
    {
        let lost = ban_of(connection, subject)?;
        return Ok(frame(&Entry { epoch, position, lost }));
    }
    Ok(Vec::new())
}

fn ban_of(connection: &Connection, subject: &Subject) -> Result<Lost, Fault> {
    let ban = read::subject(connection, subject)?.ban;
    Ok(Lost::Ban { subject: subject.clone(), ban })
}

/// The API keys' records that were replaced and that the log does not have.
fn api_keys(
    connection: &Connection,
    entries: &[Entry],
    epoch: StoreEpoch,
) -> Result<Vec<u8>, Fault> {
    let position = read::head(connection)?;
    let mut framed = Vec::new();
    for record in read::records(connection, Kind::ApiKey)? {
        let lost = Lost::of(Kind::ApiKey, (&record.name, record.version), &record.value);
        let known = |entry: &Entry| Some(&entry.lost) == lost.as_ref();
        if !entries.iter().any(known) {
            framed.extend(
                lost.map(|lost| frame(&Entry { epoch, position, lost })).unwrap_or_default(),
            );
        }
    }
    Ok(framed)
}
