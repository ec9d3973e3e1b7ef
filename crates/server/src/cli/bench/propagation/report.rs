//! What was measured, as a table and as JSON.

use super::Setting;
use super::verifiers::Seen;
use crate::cli::out;
use serde::Serialize;

/// One run, in milliseconds.
#[derive(Serialize)]
pub(super) struct Run {
    /// How many refusals there should have been: one for each end at each verifier.
    expected: usize,
    /// How many of those never came.
    missed: usize,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// The floor: when the DELETE itself was answered, which is when it is durable.
    answer_p50_ms: f64,
    answer_p99_ms: f64,
}

/// All runs of a setting.
#[derive(Serialize)]
pub(super) struct Report {
    verifiers: usize,
    rate: u32,
    busy: usize,
    /// The median of the runs'.
    p50_ms: f64,
    /// The median of the runs'.
    p99_ms: f64,
    /// The largest of all runs.
    max_ms: f64,
    /// The median of the runs'.
    answer_p99_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_ms_max: Option<f64>,
    runs: Vec<Run>,
}

impl Run {
    pub(super) fn of(seen: Vec<Seen>, mut answers: Vec<u64>, expected: usize) -> Self {
        let mut all: Vec<u64> = seen.into_iter().flat_map(|seen| seen.latencies_us).collect();
        all.sort_unstable();
        answers.sort_unstable();
        Self {
            expected,
            missed: expected.saturating_sub(all.len()),
            p50_ms: quantile(&all, 50),
            p95_ms: quantile(&all, 95),
            p99_ms: quantile(&all, 99),
            max_ms: quantile(&all, 100),
            answer_p50_ms: quantile(&answers, 50),
            answer_p99_ms: quantile(&answers, 99),
        }
    }
}

impl Report {
    pub(super) fn of(setting: Setting, runs: Vec<Run>) -> Self {
        let Setting { verifiers, rate, busy, p99_ms_max } = setting;
        let (p50_ms, p99_ms) = (median(&runs, |run| run.p50_ms), median(&runs, |run| run.p99_ms));
        let max_ms = runs.iter().map(|run| run.max_ms).fold(0.0, f64::max);
        let answer_p99_ms = median(&runs, |run| run.answer_p99_ms);
        Self { verifiers, rate, busy, p50_ms, p99_ms, max_ms, answer_p99_ms, p99_ms_max, runs }
    }

    /// Whether every end was seen by every verifier.
    pub(super) fn is_whole(&self) -> bool {
        self.runs.iter().all(|run| run.missed == 0)
    }
}

/// Milliseconds at a percentile of sorted microseconds: the smallest that so many percent do not exceed.
fn quantile(sorted: &[u64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).map_or(0.0, |micros| *micros as f64 / 1000.0)
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut all: Vec<f64> = runs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// Prints a table.
pub(super) fn print(reports: &[Report], seconds: u32) {
    let rows = reports.iter().map(|report| {
        let missed: usize = report.runs.iter().map(|run| run.missed).sum();
        let most = report.p99_ms_max.map_or(String::new(), |most| format!("{most:.0}"));
        vec![
            report.verifiers.to_string(),
            report.rate.to_string(),
            report.busy.to_string(),
            format!("{:.2}", report.p50_ms),
            format!("{:.2}", report.p99_ms),
            most,
            format!("{:.2}", report.max_ms),
            format!("{:.2}", report.answer_p99_ms),
            missed.to_string(),
        ]
    });
    let head = [
        "VERIFIERS",
        "ENDS/S",
        "BUSY",
        "P50 MS",
        "P99 MS",
        "AT MOST",
        "MAX MS",
        "ANSWER P99",
        "MISSED",
    ];
    out::table(&head, rows.collect());
    let runs = reports.first().map_or(0, |report| report.runs.len());
    out::line(format!(
        "from the instant at which the DELETE was due to the first check that refuses; {seconds} s a run, medians of \
         {runs}, the largest maximum; the answer to the DELETE is the floor"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_saw_is_missed_and_percentiles_are_of_what_was_seen() {
        let seen = |from: u64| Seen { latencies_us: (from..from + 50).map(|n| n * 1000).collect() };
        let run = Run::of(vec![seen(51), seen(1)], vec![7_000], 103);
        assert_eq!((run.missed, run.p50_ms, run.p99_ms, run.max_ms), (3, 50.0, 99.0, 100.0));
        assert_eq!((run.answer_p50_ms, run.answer_p99_ms), (7.0, 7.0));
        let setting = Setting { verifiers: 1, rate: 1, busy: 0, p99_ms_max: None };
        let whole = Run::of(vec![seen(1)], Vec::new(), 50);
        assert!(Report::of(setting, vec![whole]).is_whole());
        let report = Report::of(setting, vec![run]);
        assert!(!report.is_whole() && report.max_ms == 100.0);
    }
}
