//! `symbolon sessions`: look at sessions, and end them.

use crate::cli::api::{Api, ApiArgs};
use crate::cli::expire::{self, ExpireArgs};
use crate::cli::net::escape;
use crate::cli::show::{printable, text, time, with_query};
use crate::cli::step_up::{self, StepUpArgs};
use crate::cli::{Failure, out};
use crate::config::parse_duration;
use clap::{ArgGroup, Args, Subcommand};
use http::Method;
use serde_json::Value;
use std::time::Duration;

/// What may be done with sessions.
#[derive(Subcommand)]
pub enum Command {
    /// List sessions
    List(ListArgs),
    /// Show one session
    Show(ShowArgs),
    /// End one session, or a subject's
    Kick(KickArgs),
    /// Say that a person proved more in a session: a code after a password, say
    StepUp(StepUpArgs),
    /// Revoke many at once: a subject, a client, some or all sessions; look first with --dry-run
    Expire(ExpireArgs),
}

/// Which sessions to list.
#[derive(Args)]
pub struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Of this subject
    #[arg(long)]
    subject: Option<String>,
    /// Of this client
    #[arg(long)]
    client_id: Option<String>,
    /// In this state
    #[arg(long, value_parser = ["active", "ended", "all"])]
    state: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=200))]
    limit: u8,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which session to show.
#[derive(Args)]
pub struct ShowArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The session's id: 22 characters, as `sessions list` shows it
    #[arg(allow_hyphen_values = true)]
    sid: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which sessions to end, and why.
#[derive(Args)]
#[command(group(ArgGroup::new("whose").required(true).args(["sid", "subject"])))]
pub struct KickArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The session's id: 22 characters, as `sessions list` shows it
    #[arg(allow_hyphen_values = true)]
    sid: Option<String>,
    /// Every session of this subject
    #[arg(long)]
    subject: Option<String>,
    /// But not this session
    #[arg(long, value_name = "SID", requires = "subject", allow_hyphen_values = true)]
    except: Option<String>,
    /// Only on devices of this class
    #[arg(long, value_name = "CLASS", requires = "subject")]
    device_class: Option<String>,
    /// Only on this device
    #[arg(long, value_name = "ID", requires = "subject")]
    device_id: Option<String>,
    /// Only through this client
    #[arg(long, requires = "subject")]
    client_id: Option<String>,
    /// Why, for the person who is signed out [default: kicked]
    #[arg(long)]
    reason: Option<String>,
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

/// Runs one of them.
///
/// # Errors
/// It was refused, or the authority did not answer.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List(args) => list(args).await,
        Command::Show(args) => show(args).await,
        Command::Kick(args) => kick(args).await,
        Command::StepUp(args) => step_up::run(args).await,
        Command::Expire(args) => expire::run(args).await,
    }
}

async fn list(args: ListArgs) -> Result<(), Failure> {
    let path = match &args.subject {
        Some(subject) => format!("/v1/subjects/{}/sessions", escape(subject)),
        None => "/v1/sessions".to_owned(),
    };
    let limit = args.limit.to_string();
    let path = with_query(
        path,
        &[
            ("client_id", args.client_id.as_deref()),
            ("state", args.state.as_deref()),
            ("limit", Some(&limit)),
        ],
    );
    let page = Api::new(args.api)?.call(Method::GET, &path, None).await?;
    if args.json {
        out::json(&page);
        return Ok(());
    }
    let items = page["items"].as_array().cloned().unwrap_or_default();
    out::table(
        &["SESSION", "SUBJECT", "CLIENT", "DEVICE", "STATE", "LAST ACTIVE", "ENDS"],
        items.iter().map(row).collect(),
    );
    if page.get("next").is_some_and(Value::is_string) {
        out::note(format!("There are more than {limit}; ask with --limit or --client-id."));
    }
    Ok(())
}

fn row(session: &Value) -> Vec<String> {
    let ends = session["expires_at"].as_u64().min(session["idle_expires_at"].as_u64());
    vec![
        text(&session["session_id"]),
        text(&session["subject"]),
        text(&session["client_id"]),
        device(&session["device"]),
        state(session),
        time(&session["last_active_at"]),
        ends.map(out::utc).unwrap_or_default(),
    ]
}

fn device(device: &Value) -> String {
    let name = device["name"].as_str().map(printable);
    let id = device["id"].as_str().map(|id| format!("id {}", printable(id)));
    let known: Vec<_> = name.into_iter().chain(id).collect();
    match known.is_empty() {
        true => text(&device["class"]),
        false => format!("{} ({})", text(&device["class"]), known.join(", ")),
    }
}

fn state(session: &Value) -> String {
    match session["reason"].as_str() {
        Some(reason) => format!("{}: {}", text(&session["state"]), printable(reason)),
        None => text(&session["state"]),
    }
}

async fn show(args: ShowArgs) -> Result<(), Failure> {
    let path = format!("/v1/sessions/{}", escape(&args.sid));
    let session = Api::new(args.api)?.call(Method::GET, &path, None).await?;
    if args.json {
        out::json(&session);
        return Ok(());
    }
    for (name, value) in session.as_object().into_iter().flatten() {
        let value = match (name.as_str(), value) {
            ("device", device_value) => device(device_value),
            (name, value) if name.ends_with("_at") && value.is_u64() => time(value),
            (_, value) => text(value),
        };
        out::line(format!("{name:<16} {value}").trim_end());
    }
    Ok(())
}

async fn kick(args: KickArgs) -> Result<(), Failure> {
    let path = match (&args.sid, &args.subject) {
        (Some(sid), _) => format!("/v1/sessions/{}", escape(sid)),
        (None, Some(subject)) => format!("/v1/subjects/{}/sessions", escape(subject)),
        (None, None) => return Err(Failure::wrong_usage("name a session or --subject")),
    };
    let wait = args.wait.map(crate::config::duration_text);
    let path = with_query(
        path,
        &[
            ("except", args.except.as_deref()),
            ("device_class", args.device_class.as_deref()),
            ("device_id", args.device_id.as_deref()),
            ("client_id", args.client_id.as_deref()),
            ("reason", args.reason.as_deref()),
            ("note", args.note.as_deref()),
            ("wait", wait.as_deref()),
        ],
    );
    let answer = Api::new(args.api)?.call(Method::DELETE, &path, None).await?;
    if args.json {
        out::json(&answer);
    } else {
        say_ended(&answer);
    }
    Ok(())
}

/// Says which sessions a call ended.
pub fn say_ended(answer: &Value) {
    let ended = answer["ended"].as_array().map(Vec::as_slice).unwrap_or_default();
    for session in ended {
        out::line(format!("ended: {} {}", text(&session["reason"]), text(&session["session_id"])));
    }
    if ended.is_empty() {
        out::line("nothing to end: no such session is active");
    }
    say_verifiers(answer);
}

/// Says how many verifiers refuse by now, if that was waited for, and which do not.
pub fn say_verifiers(answer: &Value) {
    let verifiers = &answer["verifiers"];
    if let (Some(applied), Some(live)) = (verifiers["applied"].as_u64(), verifiers["live"].as_u64())
    {
        let elapsed = verifiers["elapsed_ms"].as_u64().unwrap_or_default();
        out::line(format!("refused at {applied} of {live} verifiers after {elapsed} ms"));
    }
    for late in verifiers["lagging"].as_array().into_iter().flatten() {
        let (name, until) = (text(&late["name"]), time(&late["trusts_mirror_until"]));
        out::line(format!("not yet at {name}, which trusts what it knows until {until} at most"));
    }
    if let Some(routes @ 1..) = verifiers["offline_routes"].as_u64() {
        out::line(format!("{routes} offline routes accept a token until it expires"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_device_is_shown_with_its_name_and_its_id() {
        let shown = |id, name| device(&json!({"class": "web", "id": id, "name": name}));
        assert_eq!(shown(Some("d-1"), Some("Ann's phone")), "web (Ann's phone, id d-1)");
        assert_eq!(shown(Some("d-1"), None), "web (id d-1)");
        assert_eq!(shown(None, Some("Ann's phone")), "web (Ann's phone)");
        assert_eq!(shown(None, None), "web");
        assert!(!shown(Some("\u{1b}[2J"), None).contains('\u{1b}'));
    }
}
