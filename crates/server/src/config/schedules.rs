//! `[[schedules]]`: sessions that end because it is time.

use crate::config::Client;
use crate::config::build::{name, read};
use crate::config::check::Members;
use crate::config::duration::duration_text;
use crate::config::place::{Problems, nearest};
use std::collections::BTreeMap;
use symbolon_core::device::DeviceClass;
use symbolon_core::schedule::{Schedule, Weekday, When};
use symbolon_core::{ClientId, Duration, Reason};

/// When a schedule is due, as people read it.
pub fn when_text(when: &When) -> String {
    match when {
        When::Every(every) => format!("every {} (UTC)", duration_text(*every)),
        When::At(times, days) => {
            let minutes = |time: &Duration| time.as_secs() / 60;
            let clock = |time| format!("{:02}:{:02}", minutes(time) / 60, minutes(time) % 60);
            let times: Vec<_> = times.iter().map(clock).collect();
            let days: Vec<_> = days.iter().map(|day| day.as_str()).collect();
            let on =
                if days.is_empty() { String::new() } else { format!(" on {}", days.join(", ")) };
            format!("at {} UTC{on}", times.join(", "))
        }
    }
}

/// Builds the schedules, in the order of the file.
pub(super) fn schedules(
    root: &Members,
    clients: &BTreeMap<ClientId, Client>,
    problems: &mut Problems,
) -> Vec<Schedule> {
    let mut schedules: Vec<Schedule> = Vec::new();
    for row in root.rows("schedules") {
        let Some(schedule) = schedule(row, clients, problems) else { continue };
        if schedules.iter().any(|other| other.name == schedule.name) {
            let what = format!("there is another schedule {:?}; names are unique", schedule.name);
            problems.add(row.place_of("name"), row.path_of("name"), what);
        }
        schedules.push(schedule);
    }
    schedules
}

fn schedule(
    row: &Members,
    clients: &BTreeMap<ClientId, Client>,
    problems: &mut Problems,
) -> Option<Schedule> {
    let name = read(row, "name", problems, name);
    let when = when(row, problems);
    let classes = each(row, "device_classes", problems, |word| {
        let words = DeviceClass::ALL.map(DeviceClass::as_str).join(", ");
        DeviceClass::parse(word).ok_or_else(|| format!("{word:?} is none of {words}"))
    });
    let clients = each(row, "clients", problems, |id| client(id, clients));
    Some(Schedule {
        name: name?,
        when: when?,
        clients,
        device_classes: classes,
        older_than: row.duration("older_than"),
        unused_for: row.duration("unused_for"),
        reason: row.text("reason").and_then(Reason::parse).unwrap_or(Reason::Expired),
    })
}

fn when(row: &Members, problems: &mut Problems) -> Option<When> {
    let times = each(row, "at", problems, time);
    let days = each(row, "days", problems, |word| {
        let words = "mon, tue, wed, thu, fri, sat, sun";
        Weekday::parse(word).ok_or_else(|| format!("{word:?} is none of {words}"))
    });
    let every = row.duration("every");
    let (place, what) = match (every, row.has("at"), row.has("days")) {
        (None, true, _) if row.texts("at").is_empty() => {
            ("at", "names no time of the day, such as \"03:30\"")
        }
        (None, true, _) => return Some(When::At(times, days)),
        (Some(every), false, false) if every.subsec_nanos() == 0 => {
            return Some(When::Every(every));
        }
        (Some(_), false, false) => ("every", "is not whole seconds"),
        (Some(_), true, _) => ("every", "and `at` are two plans; keep one"),
        (Some(_), false, true) => ("days", "goes with `at`; leave it out beside `every`"),
        (None, false, _) if !row.sound => return None,
        (None, false, _) => {
            ("at", "is missing: say when, `at = [\"03:30\"]` (UTC) or `every = \"24h\"`")
        }
    };
    problems.add(row.place_of(place), row.path_of(place), what);
    None
}

/// Reads each text of a list; what is wrong with one becomes a problem.
fn each<T>(
    row: &Members,
    name: &str,
    problems: &mut Problems,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let mut read = Vec::new();
    for (at, (place, text)) in row.texts(name).iter().enumerate() {
        match parse(text) {
            Ok(value) => read.push(value),
            Err(what) => problems.add(place, format!("{}[{at}]", row.path_of(name)), what),
        }
    }
    read
}

/// A time of the day in UTC: `HH:MM`, both of two digits.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time of the day from \"00:00\" to \"23:59\" (UTC)");
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let number = |digits: &str, most: u64| {
        let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse().ok().filter(|number: &u64| plain && *number <= most)
    };
    let (hours, minutes) = number(hours, 23).zip(number(minutes, 59)).ok_or_else(wrong)?;
    Ok(Duration::from_secs((hours * 60 + minutes) * 60))
}

fn client(id: &str, clients: &BTreeMap<ClientId, Client>) -> Result<ClientId, String> {
    let known = clients.keys().find(|client| client.as_str() == id);
    known.cloned().ok_or_else(|| match nearest(id, clients.keys().map(ClientId::as_str)) {
        Some(near) => format!("there is no client {id:?}; did you mean {near:?}?"),
        None => format!("there is no client {id:?}; add it under [[clients]]"),
    })
}
