//! Client credentials: what a client earns for itself, and what ends it.

use crate::common::{KEY, client, ms, s, secs};
use symbolon_core::by_name::ByName;
use symbolon_core::credentials::ClientGrant;
use symbolon_core::epoch::Bump;
use symbolon_core::{
    Act, ClientPolicy, Cutoffs, Denial, Effect, Fault, Reason, StoreEpoch, Terms, Timestamp, Ver,
    Verdict,
};

const JTI: [u8; 16] = [7; 16];

fn ask(all: &Cutoffs, at: Timestamp) -> Result<Result<ClientGrant, Denial>, Fault> {
    let policy = ClientPolicy { access_ttl: secs(60), ..ClientPolicy::default() };
    let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY] };
    all.grant_client(&client("service"), &terms, at)
}

fn granted(all: &Cutoffs) -> Ver {
    ask(all, s(0)).unwrap().unwrap().ver
}

fn judged(all: &Cutoffs, ver: &Ver) -> Verdict {
    all.judge_client(&client("service"), &JTI, ver)
}

fn bump(all: &Cutoffs, reason: Reason) -> Bump {
    let (epoch, at) = (all.epoch, s(1));
    Bump { epoch, reason, at, tokens_live_until: s(99), act: Act::authority() }
}

#[test]
fn a_client_is_given_a_token_of_whole_seconds_for_its_life() {
    let all = Cutoffs { epoch: StoreEpoch(3), ..Cutoffs::default() };
    let grant = ask(&all, ms(1900)).unwrap().unwrap();
    assert_eq!((grant.issued_at, grant.expires_at), (s(1), s(61)));
    assert_eq!(grant.expires_in(ms(1900)), 60);
    assert_eq!(grant.expires_in(s(400)), 1, "never 0, which some take for no end");
    assert_eq!((grant.client, grant.key), (client("service"), KEY));
}

#[test]
fn it_carries_the_counters_of_store_client_and_everything_and_0_for_the_subject() {
    let mut all = Cutoffs { epoch: StoreEpoch(3), ..Cutoffs::default() };
    let why = bump(&all, Reason::Admin);
    all.bump_client(&client("service"), Effect::Stale, &why);
    all.bump_everything(Effect::Stale, &why);
    all.bump_everything(Effect::Stale, &why);
    let expected = Ver { store: StoreEpoch(3), subject: 0, client: 1, everything: 2 };
    assert_eq!(granted(&all), expected);
    assert_eq!(judged(&all, &expected), Verdict::Live);
}

#[test]
fn a_disabled_client_is_refused_and_its_tokens_hold_no_more_until_it_is_enabled() {
    let mut all = Cutoffs::default();
    let before = granted(&all);
    let why = bump(&all, Reason::ClientDisabled);
    all.set_client_disabled(&client("service"), true, &why);
    assert_eq!(ask(&all, s(2)), Ok(Err(Denial::ClientDisabled)));
    let raced = Ver { client: 1, ..before };
    for ver in [before, raced] {
        assert_eq!(judged(&all, &ver), Verdict::Stale(Reason::ClientDisabled));
    }
    all.set_client_disabled(&client("service"), false, &why);
    assert_eq!(judged(&all, &granted(&all)), Verdict::Live);
    let old = judged(&all, &before);
    assert_eq!(old, Verdict::Stale(Reason::ClientDisabled), "from before the bump: renew");
}

#[test]
fn switching_another_client_off_is_nothing_to_it() {
    let mut all = Cutoffs::default();
    let before = granted(&all);
    let why = bump(&all, Reason::ClientDisabled);
    all.set_client_disabled(&client("other"), true, &why);
    assert_eq!(judged(&all, &before), Verdict::Live);
    assert!(ask(&all, s(2)).unwrap().is_ok());
}

#[test]
fn each_bound_above_a_token_has_its_verdict_and_a_revoked_one_goes_first() {
    for (effect, verdict) in [
        (Effect::Stale, Verdict::Stale(Reason::KeyCompromised)),
        (Effect::Revoked, Verdict::Revoked(Reason::KeyCompromised)),
    ] {
        for whole in [false, true] {
            let mut all = Cutoffs::default();
            let before = granted(&all);
            let why = bump(&all, Reason::KeyCompromised);
            match whole {
                true => all.bump_everything(effect, &why),
                false => all.bump_client(&client("service"), effect, &why),
            };
            assert_eq!(judged(&all, &before), verdict);
            assert_eq!(judged(&all, &granted(&all)), Verdict::Live, "the next one is not hit");
            let why = bump(&all, Reason::Admin);
            all.bump_everything(Effect::Revoked, &why);
            assert!(matches!(judged(&all, &before), Verdict::Revoked(_)));
        }
    }
}

#[test]
fn a_token_that_was_revoked_by_name_is_over_and_its_siblings_are_not() {
    for (effect, verdict) in [
        (Effect::Stale, Verdict::Stale(Reason::Admin)),
        (Effect::Revoked, Verdict::Revoked(Reason::Admin)),
    ] {
        let mut all = Cutoffs::default();
        let why = bump(&all, Reason::Admin);
        all.revoke_token(JTI, None, effect, &why).unwrap();
        let ver = granted(&all);
        assert_eq!(judged(&all, &ver), verdict);
        let sibling = all.judge_client(&client("service"), &[8; 16], &ver);
        assert_eq!(sibling, Verdict::Live);
    }
}

#[test]
fn a_revoked_key_signs_nothing_for_a_client_either() {
    let mut all = Cutoffs::default();
    let (effect, reason, at, until) = (Effect::Revoked, Reason::KeyCompromised, s(1), s(99));
    all.keys.insert(KEY, ByName { effect, reason, at, until });
    assert_eq!(ask(&all, s(2)), Err(Fault::Contention), "a retry finds the new key");
}
