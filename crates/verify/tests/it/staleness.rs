//! What a token itself asks of the knowledge by which it is let in.

use crate::feed::{begin, verifier};
use crate::script::Script;
use crate::tokens::claims;
use std::time::Duration;
use symbolon_verify::feed::Follower;
use symbolon_verify::{Policy, Presented, Rejected, Type, Unknown, Verifier};

fn token(script: &Script, staleness: &str) -> String {
    let seconds = script.now().as_seconds();
    let (iat, exp) = (seconds.to_string(), (seconds + 300).to_string());
    let changes = [("iat", &*iat), ("exp", &exp), ("staleness", staleness)];
    let claims = claims(&script.issuer, &changes);
    script.key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap()
}

fn looked(
    verifier: &Verifier,
    script: &Script,
    token: &str,
    policy: &Policy,
) -> Result<(), Rejected> {
    verifier.check(&Presented::bearer(token), policy, script.reading(), |_| ())
}

#[test]
fn a_token_asks_for_fresher_knowledge_than_its_route_and_never_for_older() {
    let mut script = Script::new();
    let verifier = verifier(&script);
    let mut follower = Follower::new(&verifier);
    begin(&script, &mut follower);
    let (two, usual) = (token(&script, "2"), token(&script, ""));
    let old = Rejected::Unverifiable(Unknown::Session);
    let seconds = Duration::from_secs;
    for (age, route, of_two, of_usual) in [
        (1, Policy::offline(), Ok(()), Ok(())),
        (1, Policy::bounded(seconds(5)), Ok(()), Ok(())),
        (3, Policy::offline(), Err(Rejected::Ask), Ok(())),
        (3, Policy::bounded(seconds(5)), Err(Rejected::Ask), Ok(())),
        (3, Policy::strict(seconds(5)), Err(old.clone()), Ok(())),
        (3, Policy::strict(seconds(1)), Err(old.clone()), Err(old.clone())),
    ] {
        let passed = script.reading().monotonic;
        let target = Duration::from_secs(age) + script_begin(&verifier, &script);
        if passed < target {
            script.pass(u64::try_from((target - passed).as_millis()).unwrap());
        }
        for _ in 0..2 {
            assert_eq!(looked(&verifier, &script, &two, &route), of_two, "{age} s, {route:?}");
            assert_eq!(looked(&verifier, &script, &usual, &route), of_usual, "{age} s, {route:?}");
        }
    }
}

/// The reading at which what is known was of that instant.
fn script_begin(verifier: &Verifier, script: &Script) -> Duration {
    let now = script.reading().monotonic;
    now - verifier.status(now).age.unwrap()
}

#[test]
fn nobody_who_follows_no_feed_lets_in_a_token_that_asks_for_fresh_knowledge() {
    let script = Script::new();
    let verifier = verifier(&script);
    let of_feed = looked(&verifier, &script, &token(&script, "2"), &Policy::offline());
    assert_eq!(of_feed, Err(Rejected::Ask));
    assert_eq!(looked(&verifier, &script, &token(&script, ""), &Policy::offline()), Ok(()));
}

#[test]
fn a_bound_that_is_none_is_no_token() {
    let script = Script::new();
    for wrong in ["0", "-1", "1.5", "\"5s\"", "null"] {
        let refused =
            looked(&verifier(&script), &script, &token(&script, wrong), &Policy::offline());
        assert_eq!(refused.err().and_then(|why| why.reason()), Some("malformed"), "{wrong}");
    }
}
