//! One-time credentials: what they may be spent on, and when.

use crate::common::{DAY, Family, HOUR, s, secs, start};
use symbolon_core::one_time::{OPERATION_LIFE_MAX, TICKET_LIFE_MAX};
use symbolon_core::{
    ClientPolicy, Denial, Digest, Once, OneTime, Reason, Salt, StoreEpoch, Timestamp, Unfit,
};

const THIS: Digest = Digest([1; 32]);
const THAT: Digest = Digest([2; 32]);

/// One for [`THIS`], made at `s(0)` to live a minute.
fn once(family: &Family) -> Once {
    let made = family.loaded.once(THIS, OPERATION_LIFE_MAX, &family.policy, s(0));
    made.ok().unwrap()
}

fn spend(family: &Family, says: Once, purpose: Digest, at: Timestamp) -> Result<(), Unfit> {
    let shown = OneTime::assume_genuine(says, Digest([9; 32]));
    family.loaded.may_spend(&shown, purpose, &family.policy, at)
}

#[test]
fn it_is_good_for_one_thing_until_its_instant() {
    let family = Family::new();
    let says = once(&family);
    assert_eq!(spend(&family, says.clone(), THIS, s(0)), Ok(()));
    assert_eq!(spend(&family, says.clone(), THIS, s(59)), Ok(()));
    assert_eq!(spend(&family, says.clone(), THAT, s(59)), Err(Unfit::OtherPurpose));
    assert_eq!(spend(&family, says, THIS, s(60)), Err(Unfit::Expired));
}

#[test]
fn it_ends_with_its_session_and_says_why() {
    let mut family = Family::new();
    let says = once(&family);
    assert!(family.kick(Reason::Kicked, s(1)));
    let kicked = Unfit::Denied(Denial::Ended(Reason::Kicked));
    assert_eq!(spend(&family, says, THIS, s(2)), Err(kicked));
    let made = family.loaded.once(THIS, TICKET_LIFE_MAX, &family.policy, s(2));
    assert_eq!(made.err(), Some(Denial::Ended(Reason::Kicked)));
}

#[test]
fn an_idle_session_makes_and_spends_none() {
    let family = Family::with(&start(1), &ClientPolicy { idle: secs(30), ..Default::default() });
    let says = once(&family);
    let idle = Unfit::Denied(Denial::Ended(Reason::Idle));
    assert_eq!(spend(&family, says.clone(), THIS, s(29)), Ok(()));
    assert_eq!(spend(&family, says, THIS, s(30)), Err(idle));
}

#[test]
fn it_never_outlives_its_session() {
    let policy = ClientPolicy { idle: secs(DAY), absolute: secs(HOUR), ..Default::default() };
    let family = Family::with(&start(1), &policy);
    let made = family.loaded.once(THIS, OPERATION_LIFE_MAX, &policy, s(HOUR - 5));
    assert_eq!(made.ok().unwrap().expires_at, s(HOUR));
}

#[test]
fn a_client_that_is_off_spends_none() {
    let mut family = Family::new();
    let says = once(&family);
    let web = family.client.clone();
    family.cutoffs(|cutoffs| cutoffs.clients.entry(web).or_default().disabled = true);
    let off = Unfit::Denied(Denial::ClientDisabled);
    assert_eq!(spend(&family, says, THIS, s(1)), Err(off));
}

#[test]
fn after_a_loss_of_writes_none_of_before_is_spent() {
    let mut family = Family::new();
    let says = once(&family);
    family.open_epoch(1);
    assert_eq!(spend(&family, says.clone(), THIS, s(1)), Err(Unfit::Forgotten));
    let ahead = Once { epoch: StoreEpoch(2), ..says };
    assert_eq!(spend(&family, ahead, THIS, s(1)), Err(Unfit::Forgotten));
}

#[test]
fn whoever_has_the_key_alone_spends_none() {
    let family = Family::new();
    let says = Once { salt: Salt([9; 8]), ..once(&family) };
    let unknown = Unfit::Denied(Denial::UnknownSession);
    assert_eq!(spend(&family, says, THIS, s(1)), Err(unknown));
    let mut over = family.clone();
    over.kick(Reason::Kicked, s(1));
    let says = Once { salt: Salt([9; 8]), ..once(&family) };
    assert_eq!(spend(&over, says, THIS, s(2)), Err(unknown), "a stranger is told no reason");
}

#[test]
fn its_use_is_remembered_until_no_clock_that_is_believed_takes_it() {
    let family = Family::new();
    let shown = OneTime::assume_genuine(once(&family), Digest([9; 32]));
    assert_eq!(shown.remembered_until(), s(60 + 120));
    assert_eq!(shown.sid(), family.loaded.session.sid);
    assert_eq!(shown.name(), Digest([9; 32]));
}
