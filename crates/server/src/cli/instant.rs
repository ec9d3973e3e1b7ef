//! Instants as people write them: as this program prints them, and as RFC 3339 has them.

use symbolon_core::Timestamp;

/// Reads an instant in UTC and whole seconds (RFC 3339 §5.6); leap seconds are none.
///
/// # Errors
/// What is expected instead, as the end of a sentence.
pub fn parse_instant(text: &str) -> Result<Timestamp, String> {
    read(text)
        .ok_or_else(|| format!("{text:?} is no instant in UTC, such as \"2026-11-21T06:00:00Z\""))
}

fn read(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once(['T', ' '])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hours, minutes, seconds] = numbers(time, ':', [2, 2, 2])?;
    if year < 1970 || hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let february = if is_leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (before, from) = months.split_at_checked(usize::try_from(month.checked_sub(1)?).ok()?)?;
    if !(1..=*from.first()?).contains(&day) {
        return None;
    }
    let leap_days = (1970..year).filter(|year| is_leap(*year)).count() as u64;
    let days = (year - 1970) * 365 + leap_days + before.iter().sum::<u64>() + day - 1;
    Some(Timestamp::from_seconds(((days * 24 + hours) * 60 + minutes) * 60 + seconds))
}

/// Three numbers of so many digits each.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(between);
    let mut read = [0; 3];
    for (number, digits) in read.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits)?;
        *number = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::out;

    #[test]
    fn an_instant_is_read_as_it_is_printed() {
        for seconds in [0, 68_255_999, 951_868_800, 1_735_648_496, 1_795_240_800, 4_107_542_400] {
            let printed = out::utc(seconds);
            assert_eq!(parse_instant(&printed), Ok(Timestamp::from_seconds(seconds)), "{printed}");
        }
        // 20 years day by day, over leap days and the ends of months.
        for day in 0..20 * 366 {
            let at = Timestamp::from_seconds(1_577_836_800 + day * 86_400);
            assert_eq!(parse_instant(&out::utc(at.as_seconds())), Ok(at));
        }
        let strict = parse_instant("2026-11-21T06:00:00Z");
        assert_eq!(strict, Ok(Timestamp::from_seconds(1_795_240_800)));
    }

    #[test]
    fn what_the_calendar_does_not_have_is_refused() {
        for wrong in [
            "",
            "Z",
            "2026-11-21T06:00:00",
            "2026-11-21T06:00:00+08:00",
            "2026-11-21T6:00:00Z",
            "2026-11-21T06:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T06:60:00Z",
            "2026-11-21T06:00:60Z",
            "2026-00-21T06:00:00Z",
            "2026-13-21T06:00:00Z",
            "2026-11-00T06:00:00Z",
            "2026-11-31T06:00:00Z",
            "2026-02-29T06:00:00Z",
            "2100-02-29T06:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-21-01T06:00:00Z",
            "+026-11-21T06:00:00Z",
        ] {
            assert!(parse_instant(wrong).is_err(), "{wrong}");
        }
    }
}
