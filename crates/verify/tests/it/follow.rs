//! The verifier on the feed of an authority, also of one that is silent, swallows, hangs or goes away.

use crate::authority::INTROSPECT;
use crate::script::kicked;
use crate::sender::{Fault, Sender};
use crate::tokens::key;
use std::sync::Arc;
use std::time::Duration;
use symbolon_core::KeyId;
use symbolon_verify::feed::Gap;
use symbolon_verify::{
    Algorithm, ConnectError, FetchError, Mode, Policy, Presented, Rejected, SetupError, Status,
    Unknown, Verifier,
};
use symbolon_wire::feed::{Frame, KeyNotice};
use tokio::time::{Instant, timeout};

const STREAM: &str = "/v1/feed";
const POLL: &str = "/v1/feed/poll";
const SNAPSHOT: &str = "/v1/feed/snapshot";
const APPLIED: &str = "/v1/feed/applied";
const JWKS: &str = "/.well-known/jwks.json";

/// Longer than anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until it is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let look = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while !so() {
            ticks.tick().await;
        }
    };
    assert!(timeout(PATIENCE, look).await.is_ok(), "it never came to that: {what}");
}

fn status(sender: &Sender, verifier: &Verifier) -> Status {
    verifier.status(sender.reading().monotonic)
}

fn bounded() -> Policy {
    Policy::bounded(Duration::from_secs(5))
}

fn strict() -> Policy {
    Policy::strict(Duration::from_secs(5))
}

async fn is_kicked(sender: &Arc<Sender>, verifier: &Verifier, number: u64) {
    sender.does(|script| script.kick(number));
    until("the kick is known", || sender.judged(verifier, number, &Policy::offline()) == kicked())
        .await;
}

#[tokio::test]
async fn an_ended_session_is_refused_at_once_and_nobody_is_asked() {
    let sender = Sender::start().await;
    sender.does(|script| script.kick(0));
    let verifier = sender.connect().await;
    assert!(verifier.is_ready());
    assert_eq!(sender.judged(&verifier, 0, &strict()), kicked());
    assert_eq!(sender.judged(&verifier, 1, &strict()), Ok(()));
    let began = Instant::now();
    is_kicked(&sender, &verifier, 1).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let token = sender.script.lock().unwrap().token(2);
    let admitted = verifier.admit(&Presented::bearer(&token), &Policy::default()).await;
    assert_eq!(admitted.unwrap().claims().sub, "42");
    let refused = sender.script.lock().unwrap().token(1);
    let refused = verifier.admit(&Presented::bearer(&refused), &Policy::default()).await;
    assert_eq!(refused.err(), kicked().err());
    assert_eq!(sender.asked(INTROSPECT), 0);
    assert_eq!(sender.authorization(), "Bearer sym_ak_test");
    let status = status(&sender, &verifier);
    assert_eq!((status.mode, status.epoch, status.position), (Mode::Stream, Some(1), Some(2)));
    assert_eq!((status.resyncs, status.entries), (0, 2));
}

#[tokio::test]
async fn a_verifier_is_not_ready_before_its_snapshot() {
    let sender = Sender::start().await;
    sender.fails(&[(SNAPSHOT, Fault::Status(503))]);
    let verifier = sender.builder().connect_lazily().unwrap();
    until("it was asked for", || 2 <= sender.asked(SNAPSHOT)).await;
    assert!(!verifier.is_ready());
    assert_eq!(sender.judged(&verifier, 1, &bounded()), Err(Rejected::Ask));
    let unknown = Err(Rejected::Unverifiable(Unknown::Session));
    assert_eq!(sender.judged(&verifier, 1, &strict()), unknown);
    sender.fails(&[]);
    timeout(PATIENCE, verifier.ready()).await.unwrap();
    assert_eq!(sender.judged(&verifier, 1, &strict()), Ok(()));
}

#[tokio::test]
async fn an_api_key_that_may_not_follow_fails_the_start() {
    let sender = Sender::start().await;
    sender.fails(&[(SNAPSHOT, Fault::Status(403))]);
    let refused = sender.builder().connect().await.err();
    assert_eq!(refused, Some(ConnectError::Feed(FetchError::Status(403))));
    for name in ["", "two words", "ünique", &"x".repeat(65)] {
        let refused = sender.builder().instance(name).connect().await.err();
        assert_eq!(refused, Some(ConnectError::Setup(SetupError::Instance)), "{name}");
    }
}

#[tokio::test]
async fn a_stream_that_is_silent_is_replaced_by_polls() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let began = Instant::now();
    sender.fails(&[(STREAM, Fault::Swallows)]);
    until("it polls", || status(&sender, &verifier).mode == Mode::Poll).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    is_kicked(&sender, &verifier, 1).await;
    assert_eq!(sender.judged(&verifier, 2, &strict()), Ok(()));
    assert_eq!(status(&sender, &verifier).resyncs, 0);
}

#[tokio::test]
async fn a_link_that_swallows_everything_closes_what_must_be_closed_and_heals() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    sender.fails(&[(STREAM, Fault::Hangs), (POLL, Fault::Hangs), (SNAPSHOT, Fault::Hangs)]);
    sender.stop().await;
    sender.start_again().await;
    sender.does(|script| script.kick(1));
    until("it is too old", || status(&sender, &verifier).age > Some(Duration::from_secs(5))).await;
    let old = Err(Rejected::Unverifiable(Unknown::Session));
    assert_eq!(sender.judged(&verifier, 1, &strict()), old);
    assert_eq!(sender.judged(&verifier, 1, &bounded()), Err(Rejected::Ask));
    assert_eq!(sender.judged(&verifier, 1, &Policy::offline()), Ok(()));
    let token = sender.script.lock().unwrap().token(2);
    assert!(verifier.admit(&Presented::bearer(&token), &bounded()).await.is_ok());
    assert_eq!(sender.asked(INTROSPECT), 1, "bounded asks");
    sender.fails(&[]);
    until("it has healed", || sender.judged(&verifier, 2, &strict()) == Ok(())).await;
    assert_eq!(sender.judged(&verifier, 1, &strict()), kicked());
    assert_eq!(status(&sender, &verifier).resyncs, 0, "it went on from where it was");
}

#[tokio::test]
async fn a_stopped_authority_is_come_back_to() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    sender.stop().await;
    until("it is noticed", || status(&sender, &verifier).mode == Mode::Off).await;
    sender.does(|script| script.kick(1));
    sender.start_again().await;
    until("it has healed", || sender.judged(&verifier, 1, &strict()) == kicked()).await;
    until("it streams", || status(&sender, &verifier).mode == Mode::Stream).await;
}

#[tokio::test]
async fn who_says_goodbye_is_left_alone_for_as_long_as_they_said() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    until("it streams", || status(&sender, &verifier).mode == Mode::Stream).await;
    let (asked, began) = (sender.asked(STREAM), Instant::now());
    sender.sends(Frame::Bye(Duration::from_secs(1)));
    until("it came back", || asked < sender.asked(STREAM)).await;
    assert!(Duration::from_millis(500) <= began.elapsed(), "{:?}", began.elapsed());
    is_kicked(&sender, &verifier, 1).await;
}

#[tokio::test]
async fn a_restored_store_is_taken_up_by_a_snapshot_and_nothing_is_forgotten() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    is_kicked(&sender, &verifier, 1).await;
    sender.does(|script| {
        script.restore(0);
        script.kick(2);
    });
    until("the new one is known", || sender.judged(&verifier, 2, &strict()) == kicked()).await;
    assert_eq!(sender.judged(&verifier, 1, &strict()), kicked());
    // What a snapshot says is refused before the snapshot is whole.
    until("its place is told", || status(&sender, &verifier).position.is_some()).await;
    let status = status(&sender, &verifier);
    assert_eq!((status.resyncs, status.epoch, status.position), (1, Some(2), Some(1)));
}

#[tokio::test]
async fn what_was_applied_is_reported_on_time_and_at_once_when_somebody_waits() {
    let sender = Sender::start().await;
    let verifier = sender.builder().offline_routes(2).connect().await.unwrap();
    until("the first report", || !sender.applied().is_empty()).await;
    let report = sender.applied().remove(0);
    assert_eq!(report["instance"], "one");
    assert_eq!((&report["max_staleness_ms"], &report["offline_routes"]), (&5000.into(), &2.into()));
    assert!(report["age_ms"].as_u64().unwrap() < 5000);
    let began = Instant::now();
    sender.sends(Frame::Report);
    sender.does(|script| script.kick(1));
    let head = sender.script.lock().unwrap().head().to_text();
    until("the kick is reported", || sender.applied().iter().any(|r| r["cursor"] == *head)).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    until("it goes on by itself", || sender.asked(APPLIED) >= 4).await;
    drop(verifier);
}

#[tokio::test]
async fn polls_alone_are_enough() {
    let sender = Sender::start().await;
    let verifier = sender.builder().poll_only().connect().await.unwrap();
    is_kicked(&sender, &verifier, 1).await;
    assert_eq!(sender.judged(&verifier, 2, &strict()), Ok(()));
    assert_eq!((sender.asked(STREAM), status(&sender, &verifier).mode), (0, Mode::Poll));
}

#[tokio::test]
async fn an_announced_key_is_fetched_early_and_a_new_one_breaks_nothing() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let (next, asked) = (key(Algorithm::EdDsa), sender.asked(JWKS));
    sender.does(|script| {
        let (old, next) = (&script.key, &next);
        sender.publish(&[old, next]);
    });
    sender.sends(Frame::Key(KeyNotice { kid: KeyId([1; 12]), state: "announced".to_owned() }));
    until("the hint was taken", || asked < sender.asked(JWKS)).await;
    sender.does(|script| {
        script.key = next;
        script.kick(1);
    });
    until("it is known", || sender.judged(&verifier, 1, &strict()) == kicked()).await;
    assert_eq!(status(&sender, &verifier).resyncs, 0);
}

#[tokio::test]
async fn a_key_that_was_not_announced_is_fetched_when_a_checkpoint_names_it() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let next = key(Algorithm::EdDsa);
    sender.does(|script| {
        sender.publish(&[&script.key, &next]);
        script.key = next;
        script.kick(1);
    });
    until("it is known", || sender.judged(&verifier, 1, &strict()) == kicked()).await;
    assert_eq!(sender.judged(&verifier, 2, &strict()), Ok(()));
    assert_eq!(status(&sender, &verifier).resyncs, 0);
}

#[tokio::test]
async fn a_token_of_a_key_that_was_withdrawn_is_to_be_renewed_also_when_the_key_is_gone() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    let old = sender.script.lock().unwrap().token(1);
    let judged = || verifier.check(&Presented::bearer(&old), &strict(), sender.reading(), |_| ());
    assert_eq!(judged(), Ok(()));
    let (next, asked) = (key(Algorithm::EdDsa), sender.asked(JWKS));
    sender.does(|script| {
        sender.publish(&[&next]);
        script.withdraw_for(next);
    });
    until("it is to be renewed", || judged() == Err(Rejected::Stale)).await;
    until("the key is gone", || asked < sender.asked(JWKS)).await;
    until("what the new key signed passes", || sender.judged(&verifier, 1, &strict()) == Ok(()))
        .await;
    assert_eq!(judged(), Err(Rejected::Stale));
    sender.script.lock().unwrap().key = key(Algorithm::EdDsa);
    let nobodys = Err(Rejected::Unverifiable(Unknown::Key));
    assert_eq!(sender.judged(&verifier, 1, &strict()), nobodys);
}

#[tokio::test]
async fn a_machine_that_slept_believes_nothing_until_it_has_heard_again() {
    let sender = Sender::start().await;
    let verifier = sender.connect().await;
    assert_eq!(sender.judged(&verifier, 1, &strict()), Ok(()));
    sender.sleeps(Duration::from_secs(60));
    let old = Err(Rejected::Unverifiable(Unknown::Session));
    assert_eq!(sender.judged(&verifier, 1, &strict()), old);
    // The authority slept as little as the tokens did: its time is behind what was carried on, and asked for.
    until("it has healed", || sender.judged(&verifier, 1, &strict()) == Ok(())).await;
}

#[tokio::test]
async fn a_forged_feed_makes_nobody_ready() {
    let sender = Sender::start().await;
    let (real, forger) = (key(Algorithm::EdDsa), key(Algorithm::EdDsa));
    sender.publish(&[&real]);
    sender.does(|script| script.key = forger);
    let verifier = sender.builder().connect_lazily().unwrap();
    until("it was refused", || 2 <= sender.asked(SNAPSHOT)).await;
    assert!(!verifier.is_ready());
    assert_eq!(status(&sender, &verifier).age, None);
    assert_eq!(FetchError::Feed(Gap::Key).to_string(), Gap::Key.to_string());
}
