//! Lists and the sweep: many rows, so on a thread that may wait, and a bounded number at a time.

use super::change::{Change, Done, Forget, Task};
use super::read::{self, Stored};
use super::{Inner, Sqlite};
use crate::change::{SessionWrite, change_of, range};
use crate::walk::{self, CHUNK_ROWS};
use crate::{EVENTS_MAX, EXAMINED_MAX, History, Page, Query, Retention, SWEEP_MAX, Swept};
use rusqlite::Connection;
use std::sync::Arc;
use symbolon_core::{Decision, Event, Fault, Loaded, SessionId, Timestamp};

/// How many rows a survey looks at before others have their turn.
const SURVEY_ROWS: usize = 4096;

/// What looks at a session.
pub(crate) type Look = Arc<dyn Fn(&Loaded) + Send + Sync>;

impl Sqlite {
    pub(crate) async fn sessions(
        &self,
        query: &Query,
        keep: impl Fn(&Loaded) -> bool + Send + Sync,
    ) -> Result<Page, Fault> {
        self.serving()?;
        walk::page(query, keep, |after| self.rows(query, after)).await
    }

    pub(crate) async fn survey(&self, look: Look) -> Result<(), Fault> {
        self.serving()?;
        let mut middle = [0xFF; 16];
        middle[0] = 0x7F;
        let (middle, end) = (SessionId::from_bytes(middle), SessionId::from_bytes([0xFF; 16]));
        let lower = self.survey_part((Vec::new(), middle), &look);
        let upper = self.survey_part((middle.as_bytes().to_vec(), end), &look);
        let (lower, upper) = tokio::join!(lower, upper);
        lower.and(upper)
    }

    async fn survey_part(
        &self,
        (mut after, last): (Vec<u8>, SessionId),
        look: &Look,
    ) -> Result<(), Fault> {
        loop {
            let (cutoffs, look, from) = (self.cutoffs(), Arc::clone(look), after);
            let looking = self.listed(move |connection| {
                let (mut count, mut at) = (0, None);
                read::each_session(connection, (&from, last), SURVEY_ROWS, |stored| {
                    (count, at) = (count + 1, Some(stored.session.sid));
                    look(&stored.under(&cutoffs));
                })?;
                Ok(at.filter(|_| count == SURVEY_ROWS))
            });
            match looking.await? {
                Some(sid) => after = sid.as_bytes().to_vec(),
                None => return Ok(()),
            }
        }
    }

    async fn rows(&self, query: &Query, after: Option<SessionId>) -> Result<Vec<Loaded>, Fault> {
        let cutoffs = self.cutoffs();
        let shard = query.subject.as_ref().map(|(_, shard)| *shard);
        let (after, last) = match (after, shard) {
            (Some(sid), _) => (sid.as_bytes().to_vec(), shard),
            (None, Some(shard)) => (shard.0.to_vec(), Some(shard)),
            (None, None) => (Vec::new(), None),
        };
        let last = last.map_or(SessionId::from_bytes([0xFF; 16]), |shard| range(shard).1);
        let read = move |connection: &mut _| read::sessions(connection, (&after, last), CHUNK_ROWS);
        let rows = self.listed(read).await?;
        Ok(rows.into_iter().map(|stored| stored.under(&cutoffs)).collect())
    }

    pub(crate) async fn events_after(
        &self,
        position: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Fault> {
        self.serving()?;
        let limit = limit.min(EVENTS_MAX);
        self.listed(move |connection| read::events_after(connection, position, limit)).await
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
        self.serving()?;
        self.0.readers.with(|connection| {
            let events = read::needed(connection, (after, EXAMINED_MAX as u64), at)?;
            let end = after.saturating_add(EXAMINED_MAX as u64);
            let next = (end < read::head(connection)?).then_some(end);
            Ok(History { events, next })
        })
    }

    pub(crate) async fn expire<R>(
        &self,
        after: Option<SessionId>,
        limit: usize,
        keep: Retention,
        decide: impl Fn(Loaded) -> Decision<R> + Send + Sync,
    ) -> Result<Swept<R>, Fault> {
        self.serving()?;
        let limit = limit.clamp(1, SWEEP_MAX);
        let seen = self.0.shared.seen();
        let rows = self.swath(after, limit).await?;
        let whole = rows.len() == limit;
        let next = rows.last().map(|stored| stored.session.sid).filter(|_| whole);
        let (mut changes, mut replies) = (Vec::new(), Vec::new());
        for stored in rows {
            let seen = self.about(seen.clone(), &stored.session.subject);
            if let Some((change, reply)) = sweep(seen, stored, keep.since, &decide)? {
                changes.push(change);
                replies.push(reply);
            }
        }
        let done = self.submit_all(changes).await?;
        let mut swept = Swept { next, ended: Vec::new(), forgotten: 0 };
        for (_, reply) in done.iter().zip(replies).filter(|(done, _)| done.applied) {
            match reply {
                None => swept.forgotten += 1,
                Some(reply) => swept.ended.push(reply),
            }
        }
        swept.forgotten += self.forget(keep, limit).await?.forgotten;
        Ok(swept)
    }

    async fn swath(&self, after: Option<SessionId>, limit: usize) -> Result<Vec<Stored>, Fault> {
        let after = after.map_or(Vec::new(), |sid| sid.as_bytes().to_vec());
        let last = SessionId::from_bytes([0xFF; 16]);
        self.listed(move |connection| read::sessions(connection, (&after, last), limit)).await
    }

    async fn forget(&self, keep: Retention, limit: usize) -> Result<Done, Fault> {
        let now = self.latest_instant();
        self.submit(Task::Forget(Forget { keep, now, limit })).await
    }

    /// Reads on a thread that may wait.
    async fn listed<R: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Connection) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        let closed = || Fault::Store("the store is closing".into());
        let _turn = self.0.lists.acquire().await.map_err(|_| closed())?;
        let inner: Arc<Inner> = Arc::clone(&self.0);
        let reading = tokio::task::spawn_blocking(move || inner.readers.with(read));
        reading.await.map_err(|_| closed())?
    }
}

/// What becomes of one row: it is forgotten, or an end is written and something said of it; a race that is lost is left to the next sweep.
fn sweep<R>(
    seen: super::change::Seen,
    stored: Stored,
    forget_before: Timestamp,
    decide: impl Fn(Loaded) -> Decision<R>,
) -> Result<Option<(Change, Option<R>)>, Fault> {
    let (sid, version) = (stored.session.sid, stored.version);
    if let Some(end) = &stored.session.end {
        let mut change = Change::new(seen);
        change.sessions.push(SessionWrite::Forget { sid, version });
        return Ok((end.at < forget_before).then_some((change, None)));
    }
    let decision = decide(stored.under(&seen.cutoffs));
    let change = change_of(seen, sid, version, &decision)?;
    Ok((!change.is_empty()).then_some((change, Some(decision.reply))))
}
