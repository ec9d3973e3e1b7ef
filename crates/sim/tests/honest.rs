//! Nobody honest is logged out by accident, and a thief is found: DESIGN.md §1, promise 2.

mod cases;

use cases::cases;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use std::collections::BTreeMap;
use symbolon_core::{Denial, Duration, Grant, Reason, Timestamp};
use symbolon_sim::history::{Action, World};
use symbolon_sim::model::{Shown, Token};

/// One thing that happens to honest callers, who share one place for their token.
#[derive(Clone, Debug)]
enum Event {
    /// A caller uses the shared token; whether the answer is lost.
    Use(bool),
    /// A caller retries the token whose answer it lost; whether the answer is lost again.
    Retry(usize, bool),
    /// Time passes, in milliseconds; every lost answer is retried in time.
    Wait(u64),
    /// The wall clock is set this far from the boot clock.
    Skew(i64),
    /// A copy of the store is put away.
    Copy,
    /// The store goes back to a copy.
    Restore(usize),
    /// Grace grows by so many milliseconds.
    Grace(u64),
}

const EPOCH: Timestamp = Timestamp::from_millis(0);

/// Callers that share one token and retry whatever answer they lost before that token's window ends,
/// counted from its first use by any of them, in any life of the store.
struct Callers {
    world: World,
    shared: Token,
    lost: Vec<Token>,
    /// When a number that was used must have been retried.
    deadlines: BTreeMap<u32, Timestamp>,
    /// The same for numbers that led on to the next, in whatever life of the store.
    advanced: BTreeMap<u32, Timestamp>,
}

impl Callers {
    fn new(grace: u64) -> Self {
        let mut world = World::default();
        world.play(&Action::Grace(grace));
        world.play(&Action::SignIn(0));
        world.play(&Action::Copy);
        let (deadlines, advanced) = (BTreeMap::new(), BTreeMap::new());
        Self { world, shared: (0, 0), lost: Vec::new(), deadlines, advanced }
    }

    fn play(&mut self, event: &Event) {
        match *event {
            Event::Use(lost) => self.send(self.shared, lost),
            Event::Retry(index, lost) if !self.lost.is_empty() => {
                let token = self.lost.remove(index % self.lost.len());
                self.send(token, lost);
            }
            Event::Retry(..) => {}
            Event::Wait(span) => self.pass(&Action::Wait(span), self.world.now(), span),
            Event::Skew(skew) => {
                let before = self.world.now();
                // The clock jumps by two minutes at most: retried before, whichever way it goes.
                self.pass(&Action::Skew(skew), before, 120_000);
                self.set_back(before.since(self.world.now()));
            }
            Event::Copy => self.world.play(&Action::Copy),
            Event::Restore(back) => {
                self.world.play(&Action::Restore(back));
                // The copy may be of a life in which such a number was used.
                self.deadlines.extend(self.advanced.clone());
            }
            Event::Grace(more) => {
                let grace = self.world.policy.grace.as_millis() as u64 + more;
                self.world.play(&Action::Grace(grace));
            }
        }
    }

    /// Before time passes, whoever would miss the end of a window retries and is answered.
    fn pass(&mut self, action: &Action, now: Timestamp, span: u64) {
        let then = now.after(Duration::from_millis(span));
        let misses = |deadlines: &BTreeMap<u32, Timestamp>, token: &Token| {
            deadlines.get(&token.1).is_some_and(|deadline| *deadline <= then)
        };
        while let Some(index) = self.lost.iter().position(|lost| misses(&self.deadlines, lost)) {
            let token = self.lost.remove(index);
            self.send(token, false);
        }
        self.world.play(action);
    }

    /// A clock set back gives nobody more time than one that runs.
    fn set_back(&mut self, back: Duration) {
        for at in self.deadlines.values_mut().chain(self.advanced.values_mut()) {
            *at = EPOCH.after(at.since(EPOCH.after(back)));
        }
    }

    fn send(&mut self, token: Token, lost: bool) {
        let now = self.world.now();
        let deadline = now.after(self.world.policy.grace);
        let deadline = *self.deadlines.entry(token.1).or_insert(deadline);
        if deadline <= now {
            return; // Only without grace, where a lost answer cannot be retried.
        }
        let grant: Grant = match self.world.present(0, token, Shown::Bearer) {
            Ok(Ok(grant)) => grant,
            other => panic!("an honest caller was refused at {now:?}: {other:?}"),
        };
        let waits = self.lost.iter().chain(lost.then_some(&token)).any(|lost| lost.1 == token.1);
        if grant.session.generation.0 == token.1 && !waits {
            // Answered again, since eight windows are open, and nobody waits for that answer.
            self.deadlines.remove(&token.1);
        } else if token.1 < grant.session.generation.0 {
            self.advanced.entry(token.1).or_insert(deadline);
        }
        if lost {
            self.lost.push(token);
        } else {
            let session = &grant.session;
            self.shared = (session.rotation.epoch.0, session.generation.0);
        }
    }
}

fn span() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..2_000_u64, 4 => 0..12_000_u64, 1 => 0..400_000_u64]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => any::<bool>().prop_map(Event::Use),
        8 => (0..4_usize, any::<bool>()).prop_map(|(index, lost)| Event::Retry(index, lost)),
        8 => span().prop_map(Event::Wait),
        1 => (-60_000..=60_000_i64).prop_map(Event::Skew),
        2 => Just(Event::Copy),
        2 => (0..4_usize).prop_map(Event::Restore),
        1 => (0..20_000_u64).prop_map(Event::Grace),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(10_000), ..ProptestConfig::default() })]

    #[test]
    fn no_history_in_which_every_lost_answer_is_retried_in_time_logs_anybody_out(
        grace in prop_oneof![Just(10_000_u64), Just(120_000)],
        events in proptest::collection::vec(event(), 1..80),
    ) {
        let mut callers = Callers::new(grace);
        events.iter().for_each(|event| callers.play(event));
    }
}

/// A thief copied the owner's token once; each goes on with what it is answered.
struct Theft {
    world: World,
    /// The owner's token and the thief's.
    hands: [Token; 2],
    /// When each number was first used, and by whom.
    used: BTreeMap<u32, (usize, Timestamp)>,
}

impl Theft {
    /// Uses a hand's token. Answers `false` once the theft was found.
    fn act(&mut self, who: usize) -> bool {
        let (token, now) = (self.hands[who], self.world.now());
        let first = self.used.get(&token.1).copied();
        let answer = match self.world.present(0, token, Shown::Bearer) {
            Ok(answer) => answer,
            Err(fault) => panic!("nothing was lost here: {fault}"),
        };
        let grace = self.world.policy.grace;
        let apart = first.is_some_and(|(_, first)| first.after(grace) <= now);
        assert_eq!(answer.is_err(), apart, "found as soon as they are more than grace apart");
        match answer {
            Ok(grant) => {
                self.used.entry(token.1).or_insert((who, now));
                self.hands[who] = (0, grant.session.generation.0);
                true
            }
            Err(denial) => {
                assert_eq!(denial, Denial::Ended(Reason::Replayed));
                false
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(3_000), ..ProptestConfig::default() })]

    #[test]
    fn a_thief_and_an_owner_who_use_one_generation_more_than_grace_apart_end_the_session(
        before in 0..5_usize,
        turns in proptest::collection::vec((0..2_usize, 1..40_000_u64), 2..40),
    ) {
        let mut world = World::default();
        world.play(&Action::SignIn(0));
        let mut theft = Theft { world, hands: [(0, 0); 2], used: BTreeMap::new() };
        for _ in 0..before {
            theft.world.play(&Action::Wait(300_000));
            assert!(theft.act(0));
        }
        theft.hands[1] = theft.hands[0];
        for (who, span) in turns {
            theft.world.play(&Action::Wait(span));
            if !theft.act(who) {
                let over = [0, 1].map(|hand| theft.world.present(0, theft.hands[hand], Shown::Bearer));
                assert!(over.iter().all(|answer| *answer == Ok(Err(Denial::Ended(Reason::Replayed)))));
                break;
            }
        }
    }

    #[test]
    fn a_dead_token_that_carried_a_restored_store_forward_is_found_when_the_owner_comes(
        kept in 0..20_u32,
        dead in 1..20_u32,
        owner in 1..20_u32,
        thief_goes_on in 0..12_usize,
        after in 10_001..3_600_000_u64,
    ) {
        let mut world = World::default();
        world.play(&Action::SignIn(0));
        let (dead, owner) = (kept + dead, kept + dead + owner);
        for number in 0..owner {
            if number == kept {
                world.play(&Action::Copy);
            }
            world.play(&Action::Wait(60_000));
            world.present(0, (0, number), Shown::Bearer).unwrap().unwrap();
        }
        world.play(&Action::Restore(0));
        let mut thief = (0, dead);
        for _ in 0..=thief_goes_on {
            let session = world.present(0, thief, Shown::Bearer).unwrap().unwrap().session;
            thief = (session.rotation.epoch.0, session.generation.0);
        }
        world.play(&Action::Wait(after));
        let answer = world.present(0, (0, owner), Shown::Bearer).unwrap();
        assert_eq!(answer, Err(Denial::Ended(Reason::Replayed)));
    }
}
