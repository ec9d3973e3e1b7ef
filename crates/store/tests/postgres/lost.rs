//! Answers that never come: the way back is cut while the server does what it was asked.

use super::nodes::{open, until};
use super::server::{free_port, shared};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use symbolon_core::{Decision, Fault, Loaded, Session, StoreEpoch};
use symbolon_store::conformance::{AT, kick, sign_in};

/// A way to the server on which all that it says can be swallowed.
struct Way {
    port: u16,
    swallows: Arc<AtomicBool>,
}

impl Way {
    fn to(server: u16) -> Self {
        let (port, swallows) = (free_port(), Arc::new(AtomicBool::new(false)));
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let flag = Arc::clone(&swallows);
        std::thread::spawn(move || {
            for here in listener.incoming().flatten() {
                let Ok(there) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (back, forth) = (there.try_clone().unwrap(), here.try_clone().unwrap());
                let (flag, never) = (Arc::clone(&flag), Arc::new(AtomicBool::new(false)));
                std::thread::spawn(move || copy(forth, there, &never));
                std::thread::spawn(move || copy(back, here, &flag));
            }
        });
        Self { port, swallows }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, swallows: &AtomicBool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if !swallows.load(Ordering::Acquire) && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // Both ends hear that the other is gone.
    let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn one_on(loaded: &Loaded) -> Decision<u32> {
    let mut state = (*loaded.session).clone();
    state.generation = state.generation.next().unwrap();
    let reply = state.generation.0;
    Decision { session: Some(Session::restore(state)), events: Vec::new(), reply }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_a_fault_within_its_bound_and_nothing_is_done_twice() {
    let way = Way::to(shared().port);
    let url = format!("postgres://symbolon@127.0.0.1:{}/postgres?schema=lost", way.port);
    let store = open(&url).await;
    let sid = sign_in(&store, "10086", 1).await.grant.session.sid;
    let first = store.step(sid, |loaded| Ok(one_on(&loaded))).await.unwrap().unwrap();
    assert_eq!(first.reply, 1);
    let swallows = Arc::clone(&way.swallows);
    let begun = Instant::now();
    // The decision is made on what was loaded; from there on no answer comes back.
    let lost = store.step(sid, |loaded| {
        swallows.store(true, Ordering::Release);
        Ok(one_on(&loaded))
    });
    assert!(matches!(lost.await, Err(Fault::Store(_))));
    assert!(begun.elapsed() < Duration::from_secs(10), "its bound is two seconds");
    assert!(!store.takes_writes());
    way.swallows.store(false, Ordering::Release);
    until("it takes writes again", || store.takes_writes()).await;
    let found = store.session(sid).await.unwrap().unwrap().session.generation.0;
    // Whether it was made depends on whether the way was cut before the server had it all.
    assert!((1..=2).contains(&found), "{found}");
    let next = store.step(sid, |loaded| Ok(one_on(&loaded))).await.unwrap().unwrap();
    assert_eq!(next.reply, found + 1);
}

/// Takes the newest events away, as a standby does that takes over and never had them.
fn forget_events_after(position: u64) {
    shared().sql(&format!(
        "BEGIN; DELETE FROM counting.events WHERE {position} < position; \
         UPDATE counting.head SET position = {position}; COMMIT"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_lost_are_counted_once_for_all_processes_and_remembered() {
    let url = shared().url("counting");
    let nodes = [open(&url).await, open(&url).await, open(&url).await];
    let end = async |count: u32, from: u32| {
        for number in from..from + count {
            let sid = sign_in(&nodes[0], &format!("s{number}"), number).await.grant.session.sid;
            kick(&nodes[0], sid, AT).await;
        }
    };
    let all_have = async |epoch: u32, head: u64, lost: u64| {
        for node in &nodes {
            let has = || (node.cutoffs().epoch, node.head(), node.lost());
            until("all know", || has() == (StoreEpoch(epoch), head, lost)).await;
        }
    };
    end(3, 0).await;
    all_have(0, 3, 0).await;
    forget_events_after(1);
    all_have(1, 1, 2).await;
    end(2, 3).await;
    all_have(1, 3, 2).await;
    forget_events_after(2);
    all_have(2, 2, 3).await;
    assert_eq!(open(&url).await.lost(), 3, "who comes later is told");
}
