//! Several processes on one place, and a server that restarts, cuts them off or is in their way.

use super::server::{Server, command, program, shared};
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use symbolon_core::{
    Act, Decision, Denial, Effect, Fault, Loaded, Reason, Session, SessionId, StoreEpoch, Timestamp,
};
use symbolon_store::conformance::{AT, kick, policy, refresh, sign_in, token_of};
use symbolon_store::postgres::Address;
use symbolon_store::{Retention, Store};
use tokio::task::JoinSet;

/// How long anything may take that is waited for. Inclusive.
const WAIT_MAX: Duration = Duration::from_secs(20);

pub(crate) async fn open(url: &str) -> Store {
    Store::open_postgres(&Address::parse(url).unwrap()).await.unwrap()
}

/// Waits until something holds, a bounded time.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    while !holds() {
        assert!(begun.elapsed() < WAIT_MAX, "it never came true that {what}");
        tick.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_commits_wakes_those_of_another() {
    let url = shared().url("waking");
    let (here, there) = (open(&url).await, open(&url).await);
    let mut heads = there.heads();
    let sid = sign_in(&here, "10086", 1).await.grant.session.sid;
    let position = kick(&here, sid, AT).await.position;
    let woken = tokio::time::timeout(WAIT_MAX, heads.wait_for(|head| *head == position)).await;
    woken.unwrap().unwrap();
    assert_eq!(there.events_after(0, 10).await.unwrap().len(), 1);
    let before = there.head_asked().unwrap();
    until("it asks again", || before < there.head_asked().unwrap()).await;
}

/// Nobody waits for the other process to hear of it: what was decided on the older cut-offs is decided again.
#[tokio::test(flavor = "multi_thread")]
async fn a_bump_at_one_process_is_in_force_at_the_other_at_once() {
    let url = shared().url("bumping");
    let (here, there) = (open(&url).await, open(&url).await);
    for number in 0..20 {
        let session = sign_in(&there, &format!("s{number}"), number).await.grant.session;
        let bump = |mut cutoffs: symbolon_core::Cutoffs| {
            let bump = symbolon_core::epoch::Bump {
                epoch: cutoffs.epoch,
                reason: Reason::Admin,
                at: AT,
                tokens_live_until: AT,
                act: Act::authority(),
            };
            let event = cutoffs.bump_client(&session.client, Effect::Revoked, &bump);
            Ok((cutoffs, vec![event], ()))
        };
        here.bump(bump).await.unwrap();
        let denied = refresh(&there, &token_of(&session), AT).await;
        assert_eq!(denied.err(), Some(Denial::Ended(Reason::Admin)));
    }
}

/// A ban at one process while the other refreshes: whoever still got an answer got it before the ban.
#[tokio::test(flavor = "multi_thread")]
async fn races_between_processes_are_decided_by_the_server() {
    let url = shared().url("racing");
    let stores = [open(&url).await, open(&url).await];
    let sid = sign_in(&stores[0], "10086", 1).await.grant.session.sid;
    let mut callers = JoinSet::new();
    for caller in 0..32 {
        let store = stores[caller % 2].clone();
        callers.spawn(async move {
            store.step(sid, |loaded| Ok(one_on(&loaded))).await.unwrap().unwrap().reply
        });
    }
    let mut won = callers.join_all().await;
    won.sort_unstable();
    assert!(won.into_iter().eq(1..=32));
}

fn one_on(loaded: &Loaded) -> Decision<u32> {
    let mut state = (*loaded.session).clone();
    state.generation = state.generation.next().unwrap();
    let reply = state.generation.0;
    Decision { session: Some(Session::restore(state)), events: Vec::new(), reply }
}

/// Somebody holds a row for longer than a statement may wait: it is tried again until they let go.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_holds_is_waited_for() {
    let store = open(&shared().url("holding")).await;
    let sid = sign_in(&store, "10086", 1).await.grant.session.sid;
    let port = shared().port.to_string();
    let mut holder = command(&program("psql"));
    holder.args(["-X", "-h", "127.0.0.1", "-p", &port, "-U", "symbolon", "-d", "postgres", "-c"]);
    holder.arg("BEGIN; SELECT 1 FROM holding.sessions FOR UPDATE; SELECT pg_sleep(0.9); COMMIT");
    let mut holder = holder.stdout(std::process::Stdio::null()).spawn().unwrap();
    let held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    while shared().sql(held) == "0" {}
    let begun = Instant::now();
    let stepped = store.step(sid, |loaded| Ok(one_on(&loaded))).await.unwrap().unwrap();
    assert_eq!(stepped.reply, 1);
    assert!(Duration::from_millis(200) < begun.elapsed(), "nobody was in the way");
    assert!(holder.wait().unwrap().success());
}

/// What callers were told, beside a server that does what it wants.
struct Load {
    store: Store,
    sids: Vec<SessionId>,
    told: Vec<AtomicU64>,
    over: AtomicBool,
}

impl Load {
    async fn new(store: &Store) -> Arc<Self> {
        let (mut sids, mut told) = (Vec::new(), Vec::new());
        for number in 0..16 {
            sids.push(sign_in(store, &format!("s{number}"), number).await.grant.session.sid);
            told.push(AtomicU64::new(0));
        }
        Arc::new(Self { store: store.clone(), sids, told, over: AtomicBool::new(false) })
    }

    /// Every session goes on, and its newest acknowledged generation is remembered.
    fn run(self: &Arc<Self>) -> JoinSet<u32> {
        let mut callers = JoinSet::new();
        for (at, sid) in self.sids.iter().copied().enumerate() {
            let load = Arc::clone(self);
            callers.spawn(async move {
                let mut faults = 0;
                while !load.over.load(Ordering::Acquire) {
                    match load.store.step(sid, |loaded| Ok(one_on(&loaded))).await {
                        Ok(stepped) => {
                            load.told[at].store(stepped.unwrap().reply.into(), Ordering::Release);
                        }
                        Err(Fault::Store(_) | Fault::Contention) => faults += 1,
                        Err(fault) => panic!("{fault}"),
                    }
                }
                faults
            });
        }
        callers
    }

    /// All that was acknowledged is there, and at most one step more, whose answer was lost.
    async fn check(&self, faults: u32) {
        for (sid, told) in self.sids.iter().zip(&self.told) {
            let found = self.store.session(*sid).await.unwrap().unwrap().session.generation.0;
            let told = told.load(Ordering::Acquire);
            assert!(told <= u64::from(found), "{told} was acknowledged, and {found} is there");
            assert!(u64::from(found) <= told + u64::from(faults), "{found} came from nowhere");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_lose_nothing_that_was_acknowledged() {
    let url = shared().url("cutting").replace("?", "?application_name=cutting&");
    let store = open(&url).await;
    let load = Load::new(&store).await;
    let callers = load.run();
    for _ in 0..5 {
        let before = load.told[0].load(Ordering::Acquire);
        shared().sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'cutting'",
        );
        until("it goes on", || before + 3 < load.told[0].load(Ordering::Acquire)).await;
    }
    load.over.store(true, Ordering::Release);
    let faults = callers.join_all().await.into_iter().sum();
    load.check(faults).await;
    assert_eq!(store.cutoffs().epoch, StoreEpoch(0), "nothing was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_loses_nothing_and_opens_no_epoch() {
    let mut server = Server::new(&[]);
    let store = open(&server.url("restart")).await;
    let load = Load::new(&store).await;
    let callers = load.run();
    until("all go on", || load.told.iter().all(|told| 2 < told.load(Ordering::Acquire))).await;
    server.kill();
    until("it is known that nothing is taken", || !store.takes_writes()).await;
    let asked = store.head_asked().unwrap();
    server.restart(&[]);
    until("it is asked again", || asked < store.head_asked().unwrap()).await;
    let before: u64 = load.told.iter().map(|told| told.load(Ordering::Acquire)).sum();
    let now = || load.told.iter().map(|told| told.load(Ordering::Acquire)).sum::<u64>();
    until("all go on again", || before + 16 < now()).await;
    load.over.store(true, Ordering::Release);
    let faults = callers.join_all().await.into_iter().sum();
    load.check(faults).await;
    until("it is known that all is taken", || store.takes_writes()).await;
    assert_eq!(store.cutoffs().epoch, StoreEpoch(0), "nothing was lost");
}

/// Sessions come, are ended, and are forgotten: no table keeps anything of them, save the newest event.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_sessions_that_were_forgotten() {
    let store = open(&shared().url("broom")).await;
    let mut callers = JoinSet::new();
    for caller in 0..20_u32 {
        let store = store.clone();
        callers.spawn(async move {
            for number in 0..50 {
                let number = caller * 50 + number;
                let session = sign_in(&store, &format!("s{number}"), number).await.grant.session;
                kick(&store, session.sid, AT).await;
                let digest = [number.to_le_bytes(); 8].concat().try_into().unwrap();
                store.spend(digest, b"value", AT, Timestamp::default()).await.unwrap();
            }
        });
    }
    callers.join_all().await;
    let late = AT.after(Duration::from_secs(90 * 86_400));
    let keep = Retention { since: late, events_max: u64::MAX, events_min: 1 };
    let mut next = None;
    loop {
        let decide = |loaded: Loaded| loaded.expire(&policy(), late);
        let swept = store.expire(next, 512, keep, decide).await.unwrap();
        next = swept.next;
        if next.is_none() && swept.forgotten == 0 {
            break;
        }
    }
    for (table, left) in
        [("sessions", "0"), ("subjects", "0"), ("spent", "0"), ("imported", "0"), ("events", "1")]
    {
        assert_eq!(shared().sql(&format!("SELECT count(*) FROM broom.{table}")), left, "{table}");
    }
}
