//! The usual step: one session goes on, nothing is published. What waits together is compared and set by one
//! statement, in one commit.

use super::ask::Ask;
use super::latest::Latest;
use super::line::Batch;
use super::place::Connection;
use super::rows::{self, Saw};
use super::trouble::Trouble;
use crate::change::SessionWrite;
use crate::remote::{Change, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps that are compared and set as one row each.
pub(super) struct Plains {
    /// How many commits were made.
    pub(super) commits: AtomicU64,
    pub(super) latest: Arc<Latest>,
}

/// One row's comparison and its next value.
struct Write<'a> {
    sid: &'a [u8],
    version: i64,
    fence: i64,
    row: &'a [u8],
    cutoffs: u64,
}

/// Whether a change is of this kind.
pub(super) fn is_plain(change: &Change) -> bool {
    write_of(change).is_some()
}

fn write_of(change: &Change) -> Option<Write<'_>> {
    let [SessionWrite::Update { sid, version, ended: false, row }] = &change.sessions[..] else {
        return None;
    };
    let bare = change.subject.is_none() && change.cutoffs.is_none() && !change.moves;
    let about = change.seen.about.as_ref().filter(|_| bare && change.events.is_empty())?;
    let Saw::Fence(fence) = Saw::unpack(about.moves) else { return None };
    let (sid, version, cutoffs) =
        (&sid.as_bytes()[..], rows::int(*version), change.seen.cutoffs_version);
    Some(Write { sid, version, fence, row, cutoffs })
}

impl Batch for Plains {
    type Asked = Change;
    type Answer = Outcome;

    const MAX: usize = 512;

    async fn run(
        &self,
        connection: &Connection,
        asked: &[Change],
    ) -> Result<Vec<Outcome>, Trouble> {
        // Of several that write one row the first goes on, and whoever saw older cut-offs than another has lost.
        let newest = asked.iter().map(|change| change.seen.cutoffs_version).max().unwrap_or(0);
        let mut writes: Vec<(usize, Write<'_>)> = asked
            .iter()
            .map(write_of)
            .enumerate()
            .filter_map(|(at, one)| Some((at, one?)))
            .collect();
        writes.retain(|(_, write)| write.cutoffs == newest);
        writes.sort_by_key(|(at, write)| (write.sid, *at));
        writes.dedup_by_key(|(_, write)| write.sid);
        let sids: Vec<_> = writes.iter().map(|(_, write)| write.sid).collect();
        let versions: Vec<_> = writes.iter().map(|(_, write)| write.version).collect();
        let fences: Vec<_> = writes.iter().map(|(_, write)| write.fence).collect();
        let bodies: Vec<_> = writes.iter().map(|(_, write)| write.row).collect();
        let (cutoffs, latest) = (rows::int(newest), self.latest.of(asked));
        let instant = latest.unwrap_or(0);
        let (begun, updated, saw, committed) = tokio::join!(
            biased;
            connection.begin(false),
            connection.ask(Ask::UpdatePlain, [&sids, &versions, &fences, &bodies, &cutoffs]),
            connection.ask_if(latest.is_some(), Ask::SawLatest, [&instant]),
            connection.run("COMMIT"),
        );
        begun.map_err(|error| Trouble::before_commit(&error))?;
        let updated = updated.map_err(|error| Trouble::before_commit(&error))?;
        saw.map_err(|error| Trouble::before_commit(&error))?;
        committed.map_err(|error| Trouble::of_commit(&error))?;
        self.latest.wrote(latest);
        self.commits.fetch_add(1, Ordering::Relaxed);
        let mut outcomes: Vec<_> = asked.iter().map(|_| Outcome::Raced(None)).collect();
        for row in &updated {
            let (at, head) = (rows::number(row, 0)?, rows::number(row, 1)?);
            let write = usize::try_from(at).ok().and_then(|at| writes.get(at.checked_sub(1)?));
            if let Some(outcome) = write.and_then(|(asked, _)| outcomes.get_mut(*asked)) {
                *outcome = Outcome::Committed(head);
            }
        }
        Ok(outcomes)
    }
}
