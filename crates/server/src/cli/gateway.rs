//! `symbolon gateway`: which rule would decide about a request, and why.

use crate::cli::config::load;
use crate::cli::dev::setup::usual;
use crate::cli::{ConfigArgs, Failure, out};
use crate::config::DEFAULT_FILE;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::Path;
use symbolon_core::gateway::{Asks, Meeting, Rule, Rules, Unruled};
use symbolon_core::target::{Ambiguous, Target, is_method};

/// What can be asked of the rules.
#[derive(Subcommand)]
pub enum Command {
    /// Say which rule would decide about a request, and why the others would not
    Try(TryArgs),
}

/// A request that nobody sends.
#[derive(Args)]
pub struct TryArgs {
    /// The method, such as GET
    method: String,
    /// The path as it would be sent, or a whole URL
    url: String,
    #[command(flatten)]
    config: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Asks.
///
/// # Errors
/// The configuration is refused; the request would be.
pub fn run(command: Command) -> Result<(), Failure> {
    let Command::Try(args) = command;
    let gateway = match args.config.file.is_none() && !Path::new(DEFAULT_FILE).exists() {
        true => usual()?.gateway,
        false => load(&args.config)?.gateway,
    };
    let verdict = judge(&gateway.rules, &args.method, path_of(&args.url));
    match args.json {
        true => out::json(&verdict.json()),
        false => verdict.say(),
    }
    match verdict.decider {
        Some(_) => Ok(()),
        None => Err(Failure::refused(format!("refused: {}", verdict.why))),
    }
}

/// The path and all behind it: a person may paste a URL, which no proxy sends.
fn path_of(url: &str) -> &str {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => url,
    }
}

/// What would become of a request.
struct Verdict<'r> {
    decider: Option<&'r Rule>,
    why: String,
    /// Each rule with how the request meets it; none if no rule is asked.
    rows: Vec<(&'r Rule, &'static str)>,
}

fn judge<'r>(rules: &'r Rules, method: &str, path: &str) -> Verdict<'r> {
    let ambiguous = |why: Ambiguous| Verdict { decider: None, why: why.to_string(), rows: vec![] };
    if !is_method(method) {
        return ambiguous(Ambiguous::Method);
    }
    let target = match Target::parse(path) {
        Ok(target) => target,
        Err(why) => return ambiguous(why),
    };
    let decision = rules.decide(method, &target);
    let mut decided = false;
    let rows = rules.0.iter().map(|rule| {
        let meeting = rule.meets(method, &target);
        let row = (rule, word(meeting, decided));
        decided |= matches!(meeting, Meeting::Fits | Meeting::OtherCase);
        row
    });
    let rows = rows.collect();
    match decision {
        Ok(rule) => Verdict { decider: Some(rule), why: asks(rule), rows },
        Err(Unruled::NoRule) => {
            let why = "no rule is about this request, and then nobody passes".to_owned();
            Verdict { decider: None, why, rows }
        }
        Err(Unruled::OtherCase(rule)) => {
            let name = &rule.name;
            let why = format!(
                "the path is that of {name:?} but for capital letters, and whether they matter the \
                 upstream alone knows"
            );
            Verdict { decider: None, why, rows }
        }
    }
}

const fn word(meeting: Meeting, decided: bool) -> &'static str {
    match (meeting, decided) {
        (Meeting::Fits, false) => "decides",
        (Meeting::Fits, true) => "fits, too late",
        (Meeting::OtherCase, false) => "refuses: other letters",
        (Meeting::OtherCase, true) => "other letters, too late",
        (Meeting::OtherPath, _) => "other path",
        (Meeting::OtherMethod, _) => "other method",
    }
}

/// What a rule asks, in words.
fn asks(rule: &Rule) -> String {
    let Asks::Token(needs) = &rule.asks else { return "nothing: everybody passes".to_owned() };
    let mut text = format!("a token for {}", needs.audience);
    for (what, names) in [("scope", &needs.scopes), ("role", &needs.roles)] {
        if !names.is_empty() {
            text.push_str(&format!(", {what} {}", names.join(" and ")));
        }
    }
    if let Some(age) = needs.max_age {
        text.push_str(&format!(", authenticated in the last {} s", age.as_secs()));
    }
    if !needs.acr.is_empty() {
        text.push_str(&format!(", level {}", needs.acr.join(" or ")));
    }
    if needs.tickets {
        text.push_str(", or a ticket");
    }
    if needs.renews {
        text.push_str("; renews it here");
    }
    text
}

fn methods(rule: &Rule) -> String {
    if rule.methods.is_empty() { "every one".to_owned() } else { rule.methods.join(" ") }
}

impl Verdict<'_> {
    fn say(&self) {
        if let Some(rule) = self.decider {
            out::line(format!("{} decides: it asks for {}", rule.name, self.why));
        }
        if self.rows.is_empty() {
            return;
        }
        let cells = |(rule, word): &(&Rule, &str)| {
            let paths = rule.paths.to_string();
            vec![rule.name.to_string(), paths, methods(rule), asks(rule), (*word).to_owned()]
        };
        let head = ["RULE", "PATHS", "METHODS", "ASKS FOR", "HERE"];
        out::table(&head, self.rows.iter().map(cells).collect());
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(rule, word)| json!({"rule": rule.name, "here": word}));
        json!({
            "passes": self.decider.is_some(),
            "rule": self.decider.map(|rule| &rule.name),
            "why": self.why,
            "rules": rows.collect::<Vec<_>>(),
        })
    }
}
