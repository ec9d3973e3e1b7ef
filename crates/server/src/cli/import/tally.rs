//! What became of the lines of a file.

use crate::cli::out;
use crate::cli::stopwatch::Stopwatch;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use symbolon_core::{Denial, Reason};
use symbolon_store::Brought;

/// How many wrong lines stand in the JSON answer. Inclusive; all are told as they are found.
const LISTED_MAX: usize = 1000;

/// How many lines there were, of each kind.
#[derive(Default)]
pub(super) struct Tally {
    lines: u64,
    imported: u64,
    already_there: u64,
    expired: u64,
    cut: u64,
    roles_kept: u64,
    /// Lines that are wrong, or refused.
    pub(super) bad: u64,
    listed: Vec<Value>,
}

impl Tally {
    /// Counts a line that is wrong, and says so above the bar.
    pub(super) fn wrong(&mut self, number: u64, why: &str, bar: &ProgressBar) {
        bar.suspend(|| out::note(format!("line {number}: {why}")));
        self.left_out(number, why);
    }

    /// Counts a line that is wrong.
    pub(super) fn left_out(&mut self, number: u64, why: &str) {
        (self.lines, self.bad) = (self.lines + 1, self.bad + 1);
        if self.listed.len() < LISTED_MAX {
            self.listed.push(json!({"line": number, "why": why}));
        }
    }

    /// Counts what would become of a line that is right, and says above the bar if it may not come.
    pub(super) fn brought(&mut self, number: u64, brought: Brought, bar: &ProgressBar) {
        if let Brought::Refused(denial) = brought {
            bar.suspend(|| out::note(format!("line {number}: {}", refused(denial))));
        }
        self.brought_in(number, brought);
    }

    /// Counts what became of a line that is right.
    pub(super) fn brought_in(&mut self, number: u64, brought: Brought) {
        match brought {
            Brought::New { cut, roles_kept } => {
                self.imported += 1;
                self.cut += u64::from(cut);
                self.roles_kept += u64::from(roles_kept);
            }
            Brought::AlreadyThere => self.already_there += 1,
            Brought::Over => self.expired += 1,
            Brought::Refused(denial) => return self.left_out(number, &refused(denial)),
        }
        self.lines += 1;
    }

    /// Counts lines of which each repeats the token of one before it.
    pub(super) fn repeated(&mut self, lines: u64) {
        (self.lines, self.already_there) = (self.lines + lines, self.already_there + lines);
    }

    /// The same, where what is right did not come because of what is wrong.
    pub(super) fn without_what_would_come(mut self) -> Self {
        (self.imported, self.cut, self.roles_kept) = (0, 0, 0);
        self
    }

    /// Says it, to people or programs.
    pub(super) fn print(&self, json: bool, (dry_run, watch): (bool, Stopwatch)) {
        let seconds = watch.elapsed().as_secs_f64();
        if json {
            out::json(&json!({
                "dry_run": dry_run,
                "lines": self.lines,
                "imported": self.imported,
                "already_there": self.already_there,
                "expired": self.expired,
                "cut": self.cut,
                "roles_kept": self.roles_kept,
                "bad": self.bad,
                "bad_lines": self.listed,
                "seconds": (seconds * 1000.0).round() / 1000.0,
            }));
            return;
        }
        let imported = if dry_run { "would come" } else { "imported" };
        for (count, what, meaning) in [
            (self.imported, imported, "sessions that go on here"),
            (self.cut, "  cut", "of these, end earlier: at their client's absolute end"),
            (self.roles_kept, "  roles kept", "of these, whose subject has other roles here"),
            (self.already_there, "already there", "brought in before"),
            (self.expired, "expired", "over by their own end, or their client's absolute end"),
            (self.bad, "bad", "lines that are wrong or refused"),
        ] {
            out::line(format!("{what:<14} {count:>10}  {meaning}"));
        }
    }
}

fn refused(denial: Denial) -> String {
    format!("refused: {}", denial.reason().map_or("not allowed", Reason::as_str))
}
