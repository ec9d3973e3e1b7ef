//! Reading: sessions, subjects, lists.

use super::links::{Again, Links};
use super::rows::{self, Answer, LANES, bytes_of, lane_of, sid_of};
use super::scripts::{Call, Place, Script, lane};
use crate::Rows;
use crate::change::range;
use crate::remote::{Stored, StoredSubject};
use std::sync::Arc;
use symbolon_core::{Fault, SessionId, Shard, Subject};
use tokio::task::JoinSet;

pub(super) fn of_shard(shard: Shard) -> Place {
    Place::Lane(lane_of(shard.0[0]))
}

impl Links {
    pub(super) async fn of_subject(
        &self,
        subject: &Subject,
        shard: Shard,
        which: Rows,
    ) -> Result<StoredSubject, Fault> {
        let place = of_shard(shard);
        let mut call = Call::new(place, Script::Subject)
            .key(self.keys.at(place, lane::VERSION, b""))
            .key(self.keys.at(place, lane::SUBJECT, subject.as_str().as_bytes()))
            .key(self.keys.at(place, lane::INDEX, b""))
            .argument(self.keys.at(place, lane::SESSION, b""));
        if which == Rows::All {
            let (first, last) = range(shard);
            call.push(first.as_bytes());
            call.push(last.as_bytes());
            call.push(subject.as_str());
        }
        let mut answer = self.call(&call, Again::Safe).await?;
        let above = self.above(answer.bytes()?.as_deref()).await?;
        let state = answer.bytes()?;
        let mut sessions = Vec::with_capacity(answer.left() / 2);
        while answer.left() > 0 {
            let sid = sid_of(&answer.must()?)?;
            sessions.push(rows::read_session(sid, &answer.must()?)?);
        }
        Ok(rows::stored_subject(subject, state.as_deref(), sessions, above)?)
    }

    /// Walks the lanes in their order, which is that of names; the fewer a lane has, the more are asked at once.
    pub(super) async fn sessions(
        self: &Arc<Self>,
        after: &[u8],
        last: SessionId,
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let mut at = lane_of(after.first().copied().unwrap_or(0));
        let end = lane_of(last.as_bytes()[0]);
        let (mut found, mut at_once) = (Vec::new(), 1);
        while at <= end && found.len() < limit {
            let until = end.min(at.saturating_add(at_once - 1));
            found.extend(self.of_lanes((at, until), (after, last), limit).await?);
            (at, at_once) = (until + 1, (at_once * 2).min(LANES));
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn of_lanes(
        self: &Arc<Self>,
        (first, until): (u8, u8),
        (after, last): (&[u8], SessionId),
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        let mut asked = JoinSet::new();
        for at in first..=until {
            let (links, after) = (Arc::clone(self), after.to_vec());
            asked.spawn(async move {
                Ok((at, links.of_lane(Place::Lane(at), &after, (last, limit)).await?))
            });
        }
        let mut lanes = join(asked).await?;
        lanes.sort_unstable_by_key(|(lane, _): &(u8, Vec<Stored>)| *lane);
        Ok(lanes.into_iter().flat_map(|(_, rows)| rows).collect())
    }

    async fn of_lane(
        &self,
        place: Place,
        after: &[u8],
        (last, limit): (SessionId, usize),
    ) -> Result<Vec<Stored>, Fault> {
        let call = Call::new(place, Script::List)
            .key(self.keys.at(place, lane::VERSION, b""))
            .key(self.keys.at(place, lane::INDEX, b""))
            .argument(after)
            .argument(last.as_bytes())
            .number(limit as u64)
            .argument(self.keys.at(place, lane::SESSION, b""))
            .argument(self.keys.at(place, lane::SUBJECT, b""));
        let mut answer: Answer = self.call(&call, Again::Safe).await?;
        let above = self.above(answer.bytes()?.as_deref()).await?;
        let mut found = Vec::with_capacity(answer.left() / 3);
        while let Some(sid) = answer.next() {
            let sid = sid_of(&bytes_of(sid)?.unwrap_or_default())?;
            let (session, subject) = (answer.must()?, answer.bytes()?);
            found.push(rows::stored(sid, (&session, subject.as_deref()), above.clone())?);
        }
        Ok(found)
    }
}

/// What all of them answer, in the order in which they do.
pub(super) async fn join<T: 'static>(
    mut asked: JoinSet<Result<T, Fault>>,
) -> Result<Vec<T>, Fault> {
    let mut all = Vec::with_capacity(asked.len());
    while let Some(answer) = asked.join_next().await {
        all.push(answer.map_err(|why| Fault::Store(why.to_string()))??);
    }
    Ok(all)
}
