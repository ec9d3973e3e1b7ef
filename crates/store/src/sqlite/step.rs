//! Deciding: load, ask the rule on the caller's task, compare and set, again if another came first.

use super::change::{Change, Seen, Task};
use super::{Sqlite, read};
use crate::change::{change_of, range, subject_change, with_versions};
use crate::{Committed, RACES_MAX, Rows};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use symbolon_core::{
    Cutoffs, Decision, Event, Fault, Loaded, LoadedSubject, SessionId, Shard, Subject,
    SubjectDecision,
};

impl Sqlite {
    pub(crate) async fn step<R>(
        &self,
        sid: SessionId,
        decide: impl Fn(Loaded) -> Result<Decision<R>, Fault> + Send + Sync,
    ) -> Result<Option<Committed<R>>, Fault> {
        self.serving()?;
        for _ in 0..RACES_MAX {
            let seen = self.0.shared.seen();
            let stored = self.0.readers.with(|connection| read::session(connection, sid))?;
            let Some(stored) = stored else { return Ok(None) };
            let seen = self.about(seen, &stored.session.subject);
            let version = stored.version;
            let decision = decide(stored.under(&seen.cutoffs))?;
            let change = change_of(seen, sid, version, &decision)?;
            if let Some(position) = self.commit(change).await? {
                return Ok(Some(Committed { reply: decision.reply, position }));
            }
        }
        Err(Fault::Contention)
    }

    pub(crate) async fn step_subject<R>(
        &self,
        subject: &Subject,
        shard: Shard,
        which: Rows,
        decide: impl Fn(LoadedSubject) -> Result<SubjectDecision<R>, Fault> + Send + Sync,
    ) -> Result<Committed<R>, Fault> {
        self.serving()?;
        for _ in 0..RACES_MAX {
            let seen = self.about(self.0.shared.seen(), subject);
            let load =
                |connection: &mut _| read::of_subject(connection, subject, range(shard), which);
            let (state, rows) = self.0.readers.with(load)?;
            let (all, versions) = with_versions(rows.into_iter());
            let (sessions, ended) = all.into_iter().partition(|session| session.end.is_none());
            let (subject, cutoffs) = (state.clone(), Arc::clone(&seen.cutoffs));
            let decision = decide(LoadedSubject { subject, sessions, ended, cutoffs })?;
            let mut change = subject_change(seen, &versions, &decision)?;
            if let Some(after) = &decision.subject {
                change.replace_subject(&state, after);
            }
            if let Some(position) = self.commit(change).await? {
                return Ok(Committed { reply: decision.reply, position });
            }
        }
        Err(Fault::Contention)
    }

    pub(crate) async fn bump<R>(
        &self,
        decide: impl Fn(Cutoffs) -> Result<(Cutoffs, Vec<Event>, R), Fault> + Send + Sync,
    ) -> Result<Committed<R>, Fault> {
        self.serving()?;
        for _ in 0..RACES_MAX {
            let seen = self.0.shared.seen();
            let before = Arc::clone(&seen.cutoffs);
            let (after, events, reply) = decide(Cutoffs::clone(&before))?;
            let mut change = Change::new(seen);
            change.cutoffs = (after != *before).then(|| Arc::new(after));
            change.publish(&events);
            if let Some(position) = self.commit(change).await? {
                return Ok(Committed { reply, position });
            }
        }
        Err(Fault::Contention)
    }

    pub(super) fn about(&self, seen: Seen, subject: &Subject) -> Seen {
        Seen { subject: Some(self.0.shared.hash(subject)), ..seen }
    }

    /// The position after the commit; `None`: another came first.
    async fn commit(&self, change: Change) -> Result<Option<u64>, Fault> {
        if change.is_empty() && self.0.shared.ends_behind.load(Ordering::Acquire) {
            // What was seen to have ended might come back with an older copy: not to be told yet.
            return self.submit(Task::Settle).await.map(|done| Some(done.position));
        }
        if change.is_empty() {
            // Read after the snapshot that was decided on, so it covers all that was seen.
            return self.0.readers.with(|connection| read::head(connection)).map(Some);
        }
        let done = self.submit(Task::Change(Box::new(change))).await?;
        Ok(done.applied.then_some(done.position))
    }
}
