//! Every other change: sign-ins, ends with their events, subjects, cut-offs. The rows are locked and compared
//! first, then all that holds is written by a few statements, the events last.
//!
//! Everybody locks in one order (cut-offs, subjects, sessions, latest, head; rows by name), so that nobody
//! waits for one who waits for them.

use super::ask::Ask;
use super::latest::Latest;
use super::line::Batch;
use super::place::Connection;
use super::rows::{self, Saw};
use super::trouble::Trouble;
use crate::change::SessionWrite;
use crate::codec;
use crate::remote::{Change, Outcome};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use symbolon_core::SessionId;

/// Changes of any kind.
pub(super) struct Wholes {
    pub(super) latest: Arc<Latest>,
}

/// What was found when it was locked.
#[derive(Default)]
struct Found {
    cutoffs: u64,
    /// Moves and fence.
    subjects: BTreeMap<Vec<u8>, (i64, i64)>,
    /// Version and fence.
    sessions: BTreeMap<SessionId, (u64, i64)>,
    /// Numbers that were never used.
    numbers: Vec<i64>,
}

/// What is to be locked.
#[derive(Default)]
struct Wanted<'a> {
    /// Those that change, and so must have a row.
    moving: BTreeSet<&'a [u8]>,
    subjects: BTreeSet<&'a [u8]>,
    sids: BTreeSet<&'a [u8]>,
    /// Those whose living sessions learn of their new state.
    restated: BTreeSet<&'a [u8]>,
}

impl Batch for Wholes {
    type Asked = Change;
    type Answer = Outcome;

    const MAX: usize = 512;

    async fn run(
        &self,
        connection: &Connection,
        asked: &[Change],
    ) -> Result<Vec<Outcome>, Trouble> {
        let wanted = Wanted::of(asked);
        let above = asked.iter().any(|change| change.cutoffs.is_some());
        let mut found = match lock(connection, &wanted, above).await {
            Ok(found) => found,
            Err(trouble) => {
                connection.roll_back().await;
                return Err(trouble);
            }
        };
        let mut writes = Writes { head: connection.place().channel(), ..Writes::default() };
        let mut claimed = Claimed::default();
        let holds: Vec<bool> = asked
            .iter()
            .map(|change| {
                let holds = claimed.free(change) && found.holds(change);
                if holds {
                    claimed.take(change);
                    writes.take(change, &mut found);
                }
                holds
            })
            .collect();
        let position = self.write(connection, &writes, self.latest.of(asked)).await?;
        let outcome =
            |holds| if holds { Outcome::Committed(position) } else { Outcome::Raced(None) };
        Ok(holds.into_iter().map(outcome).collect())
    }
}

impl<'a> Wanted<'a> {
    fn of(asked: &'a [Change]) -> Self {
        let mut wanted = Self::default();
        for change in asked {
            for write in &change.sessions {
                wanted.sids.insert(&sid_of(write).as_bytes()[..]);
            }
            let Some(about) = &change.seen.about else { continue };
            let subject = about.subject.as_str().as_bytes();
            if change.moves {
                wanted.moving.insert(subject);
            }
            if change.subject.is_some() {
                wanted.restated.insert(subject);
            }
            if change.moves || forgets(change) || matches!(Saw::unpack(about.moves), Saw::Moves(_))
            {
                wanted.subjects.insert(subject);
            }
        }
        wanted
    }
}

fn sid_of(write: &SessionWrite) -> &SessionId {
    match write {
        SessionWrite::Create { sid, .. }
        | SessionWrite::Update { sid, .. }
        | SessionWrite::Forget { sid, .. } => sid,
    }
}

fn forgets(change: &Change) -> bool {
    change.sessions.iter().any(|write| matches!(write, SessionWrite::Forget { .. }))
}

/// Locks what is to be compared, in the order of all, and says what it is.
async fn lock(connection: &Connection, wanted: &Wanted<'_>, above: bool) -> Result<Found, Trouble> {
    let list = |of: &BTreeSet<&[u8]>| of.iter().map(|one| one.to_vec()).collect::<Vec<_>>();
    let [moving, subjects] = [list(&wanted.moving), list(&wanted.subjects)];
    let [sids, restated] = [list(&wanted.sids), list(&wanted.restated)];
    let count = moving.len() as i64;
    let (begun, placed, subjects, sessions, numbers, cutoffs) = tokio::join!(
        biased;
        connection.begin(above),
        connection.ask_if(count != 0, Ask::Place, [&moving]),
        connection.ask_if(!subjects.is_empty(), Ask::LockSubjects, [&subjects]),
        connection.ask_if(!sids.is_empty() || !restated.is_empty(), Ask::LockSessions, [&sids, &restated]),
        connection.ask_if(count != 0, Ask::Numbers, [&count]),
        connection.ask(Ask::Version, []),
    );
    begun?;
    placed?;
    let mut found = Found::default();
    for row in &subjects? {
        let subject: Vec<u8> = rows::column(row, 0)?;
        found.subjects.insert(subject, (rows::column(row, 1)?, rows::column(row, 2)?));
    }
    for row in &sessions? {
        found.sessions.insert(rows::sid(row, 0)?, (rows::number(row, 1)?, rows::column(row, 2)?));
    }
    for row in &numbers? {
        found.numbers.push(rows::column(row, 0)?);
    }
    for row in &cutoffs? {
        found.cutoffs = rows::number(row, 0)?;
    }
    Ok(found)
}

impl Found {
    /// Whether all that a change was decided on is still so.
    fn holds(&self, change: &Change) -> bool {
        if change.seen.cutoffs_version != self.cutoffs {
            return false;
        }
        let fence = match change.seen.about.as_ref() {
            None => None,
            Some(about) => match Saw::unpack(about.moves) {
                Saw::Moves(moves) => {
                    let now = self.subjects.get(about.subject.as_str().as_bytes());
                    if now.map_or(0, |now| now.0) != moves {
                        return false;
                    }
                    None
                }
                Saw::Fence(fence) => Some(fence),
            },
        };
        change.sessions.iter().all(|write| {
            let now = self.sessions.get(sid_of(write));
            match write {
                SessionWrite::Create { .. } => now.is_none(),
                SessionWrite::Update { version, .. } | SessionWrite::Forget { version, .. } => now
                    .is_some_and(|now| {
                        now.0 == *version && fence.is_none_or(|fence| fence == now.1)
                    }),
            }
        })
    }
}

/// What those that hold already write: whoever comes later in the batch has lost.
#[derive(Default)]
struct Claimed<'a> {
    sids: HashSet<SessionId>,
    subjects: HashSet<&'a str>,
    above: bool,
}

impl<'a> Claimed<'a> {
    fn free(&self, change: &Change) -> bool {
        let subject = change.seen.about.as_ref().map(|about| about.subject.as_str());
        !self.above
            && !subject.is_some_and(|subject| self.subjects.contains(subject))
            && !change.sessions.iter().any(|write| self.sids.contains(sid_of(write)))
    }

    fn take(&mut self, change: &'a Change) {
        self.sids.extend(change.sessions.iter().map(|write| *sid_of(write)));
        let subject = change.seen.about.as_ref().filter(|_| change.moves);
        self.subjects.extend(subject.map(|about| about.subject.as_str()));
        self.above = change.cutoffs.is_some();
    }
}

/// All that is written, as the statements take it.
#[derive(Default)]
struct Writes<'a> {
    head: String,
    forgotten: Vec<&'a [u8]>,
    vacated: Vec<&'a [u8]>,
    updates: (Vec<&'a [u8]>, Vec<bool>, Vec<&'a [u8]>),
    creates: Creates<'a>,
    subjects: Moved<'a>,
    fences: (Vec<&'a [u8]>, Vec<i64>),
    cutoffs: Option<(i64, Vec<u8>)>,
    events: (Vec<i64>, Vec<Vec<u8>>),
}

/// New sessions, by column.
#[derive(Default)]
struct Creates<'a> {
    sids: Vec<&'a [u8]>,
    fences: Vec<i64>,
    subjects: Vec<&'a [u8]>,
    bodies: Vec<&'a [u8]>,
}

/// Subjects that moved, by column; without a body the state stays.
#[derive(Default)]
struct Moved<'a> {
    names: Vec<&'a [u8]>,
    moves: Vec<i64>,
    fences: Vec<i64>,
    bodies: Vec<Option<&'a [u8]>>,
}

impl<'a> Writes<'a> {
    fn take(&mut self, change: &'a Change, found: &mut Found) {
        let subject = change.seen.about.as_ref().map(|about| about.subject.as_str().as_bytes());
        let mut fence =
            subject.and_then(|subject| found.subjects.get(subject)).map_or(0, |now| now.1);
        if let (Some(subject), true) = (subject, change.moves) {
            // As many were drawn as subjects move, and each moves once in a batch.
            let number = found.numbers.pop().unwrap_or(fence);
            let body = change.subject.as_ref().map(|(_, body)| &body[..]);
            if body.is_some() {
                fence = number;
                self.fences.0.push(subject);
                self.fences.1.push(fence);
            }
            self.subjects.names.push(subject);
            self.subjects.moves.push(number);
            self.subjects.fences.push(fence);
            self.subjects.bodies.push(body);
        }
        for write in &change.sessions {
            match write {
                SessionWrite::Create { sid, subject, row } => {
                    let home = change.seen.about.as_ref().map(|about| about.shard);
                    debug_assert_eq!(home, Some(sid.shard()), "nobody would find it elsewhere");
                    self.creates.sids.push(sid.as_bytes());
                    self.creates.fences.push(fence);
                    self.creates.subjects.push(subject.as_str().as_bytes());
                    self.creates.bodies.push(row);
                }
                SessionWrite::Update { sid, ended, row, .. } => {
                    self.updates.0.push(sid.as_bytes());
                    self.updates.1.push(*ended);
                    self.updates.2.push(row);
                }
                SessionWrite::Forget { sid, .. } => {
                    self.forgotten.push(sid.as_bytes());
                    self.vacated.extend(subject);
                }
            }
        }
        if let Some(cutoffs) = &change.cutoffs {
            found.cutoffs += 1;
            let value = codec::subject::encode_cutoffs(cutoffs);
            self.cutoffs = Some((rows::int(found.cutoffs), value));
        }
        for event in &change.events {
            self.events.0.push(rows::int(event.keep_until.as_millis()));
            self.events.1.push(event.sealed());
        }
    }
}

impl Wholes {
    /// Writes and commits; the head of the feed after it, or one that covers all that was seen.
    async fn write(
        &self,
        connection: &Connection,
        writes: &Writes<'_>,
        latest: Option<i64>,
    ) -> Result<u64, Trouble> {
        let Writes { head, forgotten, vacated, updates, creates, .. } = writes;
        let Writes { subjects, fences, cutoffs, events, .. } = writes;
        let (version, value) =
            cutoffs.as_ref().map_or((0, &[][..]), |(at, value)| (*at, &value[..]));
        let publishes = !events.0.is_empty();
        let wakes = cutoffs.is_some() && !publishes;
        let instant = latest.unwrap_or(0);
        let done = tokio::join!(
            biased;
            connection.ask_if(!forgotten.is_empty(), Ask::Delete, [forgotten]),
            connection.ask_if(!updates.0.is_empty(), Ask::Update, [&updates.0, &updates.1, &updates.2]),
            connection.ask_if(
                !creates.sids.is_empty(),
                Ask::Create,
                [&creates.sids, &creates.fences, &creates.subjects, &creates.bodies],
            ),
            connection.ask_if(
                !subjects.names.is_empty(),
                Ask::MoveSubjects,
                [&subjects.names, &subjects.moves, &subjects.fences, &subjects.bodies],
            ),
            connection.ask_if(!fences.0.is_empty(), Ask::Fence, [&fences.0, &fences.1]),
            connection.ask_if(!vacated.is_empty(), Ask::Vacate, [vacated]),
            connection.ask_if(cutoffs.is_some(), Ask::SetCutoffs, [&version, &value]),
            connection.ask_if(latest.is_some(), Ask::SawLatest, [&instant]),
            connection.ask_if(publishes || wakes, Ask::Publish, [&events.0, &events.1, head]),
            connection.ask_if(!publishes, Ask::Head, []),
            connection.run("COMMIT"),
        );
        let (a, b, c, d, e, f, g, h, published, head, committed) = done;
        for answer in [a, b, c, d, e, f, g, h] {
            answer.map_err(|error| Trouble::before_commit(&error))?;
        }
        let published = published.map_err(|error| Trouble::before_commit(&error))?;
        let head = head.map_err(|error| Trouble::before_commit(&error))?;
        committed.map_err(|error| Trouble::of_commit(&error))?;
        self.latest.wrote(latest);
        let row = published.first().or(head.first());
        row.map(|row| rows::number(row, 0)).transpose().map(Option::unwrap_or_default)
    }
}
