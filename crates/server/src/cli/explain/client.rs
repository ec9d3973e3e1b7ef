//! What a client's settings mean, and what they cost.

use crate::cli::config::load;
use crate::cli::dev::setup::usual;
use crate::cli::{ConfigArgs, Failure, out};
use crate::config::{Client, Config, Preset, duration_text};
use clap::Args;
use serde::Serialize;
use symbolon_core::device::Overflow;
use symbolon_core::{ClientId, Duration, Replay};

/// About how many bytes of the store a session takes; measured in docs/benchmarks.md.
const SESSION_BYTES: u64 = 250;

/// Which client.
#[derive(Args)]
pub(super) struct ClientArgs {
    /// Its `client_id`; without a configuration, one of `dev`'s: web, app, service
    id: String,
    /// As if it had this preset
    #[arg(long, value_name = "NAME", value_parser = preset)]
    preset: Option<Preset>,
    #[command(flatten)]
    config: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A setting and what follows from it.
#[derive(Serialize)]
struct Line {
    setting: &'static str,
    value: String,
    means: String,
}

/// Explains a client; needs no authority.
///
/// # Errors
/// The configuration is refused, or has no such client.
pub(super) fn run(args: &ClientArgs) -> Result<(), Failure> {
    let config = configuration(&args.config)?;
    let found = ClientId::parse(&args.id).ok().and_then(|id| config.clients.get(&id));
    let Some(client) = found else {
        let known: Vec<_> = config.clients.keys().map(ClientId::as_str).collect();
        return Err(Failure::refused(format!("there is no client {:?}", args.id))
            .next(format!("name one of {}", known.join(", "))));
    };
    let lines = explain(client, args.preset.unwrap_or(client.preset));
    if args.json {
        out::json(&lines);
        return Ok(());
    }
    let row = |line: Line| vec![line.setting.to_owned(), line.value, line.means];
    out::table(&["SETTING", "VALUE", "WHAT IT MEANS"], lines.into_iter().map(row).collect());
    Ok(())
}

/// The configuration that is named or lies here; else `dev`'s.
fn configuration(args: &ConfigArgs) -> Result<Config, Failure> {
    let named = args.file.is_some() || !args.set.is_empty();
    match named || std::path::Path::new(crate::config::DEFAULT_FILE).exists() {
        true => load(args),
        false => usual(),
    }
}

fn explain(client: &Client, preset: Preset) -> Vec<Line> {
    let mut lines = vec![
        line(
            "preset",
            preset.as_str(),
            match preset {
                Preset::DualToken => {
                    "a short JWT that services verify alone, and a refresh token that rotates"
                }
                Preset::GatewaySession => {
                    "a cookie that never changes; the gateway turns it into short JWTs for upstreams"
                }
                Preset::SlidingSession => {
                    "one long JWT that never changes and that services verify alone; the server slides its session"
                }
                Preset::OpaqueSession => {
                    "one opaque token that never changes and that the authority is asked about; the server slides its session"
                }
                Preset::Service => {
                    "a short JWT for the client's own credentials; no person, no refresh token"
                }
            },
        ),
        access_token(client.policy.access_ttl),
    ];
    if preset.has_sessions() {
        lines.extend(sessions(client));
    }
    lines.push(line(
        "secret",
        if client.is_confidential() { "held" } else { "none" },
        match client.is_confidential() {
            true => "a confidential client: whoever steals a refresh token needs the secret too",
            false => {
                "a public client: whoever steals a refresh token can use it until it is found out"
            }
        },
    ));
    lines
}

fn access_token(ttl: Duration) -> Line {
    let per_hour = 3_600_000 / u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
    let load = 1_000_000 * 1000 / u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
    let ttl = duration_text(ttl);
    let means = format!(
        "a service that verifies alone and never asks accepts a kicked person for up to {ttl}, one \
         that introspects not at all; {per_hour} renewals an hour for each active person, {load} a \
         second for a million"
    );
    Line { setting: "access_token.ttl", value: ttl, means }
}

fn sessions(client: &Client) -> Vec<Line> {
    let policy = &client.policy;
    let grace = duration_text(policy.grace);
    let megabytes = SESSION_BYTES * 1_000_000 / 1_000_000;
    vec![
        line("refresh.idle", &duration_text(policy.idle), "unused for so long, a session ends"),
        line(
            "refresh.absolute",
            &duration_text(policy.absolute),
            "so old, a session ends however much it is used: the longest that a thief who is never noticed stays",
        ),
        Line {
            setting: "refresh.grace",
            means: format!(
                "tabs, retries and lost answers within {grace} of a refresh token's first use all get the same successor; a thief who uses it within the same {grace} is not noticed by that use"
            ),
            value: grace,
        },
        line(
            "refresh.replay",
            replay_word(policy.replay),
            match policy.replay {
                Replay::Enforce => {
                    "a used refresh token that comes back later ends its session: theft is found, and a client that restores old state signs in again"
                }
                Replay::Report => {
                    "a used refresh token that comes back later is answered, and only counted: theft is seen and not stopped"
                }
                Replay::Off => {
                    "a used refresh token that comes back later is refused, and the session lives: theft is not seen"
                }
            },
        ),
        line(
            "devices.per_subject",
            &policy.devices.per_subject.to_string(),
            match policy.devices.overflow {
                Overflow::EvictIdle => "one sign-in more ends the session unused for longest",
                Overflow::EvictOldest => "one sign-in more ends the oldest session",
                Overflow::Refuse => {
                    "one sign-in more is refused: a lost device keeps its owner out until a session ends"
                }
            },
        ),
        Line {
            setting: "store",
            value: format!("~{SESSION_BYTES} B a session"),
            means: format!("about {megabytes} MB for a million sessions; renewing adds nothing"),
        },
    ]
}

const fn replay_word(replay: Replay) -> &'static str {
    match replay {
        Replay::Enforce => "enforce",
        Replay::Report => "report",
        Replay::Off => "off",
    }
}

fn line(setting: &'static str, value: &str, means: &str) -> Line {
    Line { setting, value: value.to_owned(), means: means.to_owned() }
}

fn preset(word: &str) -> Result<Preset, String> {
    let words: Vec<_> = Preset::ALL.iter().map(|preset| preset.as_str()).collect();
    Preset::parse(word).ok_or_else(|| format!("is none of {}", words.join(", ")))
}
