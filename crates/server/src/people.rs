//! People who watch what happens to their sessions, and who is online: one reader of the history tells both what
//! concerns them, so that a million events for others cost those who watch nothing.

use crate::app::Live;
use crate::http::Stop;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use symbolon_core::{ClientId, Duration, Event, Session, SessionId, Subject, Target};
use symbolon_store::EVENTS_MAX;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

/// How many streams of people may be open at once. Inclusive.
pub const WATCHING_MAX: usize = 4096;

/// How many of them one session may hold. Inclusive: a browser's tabs, and no more.
pub const WATCHING_EACH_MAX: usize = 8;

/// How many events wait for one who reads slowly. Inclusive; one more ends the stream, and who comes back goes on.
const WAITING_MAX: usize = 64;

/// How often one who watches is told at the most that a gate asks for more. Inclusive: a page that asks in a loop is told
/// once.
const STEP_UP_EVERY: Duration = Duration::from_secs(5);

/// How long to wait before the store is asked again that could not be read.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// An event and its position in the history.
pub type Told = Arc<(u64, Event)>;

/// What one who watches hears.
pub enum Heard {
    /// What happened to their sessions.
    Told(Told),
    /// A gate lets their session in no further before they have proved more.
    StepUp(Arc<StepUpAsked>),
}

/// What a gate asks for (RFC 9470).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepUpAsked {
    /// How long ago the authentication may be.
    pub max_age: Option<Duration>,
    /// The levels of which one suffices, separated by one space; may be empty.
    pub acr: Box<str>,
}

/// Who watches, by whose sessions they are.
#[derive(Default)]
pub struct People {
    seats: Mutex<HashMap<Subject, Vec<Seat>>>,
    taken: AtomicU64,
}

/// A place of one who watches.
struct Seat {
    number: u64,
    sid: SessionId,
    client: ClientId,
    sender: Sender<Heard>,
    /// When a step-up was told last, on the monotonic clock.
    stepped_up: Option<Duration>,
}

/// One who watches; the place is free again when this goes.
pub struct Watcher {
    /// What concerns them, oldest first. It ends for one who reads too slowly.
    pub events: Receiver<Heard>,
    people: Arc<People>,
    subject: Subject,
    number: u64,
}

/// As many watch as may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crowded;

impl People {
    /// Takes a place for whoever asks from this session.
    ///
    /// # Errors
    /// There is none left, for this session or for anybody.
    pub fn watch(self: &Arc<Self>, session: &Session) -> Result<Watcher, Crowded> {
        let (sender, events) = channel(WAITING_MAX);
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let mut seats = self.seats();
        if WATCHING_MAX <= seats.values().map(Vec::len).sum() {
            return Err(Crowded);
        }
        let own = seats.entry(session.subject.clone()).or_default();
        if WATCHING_EACH_MAX <= own.iter().filter(|seat| seat.sid == session.sid).count() {
            return Err(Crowded);
        }
        let (sid, client) = (session.sid, session.client.clone());
        own.push(Seat { number, sid, client, sender, stepped_up: None });
        let (people, subject) = (Arc::clone(self), session.subject.clone());
        Ok(Watcher { events, people, subject, number })
    }

    /// How many watch.
    pub fn len(&self) -> usize {
        self.seats().values().map(Vec::len).sum()
    }

    /// Whether nobody does.
    pub fn is_empty(&self) -> bool {
        self.seats().is_empty()
    }

    /// Tells whom it concerns. Who has no room for it loses the place, and with it the stream.
    fn tell(&self, told: &Told) {
        let event = &told.1;
        let mut seats = self.seats();
        let hear = |seat: &Seat| seat.sender.try_send(Heard::Told(Arc::clone(told))).is_ok();
        match &event.target {
            Target::Client(client, _) => seats.values_mut().for_each(|own| {
                own.retain(|seat| seat.client != *client || hear(seat));
            }),
            Target::Everything(_) => seats.values_mut().for_each(|own| own.retain(hear)),
            Target::Token(_)
            | Target::Session(_)
            | Target::Subject(..)
            | Target::Key(_)
            | Target::Nothing(_) => {
                if let Some(own) = event.subject().and_then(|subject| seats.get_mut(subject)) {
                    own.retain(hear);
                }
            }
        }
        seats.retain(|_, own| !own.is_empty());
    }

    /// Tells those who watch from a session that a gate asks them for more. Nothing of it is written down, and who has
    /// no room for it hears of it at the next refusal.
    pub fn ask_for_more(
        &self,
        (subject, sid): (&Subject, SessionId),
        asked: &Arc<StepUpAsked>,
        now: Duration,
    ) {
        let mut seats = self.seats();
        let own = seats.get_mut(subject).into_iter().flatten().filter(|seat| seat.sid == sid);
        for seat in own {
            let due = |last: Duration| STEP_UP_EVERY <= now.saturating_sub(last);
            if seat.stepped_up.is_none_or(due) {
                let told = seat.sender.try_send(Heard::StepUp(Arc::clone(asked)));
                seat.stepped_up = told.is_ok().then_some(now).or(seat.stepped_up);
            }
        }
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<Subject, Vec<Seat>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut seats = self.people.seats();
        if let Some(own) = seats.get_mut(&self.subject) {
            own.retain(|seat| seat.number != self.number);
            if own.is_empty() {
                seats.remove(&self.subject);
            }
        }
    }
}

/// Reads the history as it is written and tells it on, until told to stop.
pub async fn run(live: Live, mut stop: Stop) {
    let reading = async {
        let app = live.now();
        let (store, people) = (app.store.clone(), Arc::clone(&app.people));
        let (mut heads, mut after) = (store.heads(), store.head());
        while heads.changed().await.is_ok() {
            let head = *heads.borrow_and_update();
            // A store that lost its last writes goes on before where it was.
            after = after.min(head);
            while after < head {
                let Ok(events) = store.events_after(after, EVENTS_MAX).await else {
                    // Only its end is waited for.
                    let _ = timeout(AGAIN, std::future::pending::<()>()).await;
                    continue;
                };
                let Some((last, _)) = events.last() else { break };
                after = *last;
                for event in events {
                    app.presence.hear(&event.1);
                    people.tell(&Arc::new(event));
                }
            }
        }
    };
    tokio::select! {
        () = reading => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
