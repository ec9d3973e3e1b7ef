//! Everything that a story is about, what goes wrong in it, and what must hold all the while.

use crate::chance::Chance;
use crate::link::Faults;
use crate::node::{ISSUER, Keys, Node};
use crate::peer::{Around, Peer};
use crate::store::{BEGIN, Store, TTL, session};
use std::collections::BTreeSet;
use std::time::Duration;
use symbolon_verify::{Algorithm, Policy, Rejected, Type};
use symbolon_wire::feed::TargetKey;
use symbolon_wire::{SigningKey, session_id_text};

/// How far the story goes on at once, in milliseconds.
const STEP: u64 = 20;

/// How many sessions somebody holds a token of.
pub(crate) const SESSIONS: u64 = 80;

/// The bound of the routes in this story, in milliseconds.
pub(crate) const BOUND: u64 = 2000;

pub(crate) struct World {
    pub(crate) at: u64,
    pub(crate) store: Store,
    pub(crate) nodes: Vec<Node>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) keys: Keys,
    pub(crate) chance: Chance,
    pub(crate) faults: Faults,
    /// Something happens to one in so many frames; 0: to none.
    pub(crate) rate: usize,
    tokens: Vec<String>,
    copies: Vec<Store>,
    /// Whoever was ended in any history.
    pub(crate) ever_ended: BTreeSet<u64>,
    others: u64,
    old: Vec<Vec<u8>>,
    /// How often somebody was let in under a bound, and how often refused for want of knowledge.
    pub(crate) let_in: usize,
    pub(crate) unknown: usize,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let signing = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let targets = TargetKey::parse(&"A".repeat(43)).ok().unwrap();
        let keys = Keys { signing, targets };
        let tokens = (0..SESSIONS).map(|number| token(&keys, number)).collect();
        let peers = vec![Peer::new(&keys, 0), Peer::new(&keys, 0)];
        Self {
            at: 0,
            store: Store::new(),
            nodes: vec![Node::new(0), Node::new(370)],
            peers,
            keys,
            chance: Chance::of(seed),
            faults: Faults::default(),
            rate: 0,
            tokens,
            copies: Vec::new(),
            ever_ended: BTreeSet::new(),
            others: 1 << 32,
            old: Vec::new(),
            let_in: 0,
            unknown: 0,
        }
    }

    /// Goes on for so many milliseconds, checking at each step.
    pub(crate) fn pass(&mut self, milliseconds: u64) {
        let until = self.at + milliseconds;
        while self.at < until {
            self.at += STEP;
            for node in &mut self.nodes {
                node.step(&self.store, &self.keys, self.at, self.chance.span(0..60));
            }
            for peer in &mut self.peers {
                peer.step(Around {
                    nodes: &self.nodes,
                    keys: &self.keys,
                    at: self.at,
                    rate: self.rate,
                    chance: &mut self.chance,
                    faults: &mut self.faults,
                    old: &mut self.old,
                });
            }
            for peer in 0..self.peers.len() {
                let number = self.chance.below(SESSIONS as usize) as u64;
                self.check(peer, number);
                let newest = self.store.ended.iter().max_by_key(|(_, at)| **at);
                if let Some((number, _)) = newest.map(|(number, at)| (*number, *at)) {
                    self.check(peer, number);
                }
            }
        }
    }

    /// One session at one verifier, under every kind of policy.
    fn check(&mut self, peer: usize, number: u64) {
        let (at, token) = (self.at, &self.tokens[number as usize]);
        let own = &mut self.peers[peer];
        let bound = Duration::from_millis(BOUND);
        for policy in [Policy::strict(bound), Policy::bounded(bound), Policy::offline()] {
            let judged = own.judged(token, &policy, at);
            let known =
                judged == Err(Rejected::Revoked { ended: Some(symbolon_verify::Reason::Kicked) });
            if known {
                assert!(self.ever_ended.contains(&number), "{number} never ended, at {at}");
                own.refused.insert(number);
            }
            assert!(known || !own.refused.contains(&number), "{number} was forgotten, at {at}");
            let offline = policy.staleness() == symbolon_verify::Staleness::Offline;
            match judged {
                Ok(()) if !offline => {
                    self.let_in += 1;
                    // Whoever was let in had not ended before the bound.
                    let ended = self.store.ended.get(&number).copied();
                    assert!(
                        ended.is_none_or(|ended| at <= ended + BOUND),
                        "{number} ended at {ended:?} and was let in at {at}"
                    );
                    assert!(own.follower.position().is_some() || own.verifier.is_ready());
                }
                Err(Rejected::Ask | Rejected::Unverifiable(_)) if !offline => self.unknown += 1,
                Ok(()) => {}
                Err(_) if known => {}
                Err(other) => panic!("{other:?} under {policy:?} at {at}"),
            }
        }
    }

    /// The token of a session.
    pub(crate) fn token(&self, number: u64) -> &str {
        &self.tokens[number as usize]
    }

    /// Ends somebody; acknowledged at once.
    pub(crate) fn end(&mut self, number: u64) {
        self.store.end(number, self.at);
        self.ever_ended.insert(number);
    }

    /// Ends so many sessions whose tokens nobody holds.
    pub(crate) fn end_others(&mut self, count: usize) {
        for _ in 0..count {
            self.others += 1;
            self.store.end_other(self.others, self.at);
        }
    }

    pub(crate) fn copy(&mut self) {
        self.copies.push(self.store.clone());
        self.copies.truncate(4);
    }

    pub(crate) fn restore(&mut self) {
        if !self.copies.is_empty() {
            let copy = self.chance.below(self.copies.len());
            self.store.restore(&self.copies[copy].clone(), self.at);
        }
    }

    pub(crate) fn crash_node(&mut self, node: usize) {
        self.nodes[node].crash(self.at);
        let at = self.at;
        self.peers.iter_mut().for_each(|peer| peer.loses(node, at));
    }

    /// The service starts again: what it knew is gone, and what it had refused with it.
    pub(crate) fn crash_peer(&mut self, peer: usize) {
        let gaps = self.peers[peer].gaps;
        self.peers[peer] = Peer::new(&self.keys, self.at);
        self.peers[peer].gaps = gaps;
    }

    /// Nothing goes wrong any more, and every verifier knows everything soon.
    pub(crate) fn heals(&mut self) {
        self.rate = 0;
        self.nodes.iter_mut().for_each(|node| node.cut = false);
        self.peers.iter_mut().for_each(|peer| peer.cut_until = 0);
        self.pass(12_000);
        let strict = Policy::strict(Duration::from_millis(BOUND));
        for peer in &self.peers {
            for number in 0..SESSIONS {
                let judged = peer.judged(&self.tokens[number as usize], &strict, self.at);
                let (ended, ever) =
                    (self.store.ended.contains_key(&number), self.ever_ended.contains(&number));
                match judged {
                    Ok(()) => assert!(!ended, "{number} ended and is let in"),
                    Err(Rejected::Revoked { .. }) => assert!(ever, "{number} never ended"),
                    Err(other) => panic!("not healed: {other:?}"),
                }
            }
        }
    }
}

pub(crate) fn token(keys: &Keys, number: u64) -> String {
    let claims = format!(
        r#"{{"iss":"{ISSUER}","sub":"42","aud":"demo-api","client_id":"web","iat":{},"exp":{},"jti":"j{number}","scope":"orders:read","sid":"{}","ver":[0,0,0,0]}}"#,
        BEGIN - 300,
        BEGIN + TTL,
        session_id_text(session(number)),
    );
    keys.signing.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap()
}
