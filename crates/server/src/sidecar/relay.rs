//! The feed for those behind: what the sidecar's own verifier heard and verified, frame by frame as it was signed.
//!
//! It holds the authority's newest snapshot and every frame since. When a part of those would leave what is kept, when
//! the key may be gone that signed the snapshot, and when what comes does not go on from what came, it fetches a newer
//! snapshot.

use super::upstream::{NoAnswer, Upstream};
use crate::feed::{FRAMES_MAX, Feed, TICK};
use crate::http::Stop;
use axum::http::HeaderValue;
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use symbolon_core::Duration;
use symbolon_verify::Relay as Heard;
use symbolon_wire::feed::{Cursor, Frame, FrameReader, Snapshot};
use symbolon_wire::{KeySet, Malformed};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How far the feed may go on after the newest snapshot until another is fetched: half of what is kept, so that there
/// is time to fetch it. Inclusive.
const BEHIND_MAX: u64 = FRAMES_MAX as u64 / 2;

/// How long a snapshot that is ahead of the stream is kept for it. Inclusive.
const AHEAD_MAX: Duration = Duration::from_secs(5);

/// Between two tries to fetch a snapshot.
const AGAIN: Duration = Duration::from_secs(2);

/// The feed for those behind.
#[derive(Default)]
pub(super) struct Relay {
    /// What they follow.
    pub(super) feed: Arc<Feed>,
    reader: Mutex<FrameReader>,
    newest: Mutex<Option<Newest>>,
    rounds: AtomicU64,
    /// A newer snapshot is needed.
    wanted: Notify,
    why: AtomicU8,
    /// How often the authority said that its keys changed.
    pub(super) keys_changed: AtomicU64,
    /// The process stops: nobody is let in again.
    stopped: AtomicBool,
}

/// The keys changed: who begins with the newest snapshot may not find the one that signed it.
const RESIGN: u8 = 1;

/// What came does not go on from what came before.
const ELSEWHERE: u8 = 2;

/// A snapshot, and where it stands.
#[derive(Clone)]
struct Newest {
    bytes: Bytes,
    cursor: Cursor,
}

/// A snapshot that is shared with the verifier which took it.
struct Whole(Arc<Vec<u8>>);

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Relay {
    /// Takes what the verifier heard.
    pub(super) fn hear(&self, heard: Heard<'_>) {
        match heard {
            Heard::Snapshot(bytes) => self.begin(Bytes::from_owner(Whole(bytes))),
            Heard::Frames(bytes) => {
                self.pass_on(bytes);
                if self.stopped.load(Ordering::Acquire) {
                    self.feed.pause();
                }
            }
            Heard::Lost => {
                *self.reader() = FrameReader::default();
                self.feed.pause();
            }
            _ => {}
        }
    }

    /// Sends everybody away for good.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.feed.pause();
    }

    /// The newest snapshot, if the feed still goes on from it.
    pub(super) fn snapshot(&self) -> Option<Bytes> {
        let newest = self.newest().clone();
        newest.filter(|newest| self.feed.holds(newest.cursor)).map(|newest| newest.bytes)
    }

    /// Fetches newer snapshots when they are needed, until told to stop. `keys` gives the key set as it is published.
    pub(super) async fn keep_fresh<K>(
        &self,
        upstream: &Upstream,
        authorization: &HeaderValue,
        keys: impl Fn() -> K,
        mut stop: Stop,
    ) where
        K: Future<Output = Option<KeySet>>,
    {
        let keeping = async {
            loop {
                self.wanted.notified().await;
                while self.is_behind() || self.why.load(Ordering::Acquire) != 0 {
                    // What is noted from here on is about the next one.
                    let why = self.why.swap(0, Ordering::AcqRel);
                    let (fetched, keys) = (upstream.snapshot(authorization).await, keys().await);
                    if !self.take(fetched.map(|answer| answer.body), keys, why).await {
                        self.why.fetch_or(why, Ordering::AcqRel);
                        tracing::warn!("a newer snapshot for those behind could not be had");
                        // Nothing but time is waited for.
                        let _ = timeout(AGAIN, std::future::pending::<()>()).await;
                    }
                }
            }
        };
        tokio::select! {
            () = keeping => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    fn begin(&self, bytes: Bytes) {
        *self.reader() = FrameReader::default();
        // It was verified by whoever passes it on.
        match unverified_cursor(&bytes) {
            Ok(cursor) => {
                let round = self.rounds.fetch_add(1, Ordering::Relaxed) + 1;
                self.feed.begin_at(round, cursor);
                *self.newest() = Some(Newest { bytes, cursor });
            }
            Err(why) => tracing::error!(%why, "a snapshot was taken that cannot be passed on"),
        }
    }

    fn pass_on(&self, bytes: &[u8]) {
        let mut frames = Vec::new();
        {
            let mut reader = self.reader();
            reader.push(bytes);
            while let Some(Ok((frame, text))) = reader.next_with_text() {
                let text = Bytes::copy_from_slice(text);
                frames.push((frame, text));
            }
        }
        if frames.iter().any(|(frame, _)| matches!(frame, Frame::Key(_))) {
            // Before those behind hear of it and fetch them.
            self.keys_changed.fetch_add(1, Ordering::Release);
            self.why.fetch_or(RESIGN, Ordering::AcqRel);
        }
        if self.feed.pass_on(frames).is_err() {
            // Until a snapshot has come nobody is told anything that has a hole.
            self.feed.pause();
            self.why.fetch_or(ELSEWHERE, Ordering::AcqRel);
            tracing::warn!("what was heard does not go on from what was passed on; beginning anew");
        }
        if self.is_behind() || self.why.load(Ordering::Acquire) != 0 {
            self.wanted.notify_one();
        }
    }

    fn is_behind(&self) -> bool {
        let newest = self.newest().as_ref().map(|newest| newest.cursor.position);
        let head = self.feed.head_position();
        newest.zip(head).is_some_and(|(newest, head)| BEHIND_MAX <= head.saturating_sub(newest))
    }

    /// Takes a snapshot that was fetched, once the feed has come to where it stands. `false`: it is of no use.
    async fn take(&self, fetched: Result<Bytes, NoAnswer>, keys: Option<KeySet>, why: u8) -> bool {
        let (Ok(bytes), Some(keys)) = (fetched, keys) else { return false };
        let whole = bytes.clone();
        let read = move || Snapshot::read(&keys, &whole).map(|read| read.checkpoint.cursor).ok();
        // A million entries take a while to digest: not on a thread that others need.
        let Ok(Some(cursor)) = spawn_blocking(read).await else { return false };
        if why & ELSEWHERE != 0 {
            self.begin(bytes);
            return true;
        }
        let reaching = async {
            while !self.feed.holds(cursor) {
                self.feed.next_move().await;
            }
        };
        let reached = timeout(AHEAD_MAX.max(TICK), reaching).await.is_ok();
        if reached {
            *self.newest() = Some(Newest { bytes, cursor });
        }
        reached
    }

    fn reader(&self) -> MutexGuard<'_, FrameReader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn newest(&self) -> MutexGuard<'_, Option<Newest>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a snapshot says that it stands.
fn unverified_cursor(bytes: &[u8]) -> Result<Cursor, Malformed> {
    let end = bytes.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n');
    let line = end.map(|end| &bytes[..end]).unwrap_or_default();
    let line: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
    let cursor = line.get("cursor").and_then(serde_json::Value::as_str).unwrap_or_default();
    Cursor::parse(cursor)
}

/// The longest first line of a snapshot, in bytes. Inclusive.
const LINE_BYTES_MAX: usize = 8 * 1024;
