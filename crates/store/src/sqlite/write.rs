//! The writer: one thread, one connection, one durable commit for all that waited.

use super::change::{Arriving, Change, Done, Forget, Imports, Put, Seen, Spend, Task, Work};
use super::checkpoint::{self, Checkpointer};
use super::ends::{EndsLog, Entry, Lost, frame, frame_event};
use super::moves::Moves;
use super::queue::{BATCH_MAX, Queue};
use super::{Shared, change, fault, open, read};
use crate::OldToken;
use crate::change::{FIRST_VERSION, SessionWrite};
use crate::codec::{self, seal};
use rusqlite::{Connection, OptionalExtension, Params};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use symbolon_core::{Cutoffs, Fault, SessionId, StoreEpoch, Timestamp};

/// How far the stored latest instant may fall behind the one in memory, in milliseconds. Exclusive.
const LATEST_STEP_MS: u64 = 1000;

/// How many events may leave at once. Inclusive: more a second than sessions can end.
const FORGOTTEN_MAX: usize = 32_768;

/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Everything that the writer thread owns.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) queue: Arc<Queue>,
    pub(super) shared: Arc<Shared>,
    pub(super) checkpointer: Arc<Checkpointer>,
    /// `None` where sessions are not written: it is opened for the seldom record then.
    pub(super) ends: Option<EndsLog>,
    pub(super) head: u64,
    pub(super) latest_stored: u64,
    pub(super) moves: Moves,
    /// A commit failed, here or in a process before: what is read may not be what is on the disk.
    pub(super) suspect: bool,
}

/// What a transaction leads to once it is committed.
struct Staged {
    head: u64,
    cutoffs: Arc<Cutoffs>,
    cutoffs_version: u64,
    latest: u64,
    latest_stored: u64,
    rows: usize,
    /// Framed records for the ends log.
    ends: Vec<u8>,
    done: Vec<Done>,
    /// Which of them the ends log must hold before they are answered.
    logged: Vec<bool>,
}

impl Staged {
    fn holds(&self, seen: &Seen) -> bool {
        seen.cutoffs_version == self.cutoffs_version
    }
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while self.queue.take(&mut batch) {
            self.commit(&mut batch);
            if self.checkpointer.asks_to_catch_up()
                && let Err(error) = checkpoint::passive(&self.connection)
            {
                checkpoint::end_if_unsynced(&error);
                tracing::warn!(%error, "the write-ahead log was not written back");
            }
        }
    }

    fn commit(&mut self, batch: &mut Vec<Work>) {
        match self.recover().and_then(|()| self.transact(batch)) {
            Ok(staged) => {
                self.shared.failing.store(false, Ordering::Release);
                self.publish(staged, batch);
            }
            Err(fault) => {
                tracing::error!(%fault, callers = batch.len(), "a commit failed");
                self.suspect = true;
                self.shared.failing.store(true, Ordering::Release);
                for work in batch.drain(..) {
                    let _gone = work.reply.send(Err(fault.clone()));
                }
            }
        }
    }

    /// After a failed commit: begins again from what is on the disk, with a new connection, and only once
    /// the disk has shown that it keeps what it is given.
    fn recover(&mut self) -> Result<(), Fault> {
        if let Some(ends) = &mut self.ends {
            let healed = ends.heal();
            self.shared.ends_behind.store(!ends.is_settled(), Ordering::Release);
            healed?;
        }
        if !self.suspect {
            return Ok(());
        }
        self.connection = open::writer(&self.path).map_err(|error| fault(&error))?;
        checkpoint::settle(&self.connection)?;
        self.head = read::head(&self.connection)?;
        self.shared.tell_head(self.head);
        let latest = read::latest(&self.connection)?;
        self.prove(latest).map_err(|error| fault(&error))?;
        self.latest_stored = latest.as_millis();
        let cutoffs = read::cutoffs(&self.connection)?;
        let (_, version) = *self.cutoffs();
        self.set_cutoffs(Arc::new(cutoffs), version + 1);
        self.suspect = false;
        Ok(())
    }

    /// Writes what is there already, in a commit of its own: one that fails keeps the store failing.
    fn prove(&self, latest: Timestamp) -> rusqlite::Result<()> {
        let proof = self.connection.unchecked_transaction()?;
        // Putting the same value in its place would change no page, and prove nothing.
        proof.execute("DELETE FROM single WHERE name = 'latest'", ())?;
        put_latest(&proof, latest)?;
        proof.commit()
    }

    fn cutoffs(&self) -> std::sync::RwLockReadGuard<'_, (Arc<Cutoffs>, u64)> {
        self.shared.cutoffs.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn set_cutoffs(&self, cutoffs: Arc<Cutoffs>, version: u64) {
        let lock = self.shared.cutoffs.write();
        *lock.unwrap_or_else(std::sync::PoisonError::into_inner) = (cutoffs, version);
    }

    fn transact(&mut self, batch: &[Work]) -> Result<Staged, Fault> {
        let staged = self.fill(batch);
        if staged.is_err() && !self.connection.is_autocommit() {
            // If even this fails, the next batch begins with a new connection.
            let _failed_before = self.run_sql("ROLLBACK", ());
        }
        staged.map_err(|error| fault(&error))
    }

    fn fill(&mut self, batch: &[Work]) -> rusqlite::Result<Staged> {
        let mut staged = self.staged(batch.len());
        self.run_sql("BEGIN IMMEDIATE", ())?;
        for work in batch {
            let ends = staged.ends.len();
            let done = match &work.task {
                Task::Change(change) => self.change(change, &mut staged)?,
                Task::Spend(spend) => self.spend(spend, &mut staged)?,
                Task::Put(put) => self.put(put, &mut staged)?,
                Task::Import(imports) => self.import(imports, &mut staged)?,
                Task::Know(tokens) => self.know(tokens, &mut staged)?,
                Task::Forget(forget) => self.forget(forget, &mut staged)?,
                Task::Settle => Done { applied: true, position: staged.head, ..Done::default() },
            };
            staged.done.push(done);
            let settles = matches!(work.task, Task::Settle);
            staged.logged.push(settles || ends < staged.ends.len());
        }
        self.save_latest(&mut staged)?;
        self.run_sql("COMMIT", ())?;
        Ok(staged)
    }

    fn staged(&self, capacity: usize) -> Staged {
        let (cutoffs, cutoffs_version) = self.cutoffs().clone();
        Staged {
            head: self.head,
            cutoffs,
            cutoffs_version,
            latest: self.shared.latest.load(Ordering::Relaxed),
            latest_stored: self.latest_stored,
            rows: 0,
            ends: Vec::new(),
            done: Vec::with_capacity(capacity),
            logged: Vec::with_capacity(capacity),
        }
    }

    /// Makes a commit visible, then durable in the ends log too, then answers.
    fn publish(&mut self, staged: Staged, batch: &mut Vec<Work>) {
        self.head = staged.head;
        self.latest_stored = staged.latest_stored;
        self.shared.latest.store(staged.latest, Ordering::Release);
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        if self.cutoffs().1 != staged.cutoffs_version {
            self.set_cutoffs(staged.cutoffs, staged.cutoffs_version);
        }
        self.shared.moves.store(self.moves.count(), Ordering::Release);
        // Before the ends log is synced: whoever verifies may hear of an end before it is answered.
        self.shared.tell_head(self.head);
        let logged = self.log(&staged.ends);
        let outcomes = staged.done.into_iter().zip(staged.logged);
        for (work, (done, is_logged)) in batch.drain(..).zip(outcomes) {
            let answer = if is_logged { logged.clone().map(|()| done) } else { Ok(done) };
            let _gone = work.reply.send(answer);
        }
        self.checkpointer.wrote(staged.rows);
    }

    /// Appends what this commit ended, and whatever an earlier failure left behind; while that fails,
    /// nobody may be told that a session has ended.
    fn log(&mut self, framed: &[u8]) -> Result<(), Fault> {
        let Some(ends) = &mut self.ends else {
            return match framed {
                [] => Ok(()),
                framed => EndsLog::append_beside(&self.path, framed),
            };
        };
        if framed.is_empty() && ends.is_settled() {
            return Ok(());
        }
        let logged = ends.append(framed);
        self.shared.ends_behind.store(logged.is_err(), Ordering::Release);
        logged
    }

    fn change(&mut self, change: &Change, staged: &mut Staged) -> rusqlite::Result<Done> {
        if !staged.holds(&change.seen) || self.moves.outdates(&change.seen) {
            return Ok(Done::default());
        }
        // One row is compared as it is set; several are compared before any is set.
        if 1 < change.sessions.len() && !self.all_hold(&change.sessions)? {
            return Ok(Done::default());
        }
        for write in &change.sessions {
            if !self.write(write)? {
                return Ok(Done::default());
            }
        }
        staged.rows += change.sessions.len() + change.events.len();
        self.write_subject(change)?;
        self.write_cutoffs(change, staged)?;
        self.write_events(change, staged)?;
        staged.latest = staged.latest.max(change.latest.as_millis());
        Ok(Done { applied: true, position: staged.head, ..Done::default() })
    }

    fn all_hold(&self, writes: &[SessionWrite]) -> rusqlite::Result<bool> {
        for write in writes {
            let (sid, expected) = match write {
                SessionWrite::Create { sid, .. } => (sid, None),
                SessionWrite::Update { sid, version, .. }
                | SessionWrite::Forget { sid, version } => (sid, Some(*version)),
            };
            let mut version =
                self.connection.prepare_cached("SELECT version FROM sessions WHERE sid = ?1")?;
            let found = version.query_row([sid.as_bytes()], |row| row.get(0)).optional()?;
            if found.map(i64::cast_unsigned) != expected {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn write(&self, write: &SessionWrite) -> rusqlite::Result<bool> {
        const UPDATE: &str =
            "UPDATE sessions SET version = ?2 + 1, row = ?3 WHERE sid = ?1 AND version = ?2";
        const END: &str = "UPDATE sessions SET version = ?2 + 1, ended = 1, row = ?3 \
             WHERE sid = ?1 AND version = ?2";
        const FORGET: &str = "DELETE FROM sessions WHERE sid = ?1 AND version = ?2";
        let changed = match write {
            SessionWrite::Create { sid, subject, row } => {
                self.create_session(*sid, subject.as_str(), row)?
            }
            SessionWrite::Update { sid, version, ended, row } => {
                // The usual update leaves the index of the living alone.
                let sql = if *ended { END } else { UPDATE };
                self.run_sql(sql, (sid.as_bytes(), version.cast_signed(), row))?
            }
            SessionWrite::Forget { sid, version } => {
                self.run_sql(FORGET, (sid.as_bytes(), version.cast_signed()))?
            }
        };
        Ok(changed == 1)
    }

    fn create_session(&self, sid: SessionId, subject: &str, row: &[u8]) -> rusqlite::Result<usize> {
        const CREATE: &str = "INSERT OR IGNORE INTO sessions (sid, version, subject, ended, row) \
             VALUES (?1, ?2, ?3, 0, ?4)";
        self.run_sql(CREATE, (sid.as_bytes(), FIRST_VERSION.cast_signed(), subject, row))
    }

    fn write_subject(&mut self, change: &Change) -> rusqlite::Result<()> {
        if let Some((subject, row)) = &change.subject {
            self.run_sql(PUT_SUBJECT, (subject.as_str(), row))?;
        }
        if let Some(subject) = change.seen.subject.filter(|_| change.moves) {
            self.moves.note(subject);
        }
        Ok(())
    }

    fn write_cutoffs(&self, change: &Change, staged: &mut Staged) -> rusqlite::Result<()> {
        let Some(cutoffs) = &change.cutoffs else { return Ok(()) };
        self.run_sql(PUT_SINGLE, ("cutoffs", codec::subject::encode_cutoffs(cutoffs)))?;
        if cutoffs.epoch != staged.cutoffs.epoch {
            let (epoch, position) = (cutoffs.epoch, staged.head);
            staged.ends.extend(frame(&Entry { epoch, position, lost: Lost::Epoch }));
        }
        let (epoch, position) = (cutoffs.epoch, staged.head);
        for lost in change::switched(&staged.cutoffs, cutoffs) {
            staged.ends.extend(frame(&Entry { epoch, position, lost }));
        }
        staged.cutoffs = Arc::clone(cutoffs);
        staged.cutoffs_version += 1;
        Ok(())
    }

    fn write_events(&self, change: &Change, staged: &mut Staged) -> rusqlite::Result<()> {
        let epoch = staged.cutoffs.epoch;
        for event in &change.events {
            staged.head += 1;
            let sealed = seal(event.body.clone(), &[&staged.head.to_le_bytes()]);
            put_event(&self.connection, (staged.head, event.keep_until), &sealed)?;
            staged.ends.extend(frame_event(epoch, staged.head, &sealed));
        }
        if let Some(lost) = change.ban_record() {
            staged.ends.extend(frame(&Entry { epoch, position: staged.head, lost }));
        }
        Ok(())
    }

    fn spend(&self, spend: &Spend, staged: &mut Staged) -> rusqlite::Result<Done> {
        const SPEND: &str =
            "INSERT OR REPLACE INTO spent (digest, until, value) VALUES (?1, ?2, ?3)";
        let earlier = read::spent(&self.connection, &spend.digest, spend.at);
        let earlier =
            earlier.map_err(|fault| rusqlite::Error::ToSqlConversionFailure(fault.into()))?;
        if earlier.is_none() {
            let until = spend.until.as_millis().min(i64::MAX.cast_unsigned());
            let value = seal(spend.value.clone(), &[&spend.digest, &until.to_le_bytes()]);
            self.run_sql(SPEND, (spend.digest, until.cast_signed(), value))?;
            staged.rows += 1;
        }
        let (applied, position) = (earlier.is_none(), staged.head);
        Ok(Done { applied, position, earlier, ..Done::default() })
    }

    fn import(&mut self, imports: &Imports, staged: &mut Staged) -> rusqlite::Result<Done> {
        let seen = &imports.seen;
        let moved = |row: &Arriving| self.moves.moved_since(row.hash, seen.moves);
        if !staged.holds(seen) || imports.rows.iter().any(moved) {
            return Ok(Done::default());
        }
        let mut created = Vec::with_capacity(imports.rows.len());
        for row in &imports.rows {
            created.push(self.arrive(row)?);
            staged.latest = staged.latest.max(row.at.as_millis());
        }
        for (row, _) in imports.rows.iter().zip(&created).filter(|(_, created)| **created) {
            self.moves.note(row.hash);
        }
        staged.rows += created.len();
        Ok(Done { applied: true, position: staged.head, created, ..Done::default() })
    }

    /// Writes one of another system's sessions; `false` if it is there.
    fn arrive(&self, row: &Arriving) -> rusqlite::Result<bool> {
        const KNOW: &str = "INSERT OR IGNORE INTO subjects (subject, row) VALUES (?1, ?2)";
        let created = self.create_session(row.sid, row.subject.as_str(), &row.row)? == 1;
        if let Some(known) = row.known.as_ref().filter(|_| created) {
            self.run_sql(KNOW, (row.subject.as_str(), known))?;
        }
        Ok(created)
    }

    fn know(&self, tokens: &[OldToken], staged: &mut Staged) -> rusqlite::Result<Done> {
        const KNOW: &str =
            "INSERT OR IGNORE INTO imported (digest, until, sid) VALUES (?1, ?2, ?3)";
        for OldToken { digest, sid, until } in tokens {
            // By whole days the index on it has few places that grow, each in the order of digests.
            let until = until.as_millis().div_ceil(DAY_MS).saturating_mul(DAY_MS);
            let until = i64::try_from(until).unwrap_or(i64::MAX);
            let sid = seal(sid.as_bytes().to_vec(), &[&digest.0, &until.to_le_bytes()]);
            self.run_sql(KNOW, (digest.0, until, sid))?;
        }
        staged.rows += tokens.len();
        Ok(Done { applied: true, position: staged.head, ..Done::default() })
    }

    fn put(&self, put: &Put, staged: &mut Staged) -> rusqlite::Result<Done> {
        const FIRST: &str = "INSERT OR IGNORE INTO records (version, kind, name, value) \
             VALUES (?1 + 1, ?2, ?3, ?4)";
        const NEXT: &str = "UPDATE records SET version = version + 1, value = ?4 \
             WHERE kind = ?2 AND name = ?3 AND version = ?1";
        let (before, kind) = (put.expected.unwrap_or(0), put.kind.code());
        let version = before.saturating_add(1);
        let value = codec::seal_record(kind, (&put.name, version), &put.value);
        let sql = if put.expected.is_some() { NEXT } else { FIRST };
        let changed = self.run_sql(sql, (before.cast_signed(), kind, &put.name, value))?;
        staged.rows += changed;
        let lost = Lost::of(put.kind, (&put.name, version), &put.value);
        if let Some(lost) = lost.filter(|_| changed == 1) {
            let (epoch, position) = (staged.cutoffs.epoch, staged.head);
            staged.ends.extend(frame(&Entry { epoch, position, lost }));
        }
        Ok(Done { applied: changed == 1, position: staged.head, ..Done::default() })
    }

    fn forget(&self, forget: &Forget, staged: &mut Staged) -> rusqlite::Result<Done> {
        const EVENTS: &str = "DELETE FROM events WHERE position < ?1";
        const SPENT: &str = "DELETE FROM spent WHERE digest IN \
             (SELECT digest FROM spent WHERE until <= ?1 ORDER BY until LIMIT ?2)";
        const IMPORTED: &str = "DELETE FROM imported WHERE digest IN \
             (SELECT digest FROM imported WHERE until <= ?1 ORDER BY until LIMIT ?2)";
        let first = self.first_event_to_keep(forget, staged.head)?;
        let events = self.run_sql(EVENTS, [first])?;
        let until = forget.now.as_millis().cast_signed();
        let spent = self.run_sql(SPENT, (until, forget.limit as i64))?;
        let imported = self.run_sql(IMPORTED, (until, forget.limit as i64))?;
        let forgotten = events + spent + imported;
        staged.rows += forgotten;
        Ok(Done { applied: true, forgotten, ..Done::default() })
    }

    /// Events leave from the oldest on, and never the newest: so a gap in the feed is always seen, and the
    /// digest of what is left can be computed. Where they
    /// are too many, as many are looked at as one look may cost.
    fn first_event_to_keep(&self, forget: &Forget, head: u64) -> rusqlite::Result<i64> {
        const OLDEST: &str = "SELECT position, keep_until FROM events ORDER BY position LIMIT ?1";
        let mut oldest = self.connection.prepare_cached(OLDEST)?;
        let mut rows = oldest.query([FORGOTTEN_MAX.max(forget.limit) as i64])?;
        let mut first = 0;
        while let Some(row) = rows.next()? {
            let (position, keep_until): (i64, i64) = (row.get(0)?, row.get(1)?);
            first = position;
            let (at, keep_until) = (position.cast_unsigned(), keep_until.cast_unsigned());
            let surplus = forget.keep.events_max <= head.saturating_sub(at);
            let needed_since = if surplus { forget.now } else { forget.keep.since };
            let newest = head < at.saturating_add(forget.keep.events_min.max(1));
            if needed_since.as_millis() <= keep_until || newest {
                break;
            }
        }
        Ok(first)
    }

    fn save_latest(&self, staged: &mut Staged) -> rusqlite::Result<()> {
        if staged.latest < staged.latest_stored.saturating_add(LATEST_STEP_MS) {
            return Ok(());
        }
        put_latest(&self.connection, Timestamp::from_millis(staged.latest))?;
        staged.latest_stored = staged.latest;
        Ok(())
    }

    fn run_sql(&self, sql: &str, parameters: impl Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(parameters)
    }
}

pub(super) const PUT_SUBJECT: &str =
    "INSERT OR REPLACE INTO subjects (subject, row) VALUES (?1, ?2)";
pub(super) const PUT_SINGLE: &str = "INSERT OR REPLACE INTO single (name, value) VALUES (?1, ?2)";

pub(super) fn put_event(
    connection: &Connection,
    (position, keep_until): (u64, Timestamp),
    sealed: &[u8],
) -> rusqlite::Result<()> {
    const PUT: &str = "INSERT INTO events (position, keep_until, body) VALUES (?1, ?2, ?3)";
    let keep_until = i64::try_from(keep_until.as_millis()).unwrap_or(i64::MAX);
    let mut put = connection.prepare_cached(PUT)?;
    put.execute((position.cast_signed(), keep_until, sealed)).map(|_| ())
}

fn put_latest(connection: &Connection, latest: Timestamp) -> rusqlite::Result<()> {
    let value = seal(latest.as_millis().to_le_bytes().to_vec(), &[b"latest"]);
    connection.prepare_cached(PUT_SINGLE)?.execute(("latest", value)).map(|_| ())
}

/// The epoch that a store is in.
pub(super) fn epoch(connection: &Connection) -> Result<StoreEpoch, Fault> {
    read::cutoffs(connection).map(|cutoffs| cutoffs.epoch)
}
