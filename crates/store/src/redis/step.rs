//! The usual step: a session is loaded, its row is compared and set, and nothing is published. Those who come
//! together are served by one script, which does as few commands for a hundred as for one.

use super::links::{Again, Links};
use super::rows::{self, Answer, lane_of};
use super::scripts::{Call, Place, Script, lane};
use super::together::{Queues, Together};
use crate::change::SessionWrite;
use crate::remote::{About, Change, Outcome, Stored};
use redis::Value;
use std::collections::HashSet;
use std::sync::Arc;
use symbolon_core::{Fault, SessionId, Timestamp};

/// A session that is to be loaded.
pub(super) struct Load(SessionId);

/// What stands behind a session's key, its subject's, and which cut-offs are at least as new as its lane's.
type Found = ((Vec<u8>, Option<Vec<u8>>), rows::Above);

impl Links {
    pub(super) async fn session(self: &Arc<Self>, sid: SessionId) -> Result<Option<Stored>, Fault> {
        let found = self.together(lane_of(sid.as_bytes()[0]), Load(sid)).await?;
        // Each caller reads its own, so that not one does it for all.
        let Some(((session, subject), above)) = found else { return Ok(None) };
        Ok(Some(rows::stored(sid, (&session, subject.as_deref()), above)?))
    }
}

impl Together for Load {
    type Answer = Option<Found>;

    fn queues(links: &Links) -> &Queues<Self> {
        &links.loads
    }

    async fn ask(links: &Links, asked: Vec<Self>) -> Result<Vec<Self::Answer>, Fault> {
        let sids = || asked.iter().map(|Self(sid)| sid);
        let lanes = Lanes::of(sids().map(|sid| lane_of(sid.as_bytes()[0])));
        let mut call = lanes.call(links, Script::Load);
        for sid in sids() {
            let place = Place::Lane(lane_of(sid.as_bytes()[0]));
            call.push_key_of(&links.keys.parts(place, lane::SESSION, sid.as_bytes()));
        }
        let mut answer = links.call(&call, Again::Safe).await?;
        let mut newest = None;
        for _ in &lanes.0 {
            newest = newest.max(Some(answer.bytes()?.ok_or_else(|| links.gone())?));
        }
        // What the newest of them knows is none too new for the others.
        let above = links.above(newest.as_deref()).await?;
        let mut sessions = Vec::with_capacity(asked.len());
        for _ in &asked {
            sessions.push(answer.bytes()?);
        }
        let mut found = Vec::with_capacity(asked.len());
        for session in sessions {
            found.push(match session {
                Some(session) => Some(((session, answer.bytes()?), above.clone())),
                None => None,
            });
        }
        Ok(found)
    }
}

/// A change of one session's row and nothing else.
pub(super) struct Update {
    sid: SessionId,
    version: u64,
    row: Vec<u8>,
    about: About,
    cutoffs_version: u64,
    latest: Timestamp,
}

impl Update {
    /// What a change of this kind asks for, taken out of it; `None`: it is of another kind, and whole.
    pub(super) fn of(change: &mut Change) -> Option<Self> {
        let is_more = change.moves || change.subject.is_some() || !change.events.is_empty();
        let [SessionWrite::Update { sid, version, ended: false, row }] = &mut change.sessions[..]
        else {
            return None;
        };
        let about = if is_more { None } else { change.seen.about.take() }?;
        Some(Self {
            sid: *sid,
            version: *version,
            row: core::mem::take(row),
            about,
            cutoffs_version: change.seen.cutoffs_version,
            latest: change.latest,
        })
    }

    pub(super) fn lane(&self) -> u8 {
        lane_of(self.about.shard.0[0])
    }

    /// Whoever saw another row, another subject or older cut-offs than there are has lost.
    fn push(&self, links: &Links, lanes: &Lanes, call: &mut Call) {
        let place = Place::Lane(self.lane());
        let subject = self.about.subject.as_str().as_bytes();
        call.push_key_of(&links.keys.parts(place, lane::SUBJECT, subject));
        call.push_key_of(&links.keys.parts(place, lane::SESSION, self.sid.as_bytes()));
        call.push_of(&[
            &[lanes.number(self.lane())],
            &self.cutoffs_version.to_be_bytes(),
            &self.about.moves.to_be_bytes(),
            &self.version.to_be_bytes(),
        ]);
        let front = rows::front(self.version + 1, false, &self.about.subject);
        call.push_of(&[&front, subject, &self.row]);
    }
}

impl Together for Update {
    type Answer = Outcome;

    fn queues(links: &Links) -> &Queues<Self> {
        &links.updates
    }

    async fn ask(links: &Links, asked: Vec<Self>) -> Result<Vec<Outcome>, Fault> {
        let lanes = Lanes::of(asked.iter().map(Self::lane));
        let latest = asked.iter().map(|update| update.latest).max().unwrap_or_default();
        let latest = links.latest_to_store(latest);
        let mut call = lanes.call(links, Script::Update);
        call.push(latest.map(|millis| millis.to_string()).unwrap_or_default());
        // Of several that write one row the first goes on.
        let mut sids = HashSet::with_capacity(asked.len());
        let first: Vec<bool> = asked.iter().map(|update| sids.insert(update.sid)).collect();
        for (update, _) in asked.iter().zip(&first).filter(|(_, first)| **first) {
            update.push(links, &lanes, &mut call);
        }
        call.push_key_of(&links.keys.parts(call.place, lane::LATEST, b""));
        let mut answer = links.call(&call, Again::Never).await?;
        let head = links.shared.head();
        let (mut outcomes, mut done) = (Vec::with_capacity(asked.len()), false);
        for (update, first) in asked.iter().zip(first) {
            let told = if first { answer.next() } else { Some(Value::Array(Vec::new())) };
            outcomes.push(match told {
                Some(Value::Int(1)) => {
                    done = true;
                    Outcome::Committed(head)
                }
                Some(Value::Array(now)) if now.is_empty() => Outcome::Raced(None),
                Some(now @ Value::Array(_)) => {
                    Outcome::Raced(links.now(update.sid, &mut Answer::of(now)?).await?)
                }
                Some(_) | None => return Err(links.gone()),
            });
        }
        latest.filter(|_| done).into_iter().for_each(|millis| links.stored_latest(millis));
        Ok(outcomes)
    }
}

/// The lanes of those that go together, each once.
struct Lanes(Vec<u8>);

impl Lanes {
    fn of(lanes: impl Iterator<Item = u8>) -> Self {
        let mut there = [false; rows::LANES as usize];
        lanes.for_each(|lane| there[usize::from(lane)] = true);
        Self((0..rows::LANES).filter(|lane| there[usize::from(*lane)]).collect())
    }

    /// Counted from 1, as scripts do.
    fn number(&self, lane: u8) -> u8 {
        let before = self.0.iter().take_while(|own| **own < lane).count();
        u8::try_from(before + 1).unwrap_or(u8::MAX)
    }

    /// A call that begins with the lanes' versions, and with how many they are.
    fn call(&self, links: &Links, script: Script) -> Call {
        let first = self.0.first().copied().unwrap_or_default();
        let mut call = Call::new(Place::Lane(first), script);
        for lane in &self.0 {
            call.push_key_of(&links.keys.parts(Place::Lane(*lane), lane::VERSION, b""));
        }
        call.number(self.0.len() as u64)
    }
}
