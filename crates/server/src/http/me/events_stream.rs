//! `GET /v1/me/events` as a stream: what happens to a person's sessions as it happens, and that their own is about to
//! end.

use super::Person;
use crate::app::Live;
use crate::clock::monotonic;
use crate::feed::{Refused, unfolded};
use crate::http::event_view::EventView;
use crate::http::events_stream::COMMENT_EVERY;
use crate::http::feed::{events, refused};
use crate::http::problem::Problem;
use crate::people::{Crowded, Heard, StepUpAsked, Told, Watcher};
use axum::body::Bytes;
use axum::response::Response;
use serde_json::json;
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;
use symbolon_core::session::End;
use symbolon_core::{Duration, Event, Fault, Reason, SessionId, Standing, Timestamp};
use symbolon_wire::session_id_text;
use tokio::sync::watch;

/// How long before its end a person is told that their session is about to end.
pub const WARNED_BEFORE: Duration = Duration::from_secs(120);

/// The most events of the time before the stream began that are told. Inclusive; older ones are in the list.
const BACKLOG_MAX: usize = 100;

/// A person who watches from one of their sessions.
struct Watching {
    live: Live,
    sid: SessionId,
    watcher: Watcher,
    moved: watch::Receiver<u64>,
    backlog: VecDeque<Told>,
    /// What a gate asks for, not told yet.
    asked: Option<Arc<StepUpAsked>>,
    /// The newest that was told.
    told: u64,
    /// When the session must be looked at again: it is about to end then, or over.
    look_at: Timestamp,
    /// The end that was announced.
    announced: Option<Timestamp>,
    is_over: bool,
    /// On the monotonic clock.
    sent_at: Duration,
}

/// Follows after a position; without one, from now on.
///
/// # Errors
/// As many watch as may; the store cannot be read.
pub(super) async fn stream(
    live: &Live,
    person: &Person,
    after: Option<u64>,
) -> Result<Response, Problem> {
    let app = live.now();
    let session = &person.own.session;
    let watcher = app.people.watch(session).map_err(|Crowded| refused(Refused::Crowded))?;
    let mut backlog = VecDeque::new();
    if let Some(after) = after {
        let keep = |event: &Event| event.subject() == Some(&session.subject);
        let history = app.store.history(after, BACKLOG_MAX, keep).await?;
        backlog.extend(history.events.into_iter().map(Arc::new));
    }
    let watching = Watching {
        live: live.clone(),
        sid: session.sid,
        watcher,
        moved: app.feed.moves(),
        backlog,
        asked: None,
        told: after.unwrap_or_default(),
        look_at: Timestamp::default(),
        announced: None,
        is_over: false,
        sent_at: monotonic(),
    };
    Ok(events(unfolded(watching, |watching| Box::pin(watching.next()))))
}

impl Watching {
    /// What is sent next; `None`: the session is over, the process stops, or the reader is too slow.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            if self.is_over || self.live.now().feed.is_closing() {
                return None;
            }
            self.moved.borrow_and_update();
            let frames = self.frames().await?;
            let silent = monotonic().saturating_sub(self.sent_at);
            if !frames.is_empty() || COMMENT_EVERY <= silent {
                self.sent_at = monotonic();
                let bytes = if frames.is_empty() { ":\n\n".to_owned() } else { frames };
                return Some((bytes.into(), self));
            }
            tokio::select! {
                heard = self.watcher.events.recv() => match heard? {
                    Heard::Told(told) => self.backlog.push_back(told),
                    Heard::StepUp(asked) => self.asked = Some(asked),
                },
                // Once a second: for the time, and for the process's end.
                moved = self.moved.changed() => moved.ok()?,
            }
        }
    }

    async fn frames(&mut self) -> Option<String> {
        let mut frames = String::new();
        while let Some(told) = self.backlog.pop_front() {
            let (position, event) = &*told;
            if *position <= self.told {
                continue;
            }
            self.told = *position;
            let data = serde_json::to_string(&EventView::for_person(*position, event)).ok()?;
            write!(frames, "event: event\nid: {position}\ndata: {data}\n\n").ok()?;
            // It may have been the end of this session, or of all.
            self.look_at = Timestamp::default();
        }
        if let Some(asked) = self.asked.take() {
            let data = step_up(self.sid, &asked);
            write!(frames, "event: step_up\ndata: {data}\n\n").ok()?;
        }
        let at = self.live.now().clock.wall();
        if self.look_at <= at
            && let Ok(Some((name, data))) = self.look(at).await
        {
            write!(frames, "event: {name}\ndata: {data}\n\n").ok()?;
        }
        Some(frames)
    }

    /// Looks at the session: what is to be said of its end, if anything.
    async fn look(
        &mut self,
        at: Timestamp,
    ) -> Result<Option<(&'static str, serde_json::Value)>, Fault> {
        let app = self.live.now();
        let sid = session_id_text(self.sid);
        let Some(loaded) = app.store.session(self.sid).await? else {
            self.is_over = true;
            return Ok(None);
        };
        let policy = app.policies.of(&loaded.session.client);
        if let Standing::Ended(End { reason, .. }) | Standing::Over(End { reason, .. }) =
            loaded.standing(&policy, at)
        {
            self.is_over = true;
            let data = json!({"session_id": sid, "reason": reason.as_str()});
            return Ok(Some(("ended", data)));
        }
        let (idle, absolute) =
            (loaded.session.idle_expires_at(&policy), loaded.session.absolute_expires_at(&policy));
        let (end, reason) = match idle < absolute {
            true => (idle, Reason::Idle),
            false => (absolute, Reason::Expired),
        };
        let warned_from = end.before(WARNED_BEFORE);
        if at < warned_from || self.announced == Some(end) {
            self.look_at = if at < warned_from { warned_from } else { end };
            return Ok(None);
        }
        (self.announced, self.look_at) = (Some(end), end);
        let data = json!({
            "session_id": sid, "ends_at": end.as_seconds(), "expires_in": end.since(at).as_secs(),
            "reason": reason.as_str(),
        });
        Ok(Some(("ending", data)))
    }
}

/// In the words of RFC 9470 §3.
fn step_up(sid: SessionId, asked: &StepUpAsked) -> serde_json::Value {
    let mut data = json!({"session_id": session_id_text(sid)});
    if let Some(age) = asked.max_age {
        data["max_age"] = age.as_secs().into();
    }
    if !asked.acr.is_empty() {
        data["acr_values"] = (*asked.acr).into();
    }
    data
}
