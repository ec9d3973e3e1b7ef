//! Putting a copy in a database's place, under a store epoch of its own, with everything ended again
//! that was ended since.
//!
//! The copy is prepared under another name and takes the database's by one rename, so that a restore that
//! is cut short leaves the old database. Nothing that was there is deleted: it is moved aside.

use super::again::{self, Behind, Opening, Replayed};
use super::backup::{Copied, describe};
use super::catch_up::{beyond, catch_up, known};
use super::ends::{self, EndsLog, Entry};
use super::open::{self, damaged};
use super::{examine, fault, files, read, write};
use crate::Refusal;
use rusqlite::Connection;
use std::fs::File;
use std::path::{Path, PathBuf};
use symbolon_core::{Cutoffs, Event, Fault, StoreEpoch, Timestamp};

/// How many store epochs are skipped where neither the database nor the ends log says how many there
/// were: as often may the lost store have been restored before.
const SKIPPED: u32 = 256;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Restore<'a> {
    /// The copy; `None`: the database stays, and a new store epoch opens.
    pub copy: Option<&'a Path>,
    /// Whether to go on though the ends log is missing or cannot be read.
    pub without_ends_log: bool,
    /// Whether only to say what would be done.
    pub dry_run: bool,
    /// What time it is: what is moved aside is named by it.
    pub at: Timestamp,
}

/// What said who was ended since a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The ends log.
    EndsLog,
    /// The database that was there: as far back as its feed goes.
    Database,
    /// Nothing: what was ended since is back.
    Nothing,
}

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// What was put in place, as it was before.
    pub from: Copied,
    /// The store epoch that opened.
    pub epoch: StoreEpoch,
    /// What was ended, set and revoked again.
    pub replayed: Replayed,
    /// What said so.
    pub source: Source,
    /// How many bytes at the ends log's end were no whole record: what was in them is not known.
    pub torn: u64,
    /// Why the database that was there before could not be read, if so.
    pub unread: Option<String>,
    /// Where that database is now.
    pub aside: Option<PathBuf>,
}

/// Puts a copy in the place of the database at `path`, or reopens that in place. `above` sets what else is
/// to hold above all subjects in the new store epoch, and says so in events.
///
/// # Errors
/// An authority serves from the database, the copy cannot be used, there is no ends log and nobody said
/// that this is known, or something could not be read or written. The old database is in place then.
pub fn restore(
    path: &Path,
    what: &Restore<'_>,
    above: impl FnOnce(&mut Cutoffs) -> Vec<Event>,
) -> Result<Restored, Refusal> {
    let Some(_lock) = open::lock(path)? else {
        return Err(Refusal::InUse { path: path.into() });
    };
    match what.copy {
        None if !path.exists() => Err(Refusal::Missing { path: path.into() }),
        None => reopen(path, path, what, above),
        Some(copy) => {
            let staged = files::beside(path, ".restoring");
            let restored = stage(copy, &staged).and_then(|()| reopen(path, &staged, what, above));
            let restored = match restored {
                Ok(restored) if !what.dry_run => swap(path, &staged, what.at)
                    .map(|aside| Restored { aside, ..restored })
                    .map_err(|error| Refusal::io(path, &error)),
                restored => restored,
            };
            // What is left of it has a name that nothing reads.
            let _tried = remove(&staged);
            restored
        }
    }
}

/// Opens the new epoch in `staged`, which is the copy, or the database itself.
fn reopen(
    path: &Path,
    staged: &Path,
    what: &Restore<'_>,
    above: impl FnOnce(&mut Cutoffs) -> Vec<Event>,
) -> Result<Restored, Refusal> {
    let refused = |fault: Fault| damaged(what.copy.unwrap_or(path), &fault);
    let mut before = Before::look(path, what)?;
    let mut connection = open::writer(staged).map_err(|error| Refusal::unreadable(path, &error))?;
    let bytes = std::fs::metadata(staged).map_err(|error| Refusal::io(staged, &error))?.len();
    let from = Copied { bytes, ..describe(&connection).map_err(refused)? };
    let behind = again::behind(&connection, &before.entries).map_err(refused)?;
    let epoch = before.next_epoch(&behind);
    let mut log = before.log.take();
    let opening = Opening { epoch, above };
    let replayed = again::end_again(&mut connection, log.as_mut(), &behind.again, opening);
    let replayed = replayed.map_err(refused)?;
    if let Some(log) = &mut log {
        let known = behind.known(&before.entries);
        catch_up(&connection, log, (&before.entries, known)).map_err(refused)?;
        settle(&connection).map_err(refused)?;
        open::fold(connection).map_err(|error| Refusal::io(staged, &error))?;
        files::sync(staged).map_err(|error| Refusal::io(staged, &error))?;
    }
    let (source, torn, unread) = (before.source(), before.torn, before.unread);
    Ok(Restored { from, epoch, replayed, source, torn, unread, aside: None })
}

/// It is no copy any more, and has an ends log.
fn settle(connection: &Connection) -> Result<(), Fault> {
    let forget = connection.execute("DELETE FROM single WHERE name = ?1", [read::COPIED]);
    forget.map_err(|error| fault(&error))?;
    again::mark(connection)?;
    open::write_ahead(connection).map_err(|error| fault(&error))
}

/// What lies at the database's place before it is restored.
struct Before {
    /// `None`: nothing is to be written.
    log: Option<EndsLog>,
    entries: Vec<Entry>,
    /// Whether there was an ends log.
    ends_log: bool,
    torn: u64,
    /// The store epoch of the database, if that could be read.
    epoch: Option<StoreEpoch>,
    unread: Option<String>,
}

impl Before {
    fn look(path: &Path, what: &Restore<'_>) -> Result<Self, Refusal> {
        let mut before = ends_log(path, what)?;
        if path.exists() {
            match before.take_in(path, what) {
                Ok(epoch) => before.epoch = Some(epoch),
                Err(refusal) => before.unread = Some(refusal.to_string()),
            }
        }
        Ok(before)
    }

    /// Brings to the log what the database has beyond it, before that leaves its place.
    fn take_in(&mut self, path: &Path, what: &Restore<'_>) -> Result<StoreEpoch, Refusal> {
        let refused = |fault: Fault| damaged(path, &fault);
        open::examine(path)?;
        open::prepare(path, true)?;
        let connection = open::writer(path).map_err(|error| Refusal::unreadable(path, &error))?;
        let epoch = write::epoch(&connection).map_err(refused)?;
        if what.copy.is_some() {
            let (mut more, known) = (Vec::new(), known(&self.entries, epoch));
            let take = |framed: Vec<u8>| {
                more.extend(ends::entries_of(&framed)?);
                self.log.as_mut().map_or(Ok(()), |log| log.append(&framed))
            };
            beyond(&connection, (&self.entries, known), take).map_err(refused)?;
            self.entries.append(&mut more);
        }
        open::fold(connection).map_err(|error| Refusal::unreadable(path, &error))?;
        Ok(epoch)
    }

    fn next_epoch(&self, behind: &Behind<'_>) -> StoreEpoch {
        let next = behind.next_epoch(&self.entries).max(match self.epoch {
            Some(epoch) => StoreEpoch(epoch.0.saturating_add(1)),
            None => StoreEpoch::default(),
        });
        StoreEpoch(next.0.saturating_add(match self.source() {
            Source::EndsLog | Source::Database => 0,
            Source::Nothing => SKIPPED,
        }))
    }

    fn source(&self) -> Source {
        match (self.ends_log, self.epoch) {
            (true, _) => Source::EndsLog,
            (false, Some(_)) => Source::Database,
            (false, None) => Source::Nothing,
        }
    }
}

/// The log of the database, and whether it was there and could be read.
fn ends_log(path: &Path, what: &Restore<'_>) -> Result<Before, Refusal> {
    let found = |log: Option<(EndsLog, Vec<Entry>)>, ends_log| {
        let torn = log.as_ref().map_or(0, |(log, _)| log.torn());
        let (log, entries) = log.unzip();
        let (log, entries) = (log.filter(|_| !what.dry_run), entries.unwrap_or_default());
        Before { log, entries, ends_log, torn, epoch: None, unread: None }
    };
    let place = ends::path_of(path);
    let why = match std::fs::metadata(&place) {
        Err(why) => why.to_string(),
        // What a start that was cut short leaves.
        Ok(log) if log.len() < ends::MAGIC.len() as u64 => "it is empty".to_owned(),
        Ok(_) => match EndsLog::open(place.clone()) {
            Ok(log) => return Ok(found(Some(log), true)),
            Err(refusal) => refusal.to_string(),
        },
    };
    if !what.without_ends_log {
        return Err(Refusal::NoEndsLog { path: place, what: why });
    }
    if what.dry_run {
        return Ok(found(None, false));
    }
    let moved = files::rename(&place, &aside(&place, what.at));
    moved.map_err(|error| Refusal::io(&place, &error))?;
    Ok(found(Some(EndsLog::open(place)?), false))
}

/// Copies the copy to where it can be opened, and reads all of it.
fn stage(copy: &Path, staged: &Path) -> Result<(), Refusal> {
    let unwritten = |error: std::io::Error| Refusal::io(staged, &error);
    remove(staged).map_err(unwritten)?;
    for ending in ["", "-wal"] {
        let from = files::beside(copy, ending);
        let mut from = match File::open(&from) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => match ending {
                "" => return Err(Refusal::Missing { path: copy.into() }),
                _ => continue,
            },
            Err(error) => return Err(Refusal::io(&from, &error)),
        };
        let mut to = files::create(&files::beside(staged, ending)).map_err(unwritten)?;
        std::io::copy(&mut from, &mut to).map_err(unwritten)?;
    }
    verify(staged).map_err(|refusal| refusal.about(copy))
}

/// Reads a copy from one end to the other.
fn verify(staged: &Path) -> Result<(), Refusal> {
    let damaged_by = |what: String| Refusal::Damaged { path: staged.into(), what };
    let length = std::fs::metadata(staged).map_err(|error| Refusal::io(staged, &error))?.len();
    if length == 0 {
        return Err(damaged_by("it is empty".into()));
    }
    open::examine(staged)?;
    open::prepare(staged, true)?;
    match examine::examine(staged)?.damages.into_iter().next() {
        Some(damage) => Err(damaged_by(damage)),
        None => Ok(()),
    }
}

/// Puts the staged database in its place by one rename; answers where the old one is.
fn swap(path: &Path, staged: &Path, at: Timestamp) -> std::io::Result<Option<PathBuf>> {
    let old = aside(path, at);
    let was_there = path.exists();
    if was_there && std::fs::hard_link(path, &old).is_err() {
        // Not every file system has links.
        std::fs::rename(path, &old)?;
    }
    // Else it would be taken for the new database's.
    files::rename(&files::beside(path, "-wal"), &files::beside(&old, "-wal"))?;
    files::remove(&files::beside(path, "-shm"))?;
    std::fs::rename(staged, path)?;
    files::sync_directory_of(path)?;
    Ok(was_there.then_some(old))
}

/// A name beside it that nothing has.
fn aside(path: &Path, at: Timestamp) -> PathBuf {
    let first = files::beside(path, &format!(".before-restore-{}", at.as_seconds()));
    let mut free = first.clone();
    let mut number = 1_u32;
    while free.exists() {
        number += 1;
        free = files::beside(&first, &format!("-{number}"));
    }
    free
}

fn remove(staged: &Path) -> std::io::Result<()> {
    ["", "-wal", "-shm"].iter().try_for_each(|ending| files::remove(&files::beside(staged, ending)))
}
