//! `symbolon sessions expire`: revoke many at once, and look beforehand.

use crate::cli::api::{Api, ApiArgs};
use crate::cli::instant::parse_instant;
use crate::cli::sessions::say_verifiers;
use crate::cli::show::text;
use crate::cli::{Failure, out};
use crate::clock::civil_now;
use crate::config::{duration_text, parse_duration};
use clap::{ArgGroup, Args};
use http::Method;
use serde_json::{Map, Value, json};
use symbolon_core::{Duration, Timestamp};

/// Members of a filter that are times, given as how long ago.
const TIMES: [&str; 3] = ["created_before", "created_after", "last_active_before"];

/// What to revoke, and why.
#[derive(Args)]
#[command(group(
    ArgGroup::new("target")
        .required(true)
        .multiple(true)
        .args(["subject", "client_id", "jti", "everything", "only", "before"])
))]
pub struct ExpireArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// All sessions of this subject
    #[arg(long, conflicts_with_all = ["client_id", "jti", "everything", "only", "before"])]
    subject: Option<String>,
    /// All sessions of this client; with --before, those of them
    #[arg(long, conflicts_with_all = ["jti", "everything", "only"])]
    client_id: Option<String>,
    /// One access token, by its name; its session goes on
    #[arg(long, allow_hyphen_values = true, conflicts_with_all = ["everything", "only", "before"])]
    jti: Option<String>,
    /// All sessions there are
    #[arg(long, conflicts_with_all = ["only", "before"])]
    everything: bool,
    /// Sessions that this holds of, such as device_class=app or last_active_before=30d; all that are given
    /// must hold
    #[arg(long, value_name = "NAME=VALUE")]
    only: Vec<String>,
    /// Sessions that began before this: an instant in UTC, such as 2026-11-21T06:00:00Z, or how long ago, such as
    /// 12h; with --only, those of them
    #[arg(long, value_name = "WHEN", value_parser = parse_before)]
    before: Option<Before>,
    /// Only have access tokens renewed: nobody signs in again
    #[arg(long, conflicts_with_all = ["only", "before"])]
    renew: bool,
    /// Say what would be hit, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do nothing if more sessions than this would be hit
    #[arg(long, value_name = "COUNT")]
    expect_at_most: Option<u64>,
    /// Why, for the people who are signed out
    #[arg(long, default_value = "admin")]
    reason: String,
    /// Why, for colleagues who read the history
    #[arg(long)]
    note: Option<String>,
    /// Wait until every verifier has applied it, at most so long, such as 2s
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    wait: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Before when a session began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Before {
    At(Timestamp),
    Ago(Duration),
}

impl Before {
    fn instant(self) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(span) => civil_now().before(span),
        }
    }
}

/// Revokes, or says what that would hit.
///
/// # Errors
/// It was refused, or the authority did not answer.
pub async fn run(args: ExpireArgs) -> Result<(), Failure> {
    let body = body(&args)?;
    let answer =
        Api::new(args.api.clone())?.call(Method::POST, "/v1/revocations", Some(&body)).await?;
    if args.json {
        out::json(&answer);
        return Ok(());
    }
    say_matched(&args, &answer);
    say_verifiers(&answer);
    Ok(())
}

fn say_matched(args: &ExpireArgs, answer: &Value) {
    let matched = answer["matched"].as_u64().unwrap_or_default();
    let verb = match (args.dry_run, args.renew) {
        (true, _) => "would be hit",
        (false, true) => "must renew",
        (false, false) => "ended",
    };
    let what = if args.jti.is_some() { "token" } else { "session" };
    let plural = if matched == 1 { "" } else { "s" };
    out::line(format!("{matched} {what}{plural} {verb}"));
    let sample = answer["sample"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !sample.is_empty() {
        let row = |hit: &Value| {
            ["session_id", "subject", "client_id"].map(|name| text(&hit[name])).to_vec()
        };
        out::table(&["SESSION", "SUBJECT", "CLIENT"], sample.iter().map(row).collect());
    }
    if (sample.len() as u64) < matched && !sample.is_empty() {
        out::note(format!("These are {} of {matched}.", sample.len()));
    }
}

fn body(args: &ExpireArgs) -> Result<Value, Failure> {
    let mut body = json!({
        "target": target(args)?,
        "effect": if args.renew { "stale" } else { "revoked" },
        "reason": args.reason,
        "dry_run": args.dry_run,
    });
    if let Some(note) = &args.note {
        body["note"] = json!(note);
    }
    if let Some(wait) = args.wait {
        body["wait"] = json!(duration_text(wait));
    }
    if let Some(count) = args.expect_at_most {
        body["expect_at_most"] = json!(count);
    }
    Ok(body)
}

fn target(args: &ExpireArgs) -> Result<Value, Failure> {
    Ok(match (&args.subject, &args.client_id, &args.jti) {
        (Some(subject), _, _) => json!({ "sub": subject }),
        (None, Some(client), _) => match args.before {
            None => json!({ "client_id": client }),
            before @ Some(_) => {
                json!({ "filter": filter(&[format!("client_id={client}")], before)? })
            }
        },
        (None, None, Some(jti)) => json!({ "jti": jti }),
        (None, None, None) if args.everything => json!({ "everything": true }),
        (None, None, None) => json!({ "filter": filter(&args.only, args.before)? }),
    })
}

fn filter(conditions: &[String], before: Option<Before>) -> Result<Value, Failure> {
    let mut filter = Map::new();
    if let Some(before) = before {
        filter.insert("created_before".to_owned(), json!(before.instant().as_seconds()));
    }
    for condition in conditions {
        let Some((name, value)) = condition.split_once('=') else {
            let what = format!("`--only {condition}` is not NAME=VALUE, such as device_class=app");
            return Err(Failure::wrong_usage(what));
        };
        let value = match TIMES.contains(&name) {
            true => json!(civil_now().before(ago(condition, value)?).as_seconds()),
            false => json!(value),
        };
        if filter.insert(name.to_owned(), value).is_some() {
            let beside = if name == "created_before" { " (`--before` says the same)" } else { "" };
            let what = format!("`--only {name}=…` is given twice{beside}");
            return Err(Failure::wrong_usage(what));
        }
    }
    Ok(Value::Object(filter))
}

/// Reads an instant in UTC, or a span.
fn parse_before(text: &str) -> Result<Before, String> {
    if !text.ends_with('Z') {
        return parse_duration(text).map(Before::Ago);
    }
    parse_instant(text).map(Before::At)
}

fn ago(condition: &str, value: &str) -> Result<Duration, Failure> {
    parse_duration(value).map_err(|why| {
        Failure::wrong_usage(format!("`--only {condition}` does not say how long ago")).because(why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_become_members_and_times_are_counted_back() {
        let conditions = ["device_class=app", "last_active_before=1h"].map(str::to_owned);
        let filter = filter(&conditions, None).ok().unwrap();
        assert_eq!(filter["device_class"], "app");
        let ago = civil_now().as_seconds() - filter["last_active_before"].as_u64().unwrap();
        assert!((3599..=3601).contains(&ago), "{ago}");
    }

    #[test]
    fn conditions_that_are_none_are_refused() {
        for wrong in [&["app"][..], &["a=1", "a=2"], &["created_before=yesterday"]] {
            let wrong: Vec<_> = wrong.iter().map(|text| (*text).to_owned()).collect();
            assert!(filter(&wrong, None).is_err(), "{wrong:?}");
        }
        let twice = ["created_before=1h".to_owned()];
        assert!(filter(&twice, Some(Before::Ago(Duration::from_secs(1)))).is_err());
    }

    #[test]
    fn before_is_an_instant_or_how_long_ago() {
        let at = Timestamp::from_seconds(1_795_240_800);
        assert_eq!(parse_before("2026-11-21T06:00:00Z"), Ok(Before::At(at)));
        assert_eq!(parse_before("12h"), Ok(Before::Ago(Duration::from_secs(12 * 3600))));
        for wrong in ["yesterday", "Z", "2026-11-21T06:00:00", "2026-11-21"] {
            assert!(parse_before(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            filter(&[], Some(Before::At(at))).ok().unwrap()["created_before"],
            1_795_240_800
        );
    }
}
