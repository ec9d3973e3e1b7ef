//! `symbolon explain`: what a token is, why a session ended, what a setting costs.

mod client;
mod fate;
pub(in crate::cli) mod story;
mod token;

pub use client::of_each_preset;

use crate::cli::api::{Api, ApiArgs};
use crate::cli::{Failure, out};
use crate::config::parse_duration;
use clap::{ArgGroup, Args, Subcommand};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::io::Read;
use std::time::Duration;
use story::Asking;

/// The longest text that is taken for a token, in bytes. Inclusive.
const TEXT_BYTES_MAX: u64 = 64 * 1024;

/// What is to be explained.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    group(ArgGroup::new("what").required(true).args(["token", "subject", "sid", "jti", "request_id"]))
)]
pub struct ExplainArgs {
    #[command(subcommand)]
    of: Option<Of>,
    #[command(flatten)]
    api: ApiArgs,
    /// A token of any kind; `-` reads it from standard input, where the list of processes does not
    /// show it
    #[arg(allow_hyphen_values = true)]
    token: Option<String>,
    /// Why somebody was signed out: a subject with its sessions and what happened to them
    #[arg(long)]
    subject: Option<String>,
    /// What became of this session
    #[arg(long, allow_hyphen_values = true)]
    sid: Option<String>,
    /// Whether this access token was revoked by its name
    #[arg(long, allow_hyphen_values = true)]
    jti: Option<String>,
    /// What the request of this `X-Request-Id` ended
    #[arg(long)]
    request_id: Option<String>,
    /// How far back to look
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = parse_duration)]
    since: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What needs no authority to be explained.
#[derive(Subcommand)]
enum Of {
    /// What a client's settings mean, and what they cost
    Client(client::ClientArgs),
}

/// Explains.
///
/// # Errors
/// The text is no token; it was refused, not found, or the authority did not answer.
pub async fn run(args: ExplainArgs) -> Result<(), Failure> {
    if let Some(Of::Client(args)) = args.of {
        return client::run(&args);
    }
    let json = args.json;
    let (explanation, ended) = explain(args).await?.into_parts();
    if json {
        out::json(&explanation)
    } else {
        explanation.say()
    }
    ended
}

async fn explain(args: ExplainArgs) -> Result<Told, Failure> {
    if let Some(text) = args.token {
        let text = if text == "-" { read_stdin()? } else { text };
        // A token that can be read needs no network; with an authority at hand its state is told too.
        let asking = Api::new(args.api).ok().map(|api| Asking::new(api, args.since));
        return token::explain(text.trim(), asking).await;
    }
    let mut asking = Asking::new(Api::new(args.api)?, args.since);
    let told = match (args.subject, args.sid, args.jti, args.request_id) {
        (Some(subject), ..) => story::subject(&mut asking, &subject).await,
        (None, Some(sid), ..) => story::session(&mut asking, &sid).await,
        (None, None, Some(jti), _) => story::jti(&mut asking, &jti).await,
        (None, None, None, Some(id)) => story::request(&mut asking, &id).await,
        (None, None, None, None) => Err(Failure::wrong_usage("say what is to be explained")),
    };
    told.map(Told::Whole)
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(TEXT_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|why| Failure::could_not("could not read standard input").because(why))?;
    Ok(text)
}

fn as_object<S: Serializer>(facts: &[(String, Value)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(facts.iter().map(|(name, value)| (name, value)))
}

/// What could be told.
enum Told {
    /// All of it.
    Whole(Explanation),
    /// What the thing says by itself: the authority refused to say more, or did not answer.
    Part(Explanation, Failure),
}

impl Told {
    fn into_parts(self) -> (Explanation, Result<(), Failure>) {
        match self {
            Self::Whole(told) => (told, Ok(())),
            Self::Part(told, why) => (told, Err(why)),
        }
    }
}

/// What is said in the end: what it is, what is known of it, and what follows.
#[derive(Serialize, Default)]
struct Explanation {
    /// What it is, in a few words.
    what: String,
    /// What is known of it, in order.
    #[serde(serialize_with = "as_object")]
    facts: Vec<(String, Value)>,
    /// What follows, as sentences.
    so: Vec<String>,
    /// The sessions it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sessions: Vec<Value>,
    /// What the history has about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Value>,
}

impl Explanation {
    fn new(what: &str) -> Self {
        Self { what: what.to_owned(), ..Self::default() }
    }

    /// Adds a fact, if there is one; what was said first stays.
    fn fact(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let empty = value.is_null() || value.as_str().is_some_and(str::is_empty);
        if !empty && !self.facts.iter().any(|(known, _)| known == name) {
            self.facts.push((name.to_owned(), value));
        }
    }

    fn so(&mut self, sentence: impl Into<String>) {
        self.so.push(sentence.into());
    }

    fn say(&self) {
        out::line(&self.what);
        let width = self.facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in &self.facts {
            let value = story::shown(name, value);
            out::line(format!("  {name:<width$}  {value}"));
        }
        story::table(&self.sessions, &self.events);
        if !self.so.is_empty() {
            out::line("");
        }
        self.so.iter().for_each(out::line);
    }
}
