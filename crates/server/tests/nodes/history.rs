//! What was answered, and whether it holds: the checker of a run.

use crate::house::{House, WINDOW};
use crate::load::is_unknown;
use crate::node::{Node, ask};
use crate::{Ask, SOON, pass, until};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use symbolon_verify::{Now, Policy, Presented, Rejected, Verifier};
use tokio::time::{Instant, timeout};

/// How often a replay is tried where the machine is too busy for the window of a used token.
const TRIES: usize = 10;

/// What an engine that goes down still has of what it acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keeps {
    /// All of it.
    All,
    /// Not its last writes, as a primary that was replaced: what was lost is counted.
    WhatTheEngineKept,
}

/// One session as its client saw it.
#[derive(Clone)]
pub(crate) struct Family {
    pub(crate) sid: String,
    pub(crate) subject: String,
    pub(crate) newest: String,
    pub(crate) access: String,
    /// Its end was asked for, and perhaps not answered.
    pub(crate) ending: bool,
}

/// What all clients saw.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) live: Vec<Family>,
    /// Their end was acknowledged.
    pub(crate) ended: Vec<Family>,
    /// As they were before a bump that was acknowledged.
    pub(crate) stale: Vec<Family>,
    /// What earned which successor.
    pub(crate) successors: BTreeMap<String, String>,
    pub(crate) wrong: Vec<String>,
    pub(crate) counts: Counts,
}

/// How often.
#[derive(Default, Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) rotated: usize,
    pub(crate) ended: usize,
    pub(crate) bumped: usize,
    pub(crate) signed_in: usize,
    /// Answers that it cannot be done now.
    pub(crate) unavailable: usize,
    /// Requests without an answer.
    pub(crate) unanswered: usize,
    /// Requests that nobody took: the next node was asked.
    pub(crate) refused: usize,
    /// Sessions that the store did not have any more.
    pub(crate) lost: usize,
}

impl History {
    /// Another history beside this one.
    pub(crate) fn with(&mut self, other: Self) {
        self.live.extend(other.live);
        self.ended.extend(other.ended);
        self.stale.extend(other.stale);
        self.successors.extend(other.successors);
        self.wrong.extend(other.wrong);
        let (own, more) = (&mut self.counts, other.counts);
        own.rotated += more.rotated;
        own.ended += more.ended;
        own.bumped += more.bumped;
        own.signed_in += more.signed_in;
        own.unavailable += more.unavailable;
        own.unanswered += more.unanswered;
        own.refused += more.refused;
        own.lost += more.lost;
    }

    /// A presented token earned this one; one token earns one successor, whoever asks.
    pub(crate) fn rotated(&mut self, presented: &str, successor: &str) {
        self.counts.rotated += 1;
        let before = self.successors.insert(presented.to_owned(), successor.to_owned());
        if before.is_some_and(|before| before != successor) {
            self.wrong.push("one refresh token earned two successors".to_owned());
        }
    }

    /// Checks that everything that was answered holds, at every node and at every verifier.
    pub(crate) async fn check(&self, house: &House, what: &str, keeps: Keeps) {
        assert_eq!(self.wrong, [] as [String; 0], "{what}");
        assert!(0 < self.counts.rotated && 0 < self.counts.ended && 0 < self.counts.bumped);
        let node = |number: usize| house.nodes[number % house.nodes.len()].address;
        let (mut sessions, mut ends) = (0, 0);
        for (number, family) in self.live.iter().enumerate() {
            let answer = ask(node(number), Ask::refresh("app", &family.newest)).await.unwrap();
            let is_lost = is_unknown(&answer);
            let may_be_over = family.ending && answer.status == 400;
            let is_kept = answer.status == 200 || may_be_over;
            sessions += usize::from(!is_kept && is_lost);
            assert!(is_kept || is_lost, "{what}: logged out: {answer:?}");
        }
        for (number, family) in self.ended.iter().enumerate() {
            let answer = ask(node(number), Ask::refresh("app", &family.newest)).await.unwrap();
            match answer.status.as_u16() {
                200 => ends += 1,
                _ => drop(answer.expect(400)),
            }
        }
        println!("{what}: {:?}, lost: {sessions} sessions, {ends} ends", self.counts);
        let lost = self.counts.lost + sessions + ends;
        let counted = house.lost_events(0).await;
        match keeps {
            Keeps::All => assert_eq!((lost, counted), (0, 0), "{what}"),
            Keeps::WhatTheEngineKept => {
                assert!(ends as u64 <= counted, "{what}: {counted} are counted");
            }
        }
        let past = self.past(house, keeps).await;
        tokio::join!(check_verifiers(&past, house, what), check_replay(house));
    }

    /// The sessions with tokens that are to be refused: all that were ended or changed, as far as the engine kept that.
    async fn past(&self, house: &House, keeps: Keeps) -> Vec<&Family> {
        let mut past: Vec<_> = self.ended.iter().chain(&self.stale).collect();
        if keeps == Keeps::WhatTheEngineKept {
            let mut kept = Vec::new();
            for family in past {
                let path = format!("/v1/sessions/{}", family.sid);
                let is_known = house.ask(0, Ask::get(&path)).await.status == 200;
                let form = Ask::form("/oauth2/introspect", &[("token", &family.access)]);
                let is_active = house.ask(0, form).await.expect(200).json()["active"] == true;
                if is_known && !is_active {
                    kept.push(family);
                }
            }
            past = kept;
        }
        past
    }
}

/// No verifier lets one of them in.
async fn check_verifiers(past: &[&Family], house: &House, what: &str) {
    let left = || {
        let is_refused = |verifier: &Verifier, token: &str| {
            let says = verifier.verify(&Presented::bearer(token), &Policy::offline(), Now::read());
            matches!(says.err(), Some(Rejected::Stale | Rejected::Revoked { .. }))
        };
        let lets_in = |token: &str| house.verifiers.iter().any(|own| !is_refused(own, token));
        past.iter().filter(|family| lets_in(&family.access)).count()
    };
    let all = async { until("all is refused", || async { (left() == 0).then_some(()) }).await };
    if timeout(SOON, all).await.is_err() {
        let logs: String = house.nodes.iter().map(Node::log).collect();
        let position = house.ask(0, Ask::get("/v1/verifiers")).await.json();
        panic!("{what}: verifiers let in {}; {position}\n{logs}", left());
    }
}

/// One family has one live successor, at whichever node a used token is shown.
async fn check_replay(house: &House) {
    let renew = async |node: usize, token: &str| {
        ask(house.nodes[node].address, Ask::refresh("strict", token)).await.unwrap()
    };
    for _ in 0..TRIES {
        let body = json!({"subject": "twice", "client_id": "strict", "device": {"class": "web"}});
        let begun = house.ask(0, Ask::json("/v1/sessions", &body)).await.expect(201);
        let first = begun.text("refresh_token");
        let renewed = Instant::now();
        let second = renew(1, &first).await.expect(200).text("refresh_token");
        let again = renew(2, &first).await;
        if again.status != 200 && WINDOW <= renewed.elapsed() {
            // The machine was busy for longer than a used token lasts: it says nothing of the nodes.
            continue;
        }
        assert_eq!(again.expect(200).text("refresh_token"), second);
        let third = renew(2, &second).await.expect(200).text("refresh_token");
        // The window, and the clocks of nodes that are two seconds apart.
        pass(WINDOW + Duration::from_secs(3)).await;
        renew(0, &first).await.expect_over("replayed");
        renew(1, &third).await.expect_over("replayed");
        return;
    }
    panic!("nothing was answered within {WINDOW:?}, {TRIES} times in a row");
}
