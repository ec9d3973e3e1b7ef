//! Making the ends log shorter: what can bring nobody back any more leaves it.

use super::again::newest;
use super::ends::{self, EndsLog, Entry, Lost, frame};
use super::open::damaged;
use super::{files, read, write};
use crate::Refusal;
use rusqlite::Connection;
use std::path::Path;
use symbolon_core::{Duration, StoreEpoch, Timestamp};

/// How long an end is kept: the longest that a session can live, 400 days. No copy that is older holds
/// a session that could still be used. So the log is bounded by the ends of so many days.
const KEPT: Duration = Duration::from_secs(401 * 24 * 60 * 60);

/// A log is made shorter at a start, once it is longer than this, in bytes, and half of it would leave.
const SHORT: u64 = 1024 * 1024;

/// Drops from a log whose every record is in the database what no longer matters.
pub(super) fn compact(
    connection: &Connection,
    database: &Path,
    log: EndsLog,
) -> Result<EndsLog, Refusal> {
    if log.length() <= SHORT {
        return Ok(log);
    }
    let refused = |fault| damaged(database, &fault);
    let epoch = write::epoch(connection).map_err(refused)?;
    let latest = read::latest(connection).map_err(refused)?;
    let path = ends::path_of(database);
    let io = |error: std::io::Error| Refusal::io(&path, &error);
    let entries = log.lock_and_read()?;
    let kept: Vec<u8> = kept(&entries, epoch, latest).into_iter().flat_map(frame).collect();
    if log.length() / 2 < kept.len() as u64 {
        log.unlock().map_err(io)?;
        return Ok(log);
    }
    ends::replace(&path, &kept).map_err(io)?;
    let (before, now) = (log.length(), kept.len());
    // Dropping it gives the lock of the old file up: who waits for that sees that it was replaced.
    drop(log);
    tracing::info!(path = %path.display(), before, now, "the ends log was made shorter, in bytes");
    EndsLog::open(files::beside(database, ends::ENDING)).map(|(log, _)| log)
}

/// What still matters, in the order of the log.
fn kept(entries: &[Entry], epoch: StoreEpoch, latest: Timestamp) -> Vec<&Entry> {
    let from = latest.before(KEPT);
    let is_of = |entry: &&Entry| entry.epoch == epoch;
    // By these a start sees how far the log goes.
    let opened = entries.iter().rfind(|entry| entry.lost == Lost::Epoch);
    let last =
        entries.iter().rfind(|entry| matches!(entry.lost, Lost::Event { .. }) && is_of(entry));
    let ends = [opened, last];
    let is_end = |entry: &Entry| ends.iter().flatten().any(|end| core::ptr::eq(*end, entry));
    let mut at = None;
    let recent = |at: Option<Timestamp>| at.is_none_or(|at| from <= at);
    let mut matters = |entry: &&Entry| match &entry.lost {
        Lost::Event { event, .. } => {
            at = at.max(Some(event.at));
            from <= event.at
        }
        Lost::Epoch => false,
        // What says nothing of its time is as old as what stands before it.
        Lost::Ban { ban, .. } => ban.is_some() || recent(at),
        Lost::Switch { disabled, .. } => *disabled || recent(at),
        Lost::ApiKey { .. } => true,
    };
    let all: Vec<_> = entries.iter().collect();
    let mut kept = newest(&all);
    kept.retain(|entry| matters(entry) || is_end(entry));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use symbolon_core::subject::Ban;
    use symbolon_core::{Act, Effect, Event, Reason, SessionId, Subject, Target};

    const NOW: Timestamp = Timestamp::from_seconds(1_772_323_200);

    fn end(position: u64, days_ago: u64) -> Entry {
        let at = NOW.before(Duration::from_secs(days_ago * 24 * 60 * 60));
        let event = Event {
            at,
            target: Target::Session(SessionId::from_bytes([1; 16])),
            whose: None,
            effect: Effect::Revoked,
            reason: Reason::Kicked,
            expires_at: at,
            act: Act::authority(),
        };
        let sealed = codec::seal(codec::event::encode(&event), &[&position.to_le_bytes()]);
        Entry { epoch: StoreEpoch(1), position, lost: Lost::Event { event, sealed } }
    }

    fn ban(position: u64, subject: &str, banned: bool) -> Entry {
        let ban = Ban { since: NOW, until: None, reason: Reason::Banned, note: None };
        let subject = Subject::parse(subject).unwrap();
        let lost = Lost::Ban { subject, ban: banned.then_some(ban) };
        Entry { epoch: StoreEpoch(1), position, lost }
    }

    fn positions(entries: &[Entry]) -> Vec<u64> {
        kept(entries, StoreEpoch(1), NOW).iter().map(|entry| entry.position).collect()
    }

    #[test]
    fn an_end_leaves_once_no_session_can_be_so_old() {
        assert_eq!(positions(&[end(1, 402), end(2, 401), end(3, 400), end(4, 1)]), [2, 3, 4]);
    }

    #[test]
    fn the_newest_event_and_the_newest_epoch_stay_whatever_their_age() {
        let epoch = |position| Entry { epoch: StoreEpoch(1), position, lost: Lost::Epoch };
        assert_eq!(positions(&[epoch(0), epoch(1), end(2, 900), end(3, 800)]), [1, 3]);
    }

    #[test]
    fn a_ban_in_force_stays_and_one_that_was_lifted_long_ago_leaves() {
        let old = [ban(1, "a", true), ban(2, "b", true), ban(3, "b", false)];
        assert_eq!(positions(&old), [1, 3], "nothing says that they are old");
        let aged = [vec![end(1, 500)], old.to_vec(), vec![end(9, 1)]].concat();
        assert_eq!(positions(&aged), [1, 9]);
    }
}
