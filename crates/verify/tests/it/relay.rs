//! A verifier beside a relay: one that goes through it, and one that feeds it.

use crate::follow::until;
use crate::script::kicked;
use crate::sender::Sender;
use crate::tokens::ISSUER;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use symbolon_verify::{Policy, Relay, SetupError};
use symbolon_wire::feed::{Frame, FrameReader};

#[tokio::test]
async fn an_issuer_that_is_reached_elsewhere_is_still_whose_tokens_are_taken() {
    let sender = Sender::start().await;
    let url = std::mem::replace(&mut sender.script.lock().unwrap().issuer, ISSUER.to_owned());
    sender.does(|script| script.kick(0));
    let verifier = sender.builder().through(&url).connect().await.unwrap();
    let strict = Policy::strict(Duration::from_secs(5));
    assert_eq!(sender.judged(&verifier, 0, &strict), kicked());
    assert_eq!(sender.judged(&verifier, 1, &strict), Ok(()));
    let clear = sender.builder().through("http://relay.example").connect_lazily();
    assert!(matches!(clear.err(), Some(SetupError::Through(_))), "an API key travels there");
}

#[tokio::test]
async fn what_was_heard_and_taken_is_passed_on_in_its_order_and_that_it_broke_off() {
    let sender = Sender::start().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&heard);
    let builder = sender.builder().relay(move |relay| {
        to.lock().unwrap().push(match relay {
            Relay::Snapshot(bytes) => ("snapshot", bytes.to_vec()),
            Relay::Frames(bytes) => ("frames", bytes.to_vec()),
            Relay::Lost | _ => ("lost", Vec::new()),
        });
    });
    let verifier = builder.connect().await.unwrap();
    let count = |what: &str| heard.lock().unwrap().iter().filter(|(own, _)| *own == what).count();
    assert_eq!(heard.lock().unwrap()[0].0, "snapshot");
    sender.does(|script| script.kick(1));
    let policy = Policy::offline();
    until("the kick is known", || sender.judged(&verifier, 1, &policy) == kicked()).await;
    let mut reader = FrameReader::default();
    for (_, bytes) in heard.lock().unwrap().iter().filter(|(what, _)| *what == "frames") {
        reader.push(bytes);
    }
    let frames: Vec<_> =
        std::iter::from_fn(|| reader.next_frame()).map(|frame| frame.unwrap()).collect();
    let revocations = frames.iter().filter(|frame| matches!(frame, Frame::Revocation(..))).count();
    assert_eq!((revocations, count("lost")), (1, 0));
    sender.stop().await;
    until("it broke off", || 0 < count("lost")).await;
    let before = count("frames");
    sender.start_again().await;
    until("it goes on", || before < count("frames")).await;
    assert_eq!(count("snapshot"), 1, "from where it broke off");
}
