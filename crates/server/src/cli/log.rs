//! `symbolon log`: the history, for people and for scripts.

use crate::cli::api::{Api, ApiArgs};
use crate::cli::show::{text, time, with_query};
use crate::cli::{Failure, out};
use crate::clock::civil_now;
use crate::config::parse_duration;
use clap::{Args, ValueEnum};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most events that are read for one answer. Inclusive; beyond it the answer says that there are
/// more.
const EVENTS_MAX: usize = 100_000;

/// Which part of the history.
#[derive(Args)]
pub struct LogArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Of the last 30min, 1h, 7d
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    since: Duration,
    /// About this subject and its sessions
    #[arg(long)]
    subject: Option<String>,
    /// About this session, and what ended it from above
    #[arg(long, allow_hyphen_values = true)]
    sid: Option<String>,
    /// Of this reason
    #[arg(long)]
    reason: Option<String>,
    /// Count instead of listing, such as reason,client
    #[arg(long, value_delimiter = ',', value_name = "MEMBERS")]
    group_by: Vec<Group>,
    /// Print JSON, one line for each event or group
    #[arg(long)]
    json: bool,
}

/// What events can be counted by.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    Reason,
    Client,
    Subject,
    By,
    Kind,
    Effect,
}

impl Group {
    const fn member(self) -> &'static str {
        match self {
            Self::Reason => "reason",
            Self::Client => "client_id",
            Self::Subject => "subject",
            Self::By => "by",
            Self::Kind => "kind",
            Self::Effect => "effect",
        }
    }
}

/// Shows the history.
///
/// # Errors
/// It was refused, or the authority did not answer.
pub async fn run(args: LogArgs) -> Result<(), Failure> {
    let (events, more) = read(&args).await?;
    match (args.group_by.is_empty(), args.json) {
        (true, true) => events.iter().for_each(out::json),
        (true, false) => out::table(
            &["AT", "EFFECT", "REASON", "SUBJECT", "CLIENT", "SESSION", "BY", "FROM", "NOTE"],
            events.iter().map(row).collect(),
        ),
        (false, json) => say_groups(&args.group_by, &events, json),
    }
    if more {
        out::note(format!("There are more than {EVENTS_MAX}; ask for less with --since."));
    }
    Ok(())
}

/// All events that are asked for, and whether there are more.
async fn read(args: &LogArgs) -> Result<(Vec<Value>, bool), Failure> {
    let since = civil_now().before(args.since).as_seconds().to_string();
    let members = [
        ("subject", args.subject.as_deref()),
        ("sid", args.sid.as_deref()),
        ("reason", args.reason.as_deref()),
        ("since", Some(&*since)),
    ];
    events(&mut Api::new(args.api.clone())?, &members).await
}

/// All events with these members, page by page, and whether there are more than are read for one answer.
///
/// # Errors
/// It was refused, or the authority did not answer.
pub async fn events(
    api: &mut Api,
    members: &[(&str, Option<&str>)],
) -> Result<(Vec<Value>, bool), Failure> {
    events_until(api, members, u64::MAX).await
}

/// The same, as far as this instant in seconds. Inclusive.
///
/// # Errors
/// It was refused, or the authority did not answer.
pub async fn events_until(
    api: &mut Api,
    members: &[(&str, Option<&str>)],
    until: u64,
) -> Result<(Vec<Value>, bool), Failure> {
    let late = |event: &Value| event["at"].as_u64().is_some_and(|at| until < at);
    let (mut events, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let paging = [("limit", Some("200")), ("cursor", cursor.as_deref())];
        let path = with_query("/v1/events".to_owned(), &[members, &paging].concat());
        let mut page = api.call(Method::GET, &path, None).await?;
        if let Value::Array(items) = page["items"].take() {
            events.extend(items);
        }
        // They come oldest first.
        if events.last().is_some_and(late) {
            events.retain(|event| !late(event));
            return Ok((events, false));
        }
        let next = page["next"].as_str().map(str::to_owned);
        if next.is_none() || EVENTS_MAX <= events.len() {
            return Ok((events, next.is_some()));
        }
        cursor = next;
    }
}

fn row(event: &Value) -> Vec<String> {
    let of = |member: &str| text(&event[member]);
    // What revoked nothing is told by what it changed.
    let effect = if event["change"].is_null() { of("effect") } else { of("change") };
    vec![
        time(&event["at"]),
        effect,
        of("reason"),
        of("subject"),
        of("client_id"),
        of("session_id"),
        of("by"),
        of("ip"),
        of("note"),
    ]
}

fn say_groups(by: &[Group], events: &[Value], json: bool) {
    let mut counts = BTreeMap::<Vec<String>, u64>::new();
    for event in events {
        let key = by.iter().map(|group| text(&event[group.member()])).collect();
        *counts.entry(key).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    if json {
        for (key, count) in counts {
            let names = by.iter().map(|group| group.member().to_owned());
            let mut line: serde_json::Map<_, _> =
                names.zip(key.into_iter().map(Value::from)).collect();
            line.insert("count".to_owned(), json!(count));
            out::json(&line);
        }
        return;
    }
    let head = by.iter().map(|group| group.member().to_uppercase()).collect::<Vec<_>>();
    let mut head: Vec<_> = head.iter().map(String::as_str).collect();
    head.push("COUNT");
    let with_count = |(mut key, count): (Vec<String>, u64)| {
        key.push(count.to_string());
        key
    };
    out::table(&head, counts.into_iter().map(with_count).collect());
}
