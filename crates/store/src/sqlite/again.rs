//! Starting beside an ends log: appends what the feed has beyond it, and, if the log is ahead of the
//! database, ends again what an older copy of the database would bring back.

use super::change::EventWrite;
use super::ends::{self, EndsLog, Entry, Lost, frame, frame_event};
use super::open::damaged;
use super::write::{PUT_SINGLE, PUT_SUBJECT, put_event};
use super::{fault, read};
use crate::Refusal;
use crate::codec::{self, seal};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;
use symbolon_core::epoch::{Bound, Epochs};
use symbolon_core::session::End;
use symbolon_core::{Cutoffs, Event, Fault, Session, SessionId, StoreEpoch, Subject, Target};

/// How many events are read at once.
const CHUNK: usize = 1000;

/// Opens the log of a database and brings both to the same end.
pub(super) fn reconcile(connection: &mut Connection, path: &Path) -> Result<EndsLog, Refusal> {
    let (mut log, entries) = EndsLog::open(ends::path_of(path))?;
    let refused = |fault: Fault| damaged(path, &fault);
    let lost = lost(connection, &entries).map_err(refused)?;
    if !lost.is_empty() {
        end_again(connection, &mut log, &lost).map_err(refused)?;
        let (ends, path) = (lost.len(), path.display());
        tracing::warn!(%path, ends, "an older copy of the database: ended again, new store epoch");
    }
    catch_up(connection, &mut log, &entries).map_err(refused)?;
    Ok(log)
}

/// What the log holds and the database does not.
fn lost<'a>(connection: &Connection, entries: &'a [Entry]) -> Result<Vec<&'a Entry>, Fault> {
    let epoch = super::write::epoch(connection)?;
    let head = read::head(connection)?;
    let diverged = diverged(connection, entries, epoch)?;
    let is_lost = |entry: &&Entry| {
        epoch < entry.epoch || (entry.epoch == epoch && (diverged || head < entry.position))
    };
    Ok(entries.iter().filter(is_lost).collect())
}

/// Whether the feed holds something else where the log's newest event of this epoch is.
fn diverged(connection: &Connection, entries: &[Entry], epoch: StoreEpoch) -> Result<bool, Fault> {
    let newest = entries.iter().rev().filter(|entry| entry.epoch == epoch);
    let mut newest = newest.filter_map(|entry| match &entry.lost {
        Lost::Event { sealed, .. } => Some((entry.position, sealed)),
        Lost::Ban { .. } | Lost::Epoch => None,
    });
    let Some((position, sealed)) = newest.next() else { return Ok(false) };
    let feed = read::sealed_events_after(connection, position.saturating_sub(1), 1)?;
    Ok(feed.first().is_some_and(|(at, here)| *at == position && here != sealed))
}

/// Opens a store epoch above any that the log knows and commits all that was lost, in one go. The epoch
/// is in the log first: should this be cut short, the next start finds the log ahead and begins again.
fn end_again(connection: &mut Connection, log: &mut EndsLog, lost: &[&Entry]) -> Result<(), Fault> {
    let mut cutoffs = read::cutoffs(connection)?;
    let newest = lost.iter().map(|entry| entry.epoch).max().unwrap_or_default();
    cutoffs.epoch = StoreEpoch(cutoffs.epoch.max(newest).0.saturating_add(1));
    let position = read::head(connection)?;
    log.append(&frame(&Entry { epoch: cutoffs.epoch, position, lost: Lost::Epoch }))?;
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let mut again =
        Again { transaction: begun.map_err(|error| fault(&error))?, cutoffs, head: position };
    for entry in lost {
        again.apply(&entry.lost)?;
    }
    again.commit()
}

struct Again<'a> {
    transaction: Transaction<'a>,
    cutoffs: Cutoffs,
    head: u64,
}

impl Again<'_> {
    fn apply(&mut self, lost: &Lost) -> Result<(), Fault> {
        match lost {
            Lost::Epoch => Ok(()),
            Lost::Ban { subject, ban } => {
                let mut state = read::subject(&self.transaction, subject)?;
                state.ban = ban.clone();
                self.put(PUT_SUBJECT, (subject.as_str(), codec::subject::encode(&state)))
            }
            Lost::Event { event, .. } => self.event(event),
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), Fault> {
        let bound = |below| Bound { below, reason: event.reason, at: event.at };
        match &event.target {
            Target::Session(sid) => {
                if !self.end(*sid, event)? {
                    return Ok(());
                }
            }
            Target::Subject(subject, below) => {
                let mut state = read::subject(&self.transaction, subject)?;
                raise(&mut state.epochs, bound(*below));
                self.put(PUT_SUBJECT, (subject.as_str(), codec::subject::encode(&state)))?;
            }
            Target::Client(client, below) => {
                let state = self.cutoffs.clients.entry(client.clone()).or_default();
                raise(&mut state.epochs, bound(*below));
            }
            Target::Everything(below) => raise(&mut self.cutoffs.everything, bound(*below)),
            Target::Token(_) | Target::Key(_) => {}
        }
        self.publish(event)
    }

    /// Ends a session again; `false` if it has ended here too.
    fn end(&mut self, sid: SessionId, event: &Event) -> Result<bool, Fault> {
        const UPDATE: &str = "UPDATE sessions SET version = ?2, row = ?3 WHERE sid = ?1";
        let Some(stored) = read::session(&self.transaction, sid)? else { return Ok(true) };
        if stored.session.end.is_some() {
            return Ok(false);
        }
        let mut state = (*stored.session).clone();
        state.end = Some(End { reason: event.reason, at: event.at, by: event.act.actor.clone() });
        let version = stored.version + 1;
        let row = codec::session::encode(&Session::restore(state), version);
        self.put(UPDATE, (sid.as_bytes(), version.cast_signed(), row))?;
        Ok(true)
    }

    fn publish(&mut self, event: &Event) -> Result<(), Fault> {
        self.head += 1;
        let write = EventWrite::new(event);
        let sealed = seal(write.body, &[&self.head.to_le_bytes()]);
        put_event(&self.transaction, (self.head, write.keep_until), &sealed)
            .map_err(|error| fault(&error))
    }

    fn commit(self) -> Result<(), Fault> {
        self.put(PUT_SINGLE, ("cutoffs", codec::subject::encode_cutoffs(&self.cutoffs)))?;
        self.transaction.commit().map_err(|error| fault(&error))
    }

    fn put(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<(), Fault> {
        let put = self.transaction.execute(sql, parameters);
        put.map(|_| ()).map_err(|error| fault(&error))
    }
}

/// A revoked bound never goes down, nor does its counter.
fn raise(epochs: &mut Epochs, bound: Bound) {
    epochs.counter = epochs.counter.max(bound.below.counter);
    if epochs.revoked.is_none_or(|own| own.below < bound.below) {
        epochs.revoked = Some(bound);
    }
}

/// Appends the revoking events that the feed has beyond the log.
fn catch_up(connection: &Connection, log: &mut EndsLog, entries: &[Entry]) -> Result<(), Fault> {
    let epoch = super::write::epoch(connection)?;
    let of_epoch = entries.iter().filter(|entry| entry.epoch == epoch);
    let mut known = of_epoch.map(|entry| entry.position).max().unwrap_or(0);
    loop {
        let chunk = read::sealed_events_after(connection, known, CHUNK)?;
        let Some((last, _)) = chunk.last() else { return Ok(()) };
        known = *last;
        let mut framed = Vec::new();
        for (position, sealed) in &chunk {
            let event = codec::event::decode(*position, sealed)?;
            if event.outlives_the_store() {
                framed.extend(frame_event(epoch, *position, sealed));
                framed.extend(ban_beside(connection, epoch, (*position, &event))?);
            }
        }
        log.append(&framed)?;
    }
}

/// The ban, if any, that stands behind a revoking event of a subject: a ban may have any reason.
fn ban_beside(
    connection: &Connection,
    epoch: StoreEpoch,
    (position, event): (u64, &Event),
) -> Result<Vec<u8>, Fault> {
    if let Target::Subject(subject, _) = &event.target {
        let lost = ban_of(connection, subject)?;
        return Ok(frame(&Entry { epoch, position, lost }));
    }
    Ok(Vec::new())
}

fn ban_of(connection: &Connection, subject: &Subject) -> Result<Lost, Fault> {
    let ban = read::subject(connection, subject)?.ban;
    Ok(Lost::Ban { subject: subject.clone(), ban })
}
