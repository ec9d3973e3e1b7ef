//! Several nodes on one store, and what a node that dies leaves behind.

use crate::open;
use crate::servers::{cluster, single, until, url_of};
use crate::story::{bump, sign_in_at, start_in, try_kick, try_refresh};
use std::collections::BTreeSet;
use std::process::Command;
use symbolon_core::{Effect, Fault, Reason, SessionId, Target};
use symbolon_store::conformance::{AT, policy, sign_in_through, token_of};
use symbolon_store::{Query, Retention, Store};
use tokio::task::JoinSet;

/// The keys of a prefix.
fn keys(port: u16, prefix: &str) -> BTreeSet<String> {
    let mut scan = Command::new("redis-cli");
    scan.args(["-p", &port.to_string(), "--scan", "--pattern", &format!("{{{prefix}:*")]);
    let found = String::from_utf8_lossy(&scan.output().unwrap().stdout).into_owned();
    found.lines().map(|line| line.to_owned()).collect()
}

async fn whole_feed(store: &Store) -> Vec<(u64, Target)> {
    let events = store.events_after(0, 4096).await.unwrap();
    events.into_iter().map(|(position, event)| (position, event.target)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn revocations_of_all_lanes_and_nodes_stand_once_in_one_order() {
    for url in [single().await.url(), url_of(cluster().await)] {
        let nodes = [open(&url, "order").await, open(&url, "order").await];
        let mut callers = JoinSet::new();
        for lane in 0..64_u8 {
            let node = nodes[usize::from(lane) % 2].clone();
            callers.spawn(async move {
                for number in 0..4 {
                    let sid = sign_in_at(&node, lane, number).await.sid;
                    let position = try_kick(&node, sid).await.unwrap().position;
                    // Whatever was answered can be read by then, and lies at the position or before it.
                    let feed = whole_feed(&node).await;
                    let own = feed.iter().find(|(_, target)| *target == Target::Session(sid));
                    assert!(own.unwrap().0 <= position);
                }
            });
        }
        callers.join_all().await;
        let feed = whole_feed(&nodes[0]).await;
        assert!(feed.iter().map(|(position, _)| *position).eq(1..=256));
        assert_eq!(
            feed.iter().map(|(_, target)| format!("{target:?}")).collect::<BTreeSet<_>>().len(),
            256
        );
        assert_eq!(whole_feed(&nodes[1]).await, feed);
        until("both know the head", async || nodes.iter().all(|node| node.head() == 256)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_hears_of_a_revocation_without_asking() {
    let url = single().await.url();
    let (here, there) = (open(&url, "heard").await, open(&url, "heard").await);
    let sid = sign_in_at(&here, 9, 1).await.sid;
    let mut heads = there.heads();
    let asked = there.head_asked().unwrap();
    let position = try_kick(&here, sid).await.unwrap().position;
    while *heads.borrow_and_update() < position {
        tokio::time::timeout(core::time::Duration::from_secs(5), heads.changed())
            .await
            .unwrap()
            .unwrap();
    }
    until("the head is known up to later", async || asked < there.head_asked().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_node_left_in_a_lane_is_published_once() {
    let server = single().await;
    let node = open(&server.url(), "dead").await;
    let sid = sign_in_at(&node, 33, 1).await.sid;
    // The log is away, so that the node commits and cannot publish; then it dies.
    assert!(server.ask("RENAME {dead:log}:state {dead:log}:away").contains("+OK"));
    let fault = try_kick(&node, sid).await.map(|committed| committed.reply);
    assert!(matches!(fault, Err(Fault::Store(_))), "{fault:?}");
    drop(node);
    assert!(server.ask("RENAME {dead:log}:away {dead:log}:state").contains("+OK"));
    let others = [open(&server.url(), "dead").await, open(&server.url(), "dead").await];
    until("it is published", async || others.iter().all(|node| node.head() == 1)).await;
    assert_eq!(whole_feed(&others[0]).await, [(1, Target::Session(sid))]);
    let end = others[1].session(sid).await.unwrap().unwrap().session.end.clone();
    assert_eq!(end.map(|end| end.reason), Some(Reason::Kicked));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_node_decides_on_what_was_before_an_answered_bump() {
    for url in [single().await.url(), url_of(cluster().await)] {
        let (here, there) = (open(&url, "bump").await, open(&url, "bump").await);
        for round in 0..32_u8 {
            let session = sign_in_at(&there, round * 2, u32::from(round)).await;
            bump(&here, Effect::Revoked).await;
            let denied = try_refresh(&there, &token_of(&session), AT).await.unwrap();
            assert_eq!(denied.map(|_| ()), Err(Reason::Admin), "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bump_whose_node_died_on_the_way_reaches_every_lane() {
    let server = single().await;
    let node = open(&server.url(), "half").await;
    let session = sign_in_at(&node, 5, 1).await;
    assert!(server.ask("COPY {half:05}:version {half:05}:before").contains(":1"));
    bump(&node, Effect::Revoked).await;
    assert!(server.ask("RENAME {half:05}:before {half:05}:version").contains("+OK"));
    let version = |lane: u8| server.ask(&format!("GETRANGE {{half:{lane:02}}}:version 0 7"));
    until("the lane is told", async || version(5) == version(6)).await;
    let denied = try_refresh(&node, &token_of(&session), AT).await.unwrap();
    assert_eq!(denied.map(|_| ()), Err(Reason::Admin));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_walk_all_lanes_in_the_order_of_names() {
    for url in [single().await.url(), url_of(cluster().await)] {
        let store = open(&url, "lists").await;
        let mut expected: Vec<SessionId> = Vec::new();
        for number in 0..150_u32 {
            let lane = (number * 29 % 64) as u8;
            expected.push(sign_in_at(&store, lane, number).await.sid);
        }
        expected.sort();
        let (mut found, mut query) = (Vec::new(), Query { limit: 7, ..Query::default() });
        loop {
            let page = store.sessions(&query, |_| true).await.unwrap();
            found.extend(page.sessions.iter().map(|loaded| loaded.session.sid));
            query.after = page.next;
            if page.next.is_none() {
                break;
            }
        }
        assert_eq!(found, expected);
    }
}

/// How many come and go; `scripts/long` asks for 100,000 through `LEAK_SESSIONS`.
fn how_many() -> u32 {
    option_env!("LEAK_SESSIONS").and_then(|count| count.parse().ok()).unwrap_or(5_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_came_and_went_leave_no_keys() {
    let server = single().await;
    let store = open(&server.url(), "leak").await;
    let spent_at = AT.after(core::time::Duration::from_secs(60));
    let mut callers = JoinSet::new();
    for lane in 0..64_u8 {
        let store = store.clone();
        callers.spawn(async move {
            for number in 0..how_many() / 64 {
                let start = start_in(lane, number);
                let sid = sign_in_through(&store, &start).await.grant.session.sid;
                try_kick(&store, sid).await.unwrap();
                let mut digest = [0; 32];
                digest[..16].copy_from_slice(sid.as_bytes());
                store.spend(digest, b"", spent_at, AT).await.unwrap();
            }
        });
    }
    callers.join_all().await;
    let later = AT.after(core::time::Duration::from_secs(40 * 86_400));
    // Somebody was there after what was spent had expired.
    let late = sign_in_at(&store, 1, 9_999_999).await;
    let minutes = AT.after(core::time::Duration::from_secs(120));
    try_refresh(&store, &token_of(&late), minutes).await.unwrap().unwrap();
    try_kick(&store, late.sid).await.unwrap();
    let keep = Retention { since: later, events_max: u64::MAX, events_min: 1 };
    let mut after = None;
    loop {
        let decide = |loaded: symbolon_core::Loaded| loaded.expire(&policy(), later);
        let swept = store.expire(after, 512, keep, decide).await.unwrap();
        after = swept.next;
        if after.is_none() && swept.forgotten == 0 {
            break;
        }
    }
    let left = keys(server.port, "leak");
    // Of each lane its version, its numbers and its outbox; of the log its state, cut-offs, events, primaries.
    let fixed = |key: &&String| {
        ["version", "end", "moves", "latest", "outbox", "state", "cutoffs", "events", "primaries"]
            .contains(&key.rsplit(':').next().unwrap())
    };
    assert_eq!(left.iter().filter(|key| !fixed(key)).collect::<Vec<_>>(), Vec::<&String>::new());
}
