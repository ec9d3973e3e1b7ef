//! Steps that come together go out together, and stand each for itself.

use crate::open;
use crate::servers::{KEEPING, Server, cluster, single, until, url_of};
use crate::story::{sign_in_at, try_kick, try_refresh};
use core::time::Duration;
use std::process::Command;
use symbolon_core::{Fault, Generation, Reason, SessionId};
use symbolon_store::Store;
use symbolon_store::conformance::{AT, token_of};
use tokio::task::JoinSet;

/// A session's name that nobody has, in the lane of one that somebody has.
fn beside(sid: SessionId) -> SessionId {
    let mut bytes = *sid.as_bytes();
    bytes[15] ^= 1;
    SessionId::from_bytes(bytes)
}

/// What a session is after it was renewed here and, if so, kicked there.
async fn is_as_answered(here: &Store, sid: SessionId, kicked: bool) {
    let session = here.session(sid).await.unwrap().unwrap().session;
    assert_eq!(session.end.as_ref().map(|end| end.reason), kicked.then_some(Reason::Kicked));
    assert!(kicked || session.generation == Generation(1), "{:?}", session.generation);
    assert!(here.session(beside(sid)).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_steps_that_come_together_each_is_done_or_lost_for_itself() {
    for url in [single().await.url(), url_of(cluster().await)] {
        let (here, there) = (open(&url, "each").await, open(&url, "each").await);
        let mut signing = JoinSet::new();
        for number in 0..320_u32 {
            let here = here.clone();
            signing.spawn(async move { sign_in_at(&here, (number % 64) as u8, number).await });
        }
        let sessions = signing.join_all().await;
        let (mut steps, mut kicks) = (JoinSet::new(), JoinSet::new());
        for (number, session) in sessions.iter().enumerate() {
            let (here, there, token) = (here.clone(), there.clone(), token_of(session));
            let (sid, kicked) = (session.sid, number % 3 == 0);
            steps.spawn(async move { (kicked, try_refresh(&here, &token, AT).await.unwrap()) });
            if kicked {
                kicks.spawn(async move { try_kick(&there, sid).await.unwrap() });
            }
        }
        for (kicked, answer) in steps.join_all().await {
            match answer {
                Ok(session) => assert_eq!(session.generation, Generation(1)),
                Err(reason) => assert_eq!((reason, kicked), (Reason::Kicked, true)),
            }
        }
        kicks.join_all().await;
        let mut looks = JoinSet::new();
        for (number, session) in sessions.iter().enumerate() {
            let (here, sid) = (here.clone(), session.sid);
            looks.spawn(async move { is_as_answered(&here, sid, number % 3 == 0).await });
        }
        looks.join_all().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_leaves_nobody_waiting_and_no_more_than_the_bound() {
    let server = Server::start("redis-server", &KEEPING).await;
    let store = open(&server.url(), "mute").await;
    let token = token_of(&sign_in_at(&store, 7, 1).await);
    let process = server.info("process_id").unwrap();
    let signal = |name: &str| {
        Command::new("kill").args([name, process.as_str()]).status().unwrap().success()
    };
    assert!(signal("-STOP"));
    let mut callers = JoinSet::new();
    for _ in 0..10_000 {
        let (store, token) = (store.clone(), token.clone());
        callers.spawn(async move { try_refresh(&store, &token, AT).await.map(|_| ()) });
    }
    // Twice as long as a call may take, and what a busy machine adds.
    let answers = tokio::time::timeout(Duration::from_secs(20), callers.join_all()).await.unwrap();
    let busy = answers.iter().filter(|answer| **answer == Err(Fault::Busy)).count();
    assert!((1..10_000).contains(&busy), "{busy}");
    assert!(answers.iter().all(|answer| answer.is_err()), "nothing was answered");
    assert!(signal("-CONT"));
    until("steps go on", async || matches!(try_refresh(&store, &token, AT).await, Ok(Ok(_)))).await;
}
