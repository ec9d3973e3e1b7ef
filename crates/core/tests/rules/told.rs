//! What a back end says of a renewal: when it is asked, and what its word is worth.

use crate::common::*;
use std::sync::Arc;
use symbolon_core::change::Change;
use symbolon_core::epoch::Bump;
use symbolon_core::refresh::Answer;
use symbolon_core::revocation::Whose;
use symbolon_core::told::{Allowed, Refused};
use symbolon_core::{
    Act, Decision, Denial, Effect, Fault, LoadedSubject, Outcome, Reason, Refresh, RefreshToken,
    StepUp, Target, Terms, Timestamp, Word,
};

fn roles(names: &[&str]) -> Arc<[Arc<str>]> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

/// What is said of the subject as it is.
fn allowed(family: &Family, (names, claims): (&[&str], &str)) -> Word {
    let asked_at = family.loaded.version();
    Word::Allowed(Allowed { asked_at, roles: Some(roles(names)), claims: Some(claims.into()) })
}

fn silent(family: &Family) -> Word {
    Word::Allowed(Allowed { asked_at: family.loaded.version(), roles: None, claims: None })
}

fn with_ask<R>(family: &Family, token: &RefreshToken, f: impl FnOnce(&Refresh<'_>) -> R) -> R {
    let (act, keys) = (Act::authority(), &family.keys);
    let terms = Terms { policy: &family.policy, key: keys[0], keys_usable: keys };
    f(&Refresh { token, client: &family.client, proof: family.proof, terms, act: &act })
}

fn decide(
    family: &Family,
    token: &RefreshToken,
    word: &Word,
    at: Timestamp,
) -> Result<Decision<Answer>, Fault> {
    with_ask(family, token, |ask| family.loaded.clone().refresh_as_told(ask, word, at))
}

/// Shows a generation while the back end says this, and commits what was decided.
fn renew(family: &mut Family, generation: u32, word: &Word, at: Timestamp) -> Answer {
    let decision = decide(family, &family.token(generation), word, at).unwrap();
    family.events.extend(decision.events);
    family.loaded.session = decision.session.unwrap_or_else(|| family.loaded.session.clone());
    decision.reply
}

/// The same while it says these roles and claims.
fn renew_with(
    family: &mut Family,
    generation: u32,
    told: (&[&str], &str),
    at: Timestamp,
) -> Answer {
    let word = allowed(family, told);
    renew(family, generation, &word, at)
}

fn asks(family: &Family, generation: u32, at: Timestamp) -> bool {
    let token = family.token(generation);
    with_ask(family, &token, |ask| family.loaded.asks(ask, at)).unwrap()
}

/// The subject's roles are changed by somebody else.
fn set_roles(family: &mut Family, names: &[&str], at: Timestamp) {
    let bump = Bump {
        epoch: family.loaded.cutoffs.epoch,
        reason: Reason::PermissionsChanged,
        at,
        tokens_live_until: at,
        act: Act::authority(),
    };
    family.loaded.subject.set_roles(roles(names), &bump).unwrap();
}

#[test]
fn a_back_end_is_asked_only_where_the_family_moves_on() {
    let mut family = Family::new();
    assert!(asks(&family, 0, s(100)));
    renew(&mut family, 0, &Word::AsKnown, s(100)).unwrap();
    assert!(!asks(&family, 0, s(105)), "a repeat within the window was answered before");
    assert!(!asks(&family, 0, s(200)), "a replay is refused whatever anybody says");
    assert!(asks(&family, 1, s(200)));
    assert!(!asks(&family, 1, s(100 + 15 * DAY)), "a session that is over is not renewed");
    let mut foreign = family.clone();
    foreign.client = client("app");
    assert!(!asks(&foreign, 1, s(200)));
}

#[test]
fn a_family_does_not_move_on_unasked() {
    let family = Family::new();
    let token = family.token(0);
    assert_eq!(decide(&family, &token, &Word::Unasked, s(1)).err(), Some(Fault::Contention));
}

#[test]
fn what_needs_no_word_is_answered_without_one() {
    let mut family = Family::new();
    renew(&mut family, 0, &Word::AsKnown, s(100)).unwrap();
    let again = renew(&mut family, 0, &Word::Unasked, s(105)).unwrap();
    assert_eq!(again.outcome, Outcome::Repeated);
    let replayed = renew(&mut family, 0, &Word::Unasked, s(200));
    assert_eq!(replayed.err(), Some(Denial::Ended(Reason::Replayed)));
}

#[test]
fn roles_and_claims_that_are_told_are_granted_and_repeats_are_equal() {
    let mut family = Family::new();
    let first = renew_with(&mut family, 0, (&["editor"], r#"{"plan":"pro"}"#), s(100)).unwrap();
    assert_eq!((&first.roles, &*first.session.claims), (&roles(&["editor"]), r#"{"plan":"pro"}"#));
    // Whatever the back end would say by now.
    let again = renew_with(&mut family, 0, (&["owner"], "{}"), s(105)).unwrap();
    assert_eq!((&again.roles, &again.session), (&first.roles, &first.session));
    assert_eq!((again.issued_at, again.expires_at), (first.issued_at, first.expires_at));
    let next = renew(&mut family, 1, &Word::AsKnown, s(200)).unwrap();
    assert_eq!((&next.roles, &next.session.claims), (&first.roles, &first.session.claims));
}

#[test]
fn what_is_left_out_stands() {
    let mut family = Family::new();
    renew_with(&mut family, 0, (&["editor"], r#"{"plan":"pro"}"#), s(100)).unwrap();
    let word = silent(&family);
    let next = renew(&mut family, 1, &word, s(200)).unwrap();
    assert_eq!((&next.roles, &*next.session.claims), (&roles(&["editor"]), r#"{"plan":"pro"}"#));
    let emptied = renew_with(&mut family, 2, (&[], ""), s(300)).unwrap();
    assert_eq!((emptied.roles.len(), &*emptied.session.claims), (0, ""));
}

#[test]
fn roles_told_before_the_subjects_were_changed_hold_no_longer() {
    let mut family = Family::new();
    renew_with(&mut family, 0, (&["owner"], ""), s(100)).unwrap();
    set_roles(&mut family, &["guest"], s(150));
    assert_eq!(family.loaded.roles(), &roles(&["guest"]));
    // Nobody answers: what was changed counts, not what was told before.
    let unheard = renew(&mut family, 1, &Word::AsKnown, s(200)).unwrap();
    assert_eq!(unheard.roles, roles(&["guest"]));
    let heard = renew_with(&mut family, 2, (&["owner"], ""), s(300)).unwrap();
    assert_eq!(heard.roles, roles(&["owner"]));
}

#[test]
fn roles_that_were_taken_away_are_not_back_by_a_bump_that_says_nothing_of_roles() {
    let mut family = Family::new();
    set_roles(&mut family, &["admin"], s(1));
    renew_with(&mut family, 0, (&[], ""), s(100)).unwrap();
    let bump = Bump {
        epoch: family.loaded.cutoffs.epoch,
        reason: Reason::PermissionsChanged,
        at: s(150),
        tokens_live_until: s(600),
        act: Act::authority(),
    };
    family.loaded.subject.bump(Effect::Stale, &bump);
    assert_eq!(family.loaded.roles().len(), 0);
    let unheard = renew(&mut family, 1, &Word::AsKnown, s(200)).unwrap();
    assert_eq!(unheard.roles.len(), 0, "nobody answered, and what was told last stands");
}

#[test]
fn what_was_asked_before_the_subject_was_changed_is_asked_again() {
    let mut family = Family::new();
    let word = allowed(&family, (&["owner"], ""));
    set_roles(&mut family, &["guest"], s(50));
    let token = family.token(0);
    assert_eq!(decide(&family, &token, &word, s(100)).err(), Some(Fault::Contention));
    let word = silent(&family);
    assert_eq!(renew(&mut family, 0, &word, s(100)).unwrap().roles, roles(&["guest"]));
}

#[test]
fn roles_that_the_subject_has_anyway_are_not_kept_twice() {
    let mut family = Family::new();
    set_roles(&mut family, &["guest"], s(1));
    renew_with(&mut family, 0, (&["guest"], ""), s(100)).unwrap();
    assert_eq!(family.loaded.session.roles, None);
    assert_eq!(family.loaded.roles(), &roles(&["guest"]));
}

#[test]
fn a_step_up_keeps_the_roles_that_the_session_was_told() {
    let mut family = Family::new();
    renew_with(&mut family, 0, (&["owner"], ""), s(100)).unwrap();
    let house = LoadedSubject {
        subject: family.loaded.subject.clone(),
        sessions: vec![family.loaded.session.clone()],
        ..nobody()
    };
    let proved = StepUp { sid: sid(1), amr: roles(&["otp"]), acr: None, authenticated_at: None };
    let terms = Terms { policy: &family.policy, key: KEY, keys_usable: &[KEY] };
    let raised = house.step_up(&proved, &terms, &Act::authority(), s(200));
    assert_eq!(raised.reply.unwrap().unwrap().roles, roles(&["owner"]));
}

#[test]
fn a_refusal_is_in_the_history_and_ends_nothing() {
    let mut family = Family::new();
    let told = Refused {
        reason: Some(Reason::PermissionsChanged),
        note: Some("unpaid".into()),
        ends: false,
        noted: false,
    };
    let before = family.loaded.session.clone();
    let refused = renew(&mut family, 0, &Word::Refused(told.clone()), s(100));
    let withheld = Some(Denial::Withheld(Some(Reason::PermissionsChanged)));
    assert_eq!(refused.err(), withheld);
    let again = Refused { noted: true, ..told };
    assert_eq!(renew(&mut family, 0, &Word::Refused(again), s(101)).err(), withheld);
    assert_eq!(family.loaded.session, before);
    let [event] = &family.events[..] else { panic!("{:?}", family.events) };
    let whose = Whose { subject: subject(), client: client("web") };
    assert_eq!(event.target, Target::Nothing(Change::Withheld(sid(1), whose)));
    assert_eq!((event.effect, event.act.note.as_deref()), (Effect::Stale, Some("unpaid")));
    let word = silent(&family);
    let later = renew(&mut family, 0, &word, s(200)).unwrap();
    assert_eq!(later.outcome, Outcome::Advanced);
}

#[test]
fn a_refusal_that_ends_the_session_is_told_to_every_verifier() {
    let mut family = Family::new();
    let told = Refused { ends: true, ..Refused::default() };
    let refused = renew(&mut family, 0, &Word::Refused(told), s(100));
    assert_eq!(refused.err(), Some(Denial::Ended(Reason::Admin)));
    let [event] = &family.events[..] else { panic!("{:?}", family.events) };
    assert_eq!((&event.target, event.effect), (&Target::Session(sid(1)), Effect::Revoked));
    assert!(s(100) < event.expires_at);
    let after = renew_with(&mut family, 0, (&["owner"], ""), s(101));
    assert_eq!(after.err(), Some(Denial::Ended(Reason::Admin)));
}
