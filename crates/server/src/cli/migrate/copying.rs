//! Going through a store, part by part: to count it, to copy it, to look whether all of it came.

use super::report::{Counted, Report};
use super::{could_not, stopped};
use crate::cli::Failure;
use crate::cli::stopwatch::Stopwatch;
use crate::migration::{self, Mark};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use symbolon_core::{Cutoffs, Fault, Shard, StoreEpoch, Subject, Timestamp};
use symbolon_store::copy::{self, EventsThere, Part, Row, Rows};
use symbolon_store::{Kind, Store};
use symbolon_wire::ShardKey;

/// How many pages lie between two sessions that are compared when all has come.
const PAGES_PER_SAMPLE: u64 = 4;

/// A store that is copied.
pub(super) struct Copying<'a> {
    pub(super) source: &'a Store,
    /// Gives subjects their shard.
    pub(super) shards: ShardKey,
    /// Of the source and of the target.
    pub(super) urls: &'a (String, String),
    pub(super) at: Timestamp,
    pub(super) quiet: bool,
}

impl Copying<'_> {
    /// Says what there is to copy.
    pub(super) async fn count(&self) -> Result<Report, Failure> {
        let watch = Stopwatch::start();
        let mut report = Report { dry_run: true, ..Report::default() };
        report.records = self.records().await.map_err(could_not)?.len();
        for part in Part::ALL {
            let source = self.length(self.source, part).await.map_err(could_not)?;
            report.parts.push(Counted { part, source, target: 0 });
        }
        report.seconds = watch.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Copies everything, then looks whether it came.
    pub(super) async fn copy(&self, target: &Store) -> Result<Report, Failure> {
        let watch = Stopwatch::start();
        let mut report = Report::default();
        let bar = self.bar();
        let mut lengths = Vec::new();
        for part in Part::ALL {
            lengths.push(self.length(self.source, part).await.map_err(could_not)?);
        }
        let counted = watch.elapsed();
        begin(&bar, "copying", lengths.iter().sum());
        report.records = self.copy_records(target).await?;
        self.copy_parts(target, &bar).await.map_err(could_not)?;
        report.copying = watch.elapsed().saturating_sub(counted).as_secs_f64();
        begin(&bar, "comparing", 0);
        for (part, source) in Part::ALL.into_iter().zip(lengths) {
            let length = self.length(target, part).await.map_err(could_not)?;
            report.parts.push(Counted { part, source, target: length });
        }
        (report.sampled, report.differing) = self.compare(target).await.map_err(could_not)?;
        if report.is_whole() {
            report.epoch = Some(self.finish(target).await.map_err(could_not)?);
        }
        bar.finish_and_clear();
        report.seconds = watch.elapsed().as_secs_f64();
        Ok(report)
    }

    /// The parts from where the mark says on.
    async fn copy_parts(&self, target: &Store, bar: &ProgressBar) -> Result<(), Fault> {
        let kept = Mark::read(target).await?;
        let goes_on = kept.is_some();
        let (mut mark, mut version) = match kept {
            Some((mark, version)) => (mark, version),
            None => {
                let mark = Mark::new(&self.urls.0);
                let version = mark.write(target, None).await?;
                (mark, version)
            }
        };
        let there = match goes_on {
            true => target.events_there().await?,
            false => EventsThere::default(),
        };
        let shard_of = |subject: &Subject| -> Shard { self.shards.shard(subject.as_str()) };
        let copying = copy::Copying { shard_of: &shard_of, at: self.at, there };
        while let Some(part) = mark.part() {
            let Rows { rows, next } = self.source.copy_out(part, mark.after().as_deref()).await?;
            target.copy_in(&rows, &copying).await?;
            bar.inc(rows.len() as u64);
            match next {
                Some(next) => mark.after = Some(data_encoding::HEXLOWER.encode(&next)),
                None => (mark.part, mark.after) = (mark.part + 1, None),
            }
            version = mark.write(target, Some(version)).await?;
        }
        Ok(())
    }

    /// Every small record but the mark of an earlier copy.
    async fn records(&self) -> Result<Vec<(Kind, symbolon_store::Record)>, Fault> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            let of_kind = self.source.records(kind).await?;
            all.extend(of_kind.into_iter().map(|record| (kind, record)));
        }
        all.retain(|(kind, record)| *kind != Kind::Meta || &*record.name != migration::NAME);
        Ok(all)
    }

    async fn copy_records(&self, target: &Store) -> Result<usize, Failure> {
        if Mark::read(target).await.map_err(could_not)?.is_none() {
            Mark::new(&self.urls.0).write(target, None).await.map_err(could_not)?;
        }
        let records = self.records().await.map_err(could_not)?;
        for (kind, record) in &records {
            let put = target.put_record(*kind, &record.name, &record.value, None).await;
            if put.map_err(could_not)? {
                continue;
            }
            let there = target.record(*kind, &record.name).await.map_err(could_not)?;
            if there.is_none_or(|there| there.value != record.value) {
                let why = format!("the target has another record {:?}", record.name);
                let next = "stop whatever else writes there, and begin with an empty target";
                return Err(stopped().because(why).next(next));
            }
        }
        Ok(records.len())
    }

    /// How many rows of a part there are that are still to be remembered.
    async fn length(&self, store: &Store, part: Part) -> Result<u64, Fault> {
        let (mut length, mut after) = (0, None);
        // A server that hands its keys out in no order may hand one out twice.
        let (mut seen, hasher) = (HashSet::new(), RandomState::new());
        loop {
            let Rows { rows, next } = store.copy_out(part, after.as_deref()).await?;
            for row in rows.iter().filter(|row| self.is_needed(row)) {
                let is_new = match row {
                    Row::Subject(state) => seen.insert(hasher.hash_one(state.subject.as_str())),
                    Row::Session(_) | Row::Spent(_) | Row::OldToken(_) | Row::Event(_) => true,
                };
                length += u64::from(is_new);
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(length),
            }
        }
    }

    fn is_needed(&self, row: &Row) -> bool {
        match row {
            Row::Spent(spent) => self.at < spent.until,
            Row::OldToken(token) => self.at < token.until,
            Row::Subject(_) | Row::Session(_) | Row::Event(_) => true,
        }
    }

    /// Compares some sessions and their subjects: how many were, and how many differ.
    async fn compare(&self, target: &Store) -> Result<(u64, u64), Fault> {
        let (mut pages, mut sampled, mut differing, mut after) = (0_u64, 0, 0, None);
        loop {
            let Rows { rows, next } =
                self.source.copy_out(Part::Sessions, after.as_deref()).await?;
            let of_each_page = if pages.is_multiple_of(PAGES_PER_SAMPLE) { rows.len() } else { 1 };
            for row in rows.iter().take(of_each_page) {
                let Row::Session(session) = row else { continue };
                let one = self.source.session(session.sid).await?;
                let other = target.session(session.sid).await?;
                let same = one.zip(other).is_some_and(|(one, other)| {
                    one.session == other.session && one.subject == other.subject
                });
                (sampled, differing) = (sampled + 1, differing + u64::from(!same));
            }
            pages += 1;
            match next {
                Some(next) => after = Some(next),
                None => return Ok((sampled, differing)),
            }
        }
    }

    /// Takes the cut-offs over and opens a store epoch that neither store was in; then the copy may be served.
    async fn finish(&self, target: &Store) -> Result<StoreEpoch, Fault> {
        let cutoffs = self.source.cutoffs();
        let take = |before: Cutoffs| {
            let epoch = cutoffs.epoch.0.max(before.epoch.0).saturating_add(1);
            let after = Cutoffs { epoch: StoreEpoch(epoch), ..Cutoffs::clone(&cutoffs) };
            Ok((after, Vec::new(), StoreEpoch(epoch)))
        };
        let epoch = target.bump(take).await?.reply;
        if let Some((mark, version)) = Mark::read(target).await? {
            Mark { done: true, ..mark }.write(target, Some(version)).await?;
        }
        Ok(epoch)
    }

    fn bar(&self) -> ProgressBar {
        let target = match self.quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        begin(&bar, "counting", 0);
        bar
    }
}

/// Says what is done now; `rows`: how many there are to do, 0 if that is not known.
fn begin(bar: &ProgressBar, what: &'static str, rows: u64) {
    let shape = match rows {
        0 => "{msg}",
        1.. => "{msg} {bar:40} {percent:>3} %  {per_sec:0}, {eta} left",
    };
    bar.reset();
    bar.set_length(rows);
    bar.set_message(what);
    if let Ok(style) = ProgressStyle::with_template(shape) {
        bar.set_style(style);
    }
}
