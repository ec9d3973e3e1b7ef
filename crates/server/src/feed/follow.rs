//! The bodies that followers are sent: each polls for its next frame, and is woken when there is one.

use super::{Feed, Next, Place, Refused};
use crate::app::Live;
use crate::clock::monotonic;
use crate::standing::Standing;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame as BodyFrame;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll as Polled, ready};
use symbolon_core::{Duration, Fault};
use symbolon_wire::feed::{Checkpoint, Cursor, Frame};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

/// After how long to come back to an authority that stops.
const RETRY_STOPPING: Duration = Duration::from_millis(1000);

/// After how long to come back for who fell behind.
const RETRY_BEHIND: Duration = Duration::from_millis(100);

/// Who follows the feed without an end.
pub struct Follower {
    feed: Arc<Feed>,
    place: Place,
    moved: watch::Receiver<u64>,
    ended: bool,
    standing: Standing,
    _counted: OwnedSemaphorePermit,
}

impl Follower {
    /// Begins after a cursor; without one, from now on.
    ///
    /// # Errors
    /// There is nothing to follow, or not for this one.
    pub fn after(
        feed: &Arc<Feed>,
        cursor: Option<Cursor>,
        standing: Standing,
    ) -> Result<Self, Refused> {
        let (place, counted) = feed.enter(cursor)?;
        let (feed, moved) = (Arc::clone(feed), feed.moved.subscribe());
        Ok(Self { feed, place, moved, ended: false, standing, _counted: counted })
    }

    /// What it is sent.
    pub fn into_body(self) -> Body {
        unfolded(self, |follower| Box::pin(follower.next()))
    }

    async fn next(mut self) -> Option<(Bytes, Self)> {
        // Asked at each frame, of which there is one a second.
        if self.ended || !self.standing.holds().await {
            return None;
        }
        loop {
            self.moved.borrow_and_update();
            let bye = match self.feed.next(&mut self.place) {
                Some(Next::Frame(frame)) => return Some((frame, self)),
                Some(Next::Nothing) => None,
                Some(Next::Gone) => Some(RETRY_BEHIND),
                None => Some(RETRY_STOPPING),
            };
            if let Some(retry) = bye {
                self.ended = true;
                return Some((Frame::Bye(retry).to_text().into(), self));
            }
            self.moved.changed().await.ok()?;
        }
    }
}

/// Who asks for the next part of the feed, and perhaps waits until there is one.
pub struct Poll {
    live: Live,
    place: Place,
    moved: watch::Receiver<u64>,
    nonce: Option<String>,
    /// On the monotonic clock.
    until: Duration,
    _counted: OwnedSemaphorePermit,
}

impl Poll {
    /// Begins after a cursor; whoever waits does so for `wait` at most.
    ///
    /// # Errors
    /// There is nothing to be given, or not to this one.
    pub fn after(
        live: &Live,
        cursor: Cursor,
        nonce: Option<String>,
        wait: Duration,
    ) -> Result<Self, Refused> {
        let feed = Arc::clone(&live.now().feed);
        let (place, counted) = feed.enter(Some(cursor))?;
        let (moved, until) = (feed.moved.subscribe(), monotonic().saturating_add(wait));
        Ok(Self { live: live.clone(), place, moved, nonce, until, _counted: counted })
    }

    /// The part as it is now: at most to the end of its block, then a fresh checkpoint.
    ///
    /// # Errors
    /// The store could not be read just now, the clocks disagree, or the feed was read anew: then nothing is
    /// said of what is in force.
    pub fn now(&self) -> Result<Bytes, Fault> {
        let app = self.live.now();
        let unread = || Fault::Store("the feed could not be read up to its head".into());
        let part = {
            let state = app.feed.state();
            let log = state.log.as_ref().filter(|_| state.readable).ok_or_else(unread)?;
            log.part(&self.place).ok_or_else(unread)?
        };
        let checkpoint = Checkpoint {
            iss: app.config.issuer.to_string(),
            cursor: part.cursor,
            read_at: part.read_at,
            // A clock that was set back a little does not make it signed before it was read.
            now: app.now()?.max(part.read_at),
            nonce: self.nonce.clone(),
            snapshot: None,
        };
        let signed = app.keys.sign_checkpoint(&checkpoint);
        let signed = signed.map_err(|_| Fault::Store("a checkpoint could not be signed".into()))?;
        let mut bytes = part.frames.concat();
        bytes.extend_from_slice(Frame::Checkpoint(signed).to_text().as_bytes());
        Ok(bytes.into())
    }

    /// What it is sent, once there is something to send. Without a checkpoint if none can be had then.
    pub fn into_body(self) -> Body {
        unfolded(Some(self), |poll| Box::pin(async move { Some((poll?.waited().await?, None)) }))
    }

    async fn waited(mut self) -> Option<Bytes> {
        let feed = Arc::clone(&self.live.now().feed);
        loop {
            self.moved.borrow_and_update();
            let waits = {
                let state = feed.state();
                let log = state.log.as_ref().filter(|_| !state.closing);
                log.is_some_and(|log| !log.is_behind(&self.place))
            };
            let left = self.until.saturating_sub(monotonic());
            if !waits || timeout(left, self.moved.changed()).await.is_err() {
                return self.now().ok();
            }
        }
    }
}

/// A body whose next piece is made when the one before has left; it ends with the first `None`.
pub(crate) fn unfolded<S, F>(from: S, step: F) -> Body
where
    S: Send + Unpin + 'static,
    F: Fn(S) -> Step<S> + Send + Unpin + 'static,
{
    Body::new(Unfolded { step, next: None, from: Some(from) })
}

/// A piece of a body that is being made, and what the next is made from.
pub(crate) type Step<S> = Pin<Box<dyn Future<Output = Option<(Bytes, S)>> + Send>>;

/// A body made piece by piece.
struct Unfolded<S, F> {
    step: F,
    from: Option<S>,
    next: Option<Step<S>>,
}

impl<S: Unpin, F: Fn(S) -> Step<S> + Unpin> HttpBody for Unfolded<S, F> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Polled<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        if let Some(from) = self.from.take() {
            self.next = Some((self.step)(from));
        }
        let Some(next) = &mut self.next else { return Polled::Ready(None) };
        let made = ready!(next.as_mut().poll(context));
        self.next = None;
        Polled::Ready(made.map(|(bytes, from)| {
            self.from = Some(from);
            Ok(BodyFrame::data(bytes))
        }))
    }
}
