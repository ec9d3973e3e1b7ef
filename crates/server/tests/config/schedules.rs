//! Schedules, right and wrong.

use std::path::Path;
use std::time::Duration;
use symbolon::config::{Config, Sources};
use symbolon_core::Reason;
use symbolon_core::schedule::{Schedule, Weekday, When};

fn read(lines: &str) -> Result<Vec<Schedule>, Vec<String>> {
    let text = format!(
        "issuer = \"https://id.example.com\"\nstore = \"sqlite:symbolon.db\"\n[[audiences]]\n\
         name = \"api\"\n[[clients]]\nclient_id = \"web\"\naudience = [\"api\"]\n\
         [[schedules]]\nname = \"nightly\"\n{lines}\n"
    );
    let (name, base) = ("s.toml", Path::new("/etc/symbolon"));
    let sources = Sources { name, text: &text, base, variables: &[], flags: &[] };
    let read = Config::read(&sources).map(|config| config.schedules);
    read.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_schedule_says_when_and_whom() {
    let at = "at = [\"03:30\", \"23:59\"]\ndays = [\"mon\", \"sun\"]\nclients = [\"web\"]\n\
              device_classes = [\"web\"]\nolder_than = \"12h\"\nunused_for = \"1h\"\nreason = \"admin\"";
    let [own] = &*read(at).unwrap() else { panic!("one schedule") };
    let times = vec![Duration::from_secs(12_600), Duration::from_secs(86_340)];
    assert_eq!(own.when, When::At(times, vec![Weekday::Monday, Weekday::Sunday]));
    assert_eq!((&*own.name, own.clients.len(), own.device_classes.len()), ("nightly", 1, 1));
    assert_eq!(own.older_than, Some(Duration::from_secs(43_200)));
    assert_eq!((own.unused_for, own.reason), (Some(Duration::from_secs(3600)), Reason::Admin));
    let [plain] = &*read("every = \"6h\"").unwrap() else { panic!("one schedule") };
    assert_eq!(plain.when, When::Every(Duration::from_secs(21_600)));
    assert_eq!((plain.clients.len(), plain.reason), (0, Reason::Expired));
}

#[test]
fn a_plan_that_is_none_is_refused_with_the_way_out() {
    let day = "is no time of the day from \"00:00\" to \"23:59\" (UTC)";
    for (lines, said) in [
        ("", "at: is missing: say when, `at = [\"03:30\"]` (UTC) or `every = \"24h\"`".to_owned()),
        ("at = []", "at: names no time of the day, such as \"03:30\"".to_owned()),
        ("at = [\"03:30\"]\nevery = \"1h\"", "every: and `at` are two plans; keep one".to_owned()),
        ("every = \"1h\"\ndays = [\"mon\"]", "days: goes with `at`; leave it out beside `every`".to_owned()),
        ("every = \"60500ms\"", "every: is not whole seconds".to_owned()),
        ("every = \"30s\"", "every: 30s is below the least, 1min".to_owned()),
        (
            "at = [\"03:30\"]\nclients = [\"wep\"]",
            "clients[0]: there is no client \"wep\"; did you mean \"web\"?".to_owned(),
        ),
        (
            "at = [\"03:30\"]\ndays = [\"monday\"]",
            "days[0]: \"monday\" is none of mon, tue, wed, thu, fri, sat, sun".to_owned(),
        ),
        (
            "at = [\"03:30\"]\ndevice_classes = [\"tv\"]",
            "device_classes[0]: \"tv\" is none of web, app, mini_program, desktop, iot, service, other".to_owned(),
        ),
    ] {
        let found = read(lines).err().unwrap_or_default();
        let [found] = &*found else { panic!("{lines}: {found:?}") };
        assert_eq!(found.split_once(": schedules.nightly.").unwrap().1, said, "{lines}");
    }
    for time in ["24:00", "3:30", "03:60", "0330", "03:3", "+3:30", "03:30:00"] {
        let found = read(&format!("at = [\"{time}\"]")).err().unwrap_or_default();
        assert!(found.iter().any(|one| one.ends_with(day)), "{time}: {found:?}");
    }
}
