//! `symbolon clients`: look at clients, switch them off and on, be lenient about replays for a while.

use crate::cli::api::{Api, ApiArgs};
use crate::cli::net::escape;
use crate::cli::show::{text, time, with_query};
use crate::cli::{Failure, out};
use crate::clock::civil_now;
use crate::config::parse_duration;
use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// What may be done with clients.
#[derive(Subcommand)]
pub enum Command {
    /// List the clients of the configuration
    List(ListArgs),
    /// Show a client: what the configuration says of it, and how it is switched
    Show(ClientArgs),
    /// Refuse a client in every grant until it is enabled again; no session ends by it
    Disable(DisableArgs),
    /// Let a client that was disabled go on
    Enable(EnableArgs),
    /// Treat used refresh tokens of a client otherwise than the configuration says, for a while
    Replay(ReplayArgs),
}

/// Which clients to list.
#[derive(Args)]
pub struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=200))]
    limit: u8,
    /// After this client, where an earlier list ended
    #[arg(long, value_name = "ID")]
    cursor: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which client.
#[derive(Args)]
pub struct ClientArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The client's id, as the configuration names it
    client_id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which client to switch off, and why.
#[derive(Args)]
pub struct DisableArgs {
    #[command(flatten)]
    of: ClientArgs,
    /// Why, as one of the stable reasons [default: client_disabled]
    #[arg(long)]
    reason: Option<String>,
    /// Why, for colleagues who read the history
    #[arg(long)]
    note: Option<String>,
}

/// Which client to switch on, and why.
#[derive(Args)]
pub struct EnableArgs {
    #[command(flatten)]
    of: ClientArgs,
    /// Why, for colleagues who read the history
    #[arg(long)]
    note: Option<String>,
}

/// How a client's replays are treated, and for how long.
#[derive(Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    of: ClientArgs,
    /// What a used refresh token does after its window
    mode: Mode,
    /// For so long
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, default_value = "2h")]
    lasting: Duration,
    /// Why, for colleagues who read the history
    #[arg(long)]
    note: Option<String>,
}

/// What a used refresh token does after its window.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The session ends
    Enforce,
    /// The newest token is answered again, audited
    Report,
    /// Refused, and the session lives
    Off,
    /// What the configuration says, from now on
    Configured,
}

/// Runs one of them.
///
/// # Errors
/// It was refused, or the authority did not answer.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List(args) => list(args).await,
        Command::Show(args) => show(args).await,
        Command::Disable(args) => {
            let said = ("disabled: refused in every grant", "nothing changed: it was disabled");
            let why = json!({"disabled": true, "reason": args.reason, "note": args.note});
            switch(args.of, why, said).await
        }
        Command::Enable(args) => {
            let said = ("enabled: its sessions go on", "nothing changed: it was enabled");
            let change = json!({"disabled": false, "note": args.note});
            switch(args.of, change, said).await
        }
        Command::Replay(args) => replay(args).await,
    }
}

fn path(client: &str) -> String {
    format!("/v1/clients/{}", escape(client))
}

async fn list(args: ListArgs) -> Result<(), Failure> {
    let limit = args.limit.to_string();
    let query = [("limit", Some(&*limit)), ("cursor", args.cursor.as_deref())];
    let path = with_query("/v1/clients".to_owned(), &query);
    let page = Api::new(args.api)?.call(Method::GET, &path, None).await?;
    if args.json {
        out::json(&page);
        return Ok(());
    }
    let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    out::table(
        &["CLIENT", "PRESET", "KIND", "AUDIENCE", "SCOPE", "STATE", "REPLAY"],
        items.iter().map(row).collect(),
    );
    if let Some(next) = page["next"].as_str() {
        out::note(format!("There are more; go on with --cursor {next}"));
    }
    Ok(())
}

fn row(client: &Value) -> Vec<String> {
    vec![
        text(&client["client_id"]),
        text(&client["preset"]),
        if client["confidential"] == true { "confidential" } else { "public" }.to_owned(),
        text(&client["audience"]),
        text(&client["scope"]),
        state(client).to_owned(),
        replay_text(client),
    ]
}

fn state(client: &Value) -> &'static str {
    if client["disabled"] == true { "disabled" } else { "enabled" }
}

/// What holds of replays: the configuration's word, or another one for a while.
fn replay_text(client: &Value) -> String {
    let own = &client["replay"];
    match own.is_null() {
        true => text(&client["refresh"]["replay"]),
        false => format!("{} until {}", text(&own["mode"]), time(&own["until"])),
    }
}

async fn show(args: ClientArgs) -> Result<(), Failure> {
    let client = Api::new(args.api)?.call(Method::GET, &path(&args.client_id), None).await?;
    if args.json {
        out::json(&client);
        return Ok(());
    }
    let (refresh, devices) = (&client["refresh"], &client["devices"]);
    for (name, value) in [
        ("client", text(&client["client_id"])),
        ("state", state(&client).to_owned()),
        ("preset", text(&client["preset"])),
        ("secrets", text(&client["secrets"])),
        ("origins", text(&client["origins"])),
        ("audience", text(&client["audience"])),
        ("scope", text(&client["scope"])),
        ("access tokens", text(&client["access_token"]["ttl"])),
        ("idle", text(&refresh["idle"])),
        ("absolute", text(&refresh["absolute"])),
        ("grace", text(&refresh["grace"])),
        ("replay", replay_text(&client)),
        ("devices", text(&devices["per_subject"])),
        ("overflow", text(&devices["overflow"])),
        ("version", text(&client["version"])),
    ] {
        if !value.is_empty() {
            out::line(format!("{name:<16} {value}"));
        }
    }
    Ok(())
}

async fn replay(args: ReplayArgs) -> Result<(), Failure> {
    let until = civil_now().after(args.lasting).as_seconds();
    let mode = args.mode.to_possible_value();
    let mode = mode.as_ref().map_or("", |mode| mode.get_name());
    let (replay, said) = match args.mode {
        Mode::Configured => (Value::Null, "replays are treated as configured".to_owned()),
        Mode::Enforce | Mode::Report | Mode::Off => {
            let said = format!("replays are treated as `{mode}` until {}", out::utc(until));
            (json!({"mode": mode, "until": until}), said)
        }
    };
    let unchanged = "nothing changed: they were treated so";
    let change = json!({"replay": replay, "note": args.note});
    switch(args.of, change, (&said, unchanged)).await
}

/// Changes these members; the others are sent back as they stand, on the condition that nobody changed
/// anything meanwhile.
async fn switch(
    args: ClientArgs,
    change: Value,
    (changed, unchanged): (&str, &str),
) -> Result<(), Failure> {
    let (path, mut api) = (path(&args.client_id), Api::new(args.api)?);
    let before = api.call(Method::GET, &path, None).await?;
    let mut body = json!({"disabled": before["disabled"], "replay": before["replay"]});
    for (name, value) in change.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let version = before["version"].as_str();
    let answer = api.call_if(Method::PUT, &path, Some(&body), version).await?;
    match (args.json, answer["changed"] == true) {
        (true, _) => out::json(&answer),
        (false, true) => out::line(changed),
        (false, false) => out::line(unchanged),
    }
    Ok(())
}
