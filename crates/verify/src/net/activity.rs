//! The task that tells the authority which sessions were used.

use super::feed::{jitter, rest};
use super::http::{FetchError, Http};
use super::url::Issuer;
use crate::activity::Activity;
use crate::verifier::Expected;
use http::HeaderValue;
use std::sync::Arc;
use std::time::Duration;
use symbolon_core::{SessionId, Timestamp};
use symbolon_wire::session_id_text;

/// The longest that a use waits before it is told for the first time. Inclusive; half of it at least, so that
/// verifiers which started together do not tell together.
const EVERY: Duration = Duration::from_secs(60);

/// How many uses are told at once. Inclusive; the authority refuses more.
const USES_MAX: usize = 1000;

/// How often a telling may fail before what is left waits for the next. Inclusive.
const FAILURES_MAX: u32 = 3;

/// Between tries.
const AGAIN: Duration = Duration::from_secs(2);

/// How long an answer may take, and how long it may be in bytes. Inclusive.
const LIMITS: (usize, Duration) = (4096, Duration::from_secs(10));

/// Who tells.
pub(super) struct Reporter {
    pub(super) http: Arc<Http>,
    pub(super) issuer: Issuer,
    pub(super) authorization: HeaderValue,
    pub(super) expected: Arc<Expected>,
}

impl Reporter {
    /// Runs until it is aborted.
    pub(super) async fn run(self) {
        loop {
            rest(jitter(EVERY)).await;
            if let Some(activity) = &self.expected.activity {
                self.tell(activity).await;
            }
        }
    }

    async fn tell(&self, activity: &Activity) {
        let mut failures = 0;
        loop {
            let uses = activity.take(USES_MAX);
            if uses.is_empty() {
                return;
            }
            match self.post(&uses).await {
                Ok(()) => {}
                Err(FetchError::Status(status @ (400 | 401 | 403 | 404 | 413))) => {
                    // The next try would go no better; what was used is used again.
                    tracing::error!(status, "the authority takes no reports of activity from here");
                    activity.drop_all(&uses);
                    return;
                }
                Err(why) => {
                    failures += 1;
                    tracing::warn!(%why, failures, "the use of sessions could not be reported");
                    activity.give_back(uses);
                    if FAILURES_MAX <= failures {
                        return;
                    }
                    rest(jitter(AGAIN)).await;
                }
            }
        }
    }

    async fn post(&self, uses: &[(SessionId, Timestamp)]) -> Result<(), FetchError> {
        let one = |(sid, at): &(SessionId, Timestamp)| {
            let session_id = session_id_text(*sid);
            serde_json::json!({"session_id": session_id, "at": at.as_seconds()})
        };
        let uses: Vec<_> = uses.iter().map(one).collect();
        let body = serde_json::json!({ "uses": uses }).to_string();
        let at = self.issuer.at("/v1/activity");
        self.http.post_json(&at, &self.authorization, body, LIMITS).await.map(|_| ())
    }
}
