//! The log: its events, its head, and what leaves it.

use super::links::{Again, Links};
use super::read::{join, of_shard};
use super::rows::{Answer, LANES, bytes_of, number_of};
use super::scripts::{Call, Place, Script, lane, log};
use crate::codec::Damage;
use crate::remote;
use crate::{EVENTS_MAX, Retention};
use redis::{Cmd, Value};
use std::sync::Arc;
use symbolon_core::{Event, Fault, Shard, Timestamp};
use tokio::task::JoinSet;

/// How many events one call of the sweep looks at, since nothing else is answered meanwhile. Inclusive.
const FORGOTTEN_MAX: u64 = 4096;

/// An event of the log: its position, until when it is needed, itself.
type Entry = (u64, u64, Event);

impl Links {
    pub(super) async fn head_of(&self, shard: Option<Shard>) -> Result<u64, Fault> {
        let Some(shard) = shard else { return Ok(self.state().await?.head) };
        let place = of_shard(shard);
        let end = async {
            let ends = self.plain(place, |command| {
                let key = |kind| self.keys.at(place, kind, b"");
                command.arg("MGET").arg(key(lane::VERSION)).arg(key(lane::END));
            });
            let mut ends = Answer::of(ends.await?)?;
            if ends.bytes()?.is_none() {
                return Err(self.gone());
            }
            ends.bytes()?.map_or(Ok(0), |end| number_of(&end))
        };
        let marked = async {
            let Place::Lane(at) = place else { return Ok((0, 0)) };
            let (state, mark) = (self.log_key(log::STATE), format!("mark{at}"));
            let told = self.plain(Place::Log, |command| {
                command.arg("HMGET").arg(&state).arg("head").arg(&mark);
            });
            let mut told = Answer::of(told.await?)?;
            let head = told.bytes()?.ok_or_else(|| self.gone())?;
            Ok((number_of(&head)?, told.bytes()?.map_or(Ok(0), |mark| number_of(&mark))?))
        };
        let (end, (head, mark)) = tokio::try_join!(end, marked)?;
        match place {
            Place::Lane(at) if mark < end => self.move_lane(at, mark).await,
            Place::Lane(_) | Place::Log => Ok(head),
        }
    }

    pub(super) async fn events_after(
        &self,
        position: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Fault> {
        let entries = self.range(position, u64::MAX, limit).await?;
        let mut events: Vec<(u64, Event)> = Vec::with_capacity(entries.len());
        for (at, _, event) in entries {
            // Where a store epoch opened, positions are left out: they are missing at the beginning of an
            // answer, never within it.
            if events.last().is_some_and(|(before, _)| before + 1 < at) {
                break;
            }
            events.push((at, event));
        }
        Ok(events)
    }

    pub(super) async fn needed(
        &self,
        after: u64,
        count: u64,
        at: Timestamp,
    ) -> Result<Vec<(u64, Event)>, Fault> {
        let (end, mut from) = (after.saturating_add(count), after);
        let mut needed = Vec::new();
        while from < end {
            let entries = self.range(from, end, EVENTS_MAX).await?;
            let whole = entries.len() == EVENTS_MAX;
            from = entries.last().map_or(end, |(position, ..)| *position);
            let wanted =
                entries.into_iter().filter(|(_, keep_until, _)| at.as_millis() <= *keep_until);
            needed.extend(wanted.map(|(position, _, event)| (position, event)));
            if !whole {
                break;
            }
        }
        Ok(needed)
    }

    /// Where reading goes on after `end`: before the next event that there is; at the end of all positions if there is
    /// none, since a store epoch that has no event yet begins four thousand million positions after the one before.
    pub(super) async fn skip(&self, end: u64) -> Result<u64, Fault> {
        let next = self.range(end, u64::MAX, 1).await?;
        Ok(next.first().map_or(u64::MAX, |(position, ..)| position.saturating_sub(1).max(end)))
    }

    async fn range(&self, after: u64, last: u64, limit: usize) -> Result<Vec<Entry>, Fault> {
        let events = self.log_key(log::EVENTS);
        let last = if last == u64::MAX { "+".to_owned() } else { last.to_string() };
        let asked = self.plain(Place::Log, |command| {
            command.arg("XRANGE").arg(&events).arg(after.saturating_add(1)).arg(&last);
            command.arg("COUNT").arg(limit);
        });
        let mut answer = Answer::of(asked.await?)?;
        let mut entries = Vec::with_capacity(answer.left());
        while let Some(entry) = answer.next() {
            entries.push(read_entry(entry)?);
        }
        Ok(entries)
    }

    pub(super) async fn forget(
        self: &Arc<Self>,
        keep: Retention,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Fault> {
        let call = Call::new(Place::Log, Script::ForgetEvents)
            .key(self.log_key(log::STATE))
            .key(self.log_key(log::EVENTS))
            .number(keep.since.as_millis())
            .number(now.as_millis())
            .number(keep.events_max)
            .number(keep.events_min)
            .number(FORGOTTEN_MAX);
        let mut answer = self.call(&call, Again::Safe).await?;
        if answer.must()? != b"done" {
            return Err(self.gone());
        }
        let events = answer.number()?;
        let mut asked = JoinSet::new();
        for place in (0..LANES).map(Place::Lane) {
            let links = Arc::clone(self);
            asked.spawn(async move { links.forget_in(place, now, limit).await });
        }
        let gone = join(asked).await?.into_iter().sum::<u64>() + events;
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }

    async fn forget_in(&self, place: Place, now: Timestamp, limit: usize) -> Result<u64, Fault> {
        let call = Call::new(place, Script::Forget)
            .key(self.keys.at(place, lane::SPENT_INDEX, b""))
            .key(self.keys.at(place, lane::TOKEN_INDEX, b""))
            .number(now.as_millis())
            .number(limit as u64)
            .argument(self.keys.at(place, lane::SPENT, b""))
            .argument(self.keys.at(place, lane::TOKEN, b""));
        let mut answer = self.call(&call, Again::Safe).await?;
        let _done = answer.must()?;
        answer.number()
    }

    /// A command that is no script and changes nothing.
    pub(super) async fn plain(
        &self,
        place: Place,
        write: impl Fn(&mut Cmd) + Send + Sync,
    ) -> Result<Value, Fault> {
        let mut command = Cmd::new();
        write(&mut command);
        self.read(place, &command).await
    }
}

fn read_entry(entry: Value) -> Result<Entry, Fault> {
    let odd = || Damage("an event of the log is of the wrong type");
    let mut entry = Answer::of(entry)?;
    let id = entry.must()?;
    let position = id.split(|byte| *byte == b'-').next().ok_or_else(odd)?;
    let position = number_of(position)?;
    let mut fields = Answer::of(entry.next().ok_or_else(odd)?)?;
    let _name = fields.must()?;
    let value = bytes_of(fields.next().ok_or_else(odd)?)?.ok_or_else(odd)?;
    let (keep_until, sealed) = value.split_first_chunk().ok_or_else(odd)?;
    Ok((position, u64::from_be_bytes(*keep_until), remote::event(sealed)?))
}
