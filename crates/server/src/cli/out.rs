//! The one file that writes to standard output and standard error.
//!
//! A reader that went away (`symbolon sessions list | head`) is no error, so failures are ignored.

use comfy_table::{Table, presets};
use serde::Serialize;
use std::io::Write;

/// Writes a line for the person or program that asked.
pub fn line(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
}

/// Writes a value as one line of JSON.
pub fn json(value: &impl Serialize) {
    let text =
        serde_json::to_string(value).expect("our answers have text keys and no failing types");
    line(text);
}

/// Writes a line beside the answer: questions, progress, errors.
pub fn note(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
}

/// Writes a question, and leaves the cursor behind it.
pub fn ask(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{text} ").and_then(|()| stderr.flush());
}

/// Writes rows under a head.
pub fn table(head: &[&str], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.to_vec()).add_rows(rows);
    for row in table.lines() {
        line(row.strip_prefix(' ').unwrap_or(&row).trim_end());
    }
}

/// An instant in seconds since 1970 as people write it, in UTC.
pub fn utc(seconds: u64) -> String {
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(day);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// The Gregorian date of a day since 1970-01-01, by Howard Hinnant's `civil_from_days`.
fn civil(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let later = u64::from(month <= 2);
    (era * 400 + year + later, month, of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_as_dates() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_767_225_599, "2025-12-31 23:59:59Z"),
            (2_147_483_648, "2038-01-19 03:14:08Z"),
        ] {
            assert_eq!(utc(seconds), text);
        }
    }
}
