//! What a client's tokens ask of verifiers, and what ends its sessions beside their timeouts.

use super::{Line, line};
use crate::config::{Client, Config, duration_text};
use symbolon_core::schedule::{Schedule, When};

/// A line for each; none where nothing of it is set.
pub(super) fn lines(config: &Config, client: &Client) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(age) = client.policy.staleness {
        lines.push(line(
            "staleness",
            &duration_text(age),
            "no verifier lets its tokens in by older knowledge, whatever its route allows; one that follows no feed \
             asks, or refuses",
        ));
    }
    let once = config.audiences.iter().filter(|own| own.one_use);
    for audience in once.filter(|own| client.audience.contains(&own.name)) {
        let means = "each token for it lets in once: a renewal and a write for each request";
        lines.push(line("one_use", &audience.name, means));
    }
    let due = config.schedules.iter().filter(|_| client.preset.has_sessions());
    let due = due.filter(|own| own.clients.is_empty() || own.clients.contains(&client.id));
    lines.extend(due.map(|own| Line {
        setting: "schedules",
        value: own.name.to_string(),
        means: format!("sessions end {}, whoever is in the middle of something too", when(own)),
    }));
    lines
}

fn when(schedule: &Schedule) -> String {
    match &schedule.when {
        When::Every(every) => format!("every {} (UTC)", duration_text(*every)),
        When::At(times, days) => {
            let minutes = |time: &std::time::Duration| time.as_secs() / 60;
            let clock = |time| format!("{:02}:{:02}", minutes(time) / 60, minutes(time) % 60);
            let times: Vec<_> = times.iter().map(clock).collect();
            let days: Vec<_> = days.iter().map(|day| day.as_str()).collect();
            let on =
                if days.is_empty() { String::new() } else { format!(" on {}", days.join(", ")) };
            format!("at {} UTC{on}", times.join(", "))
        }
    }
}
