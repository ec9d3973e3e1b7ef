//! Who is online: which sessions this process saw in use lately, by what it does anyway.
//!
//! Nothing is written for it and nobody is asked: a sign-in, a renewal, an introspection that counts as use and the
//! reports of verifiers are noted in memory. So it is as exact as clients renew and verifiers report, it is of this
//! process alone, and it begins anew with it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use symbolon_core::device::DeviceClass;
use symbolon_core::{
    ClientId, Duration, Effect, Event, Session, SessionId, Subject, Target, Timestamp,
};

/// The longest look back. Inclusive; what was not seen for so long is forgotten.
pub const LOOK_BACK_MAX: Duration = Duration::from_secs(60 * 60);

/// How many sessions are remembered. Inclusive; beyond it no other is noted until some are forgotten, and the answer
/// says so.
pub const REMEMBERED_MAX: usize = 262_144;

/// How many subjects may wait to be taken out. Inclusive.
const GONE_MAX: usize = 4096;

/// How often what is too old is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// The sessions that were seen lately.
#[derive(Default)]
pub struct Presence(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    by_session: HashMap<SessionId, Online>,
    /// Whose sessions all ended, and when: they are taken out together, since each costs a look at all.
    gone: HashMap<Subject, Timestamp>,
    forgot_at: Timestamp,
    /// When one was not noted for want of room; zero if none was lately.
    missed_at: Timestamp,
}

/// A session that was seen.
#[derive(Clone)]
pub struct Online {
    /// Whose.
    pub subject: Subject,
    /// Through which application.
    pub client: ClientId,
    /// On a device of this class.
    pub class: DeviceClass,
    /// When it was seen last.
    pub at: Timestamp,
}

impl Online {
    /// That a session was seen at that instant.
    pub fn of(session: &Session, at: Timestamp) -> Self {
        let (subject, client) = (session.subject.clone(), session.client.clone());
        Self { subject, client, class: session.device.class, at }
    }
}

/// Who was seen.
pub struct Present {
    /// The sessions, in no order.
    pub sessions: Vec<(SessionId, Online)>,
    /// Whether all that were in use are among them, as far as this process was told.
    pub is_whole: bool,
}

impl Presence {
    /// A session was in use.
    pub fn note(&self, sid: SessionId, online: Online) {
        let mut seen = self.seen();
        seen.forget(online.at);
        let is_full = REMEMBERED_MAX <= seen.by_session.len();
        if let Some(known) = seen.by_session.get_mut(&sid) {
            known.at = known.at.max(online.at);
        } else if is_full {
            seen.missed_at = online.at;
        } else {
            seen.by_session.insert(sid, online);
        }
    }

    /// What ended sessions takes them away.
    pub fn hear(&self, event: &Event) {
        if event.effect != Effect::Revoked {
            return;
        }
        let mut seen = self.seen();
        match &event.target {
            Target::Session(sid) => drop(seen.by_session.remove(sid)),
            Target::Subject(subject, _) => seen.forget_subject(subject, event.at),
            Target::Client(client, _) => {
                seen.by_session.retain(|_, online| online.client != *client);
            }
            Target::Everything(_) => seen.by_session.clear(),
            Target::Token(_) | Target::Key(_) | Target::Nothing(_) => {}
        }
    }

    /// Those that were seen since then and that are wanted.
    pub fn since(&self, since: Timestamp, wanted: impl Fn(&Online) -> bool) -> Present {
        let seen = self.seen();
        let is_wanted =
            |online: &Online| since <= online.at && !seen.is_gone(online) && wanted(online);
        let sessions = seen.by_session.iter().filter(|(_, online)| is_wanted(online));
        let sessions = sessions.map(|(sid, online)| (*sid, online.clone())).collect();
        Present { sessions, is_whole: seen.missed_at < since }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn forget(&mut self, at: Timestamp) {
        if FORGET_EVERY <= at.since(self.forgot_at) {
            self.forgot_at = at;
            self.sweep(at.before(LOOK_BACK_MAX));
        }
    }

    fn forget_subject(&mut self, subject: &Subject, at: Timestamp) {
        self.gone.insert(subject.clone(), at);
        if GONE_MAX < self.gone.len() {
            self.sweep(Timestamp::default());
        }
    }

    fn sweep(&mut self, oldest: Timestamp) {
        let mut by_session = std::mem::take(&mut self.by_session);
        by_session.retain(|_, online| oldest <= online.at && !self.is_gone(online));
        self.by_session = by_session;
        self.gone.clear();
    }

    /// Whether it was seen before all of its subject's sessions ended.
    fn is_gone(&self, online: &Online) -> bool {
        self.gone.get(&online.subject).is_some_and(|at| online.at <= *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use symbolon_core::{Act, Below, Reason, StoreEpoch};

    fn s(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000 + seconds)
    }

    fn online(subject: &str, at: Timestamp) -> Online {
        let client = ClientId::parse("web").ok().unwrap();
        Online {
            subject: Subject::parse(subject).ok().unwrap(),
            client,
            class: DeviceClass::Web,
            at,
        }
    }

    fn sid(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn event(target: Target, at: Timestamp) -> Event {
        let (act, effect, reason) = (Act::authority(), Effect::Revoked, Reason::Kicked);
        Event { at, target, whose: None, effect, reason, expires_at: at, act }
    }

    fn of(presence: &Presence, since: Timestamp) -> usize {
        presence.since(since, |_| true).sessions.len()
    }

    #[test]
    fn who_was_seen_lately_is_online_and_who_ended_is_not() {
        let presence = Presence::default();
        for (n, at) in [(1, 0), (2, 50), (3, 90)] {
            presence.seen().by_session.insert(sid(n), online("alice", s(at)));
        }
        assert_eq!((of(&presence, s(0)), of(&presence, s(60))), (3, 1));
        presence.hear(&event(Target::Session(sid(3)), s(91)));
        assert_eq!((of(&presence, s(0)), of(&presence, s(60))), (2, 0));
        let below = Below { epoch: StoreEpoch(1), counter: 1 };
        let alice = Subject::parse("alice").ok().unwrap();
        presence.hear(&event(Target::Subject(alice, below), s(92)));
        assert_eq!(of(&presence, s(0)), 0);
        presence.seen().by_session.insert(sid(4), online("alice", s(93)));
        assert_eq!(of(&presence, s(0)), 1, "who came back is online");
        presence.hear(&event(Target::Everything(below), s(94)));
        assert_eq!(of(&presence, s(0)), 0);
    }

    #[test]
    fn what_was_not_seen_for_an_hour_is_forgotten_and_nothing_grows_beyond_its_bound() {
        let presence = Presence::default();
        for n in 0..=GONE_MAX {
            let alice = Subject::parse(&format!("a{n}")).ok().unwrap();
            let below = Below { epoch: StoreEpoch(1), counter: 1 };
            presence.hear(&event(Target::Subject(alice, below), s(1)));
        }
        assert!(presence.seen().gone.len() <= GONE_MAX);
        presence.seen().by_session.insert(sid(1), online("alice", s(0)));
        presence.seen().forget(s(LOOK_BACK_MAX.as_secs() + 1));
        assert!(presence.seen().by_session.is_empty());
    }
}
