//! `symbolon subjects`: look at subjects, ban them, change their roles.

use crate::cli::api::{Api, ApiArgs};
use crate::cli::net::escape;
use crate::cli::sessions::say_ended;
use crate::cli::show::{text, time, with_query};
use crate::cli::{Failure, out};
use crate::clock::civil_now;
use crate::config::parse_duration;
use clap::{ArgGroup, Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What may be done with subjects.
#[derive(Subcommand)]
pub enum Command {
    /// Show a subject: roles, claims, ban, how many sessions
    Show(SubjectArgs),
    /// End all sessions of a subject, and do not let it sign in again
    Ban(BanArgs),
    /// Let a banned subject sign in again; what the ban ended stays ended
    Unban(UnbanArgs),
    /// Show a subject's roles, or replace them; nobody is signed out by it
    Roles(RolesArgs),
}

/// Which subject.
#[derive(Args)]
pub struct SubjectArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The subject, as your back end names it
    subject: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Whom to ban, and how.
#[derive(Args)]
pub struct BanArgs {
    #[command(flatten)]
    of: SubjectArgs,
    /// For so long, such as 7d [default: until it is lifted]
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    lasting: Option<Duration>,
    /// Why, for the person who is signed out [default: banned]
    #[arg(long)]
    reason: Option<String>,
    /// Why, for colleagues who read the history
    #[arg(long)]
    note: Option<String>,
    /// Wait until every verifier has applied it, at most so long, such as 2s
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    wait: Option<Duration>,
}

/// Whose ban to lift, and why.
#[derive(Args)]
pub struct UnbanArgs {
    #[command(flatten)]
    of: SubjectArgs,
    /// Why, for colleagues who read the history
    #[arg(long)]
    note: Option<String>,
}

/// Whose roles, and what they become.
#[derive(Args)]
#[command(group(ArgGroup::new("to").args(["roles", "none"])))]
pub struct RolesArgs {
    #[command(flatten)]
    of: SubjectArgs,
    /// The roles from now on; without any, those that stand are shown
    #[arg(value_name = "ROLE")]
    roles: Vec<String>,
    /// No roles from now on
    #[arg(long)]
    none: bool,
}

/// Runs one of them.
///
/// # Errors
/// It was refused, or the authority did not answer.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Show(args) => show(args).await,
        Command::Ban(args) => ban(args).await,
        Command::Unban(args) => unban(args).await,
        Command::Roles(args) => roles(args).await,
    }
}

fn path(subject: &str) -> String {
    format!("/v1/subjects/{}", escape(subject))
}

async fn show(args: SubjectArgs) -> Result<(), Failure> {
    let subject = Api::new(args.api)?.call(Method::GET, &path(&args.subject), None).await?;
    if args.json {
        out::json(&subject);
        return Ok(());
    }
    let ban = &subject["ban"];
    for (name, value) in [
        ("subject", text(&subject["subject"])),
        ("roles", text(&subject["roles"])),
        ("claims", text(&subject["claims"])),
        ("banned since", time(&ban["since"])),
        ("banned until", if ban.is_null() { String::new() } else { end_of(ban) }),
        ("ban reason", text(&ban["reason"])),
        ("ban note", text(&ban["note"])),
        ("version", text(&subject["version"])),
        ("active sessions", text(&subject["active_sessions"])),
    ] {
        out::line(format!("{name:<16} {value}").trim_end());
    }
    Ok(())
}

fn end_of(ban: &Value) -> String {
    if ban["until"].is_null() { "it is lifted".to_owned() } else { time(&ban["until"]) }
}

async fn ban(args: BanArgs) -> Result<(), Failure> {
    let until = args.lasting.map(|lasting| json!(civil_now().after(lasting).as_seconds()));
    let members = [
        ("until", until),
        ("reason", args.reason.map(Value::from)),
        ("note", args.note.map(Value::from)),
    ];
    let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let body = Value::Object(given.collect::<Map<_, _>>());
    let wait = args.wait.map(crate::config::duration_text);
    let path = with_query(path(&args.of.subject) + "/ban", &[("wait", wait.as_deref())]);
    let answer = Api::new(args.of.api)?.call(Method::PUT, &path, Some(&body)).await?;
    if args.of.json {
        out::json(&answer);
    } else {
        out::line("banned");
        say_ended(&answer);
    }
    Ok(())
}

async fn unban(UnbanArgs { of: args, note }: UnbanArgs) -> Result<(), Failure> {
    let path = with_query(path(&args.subject) + "/ban", &[("note", note.as_deref())]);
    let answer = Api::new(args.api)?.call(Method::DELETE, &path, None).await?;
    match (args.json, answer["changed"] == true) {
        (true, _) => out::json(&answer),
        (false, true) => out::line("the ban is lifted: the subject may sign in again"),
        (false, false) => out::line("nothing to lift: there was no ban"),
    }
    Ok(())
}

/// Roles alone: the claims that stand are sent back, on the condition that nobody changed anything
/// meanwhile.
async fn roles(args: RolesArgs) -> Result<(), Failure> {
    let (path, mut api) = (path(&args.of.subject), Api::new(args.of.api)?);
    let before = api.call(Method::GET, &path, None).await?;
    if args.roles.is_empty() && !args.none {
        match args.of.json {
            true => out::json(&before["roles"]),
            false => out::line(text(&before["roles"])),
        }
        return Ok(());
    }
    let body = json!({"roles": args.roles, "claims": before["claims"]});
    let version = before["version"].as_str();
    let answer = api.call_if(Method::PUT, &path, Some(&body), version).await?;
    match (args.of.json, answer["changed"] == true) {
        (true, _) => out::json(&answer),
        (false, true) => out::line("roles changed: they are in every access token from now on"),
        (false, false) => out::line("nothing changed: these are the roles it had"),
    }
    Ok(())
}
