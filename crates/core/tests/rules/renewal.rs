//! Renewing at a gateway.

use symbolon_core::renewal::{Beside, Place};

const OWN: Beside =
    Beside { same_session: true, as_delivered: true, confidential: false, bound: false };

#[test]
fn a_gateway_renews_for_whoever_need_show_nothing_but_their_tokens() {
    assert_eq!(OWN.place(), Place::Here);
    for by_itself in [
        Beside { as_delivered: false, ..OWN },
        Beside { confidential: true, ..OWN },
        Beside { bound: true, ..OWN },
    ] {
        assert_eq!(by_itself.place(), Place::TokenEndpoint, "{by_itself:?}");
    }
}

#[test]
fn nobody_is_renewed_by_what_renews_somebody_else() {
    for others in [OWN, Beside { confidential: true, ..OWN }, Beside { bound: true, ..OWN }] {
        assert_eq!(Beside { same_session: false, ..others }.place(), Place::Nowhere);
    }
}
