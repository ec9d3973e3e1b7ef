//! What a verifier makes of its mirror: how old it may be, what it could not hold, and who reads meanwhile.

use crate::tokens::{AUDIENCE, ISSUED, ISSUER, at, key, keys, token};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use symbolon_core::{Below, Effect, Reason, StoreEpoch};
use symbolon_verify::measure::Filled;
use symbolon_verify::{Algorithm, Now, Policy, Presented, Rejected, Timestamp, Unknown, Verifier};
use symbolon_wire::SigningKey;
use symbolon_wire::feed::{Entry, Hit, TargetDigest, TargetKey, TargetKind};

fn target_key() -> TargetKey {
    TargetKey::parse(&"A".repeat(43)).unwrap()
}

fn ends_at(second: u64) -> Timestamp {
    Timestamp::from_seconds(ISSUED + second)
}

fn session(digest: TargetDigest, reason: Reason, expires_at: Timestamp) -> Entry {
    Entry { hit: Hit::Session(digest), effect: Effect::Revoked, reason, expires_at }
}

/// The end of the session that all tokens here have.
fn kicked() -> Entry {
    let digest = target_key().digest(TargetKind::Session, "AAAAAAAAAAAAAAAAAAAAAA");
    session(digest, Reason::Kicked, ends_at(400))
}

/// A number's digest, which looks like any other.
fn digest(number: u64) -> [u8; 16] {
    target_key().digest(TargetKind::Session, &number.to_string()).0
}

fn verifier(mirror: &Filled, key: &SigningKey) -> Verifier {
    mirror.verifier(Verifier::builder(ISSUER).audience(AUDIENCE), keys(&[key])).unwrap()
}

/// A mirror that was read at `ISSUED`, when the steady clock stood at one second.
fn fresh() -> Filled {
    let mirror = Filled::new();
    mirror.use_target_key(target_key());
    mirror.vouch(Timestamp::from_seconds(ISSUED), Duration::from_secs(1));
    mirror
}

/// So long after the mirror was read, whatever the wall clock says.
fn later(millis: u64) -> Now {
    Now { monotonic: Duration::from_secs(1) + Duration::from_millis(millis), ..at(1) }
}

#[test]
fn each_policy_says_what_an_old_mirror_means() {
    let key = key(Algorithm::EdDsa);
    let (mirror, text) = (fresh(), token(&key, &[]));
    let verifier = verifier(&mirror, &key);
    let check =
        |policy: &Policy, now| verifier.check(&Presented::bearer(&text), policy, now, |_| ()).err();
    let bound = Duration::from_secs(5);
    let unknown = Some(Rejected::Unverifiable(Unknown::Session));
    for (millis, strict, bounded) in
        [(0, None, None), (5000, None, None), (5001, unknown, Some(Rejected::Ask))]
    {
        assert_eq!(check(&Policy::strict(bound), later(millis)), strict, "{millis} ms");
        assert_eq!(check(&Policy::bounded(bound), later(millis)), bounded, "{millis} ms");
        assert_eq!(check(&Policy::offline(), later(millis)), None);
    }
    let set_back = Now { wall: Timestamp::from_seconds(ISSUED), ..later(5001) };
    assert!(check(&Policy::strict(bound), set_back).is_some(), "no wall clock makes it younger");
    mirror.vouch(Timestamp::from_seconds(ISSUED + 5), Duration::from_secs(6));
    assert_eq!(check(&Policy::strict(bound), later(5001)), None, "it heals by itself");
}

#[test]
fn a_mirror_is_never_believed_before_it_is_ready() {
    let key = key(Algorithm::EdDsa);
    let mirror = Filled::new();
    let (verifier, text) = (verifier(&mirror, &key), token(&key, &[]));
    let check =
        |policy: Policy| verifier.check(&Presented::bearer(&text), &policy, later(0), |_| ()).err();
    let unready = || {
        let refused = Some(Rejected::Unverifiable(Unknown::Session));
        assert_eq!(check(Policy::strict(Duration::MAX)), refused);
        assert_eq!(check(Policy::bounded(Duration::MAX)), Some(Rejected::Ask));
    };
    unready();
    mirror.vouch(Timestamp::from_seconds(ISSUED), Duration::from_secs(1));
    unready();
    mirror.use_target_key(target_key());
    assert_eq!(check(Policy::strict(Duration::MAX)), None);
}

#[test]
fn an_ended_session_is_refused_with_its_reason_under_every_policy_and_however_old_the_mirror_is() {
    let key = key(Algorithm::EdDsa);
    let (mirror, text) = (fresh(), token(&key, &[]));
    let verifier = verifier(&mirror, &key);
    let policies =
        [Policy::offline(), Policy::default(), Policy::strict(Duration::from_secs(1)).role("none")];
    let check =
        |policy: &Policy, now| verifier.check(&Presented::bearer(&text), policy, now, |_| ()).err();
    assert_eq!(check(&Policy::offline(), later(0)), None);
    mirror.apply(&[kicked()]);
    for policy in &policies {
        for now in [later(0), later(60_000)] {
            let revoked = Rejected::Revoked { ended: Some(Reason::Kicked) };
            assert_eq!(revoked.challenge().split("ended=").nth(1), Some("\"kicked\""));
            assert_eq!(check(policy, now), Some(revoked));
        }
    }
    mirror.forget(ends_at(400));
    assert!(check(&Policy::offline(), later(0)).is_some(), "kept to the end of its last second");
    mirror.forget(Timestamp::from_millis(ends_at(400).as_millis() + 1));
    let forgotten = Some(Rejected::Expired);
    assert_eq!(check(&Policy::offline(), later(0)), forgotten, "a slow wall clock revives nothing");
}

#[test]
fn what_must_renew_is_stale_and_revoked_wins() {
    let key = key(Algorithm::EdDsa);
    let (mirror, text) = (fresh(), token(&key, &[]));
    let verifier = verifier(&mirror, &key);
    let check =
        || verifier.check(&Presented::bearer(&text), &Policy::default(), later(0), |_| ()).err();
    let reason = Reason::PermissionsChanged;
    mirror.apply(&[Entry { effect: Effect::Stale, reason, ..kicked() }]);
    assert_eq!(check(), Some(Rejected::Stale));
    mirror.apply(&[kicked()]);
    assert_eq!(check(), Some(Rejected::Revoked { ended: Some(Reason::Kicked) }));
}

/// The first epoch of a store on Redis is its second of birth, and the last one is the last that there is.
#[test]
fn a_bound_of_any_store_epoch_is_kept_and_hits_what_is_below_it_alone() {
    let key = key(Algorithm::EdDsa);
    let mirror = fresh();
    let verifier = verifier(&mirror, &key);
    let check = |ver: &str| {
        let text = token(&key, &[("ver", ver)]);
        verifier.check(&Presented::bearer(&text), &Policy::default(), later(0), |_| ()).err()
    };
    let subject = target_key().digest(TargetKind::Subject, "42");
    let change = |epoch, counter| {
        let hit = Hit::Subject(subject, Below { epoch: StoreEpoch(epoch), counter });
        let reason = Reason::PermissionsChanged;
        mirror.apply(&[Entry { effect: Effect::Stale, reason, hit, ..kicked() }]);
    };
    for epoch in [1, 1 << 24, 28_098_365, u32::MAX] {
        change(epoch, 7);
        assert_eq!(check(&format!("[{epoch},6,0,0]")), Some(Rejected::Stale), "{epoch}");
        assert_eq!(check(&format!("[{},8,0,0]", epoch - 1)), Some(Rejected::Stale), "{epoch}");
        assert_eq!(check(&format!("[{epoch},7,0,0]")), None, "{epoch}");
    }
    change(u32::MAX, u64::from(u32::MAX));
    assert!(mirror.age(Duration::from_secs(1)).is_some());
    change(u32::MAX, 1 << 32);
    assert_eq!(mirror.age(Duration::from_secs(1)), None, "what cannot be kept is not unsaid");
}

#[test]
fn a_full_mirror_says_that_it_does_not_know_until_what_it_lost_has_ended() {
    let mirror = Filled::bounded(100);
    mirror.use_target_key(target_key());
    mirror.vouch(Timestamp::from_seconds(ISSUED), Duration::from_secs(1));
    let some = |numbers: std::ops::Range<u64>, end| {
        let entry = |n| session(TargetDigest(digest(n)), Reason::Kicked, ends_at(end));
        mirror.apply(&numbers.map(entry).collect::<Vec<_>>());
    };
    some(0..100, 50);
    assert!(mirror.age(Duration::from_secs(1)).is_some());
    some(100..101, 70);
    assert_eq!((mirror.len(), mirror.age(Duration::from_secs(1))), (100, None));
    (0..16).for_each(|_| mirror.forget(ends_at(70)));
    assert_eq!((mirror.len(), mirror.age(Duration::from_secs(1))), (0, None));
    mirror.forget(ends_at(71));
    assert!(mirror.age(Duration::from_secs(1)).is_some());
}

#[test]
fn a_token_is_not_remembered_beyond_its_key() {
    let (old, new) = (key(Algorithm::EdDsa), key(Algorithm::EdDsa));
    let (mirror, text) = (fresh(), token(&old, &[]));
    let verifier =
        mirror.verifier(Verifier::builder(ISSUER).audience(AUDIENCE), keys(&[&old, &new])).unwrap();
    let check =
        || verifier.check(&Presented::bearer(&text), &Policy::default(), later(0), |_| ()).err();
    assert_eq!((check(), check()), (None, None));
    verifier.replace_keys(keys(&[&new, &old]));
    assert_eq!(check(), None);
    verifier.replace_keys(keys(&[&new]));
    assert!(matches!(check(), Some(Rejected::Untrusted(_))));
}

/// Whoever reads while the mirror grows and forgets finds everything that was published before they looked.
#[test]
fn nothing_that_was_published_is_ever_missed_while_the_mirror_grows_and_forgets() {
    const ENTRIES: u64 = 200_000;
    let mirror = Filled::new();
    let (published, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let looks = thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|seed| {
                let (mirror, published, done) = (&mirror, &published, &done);
                scope.spawn(move || look_while(mirror, published, done, seed))
            })
            .collect();
        for batch in (0..ENTRIES).step_by(500) {
            // Half of them are forgotten soon, so that tables are made anew smaller, too.
            let entry = |n: u64| {
                let end =
                    if n.is_multiple_of(2) { ends_at(1_000_000) } else { ends_at(batch / 500) };
                session(TargetDigest(digest(n)), Reason::Kicked, end)
            };
            mirror.apply(&(batch..batch + 500).map(entry).collect::<Vec<_>>());
            published.store(batch + 500, Ordering::Release);
            mirror.forget(ends_at(batch / 500));
        }
        done.store(true, Ordering::Release);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum::<u64>()
    });
    assert!(looks > 1000, "the readers never ran");
    assert!((0..ENTRIES).step_by(2).all(|n| mirror.find(&digest(n))));
}

fn look_while(mirror: &Filled, published: &AtomicU64, done: &AtomicBool, seed: u64) -> u64 {
    let mut looks = 0;
    let mut random = seed + 1;
    while !done.load(Ordering::Acquire) {
        let until = published.load(Ordering::Acquire);
        if until == 0 {
            thread::yield_now();
            continue;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // The newest are those that are just being moved.
        let back = (random >> 33) % until.min(3000);
        let number = (until - 1 - back) & !1;
        assert!(mirror.find(&digest(number)), "{number} of {until} was missed");
        looks += 1;
    }
    looks
}
