//! Keeps the keys fresh: the only task that fetches them, so that no crowd of requests can.

use super::discovery::discover;
use super::http::{FetchError, Http};
use super::url::Issuer;
use crate::verifier::Expected;
use http::Uri;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// Between the first tries, as long as there are no keys at all; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between tries while there are no keys. Inclusive.
const FIRST_PAUSE_MAX: Duration = Duration::from_secs(2);

/// The least between two fetches when the feed asks for one: it needs a key to be heard at all. Inclusive.
///
/// Only the authority's own host writes the feed, so this bounds a fault, not a stranger.
const TOLD_MIN: Duration = Duration::from_secs(1);

/// Asks for a fetch before it is due.
#[derive(Default)]
pub(crate) struct Wanted {
    notify: Notify,
    by_feed: AtomicBool,
}

impl Wanted {
    /// A token names a key that is not known.
    pub(crate) fn by_token(&self) {
        self.notify.notify_one();
    }

    /// The feed says that keys changed, or is signed by one that is not known.
    pub(crate) fn by_feed(&self) {
        self.by_feed.store(true, Ordering::Relaxed);
        self.notify.notify_one();
    }
}

/// How often keys are fetched.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// At least this between two fetches, whatever tokens name: a stranger can write any `kid`.
    pub(crate) interval: Duration,
    /// A withdrawn key is forgotten, and a new one known, after this at the latest.
    pub(crate) max_age: Duration,
}

/// What came of the fetches so far.
#[derive(Clone, Default)]
pub(crate) struct Fetched {
    /// Whether keys were ever fetched.
    pub(crate) ready: bool,
    /// The last one, if there was any: when it ended, and how.
    pub(crate) last: Option<(Instant, Result<(), FetchError>)>,
    /// Where to ask about tokens.
    pub(crate) introspection: Option<Uri>,
}

/// Fetches keys on time and on demand.
pub(crate) struct Fetcher {
    pub(crate) http: Arc<Http>,
    pub(crate) issuer: Issuer,
    pub(crate) expected: Arc<Expected>,
    pub(crate) pace: Pace,
    pub(crate) wanted: Arc<Wanted>,
    pub(crate) fetched: watch::Sender<Fetched>,
}

impl Fetcher {
    /// Runs until it is aborted.
    pub(crate) async fn run(self) {
        let mut failures = 0;
        loop {
            let outcome = self.fetch().await;
            failures = if outcome.is_ok() { 0 } else { failures + 1 };
            let ended = self.publish(outcome);
            self.pause(ended, failures).await;
        }
    }

    /// A failed fetch leaves the keys as they are.
    async fn fetch(&self) -> Result<Option<Uri>, FetchError> {
        let discovered = discover(&self.http, &self.issuer).await?;
        self.expected.keys.replace(discovered.keys);
        Ok(discovered.introspection)
    }

    fn publish(&self, outcome: Result<Option<Uri>, FetchError>) -> Instant {
        let ended = Instant::now();
        self.fetched.send_modify(|fetched| match outcome {
            Ok(introspection) => {
                *fetched = Fetched { ready: true, last: Some((ended, Ok(()))), introspection };
            }
            Err(why) => {
                tracing::warn!(issuer = self.issuer.name(), %why, "keys could not be fetched");
                fetched.last = Some((ended, Err(why)));
            }
        });
        ended
    }

    /// Waits until the next fetch is due, or is wanted and allowed.
    async fn pause(&self, ended: Instant, failures: u32) {
        let mut due = ended + self.until_due(failures);
        while timeout_at(due, self.wanted.notify.notified()).await.is_ok() {
            if !self.fetched.borrow().ready {
                continue;
            }
            if self.wanted.by_feed.swap(false, Ordering::Relaxed) {
                due = due.min(ended + TOLD_MIN);
            }
            // What a token wanted during a fetch has been fetched by it; what comes too early waits.
            if self.pace.interval <= ended.elapsed() {
                return;
            }
        }
    }

    fn until_due(&self, failures: u32) -> Duration {
        match (self.fetched.borrow().ready, failures) {
            (false, _) => {
                let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
                FIRST_PAUSE.saturating_mul(doubled).min(FIRST_PAUSE_MAX)
            }
            (true, 0) => self.pace.max_age,
            (true, _) => self.pace.interval.min(self.pace.max_age),
        }
    }
}
