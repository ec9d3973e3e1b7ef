//! What a benchmark says.

use super::load::Tally;
use crate::cli::{Failure, out};
use serde::Serialize;
use std::collections::BTreeMap;

/// The figures. Only renewals that advanced count: a server that answers the same token again has done
/// less work.
#[derive(Serialize)]
pub(super) struct Report {
    requests: u64,
    advanced: u64,
    seconds: f64,
    /// Advanced per second.
    per_second: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    errors: BTreeMap<String, u64>,
    /// An empty handler on the same connections, right after.
    #[serde(skip_serializing_if = "Option::is_none")]
    floor_per_second: Option<f64>,
    /// `per_second` over `floor_per_second`.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

impl Report {
    pub(super) fn new(tally: &Tally, floor: Option<f64>) -> Self {
        let quantile = |q| thousandth(tally.micros.value_at_quantile(q) as f64 / 1000.0);
        let per_second = tally.advanced as f64 / tally.seconds.max(f64::EPSILON);
        Self {
            requests: tally.requests,
            advanced: tally.advanced,
            seconds: thousandth(tally.seconds),
            per_second: thousandth(per_second),
            p50_ms: quantile(0.50),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
            max_ms: thousandth(tally.micros.max() as f64 / 1000.0),
            errors: tally.errors.clone(),
            floor_per_second: floor.map(thousandth),
            ratio: floor.map(|floor| thousandth(per_second / floor)),
        }
    }

    pub(super) fn print(&self, connections: usize) {
        let Self { advanced, requests, seconds, per_second, .. } = self;
        out::line(format!(
            "{per_second:.0} renewals/s: {advanced} of {requests} requests advanced in \
             {seconds:.1} s on {connections} connections"
        ));
        out::line(format!(
            "p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            self.p50_ms, self.p95_ms, self.p99_ms, self.max_ms
        ));
        match (self.floor_per_second, self.ratio) {
            (Some(floor), Some(ratio)) => out::line(format!(
                "floor: {floor:.0}/s of /livez on the same connections; ratio {ratio:.2}"
            )),
            (None, _) | (_, None) => out::line("floor: this server has no /livez to compare with"),
        }
        for (error, count) in &self.errors {
            out::line(format!("error {error}: {count}"));
        }
    }

    /// What to say when no renewal was answered with 200.
    pub(super) fn nothing_worked(&self) -> Failure {
        let most = self.errors.iter().max_by_key(|(_, count)| **count);
        let why = most.map_or("no answer came".to_owned(), |(error, _)| error.clone());
        Failure::could_not("no renewal was answered with 200")
            .because(why)
            .next("are --url, --client-id and the tokens of one and the same server?")
    }
}

fn thousandth(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}
