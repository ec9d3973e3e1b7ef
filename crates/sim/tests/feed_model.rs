//! Sessions that start, rotate and end, the feed, and two verifiers: every order in which that can happen, with loss,
//! doubling and reordering on both links, and with nodes, verifiers and stores that fail.
//!
//! This is the protocol of docs/DESIGN.md §4.4 in small, searched whole; `feed/` plays the shipped code. A block has
//! two revocations here, so that its end is met; a digest is the very list of what it covers, so that none collides.

#![expect(clippy::unwrap_used, reason = "a test that fails may stop")]

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

/// How many revocations a digest covers.
const BLOCK: usize = 2;

/// How many frames are on their way to each verifier at most. Inclusive: two overtake each other, and one is lost or not.
const UNDER_WAY_MAX: [usize; 2] = [2, 1];

/// How many sessions there are. Those that never ended are alike, so the first of them stands for all.
const SESSIONS: u8 = 3;

/// A set of sessions.
type Sessions = u8;

/// One commit: which session it ends, and a number that no other commit has.
type Event = (u8, u8);

/// A place: epoch, position, digest.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Cursor(u8, usize, Vec<Event>);

impl Cursor {
    fn of(epoch: u8, log: &[Event]) -> Self {
        let begin = log.len().saturating_sub(1) / BLOCK * BLOCK;
        Self(epoch, log.len(), log[begin..].to_vec())
    }

    fn after(&self, event: Event) -> Self {
        let mut chain = if self.is_boundary() { Vec::new() } else { self.2.clone() };
        chain.push(event);
        Self(self.0, self.1 + 1, chain)
    }

    fn is_boundary(&self) -> bool {
        self.1.is_multiple_of(BLOCK)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Frame {
    Revocation(Cursor, Event),
    /// Who had ended when the log was read up to there; nothing if its reader does not know.
    Checkpoint(Cursor, Option<Sessions>),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Store {
    epoch: u8,
    log: Vec<Event>,
    ended: Sessions,
    /// The newest generation of session 0.
    generation: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Node {
    epoch: u8,
    log: Vec<Event>,
    /// Who had ended at its last reading.
    read: Sessions,
    /// The same for the end of each block; nothing for those read at the start.
    blocks: Vec<Option<Sessions>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
struct Reader {
    position: usize,
    past_boundary: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Verifier {
    known: Sessions,
    /// Up to where it is vouched for, and where it stands.
    place: Option<(Cursor, Cursor)>,
    /// Who had ended when what it knows was read: it promises to refuse them.
    fresh: Option<Sessions>,
    /// Its connection: where the node stands, and what is under way.
    stream: Option<Reader>,
    under_way: Vec<Frame>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct State {
    store: Store,
    /// Whose end was ever committed, lost or not.
    ever_ended: Sessions,
    node: Option<Node>,
    verifiers: [Verifier; 2],
    commits: u8,
    /// How many more times something may fail that is not a link.
    failures: u8,
}

impl State {
    fn begin(failures: u8) -> Self {
        Self { failures, ..Self::default() }
    }

    /// Every state that can follow.
    fn next(&self, commits_max: u8) -> Vec<Self> {
        let mut all = Vec::new();
        self.store_acts(commits_max, &mut all);
        self.node_acts(&mut all);
        for which in 0..self.verifiers.len() {
            self.link_acts(which, &mut all);
            self.verifier_acts(which, &mut all);
        }
        all
    }

    fn with(&self, all: &mut Vec<Self>, act: impl FnOnce(&mut Self)) {
        let mut next = self.clone();
        act(&mut next);
        all.push(next);
    }

    fn fails(&self, all: &mut Vec<Self>, act: impl FnOnce(&mut Self)) {
        if let Some(failures) = self.failures.checked_sub(1) {
            self.with(all, |next| {
                next.failures = failures;
                act(next);
            });
        }
    }

    fn store_acts(&self, commits_max: u8, all: &mut Vec<Self>) {
        let never = (0..SESSIONS).find(|session| self.ever_ended & 1 << session == 0);
        for session in 0..SESSIONS {
            let bit = 1 << session;
            let lost = self.ever_ended & bit != 0 && self.store.ended & bit == 0;
            if self.commits < commits_max && (lost || never == Some(session)) {
                self.with(all, |next| {
                    next.store.log.push((session, next.commits));
                    next.store.ended |= bit;
                    next.ever_ended |= bit;
                    next.commits += 1;
                });
            }
        }
        if self.store.ended & 1 == 0 && self.store.generation == 0 {
            self.with(all, |next| next.store.generation = 1);
        }
        for kept in 0..=self.store.log.len() {
            // Back to a copy. What the ends log has beyond it is appended before anybody is served.
            self.fails(all, |next| {
                let store = &mut next.store;
                store.epoch += 1;
                let beyond = store.log.split_off(kept);
                let again = beyond.into_iter().rev().map(|(session, _)| (session, 100));
                store.log.extend(again);
            });
        }
        for lost in 1..=self.store.log.len() {
            // Silently, so that the positions are used again in the same epoch.
            self.fails(all, |next| {
                let log = &mut next.store.log;
                log.truncate(log.len() - lost);
                next.store.ended = log.iter().fold(0, |ended, (session, _)| ended | 1 << session);
            });
        }
    }

    fn node_acts(&self, all: &mut Vec<Self>) {
        match &self.node {
            None => self.with(all, |next| {
                let Store { epoch, log, ended, .. } = next.store.clone();
                let blocks = vec![None; log.len() / BLOCK];
                next.node = Some(Node { epoch, log, read: ended, blocks });
            }),
            Some(_) => {
                self.with(all, Self::read);
                self.fails(all, Self::node_stops);
            }
        }
    }

    fn node_stops(&mut self) {
        self.node = None;
        self.verifiers.iter_mut().for_each(Verifier::leave);
    }

    /// The node reads the store; what no longer holds stops it.
    fn read(&mut self) {
        let Some(node) = &mut self.node else { return };
        let (len, store) = (node.log.len(), &self.store);
        let holds = len == 0 || store.log.get(len - 1) == node.log.last();
        if store.epoch != node.epoch || !holds {
            return self.node_stops();
        }
        let before = node.read;
        for (at, event) in store.log.iter().enumerate().skip(len) {
            node.log.push(*event);
            if node.log.len().is_multiple_of(BLOCK) {
                let is_head = at + 1 == store.log.len();
                node.blocks.push(Some(if is_head { store.ended } else { before }));
            }
        }
        node.read = store.ended;
    }

    fn link_acts(&self, which: usize, all: &mut Vec<Self>) {
        let own = &self.verifiers[which];
        if own.under_way.len() < UNDER_WAY_MAX[which] {
            for frame in self.sendable(which) {
                self.with(all, |next| next.send(which, frame));
            }
        }
        for at in 0..own.under_way.len() {
            // Any of them: they overtake each other.
            self.with(all, |next| {
                let frame = next.verifiers[which].under_way.remove(at);
                next.verifiers[which].hear(frame);
            });
            self.with(all, |next| drop(next.verifiers[which].under_way.remove(at)));
            if own.under_way.len() < UNDER_WAY_MAX[which] {
                self.with(all, |next| {
                    let twice = next.verifiers[which].under_way[at].clone();
                    next.verifiers[which].under_way.push(twice);
                });
            }
        }
    }

    /// What the node would send next: what the order demands, or a checkpoint where the reader stands at the head.
    fn sendable(&self, which: usize) -> Vec<Frame> {
        let (Some(node), Some(reader)) = (&self.node, &self.verifiers[which].stream) else {
            return Vec::new();
        };
        let here = Cursor::of(node.epoch, &node.log[..reader.position]);
        if here.is_boundary() && reader.position > 0 && !reader.past_boundary {
            return vec![Frame::Checkpoint(here, node.blocks[reader.position / BLOCK - 1])];
        }
        match node.log.get(reader.position) {
            Some(event) => vec![Frame::Revocation(here.after(*event), *event)],
            None => vec![Frame::Checkpoint(here, Some(node.read))],
        }
    }

    fn send(&mut self, which: usize, frame: Frame) {
        let own = &mut self.verifiers[which];
        let Some(reader) = &mut own.stream else { return };
        match &frame {
            Frame::Revocation(..) => {
                *reader = Reader { position: reader.position + 1, past_boundary: false };
            }
            Frame::Checkpoint(..) => reader.past_boundary = true,
        }
        own.under_way.push(frame);
    }

    fn verifier_acts(&self, which: usize, all: &mut Vec<Self>) {
        self.fails(all, |next| next.verifiers[which] = Verifier::default());
        let own = &self.verifiers[which];
        if own.stream.is_some() {
            // The connection breaks.
            return self.with(all, |next| next.verifiers[which].leave());
        }
        let Some(node) = &self.node else { return };
        match &own.place {
            None => self.with(all, |next| {
                let own = &mut next.verifiers[which];
                own.known |= node.log.iter().fold(0, |known, (session, _)| known | 1 << session);
                let head = Cursor::of(node.epoch, &node.log);
                (own.place, own.fresh) = (Some((head.clone(), head)), Some(node.read));
            }),
            Some((vouched, _)) => self.with(all, |next| {
                let own = &mut next.verifiers[which];
                let known = vouched.1 <= node.log.len()
                    && *vouched == Cursor::of(node.epoch, &node.log[..vouched.1]);
                match known {
                    true => own.stream = Some(Reader { position: vouched.1, past_boundary: false }),
                    // 410: a snapshot must come.
                    false => own.place = None,
                }
            }),
        }
    }

    /// What must hold in every state.
    fn is_sound(&self) -> bool {
        let keeps = |own: &Verifier| own.fresh.is_none_or(|ended| ended & !own.known == 0);
        self.verifiers.iter().all(keeps)
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl Verifier {
    fn leave(&mut self) {
        self.stream = None;
        self.under_way.clear();
        if let Some((vouched, tip)) = &mut self.place {
            *tip = vouched.clone();
        }
    }

    /// A frame arrives; what does not follow is a gap.
    fn hear(&mut self, frame: Frame) {
        let Some((vouched, tip)) = &mut self.place else { return };
        let follows = match &frame {
            Frame::Revocation(told, event) => {
                let whole = !tip.is_boundary() || vouched == tip;
                whole && tip.0 == told.0 && tip.after(*event) == *told
            }
            Frame::Checkpoint(told, _) => told == tip,
        };
        match frame {
            _ if !follows => {
                self.leave();
                self.place = None;
            }
            Frame::Revocation(told, (session, _)) => {
                *tip = told;
                self.known |= 1 << session;
            }
            Frame::Checkpoint(told, read) => {
                *vouched = told;
                self.fresh = read.or(self.fresh);
            }
        }
    }
}

/// Searches every state; answers how many there are, and in how many a verifier was whole after a failure.
fn search(commits_max: u8, failures: u8) -> (usize, usize) {
    let first = State::begin(failures);
    let mut seen = HashSet::from([first.fingerprint()]);
    let (mut open, mut whole) = (VecDeque::from([first]), 0);
    while let Some(state) = open.pop_front() {
        assert!(
            state.is_sound(),
            "a verifier promised to refuse whom it does not know: {state:#?}"
        );
        let all = state.store.ended != 0 && state.failures < failures;
        let knows = |own: &Verifier| own.fresh == Some(state.store.ended);
        whole += usize::from(all && state.verifiers.iter().any(knows));
        for next in state.next(commits_max) {
            if seen.insert(next.fingerprint()) {
                open.push_back(next);
            }
        }
    }
    (seen.len(), whole)
}

#[expect(clippy::disallowed_methods, reason = "scripts/long asks for more of them")]
fn bounds() -> (u8, u8) {
    let text = std::env::var("MODEL_BOUNDS").unwrap_or_else(|_| "2,1".into());
    let (commits, failures) = text.split_once(',').unwrap();
    (commits.parse().unwrap(), failures.parse().unwrap())
}

#[test]
fn whoever_was_vouched_for_as_ended_is_refused_in_every_state_that_there_is() {
    let (commits, failures) = bounds();
    let (states, whole) = search(commits, failures);
    println!(
        "{states} states with {commits} commits and {failures} failures; {whole} whole after one"
    );
    assert!(10_000 < states && 0 < whole, "{states} {whole}");
}
