//! Scheduled expiry: sessions that end because it is time, such as every night.
//!
//! All times are UTC. An instant is computed from the calendar and not from the run before, so that nobody needs to
//! remember when it ran, only up to which instant it did.

use crate::client::ClientPolicy;
use crate::device::DeviceClass;
use crate::id::ClientId;
use crate::loaded::{Decision, Loaded};
use crate::revocation::{Act, Actor, Reason};
use crate::session::Session;
use crate::time::{Duration, Timestamp};
use std::sync::Arc;

/// A day of the calendar that machines keep: leap seconds are none.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Days of the week, in the order in which 1970-01-01, a Thursday, began them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Weekday {
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
}

impl Weekday {
    /// All of them, from the first day that was counted.
    pub const ALL: [Self; 7] = [
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
    ];

    /// The word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Thursday => "thu",
            Self::Friday => "fri",
            Self::Saturday => "sat",
            Self::Sunday => "sun",
            Self::Monday => "mon",
            Self::Tuesday => "tue",
            Self::Wednesday => "wed",
        }
    }

    /// What a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|day| day.as_str() == word)
    }

    const fn of(day: u64) -> Self {
        Self::ALL[(day % 7) as usize]
    }
}

/// When a schedule is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum When {
    /// At these times of the day, each below 24 h and at least one, on these days; on every day where none is named.
    At(Vec<Duration>, Vec<Weekday>),
    /// Each time that so many whole seconds, at least one, have passed since 1970-01-01.
    Every(Duration),
}

impl When {
    /// The last instant at which it was due: at `at`, or before.
    pub fn last_due(&self, at: Timestamp) -> Timestamp {
        match self {
            Self::Every(every) => {
                let every = every.as_secs().max(1);
                Timestamp::from_seconds(at.as_seconds() / every * every)
            }
            Self::At(times, days) => {
                let today = at.as_seconds() / DAY.as_secs();
                // A week and a day back every time of every day has come.
                let back = (0..=7).filter_map(|back| today.checked_sub(back));
                let named = |day: &u64| days.is_empty() || days.contains(&Weekday::of(*day));
                let instants = back.filter(named).flat_map(|day| {
                    let begins = Timestamp::from_seconds(day * DAY.as_secs());
                    times.iter().map(move |time| begins.after(*time))
                });
                instants.filter(|instant| *instant <= at).max().unwrap_or_default()
            }
        }
    }
}

/// Sessions that end because it is time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// What it is called, in the history too.
    pub name: Arc<str>,
    /// When it is due.
    pub when: When,
    /// Through which clients; empty: through any.
    pub clients: Vec<ClientId>,
    /// On devices of which classes; empty: of any.
    pub device_classes: Vec<DeviceClass>,
    /// Only those that began so long before it was due, or longer.
    pub older_than: Option<Duration>,
    /// Only those that nobody used for so long before it was due, or longer.
    pub unused_for: Option<Duration>,
    /// What the people are told.
    pub reason: Reason,
}

impl Schedule {
    /// Whether it ends a session when it is due at `due`. Whoever signed in since stays, however late it runs.
    pub fn hits(&self, session: &Session, due: Timestamp) -> bool {
        let long_before = |instant: Timestamp, span: Option<Duration>| {
            span.is_none_or(|span| instant.after(span) <= due)
        };
        let of_client = self.clients.is_empty() || self.clients.contains(&session.client);
        let classes = &self.device_classes;
        session.created_at < due
            && of_client
            && (classes.is_empty() || classes.contains(&session.device.class))
            && long_before(session.created_at, self.older_than)
            && long_before(session.last_used_at, self.unused_for)
    }

    fn act(&self) -> Act {
        Act { actor: Actor::Schedule(Arc::clone(&self.name)), ..Act::authority() }
    }
}

impl Loaded {
    /// Ends the session if a schedule that was due at `due` hits it. A timeout that passed before is written as what it
    /// is.
    pub fn end_as_scheduled(
        self,
        schedule: &Schedule,
        due: Timestamp,
        policy: &ClientPolicy,
        at: Timestamp,
    ) -> Decision<bool> {
        match schedule.hits(&self.session, due) {
            true => self.end(schedule.reason, &schedule.act(), policy, at),
            false => Decision::unchanged(false),
        }
    }
}
