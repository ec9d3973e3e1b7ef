//! Any order of sign-ins keeps the device limits: DESIGN.md §4.7.

mod cases;

use cases::cases;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use std::collections::{BTreeMap, BTreeSet};
use symbolon_core::device::{Device, DeviceClass, DevicePolicy, Overflow};
use symbolon_core::{ClientPolicy, Denial, Duration, SessionId, Start, Timestamp};
use symbolon_sim::history::{self, KEY};
use symbolon_sim::store::Store;

/// One sign-in: class, device name if any, milliseconds since the last.
type SignIn = (usize, Option<u8>, u64);

fn device(class: usize, id: Option<u8>) -> Device {
    let class = DeviceClass::ALL[class % DeviceClass::ALL.len()];
    Device { class, id: id.map(|id| id.to_string().into()), name: None }
}

fn alive(store: &Store, policy: &ClientPolicy, at: Timestamp) -> BTreeSet<SessionId> {
    store.sessions.keys().copied().filter(|sid| store.lives(*sid, policy, at)).collect()
}

fn check(store: &Store, policy: &ClientPolicy, at: Timestamp) {
    let alive: Vec<_> =
        alive(store, policy, at).into_iter().map(|sid| &store.sessions[&sid].device).collect();
    assert!(alive.len() <= usize::from(policy.devices.per_subject), "too many");
    for (class, most) in &policy.devices.per_class {
        let count = alive.iter().filter(|device| device.class == *class).count();
        assert!(count <= usize::from(*most), "too many of {class:?}");
    }
    let named: Vec<_> = alive.iter().filter_map(|device| device.id.clone()).collect();
    assert_eq!(named.len(), named.iter().collect::<BTreeSet<_>>().len(), "one device twice");
}

fn play(policy: &ClientPolicy, sign_ins: &[SignIn]) {
    let (mut store, mut at) = (Store::empty(history::subject()), Timestamp::from_seconds(1_000));
    let terms = symbolon_core::Terms { policy, key: KEY, keys_usable: &[KEY] };
    for (index, (class, id, after)) in sign_ins.iter().enumerate() {
        at = at.after(Duration::from_millis(*after));
        let sid = SessionId::from_bytes([u8::try_from(index).unwrap_or(u8::MAX); 16]);
        let start = Start { device: device(*class, *id), ..history::start(sid, false) };
        let before = alive(&store, policy, at);
        let told = store.events.len();
        let answer = store.sign_in(&start, &terms, at);
        let left: BTreeSet<_> = before.difference(&alive(&store, policy, at)).copied().collect();
        match answer {
            Ok(started) => {
                let displaced = started.displaced.iter().map(|(sid, _)| *sid).collect();
                assert_eq!(left, displaced, "exactly those it names");
                assert!(store.lives(sid, policy, at), "the newcomer is in");
                assert!(left.iter().all(|sid| store.ends_told(*sid) == 1));
            }
            Err(denial) => {
                assert_eq!(
                    (denial, policy.devices.overflow),
                    (Denial::DeviceLimit, Overflow::Refuse)
                );
                assert!(left.is_empty() && store.events.len() == told);
            }
        }
        check(&store, policy, at);
    }
}

fn overflow() -> impl Strategy<Value = Overflow> {
    prop_oneof![Just(Overflow::EvictIdle), Just(Overflow::EvictOldest), Just(Overflow::Refuse)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(2_000), ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_sign_ins_exceeds_a_limit_or_ends_more_than_it_names(
        per_subject in 1..5_u16,
        web in proptest::option::of(1..3_u16),
        overflow in overflow(),
        sign_ins in proptest::collection::vec(
            (0..3_usize, proptest::option::of(0..3_u8), prop_oneof![Just(0_u64), any::<u32>().prop_map(u64::from)]),
            1..20,
        ),
    ) {
        let per_class: BTreeMap<_, _> = web.map(|most| (DeviceClass::Web, most)).into_iter().collect();
        let devices = DevicePolicy { per_subject, per_class, overflow };
        play(&ClientPolicy { devices, ..ClientPolicy::default() }, &sign_ins);
    }
}
