//! `GET /v1/events` as a stream: the history as it is written.

use super::auth::Caller;
use super::event_view::EventView;
use super::events::{Wanted, reaches};
use super::feed::{events, refused};
use super::problem::Problem;
use crate::app::App;
use crate::clock::monotonic;
use crate::feed::unfolded;
use crate::standing::Standing;
use axum::body::Bytes;
use axum::response::Response;
use std::fmt::Write;
use std::sync::Arc;
use symbolon_core::{Duration, Event};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

/// After so long without an event a comment is sent: it keeps proxies from closing what is silent, and finds
/// out who has left.
pub const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// The most events that are sent at once. Inclusive.
const PART_MAX: usize = 100;

/// Who follows the history.
struct Watching {
    app: Arc<App>,
    caller: Caller,
    standing: Standing,
    wanted: Wanted,
    after: u64,
    moved: watch::Receiver<u64>,
    /// On the monotonic clock.
    sent_at: Duration,
    _counted: OwnedSemaphorePermit,
}

/// Follows the history after a position; without one, from now on.
///
/// # Errors
/// As many follow as may.
pub(super) fn stream(
    app: Arc<App>,
    caller: Caller,
    wanted: Wanted,
    after: Option<u64>,
) -> Result<Response, Problem> {
    let (moved, counted) = app.feed.watch().map_err(refused)?;
    let after = after.unwrap_or_else(|| head(&app));
    let sent_at = monotonic();
    let standing = Standing::of(&app.store, caller.key());
    let from = Watching { app, caller, standing, wanted, after, moved, sent_at, _counted: counted };
    Ok(events(unfolded(from, |watching| Box::pin(watching.next()))))
}

fn head(app: &App) -> u64 {
    *app.store.heads().borrow()
}

impl Watching {
    /// What is sent next; `None`: the process stops, the caller may not read it any more, or the store cannot be read, and who comes back goes on.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        // The feed moves each second, whether or not anything happened.
        while !self.app.feed.is_closing() && self.standing.holds().await {
            self.moved.borrow_and_update();
            let (frames, is_all) = self.part().await?;
            if frames.is_empty() && is_all {
                let silent = monotonic().saturating_sub(self.sent_at);
                let left = COMMENT_EVERY.saturating_sub(silent);
                if !left.is_zero() {
                    // Whichever comes first, the next look tells.
                    let _ = timeout(left, self.moved.changed()).await;
                    continue;
                }
            }
            if !frames.is_empty() || is_all {
                self.sent_at = monotonic();
                let bytes = if frames.is_empty() { ":\n\n".to_owned() } else { frames };
                return Some((bytes.into(), self));
            }
        }
        None
    }

    /// The events that come next, as frames, and whether the newest was looked at.
    async fn part(&mut self) -> Option<(String, bool)> {
        // Read before: what is committed meanwhile is for the next look.
        let head = head(&self.app);
        let keep = |event: &Event| reaches(&self.caller, event) && self.wanted.holds(event);
        let history = self.app.store.history(self.after, PART_MAX, keep).await.ok()?;
        let mut frames = String::new();
        for (position, event) in &history.events {
            let data = serde_json::to_string(&EventView::new(*position, event)).ok()?;
            write!(frames, "event: event\nid: {position}\ndata: {data}\n\n").ok()?;
        }
        let last = history.events.last().map_or(self.after, |(position, _)| *position);
        self.after = history.next.unwrap_or(head.max(last)).max(self.after);
        Some((frames, history.next.is_none()))
    }
}
