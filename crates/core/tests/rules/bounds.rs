//! Counters and bounds: DESIGN.md §4.3.

use crate::common::{Family, client, nobody, s, sign_in, start, subject};
use std::sync::Arc;
use symbolon_core::epoch::{Bump, Epochs};
use symbolon_core::revocation::Below;
use symbolon_core::subject::Ban;
use symbolon_core::{
    Act, ClientPolicy, Cutoffs, Effect, Reason, StoreEpoch, SubjectState, Target, Ver,
};

fn bump(epoch: u32, reason: Reason) -> Bump {
    Bump {
        epoch: StoreEpoch(epoch),
        reason,
        at: s(1),
        tokens_live_until: s(99),
        act: Act::authority(),
    }
}

fn below(epoch: u32, counter: u64) -> Below {
    Below { epoch: StoreEpoch(epoch), counter }
}

#[test]
fn a_bump_raises_the_counter_and_sets_one_bound_to_it() {
    let mut epochs = Epochs::default();
    assert_eq!(epochs.bump(Effect::Stale, &bump(3, Reason::Admin)), below(3, 1));
    assert_eq!(epochs.bump(Effect::Revoked, &bump(3, Reason::Banned)), below(3, 2));
    assert_eq!(epochs.counter, 2);
    let stale = epochs.stale.unwrap();
    assert_eq!((stale.below, stale.reason, stale.at), (below(3, 1), Reason::Admin, s(1)));
    assert_eq!(epochs.revoked.map(|bound| bound.below), Some(below(3, 2)));
}

#[test]
fn a_bound_that_was_forgotten_is_set_again_and_none_goes_down() {
    for effect in [Effect::Revoked, Effect::Stale] {
        let of = |epochs: Epochs| match effect {
            Effect::Revoked => (epochs.revoked, epochs.stale),
            Effect::Stale => (epochs.stale, epochs.revoked),
        };
        let mut epochs = Epochs::default();
        epochs.bump(effect, &bump(3, Reason::Banned));
        let newest = of(epochs).0.unwrap();
        let mut copy = Epochs::default();
        copy.set_again(effect, newest);
        assert_eq!(copy, epochs);
        copy.set_again(effect, symbolon_core::epoch::Bound { below: below(2, 9), ..newest });
        assert_eq!((of(copy), copy.counter), ((Some(newest), None), 9));
    }
}

#[test]
fn a_stale_bump_never_overwrites_a_revoked_bound_nor_the_reverse() {
    let mut epochs = Epochs::default();
    epochs.bump(Effect::Revoked, &bump(0, Reason::Banned));
    epochs.bump(Effect::Stale, &bump(0, Reason::PermissionsChanged));
    assert_eq!(epochs.revokes(below(0, 0)).map(|bound| bound.reason), Some(Reason::Banned));
    epochs.bump(Effect::Revoked, &bump(0, Reason::PasswordChanged));
    let stale = epochs.outdates(below(0, 1)).unwrap();
    assert_eq!((stale.reason, stale.below), (Reason::PermissionsChanged, below(0, 2)));
    let revoked = epochs.revokes(below(0, 2)).unwrap();
    assert_eq!((revoked.reason, revoked.below), (Reason::PasswordChanged, below(0, 3)));
}

#[test]
fn what_stands_exactly_at_a_bound_is_not_below_it() {
    let mut epochs = Epochs::default();
    epochs.bump(Effect::Revoked, &bump(2, Reason::Admin));
    epochs.bump(Effect::Stale, &bump(2, Reason::Admin));
    assert!(epochs.revokes(below(2, 0)).is_some() && epochs.revokes(below(2, 1)).is_none());
    assert!(epochs.outdates(below(2, 1)).is_some() && epochs.outdates(below(2, 2)).is_none());
}

#[test]
fn bounds_compare_the_store_epoch_before_the_counter() {
    let mut epochs = Epochs { counter: 4, ..Epochs::default() };
    epochs.bump(Effect::Revoked, &bump(2, Reason::Admin));
    assert!(epochs.revokes(below(1, 900)).is_some(), "from before the store lost writes");
    assert!(epochs.revokes(below(3, 0)).is_none(), "from after it lost them again");
}

#[test]
fn a_counter_at_its_end_stays_there() {
    let mut epochs = Epochs { counter: u64::MAX, ..Epochs::default() };
    assert_eq!(epochs.bump(Effect::Stale, &bump(0, Reason::Admin)), below(0, u64::MAX));
}

#[test]
fn each_counter_is_compared_with_the_store_epoch_of_its_token() {
    let ver = Ver { store: StoreEpoch(7), subject: 1, client: 2, everything: 3 };
    assert_eq!(ver.of_subject(), below(7, 1));
    assert_eq!(ver.of_client(), below(7, 2));
    assert_eq!(ver.of_everything(), below(7, 3));
}

#[test]
fn a_bump_is_told_to_every_verifier_with_its_bound_and_expiry() {
    let (mut all, mut who) = (Cutoffs::default(), SubjectState::unknown(subject()));
    let why = bump(0, Reason::PasswordChanged);
    let events = [
        who.bump(Effect::Revoked, &why),
        all.bump_client(&client("web"), Effect::Stale, &why),
        all.bump_everything(Effect::Revoked, &why),
    ];
    let targets = [
        Target::Subject(subject(), below(0, 1)),
        Target::Client(client("web"), below(0, 1)),
        Target::Everything(below(0, 1)),
    ];
    let effects = [Effect::Revoked, Effect::Stale, Effect::Revoked];
    for ((event, target), effect) in events.into_iter().zip(targets).zip(effects) {
        assert_eq!((event.target, event.effect), (target, effect));
        assert_eq!((event.reason, event.at, event.expires_at), (why.reason, why.at, s(99)));
        assert_eq!(event.act, why.act);
    }
}

#[test]
fn a_client_of_which_nothing_is_known_is_enabled_and_was_never_bumped() {
    let mut all = Cutoffs { epoch: StoreEpoch(2), ..Cutoffs::default() };
    assert!(!all.client(&client("web")).disabled);
    all.bump_client(&client("web"), Effect::Stale, &bump(2, Reason::Admin));
    assert_eq!(all.client(&client("web")).epochs.counter, 1);
    let who = SubjectState::unknown(subject());
    let expected = Ver { store: StoreEpoch(2), subject: 0, client: 1, everything: 0 };
    assert_eq!(all.ver(&client("web"), &who), expected);
    assert_eq!(all.ver(&client("app"), &who).client, 0);
}

#[test]
fn disabling_a_client_is_one_stale_bump_and_enabling_it_none() {
    let mut all = Cutoffs::default();
    let (web, why) = (client("web"), bump(0, Reason::ClientDisabled));
    assert_eq!(all.set_client_disabled(&web, false, &why), None, "it is enabled");
    let event = all.set_client_disabled(&web, true, &why).unwrap();
    assert_eq!(
        (event.effect, event.target),
        (Effect::Stale, Target::Client(web.clone(), below(0, 1)))
    );
    assert_eq!(all.set_client_disabled(&web, true, &why), None, "no change, no bump");
    assert!(all.client(&web).disabled);
    assert_eq!(all.set_client_disabled(&web, false, &why), None, "nothing is revoked by it");
    let known = all.client(&web);
    assert_eq!((known.disabled, known.epochs.counter, known.epochs.revoked), (false, 1, None));
}

#[test]
fn disabling_a_client_ends_no_session() {
    let mut family = Family::new();
    let why = family.bump(Reason::ClientDisabled, s(1));
    family.cutoffs(|all| drop(all.set_client_disabled(&client("web"), true, &why)));
    let standing = family.loaded.standing(&family.policy, s(2));
    assert_eq!(standing, symbolon_core::Standing::Active);
    assert!(family.loaded.client_disabled());
}

#[test]
fn a_profile_that_does_not_change_bumps_nothing_and_one_that_does_bumps_once() {
    let mut who = SubjectState::unknown(subject());
    let why = bump(0, Reason::PermissionsChanged);
    let roles: Arc<[Arc<str>]> = ["admin".into()].into();
    assert_eq!(who.set_roles(Arc::default(), &why), None);
    assert_eq!(who.set_profile(Arc::default(), "".into(), &why), None);
    let event = who.set_profile(roles.clone(), "{\"a\":1}".into(), &why).unwrap();
    assert_eq!((event.effect, who.epochs.counter), (Effect::Stale, 1));
    assert!(who.set_profile(roles.clone(), "{\"a\":1}".into(), &why).is_none());
    assert!(who.set_profile(roles.clone(), "".into(), &why).is_some(), "other claims alone");
    assert!(who.set_profile(Arc::default(), "".into(), &why).is_some(), "other roles alone");
    assert!(who.set_roles(roles, &why).is_some());
    assert_eq!((who.epochs.counter, who.epochs.revoked), (4, None));
}

#[test]
fn a_session_born_after_a_revoked_bump_is_above_it() {
    let mut house = nobody();
    house.subject.bump(Effect::Revoked, &bump(0, Reason::PasswordChanged));
    let (reply, _) = sign_in(&mut house, &start(1), &ClientPolicy::default(), s(2));
    let born = reply.unwrap().grant.session.born;
    assert_eq!(born.subject, 1);
    assert!(house.subject.epochs.revokes(born.of_subject()).is_none());
}

#[test]
fn a_session_born_in_an_older_epoch_is_below_a_bound_of_a_newer_one() {
    let mut family = Family::new();
    family.rewrite(|state| state.born.subject = 900);
    family.open_epoch(1);
    family.loaded.subject.bump(Effect::Revoked, &family.bump(Reason::Banned, s(1)));
    assert!(!family.lives(s(2)));
}

#[test]
fn a_refresh_never_undoes_a_revoked_bump() {
    let mut family = Family::new();
    family.refresh(0, s(1)).unwrap();
    family.loaded.subject.bump(Effect::Revoked, &family.bump(Reason::Admin, s(2)));
    for generation in [0, 1, 1] {
        assert!(family.refresh(generation, s(3)).is_err());
    }
    assert!(!family.lives(s(4)));
}

#[test]
fn a_ban_sets_its_bound_and_holds_until_its_end() {
    let mut who = SubjectState::unknown(subject());
    let ban =
        Ban { since: s(1), until: Some(s(9)), reason: Reason::Banned, note: Some("spam".into()) };
    let event = who.set_ban(ban.clone(), &bump(0, Reason::Banned));
    assert_eq!((event.effect, event.reason), (Effect::Revoked, Reason::Banned));
    assert_eq!(who.banned(s(8)), Some(&ban));
    assert_eq!(who.banned(s(9)), None);
    let for_good = Ban { until: None, ..ban };
    assert!(for_good.holds(s(1_000_000_000)));
}
