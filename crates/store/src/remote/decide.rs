//! Deciding: load, ask the rule on the caller's task, compare and set, again if another came first.

use super::{About, Change, Engine, Outcome, Remote, Seen, Stored, StoredSubject};
use crate::change::{change_of, subject_change, with_versions};
use crate::{Committed, RACES_MAX, Rows};
use std::sync::Arc;
use symbolon_core::{
    Cutoffs, Decision, Event, Fault, Loaded, LoadedSubject, SessionId, Shard, Subject,
    SubjectDecision,
};

/// What a try to commit came to.
enum Tried {
    Committed(u64),
    Raced(Option<Box<Stored>>),
}

impl<E: Engine> Remote<E> {
    pub(crate) async fn step<R>(
        &self,
        sid: SessionId,
        decide: impl Fn(Loaded) -> Result<Decision<R>, Fault> + Send + Sync,
    ) -> Result<Option<Committed<R>>, Fault> {
        let mut found = self.engine().session(sid).await?;
        for _ in 0..RACES_MAX {
            let Some(stored) = found else { return Ok(None) };
            let (seen, version) = (stored.seen(), stored.version);
            let decision = decide(stored.into_loaded())?;
            let change = change_of(seen, sid, version, &decision)?;
            match self.commit(change, Some(sid.shard())).await? {
                Tried::Committed(position) => {
                    return Ok(Some(Committed { reply: decision.reply, position }));
                }
                Tried::Raced(Some(now)) if now.session.sid == sid => found = Some(*now),
                Tried::Raced(_) => found = self.engine().session(sid).await?,
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
        for _ in 0..RACES_MAX {
            let stored = self.engine().of_subject(subject, shard, which).await?;
            let StoredSubject { state, moves, rows, cutoffs, cutoffs_version } = stored;
            let about = About { subject: subject.clone(), shard, moves };
            let seen = Seen { cutoffs, cutoffs_version, about: Some(about) };
            let (all, versions) = with_versions(rows.into_iter());
            let (sessions, ended) = all.into_iter().partition(|session| session.end.is_none());
            let (subject, cutoffs) = (state.clone(), Arc::clone(&seen.cutoffs));
            let decision = decide(LoadedSubject { subject, sessions, ended, cutoffs })?;
            let mut change = subject_change(seen, &versions, &decision)?;
            if let Some(after) = &decision.subject {
                change.replace_subject(&state, after);
            }
            if let Tried::Committed(position) = self.commit(change, Some(shard)).await? {
                return Ok(Committed { reply: decision.reply, position });
            }
        }
        Err(Fault::Contention)
    }

    pub(crate) async fn bump<R>(
        &self,
        decide: impl Fn(Cutoffs) -> Result<(Cutoffs, Vec<Event>, R), Fault> + Send + Sync,
    ) -> Result<Committed<R>, Fault> {
        for _ in 0..RACES_MAX {
            let (before, cutoffs_version) = self.engine().cutoffs().await?;
            let (after, events, reply) = decide(Cutoffs::clone(&before))?;
            let changed = (after != *before).then(|| Arc::new(after));
            let seen = Seen { cutoffs: before, cutoffs_version, about: None };
            let mut change = Change::new(seen);
            change.cutoffs.clone_from(&changed);
            change.publish(&events);
            if let Tried::Committed(position) = self.commit(change, None).await? {
                if let Some(cutoffs) = changed {
                    self.0.shared.saw_cutoffs(&cutoffs, cutoffs_version + 1);
                }
                return Ok(Committed { reply, position });
            }
        }
        Err(Fault::Contention)
    }

    /// Commits, or, where there is nothing to commit, asks for a head that covers what was seen.
    async fn commit(&self, change: Change, shard: Option<Shard>) -> Result<Tried, Fault> {
        let shared = &self.0.shared;
        if change.is_empty() {
            let head = self.engine().head(shard).await?;
            shared.saw_head(head);
            return Ok(Tried::Committed(head));
        }
        let latest = change.latest;
        let write = shared.write();
        match write.over(self.engine().commit(change).await)? {
            Outcome::Committed(position) => {
                shared.saw_head(position);
                shared.saw_latest(latest);
                Ok(Tried::Committed(position))
            }
            Outcome::Raced(now) => Ok(Tried::Raced(now)),
        }
    }
}
