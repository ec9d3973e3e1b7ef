//! A service with a verifier: the real `Follower` and `Verifier`, with the simulator's link and clocks around them.

use crate::chance::Chance;
use crate::link::{Faults, Link, flip};
use crate::node::{ISSUER, Keys, Node};
use crate::store::instant;
use std::collections::BTreeSet;
use std::time::Duration;
use symbolon::feed::{Next, Place};
use symbolon_verify::feed::{Follower, Want};
use symbolon_verify::{KeySet, Now, Policy, Presented, Rejected, Verifier};

/// As the task that follows over the network does it: how long a stream may be silent, and an answer take.
const PATIENCE: u64 = 3000;

/// How long it rests when something failed.
const REST: u64 = 100;

pub(crate) struct Peer {
    pub(crate) verifier: Verifier,
    pub(crate) follower: Follower,
    stream: Option<Stream>,
    question: Option<Question>,
    time: Option<Question>,
    rests_until: u64,
    /// Until when its link swallows everything.
    pub(crate) cut_until: u64,
    /// How far its wall clock is ahead, in milliseconds.
    pub(crate) skew: i64,
    /// Where its steady clock began.
    began: u64,
    /// Whom it has refused as ended.
    pub(crate) refused: BTreeSet<u64>,
    /// How often it had to drop a connection because of what came.
    pub(crate) gaps: usize,
}

struct Stream {
    node: usize,
    place: Option<Place>,
    link: Link,
    silent_at: u64,
}

/// A request whose answer is on its way, if one is.
struct Question {
    arrives_at: u64,
    answer: Answer,
}

enum Answer {
    Never,
    Unavailable,
    Gone,
    Snapshot(Vec<u8>),
    Time(Vec<u8>),
    Stream(usize, Place),
}

/// What a step of the simulator gives to a peer.
pub(crate) struct Around<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) keys: &'a Keys,
    pub(crate) at: u64,
    /// Something happens to one in so many frames; 0: to none.
    pub(crate) rate: usize,
    pub(crate) chance: &'a mut Chance,
    pub(crate) faults: &'a mut Faults,
    /// Snapshots and answers of before, to be replayed.
    pub(crate) old: &'a mut Vec<Vec<u8>>,
}

impl Peer {
    pub(crate) fn new(keys: &Keys, began: u64) -> Self {
        let set = KeySet::from_keys(vec![keys.signing.verifying_key()]).ok().unwrap();
        let verifier = Verifier::builder(ISSUER).audience("demo-api").offline(set).unwrap();
        let follower = Follower::new(&verifier);
        Self {
            verifier,
            follower,
            stream: None,
            question: None,
            time: None,
            rests_until: 0,
            cut_until: 0,
            skew: 0,
            began,
            refused: BTreeSet::new(),
            gaps: 0,
        }
    }

    /// What its clocks say.
    pub(crate) fn reading(&self, at: u64) -> Now {
        let wall = instant(at.saturating_add_signed(self.skew));
        Now { wall, monotonic: Duration::from_millis(77_000 + at - self.began) }
    }

    pub(crate) fn judged(&self, token: &str, policy: &Policy, at: u64) -> Result<(), Rejected> {
        self.verifier.check(&Presented::bearer(token), policy, self.reading(at), |_| ())
    }

    /// Whether it knows that the session of this token has ended.
    pub(crate) fn refuses(&self, token: &str, at: u64) -> bool {
        matches!(self.judged(token, &Policy::offline(), at), Err(Rejected::Revoked { .. }))
    }

    /// Its node went away.
    pub(crate) fn loses(&mut self, node: usize, at: u64) {
        if self.stream.take_if(|stream| stream.node == node).is_some() {
            self.follower.on_end();
            self.rests_until = at + REST;
        }
    }

    pub(crate) fn step(&mut self, mut around: Around<'_>) {
        let at = around.at;
        self.hear_time(at);
        self.follow(&mut around);
        if self.stream.is_none() && self.rests_until <= at {
            self.ask(&mut around);
        }
        if self.time.is_none() && at.is_multiple_of(1000) {
            self.ask_time(&mut around);
        }
    }

    /// Reads what came of the stream.
    fn follow(&mut self, around: &mut Around<'_>) {
        let (at, cut) = (around.at, around.at < self.cut_until);
        let now = self.reading(at);
        let Some(stream) = &mut self.stream else { return };
        while let Some(place) = &mut stream.place {
            match around.nodes[stream.node].next(place) {
                Next::Frame(frame) => {
                    let fate = (around.rate, &mut *around.chance, &mut *around.faults);
                    stream.link.send(&frame, at, fate);
                }
                Next::Nothing => break,
                Next::Gone => stream.place = None,
            }
        }
        if cut {
            stream.link.lose_all();
        }
        let bytes = stream.link.take(at);
        let mut rest = &bytes[..];
        let mut left = false;
        while !rest.is_empty() && !left {
            let (piece, later) = rest.split_at(1 + around.chance.below(rest.len().min(4096)));
            match self.follower.on_bytes(piece, now) {
                Ok(heard) if heard.vouched => stream.silent_at = at + PATIENCE,
                Ok(_) => {}
                Err(_) => {
                    self.gaps += 1;
                    left = true;
                }
            }
            rest = later;
        }
        let ended = stream.place.is_none() && !cut;
        if left || ended || stream.silent_at <= at {
            self.stream = None;
            self.follower.on_end();
            self.rests_until = at + REST;
        }
    }

    /// Asks for what is wanted next, and takes the answer when it is there.
    fn ask(&mut self, around: &mut Around<'_>) {
        let at = around.at;
        if self.question.is_none() {
            let node = around.chance.below(around.nodes.len());
            let from = &around.nodes[node];
            let answer = match self.follower.wants() {
                Want::Keys => {
                    self.follower.on_keys();
                    return;
                }
                Want::Snapshot => {
                    from.snapshot(around.keys, at).map_or(Answer::Unavailable, Answer::Snapshot)
                }
                Want::Stream { after } => match from.enter(&after) {
                    Some(Some(place)) => Answer::Stream(node, place),
                    Some(None) => Answer::Gone,
                    None => Answer::Unavailable,
                },
                other => unreachable!("{other:?}"),
            };
            self.question = Some(around.under_way(answer, at < self.cut_until));
        }
        let Some(question) = self.question.take_if(|asked| asked.arrives_at <= at) else { return };
        let now = self.reading(at);
        match question.answer {
            Answer::Stream(node, place) => {
                let (place, link) = (Some(place), Link::default());
                self.stream = Some(Stream { node, place, link, silent_at: at + PATIENCE });
            }
            Answer::Gone => self.follower.on_gone(),
            Answer::Snapshot(bytes) => {
                self.gaps += usize::from(self.follower.on_snapshot(&bytes, now).is_err());
                self.time = None;
            }
            Answer::Time(_) | Answer::Never | Answer::Unavailable => {
                self.rests_until = at + REST;
            }
        }
    }

    /// Asks what time it is at the authority, if that is due.
    fn ask_time(&mut self, around: &mut Around<'_>) {
        let at = around.at;
        let entropy = std::array::from_fn(|_| around.chance.below(256) as u8);
        let Some(question) = self.follower.ask_time(entropy, self.reading(at)) else { return };
        let node = around.chance.below(around.nodes.len());
        let answer = around.nodes[node].poll(&question.path(), around.keys, at);
        let answer = answer.map_or(Answer::Unavailable, Answer::Time);
        self.time = Some(around.under_way(answer, at < self.cut_until));
    }

    fn hear_time(&mut self, at: u64) {
        let Some(asked) = self.time.take_if(|asked| asked.arrives_at <= at) else { return };
        if let Answer::Time(bytes) = asked.answer {
            self.gaps += usize::from(self.follower.on_time(&bytes, self.reading(at)).is_err());
        }
    }
}

impl Around<'_> {
    /// Sends an answer on its way, or what becomes of it.
    fn under_way(&mut self, mut answer: Answer, cut: bool) -> Question {
        let arrives_at = self.at + self.chance.span(2..40);
        let never = Question { arrives_at: self.at + PATIENCE, answer: Answer::Never };
        if cut {
            return never;
        }
        if let Answer::Snapshot(bytes) | Answer::Time(bytes) = &mut answer {
            if self.old.len() < 8 {
                self.old.push(bytes.clone());
            }
            if self.rate > 0 && self.chance.once_in(self.rate.div_ceil(3)) {
                match self.chance.below(4) {
                    0 => {
                        self.faults.dropped += 1;
                        return never;
                    }
                    1 => {
                        self.faults.cut += 1;
                        bytes.truncate(self.chance.below(bytes.len()));
                    }
                    2 => flip(bytes, self.chance, self.faults),
                    _ => {
                        self.faults.replayed += 1;
                        let other = self.chance.below(self.old.len());
                        std::mem::swap(bytes, &mut self.old[other]);
                    }
                }
            }
        }
        Question { arrives_at, answer }
    }
}
