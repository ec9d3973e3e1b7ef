//! What is done seldom, one at a time: imports, the broom, records.

use super::ask::Ask;
use super::latest::Latest;
use super::line::Work;
use super::place::Connection;
use super::rows::{self, Saw};
use super::trouble::Trouble;
use crate::codec::{seal, seal_record};
use crate::remote::Arriving;
use crate::{Kind, OldToken, Retention};
use std::collections::{BTreeMap, HashSet};
use symbolon_core::{SessionId, Timestamp};
use tokio_postgres::types::ToSql;

/// How many events may leave at once. Inclusive: more a second than sessions can end.
const FORGOTTEN_MAX: i64 = 32_768;

/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A number for each subject.
type Numbers = BTreeMap<Vec<u8>, i64>;

/// Sessions of another system come in.
pub(super) struct Arrive<'a> {
    pub(super) cutoffs_version: u64,
    pub(super) rows: &'a [Arriving],
    pub(super) latest: &'a Latest,
}

impl Work for Arrive<'_> {
    /// Which were new; `None`: another came first.
    type Answer = Option<Vec<bool>>;

    async fn run(&self, connection: &Connection) -> Result<Option<Vec<bool>>, Trouble> {
        let arrived = self.arrive(connection).await;
        if !matches!(arrived, Ok(Some(_))) {
            connection.roll_back().await;
        }
        arrived
    }
}

impl Arrive<'_> {
    async fn arrive(&self, connection: &Connection) -> Result<Option<Vec<bool>>, Trouble> {
        let Some((fences, numbers)) = self.lock(connection).await? else { return Ok(None) };
        let known = self.known();
        let fence_of = |subject: &[u8]| match (known.contains_key(subject), numbers.get(subject)) {
            (true, Some(number)) => *number,
            (true | false, _) => fences.get(subject).copied().unwrap_or(0),
        };
        let subject_of = |row: &Arriving| row.about.subject.as_str().as_bytes().to_vec();
        let sids: Vec<&[u8]> = self.rows.iter().map(|row| &row.sid.as_bytes()[..]).collect();
        let subjects: Vec<_> = self.rows.iter().map(subject_of).collect();
        let row_fences: Vec<i64> = subjects.iter().map(|subject| fence_of(subject)).collect();
        let bodies: Vec<&[u8]> = self.rows.iter().map(|row| &row.row[..]).collect();
        let created = connection.ask(Ask::Arrive, [&sids, &row_fences, &subjects, &bodies]).await?;
        let mut created: HashSet<SessionId> =
            created.iter().map(|row| rows::sid(row, 0)).collect::<Result<_, _>>()?;
        // The first of a name is the one that came.
        let created: Vec<bool> = self.rows.iter().map(|row| created.remove(&row.sid)).collect();
        let came = self.rows.iter().zip(&created).filter(|(_, created)| **created);
        let moved: Numbers = came
            .map(|(row, _)| subject_of(row))
            .map(|name| (name.clone(), fence_of(&name)))
            .collect();
        self.commit(connection, &moved, &numbers).await?;
        Ok(Some(created))
    }

    /// The states that come along, each of the first of its subject that has one.
    fn known(&self) -> BTreeMap<&[u8], &[u8]> {
        let mut known = BTreeMap::new();
        for row in self.rows {
            if let Some(body) = &row.known {
                known.entry(row.about.subject.as_str().as_bytes()).or_insert(&body[..]);
            }
        }
        known
    }

    /// Locks the subjects, and says their fences and a new number for each; `None`: something moved.
    async fn lock(&self, connection: &Connection) -> Result<Option<(Numbers, Numbers)>, Trouble> {
        let saw: BTreeMap<&[u8], u64> = self
            .rows
            .iter()
            .map(|row| (row.about.subject.as_str().as_bytes(), row.about.moves))
            .collect();
        let names: Vec<&[u8]> = saw.keys().copied().collect();
        let count = names.len() as i64;
        let (begun, placed, locked, numbers, version) = tokio::join!(
            biased;
            connection.begin(false),
            connection.ask(Ask::Place, [&names]),
            connection.ask(Ask::LockSubjects, [&names]),
            connection.ask(Ask::Numbers, [&count]),
            connection.ask(Ask::Version, []),
        );
        begun?;
        placed?;
        let version = version?.first().map(|row| rows::number(row, 0)).transpose()?;
        let (mut fences, mut fresh) = (BTreeMap::new(), BTreeMap::new());
        for (row, number) in locked?.iter().zip(&numbers?) {
            let subject: Vec<u8> = rows::column(row, 0)?;
            let moves = Saw::Moves(rows::column(row, 1)?).pack();
            if saw.get(&subject[..]) != Some(&moves) {
                return Ok(None);
            }
            fresh.insert(subject.clone(), rows::column(number, 0)?);
            fences.insert(subject, rows::column(row, 2)?);
        }
        Ok((version == Some(self.cutoffs_version)).then_some((fences, fresh)))
    }

    /// Writes the subjects whose sessions came.
    async fn commit(
        &self,
        connection: &Connection,
        moved: &Numbers,
        numbers: &Numbers,
    ) -> Result<(), Trouble> {
        let known = self.known();
        let names: Vec<&[u8]> = moved.keys().map(|name| &name[..]).collect();
        let number = |name: &&[u8]| numbers.get(*name).copied().unwrap_or(0);
        let moves: Vec<i64> = names.iter().map(number).collect();
        let fences: Vec<i64> = moved.values().copied().collect();
        let bodies: Vec<Option<&[u8]>> =
            names.iter().map(|name| known.get(name).copied()).collect();
        let restated: Vec<&[u8]> =
            names.iter().copied().filter(|name| known.contains_key(name)).collect();
        let restated_fences: Vec<i64> = restated.iter().map(number).collect();
        let all: Vec<&[u8]> =
            self.rows.iter().map(|row| row.about.subject.as_str().as_bytes()).collect();
        let latest = self.rows.iter().map(|row| row.at).max().and_then(|at| self.latest.ahead(at));
        let instant = latest.unwrap_or(0);
        let done = tokio::join!(
            biased;
            connection.ask(Ask::MoveSubjects, [&names, &moves, &fences, &bodies]),
            connection.ask_if(!restated.is_empty(), Ask::Fence, [&restated, &restated_fences]),
            connection.ask(Ask::Vacate, [&all]),
            connection.ask_if(latest.is_some(), Ask::SawLatest, [&instant]),
            connection.run("COMMIT"),
        );
        for answer in [done.0, done.1, done.2, done.3] {
            answer.map_err(|error| Trouble::before_commit(&error))?;
        }
        done.4.map_err(|error| Trouble::of_commit(&error))?;
        self.latest.wrote(latest);
        Ok(())
    }
}

/// Old tokens become known.
pub(super) struct Know<'a>(pub(super) &'a [OldToken]);

impl Work for Know<'_> {
    type Answer = ();

    async fn run(&self, connection: &Connection) -> Result<(), Trouble> {
        // By whole days the index on it has few places that grow, each in the order of digests.
        let until = |token: &OldToken| {
            rows::int(token.until.as_millis().div_ceil(DAY_MS).saturating_mul(DAY_MS))
        };
        let sealed = |token: &OldToken| {
            let until = until(token).to_le_bytes();
            seal(token.sid.as_bytes().to_vec(), &[&token.digest.0, &until])
        };
        let digests: Vec<&[u8]> = self.0.iter().map(|token| &token.digest.0[..]).collect();
        let untils: Vec<i64> = self.0.iter().map(until).collect();
        let sids: Vec<Vec<u8>> = self.0.iter().map(sealed).collect();
        in_commit(connection, Ask::Know, [&digests, &untils, &sids]).await.map(|_| ())
    }
}

/// One statement in a commit of its own.
async fn in_commit<const N: usize>(
    connection: &Connection,
    ask: Ask,
    parameters: [&(dyn ToSql + Sync); N],
) -> Result<Vec<tokio_postgres::Row>, Trouble> {
    let (begun, answer, committed) = tokio::join!(
        biased;
        connection.begin(false),
        connection.ask(ask, parameters),
        connection.run("COMMIT"),
    );
    begun.map_err(|error| Trouble::before_commit(&error))?;
    let answer = answer.map_err(|error| Trouble::before_commit(&error))?;
    committed.map_err(|error| Trouble::of_commit(&error))?;
    Ok(answer)
}

/// What nobody needs leaves.
pub(super) struct Forget {
    pub(super) keep: Retention,
    pub(super) now: Timestamp,
    pub(super) limit: usize,
}

impl Work for Forget {
    /// How many rows left.
    type Answer = usize;

    async fn run(&self, connection: &Connection) -> Result<usize, Trouble> {
        let head = connection.ask(Ask::Head, []).await?;
        let head = head.first().map(|row| rows::number(row, 0)).transpose()?.unwrap_or(0);
        let (since, now) =
            (rows::int(self.keep.since.as_millis()), rows::int(self.now.as_millis()));
        let limit = i64::try_from(self.limit).unwrap_or(FORGOTTEN_MAX);
        // Never the newest: so a gap in the feed is always seen.
        let surplus = head.checked_sub(self.keep.events_max).map_or(-1, rows::int);
        let newest = rows::int(head.saturating_sub(self.keep.events_min.max(1))).saturating_add(1);
        let looked_at = FORGOTTEN_MAX.max(limit);
        let events =
            in_commit(connection, Ask::ForgetEvents, [&looked_at, &since, &now, &surplus, &newest]);
        let mut forgotten = events.await?.len();
        for ask in [Ask::ForgetSpent, Ask::ForgetImported] {
            forgotten += in_commit(connection, ask, [&now, &limit]).await?.len();
        }
        Ok(forgotten)
    }
}

/// A record is compared and set.
pub(super) struct Put<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) value: &'a [u8],
    pub(super) expected: Option<u64>,
}

impl Work for Put<'_> {
    type Answer = bool;

    async fn run(&self, connection: &Connection) -> Result<bool, Trouble> {
        let before = self.expected.unwrap_or(0);
        let version = before.saturating_add(1);
        let value = seal_record(self.kind.code(), (self.name, version), self.value);
        let (kind, name, before) =
            (i16::from(self.kind.code()), self.name.as_bytes(), rows::int(before));
        let ask = if self.expected.is_some() { Ask::PutNext } else { Ask::PutFirst };
        let put = in_commit(connection, ask, [&kind, &name, &before, &value]).await?;
        Ok(!put.is_empty())
    }
}
