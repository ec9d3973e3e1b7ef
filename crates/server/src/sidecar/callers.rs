//! Who may follow the feed here: API keys, which the authority alone can judge, and whose judgement is remembered.

use super::upstream::{NoAnswer, Upstream};
use crate::clock::monotonic;
use crate::http::auth::bearer;
use crate::http::problem::Problem;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use symbolon_core::Duration;
use symbolon_wire::sha256;
use tokio::sync::Semaphore;

/// How long a key is good without asking again. Exclusive.
pub const KNOWN_FOR: Duration = Duration::from_secs(60);

/// How long a key is good while the authority cannot be asked. Exclusive: an outage must not close what runs, and all
/// that can be read with such a key here are digests of what is revoked.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How many keys are remembered. Inclusive; beyond it the one that was judged first is forgotten.
pub const KEYS_MAX: usize = 1024;

/// How many keys the authority may be asked about at once. Inclusive; a stranger who tries more is refused at once, and
/// takes no turn from those who follow.
pub const JUDGED_MAX: usize = 16;

/// What only a key of the right scope may ask, and costs nothing to answer.
const PROBE: (&str, &[u8]) = ("/v1/feed/ended", br#"{"sids":[]}"#);

/// The longest key that is looked at, in bytes. Inclusive.
const KEY_BYTES_MAX: usize = 256;

/// The keys that the authority found good, by their digests, and when.
pub(super) struct Callers {
    own: [u8; 32],
    good: Mutex<HashMap<[u8; 32], Duration>>,
    judging: Semaphore,
    /// For those that were good before: strangers take no turn of theirs.
    judging_again: Semaphore,
}

impl Callers {
    /// The sidecar's own key is good here as long as the sidecar is.
    pub(super) fn new(own: &str) -> Self {
        Self {
            own: sha256(own.as_bytes()).0,
            good: Mutex::default(),
            judging: Semaphore::new(JUDGED_MAX),
            judging_again: Semaphore::new(JUDGED_MAX),
        }
    }

    /// Finds out whether a request shows a good key: what is then passed up with it, the authority judges again.
    ///
    /// # Errors
    /// There is none, the authority does not take it, or cannot be asked about one that it has not taken lately.
    pub(super) async fn check(
        &self,
        upstream: &Upstream,
        headers: &HeaderMap,
    ) -> Result<HeaderValue, Problem> {
        let unknown = || Problem::unauthorized("Send `Authorization: Bearer sym_ak_…`.");
        let key = bearer(headers).filter(|key| key.len() <= KEY_BYTES_MAX).ok_or_else(unknown)?;
        let mut shown = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| unknown())?;
        shown.set_sensitive(true);
        // Compared by its digest: what a comparison takes longer for tells nothing about the key.
        let digest = sha256(key.as_bytes()).0;
        if digest == self.own || self.is_good_for(&digest, KNOWN_FOR) {
            return Ok(shown);
        }
        let turns = match self.is_good_for(&digest, KEPT_FOR) {
            true => &self.judging_again,
            false => &self.judging,
        };
        let judged = match turns.try_acquire() {
            Ok(_turn) => probe(upstream, &shown).await,
            Err(_) => Err(NoAnswer::Crowded),
        };
        match judged {
            Ok(Ok(())) => {
                self.remember(digest);
                Ok(shown)
            }
            Ok(Err(refused)) => {
                self.good().remove(&digest);
                Err(refused)
            }
            // Only an outage makes it good for longer: how many ask is up to those who ask.
            Err(NoAnswer::Unreachable | NoAnswer::Late) if self.is_good_for(&digest, KEPT_FOR) => {
                Ok(shown)
            }
            Err(why) => Err(why.into()),
        }
    }

    fn is_good_for(&self, digest: &[u8; 32], span: Duration) -> bool {
        let judged = self.good().get(digest).copied();
        judged.is_some_and(|at| monotonic().saturating_sub(at) < span)
    }

    fn remember(&self, digest: [u8; 32]) {
        let mut good = self.good();
        if good.len() >= KEYS_MAX && !good.contains_key(&digest) {
            let first = good.iter().min_by_key(|(_, at)| **at).map(|(digest, _)| *digest);
            first.map(|first| good.remove(&first));
        }
        good.insert(digest, monotonic());
    }

    fn good(&self) -> MutexGuard<'_, HashMap<[u8; 32], Duration>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the authority about a key: `Ok(Err)` is its refusal.
///
/// # Errors
/// It could not be asked, or could not tell.
pub(super) async fn probe(
    upstream: &Upstream,
    authorization: &HeaderValue,
) -> Result<Result<(), Problem>, NoAnswer> {
    let (path, question) = PROBE;
    let answer = upstream.post(path, authorization, Bytes::from_static(question)).await?;
    match answer.status {
        StatusCode::OK => Ok(Ok(())),
        // The word of the authority, and not of a proxy before it.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if answer.is_of_an_authority() => {
            Ok(answer.or_refusal().map(drop))
        }
        _ => Err(NoAnswer::Unreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_keys_are_remembered_than_stated() {
        let callers = Callers::new("own");
        for number in 0..=KEYS_MAX {
            callers.remember(sha256(&number.to_be_bytes()).0);
        }
        assert_eq!(callers.good().len(), KEYS_MAX);
        assert!(callers.is_good_for(&sha256(&KEYS_MAX.to_be_bytes()).0, KNOWN_FOR));
        assert!(!callers.is_good_for(&sha256(&KEYS_MAX.to_be_bytes()).0, Duration::ZERO));
    }

    #[tokio::test]
    async fn a_crowd_of_strangers_neither_keeps_a_known_key_out_nor_makes_it_good_for_longer() {
        let nowhere = Upstream::new("http://127.0.0.1:1").unwrap();
        let callers = Callers::new("own");
        let digest = sha256(b"known").0;
        callers.remember(digest);
        let strangers = callers.judging.try_acquire_many(JUDGED_MAX as u32).unwrap();
        let headers = |key: &str| {
            let value = format!("Bearer {key}").parse().unwrap();
            HeaderMap::from_iter([(axum::http::header::AUTHORIZATION, value)])
        };
        assert!(callers.check(&nowhere, &headers("stranger")).await.is_err());
        assert!(callers.check(&nowhere, &headers("known")).await.is_ok());
        let Some(early) = monotonic().checked_sub(KNOWN_FOR) else { return };
        callers.good().insert(digest, early);
        assert!(callers.check(&nowhere, &headers("known")).await.is_ok(), "an outage");
        let known = callers.judging_again.try_acquire_many(JUDGED_MAX as u32).unwrap();
        assert!(callers.check(&nowhere, &headers("known")).await.is_err(), "no outage");
        drop((strangers, known));
    }

    #[tokio::test]
    async fn its_own_key_is_good_and_a_stranger_is_not_while_nobody_can_be_asked() {
        let nowhere = Upstream::new("http://127.0.0.1:1").unwrap();
        let callers = Callers::new("sym_ak_own");
        let shows = |key: &str| {
            let value = format!("Bearer {key}").parse().unwrap();
            HeaderMap::from_iter([(axum::http::header::AUTHORIZATION, value)])
        };
        assert!(callers.check(&nowhere, &shows("sym_ak_own")).await.is_ok());
        assert!(callers.check(&nowhere, &shows("sym_ak_other")).await.is_err());
        callers.remember(sha256(b"sym_ak_other").0);
        assert!(callers.check(&nowhere, &shows("sym_ak_other")).await.is_ok());
        assert!(callers.check(&nowhere, &HeaderMap::new()).await.is_err());
    }
}
