//! Copying one store into another.

use super::Open;
use super::fixture::{
    AT, ban, events, kick, must, policy, refresh, session_start, shard_of, sign_in, token_of,
    try_sign_in,
};
use crate::copy::{Copying, EventsThere, Part, Row};
use crate::{OldToken, Store};
use core::time::Duration;
use symbolon_core::{
    Denial, Digest, Effect, LoadedSubject, Reason, Session, SessionId, Subject, SubjectDecision,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Copies everything that has rows.
pub async fn copy_everything(from: &Store, to: &Store, there: EventsThere) {
    let shard_of = |subject: &Subject| shard_of(subject.as_str());
    let copying = Copying { shard_of: &shard_of, at: AT, there };
    for part in Part::ALL {
        let mut after = None;
        loop {
            let found = must(from.copy_out(part, after.as_deref()).await);
            must(to.copy_in(&found.rows, &copying).await);
            after = found.next;
            if after.is_none() {
                break;
            }
        }
    }
}

/// Every row of a part.
pub async fn rows_of(store: &Store, part: Part) -> Vec<Row> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let found = must(store.copy_out(part, after.as_deref()).await);
        all.extend(found.rows);
        after = found.next;
        if after.is_none() {
            return all;
        }
    }
}

/// What a store with a past has: one who renewed, one kicked, one banned who never signed in, one imported.
struct Past {
    renewed: Session,
    kicked: Session,
    old: OldToken,
}

async fn past(store: &Store) -> Past {
    let renewed = sign_in(store, "10086", 1).await.grant.session;
    let kicked = sign_in(store, "10086", 2).await.grant.session;
    let renewed = refresh(store, &token_of(&renewed), AT.after(MINUTE)).await;
    kick(store, kicked.sid, AT.after(MINUTE)).await;
    ban(store, "banned").await;
    must(store.spend([1; 32], b"first", AT.after(MINUTE), AT).await);
    must(store.spend([2; 32], b"over", AT, symbolon_core::Timestamp::default()).await);
    let sid = session_start("10010", 3).sid;
    let imported = sign_in(store, "10010", 3).await.grant.session;
    assert_eq!(imported.sid, sid);
    let old = OldToken { digest: Digest([9; 32]), sid, until: AT.after(MINUTE * 60 * 24) };
    must(store.know_tokens(&[old]).await);
    for number in 10..30 {
        let sid = sign_in(store, &format!("s{number}"), number).await.grant.session.sid;
        kick(store, sid, AT).await;
    }
    Past { renewed: renewed.expect("the newest token").session, kicked, old }
}

fn names(rows: &[Row]) -> Vec<SessionId> {
    let name = |row: &Row| match row {
        Row::Session(session) => Some(session.sid),
        Row::Subject(_) | Row::Spent(_) | Row::OldToken(_) | Row::Event(_) => None,
    };
    rows.iter().filter_map(name).collect()
}

async fn expect_the_same(from: &Store, to: &Store, past: &Past) {
    let at = AT.after(MINUTE);
    let told = |events: Vec<(u64, symbolon_core::Event)>| -> Vec<_> {
        events.into_iter().map(|(_, event)| event).collect()
    };
    assert_eq!(told(events(to).await), told(events(from).await));
    let (ours, theirs) = (rows_of(to, Part::Sessions).await, rows_of(from, Part::Sessions).await);
    assert_eq!(names(&ours), names(&theirs));
    for sid in names(&ours) {
        let (one, other) = (must(to.session(sid).await), must(from.session(sid).await));
        let (one, other) = (one.expect("copied"), other.expect("there"));
        assert_eq!((one.session, one.subject), (other.session, other.subject));
    }
    let denied = refresh(to, &token_of(&past.kicked), at).await;
    assert_eq!(denied, Err(Denial::Ended(Reason::Kicked)));
    let banned = try_sign_in(to, &session_start("banned", 40), &policy()).await;
    assert!(matches!(banned.expect("no fault"), Err(Denial::Banned(None))));
    assert_eq!(must(to.spend([1; 32], b"second", at, AT).await).as_deref(), Some(&b"first"[..]));
    let old = must(to.imported(&past.old.digest).await).expect("it is known");
    assert_eq!(old.sid(), past.old.sid);
}

/// A copy answers whatever the original would: who renewed last goes on, who was ended stays refused with the
/// reason, and what was spent stays spent.
pub async fn a_copy_answers_as_the_original_would(open: impl Open) {
    let (from, to) = (open("one").await, open("two").await);
    let past = past(&from).await;
    copy_everything(&from, &to, EventsThere::default()).await;
    expect_the_same(&from, &to, &past).await;
    drop(to);
    let to = open("two").await;
    expect_the_same(&from, &to, &past).await;
    let later = AT.after(MINUTE * 2);
    let grant = refresh(&to, &token_of(&past.renewed), later).await.expect("the newest token");
    assert_eq!(grant.session.generation.0, past.renewed.generation.0 + 1);
    let of_subject = |loaded: LoadedSubject| {
        let count = (loaded.sessions.len(), loaded.ended.len());
        Ok(SubjectDecision::unchanged(count))
    };
    let name = Subject::parse("10086").expect("a subject");
    let counted = to.step_subject(&name, shard_of("10086"), of_subject).await;
    assert_eq!(must(counted).reply, (1, 0), "the ended one is written as ended");
}

/// A copy that was cut short goes on where it was, and nothing is there twice.
pub async fn a_copy_that_is_made_again_changes_nothing(open: impl Open) {
    let (from, to) = (open("one").await, open("two").await);
    let past = past(&from).await;
    let shard_of = |subject: &Subject| shard_of(subject.as_str());
    let copying = Copying { shard_of: &shard_of, at: AT, there: EventsThere::default() };
    for part in Part::ALL {
        let found = must(from.copy_out(part, None).await);
        let some = found.rows.len().div_ceil(2);
        must(to.copy_in(&found.rows[..some], &copying).await);
    }
    for _ in 0..2 {
        let there = must(to.events_there().await);
        copy_everything(&from, &to, there).await;
        expect_the_same(&from, &to, &past).await;
    }
}

/// A bound that stood in the original stands in the copy, whose store epoch is a later one.
pub async fn a_copy_keeps_its_bounds_in_a_later_epoch(open: impl Open) {
    let (from, to) = (open("one").await, open("two").await);
    let session = sign_in(&from, "10086", 1).await.grant.session;
    let bump = |mut cutoffs: symbolon_core::Cutoffs| {
        let bump = symbolon_core::epoch::Bump {
            epoch: cutoffs.epoch,
            reason: Reason::Admin,
            at: AT,
            tokens_live_until: AT.after(MINUTE),
            act: symbolon_core::Act::authority(),
        };
        let event = cutoffs.bump_client(&session.client, Effect::Revoked, &bump);
        Ok((cutoffs, vec![event], ()))
    };
    must(from.bump(bump).await);
    let after = sign_in(&from, "10087", 2).await.grant.session;
    copy_everything(&from, &to, EventsThere::default()).await;
    let take = |before: symbolon_core::Cutoffs| {
        let mut cutoffs = symbolon_core::Cutoffs::clone(&from.cutoffs());
        cutoffs.epoch = symbolon_core::StoreEpoch(cutoffs.epoch.0.max(before.epoch.0) + 1);
        Ok((cutoffs, Vec::new(), ()))
    };
    must(to.bump(take).await);
    assert!(from.cutoffs().epoch < to.cutoffs().epoch);
    let ended = refresh(&to, &token_of(&session), AT).await;
    assert_eq!(ended, Err(Denial::Ended(Reason::Admin)));
    assert!(refresh(&to, &token_of(&after), AT).await.is_ok());
}
