//! What is told: random trouble from many seeds, and the three ways in which a store betrays its readers.

use crate::link::Faults;
use crate::world::{BOUND, SESSIONS, World};
use symbolon_verify::Policy;

/// One story: a minute in which everything goes wrong that can, and then nothing any more.
fn trouble(seed: u64) -> World {
    let mut world = World::new(seed);
    world.pass(3_000);
    world.rate = 6;
    let crowd = seed.is_multiple_of(20);
    for _ in 0..600 {
        something_happens(&mut world);
        world.pass(100);
    }
    if crowd {
        // More than is kept ready: whoever is behind falls out of it.
        world.end_others(20_000);
    }
    world.heals();
    world
}

fn something_happens(world: &mut World) {
    let (at, which) = (world.at, world.chance.below(2));
    match world.chance.below(120) {
        0 => world.nodes[which].cut = true,
        1..=4 => world.nodes[which].cut = false,
        5 => world.peers[which].cut_until = at + world.chance.span(100..6_000),
        6 => world.crash_node(which),
        7 if world.chance.once_in(3) => world.crash_peer(which),
        8 => world.copy(),
        9 if world.chance.once_in(3) => world.restore(),
        10 if world.chance.once_in(3) => world.store.fail_over(),
        11 => {
            let count = 1 + world.chance.below(4);
            world.store.lose(count);
        }
        12 if world.chance.once_in(4) => world.end_others(1_100),
        13 => world.store.sweep(at),
        // A wall clock that somebody sets.
        14 => world.peers[which].skew = world.chance.span(0..120_000) as i64 - 60_000,
        15..=17 => {
            let number = world.chance.below(SESSIONS as usize) as u64;
            world.end(number);
        }
        18..=90 => {
            let count = world.chance.below(3);
            world.end_others(count);
        }
        _ => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "scripts/long asks for more of them")]
fn seeds() -> u64 {
    std::env::var("FEED_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100)
}

#[test]
fn no_verifier_says_yes_on_what_it_cannot_know_whatever_goes_wrong() {
    let (mut faults, mut gaps, mut broke) = (Faults::default(), 0, 0);
    let (mut let_in, mut unknown) = (0, 0);
    for seed in 1..=seeds() {
        let world = trouble(seed);
        faults.add(&world.faults);
        gaps += world.peers.iter().map(|peer| peer.gaps).sum::<usize>();
        broke += world.nodes.iter().map(|node| node.broke).sum::<usize>();
        let_in += world.let_in;
        unknown += world.unknown;
    }
    let all: usize = faults.all().iter().sum();
    println!("{all} faults of the link: {faults:?}");
    println!(
        "{gaps} gaps noticed, {broke} readings begun anew, {let_in} let in, {unknown} not known"
    );
    // It really went wrong in every way, and it really went on.
    let seeds = usize::try_from(seeds()).unwrap();
    assert!(100 * seeds <= all && faults.all().iter().all(|kind| seeds / 2 < *kind), "{faults:?}");
    assert!(10 * seeds < gaps && seeds < broke, "{gaps} {broke}");
    assert!(unknown / 4 < let_in && let_in / 100 < unknown, "{let_in} {unknown}");
}

#[test]
fn a_node_cut_off_from_its_store_vouches_for_nothing() {
    let mut world = World::new(7);
    world.pass(3_000);
    world.nodes.iter_mut().for_each(|node| node.cut = true);
    world.pass(100);
    world.end(3);
    world.pass(BOUND + 1_200);
    let token = world.token(5);
    let strict = Policy::strict(std::time::Duration::from_millis(BOUND));
    for peer in &world.peers {
        assert!(
            peer.judged(token, &strict, world.at).is_err(),
            "the streams stand, and say nothing"
        );
        assert_eq!(peer.judged(token, &Policy::offline(), world.at), Ok(()));
    }
    world.heals();
}

#[test]
fn a_store_that_is_put_back_opens_an_epoch_and_nobody_forgets() {
    let mut world = World::new(8);
    world.pass(3_000);
    world.end(1);
    world.copy();
    world.end(2);
    world.pass(500);
    let before = world.peers[0].follower.position().unwrap();
    world.restore();
    world.end(3);
    world.pass(6_000);
    let after = world.peers[0].follower.position().unwrap();
    assert_eq!((before, after), ((1, 2), (2, 3)), "what the ends log had beyond the copy is told");
    world.crash_peer(0);
    world.heals();
    assert!([1, 2, 3].iter().all(|number| world.peers[0].refuses(world.token(*number), world.at)));
}

#[test]
fn a_primary_that_lost_its_last_writes_and_used_their_positions_again_is_noticed() {
    let mut world = World::new(9);
    world.pass(3_000);
    (0..5).for_each(|number| world.end(number));
    world.pass(1_000);
    world.store.lose(2);
    (10..12).for_each(|number| world.end(number));
    assert_eq!(world.store.head(), 5, "the positions are the same");
    world.pass(6_000);
    assert!(world.nodes.iter().all(|node| node.broke == 1));
    for peer in &world.peers {
        for number in [0, 1, 2, 3, 4, 10, 11] {
            assert!(peer.refuses(world.token(number), world.at), "{number}");
        }
        assert_eq!(peer.follower.resyncs(), 1);
    }
    world.heals();
}

#[test]
fn a_verifier_that_comes_late_says_yes_to_nobody_before_its_snapshot() {
    let mut world = World::new(10);
    world.pass(3_000);
    world.end_others(3_000);
    (0..40).for_each(|number| world.end(number));
    world.pass(2_000);
    world.crash_peer(1);
    let strict = Policy::strict(std::time::Duration::from_millis(BOUND));
    let mut waited = 0;
    while world.peers[1].judged(world.token(50), &strict, world.at).is_err() {
        world.pass(20);
        waited += 20;
        assert!(waited < 5_000);
    }
    assert!(0 < waited && world.peers[1].follower.position().is_some());
    assert!((0..40).all(|number| world.peers[1].refuses(world.token(number), world.at)));
}
