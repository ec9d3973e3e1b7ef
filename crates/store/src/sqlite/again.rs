//! Starting beside an ends log: appends what the database has beyond it, and, if the log is ahead of the
//! database, ends again what an older copy of the database would bring back.

use super::catch_up::{catch_up, known};
use super::ends::{self, EndsLog, Entry, Lost, frame};
use super::open::damaged;
use super::write::{PUT_SINGLE, PUT_SUBJECT, put_event};
use super::{compact, fault, read};
use crate::change::EventWrite;
use crate::codec::{self, seal};
use crate::{Kind, Refusal};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::collections::HashSet;
use std::path::Path;
use symbolon_core::epoch::Bound;
use symbolon_core::session::End;
use symbolon_core::{ClientId, Cutoffs, Event, Fault, Session, SessionId, StoreEpoch, Target};

/// What was done again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Replayed {
    /// Sessions that were alive in the copy.
    pub sessions: usize,
    /// Subjects whose ban was set, changed or lifted.
    pub bans: usize,
    /// Bounds of subjects, clients and everything, revoked and stale ones.
    pub bounds: usize,
    /// Tokens and signing keys that were revoked by name.
    pub named: usize,
    /// API keys that were revoked.
    pub api_keys: usize,
    /// Clients that were switched off or on.
    pub switches: usize,
}

/// Opens the log of a database and brings both to the same end.
pub(super) fn reconcile(connection: &mut Connection, path: &Path) -> Result<EndsLog, Refusal> {
    let refused = |fault: Fault| damaged(path, &fault);
    let place = ends::path_of(path);
    if !place.exists() && read::had_ends_log(connection).map_err(refused)? {
        let path = place.display();
        tracing::warn!(%path, "the ends log is gone: an older copy would bring back what was ended");
    }
    let (mut log, entries) = EndsLog::open(place)?;
    let behind = behind(connection, &entries).map_err(refused)?;
    if behind.is_older {
        let epoch = behind.next_epoch(&entries);
        let opening = Opening { epoch, above: |_: &mut Cutoffs| Vec::new() };
        end_again(connection, Some(&mut log), &behind.again, opening).map_err(refused)?;
        let (ends, path) = (behind.again.len(), path.display());
        tracing::warn!(%path, ends, "an older copy of the database: ended again, new store epoch");
    }
    catch_up(connection, &mut log, (&entries, behind.known(&entries))).map_err(refused)?;
    mark(connection).map_err(refused)?;
    compact::compact(connection, path, log)
}

/// Remembers in the database that it has an ends log.
pub(super) fn mark(connection: &Connection) -> Result<(), Fault> {
    if read::had_ends_log(connection)? {
        return Ok(());
    }
    let value = seal(Vec::new(), &[read::ENDS.as_bytes()]);
    let put = connection.execute(PUT_SINGLE, (read::ENDS, value));
    put.map(|_| ()).map_err(|error| fault(&error))
}

/// How a database stands to its log.
pub(super) struct Behind<'a> {
    /// Whether the log holds what the database does not: it is an older copy.
    pub(super) is_older: bool,
    /// What is to be done again, if so.
    pub(super) again: Vec<&'a Entry>,
    epoch: StoreEpoch,
    head: u64,
    diverged: bool,
}

impl Behind<'_> {
    /// How much of the database's feed the log has.
    pub(super) fn known(&self, entries: &[Entry]) -> u64 {
        if self.diverged { 0 } else { known(entries, self.epoch).min(self.head) }
    }

    /// The store epoch after any that the database or the log knows.
    pub(super) fn next_epoch(&self, entries: &[Entry]) -> StoreEpoch {
        let newest = entries.iter().map(|entry| entry.epoch).max().unwrap_or_default();
        StoreEpoch(self.epoch.max(newest).0.saturating_add(1))
    }
}

/// What the log holds and the database does not.
pub(super) fn behind<'a>(
    connection: &Connection,
    entries: &'a [Entry],
) -> Result<Behind<'a>, Fault> {
    let epoch = super::write::epoch(connection)?;
    let head = read::head(connection)?;
    let diverged = diverged(connection, entries, epoch)?;
    let ours = |entry: &Entry| entry.epoch == epoch && !diverged;
    let (mut is_older, mut again) = (false, Vec::new());
    for entry in entries.iter().filter(|entry| epoch <= entry.epoch || is_api_key(entry)) {
        let beyond = epoch <= entry.epoch && (!ours(entry) || head < entry.position);
        let (lost, wanted) = match &entry.lost {
            Lost::ApiKey { name, version, .. } => {
                let record = read::record(connection, Kind::ApiKey, name)?;
                let older = record.is_some_and(|record| record.version < *version);
                (older, older)
            }
            Lost::Event { .. } | Lost::Epoch => (beyond, beyond),
            // These move no position, so what was committed at the head may have come after the copy.
            Lost::Ban { .. } | Lost::Switch { .. } => (beyond, beyond || entry.position == head),
        };
        is_older |= lost;
        again.extend(wanted.then_some(entry));
    }
    Ok(Behind { is_older, again, epoch, head, diverged })
}

fn is_api_key(entry: &Entry) -> bool {
    matches!(entry.lost, Lost::ApiKey { .. })
}

/// Whether the feed holds something else where the log's newest event of this epoch is.
fn diverged(connection: &Connection, entries: &[Entry], epoch: StoreEpoch) -> Result<bool, Fault> {
    let newest = entries.iter().rev().filter(|entry| entry.epoch == epoch);
    let mut newest = newest.filter_map(|entry| match &entry.lost {
        Lost::Event { sealed, .. } => Some((entry.position, sealed)),
        Lost::Ban { .. } | Lost::Epoch | Lost::ApiKey { .. } | Lost::Switch { .. } => None,
    });
    let Some((position, sealed)) = newest.next() else { return Ok(false) };
    let feed = read::sealed_events_after(connection, position.saturating_sub(1), 1)?;
    Ok(feed.first().is_some_and(|(at, here)| *at == position && here != sealed))
}

/// How a store epoch is opened.
pub(super) struct Opening<F> {
    /// Which: above any that was used.
    pub(super) epoch: StoreEpoch,
    /// What else is set above all subjects, and its events.
    pub(super) above: F,
}

/// Opens a store epoch and commits all that was lost, in one go. The epoch is in the log first: should
/// this be cut short, the next start finds the log ahead and begins again. Without a log nothing is
/// committed, and the answer is what would be done.
pub(super) fn end_again(
    connection: &mut Connection,
    log: Option<&mut EndsLog>,
    lost: &[&Entry],
    opening: Opening<impl FnOnce(&mut Cutoffs) -> Vec<Event>>,
) -> Result<Replayed, Fault> {
    let mut cutoffs = read::cutoffs(connection)?;
    cutoffs.epoch = opening.epoch;
    let head = read::head(connection)?;
    let dry = log.is_none();
    if let Some(log) = log {
        log.append(&frame(&Entry { epoch: cutoffs.epoch, position: head, lost: Lost::Epoch }))?;
    }
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.map_err(|error| fault(&error))?;
    let mut again = Again { transaction, cutoffs, head, replayed: Replayed::default() };
    for entry in newest(lost) {
        again.apply(&entry.lost)?;
    }
    for event in (opening.above)(&mut again.cutoffs) {
        again.publish(&event)?;
    }
    if dry { Ok(again.replayed) } else { again.commit() }
}

/// What was said last of each thing, in the order of the log. An event stands there once for each store
/// epoch in which it was published again: it is one event all the same.
pub(super) fn newest<'a>(lost: &[&'a Entry]) -> Vec<&'a Entry> {
    let (mut subjects, mut clients, mut keys) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut events = HashSet::new();
    let last = |entry: &&&'a Entry| match &entry.lost {
        Lost::Ban { subject, .. } => subjects.insert(subject),
        Lost::Switch { client, .. } => clients.insert(client),
        Lost::ApiKey { name, .. } => keys.insert(name),
        Lost::Event { event, .. } => events.insert(codec::event::encode(event)),
        Lost::Epoch => true,
    };
    let mut newest: Vec<_> = lost.iter().rev().filter(last).copied().collect();
    newest.reverse();
    newest
}

struct Again<'a> {
    transaction: Transaction<'a>,
    cutoffs: Cutoffs,
    head: u64,
    replayed: Replayed,
}

impl Again<'_> {
    fn apply(&mut self, lost: &Lost) -> Result<(), Fault> {
        match lost {
            Lost::Epoch => Ok(()),
            Lost::Ban { subject, ban } => {
                let mut state = read::subject(&self.transaction, subject)?;
                if state.ban != *ban {
                    self.replayed.bans += 1;
                    state.ban = ban.clone();
                    self.put(PUT_SUBJECT, (subject.as_str(), codec::subject::encode(&state)))?;
                }
                Ok(())
            }
            Lost::Event { event, .. } => self.event(event),
            Lost::ApiKey { name, version, value } => self.api_key(name, *version, value),
            Lost::Switch { client, disabled } => {
                self.switch(client, *disabled);
                Ok(())
            }
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), Fault> {
        let bound = |below| Bound { below, reason: event.reason, at: event.at };
        let effect = event.effect;
        match &event.target {
            Target::Session(sid) => {
                if !self.end(*sid, event)? {
                    return Ok(());
                }
            }
            Target::Subject(subject, below) => {
                let mut state = read::subject(&self.transaction, subject)?;
                state.epochs.set_again(effect, bound(*below));
                self.replayed.bounds += 1;
                self.put(PUT_SUBJECT, (subject.as_str(), codec::subject::encode(&state)))?;
            }
            Target::Client(client, below) => {
                let state = self.cutoffs.clients.entry(client.clone()).or_default();
                state.epochs.set_again(effect, bound(*below));
                self.replayed.bounds += 1;
            }
            Target::Everything(below) => {
                self.cutoffs.everything.set_again(effect, bound(*below));
                self.replayed.bounds += 1;
            }
            Target::Nothing(_) => {}
            Target::Token(_) | Target::Key(_) => {
                self.replayed.named += usize::from(self.cutoffs.revoke_again(event));
            }
        }
        self.publish(event)
    }

    /// Ends a session again; `false` if it has ended here too.
    fn end(&mut self, sid: SessionId, event: &Event) -> Result<bool, Fault> {
        const UPDATE: &str = "UPDATE sessions SET version = ?2, ended = 1, row = ?3 WHERE sid = ?1";
        let Some(stored) = read::session(&self.transaction, sid)? else { return Ok(true) };
        if stored.session.end.is_some() {
            return Ok(false);
        }
        let mut state = (*stored.session).clone();
        state.end = Some(End { reason: event.reason, at: event.at, by: event.act.actor.clone() });
        let version = stored.version + 1;
        let row = codec::session::encode(&Session::restore(state), version);
        self.put(UPDATE, (sid.as_bytes(), version.cast_signed(), row))?;
        self.replayed.sessions += 1;
        Ok(true)
    }

    /// A key that the copy does not know is refused anyway.
    fn api_key(&mut self, name: &str, version: u64, value: &[u8]) -> Result<(), Fault> {
        const UPDATE: &str = "UPDATE records SET version = ?3, value = ?4 \
             WHERE kind = ?1 AND name = ?2 AND version < ?3";
        let kind = Kind::ApiKey.code();
        let sealed = codec::seal_record(kind, (name, version), value);
        self.replayed.api_keys += self.put(UPDATE, (kind, name, version.cast_signed(), sealed))?;
        Ok(())
    }

    fn switch(&mut self, client: &ClientId, disabled: bool) {
        let state = self.cutoffs.clients.entry(client.clone()).or_default();
        self.replayed.switches += usize::from(state.disabled != disabled);
        state.disabled = disabled;
    }

    fn publish(&mut self, event: &Event) -> Result<(), Fault> {
        self.head += 1;
        let write = EventWrite::new(event);
        let sealed = seal(write.body, &[&self.head.to_le_bytes()]);
        put_event(&self.transaction, (self.head, write.keep_until), &sealed)
            .map_err(|error| fault(&error))
    }

    fn commit(self) -> Result<Replayed, Fault> {
        self.put(PUT_SINGLE, ("cutoffs", codec::subject::encode_cutoffs(&self.cutoffs)))?;
        let replayed = self.replayed;
        self.transaction.commit().map_err(|error| fault(&error))?;
        Ok(replayed)
    }

    fn put(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<usize, Fault> {
        self.transaction.execute(sql, parameters).map_err(|error| fault(&error))
    }
}
