//! Committing: a change of one lane by one script, then its events from the lane's outbox to the log.

use super::follow::OUTBOX_KEPT;
use super::links::{Again, Links, next_version};
use super::read::{join, of_shard};
use super::rows::{self, Answer};
use super::scripts::{Call, Place, Script, lane, log};
use crate::change::{EventWrite, FIRST_VERSION, SessionWrite};
use crate::codec;
use crate::remote::{About, Change, Outcome, Stored};
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::{Fault, SessionId};
use tokio::task::JoinSet;

/// How many entries of an outbox are moved at once. Inclusive.
const MOVED_MAX: u64 = 1024;

/// How often a move is tried again when a store epoch opens meanwhile.
const MOVES_MAX: usize = 8;

/// What a script made of a change of one lane.
enum Written {
    /// The number of its last event; 0: it had none.
    Done(u64),
    Raced(Option<Box<Stored>>),
}

impl Links {
    pub(super) async fn commit(self: &Arc<Self>, change: Change) -> Result<Outcome, Fault> {
        let Some(about) = change.seen.about.clone() else { return self.bump(change).await };
        match self.write(&change, &about).await? {
            Written::Raced(now) => Ok(Outcome::Raced(now)),
            Written::Done(0) => Ok(Outcome::Committed(self.shared.head())),
            Written::Done(last) => {
                let Place::Lane(at) = of_shard(about.shard) else { return Err(misplaced()) };
                let count = change.events.len() as u64;
                let head = self.tell_log(at, last - count, &change.events).await?;
                if last / OUTBOX_KEPT != (last - count) / OUTBOX_KEPT {
                    self.trim(at, last).await?;
                }
                Ok(Outcome::Committed(head))
            }
        }
    }

    /// Each for itself; the events of all of them are moved at the end, lane by lane.
    pub(super) async fn commit_each(
        self: &Arc<Self>,
        changes: Vec<Change>,
    ) -> Result<Vec<bool>, Fault> {
        let mut asked = JoinSet::new();
        let mut done = vec![false; changes.len()];
        for (number, change) in changes.into_iter().enumerate() {
            let links = Arc::clone(self);
            asked.spawn(async move {
                let about = change.seen.about.clone().ok_or_else(misplaced)?;
                let written = links.write(&change, &about).await?;
                Ok((number, of_shard(about.shard), written))
            });
        }
        let mut ends = BTreeMap::new();
        for (number, place, written) in join(asked).await? {
            let Written::Done(last) = written else { continue };
            done[number] = true;
            if let (Place::Lane(at), 1..) = (place, last) {
                ends.entry(at).and_modify(|end: &mut u64| *end = last.max(*end)).or_insert(last);
            }
        }
        for (at, end) in ends {
            let head = self.move_lane(at, 0).await?;
            self.shared.saw_head(head);
            self.trim(at, end).await?;
        }
        Ok(done)
    }

    async fn write(&self, change: &Change, about: &About) -> Result<Written, Fault> {
        let latest = self.latest_to_store(change.latest);
        let call = self.whole(change, about, latest);
        let mut answer = match change.events.is_empty() {
            true => self.call(&call, Again::Never).await?,
            false => self.call_durably(&call, Again::Never).await?,
        };
        match &answer.must()?[..] {
            b"done" => {
                latest.into_iter().for_each(|millis| self.stored_latest(millis));
                Ok(Written::Done(answer.number()?))
            }
            b"raced" => Ok(Written::Raced(self.raced(&mut answer, &change.sessions).await?)),
            _ => Err(self.gone()),
        }
    }

    /// The call for any change.
    fn whole(&self, change: &Change, about: &About, latest: Option<u64>) -> Call {
        let place = of_shard(about.shard);
        let key = |kind| self.keys.at(place, kind, b"");
        let row = change.subject.as_ref().map(|(_, row)| row.clone());
        let mut call = Call::new(place, Script::Commit)
            .key(key(lane::VERSION))
            .key(key(lane::OUTBOX))
            .key(key(lane::END))
            .key(key(lane::INDEX))
            .key(key(lane::MOVES))
            .key(key(lane::LATEST))
            .key(self.keys.at(place, lane::SUBJECT, about.subject.as_str().as_bytes()))
            .bytes(change.seen.cutoffs_version)
            .bytes(about.moves)
            .argument(flag(change.moves))
            .argument(flag(row.is_some()))
            .argument(row.unwrap_or_default())
            .argument(latest.map(|millis| millis.to_string()).unwrap_or_default())
            .number(change.events.len() as u64);
        for event in &change.events {
            call.push(entry(event));
        }
        for write in &change.sessions {
            self.push_session(&mut call, write, about);
        }
        call
    }

    fn push_session(&self, call: &mut Call, write: &SessionWrite, about: &About) {
        let (sid, what, version, value) = match write {
            SessionWrite::Create { sid, subject, row } => {
                (sid, "c", 0, rows::session(FIRST_VERSION, false, subject, row))
            }
            SessionWrite::Update { sid, version, ended, row } => {
                let what = if *ended { "e" } else { "u" };
                (sid, what, *version, rows::session(version + 1, *ended, &about.subject, row))
            }
            SessionWrite::Forget { sid, version } => (sid, "f", *version, Vec::new()),
        };
        let place = of_shard(about.shard);
        call.push_key(self.keys.at(place, lane::SESSION, sid.as_bytes()));
        call.push(what);
        call.push(sid.as_bytes());
        call.push(version.to_be_bytes());
        call.push(value);
    }

    /// The first session of the change as it is now, so that a step need not load it.
    async fn raced(
        &self,
        answer: &mut Answer,
        writes: &[SessionWrite],
    ) -> Result<Option<Box<Stored>>, Fault> {
        let Some(SessionWrite::Update { sid, .. }) = writes.first() else {
            // What the lane knows is to be known here too.
            self.above(answer.bytes()?.as_deref()).await?;
            return Ok(None);
        };
        self.now(*sid, answer).await
    }

    /// A session as a script says that it is: the lane's version, its row, its subject.
    pub(super) async fn now(
        &self,
        sid: SessionId,
        answer: &mut Answer,
    ) -> Result<Option<Box<Stored>>, Fault> {
        let above = self.above(answer.bytes()?.as_deref()).await?;
        let (session, subject) = (answer.bytes()?, answer.bytes()?);
        let Some(session) = session else { return Ok(None) };
        let stored = rows::stored(sid, (&session, subject.as_deref()), above)?;
        Ok(Some(Box::new(stored)))
    }

    /// Moves what was just committed to the log, and what came before it in its lane; the head after it.
    async fn tell_log(&self, at: u8, before: u64, events: &[EventWrite]) -> Result<u64, Fault> {
        let numbered = (before + 1..).zip(events);
        let entries: Vec<Vec<u8>> = numbered
            .map(|(number, event)| [&number.to_be_bytes()[..], &entry(event)].concat())
            .collect();
        match self.bring(at, &entries, false).await? {
            Some(head) => Ok(head),
            None => self.move_lane(at, 0).await,
        }
    }

    /// Moves all that a lane has beyond the log's mark, which is at least `mark`; the head after it.
    pub(super) async fn move_lane(&self, at: u8, mark: u64) -> Result<u64, Fault> {
        let place = Place::Lane(at);
        let mut mark = match mark {
            0 => self.state().await?.marks[usize::from(at)],
            mark => mark,
        };
        loop {
            let call = Call::new(place, Script::Outbox)
                .key(self.keys.at(place, lane::OUTBOX, b""))
                .key(self.keys.at(place, lane::END, b""))
                .number(mark)
                .number(MOVED_MAX);
            let mut answer = self.call(&call, Again::Safe).await?;
            let _done = answer.must()?;
            let last = answer.number()?;
            let entries = answer.list()?;
            let head = self.bring(at, &entries, true).await?.ok_or(Fault::Contention)?;
            let moved = entries.last().and_then(|entry| entry.first_chunk());
            mark = moved.map_or(last, |number| u64::from_be_bytes(*number));
            if last <= mark || entries.is_empty() {
                return Ok(head);
            }
        }
    }

    /// Brings entries of a lane to the log; `None`: entries before them are missing there.
    async fn bring(&self, at: u8, entries: &[Vec<u8>], whole: bool) -> Result<Option<u64>, Fault> {
        for _ in 0..MOVES_MAX {
            let mut call = Call::new(Place::Log, Script::Move)
                .key(self.log_key(log::STATE))
                .key(self.log_key(log::EVENTS))
                .bytes(self.shared.seen().1)
                .number(u64::from(at))
                .argument(flag(whole))
                .argument(self.keys.channel.as_str());
            entries.iter().for_each(|entry| call.push(&entry[..]));
            let mut answer = self.call_durably(&call, Again::Safe).await?;
            match &answer.must()?[..] {
                b"done" => {
                    let head = answer.number()?;
                    self.shared.saw_head(head);
                    return Ok(Some(head));
                }
                b"gap" => return Ok(None),
                b"fenced" => {
                    // Another store epoch is in force: who knows it may go on.
                    self.above(answer.bytes()?.as_deref()).await?;
                }
                _ => return Err(self.gone()),
            }
        }
        Err(Fault::Contention)
    }

    /// Changes what is above all subjects, in the log first and then in every lane.
    async fn bump(self: &Arc<Self>, change: Change) -> Result<Outcome, Fault> {
        let seen = change.seen.cutoffs_version;
        let next = change.cutoffs.as_ref().map(|cutoffs| next_version(seen, cutoffs));
        let mut call = Call::new(Place::Log, Script::Bump)
            .key(self.log_key(log::STATE))
            .key(self.log_key(log::EVENTS))
            .key(self.log_key(log::CUTOFFS))
            .bytes(seen)
            .argument(next.map(|next| next.to_be_bytes().to_vec()).unwrap_or_default())
            .argument(
                change
                    .cutoffs
                    .as_ref()
                    .map(|own| codec::subject::encode_cutoffs(own))
                    .unwrap_or_default(),
            )
            .argument(self.keys.channel.as_str());
        change.events.iter().for_each(|event| call.push(entry(event)));
        let mut answer = self.call_durably(&call, Again::Never).await?;
        match &answer.must()?[..] {
            b"done" => {}
            b"raced" => return Ok(Outcome::Raced(None)),
            _ => return Err(self.gone()),
        }
        let head = answer.number()?;
        if let (Some(next), Some(cutoffs)) = (next, &change.cutoffs) {
            self.shared.saw_cutoffs(cutoffs, next);
            self.tell_lanes(next).await?;
        }
        Ok(Outcome::Committed(head))
    }

    /// No step that comes after a bump may decide on what was before it.
    async fn tell_lanes(self: &Arc<Self>, version: u64) -> Result<(), Fault> {
        // Their numbers are right: within a store epoch nothing was lost.
        let mut asked = JoinSet::new();
        for at in 0..rows::LANES {
            let (links, call) = (Arc::clone(self), self.fence_call(at, version, 0));
            asked.spawn(async move { links.call(&call, Again::Safe).await.map(|_| ()) });
        }
        join(asked).await.map(|_| ())
    }
}

fn flag(is_so: bool) -> &'static str {
    if is_so { "1" } else { "0" }
}

/// An event as it lies in an outbox, behind its number, and in the log.
fn entry(event: &EventWrite) -> Vec<u8> {
    let keep_until = event.keep_until.as_millis().to_be_bytes();
    [&keep_until[..], &event.sealed()].concat()
}

fn misplaced() -> Fault {
    Fault::Store("a change of rows names no subject".into())
}
