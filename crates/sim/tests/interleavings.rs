//! A ban, refreshes and sign-ins that race for one subject, in ten thousand schedules: after the ban's answer
//! nothing of the subject lives.
//!
//! The store here compares and sets exactly as the real one: callers read what was last published, then the
//! rows, decide, and hand the change to one writer, which commits it only if everything that the decision saw
//! still holds, and publishes after the commit. Each lock is a point where the schedule may turn.

#![expect(clippy::unwrap_used, reason = "a test that fails may stop")]

use shuttle::sync::{Arc, Mutex};
use shuttle::thread;
use std::collections::BTreeMap;
use std::sync::Arc as Shared;
use symbolon_core::binding::Proof;
use symbolon_core::refresh::Answer;
use symbolon_core::sign_in::Started;
use symbolon_core::subject::Ban;
use symbolon_core::{
    Act, ClientPolicy, Cutoffs, Decision, Denial, Generation, Grant, Loaded, LoadedSubject,
    Outcome, Policies, Reason, Refresh, RefreshToken, Salt, Session, SessionId, Start,
    SubjectDecision, SubjectState, Terms, Timestamp, Verdict,
};
use symbolon_sim::history::{KEY, client, start, subject};

const SCHEDULES: usize = 10_000;

/// A schedule that goes on for longer than this is a caller who never gets through.
const RACES_MAX: usize = 64;

/// What callers learn without the database.
#[derive(Clone)]
struct Published {
    cutoffs: Shared<Cutoffs>,
    moves: u64,
}

/// The rows.
#[derive(Clone)]
struct Rows {
    subject: SubjectState,
    sessions: BTreeMap<SessionId, (Session, u64)>,
}

/// The store: rows, what is published of them, and the one writer, who knows how often the subject moved.
struct Store {
    rows: Mutex<Rows>,
    published: Mutex<Published>,
    writer: Mutex<u64>,
}

/// A change, and what it was decided on.
struct Change {
    seen: Published,
    versions: BTreeMap<SessionId, u64>,
    subject: Option<SubjectState>,
    changed: Vec<Session>,
    created: Option<Session>,
}

impl Store {
    fn new() -> Self {
        let published = Published { cutoffs: Shared::default(), moves: 0 };
        let rows = Rows { subject: SubjectState::unknown(subject()), sessions: BTreeMap::new() };
        Self { rows: Mutex::new(rows), published: Mutex::new(published), writer: Mutex::new(0) }
    }

    fn published(&self) -> Published {
        self.published.lock().unwrap().clone()
    }

    fn rows(&self) -> Rows {
        self.rows.lock().unwrap().clone()
    }

    fn loaded(&self, sid: SessionId) -> (Published, Loaded, u64) {
        let (seen, rows) = (self.published(), self.rows());
        let (session, version) = rows.sessions[&sid].clone();
        let cutoffs = Shared::clone(&seen.cutoffs);
        (seen, Loaded { session, subject: rows.subject, cutoffs }, version)
    }

    fn step<R>(&self, sid: SessionId, decide: impl Fn(Loaded) -> Decision<R>) -> R {
        for _ in 0..RACES_MAX {
            let (seen, loaded, version) = self.loaded(sid);
            let decision = decide(loaded);
            let change = Change {
                seen,
                versions: [(sid, version)].into(),
                subject: None,
                changed: decision.session.into_iter().collect(),
                created: None,
            };
            if self.commit(change) {
                return decision.reply;
            }
        }
        panic!("others came first {RACES_MAX} times");
    }

    fn step_subject<R>(&self, decide: impl Fn(LoadedSubject) -> SubjectDecision<R>) -> R {
        for _ in 0..RACES_MAX {
            let (seen, rows) = (self.published(), self.rows());
            let all = rows.sessions.values().map(|(session, _)| session.clone());
            let (sessions, ended) = all.partition(|session| session.end.is_none());
            let cutoffs = Shared::clone(&seen.cutoffs);
            let decision =
                decide(LoadedSubject { subject: rows.subject, sessions, ended, cutoffs });
            let versions = rows.sessions.iter().map(|(sid, (_, version))| (*sid, *version));
            let change = Change {
                seen,
                versions: versions.collect(),
                subject: decision.subject,
                changed: decision.changed,
                created: decision.created,
            };
            if self.commit(change) {
                return decision.reply;
            }
        }
        panic!("others came first {RACES_MAX} times");
    }

    /// Commits a change if what it was decided on still holds; answers whether it did.
    fn commit(&self, change: Change) -> bool {
        if change.subject.is_none() && change.changed.is_empty() && change.created.is_none() {
            return true;
        }
        let mut moves = self.writer.lock().unwrap();
        let mut rows = self.rows.lock().unwrap();
        let same = |session: &Session| {
            rows.sessions.get(&session.sid).map(|(_, version)| version)
                == change.versions.get(&session.sid)
        };
        let outdated = change.seen.moves != *moves || !change.changed.iter().all(same);
        if outdated {
            return false;
        }
        if change.subject.is_some() || change.created.is_some() {
            *moves += 1;
        }
        rows.subject = change.subject.unwrap_or_else(|| rows.subject.clone());
        for session in change.changed.into_iter().chain(change.created) {
            let version = rows.sessions.get(&session.sid).map_or(0, |(_, version)| version + 1);
            rows.sessions.insert(session.sid, (session, version));
        }
        drop(rows);
        self.published.lock().unwrap().moves = *moves;
        true
    }

    /// What a verifier would have to say of what was granted.
    fn verdict(&self, grant: &Grant) -> Verdict {
        let (_, loaded, _) = self.loaded(grant.session.sid);
        loaded.judge(&[0; 16], &grant.ver, &ClientPolicy::default(), at(9))
    }
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_seconds(1_000 + second)
}

fn sign_in(store: &Store, name: u8) -> Result<Started, Denial> {
    let policy = ClientPolicy::default();
    let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY] };
    // One of them brings roles, and so writes the very row that the ban writes.
    let roles = (name == 3).then(|| ["admin".into()].into());
    let start = Start { roles, ..start(SessionId::from_bytes([name; 16]), false) };
    store.step_subject(|now| now.sign_in(&start, &terms, &Act::authority(), at(1)))
}

fn refresh(store: &Store, name: u8, generation: u32) -> Answer {
    let policy = ClientPolicy::default();
    let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY] };
    let (sid, salt) = (SessionId::from_bytes([name; 16]), Salt([name; 8]));
    let epoch = symbolon_core::StoreEpoch(0);
    let token = RefreshToken::assume_genuine(epoch, sid, Generation(generation), salt);
    let (client, act) = (client(false), Act::authority());
    let ask = Refresh { token: &token, client: &client, proof: Proof::default(), terms, act: &act };
    store.step(sid, |now| now.refresh(&ask, at(2)).unwrap())
}

fn ban(store: &Store) {
    let ban = Ban { since: at(3), until: None, reason: Reason::Banned, note: None };
    store.step_subject(|now| now.ban(ban.clone(), &Act::authority(), &Policies::default(), at(3)));
}

/// One schedule.
fn race() {
    let store = Arc::new(Store::new());
    sign_in(&store, 1).unwrap();
    let granted = Arc::new(Mutex::new(Vec::<Grant>::new()));
    let mut callers = Vec::new();
    for turn in 0..4_u8 {
        let (store, granted) = (Arc::clone(&store), Arc::clone(&granted));
        callers.push(thread::spawn(move || {
            let grant = match turn {
                0 | 1 => refresh(&store, 1, 0).ok(),
                turn => sign_in(&store, turn).ok().map(|started| started.grant),
            };
            granted.lock().unwrap().extend(grant);
        }));
    }
    ban(&store);
    // The ban was answered: whatever is there now is dead, and so is whatever still comes.
    nothing_lives(&store);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    nothing_lives(&store);
    let granted = granted.lock().unwrap();
    let advanced = granted.iter().filter(|grant| grant.outcome == Outcome::Advanced);
    assert!(advanced.count() <= 1, "two refreshes of one token both advanced its family");
    for grant in granted.iter() {
        assert_eq!(store.verdict(grant), Verdict::Revoked(Reason::Banned));
    }
}

fn nothing_lives(store: &Store) {
    for sid in store.rows().sessions.into_keys() {
        let (_, loaded, _) = store.loaded(sid);
        let standing = loaded.standing(&ClientPolicy::default(), at(9));
        assert_ne!(standing, symbolon_core::Standing::Active, "{sid:?} outlived the ban");
    }
}

#[test]
fn nothing_lives_after_a_ban_whatever_comes_between() {
    shuttle::check_random(race, SCHEDULES);
}

/// Few turns at the worst moments, rather than many anywhere.
#[test]
fn nothing_lives_after_a_ban_at_the_worst_moments() {
    shuttle::check_pct(race, SCHEDULES, 4);
}
