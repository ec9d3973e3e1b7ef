//! What a client's settings mean, what they cost, and what a thief gets.

mod costs;
mod instead;
mod lists;
mod thefts;

use crate::cli::config::load;
use crate::cli::dev::setup::usual;
use crate::cli::{ConfigArgs, Failure, out};
use crate::config::{Client, Config, Format, Hook, OnFailure, Preset, duration_text};
use clap::Args;
use costs::{Carried, Costs, Life, Traffic};
use instead::{Instead, instead};
use serde::Serialize;
use symbolon_core::device::Overflow;
use symbolon_core::{ClientId, ClientPolicy, Duration, Replay};
use thefts::{Theft, thefts, weaker_by};

/// About how many bytes of the store a session takes; measured in docs/benchmarks.md.
const SESSION_BYTES: u64 = 250;

/// Which client.
#[derive(Args)]
pub(super) struct ClientArgs {
    /// Its `client_id`; without a configuration, one of `dev`'s: web, app, service, playground
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

/// All that is told of a client.
#[derive(Serialize)]
struct Explained {
    client_id: String,
    preset: &'static str,
    settings: Vec<Line>,
    costs: Costs,
    thefts: Vec<Theft>,
    weaker_by: Vec<String>,
    instead: Vec<Instead>,
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
    let explained = Explained::of(&config, &under(client, args.preset));
    match args.json {
        true => out::json(&explained),
        false => explained.say(),
    }
    Ok(())
}

/// What `explain client --json` says of a client under each preset with sessions, the one in force first.
pub fn of_each_preset(config: &Config, client: &Client) -> Vec<serde_json::Value> {
    let others = Preset::ALL.into_iter().filter(|preset| preset.has_sessions());
    let others = others.filter(|preset| *preset != client.preset);
    let all = std::iter::once(client.preset).chain(others);
    let told = |preset| serde_json::json!(Explained::of(config, &under(client, Some(preset))));
    all.map(told).collect()
}

/// The client as if it had that preset: with the lives that are usual there, if it is another.
fn under(client: &Client, preset: Option<Preset>) -> Client {
    let Some(preset) = preset.filter(|preset| *preset != client.preset) else {
        return client.clone();
    };
    let ClientPolicy { scope, devices, staleness, .. } = client.policy.clone();
    let policy = ClientPolicy { scope, devices, staleness, ..preset.policy() };
    Client { preset, policy, ..client.clone() }
}

impl Explained {
    fn of(config: &Config, client: &Client) -> Self {
        Self {
            client_id: client.id.as_str().to_owned(),
            preset: client.preset.as_str(),
            settings: settings(config, client)
                .into_iter()
                .chain(lists::lines(config, client))
                .collect(),
            costs: Costs::of(config, client),
            thefts: thefts(config, client),
            weaker_by: weaker_by(config, client),
            instead: instead(client.preset),
        }
    }

    fn say(self) {
        let row = |line: Line| vec![line.setting.to_owned(), line.value, line.means];
        out::table(
            &["SETTING", "VALUE", "WHAT IT MEANS"],
            self.settings.into_iter().map(row).collect(),
        );
        say_costs(self.costs);
        let row = |theft: Theft| vec![theft.stolen.to_owned(), theft.worth];
        section(&["STOLEN", "WHAT IT IS WORTH"], self.thefts.into_iter().map(row).collect());
        out::line("");
        match &*self.weaker_by {
            [] => out::line("No setting makes that more than it would have to be."),
            weaker => {
                out::line("More than it would have to be, by");
                weaker.iter().for_each(|setting| out::line(format!("  {setting}")));
            }
        }
        let row = |own: Instead| {
            vec![own.when.to_owned(), own.preset.as_str().to_owned(), own.because.to_owned()]
        };
        section(&["IF", "BETTER", "SINCE"], self.instead.into_iter().map(row).collect());
    }
}

fn say_costs(costs: Costs) {
    let row = |life: Life| vec![life.of.to_owned(), life.most(), life.means];
    let lives = costs.revoked_lives.into_iter().map(row).collect();
    section(&["A SERVICE THAT", "LETS A KICKED PERSON IN FOR", ""], lives);
    out::line("");
    out::line(format!("A verifier needs to reach: {}.", costs.online));
    let row =
        |own: Traffic| vec![own.checked.to_owned(), own.reads.to_string(), own.writes.to_string()];
    let head = ["1,000 REQUESTS OF ONE PERSON, ONE IN 10 S, CHECKED", "STORE READS", "WRITES"];
    section(&head, costs.per_1000_requests.into_iter().map(row).collect());
    let row =
        |own: Carried| vec![own.what.to_owned(), format!("~{}", own.bytes), own.when.to_owned()];
    section(&["CARRIES", "BYTES", "WHEN"], costs.bytes.into_iter().map(row).collect());
}

fn section(head: &[&str], rows: Vec<Vec<String>>) {
    out::line("");
    out::table(head, rows);
}

/// The configuration that is named or lies here; else `dev`'s.
fn configuration(args: &ConfigArgs) -> Result<Config, Failure> {
    let named = args.file.is_some() || !args.set.is_empty();
    match named || std::path::Path::new(crate::config::DEFAULT_FILE).exists() {
        true => load(args),
        false => usual(),
    }
}

fn settings(config: &Config, client: &Client) -> Vec<Line> {
    let preset = client.preset;
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
        access_token(preset, client.policy.access_ttl),
    ];
    if client.thin {
        lines.push(line(
            "access_token.claims",
            "thin",
            "a token leaves out roles and claims; a service asks the authority at the first sight of each set of \
             them, and lets nobody in without, on offline routes too",
        ));
    }
    lines.extend(encryption(config, client));
    if preset.has_sessions() {
        lines.extend(sessions(client));
    }
    lines.push(line(
        "secret",
        if client.is_confidential() { "held" } else { "none" },
        match client.is_confidential() {
            true => {
                "a confidential client: it shows a secret where it renews or signs in by itself"
            }
            false => "a public client: nothing but its tokens says that it is this one",
        },
    ));
    lines
}

fn access_token(preset: Preset, ttl: Duration) -> Line {
    let per_hour = 3_600_000 / u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
    let load = 1_000_000 * 1000 / u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
    let ttl = duration_text(ttl);
    let means = match preset {
        Preset::DualToken | Preset::Service => format!(
            "a token lives for so long; {per_hour} renewals an hour for each who is active, {load} a second for a \
             million"
        ),
        Preset::GatewaySession => {
            "the short token behind the gateway lives for so long; nobody outside sees it"
                .to_owned()
        }
        Preset::SlidingSession => {
            "the one token lives for so long, and so does its session".to_owned()
        }
        Preset::OpaqueSession => {
            "an answer about a token may be believed for so long, by whoever follows the feed"
                .to_owned()
        }
    };
    Line { setting: "access_token.ttl", value: ttl, means }
}

/// Where the tokens are encrypted for their audience.
fn encryption(config: &Config, client: &Client) -> Option<Line> {
    let name = client.audience.first()?;
    let alg = config.audience(name)?.encrypt.as_ref()?.alg();
    let means = match (client.preset.format(), alg.is_symmetric()) {
        (Format::Opaque, _) => {
            "concerns no token of this client: an opaque one says nothing".to_owned()
        }
        (Format::Jwt, true) => {
            format!("{name} alone reads a token, and the authority, which has the same secret")
        }
        (Format::Jwt, false) => format!(
            "{name} alone reads a token: the authority cannot open what it sealed, so its own gateway and \
             introspection refuse it"
        ),
    };
    Some(Line { setting: "audiences.encrypt", value: alg.name().to_owned(), means })
}

fn sessions(client: &Client) -> Vec<Line> {
    let policy = &client.policy;
    let megabytes = SESSION_BYTES * 1_000_000 / 1_000_000;
    let mut lines = vec![
        line("refresh.idle", &duration_text(policy.idle), "unused for so long, a session ends"),
        line(
            "refresh.absolute",
            &duration_text(policy.absolute),
            "so old, a session ends however much it is used: the longest that a thief who is never noticed stays",
        ),
    ];
    if client.preset.has_refresh_tokens() {
        lines.extend(rotation(policy));
    }
    lines.extend(client.hook.as_ref().map(hook));
    lines.push(line(
        "devices.per_subject",
        &policy.devices.per_subject.to_string(),
        match policy.devices.overflow {
            Overflow::EvictIdle => "one sign-in more ends the session unused for longest",
            Overflow::EvictOldest => "one sign-in more ends the oldest session",
            Overflow::Refuse => {
                "one sign-in more is refused: a lost device keeps its owner out until a session ends"
            }
        },
    ));
    lines.push(Line {
        setting: "store",
        value: format!("~{SESSION_BYTES} B a session"),
        means: format!("about {megabytes} MB for a million sessions; renewing adds nothing"),
    });
    lines
}

/// What there is where tokens are renewed by the client.
fn rotation(policy: &ClientPolicy) -> [Line; 2] {
    let grace = duration_text(policy.grace);
    [
        Line {
            setting: "refresh.grace",
            means: format!(
                "tabs, retries and lost answers within {grace} of a refresh token's first use all get the same successor; a thief who uses it within the same {grace} is not noticed by that use"
            ),
            value: grace,
        },
        line(
            "refresh.replay",
            policy.replay.as_str(),
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
    ]
}

/// The URL is not shown: there may be a secret in its path.
fn hook(hook: &Hook) -> Line {
    let timeout = duration_text(hook.timeout);
    let then = match hook.on_failure {
        OnFailure::LastKnown => "goes on with the roles and claims that are known",
        OnFailure::Refuse => "has to be tried again: an outage of the back end stops renewals",
    };
    Line {
        setting: "hook",
        value: hook.on_failure.as_str().to_owned(),
        means: format!(
            "the back end is asked before each renewal, repeats excepted, so that one takes up to {timeout} longer; \
             without an answer by then it {then}"
        ),
    }
}

fn line(setting: &'static str, value: &str, means: &str) -> Line {
    Line { setting, value: value.to_owned(), means: means.to_owned() }
}

fn preset(word: &str) -> Result<Preset, String> {
    let words: Vec<_> = Preset::ALL.iter().map(|preset| preset.as_str()).collect();
    Preset::parse(word).ok_or_else(|| format!("is none of {}", words.join(", ")))
}
