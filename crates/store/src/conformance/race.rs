//! Callers that race.

use super::fixture::{
    AT, ban, events, key, must, policy, session_start, shard_of, sign_in, sign_in_through,
    token_of, try_refresh, try_sign_in,
};
use super::{Open, refresh};
use crate::{Query, Store};
use std::collections::BTreeSet;
use std::sync::Arc;
use symbolon_core::device::Overflow;
use symbolon_core::{
    Act, ClientPolicy, Decision, Denial, Fault, Generation, Loaded, Reason, Session, Standing,
    Subject,
};
use tokio::task::JoinSet;

const CALLERS: u32 = 64;

/// Of callers that each go one generation on, exactly one wins each generation.
pub async fn a_step_that_lost_its_race_decides_again(open: impl Open) {
    let store = open("one").await;
    let sid = sign_in(&store, "10086", 1).await.grant.session.sid;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move {
            let committed = must(store.step(sid, |loaded| Ok(one_on(&loaded))).await);
            committed.expect("the session is there").reply
        });
    }
    let won: BTreeSet<Generation> = callers.join_all().await.into_iter().collect();
    assert!(won.into_iter().eq((1..=CALLERS).map(Generation)));
    let session = must(store.session(sid).await).expect("there").session;
    assert_eq!(session.generation, Generation(CALLERS));
}

fn one_on(loaded: &Loaded) -> Decision<Generation> {
    let mut state = (*loaded.session).clone();
    state.generation = state.generation.next().expect("far from the last");
    let reply = state.generation;
    Decision { session: Some(Session::restore(state)), events: Vec::new(), reply }
}

/// Callers that present one refresh token together receive one successor.
pub async fn racing_refreshes_of_one_token_earn_one_successor(open: impl Open) {
    let store = open("one").await;
    let token = token_of(&sign_in(&store, "10086", 1).await.grant.session);
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (store, token) = (store.clone(), token.clone());
        callers.spawn(async move { refresh(&store, &token, AT).await.map(|grant| grant.session) });
    }
    let answers: Vec<_> = callers.join_all().await;
    for answer in &answers {
        assert_eq!(answer.as_ref().map(|session| session.generation), Ok(Generation(1)));
        assert_eq!(answer, &answers[0]);
    }
}

/// However many sign in at once, no device limit is exceeded, under any rule of overflow.
pub async fn racing_sign_ins_never_exceed_a_device_limit(open: impl Open) {
    for (place, overflow) in [("evict", Overflow::EvictIdle), ("refuse", Overflow::Refuse)] {
        let store = open(place).await;
        let mut policy = policy();
        policy.devices.per_subject = 3;
        policy.devices.overflow = overflow;
        let mut callers = JoinSet::new();
        for number in 0..CALLERS {
            let (store, policy) = (store.clone(), policy.clone());
            callers.spawn(async move {
                let start = session_start("10086", number);
                must(try_sign_in(&store, &start, &policy).await).is_ok()
            });
        }
        let let_in = callers.join_all().await.into_iter().filter(|let_in| *let_in).count();
        assert_eq!(let_in, if overflow == Overflow::Refuse { 3 } else { CALLERS as usize });
        assert_eq!(active(&store, &policy).await, 3);
        assert_eq!(events(&store).await.len(), let_in - 3);
    }
}

async fn active(store: &Store, policy: &ClientPolicy) -> usize {
    let subject = Some((Subject::parse("10086").expect("a subject"), shard_of("10086")));
    let alive = |loaded: &Loaded| loaded.standing(policy, AT) == Standing::Active;
    let page = must(store.sessions(&Query { subject, after: None, limit: 1000 }, alive).await);
    page.sessions.len()
}

/// Whoever refreshes while a ban is being committed holds nothing once it is.
pub async fn a_ban_that_races_refreshes_leaves_nothing_alive(open: impl Open) {
    for round in 0..8 {
        let store = open(&format!("round {round}")).await;
        let mut tokens = Vec::new();
        for number in 0..8 {
            tokens.push(token_of(&sign_in(&store, "10086", number).await.grant.session));
        }
        let mut callers = JoinSet::new();
        for (turn, token) in tokens.iter().cycle().take(CALLERS as usize).enumerate() {
            let (store, token) = (store.clone(), token.clone());
            callers.spawn(async move {
                if turn == 20 + round {
                    ban(&store, "10086").await;
                }
                must(try_refresh(&store, &token, AT).await).err()
            });
        }
        let denials = callers.join_all().await.into_iter().flatten();
        denials.for_each(|denial| assert_eq!(denial, Denial::Ended(Reason::Banned)));
        assert_eq!(active(&store, &policy()).await, 0);
        for token in &tokens {
            let denied = refresh(&store, token, AT).await;
            assert_eq!(denied.err(), Some(Denial::Ended(Reason::Banned)));
        }
    }
}

/// A sign-in that races a ban either is let in and ended by it, or is refused.
pub async fn a_sign_in_that_races_a_ban_is_never_alive_after_it(open: impl Open) {
    let store = open("one").await;
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move {
            if number == CALLERS / 2 {
                ban(&store, "10086").await;
            }
            must(try_sign_in(&store, &session_start("10086", number), &policy()).await).is_ok()
        });
    }
    callers.join_all().await;
    assert_eq!(active(&store, &policy()).await, 0);
}

/// A session that is ended while it is refreshed stays ended.
pub async fn a_kick_that_races_refreshes_is_never_undone(open: impl Open) {
    let store = open("one").await;
    for round in 0..16 {
        let session = sign_in(&store, &format!("s{round}"), round).await.grant.session;
        let (token, sid) = (token_of(&session), session.sid);
        let mut callers = JoinSet::new();
        for turn in 0..16 {
            let (store, token) = (store.clone(), token.clone());
            callers.spawn(async move {
                if turn == round {
                    super::kick(&store, sid, AT).await;
                }
                must(try_refresh(&store, &token, AT).await).err()
            });
        }
        callers.join_all().await;
        let end = must(store.session(sid).await).expect("kept").session.end.clone();
        assert_eq!(end.map(|end| end.reason), Some(Reason::Kicked));
    }
    assert_eq!(events(&store).await.len(), 16);
}

/// Of callers that spend one thing together, one is the first, and the others are told what it kept.
pub async fn racing_callers_spend_a_thing_once(open: impl Open) {
    let store = open("one").await;
    let until = AT.after(core::time::Duration::from_secs(60));
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move {
            let value = number.to_le_bytes();
            (value.to_vec(), must(store.spend([5; 32], &value, until, AT).await))
        });
    }
    let (first, later): (Vec<_>, Vec<_>) =
        callers.join_all().await.into_iter().partition(|(_, earlier)| earlier.is_none());
    assert_eq!(first.len(), 1);
    assert!(later.iter().all(|(_, earlier)| earlier.as_ref() == Some(&first[0].0)));
}

/// Callers that raise one counter together each raise it once.
pub async fn racing_bumps_each_count(open: impl Open) {
    let store = open("one").await;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move {
            let bump = |mut cutoffs: symbolon_core::Cutoffs| {
                let bump = symbolon_core::epoch::Bump {
                    epoch: cutoffs.epoch,
                    reason: Reason::Admin,
                    at: AT,
                    tokens_live_until: AT,
                    act: Act::authority(),
                };
                let event = cutoffs.bump_everything(symbolon_core::Effect::Stale, &bump);
                Ok((cutoffs, vec![event], ()))
            };
            must(store.bump(bump).await).position
        });
    }
    let positions: BTreeSet<u64> = callers.join_all().await.into_iter().collect();
    assert!(positions.into_iter().eq(1..=u64::from(CALLERS)));
    assert_eq!(store.cutoffs().everything.counter, u64::from(CALLERS));
}

/// A new session never takes the place of one that has its name: its caller always loses, is told so,
/// and nothing of what it decided is committed.
pub async fn a_session_is_never_created_over_another(open: impl Open) {
    let store = Arc::new(open("one").await);
    let start = session_start("10086", 1);
    let session = sign_in_through(&store, &start).await.grant.session;
    let terms_key = key();
    let create_again = |mut loaded: symbolon_core::LoadedSubject| {
        loaded.sessions.clear();
        let policy = policy();
        let terms =
            symbolon_core::Terms { policy: &policy, key: terms_key, keys_usable: &[terms_key] };
        Ok(loaded.sign_in(&start, &terms, &Act::authority(), AT))
    };
    let subject = Subject::parse("10086").expect("a subject");
    let lost = store.step_subject(&subject, shard_of("10086"), create_again).await;
    assert_eq!(lost.err(), Some(Fault::Contention));
    assert_eq!(must(store.session(session.sid).await).expect("there").session, session);
}
