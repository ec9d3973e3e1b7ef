//! Asking the authority about a token (RFC 7662).

use super::http::{FetchError, Http};
use bytes::Bytes;
use http::{HeaderValue, Uri};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use symbolon_wire::Introspected;
use tokio::sync::{Mutex as Turn, Semaphore};

/// How many requests may wait for an answer. Inclusive; one more is refused at once, since whatever
/// waits longest in a longer queue would have left before its turn.
pub(crate) const WAITING_MAX: usize = 1024;

/// How many questions may be open at once, over all tokens. Inclusive.
pub(crate) const OPEN_MAX: usize = 64;

/// How many of either may be about tokens of which nothing is known but their form, in hundredths: an opaque token
/// cannot be told from a stranger's text without asking, and whoever sends such text must not keep those from being
/// asked about who were let in before. Inclusive.
const STRANGERS: usize = 50;

/// How long a request waits, its turn included. Inclusive.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(2);

/// What the authority says of a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// Its session lives. The body, which says what else holds of it.
    Active(Bytes),
    /// It does not; introspection tells no reason.
    Inactive,
    /// It could not say.
    None,
}

/// The questions that are open.
///
/// One at a time per token: requests that come while a question is open do not take its answer, which
/// may be older than they are, but share the next one. So nobody is let in by an answer whose question
/// was sent before the request came.
pub(crate) struct Questions {
    http: Arc<Http>,
    authorization: HeaderValue,
    lines: Mutex<HashMap<Box<str>, Arc<Line>>>,
    waiting: Semaphore,
    open: Semaphore,
    strangers_waiting: Semaphore,
    strangers_open: Semaphore,
}

/// A token to be asked about.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) token: &'a str,
    /// It was verified, or the authority has told of it before: it is not just any text.
    pub(crate) is_known: bool,
}

/// Those who ask about one token.
#[derive(Default)]
struct Line {
    /// How many questions were begun.
    begun: AtomicU64,
    /// The last question that was answered: its number, and the answer.
    turn: Turn<Option<(u64, Answer)>>,
}

impl Questions {
    /// `authorization` should be marked sensitive.
    pub(crate) fn new(http: Arc<Http>, authorization: HeaderValue) -> Self {
        Self {
            http,
            authorization,
            lines: Mutex::default(),
            waiting: Semaphore::new(WAITING_MAX),
            open: Semaphore::new(OPEN_MAX),
            strangers_waiting: Semaphore::new(WAITING_MAX * STRANGERS / 100),
            strangers_open: Semaphore::new(OPEN_MAX * STRANGERS / 100),
        }
    }

    /// Asks about a token that was verified, or that has the form of an opaque one: no other text gets here.
    pub(crate) async fn ask(&self, at: &Uri, about: About<'_>) -> Answer {
        let strange = (!about.is_known).then(|| self.strangers_waiting.try_acquire());
        let (Ok(_place), Ok(_among_strangers)) = (self.waiting.try_acquire(), strange.transpose())
        else {
            tracing::warn!(waiting = WAITING_MAX, "too many requests wait for the authority");
            return Answer::None;
        };
        let standing = self.stand(about.token);
        let answer = self.in_turn(&standing.line, at, about);
        tokio::time::timeout(ANSWER_MAX, answer).await.unwrap_or(Answer::None)
    }

    async fn in_turn(&self, line: &Line, at: &Uri, about: About<'_>) -> Answer {
        let begun_before_us = line.begun.load(Ordering::Acquire);
        let mut last = line.turn.lock().await;
        if let Some((number, answer)) = &*last
            && begun_before_us < *number
        {
            return answer.clone();
        }
        let number = line.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let answer = self.question(at, about).await;
        *last = Some((number, answer.clone()));
        answer
    }

    async fn question(&self, at: &Uri, About { token, is_known }: About<'_>) -> Answer {
        let strange = match is_known {
            true => None,
            false => Some(self.strangers_open.acquire().await),
        };
        let (Ok(_among_strangers), Ok(_permit)) = (strange.transpose(), self.open.acquire().await)
        else {
            return Answer::None;
        };
        let form = format!("token={token}&token_type_hint=access_token");
        let answered = self.http.post_form(at, &self.authorization, form, ANSWER_MAX).await;
        match answered.map(read) {
            Ok(answer) => answer,
            Err(why) => {
                log(&why);
                Answer::None
            }
        }
    }

    fn stand(&self, token: &str) -> Standing<'_> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = Arc::clone(lines.entry(token.into()).or_default());
        Standing { questions: self, token: token.into(), line }
    }
}

/// A place in a line; the line goes with the last of them, so there are at most [`WAITING_MAX`].
struct Standing<'q> {
    questions: &'q Questions,
    token: Box<str>,
    line: Arc<Line>,
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        let mut lines = self.questions.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // Two: the map's and ours. Others are only made under this lock.
        if Arc::strong_count(&self.line) <= 2 {
            lines.remove(&self.token);
        }
    }
}

/// What is neither yes nor no is no answer.
fn read(body: Bytes) -> Answer {
    match Introspected::parse(&body) {
        Ok(Introspected::Active(_)) => Answer::Active(body),
        Ok(Introspected::Inactive) => Answer::Inactive,
        Err(why) => {
            tracing::warn!(%why, "the authority's answer about a token cannot be read");
            Answer::None
        }
    }
}

fn log(why: &FetchError) {
    match why {
        FetchError::Status(401 | 403) => {
            tracing::error!(%why, "the API key may not introspect; it needs revocations:read");
        }
        FetchError::Unreachable
        | FetchError::Late
        | FetchError::Status(_)
        | FetchError::Oversized
        | FetchError::Metadata(_)
        | FetchError::Keys(_)
        | FetchError::Feed(_) => tracing::warn!(%why, "a token could not be asked about"),
    }
}
