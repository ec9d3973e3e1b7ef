//! Sessions of other systems.

use super::Open;
use super::fixture::{AT, ban, key, kick, must, policy, refresh, session_start, sign_in, token_of};
use crate::{Brought, Incoming, OldToken, Store};
use core::time::Duration;
use std::sync::Arc;
use symbolon_core::{
    Cutoffs, Denial, Digest, Import, Imported, Outcome, Reason, Start, SubjectState, Terms,
    Timestamp,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

const NEW: Brought = Brought::New { cut: false, roles_kept: false };

/// The session that the old token of this number belongs to; it ends after 30 days.
fn incoming(subject: &str, number: u32) -> Incoming {
    let mut digest = [0xD0; 32];
    digest[..4].copy_from_slice(&number.to_be_bytes());
    let until = AT.after(DAY * 30);
    let start = Start { expires_at: Some(until), ..session_start(subject, number) };
    Incoming { digest: Digest(digest), import: Import { start, created_at: None } }
}

fn decide_at(
    at: Timestamp,
) -> impl Fn(&Import, &SubjectState, &Cutoffs) -> Result<Imported, Denial> + Send + Sync {
    move |import, subject, cutoffs| {
        let (policy, keys) = (policy(), [key()]);
        let terms = Terms { policy: &policy, key: key(), keys_usable: &keys };
        import.decide(subject, cutoffs, &terms, at)
    }
}

/// Brings in sessions, then their old tokens.
async fn import(store: &Store, chunk: &[Incoming]) -> Vec<Brought> {
    let brought = must(store.import(chunk, decide_at(AT)).await);
    let came = |(incoming, brought): (&Incoming, &Brought)| {
        let came = matches!(brought, Brought::New { .. } | Brought::AlreadyThere);
        came.then(|| token(incoming))
    };
    let tokens: Vec<_> = chunk.iter().zip(&brought).filter_map(came).collect();
    must(store.know_tokens(&tokens).await);
    brought
}

fn token(incoming: &Incoming) -> OldToken {
    let start = &incoming.import.start;
    let until = start.expires_at.expect("each ends");
    OldToken { digest: incoming.digest, sid: start.sid, until }
}

/// An imported session is found by its old token, which is generation 0, also after a restart.
pub async fn an_imported_session_is_found_by_its_old_token(open: impl Open) {
    let store = open("one").await;
    let one = incoming("10086", 1);
    assert!(must(store.imported(&one.digest).await).is_none());
    assert_eq!(import(&store, &[one.clone(), incoming("10010", 2)]).await, [NEW, NEW]);
    drop(store);
    let store = open("one").await;
    let old = must(store.imported(&one.digest).await).expect("it was imported");
    assert_eq!(old.sid(), one.import.start.sid);
    let minute = AT.after(Duration::from_secs(60));
    let grant = refresh(&store, &old, minute).await.expect("generation 0");
    assert_eq!((grant.outcome, grant.session.generation.0), (Outcome::Advanced, 1));
    assert_eq!(grant.session.subject.as_str(), "10086");
    let old = must(store.imported(&one.digest).await).expect("it is still known");
    let late = refresh(&store, &old, minute.after(DAY)).await;
    assert_eq!(late.map(|_| ()), Err(Denial::Ended(Reason::Replayed)));
    assert!(must(store.imported(&Digest([9; 32])).await).is_none());
}

/// The same file brings nothing twice, in one chunk or another, whatever became of a session since.
pub async fn an_import_brings_nothing_twice(open: impl Open) {
    let store = open("one").await;
    let (one, two) = (incoming("10086", 1), incoming("10010", 2));
    let first = import(&store, &[one.clone(), one.clone(), two.clone()]).await;
    assert_eq!(first, [NEW, Brought::AlreadyThere, NEW]);
    let sid = one.import.start.sid;
    kick(&store, sid, AT).await;
    ban(&store, "10010").await;
    let chunk = [one, two, incoming("10086", 3)];
    let would = must(store.would_import(&chunk, decide_at(AT)).await);
    assert_eq!(would, [Brought::AlreadyThere, Brought::AlreadyThere, NEW]);
    assert_eq!(import(&store, &chunk).await, would);
    let kicked = must(store.session(sid).await).expect("it is there");
    assert_eq!(kicked.session.end.as_ref().map(|end| end.reason), Some(Reason::Kicked));
}

/// An import that was cut short between sessions and their old tokens is made whole by the next.
pub async fn an_import_that_was_cut_short_is_made_whole(open: impl Open) {
    let store = open("one").await;
    let one = incoming("10086", 1);
    assert_eq!(must(store.import(std::slice::from_ref(&one), decide_at(AT)).await), [NEW]);
    assert!(must(store.imported(&one.digest).await).is_none());
    drop(store);
    let store = open("one").await;
    assert_eq!(import(&store, std::slice::from_ref(&one)).await, [Brought::AlreadyThere]);
    let old = must(store.imported(&one.digest).await).expect("it is known by now");
    assert_eq!(refresh(&store, &old, AT).await.map(|_| ()), Ok(()));
}

/// What would be imported is told, and nothing of it is there.
pub async fn what_would_be_imported_is_not_there(open: impl Open) {
    let store = open("one").await;
    ban(&store, "banned").await;
    let chunk = [incoming("10086", 1), incoming("banned", 2)];
    let would = must(store.would_import(&chunk, decide_at(AT)).await);
    assert_eq!(would, [NEW, Brought::Refused(Denial::Banned(None))]);
    let over = must(store.would_import(&chunk[..1], decide_at(AT.after(DAY * 30))).await);
    assert_eq!(over, [Brought::Over]);
    assert!(must(store.imported(&chunk[0].digest).await).is_none());
    assert!(must(store.session(chunk[0].import.start.sid).await).is_none());
    assert_eq!(import(&store, &chunk).await, would);
    assert!(must(store.imported(&chunk[1].digest).await).is_none());
}

/// The first roles of a file make an unknown subject known; whoever is known keeps theirs.
pub async fn roles_of_an_import_never_replace_known_ones(open: impl Open) {
    let store = open("one").await;
    let with = |number, role: &str| {
        let mut incoming = incoming("10086", number);
        incoming.import.start.roles = Some(Arc::new([role.into()]));
        incoming
    };
    let kept = Brought::New { cut: false, roles_kept: true };
    assert_eq!(import(&store, &[with(1, "member"), with(2, "admin")]).await, [NEW, kept]);
    assert_eq!(import(&store, &[with(3, "admin"), with(4, "member")]).await, [kept, NEW]);
    let loaded = must(store.session(with(3, "").import.start.sid).await).expect("it came");
    assert_eq!(loaded.subject.roles.iter().map(|role| &**role).collect::<Vec<_>>(), ["member"]);
}

/// An imported session is one of its subject's: it is listed, limited and ended with the others.
pub async fn an_imported_session_is_one_of_its_subjects(open: impl Open) {
    let store = open("one").await;
    import(&store, &[incoming("10086", 1)]).await;
    for number in 2..=11 {
        sign_in(&store, "10086", number).await;
    }
    let first = must(store.session(incoming("10086", 1).import.start.sid).await);
    let ended = first.and_then(|loaded| loaded.session.end.clone());
    assert_eq!(ended.map(|end| end.reason), Some(Reason::Displaced));
    import(&store, &[incoming("banned", 20)]).await;
    ban(&store, "banned").await;
    let old = must(store.imported(&incoming("banned", 20).digest).await).expect("it is known");
    assert_eq!(refresh(&store, &old, AT).await.map(|_| ()), Err(Denial::Ended(Reason::Banned)));
}

/// Of an import and a ban that race, the session is dead in either order.
pub async fn an_import_that_races_a_ban_is_never_alive_after_it(open: impl Open) {
    let store = open("one").await;
    for number in 0..100 {
        let subject = format!("s{number}");
        let chunk = [incoming(&subject, number)];
        let (brought, _) = tokio::join!(import(&store, &chunk), ban(&store, &subject));
        let old = must(store.imported(&chunk[0].digest).await);
        assert_eq!(old.is_some(), brought == [NEW], "{brought:?}");
        if let Some(old) = old {
            assert!(refresh(&store, &old, AT).await.is_err(), "{number}");
        }
    }
}

/// A sweep forgets an old token once it would have expired, not when its session ended.
pub async fn a_sweep_forgets_old_tokens_that_have_expired(open: impl Open) {
    let store = open("one").await;
    let one = incoming("10086", 1);
    import(&store, std::slice::from_ref(&one)).await;
    kick(&store, one.import.start.sid, AT).await;
    let sweep = async |forget_before: Timestamp, at: Timestamp| {
        let decide = |loaded: symbolon_core::Loaded| loaded.expire(&policy(), at);
        must(
            store
                .expire(
                    None,
                    512,
                    crate::Retention { since: forget_before, events_max: u64::MAX, events_min: 0 },
                    decide,
                )
                .await,
        )
        .forgotten
    };
    let month = AT.after(DAY * 30);
    assert_eq!(sweep(month, AT).await, 1, "the session");
    assert!(must(store.imported(&one.digest).await).is_none(), "its session is forgotten");
    assert_eq!(import(&store, std::slice::from_ref(&one)).await, [Brought::AlreadyThere]);
    let other = sign_in(&store, "10010", 2).await.grant.session;
    refresh(&store, &token_of(&other), AT.after(DAY * 13)).await.expect("the newest token");
    let second = token_of(&must(store.session(other.sid).await).expect("it is there").session);
    refresh(&store, &second, AT.after(DAY * 26)).await.expect("the newest token");
    let third = token_of(&must(store.session(other.sid).await).expect("it is there").session);
    assert_eq!(sweep(AT, month).await, 0);
    refresh(&store, &third, month).await.expect("the newest token");
    assert_eq!(sweep(AT, month).await, 1, "the old token");
}
