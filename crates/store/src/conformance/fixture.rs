//! What the suite's tests have in common: a clock that stands, subjects, sign-ins and refreshes.

use crate::{Committed, Page, Store};
use std::sync::Arc;
use symbolon_core::binding::{Binding, Proof};
use symbolon_core::device::{Device, DeviceClass};
use symbolon_core::sign_in::Started;
use symbolon_core::subject::Ban;
use symbolon_core::{
    Act, ClientId, ClientPolicy, Denial, Event, Fault, Grant, KeyId, Reason, Refresh, RefreshToken,
    Salt, Session, SessionId, Shard, Start, Subject, SubjectDecision, Terms, Timestamp,
};

/// The instant at which the tests happen: 2026-03-01T00:00:00Z.
pub const AT: Timestamp = Timestamp::from_seconds(1_772_323_200);

/// What a store answered, where the test demands that it could.
pub(super) fn must<T>(answer: Result<T, Fault>) -> T {
    match answer {
        Ok(answer) => answer,
        Err(fault) => panic!("the store could not: {fault}"),
    }
}

/// The rules that the tests' sessions live under: the defaults.
pub fn policy() -> ClientPolicy {
    ClientPolicy::default()
}

/// The key that signs in the tests.
pub fn key() -> KeyId {
    KeyId([7; 12])
}

/// Where the tests' subjects live; several share a shard.
pub fn shard_of(subject: &str) -> Shard {
    let sum = subject.bytes().fold(0_u8, u8::wrapping_add);
    Shard([sum % 3, 0xC0])
}

/// A sign-in of a subject; `number` makes its session's name.
pub fn session_start(subject: &str, number: u32) -> Start {
    start_at(subject, shard_of(subject), number)
}

fn start_at(subject: &str, shard: Shard, number: u32) -> Start {
    let mut random = [0; 14];
    random[..4].copy_from_slice(&number.to_be_bytes());
    Start {
        sid: SessionId::new(shard, random),
        salt: Salt([3; 8]),
        subject: Subject::parse(subject).expect("a subject"),
        client: ClientId::parse("web").expect("a client"),
        device: Device { class: DeviceClass::Web, id: None, name: None },
        scope: "".into(),
        roles: None,
        claims: "".into(),
        audience: Arc::default(),
        amr: Arc::default(),
        acr: None,
        authenticated_at: None,
        expires_at: None,
        binding: Binding::default(),
        ip: None,
        user_agent: None,
        started_by: None,
    }
}

/// Signs a subject in, which must succeed.
pub async fn sign_in(store: &Store, subject: &str, number: u32) -> Started {
    sign_in_through(store, &session_start(subject, number)).await
}

/// The same in a shard that is not the subject's usual one.
pub(super) async fn sign_in_at(store: &Store, subject: &str, shard: Shard, number: u32) -> Started {
    sign_in_through(store, &start_at(subject, shard, number)).await
}

/// Signs in as `start` says, which must succeed.
pub async fn sign_in_through(store: &Store, start: &Start) -> Started {
    match must(try_sign_in(store, start, &policy()).await) {
        Ok(started) => started,
        Err(denial) => panic!("the sign-in was denied: {denial:?}"),
    }
}

/// Signs in as `start` says, whatever comes of it.
pub(super) async fn try_sign_in(
    store: &Store,
    start: &Start,
    policy: &ClientPolicy,
) -> Result<Result<Started, Denial>, Fault> {
    let terms = Terms { policy, key: key(), keys_usable: &[key()] };
    let decide = |loaded: symbolon_core::LoadedSubject| {
        Ok(loaded.sign_in(start, &terms, &Act::authority(), AT))
    };
    let committed = store.step_subject(&start.subject, start.sid.shard(), decide).await?;
    Ok(committed.reply)
}

/// The newest refresh token of a session.
pub fn token_of(session: &Session) -> RefreshToken {
    let epoch = session.rotation.epoch;
    RefreshToken::assume_genuine(epoch, session.sid, session.generation, session.salt)
}

/// Presents a refresh token of the client `web`.
pub async fn refresh(store: &Store, token: &RefreshToken, at: Timestamp) -> Result<Grant, Denial> {
    must(try_refresh(store, token, at).await)
}

/// The same, where the store may fail.
pub(super) async fn try_refresh(
    store: &Store,
    token: &RefreshToken,
    at: Timestamp,
) -> Result<Result<Grant, Denial>, Fault> {
    let (policy, client) = (policy(), ClientId::parse("web").expect("a client"));
    let terms = Terms { policy: &policy, key: key(), keys_usable: &[key()] };
    let act = Act::authority();
    let ask = Refresh { token, client: &client, proof: Proof::default(), terms, act: &act };
    let committed = store.step(token.sid(), |loaded| loaded.refresh(&ask, at)).await?;
    Ok(committed.map_or(Err(Denial::UnknownSession), |committed| committed.reply))
}

/// Ends a session as an operator does.
pub async fn kick(store: &Store, sid: SessionId, at: Timestamp) -> Committed<bool> {
    let end = |loaded: symbolon_core::Loaded| {
        Ok(loaded.end(Reason::Kicked, &Act::authority(), &policy(), at))
    };
    must(store.step(sid, end).await).expect("the session is there")
}

/// Bans a subject.
pub(super) async fn ban(store: &Store, subject: &str) -> Committed<()> {
    let decide = |loaded: symbolon_core::LoadedSubject| {
        let bump = loaded.bump(Reason::Banned, &Act::authority(), AT);
        let mut state = loaded.subject;
        let event = state
            .set_ban(Ban { since: AT, until: None, reason: Reason::Banned, note: None }, &bump);
        let unchanged = SubjectDecision::unchanged(());
        Ok(SubjectDecision { subject: Some(state), events: vec![event], ..unchanged })
    };
    let name = Subject::parse(subject).expect("a subject");
    must(store.step_subject(&name, shard_of(subject), decide).await)
}

/// The whole feed.
pub(super) async fn events(store: &Store) -> Vec<(u64, Event)> {
    must(store.events_after(0, 1000).await)
}

/// The names on a page, and which of them have ended.
pub(super) fn kinds_of(page: &Page) -> Vec<(SessionId, bool)> {
    let kind = |loaded: &symbolon_core::Loaded| (loaded.session.sid, loaded.session.end.is_some());
    page.sessions.iter().map(kind).collect()
}
