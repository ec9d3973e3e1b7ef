//! What is done beside following: asking for the time, reporting, asking about sessions after a gap.

use super::super::http::FetchError;
use super::Shared;
use super::lead::rest;
use super::random::{draw, jitter};
use crate::Reason;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How often it is looked whether the authority should be asked for the time.
const TICK: Duration = Duration::from_millis(500);

/// How long an answer may take. Inclusive; what is slower tells little about the time.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The longest answer, in bytes. Inclusive.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The least between two reports, but for those that somebody waits for: short enough that a bound of a second has not
/// passed when the next one comes.
const REPORT_EVERY_MIN: Duration = Duration::from_millis(300);

/// How many sessions are asked about in one call. Inclusive; the authority refuses more.
const SIDS_MAX: usize = 1000;

/// Between tries to ask about sessions.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Knows what time it is at the authority.
pub(super) async fn keep_time(shared: Arc<Shared>) {
    loop {
        // Whichever came first, the tick or the call.
        let _ = timeout(TICK, shared.time.notified()).await;
        let Some(entropy) = draw() else { continue };
        let now = (shared.options.clock)();
        let question = shared.free_follower().and_then(|mut free| free.ask_time(entropy, now));
        if let Some(question) = question {
            shared.ask_for_the_time(&question.path()).await;
        }
    }
}

/// Tells the authority what was applied, on time and when somebody waits.
pub(super) async fn report(shared: Arc<Shared>) {
    let every = (shared.expected.max_staleness / 3).max(REPORT_EVERY_MIN);
    loop {
        // As above.
        let _ = timeout(every, shared.report.notified()).await;
        if let Some(report) = shared.what_to_report() {
            let at = shared.at("/v1/feed/applied");
            if let Err(why) = shared.post(&at, &report).await {
                tracing::debug!(%why, "what was applied could not be reported");
            }
        }
    }
}

/// After a resync asks about the sessions whose end somebody waits for.
pub(super) async fn ask_for_the_ended(shared: Arc<Shared>) {
    let sessions = &shared.expected.sessions;
    loop {
        sessions.unsure.notified().await;
        loop {
            let sids = sessions.to_ask(SIDS_MAX);
            if sids.is_empty() {
                break;
            }
            let question = serde_json::json!({ "sids": sids });
            match shared.post(&shared.at("/v1/feed/ended"), &question).await {
                Ok(answer) => ended(&answer).for_each(|(sid, reason)| sessions.end(&sid, reason)),
                Err(why) => {
                    tracing::warn!(%why, "sessions that are waited for could not be asked about");
                    sessions.ask_again(&sids);
                    rest(jitter(ASK_AGAIN)).await;
                }
            }
        }
    }
}

impl Shared {
    async fn ask_for_the_time(&self, path: &str) {
        let at = self.at(path);
        let answer =
            self.http.get_with(&at, &self.authorization, ANSWER_BYTES_MAX, ANSWER_MAX).await;
        let taken = answer.and_then(|bytes| {
            // While a snapshot is taken there is nothing that this would be the age of.
            let Some(mut follower) = self.free_follower() else { return Ok(()) };
            follower.on_time(&bytes, (self.options.clock)()).map_err(FetchError::Feed)
        });
        match taken {
            Ok(()) => self.look_ready(),
            Err(why) => tracing::debug!(%why, "the authority's time could not be had"),
        }
    }

    /// Nothing before the mirror is whole: until then nobody is let in by it.
    fn what_to_report(&self) -> Option<Value> {
        let (age, cursor) = (self.age()?, self.free_follower()?.cursor()?);
        Some(serde_json::json!({
            "instance": self.instance,
            "cursor": cursor,
            "max_staleness_ms": millis(self.expected.max_staleness),
            "offline_routes": self.options.offline_routes,
            "age_ms": millis(age),
        }))
    }

    async fn post(&self, at: &http::Uri, body: &Value) -> Result<bytes::Bytes, FetchError> {
        let limit = (ANSWER_BYTES_MAX, ANSWER_MAX);
        self.http.post_json(at, &self.authorization, body.to_string(), limit).await
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The sessions that an answer says are over. An unknown reason is an end all the same.
fn ended(answer: &[u8]) -> impl Iterator<Item = (String, Reason)> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let ended = answer.get("ended").and_then(Value::as_array).cloned().unwrap_or_default();
    ended.into_iter().filter_map(|one| {
        let reason = one.get("reason").and_then(Value::as_str).and_then(Reason::parse);
        let sid = one.get("session_id").and_then(Value::as_str)?;
        Some((sid.to_owned(), reason.unwrap_or(Reason::Admin)))
    })
}
