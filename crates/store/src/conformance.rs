//! What every store must do, written once.
//!
//! A store's tests call each function with a way to open it: `open("place")` opens an empty store at
//! first, and once all clones of it are dropped, what was left there. Two places share nothing.

mod copy;
mod feed;
mod fixture;
mod import;
mod person;
mod race;
mod sweep;

pub use copy::*;
pub use feed::*;
pub use fixture::{
    AT, key, kick, policy, refresh, session_start, shard_of, sign_in, sign_in_through, token_of,
};
pub use import::*;
pub use person::*;
pub use race::*;
pub use sweep::*;

use crate::{Kind, Query, Store};
use fixture::{events, kinds_of, must};
use symbolon_core::epoch::Bump;
use symbolon_core::{
    Act, Decision, Denial, Effect, Fault, Reason, Standing, Subject, SubjectDecision, Target,
};

/// A way to open a store at a named place.
pub trait Open: AsyncFn(&str) -> Store {}

impl<F: AsyncFn(&str) -> Store> Open for F {}

/// A session is there once its sign-in is answered, and so is what a refresh made of it.
pub async fn an_answer_that_was_given_can_be_read(open: impl Open) {
    let store = open("one").await;
    let started = sign_in(&store, "10086", 1).await;
    let sid = started.grant.session.sid;
    let read = must(store.session(sid).await).expect("it was created");
    assert_eq!(read.session, started.grant.session);
    let grant =
        refresh(&store, &token_of(&read.session), AT.after(core::time::Duration::from_secs(60)))
            .await
            .expect("the newest token");
    let again = must(store.session(sid).await).expect("it was not deleted");
    assert_eq!(again.session, grant.session);
    assert_eq!(again.session.generation.0, 1);
    assert_eq!(store.latest_instant(), AT.after(core::time::Duration::from_secs(60)));
}

/// A name that was never given names nothing.
pub async fn an_unknown_session_is_none_and_not_a_fault(open: impl Open) {
    let store = open("one").await;
    let sid = session_start("10086", 9).sid;
    assert!(must(store.session(sid).await).is_none());
    let step = store.step(sid, |_| Ok(Decision::unchanged(()))).await;
    assert_eq!(must(step), None);
}

/// A refusal is an answer: it is committed with its events.
pub async fn a_replay_is_refused_and_its_end_committed(open: impl Open) {
    let store = open("one").await;
    let first = token_of(&sign_in(&store, "10086", 1).await.grant.session);
    let day = AT.after(core::time::Duration::from_secs(3600));
    refresh(&store, &first, day).await.expect("the newest token");
    let later = day.after(core::time::Duration::from_secs(3600));
    assert_eq!(refresh(&store, &first, later).await, Err(Denial::Ended(Reason::Replayed)));
    let events = events(&store).await;
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].0, events[0].1.reason), (1, Reason::Replayed));
    assert_eq!(events[0].1.target, Target::Session(first.sid()));
}

/// An error commits nothing, and neither does a decision that changes nothing.
pub async fn an_error_or_an_unchanged_decision_commits_nothing(open: impl Open) {
    let store = open("one").await;
    let sid = sign_in(&store, "10086", 1).await.grant.session.sid;
    let before = must(store.session(sid).await).expect("created").session;
    let failed = store.step(sid, |_| Err::<Decision<()>, _>(Fault::Exhausted)).await;
    assert_eq!(failed, Err(Fault::Exhausted));
    let step = store.step(sid, |_| Ok(Decision::unchanged(7))).await;
    let committed = must(step).expect("it exists");
    assert_eq!((committed.reply, committed.position), (7, 0));
    let subject = Subject::parse("10086").expect("a subject");
    let unchanged = |_| Ok(SubjectDecision::unchanged(8));
    assert_eq!(must(store.step_subject(&subject, shard_of("10086"), unchanged).await).position, 0);
    assert_eq!(must(store.session(sid).await).expect("there").session, before);
    assert!(events(&store).await.is_empty());
}

/// Positions begin at 1, follow the commits and have no gaps.
pub async fn events_are_in_the_order_of_commits_without_gaps(open: impl Open) {
    let store = open("one").await;
    let mut expected = Vec::new();
    for number in 0..20 {
        let sid = sign_in(&store, &format!("s{number}"), number).await.grant.session.sid;
        let committed = kick(&store, sid, AT).await;
        expected.push((committed.position, Target::Session(sid)));
    }
    let found = events(&store).await;
    let found: Vec<_> = found.into_iter().map(|(at, event)| (at, event.target)).collect();
    assert_eq!(found, expected);
    assert!(found.iter().map(|(at, _)| *at).eq(1..=20));
    let part = must(store.events_after(5, 3).await);
    assert!(part.iter().map(|(at, _)| *at).eq(6..=8));
    assert!(must(store.events_after(20, 3).await).is_empty());
    let sid = session_start("s1", 1).sid;
    let unchanged = must(store.step(sid, |_| Ok(Decision::unchanged(()))).await);
    assert_eq!(unchanged.expect("there").position, 20);
}

/// A whole event, with who did it, is what comes out.
pub async fn an_event_keeps_who_why_and_from_where(open: impl Open) {
    let store = open("one").await;
    let sid = sign_in(&store, "10086", 1).await.grant.session.sid;
    let act = Act {
        actor: symbolon_core::Actor::ApiKey("support".into()),
        note: Some("called in, 02:40".into()),
        ip: Some("203.0.113.9".into()),
        request_id: "r-77".into(),
    };
    let end = |loaded: symbolon_core::Loaded| Ok(loaded.end(Reason::Kicked, &act, &policy(), AT));
    must(store.step(sid, end).await).expect("there");
    assert_eq!(events(&store).await[0].1.act, act);
    let end = must(store.session(sid).await).expect("kept").session.end.clone();
    assert_eq!(end.map(|end| end.by), Some(act.actor));
}

/// A ban reaches every session of the subject and no other.
pub async fn a_ban_ends_the_subjects_sessions_and_no_others(open: impl Open) {
    let store = open("one").await;
    let banned = sign_in(&store, "10086", 1).await.grant.session;
    let other = sign_in(&store, "10087", 2).await.grant.session;
    fixture::ban(&store, "10086").await;
    let standing =
        async |sid| must(store.session(sid).await).expect("there").standing(&policy(), AT);
    assert!(
        matches!(standing(banned.sid).await, Standing::Over(end) if end.reason == Reason::Banned)
    );
    assert_eq!(standing(other.sid).await, Standing::Active);
    assert_eq!(refresh(&store, &token_of(&banned), AT).await, Err(Denial::Ended(Reason::Banned)));
    let subject = Subject::parse("10086").expect("a subject");
    let state =
        |loaded: symbolon_core::LoadedSubject| Ok(SubjectDecision::unchanged(loaded.subject));
    let state = must(store.step_subject(&subject, shard_of("10086"), state).await).reply;
    assert!(state.banned(AT).is_some());
}

/// A subject is given with its sessions, ended ones apart, and with nobody else's.
pub async fn a_subject_is_loaded_with_its_sessions_ended_ones_apart(open: impl Open) {
    let store = open("one").await;
    let kept = sign_in(&store, "10086", 1).await.grant.session.sid;
    let ended = sign_in(&store, "10086", 2).await.grant.session.sid;
    fixture::sign_in_at(&store, "neighbour", shard_of("10086"), 3).await;
    kick(&store, ended, AT).await;
    let subject = Subject::parse("10086").expect("a subject");
    let names = |loaded: symbolon_core::LoadedSubject| {
        let names = [&loaded.sessions, &loaded.ended];
        let names = names.map(|all| all.iter().map(|session| session.sid).collect::<Vec<_>>());
        Ok(SubjectDecision::unchanged(names))
    };
    let found = must(store.step_subject_whole(&subject, shard_of("10086"), names).await).reply;
    assert_eq!(found, [[kept], [ended]]);
}

/// A bump is in force for every decision after it, and it is an event.
pub async fn a_bump_of_a_client_ends_its_sessions(open: impl Open) {
    let store = open("one").await;
    let session = sign_in(&store, "10086", 1).await.grant.session;
    let before = store.cutoffs();
    let bump = |mut cutoffs: symbolon_core::Cutoffs| {
        let bump = Bump {
            epoch: cutoffs.epoch,
            reason: Reason::Admin,
            at: AT,
            tokens_live_until: AT,
            act: Act::authority(),
        };
        let event = cutoffs.bump_client(&session.client, Effect::Revoked, &bump);
        Ok((cutoffs, vec![event], "bumped"))
    };
    let committed = must(store.bump(bump).await);
    assert_eq!((committed.reply, committed.position), ("bumped", 1));
    assert_ne!(store.cutoffs(), before);
    assert_eq!(refresh(&store, &token_of(&session), AT).await, Err(Denial::Ended(Reason::Admin)));
    let newer = sign_in(&store, "10086", 2).await.grant.session;
    assert!(refresh(&store, &token_of(&newer), AT).await.is_ok());
}

/// Pages together are the whole list, in the order of names, each once.
pub async fn pages_together_are_the_whole_list(open: impl Open) {
    let store = open("one").await;
    let mut expected = Vec::new();
    for number in 0..25 {
        expected.push(sign_in(&store, &format!("s{}", number % 5), number).await.grant.session.sid);
    }
    expected.sort();
    let (mut found, mut query) = (Vec::new(), Query { limit: 4, ..Query::default() });
    loop {
        let page = must(store.sessions(&query, |_| true).await);
        assert!(page.sessions.len() <= 4);
        found.extend(page.sessions.iter().map(|loaded| loaded.session.sid));
        query.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
}

/// A list of one subject has its ended sessions too; what is kept of it is the caller's choice.
pub async fn a_subjects_list_has_its_sessions_alone(open: impl Open) {
    let store = open("one").await;
    let kept = sign_in(&store, "10086", 1).await.grant.session.sid;
    let ended = sign_in(&store, "10086", 2).await.grant.session.sid;
    fixture::sign_in_at(&store, "neighbour", shard_of("10086"), 3).await;
    kick(&store, ended, AT).await;
    let subject = Subject::parse("10086").expect("a subject");
    let query = Query { subject: Some((subject, shard_of("10086"))), after: None, limit: 50 };
    let page = must(store.sessions(&query, |_| true).await);
    assert_eq!((kinds_of(&page), page.next), (vec![(kept, false), (ended, true)], None));
    let page = must(store.sessions(&query, |loaded| loaded.session.end.is_none()).await);
    assert_eq!(kinds_of(&page), [(kept, false)]);
}

/// What can be spent once gives the first value to all that come later, until it expires.
pub async fn a_thing_is_spent_once_until_it_expires(open: impl Open) {
    let store = open("one").await;
    let until = AT.after(core::time::Duration::from_secs(60));
    assert_eq!(must(store.spend([1; 32], b"first", until, AT).await), None);
    let second = must(store.spend([1; 32], b"second", until, AT).await);
    assert_eq!(second.as_deref(), Some(&b"first"[..]));
    assert_eq!(must(store.spend([2; 32], b"other", until, AT).await), None);
    assert_eq!(must(store.spend([1; 32], b"third", until, until).await), None);
}

/// A record is replaced only by who knows its version.
pub async fn a_record_is_compared_and_set(open: impl Open) {
    let store = open("one").await;
    assert!(must(store.record(Kind::ApiKey, "ops").await).is_none());
    assert!(must(store.put_record(Kind::ApiKey, "ops", b"one", None).await));
    assert!(!must(store.put_record(Kind::ApiKey, "ops", b"two", None).await));
    let record = must(store.record(Kind::ApiKey, "ops").await).expect("written");
    assert_eq!(record.value, b"one");
    assert!(must(store.put_record(Kind::ApiKey, "ops", b"three", Some(record.version)).await));
    assert!(!must(store.put_record(Kind::ApiKey, "ops", b"four", Some(record.version)).await));
    assert!(must(store.put_record(Kind::SigningKey, "ops", b"key", None).await));
    assert!(must(store.put_record(Kind::ApiKey, "dev", b"five", None).await));
    let all = must(store.records(Kind::ApiKey).await);
    let all: Vec<_> = all.iter().map(|record| (&*record.name, &record.value[..])).collect();
    assert_eq!(all, [("dev", &b"five"[..]), ("ops", &b"three"[..])]);
}

/// Everything that was answered is there after a restart.
pub async fn everything_answered_is_there_after_a_restart(open: impl Open) {
    let store = open("one").await;
    let started = sign_in(&store, "10086", 1).await.grant.session;
    let kicked = sign_in(&store, "10086", 2).await.grant.session.sid;
    let later = AT.after(core::time::Duration::from_secs(60));
    let grant = refresh(&store, &token_of(&started), later).await.expect("the newest");
    kick(&store, kicked, AT).await;
    fixture::ban(&store, "10087").await;
    must(store.spend([1; 32], b"first", later, AT).await);
    must(store.put_record(Kind::Meta, "name", b"value", None).await);
    let (events_before, cutoffs) = (events(&store).await, store.cutoffs());
    drop(store);
    let store = open("one").await;
    assert_eq!(must(store.session(started.sid).await).expect("kept").session, grant.session);
    let end = must(store.session(kicked).await).expect("kept").session.end.clone();
    assert_eq!(end.map(|end| end.reason), Some(Reason::Kicked));
    assert_eq!((events(&store).await, store.cutoffs()), (events_before, cutoffs));
    assert!(must(store.spend([1; 32], b"second", later, AT).await).is_some());
    assert_eq!(must(store.record(Kind::Meta, "name").await).expect("kept").value, b"value");
    assert!(later.since(store.latest_instant()) <= core::time::Duration::from_secs(1));
    let denied = fixture::try_sign_in(&store, &session_start("10087", 3), &policy()).await;
    assert!(matches!(denied.expect("no fault"), Err(Denial::Banned(None))));
}
