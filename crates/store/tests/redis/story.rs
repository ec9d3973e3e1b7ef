//! What the tests of this store have in common: subjects in any lane, and calls that may fail.

use symbolon_core::binding::Proof;
use symbolon_core::epoch::Bump;
use symbolon_core::sign_in::Started;
use symbolon_core::{
    Act, ClientId, Effect, Fault, Loaded, Reason, Refresh, RefreshToken, Session, SessionId, Shard,
    Start, Terms, Timestamp,
};
use symbolon_store::conformance::{AT, key, policy, session_start, sign_in_through};
use symbolon_store::{Committed, Store};

/// A sign-in whose subject lives in the lane of this number.
pub(crate) fn start_in(lane: u8, number: u32) -> Start {
    let mut random = [0; 14];
    random[..4].copy_from_slice(&number.to_be_bytes());
    let sid = SessionId::new(Shard([lane << 2, 0]), random);
    Start { sid, ..session_start(&format!("{lane}-{number}"), number) }
}

pub(crate) async fn sign_in_at(store: &Store, lane: u8, number: u32) -> Session {
    let Started { grant, .. } = sign_in_through(store, &start_in(lane, number)).await;
    grant.session
}

/// Presents a refresh token; the outer error is the store's, the inner one a refusal.
pub(crate) async fn try_refresh(
    store: &Store,
    token: &RefreshToken,
    at: Timestamp,
) -> Result<Result<Session, Reason>, Fault> {
    let (policy, client) = (policy(), ClientId::parse("web").unwrap());
    let terms = Terms { policy: &policy, key: key(), keys_usable: &[key()] };
    let act = Act::authority();
    let ask = Refresh { token, client: &client, proof: Proof::default(), terms, act: &act };
    let committed = store.step(token.sid(), |loaded| loaded.refresh(&ask, at)).await?;
    Ok(match committed.expect("the session is there").reply {
        Ok(grant) => Ok(grant.session),
        Err(symbolon_core::Denial::Ended(reason)) => Err(reason),
        Err(other) => panic!("denied otherwise: {other:?}"),
    })
}

/// Ends a session, if the store can.
pub(crate) async fn try_kick(store: &Store, sid: SessionId) -> Result<Committed<bool>, Fault> {
    let end = |loaded: Loaded| Ok(loaded.end(Reason::Kicked, &Act::authority(), &policy(), AT));
    Ok(store.step(sid, end).await?.expect("the session is there"))
}

/// Ends all sessions of the client `web` that there are; the position of its event.
pub(crate) async fn bump(store: &Store, effect: Effect) -> u64 {
    let decide = |mut cutoffs: symbolon_core::Cutoffs| {
        let bump = Bump {
            epoch: cutoffs.epoch,
            reason: Reason::Admin,
            at: AT,
            tokens_live_until: AT,
            act: Act::authority(),
        };
        let event = cutoffs.bump_client(&ClientId::parse("web").unwrap(), effect, &bump);
        Ok((cutoffs, vec![event], ()))
    };
    store.bump(decide).await.unwrap().position
}
