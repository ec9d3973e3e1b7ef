//! Copying: rows out of the engine, and into it.

use super::{About, Change, Engine, Outcome, Remote, Seen, Spend};
use crate::EVENTS_MAX;
use crate::copy::{COPY_MAX, Copying, EventsThere, Part, Row, Rows, Sorted, Spent, TRIES_MAX};
use std::collections::BTreeMap;
use symbolon_core::{Digest, Event, Fault, Session, SessionId, Shard, Subject, SubjectState};

/// The last name that a session can have.
const LAST: SessionId = SessionId::from_bytes([0xFF; 16]);

/// What changes concern: each subject as it was found.
struct Found {
    seen: Seen,
    of_each: Vec<(About, SubjectState)>,
}

impl<E: Engine> Remote<E> {
    pub(crate) async fn copy_out(&self, part: Part, after: Option<&[u8]>) -> Result<Rows, Fault> {
        let from = after.unwrap_or_default();
        let (rows, at) = match part {
            Part::Subjects | Part::Spent | Part::OldTokens => {
                return self.engine().listed(part, after).await;
            }
            Part::Sessions => {
                let rows = self.engine().sessions(from, LAST, COPY_MAX).await?;
                let at = rows.last().map(|stored| stored.session.sid.as_bytes().to_vec());
                let row = |stored: super::Stored| Row::Session(Box::new(stored.session));
                (rows.into_iter().map(row).collect::<Vec<_>>(), at)
            }
            Part::Events => {
                let from = from.try_into().map(u64::from_be_bytes).unwrap_or_default();
                let rows = self.events_after(from, COPY_MAX).await?;
                let at = rows.last().map(|(at, _)| at.to_be_bytes().to_vec());
                let rows = rows.into_iter().map(|(_, event)| Row::Event(Box::new(event))).collect();
                // A short answer is not the last one: it ends where an engine left positions out.
                return Ok(Rows { rows, next: at });
            }
        };
        let next = at.filter(|_| rows.len() == COPY_MAX);
        Ok(Rows { rows, next })
    }

    pub(crate) async fn events_there(&self) -> Result<EventsThere, Fault> {
        let (mut there, mut at) = (EventsThere::default(), 0);
        loop {
            let events = self.events_after(at, EVENTS_MAX).await?;
            let Some((last, _)) = events.last() else { return Ok(there) };
            at = *last;
            events.iter().for_each(|(_, event)| there.note(event));
        }
    }

    pub(crate) async fn copy_in(&self, rows: &[Row], copying: &Copying<'_>) -> Result<(), Fault> {
        let sorted = Sorted::new(rows, copying)?;
        self.copy_subjects(sorted.subjects, copying).await?;
        self.copy_sessions(&sorted.sessions).await?;
        self.copy_events(&sorted.events).await?;
        for Spent { digest, value, until } in sorted.spent {
            let (digest, until, at) = (*digest, *until, copying.at);
            self.engine().spend(Spend { digest, value, until, at }).await?;
        }
        match sorted.tokens.is_empty() {
            true => Ok(()),
            false => self.engine().know(&sorted.tokens).await,
        }
    }

    async fn copy_subjects(
        &self,
        mut states: Vec<&SubjectState>,
        copying: &Copying<'_>,
    ) -> Result<(), Fault> {
        for _ in 0..TRIES_MAX {
            let of = states
                .iter()
                .map(|state| (state.subject.clone(), (copying.shard_of)(&state.subject)));
            let found = self.found(of.collect()).await?;
            let mut changes = Vec::new();
            let mut left = Vec::new();
            for (state, (about, there)) in states.into_iter().zip(found.of_each) {
                if there != *state {
                    let seen = Seen { about: Some(about), ..found.seen.clone() };
                    let mut change = Change::new(seen);
                    change.replace_subject(&there, state);
                    changes.push(change);
                    left.push(state);
                }
            }
            let Some(failed) = self.written(changes).await? else { return Ok(()) };
            states = failed.into_iter().map(|at| left[at]).collect();
        }
        Err(Fault::Contention)
    }

    async fn copy_sessions(&self, sessions: &[&Session]) -> Result<(), Fault> {
        let mut to_end = Vec::new();
        let mut left: Vec<&Session> = sessions.to_vec();
        for _ in 0..TRIES_MAX {
            let lost = self.write_sessions(&left, Change::copy).await?;
            to_end.extend(left.iter().filter(|one| !lost.iter().any(|lost| lost.sid == one.sid)));
            left = self.not_there(&lost, &mut to_end).await?;
            if left.is_empty() {
                break;
            }
        }
        to_end.retain(|session| session.end.is_some());
        for _ in 0..TRIES_MAX {
            if to_end.is_empty() && left.is_empty() {
                return Ok(());
            }
            to_end = self.write_sessions(&to_end, Change::end_copied).await?;
        }
        Err(Fault::Contention)
    }

    /// Of those that were not written, those that are not there; one that is there from an earlier try, and was
    /// not written as ended yet, is to be.
    async fn not_there<'a>(
        &self,
        lost: &[&'a Session],
        to_end: &mut Vec<&'a Session>,
    ) -> Result<Vec<&'a Session>, Fault> {
        let mut missing = Vec::new();
        for session in lost {
            match self.engine().session(session.sid).await? {
                None => missing.push(*session),
                Some(stored) if stored.version == crate::change::FIRST_VERSION => {
                    to_end.push(session);
                }
                Some(_) => {}
            }
        }
        Ok(missing)
    }

    /// Writes them, those of one subject together; answers which were not.
    async fn write_sessions<'a>(
        &self,
        sessions: &[&'a Session],
        write: impl Fn(&mut Change, &Session),
    ) -> Result<Vec<&'a Session>, Fault> {
        let mut of: BTreeMap<(&Subject, Shard), Vec<&'a Session>> = BTreeMap::new();
        for session in sessions {
            of.entry((&session.subject, session.sid.shard())).or_default().push(session);
        }
        let subjects = of.keys().map(|(subject, shard)| ((*subject).clone(), *shard)).collect();
        let found = self.found(subjects).await?;
        let change = |(all, (about, _)): (&Vec<&Session>, (About, SubjectState))| {
            let mut change = Change::new(Seen { about: Some(about), ..found.seen.clone() });
            all.iter().for_each(|session| write(&mut change, session));
            change
        };
        let changes = of.values().zip(found.of_each).map(change).collect();
        let failed = self.written(changes).await?.unwrap_or_default();
        let all: Vec<_> = of.into_values().collect();
        Ok(failed.into_iter().flat_map(|at| all[at].clone()).collect())
    }

    /// In one commit and in their order, as if all were about what is above all subjects: so an engine whose log
    /// has parts puts them where readers find them without looking into the parts.
    async fn copy_events(&self, events: &[&Event]) -> Result<(), Fault> {
        if events.is_empty() {
            return Ok(());
        }
        for _ in 0..TRIES_MAX {
            let (cutoffs, cutoffs_version) = self.engine().cutoffs().await?;
            let mut change = Change::new(Seen { cutoffs, cutoffs_version, about: None });
            events.iter().for_each(|event| change.publish(std::slice::from_ref(*event)));
            let latest = change.latest;
            let committed = self.0.shared.writing(self.engine().commit(change)).await?;
            if let Outcome::Committed(position) = committed {
                self.0.shared.saw_head(position);
                self.0.shared.saw_latest(latest);
                return Ok(());
            }
        }
        Err(Fault::Contention)
    }

    async fn found(&self, of: Vec<(Subject, Shard)>) -> Result<Found, Fault> {
        let no_token = Digest([0; 32]);
        let asked: Vec<_> =
            of.into_iter().map(|(subject, shard)| (subject, shard, no_token)).collect();
        let awaited = self.engine().awaited(&asked).await?;
        let about = |((subject, shard, _), (state, moves, _)): ((Subject, Shard, _), _)| {
            (About { subject, shard, moves }, state)
        };
        let of_each = asked.into_iter().zip(awaited.of_each).map(about).collect();
        let (cutoffs, cutoffs_version) = (awaited.cutoffs, awaited.cutoffs_version);
        Ok(Found { seen: Seen { cutoffs, cutoffs_version, about: None }, of_each })
    }

    /// Commits them; `None`: all were made, else which were not.
    async fn written(&self, changes: Vec<Change>) -> Result<Option<Vec<usize>>, Fault> {
        if changes.is_empty() {
            return Ok(None);
        }
        let latest = changes.iter().map(|change| change.latest).max().unwrap_or_default();
        let done = self.0.shared.writing(self.engine().commit_each(changes)).await?;
        self.0.shared.saw_latest(latest);
        let failed = done.iter().enumerate().filter(|(_, done)| !**done).map(|(at, _)| at);
        let failed: Vec<_> = failed.collect();
        Ok((!failed.is_empty()).then_some(failed))
    }
}
