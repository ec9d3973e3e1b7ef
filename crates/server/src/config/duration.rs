//! Durations as people write them: an integer and `ms`, `s`, `min`, `h` or `d`.

use std::time::Duration;

/// The units, the largest first, with their milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)];

/// Reads a duration strictly: digits, then a unit, and nothing else.
///
/// # Errors
/// What is expected instead, as the end of a sentence.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    read(text).ok_or_else(|| {
        format!(
            "{text:?} is not a duration; \
             write an integer and ms, s, min, h or d, such as \"10s\" or \"5min\""
        )
    })
}

fn read(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    if number.len() > 1 && number.starts_with('0') {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}

/// Writes a duration in the largest unit that loses nothing.
pub fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    let whole = |(_, unit): &(&str, u64)| millis.is_multiple_of(u128::from(*unit));
    let (name, unit) = UNITS.into_iter().find(whole).unwrap_or(("ms", 1));
    format!("{}{name}", millis / u128::from(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_an_integer_and_a_unit() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("10s", 10_000),
            ("5min", 300_000),
            ("2h", 7_200_000),
            ("14d", 1_209_600_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(duration_text(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn nothing_else_is_a_duration() {
        for text in [
            "",
            "10",
            "s",
            " 10s",
            "10s ",
            "10 s",
            "1.5h",
            "-1s",
            "+1s",
            "10S",
            "10m",
            "10sec",
            "1d1h",
            "010s",
            "٣s",
            "99999999999999999999s",
            "18446744073709551615d",
            "1e3s",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
