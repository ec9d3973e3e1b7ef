//! Scheduled expiry: who is due leaves, in chunks; one process of all does it.
//!
//! What is kept is up to which instant a schedule has run. One that is new, or that is due at other times than it was,
//! begins with its next time: nobody is signed out because somebody wrote a setting. A time that was missed, since the
//! authority was down, is made up for, the last one alone.

use crate::app::{App, Live};
use crate::config::when_text;
use crate::http::Stop;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use symbolon_core::schedule::Schedule;
use symbolon_core::{ClientId, Decision, Duration, Fault, Loaded, SessionId, Timestamp};
use symbolon_store::{Kind, Retention};
use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked whether any is due.
pub const TICK: Duration = Duration::from_secs(1);

/// How many sessions are looked at in one commit. Inclusive.
const CHUNK: usize = 512;

/// How often a chunk is looked at in which somebody was faster. Inclusive.
const TRIES_MAX: u32 = 100;

/// How long a process that began a run is believed to go on with it, from its last chunk. Exclusive.
const LEASE: Duration = Duration::from_secs(60);

/// What the name of a schedule's record begins with.
const RECORD: &str = "schedule:";

/// Runs what is due each second until told to stop. What cannot be done now is tried again.
pub async fn run(live: Live, mut stop: Stop) {
    let mut tick = interval(TICK);
    let mut known = None;
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let app = live.now();
        if known.as_ref() != Some(&app.config.schedules) {
            match forget_others(&app).await {
                Ok(()) => known = Some(app.config.schedules.clone()),
                Err(fault) => tracing::error!(%fault, "the schedules could not be read"),
            }
        }
        for schedule in &app.config.schedules {
            let due = Due { app: &app, schedule };
            let ran = tokio::select! {
                ran = due.look() => ran,
                // What is left is taken up by whoever is next.
                _ = stop.wait_for(|stop| *stop) => return,
            };
            if let Err(fault) = ran {
                let schedule = &*schedule.name;
                tracing::error!(schedule, %fault, "a schedule could not run; trying again");
            }
        }
    }
}

/// Forgets up to when those ran that are not configured any more: should one come back, it is new.
async fn forget_others(app: &App) -> Result<(), Fault> {
    for record in app.store.records(Kind::Lease).await? {
        let Some(name) = record.name.strip_prefix(RECORD) else { continue };
        let is_known = app.config.schedules.iter().any(|own| *own.name == *name);
        if !is_known && !record.value.is_empty() {
            // If another process was faster, it has it in its configuration.
            app.store.put_record(Kind::Lease, &record.name, b"", Some(record.version)).await?;
        }
    }
    Ok(())
}

/// Up to which instant a schedule has run.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
struct Progress {
    /// When it is due, as text: another plan begins anew.
    plan: String,
    /// The instant that it ran for, or runs for, in seconds.
    due: u64,
    /// Who runs it, and until when they are believed to; nobody: it is done.
    running: Option<(String, u64)>,
    /// How many sessions it ended so far.
    ended: u64,
}

struct Due<'a> {
    app: &'a App,
    schedule: &'a Schedule,
}

impl Due<'_> {
    async fn look(&self) -> Result<(), Fault> {
        let at = self.app.now()?;
        let due = self.schedule.when.last_due(at);
        let plan = when_text(&self.schedule.when);
        let (known, version) = self.known().await?;
        let fresh =
            |running| Progress { plan: plan.clone(), due: due.as_seconds(), running, ended: 0 };
        let Some(known) = known.filter(|known| known.plan == plan) else {
            return self.put(&fresh(None), version).await.map(|_| ());
        };
        let begun = known.due == due.as_seconds();
        match &known.running {
            None if begun => return Ok(()),
            Some((name, until))
                if begun && **name != *self.app.name && at.as_seconds() < *until =>
            {
                return Ok(());
            }
            Some(_) | None => {}
        }
        let ended = if begun { known.ended } else { 0 };
        let own = Progress { ended, ..fresh(self.lease(at)) };
        match self.put(&own, version).await? {
            true => self.walk(due, own).await,
            // Another process was first.
            false => Ok(()),
        }
    }

    /// Ends whoever it hits. Whoever takes it up in the middle begins at the beginning: who is gone is not hit again.
    async fn walk(&self, due: Timestamp, mut own: Progress) -> Result<(), Fault> {
        let mut after = None;
        loop {
            let (next, ended) = self.chunk(after, due).await?;
            after = next;
            own.ended += ended;
            own.running = self.lease(self.app.now()?).filter(|_| after.is_some());
            let (known, version) = self.known().await?;
            let is_ours = known.is_some_and(|known| {
                let by = known.running.is_some_and(|(name, _)| *name == *self.app.name);
                by && known.due == own.due && known.plan == own.plan
            });
            if !is_ours || !self.put(&own, version).await? {
                // Another process took it up.
                return Ok(());
            }
            if after.is_none() {
                break;
            }
        }
        self.app.metrics.scheduled(&self.schedule.name, "runs", 1);
        let (schedule, ended, due) = (&*self.schedule.name, own.ended, own.due);
        tracing::info!(schedule, due, ended, "a schedule ran");
        Ok(())
    }

    /// Ends whoever is hit among the sessions after one, and answers where to go on and how many that were. One that was
    /// used in the same instant is looked at again.
    async fn chunk(
        &self,
        after: Option<SessionId>,
        due: Timestamp,
    ) -> Result<(Option<SessionId>, u64), Fault> {
        let keep = Retention { since: Timestamp::default(), events_max: u64::MAX, events_min: 1 };
        let mut ended = 0;
        for _ in 0..TRIES_MAX {
            let (at, hit) = (self.app.now()?, AtomicU64::new(0));
            let decide = |now: Loaded| -> Decision<(ClientId, bool)> {
                let client = now.session.client.clone();
                let policy = self.app.policies.of(&client);
                let decision = now.end_as_scheduled(self.schedule, due, &policy, at);
                hit.fetch_add(u64::from(decision.reply), Ordering::Relaxed);
                decision.map(|ended| (client, ended))
            };
            let swept = self.app.store.expire(after, CHUNK, keep, decide).await?;
            let mut gone = 0;
            for (client, _) in swept.ended.iter().filter(|(_, ended)| *ended) {
                self.app.metrics.ended(client, self.schedule.reason);
                gone += 1;
            }
            self.app.metrics.scheduled(&self.schedule.name, "ended", gone);
            ended += gone;
            if gone == hit.into_inner() {
                return Ok((swept.next, ended));
            }
        }
        Err(Fault::Contention)
    }

    fn lease(&self, at: Timestamp) -> Option<(String, u64)> {
        Some((self.app.name.to_string(), at.after(LEASE).as_seconds()))
    }

    /// The record and its version; what cannot be read counts as nothing, which begins anew.
    async fn known(&self) -> Result<(Option<Progress>, Option<u64>), Fault> {
        let record = self.app.store.record(Kind::Lease, &self.record()).await?;
        let version = record.as_ref().map(|record| record.version);
        Ok((record.and_then(|record| serde_json::from_slice(&record.value).ok()), version))
    }

    async fn put(&self, progress: &Progress, version: Option<u64>) -> Result<bool, Fault> {
        let value = serde_json::to_vec(progress).map_err(|why| Fault::Store(why.to_string()))?;
        self.app.store.put_record(Kind::Lease, &self.record(), &value, version).await
    }

    fn record(&self) -> String {
        format!("{RECORD}{}", self.schedule.name)
    }
}
