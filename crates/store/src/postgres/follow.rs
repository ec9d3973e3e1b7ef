//! What follows the server in the background: at each notification, and often in any case, it asks for the head,
//! the cut-offs and the latest instant, for those who may not wait.

use super::ask::Ask;
use super::latest::Latest;
use super::line::{ANSWER_BOUND, pause};
use super::origin::{self, Cause, Told};
use super::place::{Connection, Place};
use super::rows;
use super::trouble::Trouble;
use crate::latency;
use crate::remote::Shared;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use symbolon_core::{StoreEpoch, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;

/// How often the server is asked, whether it notified or not: with the way there and back below 50 ms.
const POLL: Duration = Duration::from_millis(35);

/// How soon it is asked again however often it notifies: many commits are heard of at once.
const GAP: Duration = Duration::from_millis(3);

/// What the background needs; no handle on the store, which it must not keep open.
pub(super) struct Follower {
    pub(super) place: Arc<Place>,
    pub(super) shared: Arc<Shared>,
    pub(super) latest: Arc<Latest>,
    /// How many acknowledged events are known to be lost.
    pub(super) lost: Arc<AtomicU64>,
    /// The store epoch of the last poll, in which the head was told.
    pub(super) epoch: AtomicU32,
}

impl Follower {
    /// Goes on until the store is closed, whatever the server does.
    pub(super) async fn run(self, mut open: watch::Receiver<()>) {
        let following = async {
            let mut turn = 0;
            loop {
                let trouble = self.follow(&mut turn).await;
                self.shared.saw_writes(false);
                if turn == 0 {
                    let fault = trouble.fault();
                    tracing::warn!(%fault, "PostgreSQL cannot be followed; trying on");
                }
                pause(turn).await;
                turn = turn.saturating_add(1);
            }
        };
        tokio::select! {
            () = following => {}
            () = async { while open.changed().await.is_ok() {} } => {}
        }
    }

    /// Follows over one connection until that fails; `turn` begins anew once it was heard.
    async fn follow(&self, turn: &mut u32) -> Trouble {
        let wake = Arc::new(Notify::new());
        let connection = match self.place.ready(&[Ask::Pulse], Some(Arc::clone(&wake))).await {
            Ok(connection) => connection,
            Err(trouble) => return trouble,
        };
        if !self.place.pooled()
            && let Err(error) = connection.run(&format!("LISTEN {}", self.place.channel())).await
        {
            return error.into();
        }
        let (mut tick, mut gap) = (tokio::time::interval(POLL), tokio::time::interval(GAP));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        gap.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            gap.tick().await;
            tokio::select! {
                _ = tick.tick() => {}
                () = wake.notified() => {}
            }
            match tokio::time::timeout(ANSWER_BOUND, self.poll(&connection)).await {
                Ok(Ok(())) => {
                    if *turn != 0 {
                        tracing::info!("PostgreSQL is followed again");
                    }
                    *turn = 0;
                }
                Ok(Err(trouble)) => return trouble,
                Err(_) => return Trouble::again("the server did not answer in time"),
            }
        }
    }

    async fn poll(&self, connection: &Connection) -> Result<(), Trouble> {
        if self.place.pooled() {
            // Behind a pooler another server may be at the end of the same connection.
            origin::agree(connection, &self.place).await?;
        }
        let (asked, known) = (latency::now(), self.shared.seen());
        let epoch = StoreEpoch(self.epoch.load(Ordering::Acquire));
        let told = Told { epoch, head: self.shared.head() };
        let pulse = connection.ask(Ask::Pulse, [&rows::int(known.1)]).await?;
        let row = pulse.first().ok_or_else(|| Trouble::again("the store has no head"))?;
        let (head, latest) = (rows::number(row, 0)?, rows::number(row, 1)?);
        let (cutoffs, version) = rows::cutoffs(row, 2, &known)?;
        if rows::column(row, 4)? {
            return Err(Trouble::again("the server is a standby"));
        }
        if head < told.head {
            // Nobody said that it is another server, and yet it lost what it had acknowledged.
            return origin::settle(connection, &self.place, Cause::Fewer, told).await;
        }
        self.lost.store(rows::number(row, 5)?, Ordering::Release);
        self.epoch.store(cutoffs.epoch.0, Ordering::Release);
        self.shared.saw_cutoffs(&cutoffs, version);
        self.shared.saw_latest(Timestamp::from_millis(latest));
        self.latest.wrote(Some(rows::int(latest)));
        self.shared.polled(asked, head);
        if !self.shared.takes_writes() {
            // Nobody may try a write where a check says that none is taken.
            connection.run(&self.place.proof()).await?;
            self.shared.saw_writes(true);
        }
        Ok(())
    }
}
