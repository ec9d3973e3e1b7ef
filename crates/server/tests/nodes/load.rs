//! Clients that renew, end sessions and change permissions, at whichever node answers, for as long as they are let.

use crate::history::{Family, History};
use crate::house::House;
use crate::node::ask;
use crate::{Answer, Ask, pass};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// How many clients there are.
pub(crate) const CLIENTS: usize = 32;

/// How long a client waits between two requests: so long that two runs at once leave room on a machine of two cores, and
/// what is late is late for the fault's sake.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<History>,
}

impl Load {
    pub(crate) fn on(house: &House) -> Self {
        let (stop, mut clients) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for number in 0..CLIENTS {
            let client = Client {
                nodes: house.addresses(),
                key: house.api_key.clone(),
                number,
                chance: 0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1),
                stop: Arc::clone(&stop),
                history: History::default(),
            };
            clients.spawn(client.run());
        }
        Self { stop, clients }
    }

    /// Lets every client finish what it does, and answers what they saw.
    pub(crate) async fn stopped(self) -> History {
        self.stop.store(true, Ordering::Release);
        let mut all = History::default();
        self.clients.join_all().await.into_iter().for_each(|own| all.with(own));
        all
    }
}

/// Whether the store has no such session: why it ended would be said.
pub(crate) fn is_unknown(answer: &Answer) -> bool {
    let said = answer.json();
    answer.status == 400 && said["error"] == "invalid_grant" && said["reason"].is_null()
}

struct Client {
    nodes: Vec<SocketAddr>,
    key: String,
    number: usize,
    chance: u64,
    stop: Arc<AtomicBool>,
    history: History,
}

impl Client {
    async fn run(mut self) -> History {
        let mut family = self.sign_in().await;
        while !self.stop.load(Ordering::Acquire) {
            match self.draw(40) {
                0 | 1 => {
                    self.end(&mut family).await;
                    family = self.sign_in().await;
                }
                2 => self.bump(&mut family).await,
                _ => self.renew(&mut family).await,
            }
            pass(PAUSE).await;
        }
        self.history.live.push(family);
        self.history
    }

    async fn sign_in(&mut self) -> Family {
        let drawn = self.draw(4);
        let subject = format!("s{}-{drawn}", self.number);
        let body = json!({"subject": subject, "client_id": "app", "device": {"class": "app"}});
        let answer = self.persist(Ask::json("/v1/sessions", &body).key(&self.key.clone())).await;
        let answer = answer.expect(201);
        self.history.counts.signed_in += 1;
        Family {
            sid: answer.text("session_id"),
            subject,
            newest: answer.text("refresh_token"),
            access: answer.text("access_token"),
            ending: false,
        }
    }

    async fn renew(&mut self, family: &mut Family) {
        let answer = self.persist(Ask::refresh("app", &family.newest)).await;
        if answer.status != 200 {
            if is_unknown(&answer) {
                self.history.counts.lost += 1;
            } else {
                let (number, sid) = (self.number, &family.sid);
                let what = format!("client {number} was logged out of {sid}: {answer:?}");
                self.history.wrong.push(what);
            }
            *family = self.sign_in().await;
            return;
        }
        let successor = answer.text("refresh_token");
        self.history.rotated(&family.newest, &successor);
        (family.newest, family.access) = (successor, answer.text("access_token"));
    }

    async fn end(&mut self, family: &mut Family) {
        family.ending = true;
        let path = format!("/v1/sessions/{}", family.sid);
        let answer = self.persist(Ask::delete(&path).key(&self.key.clone())).await;
        if answer.status == 404 {
            self.history.counts.lost += 1;
            return;
        }
        drop(answer.expect(200));
        self.history.counts.ended += 1;
        self.history.ended.push(family.clone());
    }

    async fn bump(&mut self, family: &mut Family) {
        let body = json!({
            "target": {"sub": family.subject}, "effect": "stale", "reason": "permissions_changed",
        });
        let before = family.clone();
        let ask = Ask::json("/v1/revocations", &body).key(&self.key.clone());
        self.persist(ask).await.expect(200);
        self.history.counts.bumped += 1;
        self.history.stale.push(before);
        self.renew(family).await;
    }

    /// Asks one node after the other until one has answered whether it was done.
    async fn persist(&mut self, question: Ask) -> Answer {
        let mut node = self.draw(self.nodes.len() as u64);
        loop {
            let address = self.nodes[node % self.nodes.len()];
            match ask(address, question.clone()).await {
                Ok(answer) if answer.status == 503 => {
                    self.history.counts.unavailable += 1;
                    if answer.header("retry-after").is_empty() {
                        self.history.wrong.push(format!("without `Retry-After`: {answer:?}"));
                    }
                }
                Ok(answer) => return answer,
                Err(why) if why.kind() == std::io::ErrorKind::ConnectionRefused => {
                    self.history.counts.refused += 1;
                }
                Err(_) => self.history.counts.unanswered += 1,
            }
            node += 1;
            pass(PAUSE).await;
        }
    }

    fn draw(&mut self, below: u64) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance % below) as usize
    }
}
