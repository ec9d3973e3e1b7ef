//! Redis or Valkey: one server, one that sentinels watch, or a cluster. `docs/decisions/0042-redis.md` says how
//! what one file promises is kept here.
//!
//! Sessions live in 64 lanes, each in a slot of its own: rows, indexes and an outbox of events, which one
//! script compares and sets. One log has the feed's order, what is above all subjects, and the small records;
//! what lies in an outbox is moved to the log before the commit is answered, or by any node afterwards.

mod address;
mod commit;
mod copy;
mod doctor;
mod feed;
mod follow;
mod link;
mod links;
mod map;
mod open;
mod read;
mod rows;
mod scripts;
mod settle;
mod small;
mod step;
mod together;

pub use address::Address;
pub use doctor::{Finding, doctor};

use crate::copy::{self as copied, Part};
use crate::remote::{
    Arriving, Awaited, Change, Engine, Outcome, Remote, Spend, Stored, StoredSubject,
};
use crate::{Kind, OldToken, Record, Retention, Rows};
use links::Links;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use step::Update;
use symbolon_core::{Cutoffs, Digest, Event, Fault, SessionId, Shard, Subject, Timestamp};

/// A store on Redis or Valkey. Clones share it; the last one that is dropped closes it.
#[derive(Clone)]
pub struct Redis(pub(crate) Remote<Connected>);

/// The engine of such a store.
pub(crate) struct Connected {
    links: Arc<Links>,
}

impl Engine for Connected {
    async fn session(&self, sid: SessionId) -> Result<Option<Stored>, Fault> {
        self.links.session(sid).await
    }

    async fn of_subject(
        &self,
        subject: &Subject,
        shard: Shard,
        which: Rows,
    ) -> Result<StoredSubject, Fault> {
        self.links.of_subject(subject, shard, which).await
    }

    async fn cutoffs(&self) -> Result<(Arc<Cutoffs>, u64), Fault> {
        let above = self.links.state().await?.above;
        self.links.shared.saw_cutoffs(&above.0, above.1);
        Ok(above)
    }

    async fn commit(&self, mut change: Change) -> Result<Outcome, Fault> {
        if let Some(update) = Update::of(&mut change) {
            return self.links.together(update.lane(), update).await;
        }
        // Whatever is rare is apart from the usual step, whose future is moved several times.
        Box::pin(self.links.commit(change)).await
    }

    async fn head(&self, shard: Option<Shard>) -> Result<u64, Fault> {
        Box::pin(self.links.head_of(shard)).await
    }

    async fn sessions(
        &self,
        after: &[u8],
        last: SessionId,
        limit: usize,
    ) -> Result<Vec<Stored>, Fault> {
        self.links.sessions(after, last, limit).await
    }

    async fn events_after(&self, position: u64, limit: usize) -> Result<Vec<(u64, Event)>, Fault> {
        self.links.events_after(position, limit).await
    }

    async fn needed(
        &self,
        after: u64,
        count: u64,
        at: Timestamp,
    ) -> Result<Vec<(u64, Event)>, Fault> {
        self.links.needed(after, count, at).await
    }

    async fn skip(&self, end: u64) -> Result<u64, Fault> {
        self.links.skip(end).await
    }

    async fn commit_each(&self, changes: Vec<Change>) -> Result<Vec<bool>, Fault> {
        self.links.commit_each(changes).await
    }

    async fn forget(&self, keep: Retention, now: Timestamp, limit: usize) -> Result<usize, Fault> {
        self.links.forget(keep, now, limit).await
    }

    async fn spend(&self, spend: Spend<'_>) -> Result<Option<Vec<u8>>, Fault> {
        self.links.spend(spend).await
    }

    async fn record(&self, kind: Kind, name: &str) -> Result<Option<Record>, Fault> {
        self.links.record(kind, name).await
    }

    async fn records(&self, kind: Kind) -> Result<Vec<Record>, Fault> {
        self.links.records(kind).await
    }

    async fn put_record(
        &self,
        kind: Kind,
        name: &str,
        value: &[u8],
        expected: Option<u64>,
    ) -> Result<bool, Fault> {
        self.links.put_record(kind, name, value, expected).await
    }

    async fn awaited(&self, of: &[(Subject, Shard, Digest)]) -> Result<Awaited, Fault> {
        self.links.awaited(of).await
    }

    async fn arrive(
        &self,
        cutoffs_version: u64,
        rows: Vec<Arriving>,
    ) -> Result<Option<Vec<bool>>, Fault> {
        self.links.arrive(cutoffs_version, rows).await
    }

    async fn listed(&self, part: Part, after: Option<&[u8]>) -> Result<copied::Rows, Fault> {
        self.links.listed(part, after).await
    }

    async fn know(&self, tokens: &[OldToken]) -> Result<(), Fault> {
        self.links.know(tokens).await
    }

    async fn imported(&self, digest: &Digest) -> Result<Option<SessionId>, Fault> {
        self.links.imported(digest).await
    }

    fn lost(&self) -> u64 {
        self.links.lost.load(Ordering::Acquire)
    }
}
