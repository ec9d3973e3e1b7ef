//! The task that follows the feed: keys, snapshot, then the stream, or polls where streams are held back.

use super::backoff::Backoff;
use super::random::jitter;
use super::{FetchError, Progress, Relay, Shared};
use crate::feed::Want;
use crate::status::Mode;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use symbolon_wire::feed::{ENTRIES_MAX, RECORD_BYTES};
use tokio::time::{Instant, timeout, timeout_at};

/// How long a stream may go without a fresh checkpoint before polls take its place. Inclusive.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// How long polls go on before the stream is tried again, at first; doubled each time that it is silent.
const STREAM_AGAIN: Duration = Duration::from_secs(60);

/// The same, at the most. Inclusive.
const STREAM_AGAIN_MAX: Duration = Duration::from_secs(15 * 60);

/// How long the head of an answer may take. Inclusive.
const HEAD_MAX: Duration = Duration::from_secs(3);

/// How long a poll is held at the authority: a quarter of the bound, within these. Inclusive.
const POLL_WAIT_MIN: Duration = Duration::from_millis(250);
const POLL_WAIT_MAX: Duration = Duration::from_secs(20);

/// The same for who passes on what it hears: those behind take a longer silence for an outage. Inclusive.
const POLL_WAIT_RELAYED: Duration = Duration::from_secs(1);

/// The longest answer to a poll, in bytes: 1,024 revocations, a checkpoint and room. Inclusive.
const POLL_BYTES_MAX: usize = 1024 * 1024;

/// The longest snapshot, in bytes. Inclusive.
const SNAPSHOT_BYTES_MAX: usize = ENTRIES_MAX * RECORD_BYTES + 8 * 1024;

/// The longest that the authority may send us away, whatever it says. Inclusive.
const BYE_MAX: Duration = Duration::from_secs(30);

/// How a connection ended.
enum Left {
    /// As it should: go on.
    Onward,
    /// Nothing was heard for too long.
    Silent,
    /// The authority sent us away for that long.
    Bye(Duration),
    /// It failed.
    Failed(FetchError),
}

/// Whether to stream or to poll.
struct Way {
    poll_only: bool,
    poll_until: Option<Instant>,
    again: Duration,
}

/// Runs until it is aborted.
pub(super) async fn lead(shared: Arc<Shared>) {
    let (poll_only, mut backoff) = (shared.options.poll_only, Backoff::default());
    let mut way = Way { poll_only, poll_until: None, again: STREAM_AGAIN };
    loop {
        let wants = shared.follower().wants();
        let left = match wants {
            Want::Keys => shared.newer_keys().await,
            Want::Snapshot => Shared::snapshot(&shared).await,
            Want::Stream { after } if way.is_poll() => shared.poll(&after, &mut backoff).await,
            Want::Stream { after } => shared.stream(&after, &mut backoff, &mut way).await,
        };
        match left {
            Left::Onward => {}
            Left::Silent => way.was_silent(),
            Left::Bye(retry) => rest(jitter(retry.min(BYE_MAX))).await,
            Left::Failed(why) => {
                shared.failed(why);
                rest(backoff.wait()).await;
            }
        }
    }
}

impl Way {
    fn is_poll(&self) -> bool {
        self.poll_only || self.poll_until.is_some_and(|until| Instant::now() < until)
    }

    fn was_silent(&mut self) {
        tracing::warn!(again = ?self.again, "the feed's stream is silent; polling in its place");
        self.poll_until = Some(Instant::now() + self.again);
        self.again = self.again.saturating_mul(2).min(STREAM_AGAIN_MAX);
    }
}

impl Shared {
    /// Waits for a fetch.
    async fn newer_keys(&self) -> Left {
        let mut fetched = self.keys.fetched.clone();
        let before = fetched.borrow_and_update().last.as_ref().map(|(ended, _)| *ended);
        self.keys.wanted.by_feed();
        // An error would say that the task is gone: then nothing will ever change.
        let _ = fetched.wait_for(|now| before < now.last.as_ref().map(|(ended, _)| *ended)).await;
        self.follower().on_keys();
        let outcome = self.keys.fetched.borrow().last.clone();
        match outcome {
            Some((_, Err(why))) => Left::Failed(why),
            Some((_, Ok(()))) | None => Left::Onward,
        }
    }

    async fn snapshot(shared: &Arc<Self>) -> Left {
        let at = shared.at("/v1/feed/snapshot");
        let body = shared.http.download(&at, &shared.authorization, SNAPSHOT_BYTES_MAX).await;
        let bytes = match body {
            Ok(bytes) => Arc::new(bytes),
            Err(why) => return Left::Failed(why),
        };
        let (taker, whole) = (Arc::clone(shared), Arc::clone(&bytes));
        // A million entries take a while: not on a thread that others need.
        let take = move || taker.follower().on_snapshot(&whole, (taker.options.clock)());
        shared.takes_snapshot.store(true, Ordering::Release);
        let taken = tokio::task::spawn_blocking(take).await;
        shared.takes_snapshot.store(false, Ordering::Release);
        shared.note();
        match taken {
            Ok(Ok(())) => {
                shared.pass_on(Relay::Snapshot(bytes));
                shared.time.notify_one();
                Left::Onward
            }
            Ok(Err(gap)) => Left::Failed(FetchError::Feed(gap)),
            Err(_) => Left::Failed(FetchError::Unreachable),
        }
    }

    async fn stream(&self, after: &str, backoff: &mut Backoff, way: &mut Way) -> Left {
        let at = self.at(&format!("/v1/feed?after={after}"));
        let opened = self.http.open(&at, &self.authorization, HEAD_MAX).await;
        let mut body = match opened {
            Ok(body) => body,
            Err(why) => return self.not_opened(why),
        };
        self.lately().mode = Mode::Stream;
        let mut silent_at = Instant::now() + SILENCE_MAX;
        let left = loop {
            let bytes = match timeout_at(silent_at, body.frame()).await {
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Ok(Some(Err(_)) | None) => break Left::Failed(FetchError::Unreachable),
                Err(_) => break Left::Silent,
            };
            match self.hear(&bytes) {
                Ok(heard) if heard.bye.is_some() => {
                    break Left::Bye(heard.bye.unwrap_or_default());
                }
                // A checkpoint that was held back on the way is as bad as none.
                Ok(heard) if heard.vouched && self.age().is_none_or(|age| age <= SILENCE_MAX) => {
                    silent_at = Instant::now() + SILENCE_MAX;
                    backoff.reset();
                    way.again = STREAM_AGAIN;
                }
                Ok(_) => {}
                Err(gap) => break Left::Failed(FetchError::Feed(gap)),
            }
        };
        self.lately().mode = Mode::Off;
        self.follower().on_end();
        self.pass_on(Relay::Lost);
        left
    }

    async fn poll(&self, after: &str, backoff: &mut Backoff) -> Left {
        let begun = Instant::now();
        let longest = match self.options.pass_on {
            Some(_) => POLL_WAIT_RELAYED,
            None => POLL_WAIT_MAX,
        };
        let wait = (self.expected.max_staleness / 4).clamp(POLL_WAIT_MIN, longest);
        let at = self.at(&format!("/v1/feed/poll?after={after}&wait={}ms", wait.as_millis()));
        let body =
            self.http.get_with(&at, &self.authorization, POLL_BYTES_MAX, wait + HEAD_MAX).await;
        let bytes = match body {
            Ok(bytes) => bytes,
            Err(why) => return self.not_opened(why),
        };
        let heard = self.hear(&bytes);
        self.follower().on_end();
        match heard {
            Ok(heard) if heard.vouched => {
                self.lately().mode = Mode::Poll;
                backoff.reset();
                if heard.applied == 0 {
                    // Whoever answers at once that there is nothing is not asked in a loop.
                    rest(POLL_WAIT_MIN.saturating_sub(begun.elapsed())).await;
                }
                heard.bye.map_or(Left::Onward, Left::Bye)
            }
            Ok(heard) => heard.bye.map_or(Left::Failed(FetchError::Unreachable), Left::Bye),
            Err(gap) => Left::Failed(FetchError::Feed(gap)),
        }
    }

    fn not_opened(&self, why: FetchError) -> Left {
        self.lately().mode = Mode::Off;
        if why == FetchError::Status(410) {
            self.follower().on_gone();
            self.note();
        }
        Left::Failed(why)
    }

    fn failed(&self, why: FetchError) {
        self.lately().mode = Mode::Off;
        self.pass_on(Relay::Lost);
        let issuer = self.issuer.name();
        match &why {
            FetchError::Status(401 | 403) => {
                tracing::error!(issuer, %why, "the API key may not follow the feed; it needs revocations:read");
            }
            FetchError::Unreachable
            | FetchError::Late
            | FetchError::Status(_)
            | FetchError::Oversized
            | FetchError::Metadata(_)
            | FetchError::Keys(_)
            | FetchError::Feed(_) => tracing::warn!(issuer, %why, "the feed is taken up again"),
        }
        self.progress.send_if_modified(|progress| {
            let starting = *progress != Progress::Ready;
            if starting {
                *progress = Progress::Failed(why);
            }
            starting
        });
    }
}

/// Does nothing for a while.
pub(in crate::net) async fn rest(span: Duration) {
    // Only its end is waited for.
    let _ = timeout(span, std::future::pending::<()>()).await;
}
