//! Subjects as a whole, and the history.

use super::fixture::{
    AT, ban, events, must, policy, session_start, shard_of, sign_in, sign_in_through, token_of,
    try_refresh, try_sign_in,
};
use super::{Open, kick};
use crate::{EXAMINED_MAX, Query, Store};
use core::time::Duration;
use symbolon_core::person::Ended;
use symbolon_core::revocation::Whose;
use symbolon_core::{
    Act, Effect, Loaded, LoadedSubject, Policies, Reason, Start, Subject, SubjectDecision,
};
use tokio::task::JoinSet;

async fn erase(store: &Store, subject: &str) -> Ended {
    let decide = |now: LoadedSubject| {
        Ok(now.erase((Reason::Admin, &Act::authority()), &Policies::default(), AT))
    };
    let name = Subject::parse(subject).expect("a subject");
    must(store.step_subject_whole(&name, shard_of(subject), decide).await).reply
}

/// Erasing reaches the rows of ended sessions too, in one commit, and no other subject's.
pub async fn erasing_forgets_ended_sessions_too(open: impl Open) {
    let store = open("one").await;
    let telling = |subject, number| Start {
        ip: Some("192.0.2.7".into()),
        claims: "{\"mail\":\"ann@example.com\"}".into(),
        ..session_start(subject, number)
    };
    let ended = sign_in_through(&store, &telling("10086", 1)).await.grant.session.sid;
    kick(&store, ended, AT).await;
    let alive = sign_in_through(&store, &telling("10086", 2)).await.grant.session.sid;
    let other = sign_in_through(&store, &telling("10087", 3)).await.grant.session;
    let erased = erase(&store, "10086").await;
    let named: Vec<_> = erased.iter().map(|gone| (gone.sid, gone.reason)).collect();
    assert_eq!(named, [(alive, Reason::Admin)]);
    assert_eq!(events(&store).await.len(), 2, "the kick, and one bound");
    drop(store);
    let store = open("one").await;
    for (sid, reason) in [(ended, Reason::Kicked), (alive, Reason::Admin)] {
        let session = must(store.session(sid).await).expect("its row stays").session;
        assert_eq!(session.end.as_ref().map(|end| end.reason), Some(reason));
        assert_eq!((&session.ip, &*session.claims), (&None, ""));
    }
    assert_eq!(must(store.session(other.sid).await).expect("there").session, other);
    assert!(erase(&store, "10086").await.is_empty());
    assert_eq!(events(&store).await.len(), 2, "there was nothing left to erase");
}

/// The history has whose session an event hit, is read in parts, and each part is bounded.
pub async fn the_history_is_read_in_bounded_parts(open: impl Open) {
    let store = open("one").await;
    let mut of_one = Vec::new();
    for number in 0..30 {
        let subject = ["10086", "10087", "10088"][number as usize % 3];
        let session = sign_in(&store, subject, number).await.grant.session;
        let position = kick(&store, session.sid, AT).await.position;
        let whose = Whose { subject: session.subject.clone(), client: session.client.clone() };
        if subject == "10087" {
            of_one.push((position, Some(whose)));
        }
    }
    let wanted = Subject::parse("10087").expect("a subject");
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let keep = |event: &symbolon_core::Event| event.subject() == Some(&wanted);
        let part = must(store.history(after, 4, keep).await);
        assert!(part.events.len() <= 4);
        found.extend(part.events.into_iter().map(|(position, event)| (position, event.whose)));
        match part.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(found, of_one);
}

/// However long the history is, one call looks at a stated number of events.
pub async fn a_call_for_the_history_looks_at_a_bounded_number_of_events(open: impl Open) {
    let store = open("one").await;
    let many = |now: LoadedSubject| {
        let bump = now.bump(Reason::PermissionsChanged, &Act::authority(), AT);
        let mut subject = now.subject;
        let events = (0..=EXAMINED_MAX).map(|_| subject.bump(Effect::Stale, &bump)).collect();
        Ok(SubjectDecision { subject: Some(subject), events, ..SubjectDecision::unchanged(()) })
    };
    let name = Subject::parse("10086").expect("a subject");
    must(store.step_subject(&name, shard_of("10086"), many).await);
    let first = must(store.history(0, 10, |_| false).await);
    assert_eq!((first.events.len(), first.next), (0, Some(EXAMINED_MAX as u64)));
    let rest = must(store.history(EXAMINED_MAX as u64, 10, |_| true).await);
    assert_eq!((rest.events.len(), rest.next), (1, None));
}

/// Of a ban, refreshes and sign-ins that race, nothing lives once the ban is committed.
pub async fn a_ban_that_races_everything_leaves_nothing_alive(open: impl Open) {
    let store = open("one").await;
    for round in 0..100_u32 {
        let subject = format!("s{round}");
        let first = sign_in(&store, &subject, round * 8).await.grant.session;
        let mut callers = JoinSet::new();
        for turn in 1..8 {
            let (store, subject, token) = (store.clone(), subject.clone(), token_of(&first));
            callers.spawn(async move {
                match turn {
                    _ if turn == round % 7 + 1 => {
                        ban(&store, &subject).await;
                    }
                    1 | 3 | 5 => drop(must(try_refresh(&store, &token, AT).await)),
                    _ => {
                        let start = session_start(&subject, round * 8 + turn);
                        drop(must(try_sign_in(&store, &start, &policy()).await));
                    }
                }
            });
        }
        callers.join_all().await;
        let name = Subject::parse(&subject).expect("a subject");
        let query = Query { subject: Some((name, shard_of(&subject))), after: None, limit: 100 };
        let later = AT.after(Duration::from_secs(1));
        let alive =
            |now: &Loaded| now.standing(&policy(), later) == symbolon_core::Standing::Active;
        assert!(must(store.sessions(&query, alive).await).sessions.is_empty(), "round {round}");
    }
}
