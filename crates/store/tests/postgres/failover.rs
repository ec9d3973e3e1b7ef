//! A standby takes over that lacks what was acknowledged.

use super::nodes::{open, until};
use super::server::{Server, shared};
use core::time::Duration;
use symbolon_core::{Outcome, StoreEpoch};
use symbolon_store::conformance::{AT, kick, refresh, sign_in, token_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_takes_over_opens_one_store_epoch() {
    let mut primary = Server::new(&["fsync=off"]);
    let mut standby = primary.standby(&["fsync=off"]);
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", primary.port, standby.port);
    let url = format!("postgres://symbolon@{hosts}/postgres?schema=over");
    let nodes = [open(&url).await, open(&url).await];
    let kept = sign_in(&nodes[0], "kept", 1).await.grant.session;
    let kicked = sign_in(&nodes[0], "kicked", 2).await.grant.session;
    kick(&nodes[0], kicked.sid, AT).await;
    let caught_up = "SELECT count(*) FROM pg_stat_replication \
         WHERE replay_lsn >= pg_current_wal_lsn()";
    until("the standby has it all", || primary.sql(caught_up) == "1").await;

    // From here on the standby hears nothing, and what is acknowledged is lost.
    standby.stop();
    let lost = sign_in(&nodes[1], "lost", 3).await.grant.session;
    kick(&nodes[1], lost.sid, AT).await;
    let minute = AT.after(Duration::from_secs(60));
    let renewed = refresh(&nodes[1], &token_of(&kept), minute).await.unwrap().session;
    assert_eq!((renewed.generation.0, nodes[1].head()), (1, 2));
    primary.kill();
    standby.restart(&["fsync=off"]);
    standby.promote();

    for node in &nodes {
        until("the epoch is known", || node.cutoffs().epoch == StoreEpoch(1)).await;
        until("the head is the server's", || node.head() == 1).await;
        until("it takes writes", || node.takes_writes()).await;
        until("the lost end is counted, once for both", || node.lost() == 1).await;
        assert!(node.session(lost.sid).await.unwrap().is_none());
    }
    // Whoever holds what was lost is not logged out, and the new epoch is in what they get.
    let later = minute.after(Duration::from_secs(60));
    let grant = refresh(&nodes[0], &token_of(&renewed), later).await.unwrap();
    assert_eq!((grant.outcome, grant.session.generation.0), (Outcome::FastForwarded, 2));
    assert_eq!(grant.session.rotation.epoch, StoreEpoch(1));
    let position = kick(&nodes[1], kept.sid, later).await.position;
    assert_eq!(position, 2, "the order goes on where the server is");
    until("the other hears of it", || nodes[0].head() == 2).await;
    let epochs = nodes.map(|node| node.cutoffs().epoch);
    assert_eq!(epochs, [StoreEpoch(1); 2], "one for both");
    // Who comes later finds it done.
    let late = open(&url).await;
    assert_eq!((late.cutoffs().epoch, late.lost()), (StoreEpoch(1), 1));
}

/// A server that says nothing of cluster and timeline, and has fewer events than it had.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_went_back_opens_an_epoch_too() {
    let url = shared().url("back");
    let nodes = [open(&url).await, open(&url).await];
    for number in 0..3 {
        let sid = sign_in(&nodes[0], &format!("s{number}"), number).await.grant.session.sid;
        kick(&nodes[0], sid, AT).await;
    }
    for node in &nodes {
        until("both know the head", || node.head() == 3).await;
    }
    shared().sql(
        "BEGIN; DELETE FROM back.events WHERE position = 3; UPDATE back.head SET position = 2; COMMIT",
    );
    for node in &nodes {
        until("the epoch is known", || node.cutoffs().epoch == StoreEpoch(1)).await;
        until("the head is the server's", || node.head() == 2).await;
    }
    assert_eq!(shared().sql("SELECT version FROM back.cutoffs"), (1 + (1_u64 << 32)).to_string());
}
