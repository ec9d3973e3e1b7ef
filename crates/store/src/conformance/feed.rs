//! What the feed needs of a store.

use super::Open;
use super::fixture::{AT, kick, must, policy, session_start, sign_in};
use core::time::Duration;
use symbolon_core::{Act, Decision, Loaded, Reason};

/// Whoever waits for events is woken by a commit that has one, and by no other.
pub async fn a_commit_with_an_event_wakes_who_follows(open: impl Open) {
    let store = open("one").await;
    let mut heads = store.heads();
    assert_eq!(*heads.borrow_and_update(), 0);
    let sid = sign_in(&store, "10086", 1).await.grant.session.sid;
    assert!(!heads.has_changed().expect("the store is open"), "a sign-in is no event");
    let position = kick(&store, sid, AT).await.position;
    heads.changed().await.expect("the store is open");
    assert_eq!(*heads.borrow_and_update(), position);
    drop(store);
    let store = open("one").await;
    assert_eq!(*store.heads().borrow(), position, "after a restart it is what it was");
}

/// What a verifier may still need is given whole, and what it does not need is left out.
pub async fn what_is_still_needed_is_given_and_nothing_else(open: impl Open) {
    let store = open("one").await;
    let mut expected = Vec::new();
    for number in 0..8_u32 {
        let sid = sign_in(&store, &format!("s{number}"), number).await.grant.session.sid;
        let at = AT.after(Duration::from_secs(u64::from(number) * 3600));
        let committed = kick(&store, sid, at).await;
        expected.push(committed.position);
    }
    let all = must(store.needed(0, AT).await);
    assert!(all.events.iter().map(|(position, _)| *position).eq(expected.iter().copied()));
    assert_eq!(all.next, None);
    let until = all.events[2].1.expires_at;
    let kept = must(store.needed(0, until).await).events;
    assert!(kept.iter().map(|(position, _)| *position).eq(3..=8), "inclusive: {kept:?}");
    let kept = must(store.needed(4, until.after(Duration::from_millis(1))).await).events;
    assert!(kept.iter().map(|(position, _)| *position).eq(5..=8));
    let later = until.after(Duration::from_secs(30 * 86_400));
    assert!(must(store.needed(0, later).await).events.is_empty());
}

/// However many events there are, one call looks at a bounded number of them, and says where to go on.
pub async fn needed_events_come_a_part_at_a_time(open: impl Open) {
    let store = open("one").await;
    let sid = session_start("10086", 1).sid;
    sign_in(&store, "10086", 1).await;
    let many = crate::EXAMINED_MAX + 5;
    let decide = |now: Loaded| {
        let mut ended: Decision<bool> = now.end(Reason::Kicked, &Act::authority(), &policy(), AT);
        let event = ended.events[0].clone();
        ended.events.resize(many, event);
        Ok(ended)
    };
    must(store.step(sid, decide).await).expect("it exists");
    let first = must(store.needed(0, AT).await);
    assert_eq!((first.events.len(), first.next), (crate::EXAMINED_MAX, Some(8192)));
    let rest = must(store.needed(8192, AT).await);
    assert!(rest.events.iter().map(|(position, _)| *position).eq(8193..=8197));
    assert_eq!(rest.next, None);
}
