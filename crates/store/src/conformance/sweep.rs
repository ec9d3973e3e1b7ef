//! The sweep.

use super::Open;
use super::fixture::{AT, events, kick, must, policy, sign_in};
use crate::{Retention, Store};
use core::time::Duration;
use symbolon_core::{Reason, SessionId, Target, Timestamp};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How many ends were written and rows forgotten, in all.
#[derive(Default)]
struct Total {
    next: Option<SessionId>,
    ended: usize,
    forgotten: usize,
}

async fn sweep(store: &Store, forget_before: Timestamp, at: Timestamp) -> Total {
    sweep_keeping(
        store,
        Retention { since: forget_before, events_max: u64::MAX, events_min: 0 },
        at,
    )
    .await
}

async fn sweep_keeping(store: &Store, keep: Retention, at: Timestamp) -> Total {
    let mut total = Total::default();
    loop {
        let decide = |loaded: symbolon_core::Loaded| loaded.expire(&policy(), at);
        let chunk = must(store.expire(total.next, 4, keep, decide).await);
        assert!(chunk.ended.iter().all(Option::is_some), "each end has its reason");
        total.ended += chunk.ended.len();
        total.forgotten += chunk.forgotten;
        total.next = chunk.next;
        if chunk.next.is_none() {
            return total;
        }
    }
}

/// A sweep writes the ends that time brought, each with its event, once.
pub async fn a_sweep_writes_what_time_ended(open: impl Open) {
    let store = open("one").await;
    for number in 0..10 {
        sign_in(&store, &format!("s{number}"), number).await;
    }
    let early = sweep(&store, AT, AT).await;
    assert_eq!((early.ended, early.forgotten), (0, 0));
    let late = AT.after(DAY * 15);
    assert_eq!(sweep(&store, AT, late).await.ended, 10);
    assert_eq!(sweep(&store, AT, late).await.ended, 0);
    let events = events(&store).await;
    assert!(events.iter().map(|(position, _)| *position).eq(1..=10));
    assert!(events.iter().all(|(_, event)| event.reason == Reason::Idle));
}

/// Ended sessions and old events leave when they are old enough; the newest event stays, so that a
/// reader of the feed sees that something is missing.
pub async fn a_sweep_forgets_what_is_old_enough(open: impl Open) {
    let store = open("one").await;
    let kept = sign_in(&store, "kept", 0).await.grant.session.sid;
    let mut kicked = Vec::new();
    for number in 1..=5 {
        let sid = sign_in(&store, &format!("s{number}"), number).await.grant.session.sid;
        kick(&store, sid, AT).await;
        kicked.push(sid);
    }
    assert_eq!(sweep(&store, AT, AT).await.forgotten, 0);
    let month = AT.after(DAY);
    assert_eq!(sweep(&store, month, AT).await.forgotten, 5 + 4);
    for sid in &kicked {
        assert!(must(store.session(*sid).await).is_none());
    }
    assert!(must(store.session(kept).await).is_some());
    let left = events(&store).await;
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].0, &left[0].1.target), (5, &Target::Session(kicked[4])));
    kick(&store, kept, AT).await;
    assert!(events(&store).await.iter().map(|(position, _)| *position).eq(5..=6));
}

/// What was spent leaves once it has expired, and not before.
pub async fn a_sweep_forgets_what_was_spent_and_expired(open: impl Open) {
    let store = open("one").await;
    for number in 0..3 {
        let until = AT.after(Duration::from_secs(number));
        must(store.spend([number as u8; 32], b"", until, Timestamp::default()).await);
    }
    sign_in(&store, "somebody at this instant", 1).await;
    assert_eq!(sweep(&store, Timestamp::default(), AT).await.forgotten, 1);
}

/// A survey shows every session once, ended ones too, however their names lie.
pub async fn a_survey_shows_every_session_once(open: impl Open) {
    let store = open("one").await;
    let mut started: Vec<_> = Vec::new();
    for number in 0..40_u32 {
        let subject = format!("user-{number}");
        started.push(sign_in(&store, &subject, number + 1).await.grant.session.sid);
    }
    kick(&store, started[7], AT).await;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let note = std::sync::Arc::clone(&seen);
    let look = move |loaded: &symbolon_core::Loaded| {
        note.lock().expect("nobody panicked").push(loaded.session.sid);
    };
    must(store.survey(look).await);
    let mut seen = seen.lock().expect("nobody panicked").clone();
    seen.sort_unstable();
    started.sort_unstable();
    assert_eq!(seen, started);
}

/// Where events are too many, the oldest leave before their time, once no verifier needs them.
pub async fn a_history_that_is_too_long_loses_its_oldest(open: impl Open) {
    let store = open("one").await;
    for number in 0..6_u32 {
        let started = sign_in(&store, &format!("user-{number}"), number + 1).await;
        kick(&store, started.grant.session.sid, AT).await;
    }
    let since = AT.before(Duration::from_secs(86_400));
    let keep = Retention { since, events_max: 3, events_min: 1 };
    sweep_keeping(&store, keep, AT).await;
    assert_eq!(events(&store).await.len(), 6, "verifiers need them as long as a token may live");
    let later = AT.after(Duration::from_secs(86_400));
    let last = sign_in(&store, "last", 99).await;
    kick(&store, last.grant.session.sid, later).await;
    sweep_keeping(&store, keep, later).await;
    assert_eq!(events(&store).await.len(), 3);
}

/// The newest events stay whatever their age, as many as are asked for.
pub async fn the_newest_events_outlive_their_time(open: impl Open) {
    let store = open("one").await;
    for number in 0..6_u32 {
        let started = sign_in(&store, &format!("user-{number}"), number + 1).await;
        kick(&store, started.grant.session.sid, AT).await;
    }
    let keep = Retention { since: AT.after(DAY * 400), events_max: u64::MAX, events_min: 4 };
    sweep_keeping(&store, keep, AT.after(DAY * 400)).await;
    assert!(events(&store).await.iter().map(|(position, _)| *position).eq(3..=6));
}
