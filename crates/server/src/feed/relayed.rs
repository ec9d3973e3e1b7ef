//! A feed that another authority's process signs and this one passes on: nothing here signs anything.
//!
//! Whoever fills it has verified what it passes on, since readers that notice a gap come back for a snapshot again
//! and again. Frames keep their bytes, so that those of a later version reach whoever knows them.

use super::log::{Log, Sent};
use super::{Feed, Place, Refused, State, unfolded};
use crate::clock::monotonic;
use axum::body::{Body, Bytes};
use std::sync::Arc;
use symbolon_core::Duration;
use symbolon_wire::feed::{Checkpoint, Cursor, Frame};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

/// How long a poll waits for a checkpoint beyond what it asked for. Inclusive.
const CHECKPOINT_MAX: Duration = Duration::from_secs(2);

/// What came does not go on from where this feed stands: it must begin again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Elsewhere;

impl Feed {
    /// Begins anew at a place; whoever followed before must begin with a snapshot. Nobody is let in before a
    /// checkpoint has come.
    pub(crate) fn begin_at(&self, round: u64, cursor: Cursor) {
        {
            let mut state = self.state_mut();
            state.log = Some(Log::new(round, cursor, true));
            state.closing = true;
        }
        self.wake();
    }

    /// Passes frames on, in their order. What was passed on before is left out.
    ///
    /// # Errors
    /// One does not go on from here.
    pub(crate) fn pass_on(&self, frames: Vec<(Frame, Bytes)>) -> Result<(), Elsewhere> {
        let passed = {
            let mut state = self.state_mut();
            frames.into_iter().try_for_each(|frame| state.pass_on(frame))
        };
        self.wake();
        passed
    }

    /// Sends everybody away until a checkpoint comes again: the authority is not heard, and whoever waited for it here
    /// would not know.
    pub(crate) fn pause(&self) {
        self.close();
    }

    /// Whether somebody may begin at a cursor.
    pub(crate) fn holds(&self, cursor: Cursor) -> bool {
        self.state().log.as_ref().is_some_and(|log| log.place(Some(cursor)).is_some())
    }

    /// Waits until there is something new.
    pub(crate) async fn next_move(&self) {
        // It fails only when this feed is gone, and then nobody waits.
        let _ = self.moved.subscribe().changed().await;
    }

    /// Where it stands; `None` before it has begun.
    pub(crate) fn head_position(&self) -> Option<u64> {
        self.state().log.as_ref().map(|log| log.head().position)
    }
}

/// Who asks for the next part of a feed that is passed on: as far as somebody has vouched for it.
pub(crate) struct RelayedPart {
    feed: Arc<Feed>,
    place: Place,
    moved: watch::Receiver<u64>,
    begun: Duration,
    wait: Duration,
    _counted: OwnedSemaphorePermit,
}

impl RelayedPart {
    /// Begins after a cursor; whoever waits does so for `wait`, and then gets the newest checkpoint alone.
    ///
    /// # Errors
    /// The cursor is not of this feed, too many follow, or the authority is not heard.
    pub(crate) fn after(feed: &Arc<Feed>, cursor: Cursor, wait: Duration) -> Result<Self, Refused> {
        let (place, counted) = feed.enter(Some(cursor))?;
        let (feed, moved) = (Arc::clone(feed), feed.moved.subscribe());
        Ok(Self { feed, place, moved, begun: monotonic(), wait, _counted: counted })
    }

    /// The part, once there is one.
    ///
    /// # Errors
    /// The authority is not heard any more.
    pub(crate) async fn ready(mut self) -> Result<Bytes, Refused> {
        loop {
            self.moved.borrow_and_update();
            let waited = monotonic().saturating_sub(self.begun);
            if let Some(part) = self.look(self.wait <= waited)? {
                return Ok(part);
            }
            // Once the wait is over: until the next checkpoint, which comes each second.
            let beyond = self.wait.saturating_add(CHECKPOINT_MAX);
            let until = if waited < self.wait { self.wait } else { beyond };
            let left = until.saturating_sub(waited);
            if left.is_zero() {
                return Err(Refused::NotReady);
            }
            // Whatever ended the waiting, it is looked at anew.
            let _ = timeout(left, self.moved.changed()).await;
        }
    }

    /// What it is sent, once there is something to send; nothing if the authority is not heard any more.
    pub(crate) fn into_body(self) -> Body {
        unfolded(Some(self), |part| {
            Box::pin(async move { Some((part?.ready().await.ok()?, None)) })
        })
    }

    fn look(&self, or_none: bool) -> Result<Option<Bytes>, Refused> {
        let state = self.feed.state();
        let log = state.log.as_ref().filter(|_| !state.closing).ok_or(Refused::NotReady)?;
        Ok(log.vouched_part(&self.place, or_none).map(|frames| frames.concat().into()))
    }
}

impl State {
    fn pass_on(&mut self, (frame, text): (Frame, Bytes)) -> Result<(), Elsewhere> {
        let log = self.log.as_mut().ok_or(Elsewhere)?;
        let head = log.head();
        match frame {
            Frame::Revocation(cursor, _) if cursor.position <= head.position => {
                // It comes again after a connection broke.
                let same = log.is_before(&cursor) || log.place(Some(cursor)).is_some();
                same.then_some(()).ok_or(Elsewhere)
            }
            Frame::Revocation(cursor, revocation) => {
                if head.after(&revocation) != cursor {
                    return Err(Elsewhere);
                }
                log.push(Sent { cursor, frame: text, boundary: None });
                Ok(())
            }
            Frame::Checkpoint(jws) => {
                let cursor = Checkpoint::unverified_cursor(&jws).map_err(|_| Elsewhere)?;
                if cursor == head {
                    log.vouch(text);
                    (self.closing, self.readable) = (false, true);
                }
                let before = cursor.epoch == head.epoch && cursor.position < head.position;
                (before || cursor == head).then_some(()).ok_or(Elsewhere)
            }
            Frame::Key(_) | Frame::Report => {
                log.hint(text);
                Ok(())
            }
            // Whether the authority goes away is between it and us.
            Frame::Bye(_) => Ok(()),
            Frame::Other | _ => {
                if text.starts_with(b"event:") {
                    log.hint(text);
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use symbolon_core::{Act, Effect, Event, KeyId, Reason, StoreEpoch, Target, Timestamp};
    use symbolon_wire::feed::{Revocation, TargetKey};
    use symbolon_wire::{Algorithm, SigningKey};

    fn revocation() -> Revocation {
        let event = Event {
            at: Timestamp::from_seconds(1),
            target: Target::Key(KeyId([1; 12])),
            whose: None,
            effect: Effect::Revoked,
            reason: Reason::Admin,
            expires_at: Timestamp::from_seconds(2),
            act: Act::authority(),
        };
        Revocation::of(&event, &TargetKey::parse(&"A".repeat(43)).ok().unwrap())
    }

    fn begin() -> (Feed, Cursor) {
        let (feed, cursor) = (Feed::default(), Cursor::block(StoreEpoch(1), 0));
        feed.begin_at(1, cursor);
        (feed, cursor)
    }

    fn with_text(frame: Frame) -> (Frame, Bytes) {
        let text = frame.to_text().into();
        (frame, text)
    }

    fn told(cursor: &mut Cursor) -> (Frame, Bytes) {
        *cursor = cursor.after(&revocation());
        with_text(Frame::Revocation(*cursor, revocation()))
    }

    fn checkpoint(cursor: Cursor) -> (Frame, Bytes) {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let at = Timestamp::from_seconds(9);
        let (iss, read_at, now) = ("i".to_owned(), at, at);
        let said = Checkpoint { iss, cursor, read_at, now, nonce: None, snapshot: None };
        with_text(Frame::Checkpoint(said.sign(&key).unwrap()))
    }

    #[test]
    fn nobody_begins_before_a_checkpoint_has_come() {
        let (feed, start) = begin();
        assert_eq!(feed.enter(None).err(), Some(Refused::NotReady));
        feed.pass_on(vec![checkpoint(start)]).unwrap();
        assert!(feed.enter(Some(start)).is_ok());
        feed.pause();
        assert_eq!(feed.enter(None).err(), Some(Refused::NotReady), "the authority is not heard");
        feed.pass_on(vec![checkpoint(start)]).unwrap();
        assert!(feed.enter(Some(start)).is_ok());
    }

    #[test]
    fn what_comes_again_is_left_out_and_what_does_not_go_on_is_refused() {
        let (feed, mut cursor) = begin();
        let (first, second) = (told(&mut cursor), told(&mut cursor));
        let early = checkpoint(cursor);
        feed.pass_on(vec![first.clone(), second.clone(), early.clone()]).unwrap();
        feed.pass_on(vec![second, early]).unwrap();
        assert_eq!(feed.head_position(), Some(2));
        let mut third = cursor;
        told(&mut third);
        let fourth = told(&mut third);
        assert_eq!(feed.pass_on(vec![fourth]), Err(Elsewhere), "one is missing");
        let mut other = Cursor::block(StoreEpoch(2), 0);
        assert_eq!(feed.pass_on(vec![told(&mut other)]), Err(Elsewhere), "another epoch");
        assert_eq!(feed.pass_on(vec![checkpoint(third)]), Err(Elsewhere), "it vouches for more");
        assert_eq!(Feed::default().pass_on(vec![first]), Err(Elsewhere), "no snapshot came before");
    }

    #[tokio::test]
    async fn a_poll_waits_for_what_is_vouched_for() {
        let (feed, mut cursor) = begin();
        let (feed, start) = (Arc::new(feed), cursor);
        feed.pass_on(vec![checkpoint(start)]).unwrap();
        let idle = RelayedPart::after(&feed, start, Duration::ZERO).unwrap().ready().await.unwrap();
        assert!(idle.starts_with(b"event: checkpoint"), "nothing is new");
        let told = told(&mut cursor);
        feed.pass_on(vec![told.clone()]).unwrap();
        let waiting = RelayedPart::after(&feed, start, Duration::from_secs(20)).unwrap().ready();
        let passing = async { feed.pass_on(vec![checkpoint(cursor)]) };
        let (part, passed) = tokio::join!(waiting, passing);
        passed.unwrap();
        assert!(part.unwrap().starts_with(&told.1), "the revocation, then its checkpoint");
        let elsewhere = Cursor { position: 7, ..cursor };
        let refused = RelayedPart::after(&feed, elsewhere, Duration::ZERO);
        assert_eq!(refused.err(), Some(Refused::Gone));
    }

    #[tokio::test]
    async fn a_poll_ends_when_the_authority_is_not_heard_any_more() {
        let (feed, start) = begin();
        let feed = Arc::new(feed);
        feed.pass_on(vec![checkpoint(start)]).unwrap();
        let waiting = RelayedPart::after(&feed, start, Duration::from_secs(20)).unwrap().ready();
        let (part, ()) = tokio::join!(waiting, async { feed.pause() });
        assert_eq!(part.err(), Some(Refused::NotReady));
    }
}
