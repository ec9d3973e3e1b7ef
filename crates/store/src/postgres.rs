//! The store in PostgreSQL: many processes share it, each with a few connections over which what waits together
//! is compared and set by one statement, in one commit.
//!
//! A process has at most [`CONNECTIONS`]: two that read, two for the usual step, one each for every other
//! change, for what is spent once, for what is done seldom, and for following.

mod address;
mod ask;
mod copy;
mod doctor;
mod follow;
mod latest;
mod line;
mod load;
mod origin;
mod place;
mod plain;
mod read;
mod refuse;
mod rows;
mod schema;
mod seldom;
mod spend;
mod tls;
mod trouble;
mod whole;

pub use address::Address;
pub use doctor::{Finding, Level, doctor};

use crate::change::range;
use crate::copy::{self as copied, Part};
use crate::latency;
use crate::remote::{
    Arriving, Awaited, Change, Engine, Outcome, Remote, Shared, Spend, Stored, StoredSubject,
};
use crate::{Kind, OldToken, Record, Refusal, Retention, Rows};
use ask::Ask;
use latest::Latest;
use line::{ANSWER_BOUND, Line, Queue, Work, answered};
use load::{Load, Loaded, Loads};
use place::{OPEN_BOUND, Place};
use plain::Plains;
use read::Reading;
use rows::Saw;
use spend::{Spending, Spends};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use symbolon_core::{
    Cutoffs, Digest, Event, Fault, SessionId, Shard, Subject, SubjectState, Timestamp,
};
use tls::Wrapper;
use tokio::sync::{Mutex, watch};
use tokio_postgres::Row;
use trouble::Trouble;
use whole::Wholes;

/// The most connections that a process has. Inclusive.
pub const CONNECTIONS: usize = 8;

/// The oldest server that will do, as its number and as people say it.
const OLDEST: (i64, &str) = (140_000, "14");

/// The store in PostgreSQL. Clones share it; the last one that is dropped closes it.
#[derive(Clone)]
pub struct Postgres(pub(crate) Remote<Primary>);

impl Postgres {
    /// How many commits of the usual step were made since the store was opened; each served all who waited.
    pub fn commits(&self) -> u64 {
        self.0.engine().plain.commits.load(Ordering::Relaxed)
    }
}

/// The server that takes writes, and the ways to it.
pub(crate) struct Primary {
    shared: Arc<Shared>,
    latest: Arc<Latest>,
    loads: Queue<Load, Loaded>,
    plains: Queue<Change, Outcome>,
    plain: Arc<Plains>,
    wholes: Queue<Change, Outcome>,
    spends: Queue<Spending, Option<Vec<u8>>>,
    /// Many read on each at once.
    reads: [Arc<Line>; 2],
    turn: AtomicUsize,
    seldom: Mutex<Line>,
    /// How many acknowledged events are known to be lost.
    lost: Arc<AtomicU64>,
}

/// Opens, or creates, the store at an address.
pub(crate) async fn open(address: &Address) -> Result<Postgres, Refusal> {
    let shown = address.to_string();
    let tls = Wrapper::new(&address.tls).map_err(|what| Refusal::Setting {
        at: shown.clone(),
        what,
        instead:
            "name a file in PEM with the certificate of the authority that signed the server's"
                .into(),
    })?;
    let place = Arc::new(Place::new(address.clone(), tls));
    prepare(&place).await?;
    let unread = |trouble: Trouble| Refusal::NotAsWritten {
        at: shown.clone(),
        what: trouble.fault().to_string(),
    };
    let connection = place.ready(&[], None).await.map_err(unread)?;
    let asked = latency::now();
    let pulse = connection.ask(Ask::Pulse, [&0_i64]).await;
    let pulse = pulse.map_err(|error| refuse::error(&place, &error))?;
    let nothing = || refuse::damaged(&place, "it has no head".into());
    let row = pulse.first().ok_or_else(nothing)?;
    let (shared, latest) = shared(row, asked).map_err(unread)?;
    let lost = Arc::new(AtomicU64::new(rows::number(row, 5).map_err(unread)?));
    let shared = Arc::new(shared);
    place.opened(&shared);
    Ok(start(&place, &shared, &Arc::new(latest), lost))
}

/// Sees to it that the server will do and that the tables are there.
async fn prepare(place: &Arc<Place>) -> Result<(), Refusal> {
    let opening = tokio::time::timeout(OPEN_BOUND, place.bare(None)).await;
    let late = |_| Refusal::Unreachable {
        at: place.shown(),
        what: "it did not accept a connection in time".into(),
    };
    let connection = opening.map_err(late)?.map_err(|error| refuse::error(place, &error))?;
    let version = "SELECT current_setting('server_version_num')::bigint, \
         current_setting('server_version')";
    let version = connection.look(version).await.map_err(|error| refuse::error(place, &error))?;
    for row in &version {
        let number: Result<i64, _> = row.try_get(0);
        if number.is_ok_and(|number| number < OLDEST.0) {
            let found = row.try_get(1).unwrap_or_default();
            return Err(Refusal::TooOld { at: place.shown(), found, needed: OLDEST.1 });
        }
    }
    schema::migrate(place, &connection).await
}

fn shared(row: &Row, asked: std::time::Instant) -> Result<(Shared, Latest), Trouble> {
    let (head, latest) = (rows::number(row, 0)?, rows::number(row, 1)?);
    let latest = Timestamp::from_millis(latest);
    let cutoffs = rows::cutoffs(row, 2, &(Arc::new(Cutoffs::default()), 0))?;
    Ok((Shared::new(asked, cutoffs, (latest, head)), Latest::new(latest)))
}

/// What the usual step asks.
const STEP: [Ask; 2] = [Ask::UpdatePlain, Ask::SawLatest];

/// What a use asks.
const SPEND: [Ask; 2] = [Ask::Spend, Ask::Spent];

fn start(
    place: &Arc<Place>,
    shared: &Arc<Shared>,
    latest: &Arc<Latest>,
    lost: Arc<AtomicU64>,
) -> Postgres {
    let line = |often| Arc::new(Line::new(place, often));
    let reads = [line(&Ask::READS), line(&Ask::READS)];
    let loads = Arc::new(Loads { shared: Arc::clone(shared) });
    let plain = Arc::new(Plains { commits: AtomicU64::new(0), latest: Arc::clone(latest) });
    let whole = Arc::new(Wholes { latest: Arc::clone(latest) });
    let engine = Primary {
        shared: Arc::clone(shared),
        latest: Arc::clone(latest),
        loads: Queue::start(&loads, reads.iter().map(Arc::clone)),
        plains: Queue::start(&plain, [line(&STEP), line(&STEP)]),
        plain,
        wholes: Queue::start(&whole, [line(&Ask::WHOLE)]),
        spends: Queue::start(&Arc::new(Spends), [line(&SPEND)]),
        reads,
        turn: AtomicUsize::new(0),
        seldom: Mutex::new(Line::new(place, &[])),
        lost: Arc::clone(&lost),
    };
    let (open, closed) = watch::channel(());
    let (place, shared, latest) = (Arc::clone(place), Arc::clone(shared), Arc::clone(latest));
    let epoch = AtomicU32::new(shared.cutoffs().epoch.0);
    let follower = follow::Follower { place, shared: Arc::clone(&shared), latest, lost, epoch };
    tokio::spawn(follower.run(closed));
    Postgres(Remote::new(Arc::new(engine), shared, open))
}

impl Primary {
    async fn read<R: Send>(
        &self,
        ask: Ask,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
        of: impl Fn(&[Row]) -> Result<R, Trouble> + Send + Sync,
    ) -> Result<R, Fault> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.reads.len();
        self.reads[turn].until_done(&Reading { ask, parameters, of }).await
    }

    async fn seldom<W: Work>(&self, work: &W) -> Result<W::Answer, Fault> {
        let late = |_| Fault::Store("PostgreSQL did not answer in time".into());
        let turn = tokio::time::timeout(ANSWER_BOUND * 2, self.seldom.lock()).await;
        turn.map_err(late)?.until_done(work).await
    }

    fn hand(
        &self,
        change: Change,
    ) -> Result<tokio::sync::oneshot::Receiver<Result<Outcome, Fault>>, Fault> {
        let queue = if plain::is_plain(&change) { &self.plains } else { &self.wholes };
        queue.hand(change)
    }
}

impl Engine for Primary {
    async fn session(&self, sid: SessionId) -> Result<Option<Stored>, Fault> {
        match self.loads.ask(Load::Session(sid)).await? {
            Loaded::Session(stored) => Ok(stored.map(|stored| *stored)),
            Loaded::Head(_) => Ok(None),
        }
    }

    async fn of_subject(
        &self,
        subject: &Subject,
        shard: Shard,
        which: Rows,
    ) -> Result<StoredSubject, Fault> {
        let ask = match which {
            Rows::Alive => Ask::OfSubject,
            Rows::All => Ask::OfSubjectWhole,
        };
        let ((first, last), known) = (range(shard), self.shared.seen());
        let (first, last) = (&first.as_bytes()[..], &last.as_bytes()[..]);
        let (name, version) = (subject.as_str().as_bytes(), rows::int(known.1));
        let of = |rows: &[Row]| rows::of_subject(rows, subject, &known);
        let stored = self.read(ask, &[&name, &first, &last, &version], of).await?;
        self.shared.saw_cutoffs(&stored.cutoffs, stored.cutoffs_version);
        Ok(stored)
    }

    async fn cutoffs(&self) -> Result<(Arc<Cutoffs>, u64), Fault> {
        let nothing = (Arc::new(Cutoffs::default()), 0);
        let of = |rows: &[Row]| match rows.first() {
            Some(row) => rows::cutoffs(row, 0, &nothing),
            None => Err(Trouble::again("there are no cut-offs")),
        };
        let (cutoffs, version) = self.read(Ask::Cutoffs, &[], of).await?;
        self.shared.saw_cutoffs(&cutoffs, version);
        Ok((cutoffs, version))
    }

    async fn commit(&self, change: Change) -> Result<Outcome, Fault> {
        answered(self.hand(change)?).await
    }

    async fn head(&self, _: Option<Shard>) -> Result<u64, Fault> {
        match self.loads.ask(Load::Head).await? {
            Loaded::Head(head) => Ok(head),
            Loaded::Session(_) => Ok(0),
        }
    }

    async fn sessions(
        &self,
        after: &[u8],
        last: SessionId,
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let known = self.shared.seen();
        let (limit, version) = (rows::int(limit as u64), rows::int(known.1));
        let of = |rows: &[Row]| rows.iter().map(|row| rows::stored(row, &known)).collect();
        let last = &last.as_bytes()[..];
        self.read(Ask::Sessions, &[&after, &last, &limit, &version], of).await
    }

    async fn events_after(&self, position: u64, limit: usize) -> Result<Vec<(u64, Event)>, Fault> {
        let (position, limit) = (rows::int(position), rows::int(limit as u64));
        let of = |rows: &[Row]| rows.iter().map(rows::event).collect();
        self.read(Ask::EventsAfter, &[&position, &limit], of).await
    }

    async fn needed(
        &self,
        after: u64,
        count: u64,
        at: Timestamp,
    ) -> Result<Vec<(u64, Event)>, Fault> {
        let end = rows::int(after.saturating_add(count));
        let (after, at) = (rows::int(after), rows::int(at.as_millis()));
        let of = |rows: &[Row]| rows.iter().map(rows::event).collect();
        self.read(Ask::Needed, &[&after, &end, &at], of).await
    }

    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire)
    }

    async fn commit_each(&self, changes: Vec<Change>) -> Result<Vec<bool>, Fault> {
        let waiting: Vec<_> =
            changes.into_iter().map(|change| self.hand(change)).collect::<Result<_, _>>()?;
        let mut made = Vec::with_capacity(waiting.len());
        for answer in waiting {
            made.push(matches!(answered(answer).await?, Outcome::Committed(_)));
        }
        Ok(made)
    }

    async fn forget(&self, keep: Retention, now: Timestamp, limit: usize) -> Result<usize, Fault> {
        self.seldom(&seldom::Forget { keep, now, limit }).await
    }

    async fn spend(&self, spend: Spend<'_>) -> Result<Option<Vec<u8>>, Fault> {
        let Spend { digest, value, until, at } = spend;
        self.spends.ask(Spending { digest, value: value.to_vec(), until, at }).await
    }

    async fn record(&self, kind: Kind, name: &str) -> Result<Option<Record>, Fault> {
        let of = |rows: &[Row]| rows.first().map(|row| rows::record(row, kind)).transpose();
        self.read(Ask::Record, &[&i16::from(kind.code()), &name.as_bytes()], of).await
    }

    async fn records(&self, kind: Kind) -> Result<Vec<Record>, Fault> {
        let of = |rows: &[Row]| rows.iter().map(|row| rows::record(row, kind)).collect();
        self.read(Ask::Records, &[&i16::from(kind.code())], of).await
    }

    async fn put_record(
        &self,
        kind: Kind,
        name: &str,
        value: &[u8],
        expected: Option<u64>,
    ) -> Result<bool, Fault> {
        self.seldom(&seldom::Put { kind, name, value, expected }).await
    }

    async fn awaited(&self, of: &[(Subject, Shard, Digest)]) -> Result<Awaited, Fault> {
        let digests: Vec<&[u8]> = of.iter().map(|(_, _, digest)| &digest.0[..]).collect();
        let digest = |row: &Row| rows::column::<Vec<u8>>(row, 0);
        let known = |rows: &[Row]| rows.iter().map(digest).collect::<Result<HashSet<_>, _>>();
        let there = self.read(Ask::AreImported, &[&digests], known).await?;
        let names: Vec<&[u8]> = of.iter().map(|(name, _, _)| name.as_str().as_bytes()).collect();
        let (cutoffs, cutoffs_version, states) =
            self.read(Ask::Subjects, &[&names], states).await?;
        let each = |(name, _, digest): &(Subject, Shard, Digest)| {
            let unknown = || (SubjectState::unknown(name.clone()), Saw::Moves(0).pack());
            let (state, moves) = states.get(name).cloned().unwrap_or_else(unknown);
            (state, moves, there.contains(&digest.0[..]))
        };
        Ok(Awaited { of_each: of.iter().map(each).collect(), cutoffs, cutoffs_version })
    }

    async fn arrive(
        &self,
        cutoffs_version: u64,
        rows: Vec<Arriving>,
    ) -> Result<Option<Vec<bool>>, Fault> {
        let latest = &self.latest;
        self.seldom(&seldom::Arrive { cutoffs_version, rows: &rows, latest }).await
    }

    async fn listed(&self, part: Part, after: Option<&[u8]>) -> Result<copied::Rows, Fault> {
        self.listed_after(part, after.unwrap_or_default()).await
    }

    async fn know(&self, tokens: &[OldToken]) -> Result<(), Fault> {
        self.seldom(&seldom::Know(tokens)).await
    }

    async fn imported(&self, digest: &Digest) -> Result<Option<SessionId>, Fault> {
        let of = |found: &[Row]| found.first().map(|row| rows::imported(row, digest)).transpose();
        self.read(Ask::Imported, &[&&digest.0[..]], of).await
    }
}

/// What is known of subjects, each with its moves.
type States = HashMap<Subject, (SubjectState, u64)>;

/// The cut-offs, and the states and moves of those subjects that have a row.
fn states(found: &[Row]) -> Result<(Arc<Cutoffs>, u64, States), Trouble> {
    let first = found.first().ok_or_else(|| Trouble::again("there are no cut-offs"))?;
    let (cutoffs, version) = rows::cutoffs(first, 0, &(Arc::new(Cutoffs::default()), 0))?;
    let mut states = States::new();
    for row in found {
        let any: Option<&[u8]> = rows::column(row, 2)?;
        if any.is_some() {
            let subject = rows::subject(row, 2)?;
            let moves = Saw::Moves(rows::column(row, 3)?).pack();
            let state = rows::state(&subject, rows::column(row, 4)?)?;
            states.insert(subject, (state, moves));
        }
    }
    Ok((cutoffs, version, states))
}
