//! `symbolon keys`: look at the signing keys, turn them before their time, revoke one.

use crate::cli::api::{Api, ApiArgs};
use crate::cli::net::escape;
use crate::cli::sessions::say_verifiers;
use crate::cli::show::{text, time, with_query};
use crate::cli::{Failure, out};
use crate::config::{duration_text, parse_duration};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// What may be done with signing keys.
#[derive(Subcommand)]
pub enum Command {
    /// List the signing keys and what each does: announced, current, retiring
    List(ListArgs),
    /// Announce the next key, or let a new one sign at once
    Rotate(RotateArgs),
    /// Revoke a key: what it signed is refused, everybody renews, nobody signs in again
    Revoke(RevokeArgs),
}

/// How to list.
#[derive(Args)]
pub struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which keys to turn, and when.
#[derive(Args)]
pub struct RotateArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Only keys of this algorithm [default: all that are in use]
    #[arg(long)]
    alg: Option<String>,
    /// Do not announce it first: verifiers that cache the key set must fetch it again
    #[arg(long)]
    now: bool,
    /// Why, for colleagues who read the history
    #[arg(long)]
    note: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which key to revoke, and why.
#[derive(Args)]
pub struct RevokeArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The key's name, as `symbolon keys list` shows it
    #[arg(allow_hyphen_values = true)]
    kid: String,
    /// Why, as one of the stable reasons [default: key_compromised]
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
    let (answer, json) = match command {
        Command::List(args) => {
            (Api::new(args.api)?.call(Method::GET, "/v1/keys", None).await?, args.json)
        }
        Command::Rotate(args) => {
            let mut body = json!({ "now": args.now });
            if let Some(alg) = args.alg {
                body["alg"] = Value::String(alg);
            }
            if let Some(note) = args.note {
                body["note"] = Value::String(note);
            }
            let mut api = Api::new(args.api)?;
            (api.call(Method::POST, "/v1/keys/rotate", Some(&body)).await?, args.json)
        }
        Command::Revoke(args) => {
            let wait = args.wait.map(duration_text);
            let query = [
                ("reason", args.reason.as_deref()),
                ("note", args.note.as_deref()),
                ("wait", wait.as_deref()),
            ];
            let path = with_query(format!("/v1/keys/{}", escape(&args.kid)), &query);
            (Api::new(args.api)?.call(Method::DELETE, &path, None).await?, args.json)
        }
    };
    if json {
        out::json(&answer);
    } else {
        table(&answer);
        say_verifiers(&answer);
    }
    Ok(())
}

fn table(answer: &Value) {
    let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let head = ["KEY", "ALG", "STATE", "SOURCE", "SIGNS FROM", "RETIRES", "GONE"];
    out::table(&head, items.iter().map(row).collect());
}

fn row(key: &Value) -> Vec<String> {
    let words = ["kid", "alg", "state", "source"].map(|name| text(&key[name]));
    let times = ["current_from", "retires_at", "gone_at"].map(|name| match key[name].is_null() {
        true => "-".to_owned(),
        false => time(&key[name]),
    });
    words.into_iter().chain(times).collect()
}
