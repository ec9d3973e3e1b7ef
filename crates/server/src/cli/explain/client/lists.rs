//! What a client's tokens ask of verifiers, and what ends its sessions beside their timeouts.

use super::{Line, line};
use crate::config::{Client, Config, duration_text, when_text};

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
        means: format!(
            "sessions end {}, whoever is in the middle of something too",
            when_text(&own.when)
        ),
    }));
    lines
}
