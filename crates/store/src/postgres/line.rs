//! A connection that is made when it is needed, and again when it broke; and work that waits together and is done
//! together.

use super::ask::Ask;
use super::place::{Connection, Place};
use super::trouble::Trouble;
use crate::latency;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};
use symbolon_core::Fault;
use tokio::sync::{Mutex, mpsc, oneshot};

/// How long a commit or a reading may take, tries and connections included. Whoever still waits then is told
/// [`Fault::Store`].
pub(super) const ANSWER_BOUND: Duration = Duration::from_secs(2);

/// How much work may wait. Inclusive; beyond it callers are told [`Fault::Busy`].
pub(super) const WAITING_MAX: usize = 8192;

/// The shortest and the longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// How long a connection that could not be made is not tried again; jittered, so that nodes do not come together.
const CLOSED_FOR: Duration = Duration::from_millis(100);

/// A connection, or why there is none.
pub(super) struct Line {
    place: Arc<Place>,
    /// What is asked often there.
    often: &'static [Ask],
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    connection: Option<Arc<Connection>>,
    /// Not to be tried before, and why.
    closed: Option<(Instant, Trouble)>,
}

impl Line {
    pub(super) fn new(place: &Arc<Place>, often: &'static [Ask]) -> Self {
        Self { place: Arc::clone(place), often, held: Mutex::default() }
    }

    /// The connection, made if there is none.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, Trouble> {
        let mut held = self.held.lock().await;
        if let Some(connection) = held.connection.take_if(|connection| connection.is_closed()) {
            drop(connection);
        }
        if let Some(connection) = &held.connection {
            return Ok(Arc::clone(connection));
        }
        if let Some((until, trouble)) = &held.closed
            && latency::now() < *until
        {
            return Err(trouble.clone());
        }
        match self.place.ready(self.often, None).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *held = Held { connection: Some(Arc::clone(&connection)), closed: None };
                Ok(connection)
            }
            Err(trouble) => {
                let until = latency::now() + jittered(CLOSED_FOR);
                held.closed = Some((until, trouble.clone()));
                Err(trouble)
            }
        }
    }

    /// Lets a connection go that was of no use.
    pub(super) async fn leave(&self, connection: &Arc<Connection>) {
        let mut held = self.held.lock().await;
        held.connection.take_if(|now| Arc::ptr_eq(now, connection));
    }

    /// Tries until it is done, cannot be, or the time is up.
    pub(super) async fn until_done<W: Work>(&self, work: &W) -> Result<W::Answer, Fault> {
        let mut last = Fault::Store("PostgreSQL did not answer in time".into());
        let mut current = None;
        let trying = async {
            for turn in 0_u32.. {
                let connection = match self.connection().await {
                    Ok(connection) => connection,
                    Err(trouble) => {
                        last = trouble.fault();
                        pause(turn).await;
                        continue;
                    }
                };
                // Whatever it still does when the time is up, nobody else uses it after that.
                let mut guard = Guard(W::ALONE.then(|| Arc::clone(&connection)));
                current = Some(Arc::clone(&connection));
                let tried = work.run(&connection).await;
                guard.0 = None;
                match tried {
                    Ok(answer) => return Ok(answer),
                    Err(Trouble::Over(fault)) => {
                        self.leave(&connection).await;
                        return Err(fault);
                    }
                    Err(Trouble::Again(fault)) => last = fault,
                    Err(Trouble::Reconnect(fault)) => {
                        self.leave(&connection).await;
                        last = fault;
                    }
                }
                pause(turn).await;
            }
            Err(Fault::Contention)
        };
        match tokio::time::timeout(ANSWER_BOUND, trying).await {
            Ok(answer) => answer,
            Err(_) => {
                if let Some(connection) = current {
                    self.leave(&connection).await;
                }
                Err(last)
            }
        }
    }
}

/// Ends a connection whose work was given up half way: a transaction may be open on it.
struct Guard(Option<Arc<Connection>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.close();
        }
    }
}

/// Something to be done on a connection, as often as it takes.
pub(super) trait Work: Sync {
    /// What it comes to.
    type Answer: Send;

    /// Whether it has the connection for itself, and so may leave a transaction open on it.
    const ALONE: bool = true;

    /// One try.
    fn run(
        &self,
        connection: &Connection,
    ) -> impl Future<Output = Result<Self::Answer, Trouble>> + Send;
}

/// Longer with each turn, and never the same for two.
pub(super) async fn pause(turn: u32) {
    let (shortest, longest) = PAUSES;
    let pause = jittered(shortest.saturating_mul(1 << turn.min(7)).min(longest));
    let _over = tokio::time::timeout(pause, core::future::pending::<()>()).await;
}

/// Between half of it and all of it.
pub(super) fn jittered(span: Duration) -> Duration {
    let half = span / 2;
    let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_nanos(RandomState::new().build_hasher().finish() % nanos)
}

/// What is asked, and where the answer goes.
pub(super) type Asked<Q, A> = (Q, oneshot::Sender<Result<A, Fault>>);

/// The way to those who do together what waits together.
pub(super) struct Queue<Q, A>(mpsc::Sender<Asked<Q, A>>);

/// Where a queue's workers take from.
pub(super) type Taken<Q, A> = Arc<Mutex<mpsc::Receiver<Asked<Q, A>>>>;

/// What can be done together.
pub(super) trait Batch: Send + Sync + 'static {
    /// What one caller asks for.
    type Asked: Send + Sync + 'static;
    /// What one caller is told.
    type Answer: Send + 'static;

    /// The most that is done at once. Inclusive.
    const MAX: usize;

    /// One try at all of them: as many answers, in the same order.
    fn run(
        &self,
        connection: &Connection,
        asked: &[Self::Asked],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Trouble>> + Send;
}

impl<Q: Send + Sync + 'static, A: Send + 'static> Queue<Q, A> {
    /// Starts this many workers, which end when the queue is dropped. Each has a connection of its own.
    pub(super) fn start<B: Batch<Asked = Q, Answer = A>>(
        batch: &Arc<B>,
        lines: impl IntoIterator<Item = Arc<Line>>,
    ) -> Self {
        let (queue, taken) = mpsc::channel(WAITING_MAX);
        let taken = Arc::new(Mutex::new(taken));
        for line in lines {
            tokio::spawn(worker(Arc::clone(batch), line, Arc::clone(&taken)));
        }
        Self(queue)
    }

    /// Hands something over; the answer comes later.
    pub(super) fn hand(&self, asked: Q) -> Result<oneshot::Receiver<Result<A, Fault>>, Fault> {
        let (reply, answer) = oneshot::channel();
        match self.0.try_send((asked, reply)) {
            Ok(()) => Ok(answer),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Fault::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(closing()),
        }
    }

    /// Hands something over and waits for the answer.
    pub(super) async fn ask(&self, asked: Q) -> Result<A, Fault> {
        answered(self.hand(asked)?).await
    }
}

/// Waits for an answer, not for ever: what waits before it takes its time too.
pub(super) async fn answered<A>(answer: oneshot::Receiver<Result<A, Fault>>) -> Result<A, Fault> {
    match tokio::time::timeout(ANSWER_BOUND * 2, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(closing()),
        Err(_) => Err(Fault::Store("PostgreSQL did not answer in time".into())),
    }
}

fn closing() -> Fault {
    Fault::Store("the store is closing".into())
}

struct Together<'a, B: Batch> {
    batch: &'a B,
    asked: &'a [B::Asked],
}

impl<B: Batch> Work for Together<'_, B> {
    type Answer = Vec<B::Answer>;

    async fn run(&self, connection: &Connection) -> Result<Vec<B::Answer>, Trouble> {
        self.batch.run(connection, self.asked).await
    }
}

async fn worker<B: Batch>(batch: Arc<B>, line: Arc<Line>, taken: Taken<B::Asked, B::Answer>) {
    let mut waiting = Vec::with_capacity(B::MAX);
    loop {
        // Only one takes at a time; the others take what comes while it works.
        if taken.lock().await.recv_many(&mut waiting, B::MAX).await == 0 {
            return;
        }
        // Who stopped waiting is not served any more.
        waiting.retain(|(_, reply)| !reply.is_closed());
        let (asked, replies): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        if asked.is_empty() {
            continue;
        }
        match line.until_done(&Together { batch: &*batch, asked: &asked }).await {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    let _gone = reply.send(Ok(answer));
                }
            }
            Err(fault) => {
                tracing::warn!(%fault, callers = replies.len(), "PostgreSQL could not");
                for reply in replies {
                    let _gone = reply.send(Err(fault.clone()));
                }
            }
        }
    }
}
