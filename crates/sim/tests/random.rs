//! Random histories: the rules agree with the model and keep every promise, whatever happens.
//!
//! `PROPTEST_CASES` sets the number of histories of each kind; a failure is shrunk, printed and kept
//! under `proptest-regressions`, from where it is replayed first.

mod cases;

use cases::cases;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use symbolon_core::{Effect, Replay};
use symbolon_sim::history::{Above, Action, SLOTS, World};
use symbolon_sim::model::Shown;

fn shown() -> impl Strategy<Value = Shown> {
    prop_oneof![
        12 => Just(Shown::Key),
        1 => Just(Shown::Wrong),
        1 => Just(Shown::Unusable),
    ]
}

/// Which token: mostly the newest, or one of the last few, sometimes an old one.
fn back() -> impl Strategy<Value = usize> {
    prop_oneof![8 => Just(0_usize), 6 => 0..4_usize, 3 => 0..14_usize]
}

fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 0..3_000_u64,
        3 => prop_oneof![Just(9_999_u64), Just(10_000), Just(10_001), Just(119_999)],
        3 => 3_000..130_000_u64,
        1 => Just(3_600_000_u64),
        1 => 0..40_u64.wrapping_mul(86_400_000),
    ]
}

fn above() -> impl Strategy<Value = Above> {
    prop_oneof![
        Just(Above::Subject),
        any::<bool>().prop_map(Above::Client),
        Just(Above::Everything)
    ]
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![5 => Just(Effect::Stale), 1 => Just(Effect::Revoked)]
}

fn replay() -> impl Strategy<Value = Replay> {
    prop_oneof![4 => Just(Replay::Enforce), 1 => Just(Replay::Report), 1 => Just(Replay::Off)]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        30 => (0..SLOTS, back(), shown()).prop_map(|(a, b, c)| Action::Present(a, b, c)),
        12 => span().prop_map(Action::Wait),
        4 => (-60_000..=60_000_i64).prop_map(Action::Skew),
        4 => (0..SLOTS).prop_map(Action::SignIn),
        3 => Just(Action::Copy),
        3 => (0..3_usize).prop_map(Action::Restore),
        2 => prop_oneof![Just(0_u64), Just(10_000), Just(120_000)].prop_map(Action::Grace),
        2 => (above(), effect()).prop_map(|(above, effect)| Action::Bump(above, effect)),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(one, off)| Action::Disable(one, off)),
        2 => replay().prop_map(Action::Replay),
        1 => (0..SLOTS).prop_map(Action::Kick),
        1 => prop_oneof![1 => Just(true), 3 => Just(false)].prop_map(Action::Ban),
        1 => prop_oneof![Just(60_000_u64), Just(14 * 86_400_000)].prop_map(Action::Idle),
    ]
}

/// Few callers of one bearer session, many restores: where fast-forwards meet.
fn one_family() -> impl Strategy<Value = Action> {
    prop_oneof![
        24 => back().prop_map(|back| Action::Present(0, back, Shown::Bearer)),
        8 => span().prop_map(|span| Action::Wait(span % 20_000)),
        3 => Just(Action::Copy),
        3 => (0..3_usize).prop_map(Action::Restore),
        1 => prop_oneof![Just(0_u64), Just(10_000), Just(120_000)].prop_map(Action::Grace),
        2 => replay().prop_map(Action::Replay),
    ]
}

fn play(actions: &[Action], slots: usize) {
    let mut world = World::default();
    (0..slots).for_each(|slot| world.play(&Action::SignIn(slot)));
    actions.iter().for_each(|action| world.play(action));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(8_000), ..ProptestConfig::default() })]

    #[test]
    fn the_rules_and_the_model_agree_on_every_history(
        actions in proptest::collection::vec(action(), 1..60)
    ) {
        play(&actions, 2);
    }

    #[test]
    fn the_rules_and_the_model_agree_on_one_family_through_many_restores(
        actions in proptest::collection::vec(one_family(), 1..80)
    ) {
        play(&actions, 1);
    }
}
