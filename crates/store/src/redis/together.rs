//! What comes together is asked for together: callers wait while others are under way, and one call serves them.

use super::links::{CALL_MAX, Links};
use crate::latency;
use core::marker::PhantomData;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use symbolon_core::Fault;
use tokio::sync::oneshot;

/// How many are served by one call, while which the server does nothing else. Inclusive.
const TOGETHER_MAX: usize = 256;

/// How many calls of a queue are under way at once. Inclusive.
const CALLS_MAX: usize = 2;

/// How many may wait in a queue. Inclusive; beyond it callers are told [`Fault::Busy`].
const WAITING_MAX: usize = 8192;

/// What many callers may ask for by one call.
pub(super) trait Together: Send + Sync + Sized + 'static {
    /// What each of them is told.
    type Answer: Send + 'static;

    /// Where they wait: one queue, or one for each lane.
    fn queues(links: &Links) -> &Queues<Self>;

    /// Asks for all of them, which wait in one queue: as many answers, in the same order.
    fn ask(
        links: &Links,
        asked: Vec<Self>,
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Fault>> + Send;
}

/// One queue, or one for each lane: in a cluster no call reaches more than one.
pub(super) struct Queues<Q: Together>(Vec<Mutex<Queue<Q>>>);

struct Queue<Q: Together> {
    waiting: VecDeque<Waiting<Q>>,
    /// How many calls are under way.
    calls: usize,
}

struct Waiting<Q: Together> {
    asked: Q,
    since: Instant,
    reply: oneshot::Sender<Result<Q::Answer, Fault>>,
}

impl<Q: Together> Queues<Q> {
    pub(super) fn new(count: u8) -> Self {
        let queue = |_| Mutex::new(Queue { waiting: VecDeque::new(), calls: 0 });
        Self((0..count.max(1)).map(queue).collect())
    }

    fn of(&self, number: usize) -> MutexGuard<'_, Queue<Q>> {
        self.0[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Links {
    /// Asks for what is of this lane, with all who do; answered within twice [`CALL_MAX`].
    pub(super) async fn together<Q: Together>(
        self: &Arc<Self>,
        lane: u8,
        asked: Q,
    ) -> Result<Q::Answer, Fault> {
        let queues = Q::queues(self);
        let number = usize::from(lane) % queues.0.len();
        let (reply, answer) = oneshot::channel();
        let begins = {
            let mut queue = queues.of(number);
            if WAITING_MAX <= queue.waiting.len() {
                return Err(Fault::Busy);
            }
            queue.waiting.push_back(Waiting { asked, since: latency::now(), reply });
            let begins = queue.calls < CALLS_MAX;
            queue.calls += usize::from(begins);
            begins
        };
        if begins {
            let (links, over) = (Arc::clone(self), false);
            tokio::spawn(Calls::<Q> { links, number, over, of: PhantomData }.make());
        }
        answer.await.unwrap_or_else(|_| Err(Fault::Store("the store is closing".into())))
    }
}

/// Makes one call after the other until nobody waits.
struct Calls<Q: Together> {
    links: Arc<Links>,
    number: usize,
    /// Whether they are not counted any more.
    over: bool,
    of: PhantomData<Q>,
}

impl<Q: Together> Calls<Q> {
    async fn make(mut self) {
        while let Some(waiting) = self.take() {
            let waiting = waiting.into_iter().map(|one| (one.asked, one.reply));
            let (asked, replies): (Vec<_>, Vec<_>) = waiting.unzip();
            if asked.is_empty() {
                continue;
            }
            match Q::ask(&self.links, asked).await {
                Ok(answers) => {
                    for (reply, answer) in replies.into_iter().zip(answers) {
                        let _gone = reply.send(Ok(answer));
                    }
                }
                Err(fault) => {
                    for reply in replies {
                        let _gone = reply.send(Err(fault.clone()));
                    }
                }
            }
        }
    }

    /// Those who still wait, as many as one call serves; `None`: nobody does.
    fn take(&mut self) -> Option<Vec<Waiting<Q>>> {
        let taken: Vec<Waiting<Q>> = {
            let mut queue = Q::queues(&self.links).of(self.number);
            if queue.waiting.is_empty() {
                queue.calls -= 1;
                self.over = true;
                return None;
            }
            let count = queue.waiting.len().min(TOGETHER_MAX);
            queue.waiting.drain(..count).collect()
        };
        let now = latency::now();
        let mut waiting = Vec::with_capacity(taken.len());
        for one in taken {
            if now < one.since + CALL_MAX {
                waiting.push(one);
            } else {
                let _gone = one.reply.send(Err(self.links.fault("no answer in time")));
            }
        }
        Some(waiting)
    }
}

impl<Q: Together> Drop for Calls<Q> {
    /// What ends half way, in a panic or with its runtime, leaves nobody waiting for it.
    fn drop(&mut self) {
        if !self.over {
            let mut queue = Q::queues(&self.links).of(self.number);
            queue.calls -= 1;
            if queue.calls == 0 {
                queue.waiting.clear();
            }
        }
    }
}
