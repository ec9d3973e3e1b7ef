//! Lists and the sweep: many rows, a bounded number at a time.

use super::{Change, Engine, Remote, Stored};
use crate::change::{SessionWrite, change_of, range};
use crate::walk::{self, CHUNK_ROWS};
use crate::{EXAMINED_MAX, History, Page, Query, Retention, SWEEP_MAX, Swept};
use std::sync::Arc;
use symbolon_core::{Decision, Event, Fault, Loaded, SessionId, Timestamp};

/// The last name that a session can have.
const LAST: SessionId = SessionId::from_bytes([0xFF; 16]);

impl<E: Engine> Remote<E> {
    pub(crate) async fn sessions(
        &self,
        query: &Query,
        keep: impl Fn(&Loaded) -> bool + Send + Sync,
    ) -> Result<Page, Fault> {
        walk::page(query, keep, |after| self.rows(query, after)).await
    }

    async fn rows(&self, query: &Query, after: Option<SessionId>) -> Result<Vec<Loaded>, Fault> {
        let shard = query.subject.as_ref().map(|(_, shard)| *shard);
        let after = match (after, shard) {
            (Some(sid), _) => sid.as_bytes().to_vec(),
            (None, Some(shard)) => shard.0.to_vec(),
            (None, None) => Vec::new(),
        };
        let last = shard.map_or(LAST, |shard| range(shard).1);
        let rows = self.engine().sessions(&after, last, CHUNK_ROWS).await?;
        Ok(rows.into_iter().map(Stored::into_loaded).collect())
    }

    pub(crate) async fn survey(
        &self,
        look: Arc<dyn Fn(&Loaded) + Send + Sync>,
    ) -> Result<(), Fault> {
        let mut after = Vec::new();
        loop {
            let rows = self.engine().sessions(&after, LAST, CHUNK_ROWS).await?;
            let last = rows.len() < CHUNK_ROWS;
            for stored in rows {
                after = stored.session.sid.as_bytes().to_vec();
                look(&stored.into_loaded());
            }
            if last {
                return Ok(());
            }
        }
    }

    pub(crate) async fn history(
        &self,
        after: u64,
        limit: usize,
        keep: impl Fn(&Event) -> bool + Send + Sync,
    ) -> Result<History, Fault> {
        walk::history((after, limit), keep, |at| self.events_after(at, CHUNK_ROWS)).await
    }

    pub(crate) async fn needed(&self, after: u64, at: Timestamp) -> Result<History, Fault> {
        // Asked first: an event that comes meanwhile is after it, and so is looked at next time.
        let head = self.engine().head(None).await?;
        let events = self.engine().needed(after, EXAMINED_MAX as u64, at).await?;
        let end = after.saturating_add(EXAMINED_MAX as u64);
        let end = if end < head { self.engine().skip(end).await? } else { end };
        Ok(History { events, next: (end < head).then_some(end) })
    }

    pub(crate) async fn expire<R>(
        &self,
        after: Option<SessionId>,
        limit: usize,
        keep: Retention,
        decide: impl Fn(Loaded) -> Decision<R> + Send + Sync,
    ) -> Result<Swept<R>, Fault> {
        let limit = limit.clamp(1, SWEEP_MAX);
        let after = after.map_or(Vec::new(), |sid| sid.as_bytes().to_vec());
        let rows = self.engine().sessions(&after, LAST, limit).await?;
        let whole = rows.len() == limit;
        let next = rows.last().map(|stored| stored.session.sid).filter(|_| whole);
        let (mut changes, mut replies) = (Vec::new(), Vec::new());
        for stored in rows {
            if let Some((change, reply)) = sweep(stored, keep.since, &decide)? {
                changes.push(change);
                replies.push(reply);
            }
        }
        // Where there is nothing to write, it is not known whether writes are taken.
        let done = match changes.is_empty() {
            true => Vec::new(),
            false => self.0.shared.writing(self.engine().commit_each(changes)).await?,
        };
        let mut swept = Swept { next, ended: Vec::new(), forgotten: 0 };
        for (_, reply) in done.iter().zip(replies).filter(|(done, _)| **done) {
            match reply {
                None => swept.forgotten += 1,
                Some(reply) => swept.ended.push(reply),
            }
        }
        swept.forgotten += self.engine().forget(keep, self.latest_instant(), limit).await?;
        Ok(swept)
    }
}

/// What becomes of one row: it is forgotten, or an end is written and something said of it; a race that is
/// lost is left to the next sweep.
fn sweep<R>(
    stored: Stored,
    forget_before: Timestamp,
    decide: impl Fn(Loaded) -> Decision<R>,
) -> Result<Option<(Change, Option<R>)>, Fault> {
    let (sid, version, seen) = (stored.session.sid, stored.version, stored.seen());
    if let Some(end) = &stored.session.end {
        let mut change = Change::new(seen);
        change.sessions.push(SessionWrite::Forget { sid, version });
        return Ok((end.at < forget_before).then_some((change, None)));
    }
    let decision = decide(stored.into_loaded());
    let change = change_of(seen, sid, version, &decision)?;
    Ok((!change.is_empty()).then_some((change, Some(decision.reply))))
}
