//! What verifiers are told of an act that revokes nothing.

use symbolon_core::epoch::Bump;
use symbolon_core::{Act, Change, Reason, StoreEpoch, Subject, Timestamp, Ver};
use symbolon_wire::feed::{Hit, Revocation, TargetKey};

#[test]
fn a_change_keeps_its_place_on_the_feed_hits_no_token_and_names_nobody() {
    let key = TargetKey::parse(&"A".repeat(43)).ok().unwrap();
    let at = Timestamp::from_seconds(1_700_000_000);
    let bump = Bump {
        epoch: StoreEpoch(3),
        reason: Reason::Banned,
        at,
        tokens_live_until: Timestamp::from_seconds(1_700_009_999),
        act: Act::authority(),
    };
    for name in ["10086", "10087"] {
        let event = Change::BanLifted(Subject::parse(name).unwrap()).event(&bump);
        let told = Revocation::of(&event, &key);
        let Hit::Everything(below) = told.entry.hit else { panic!("{told:?}") };
        let oldest = Ver { store: StoreEpoch(0), subject: 0, client: 0, everything: 0 };
        assert!(oldest.of_everything() >= below, "no token is below");
        assert_eq!(told.entry.expires_at, at, "no mirror keeps it");
    }
}
