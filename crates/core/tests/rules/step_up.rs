//! Step-up: what a person proves later (RFC 9470; RFC 9068 §2.2.1).

use crate::common::{DAY, KEY, LATER_KEY, client, commit, ms, nobody, s, sid, sign_in, start};
use std::sync::Arc;
use symbolon_core::refresh::Answer;
use symbolon_core::revocation::Whose;
use symbolon_core::{
    Act, Change, ClientPolicy, Cutoffs, Denial, Effect, Event, Loaded, LoadedSubject, Outcome,
    Reason, Refresh, RefreshToken, StepUp, Target, Terms, Timestamp,
};

/// A person with two sessions, signed in by password at `s(0)`.
fn person() -> LoadedSubject {
    let mut house = nobody();
    for n in [1, 2] {
        let start = symbolon_core::Start { amr: ["pwd".into()].into(), ..start(n) };
        sign_in(&mut house, &start, &ClientPolicy::default(), s(0)).0.unwrap();
    }
    house
}

fn by_code(n: u8) -> StepUp {
    let amr = ["pwd".into(), "otp".into()].into();
    StepUp { sid: sid(n), amr, acr: Some("2".into()), authenticated_at: None }
}

/// Steps up under the default policy, and commits what was decided.
fn step_up(house: &mut LoadedSubject, ask: &StepUp, at: Timestamp) -> (Option<Answer>, Vec<Event>) {
    let policy = ClientPolicy::default();
    let terms = Terms { policy: &policy, key: LATER_KEY, keys_usable: &[KEY, LATER_KEY] };
    let decision = house.clone().step_up(ask, &terms, &Act::authority(), at);
    commit(house, &decision);
    (decision.reply, decision.events)
}

fn loaded(house: &LoadedSubject, n: u8) -> Loaded {
    let session = house.sessions.iter().find(|own| own.sid == sid(n)).unwrap().clone();
    Loaded { session, subject: house.subject.clone(), cutoffs: Arc::clone(&house.cutoffs) }
}

/// Presents the newest refresh token of a session, and commits.
fn refresh(house: &mut LoadedSubject, n: u8, at: Timestamp) -> Answer {
    let now = loaded(house, n);
    let (session, policy) = (&now.session, ClientPolicy::default());
    let token = RefreshToken::assume_genuine(
        session.rotation.epoch,
        session.sid,
        session.generation,
        session.salt,
    );
    let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY, LATER_KEY] };
    let (web, act) = (client("web"), Act::authority());
    let proof = symbolon_core::binding::Proof::default();
    let ask = Refresh { token: &token, client: &web, proof, terms, act: &act };
    let decision = now.clone().refresh(&ask, at).unwrap();
    if let Some(changed) = decision.session {
        house.sessions.retain(|own| own.sid != changed.sid);
        house.sessions.push(changed);
    }
    decision.reply
}

#[test]
fn what_was_proved_stands_in_the_next_token_and_the_refresh_token_stays() {
    let mut house = person();
    let before = loaded(&house, 1).session;
    let (reply, _) = step_up(&mut house, &by_code(1), ms(60_400));
    let grant = reply.unwrap().unwrap();
    assert_eq!(grant.outcome, Outcome::SteppedUp);
    assert_eq!((&*grant.session.amr, grant.session.acr.as_deref()), (&*by_code(1).amr, Some("2")));
    assert_eq!((grant.session.authenticated_at, grant.issued_at), (s(60), s(60)));
    assert_eq!(grant.expires_at, s(360));
    assert_eq!(grant.key, LATER_KEY);
    let (now, then) = (&grant.session, &before);
    assert_eq!((now.generation, now.rotation.epoch), (then.generation, then.rotation.epoch));
    assert!(now.salt == then.salt);
    assert_eq!(now.last_used_at, ms(60_400));
    assert_eq!(grant.session, loaded(&house, 1).session);
}

#[test]
fn no_refresh_changes_what_was_proved() {
    let mut house = person();
    step_up(&mut house, &by_code(1), s(60)).0.unwrap().unwrap();
    for at in [s(100), s(4000), s(5 * DAY)] {
        let grant = refresh(&mut house, 1, at).unwrap();
        assert_eq!(grant.outcome, Outcome::Advanced);
        assert_eq!(grant.session.authenticated_at, s(60));
        let (amr, acr) = (&*grant.session.amr, grant.session.acr.as_deref());
        assert_eq!((amr, acr), (&*by_code(1).amr, Some("2")));
    }
}

#[test]
fn tokens_that_say_less_are_stale_and_the_new_one_is_not() {
    let mut house = person();
    let policy = ClientPolicy::default();
    let before = loaded(&house, 1);
    let old = before.cutoffs.ver(&before.session.client, &before.subject);
    let (reply, events) = step_up(&mut house, &by_code(1), s(60));
    let new = reply.unwrap().unwrap().ver;
    let judge = |ver| loaded(&house, 1).judge(&[0; 16], ver, &policy, s(61));
    assert_eq!(judge(&old), symbolon_core::Verdict::Stale(Reason::PermissionsChanged));
    assert_eq!(judge(&new), symbolon_core::Verdict::Live);
    let [told, stale] = &*events else { panic!("{events:?}") };
    let whose = Whose { subject: house.subject.subject.clone(), client: client("web") };
    assert_eq!(told.target, Target::Nothing(Change::SteppedUp(sid(1), whose)));
    assert!(told.hits(&loaded(&house, 1).session) && !told.hits(&loaded(&house, 2).session));
    assert!(matches!(stale.target, Target::Subject(..)) && stale.effect == Effect::Stale);
    assert!(s(300 + 60) <= stale.expires_at, "the last token that it hits lives until then");
}

#[test]
fn no_other_session_of_the_person_gains_by_it_and_none_ends() {
    let mut house = person();
    step_up(&mut house, &by_code(1), s(60));
    let other = refresh(&mut house, 2, s(61)).unwrap().session;
    assert_eq!((&*other.amr, other.acr.as_deref()), (&["pwd".into()][..], None));
    assert_eq!(other.authenticated_at, s(0));
}

#[test]
fn what_a_back_end_says_of_the_time_holds_unless_it_lies_ahead() {
    for (said, holds) in [(Some(s(30)), s(30)), (Some(s(90)), s(60)), (None, s(60))] {
        let mut house = person();
        let ask = StepUp { authenticated_at: said, ..by_code(1) };
        let grant = step_up(&mut house, &ask, s(60)).0.unwrap().unwrap();
        assert_eq!(grant.session.authenticated_at, holds);
    }
}

#[test]
fn the_answer_is_what_the_refresh_token_before_it_still_earns_in_its_window() {
    let mut house = person();
    refresh(&mut house, 1, s(50)).unwrap();
    let raised = step_up(&mut house, &by_code(1), s(55)).0.unwrap().unwrap();
    let now = loaded(&house, 1);
    let (session, policy) = (&now.session, ClientPolicy::default());
    let used = symbolon_core::Generation(session.generation.0 - 1);
    let token =
        RefreshToken::assume_genuine(session.rotation.epoch, session.sid, used, session.salt);
    let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY, LATER_KEY] };
    let (web, act) = (client("web"), Act::authority());
    let proof = symbolon_core::binding::Proof::default();
    let ask = Refresh { token: &token, client: &web, proof, terms, act: &act };
    let again = now.clone().refresh(&ask, s(59)).unwrap().reply.unwrap();
    assert_eq!((again.issued_at, again.key), (raised.issued_at, raised.key));
    assert_eq!((again.ver, again.session), (raised.ver, raised.session));
}

#[test]
fn a_session_that_is_over_is_raised_by_nothing() {
    let mut house = person();
    assert_eq!(step_up(&mut house, &by_code(9), s(60)).0, None);
    let idle = s(14 * DAY);
    let (reply, events) = step_up(&mut house, &by_code(1), idle);
    assert_eq!(reply, Some(Err(Denial::Ended(Reason::Idle))));
    assert_eq!(events.len(), 1, "its end is written down");
    assert_eq!(step_up(&mut house, &by_code(1), idle).0, None, "its row is ended now");
    assert_eq!(loaded(&house, 2).session.acr, None);
}

#[test]
fn nothing_is_raised_through_a_client_that_is_off() {
    let mut house = person();
    let mut cutoffs = Cutoffs::default();
    cutoffs.clients.entry(client("web")).or_default().disabled = true;
    house.cutoffs = Arc::new(cutoffs);
    let before = house.subject.clone();
    let (reply, events) = step_up(&mut house, &by_code(1), s(60));
    assert_eq!((reply, events.len()), (Some(Err(Denial::ClientDisabled)), 0));
    assert_eq!(house.subject, before);
}
