//! What was copied, for people and for programs.

use crate::cli::{Failure, out};
use serde_json::json;
use symbolon_core::StoreEpoch;
use symbolon_store::copy::Part;

/// How long a part is in both stores.
pub(super) struct Counted {
    pub(super) part: Part,
    pub(super) source: u64,
    pub(super) target: u64,
}

/// What was copied, or would be.
#[derive(Default)]
pub(super) struct Report {
    pub(super) dry_run: bool,
    pub(super) records: usize,
    pub(super) parts: Vec<Counted>,
    /// How many sessions were compared, and how many of them differ.
    pub(super) sampled: u64,
    pub(super) differing: u64,
    /// The store epoch that opened in the target.
    pub(super) epoch: Option<StoreEpoch>,
    /// How long it took in all.
    pub(super) seconds: f64,
    /// How many of them went by while rows were copied, and nothing was counted or compared.
    pub(super) copying: f64,
}

impl Report {
    /// Whether everything came.
    pub(super) fn is_whole(&self) -> bool {
        self.differing == 0 && self.parts.iter().all(|part| part.source == part.target)
    }

    /// A copy that is not whole is not served from.
    pub(super) fn refuse_differences(&self) -> Result<(), Failure> {
        if self.dry_run || self.is_whole() {
            return Ok(());
        }
        Err(Failure::could_not("the copy is not whole")
            .because("what came is not what was there: see the table")
            .next("stop whatever else writes to either store, empty the target, and run it again"))
    }

    pub(super) fn print(&self, urls: (&str, &str), as_json: bool) {
        match as_json {
            true => self.print_json(urls),
            false => self.print_table(urls),
        }
    }

    /// How much went over, and how fast.
    fn speed(&self) -> String {
        let rows: u64 = self.parts.iter().map(|part| part.source).sum();
        let (seconds, rate) = (self.copying, rows as f64 / self.copying.max(1e-3));
        format!("{rows} rows in {seconds:.1} s, {rate:.0}/s")
    }

    fn print_json(&self, (from, to): (&str, &str)) {
        let part = |counted: &Counted| {
            json!({
                "part": counted.part.as_str(),
                "source": counted.source,
                "target": counted.target,
            })
        };
        out::json(&json!({
            "from": from,
            "to": to,
            "dry_run": self.dry_run,
            "records": self.records,
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
            "sampled": self.sampled,
            "differing": self.differing,
            "epoch": self.epoch.map(|epoch| epoch.0),
            "seconds": self.seconds,
        }));
    }

    fn print_table(&self, (from, to): (&str, &str)) {
        match self.dry_run {
            true => out::line(format!("would copy {from} to {to}")),
            false => out::line(format!("copied {from} to {to}: {}", self.speed())),
        }
        let mut rows = vec![vec!["records".to_owned(), self.records.to_string(), String::new()]];
        rows.extend(self.parts.iter().map(|Counted { part, source, target }| {
            let target = if self.dry_run { String::new() } else { target.to_string() };
            vec![part.as_str().to_owned(), source.to_string(), target]
        }));
        out::table(&["PART", "SOURCE", "TARGET"], rows);
        if self.dry_run {
            return;
        }
        let (sampled, differing) = (self.sampled, self.differing);
        out::line(format!("compared {sampled} sessions one by one: {differing} differ"));
        if let Some(epoch) = self.epoch {
            out::line(format!("store epoch {} is open in the target; serve from it now", epoch.0));
            out::line(
                "Keep the old store, and serve from it no more: what happens here is not there.",
            );
        }
    }
}
