//! `symbolon advise`: which preset a client should have, why, and what to write down.

mod choice;

use crate::cli::{Failure, out};
use crate::config::Preset;
use choice::{Advice, Answer, Caller, Change, Wants};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::io::IsTerminal;

/// What is asked of a client. Without flags, and at a terminal, it asks.
#[derive(Args)]
pub struct AdviseArgs {
    /// Who holds the credential
    #[arg(long, value_enum)]
    caller: Option<Caller>,
    /// Whether the client can put another token in the place of the one it has [default: yes]
    #[arg(long, value_enum)]
    renews: Option<Answer>,
    /// By when a changed permission must hold [default: renewal]
    #[arg(long, value_enum)]
    change: Option<Change>,
    /// Whether a service verifies tokens while it cannot reach the authority [default: no]
    #[arg(long, value_enum)]
    offline: Option<Answer>,
    /// Whether a token may lie where scripts of the page can read it [default: yes]
    #[arg(long, value_enum)]
    token_in_page: Option<Answer>,
    /// How many services the token is for
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    services: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Advises.
///
/// # Errors
/// Nothing is said of who calls, and nobody is there to ask.
pub fn run(args: &AdviseArgs) -> Result<(), Failure> {
    let wants = match args.caller {
        Some(caller) => args.wants(caller),
        None if std::io::stdin().is_terminal() && !args.json => ask(args)?,
        None => {
            return Err(Failure::wrong_usage("say who calls: `--caller` and what it is")
                .next("symbolon advise --help names the rest, which has defaults"));
        }
    };
    let advice = wants.advice();
    let lines = lines(advice.preset);
    match args.json {
        true => out::json(&json!({
            "preset": advice.preset.as_str(),
            "because": advice.because,
            "mind": advice.mind,
            "configuration": lines,
        })),
        false => say(&advice, &lines),
    }
    Ok(())
}

fn say(advice: &Advice, lines: &str) {
    out::line(format!("preset: {}", advice.preset.as_str()));
    for (head, sentences) in [("Because", &advice.because), ("Mind", &advice.mind)] {
        if !sentences.is_empty() {
            out::line(format!("\n{head}"));
        }
        sentences.iter().for_each(|sentence| out::line(format!("  {sentence}.")));
    }
    out::line(format!("\nIn symbolon.toml:\n\n{lines}"));
    if advice.preset != Preset::Service {
        out::line(format!(
            "What it costs: symbolon explain client web --preset {}",
            advice.preset.as_str()
        ));
    }
}

impl AdviseArgs {
    fn wants(&self, caller: Caller) -> Wants {
        Wants {
            caller,
            renews: self.renews.unwrap_or(Answer::Yes),
            change: self.change.unwrap_or(Change::Renewal),
            offline: self.offline.unwrap_or(Answer::No),
            token_in_page: self.token_in_page.unwrap_or(Answer::Yes),
            services: self.services,
        }
    }
}

/// Asks what no flag says, as far as it decides anything.
fn ask(args: &AdviseArgs) -> Result<Wants, Failure> {
    let caller = one_of("Who holds the credential?")?;
    let mut wants = args.wants(caller);
    if caller == Caller::Service {
        return Ok(wants);
    }
    if caller == Caller::Page && args.token_in_page.is_none() {
        wants.token_in_page = one_of("May a token lie where scripts of the page can read it?")?;
    }
    if caller != Caller::Site && args.renews.is_none() {
        wants.renews = one_of("Can the client put another token in the place of the one it has?")?;
    }
    if args.change.is_none() {
        wants.change = one_of("By when must a changed permission hold?")?;
    }
    if args.offline.is_none() {
        wants.offline =
            one_of("Does a service verify tokens while it cannot reach the authority?")?;
    }
    Ok(wants)
}

/// Asks until one of the words is given, or its number.
fn one_of<T: ValueEnum + Copy>(question: &str) -> Result<T, Failure> {
    let words: Vec<_> = T::value_variants().iter().filter_map(T::to_possible_value).collect();
    out::note(question);
    for (at, word) in words.iter().enumerate() {
        let help = word.get_help().map(ToString::to_string).unwrap_or_default();
        out::note(format!("  {} {:<12} {help}", at + 1, word.get_name()));
    }
    loop {
        out::ask(">");
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        if read.map_err(|why| Failure::could_not("no answer").because(why))? == 0 {
            return Err(Failure::refused("no answer").next("give flags: symbolon advise -h"));
        }
        let said = line.trim();
        let chosen = said.parse().ok().and_then(|at: usize| at.checked_sub(1));
        let named = || words.iter().position(|word| word.matches(said, true));
        let at = chosen.filter(|at| *at < words.len()).or_else(named);
        if let Some(value) = at.and_then(|at| T::value_variants().get(at)) {
            return Ok(*value);
        }
    }
}

/// What to write into a configuration; `config check` takes it below an issuer, a store and an audience `api`.
fn lines(preset: Preset) -> String {
    let head = format!("[[clients]]\nclient_id = \"web\"\npreset = \"{}\"\n", preset.as_str());
    let rest = match preset {
        Preset::DualToken => {
            "audience = [\"api\"]\norigins = [\"https://app.example.com\"]\naccess_token = { ttl = \"5min\" }\n\
             refresh = { idle = \"14d\", absolute = \"90d\", grace = \"10s\" }\n"
        }
        Preset::GatewaySession => {
            "audience = [\"api\"]\norigins = [\"https://app.example.com\"]\naccess_token = { ttl = \"5min\" }\n\
             refresh = { idle = \"14d\", absolute = \"90d\" }\n"
        }
        Preset::SlidingSession => {
            "audience = [\"api\"]\naccess_token = { ttl = \"1d\" }\nrefresh = { idle = \"2h\" }\n"
        }
        Preset::OpaqueSession => {
            "audience = [\"api\"]\naccess_token = { ttl = \"5min\", format = \"opaque\" }\n\
             refresh = { idle = \"2h\", absolute = \"1d\" }\n"
        }
        Preset::Service => {
            "audience = [\"api\"]\nsecret_hash = \"sha256:\u{2026}\"   # symbolon config secret draws one\n\
             access_token = { ttl = \"5min\" }\n"
        }
    };
    head + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_is_advised_is_a_configuration_that_is_accepted() {
        for preset in Preset::ALL {
            let hash = symbolon_wire::SecretHash::of("a secret").to_text();
            let lines = lines(preset).replace("sha256:\u{2026}", &hash);
            let text = format!(
                "issuer = \"https://id.example.com\"\nstore = \"sqlite:symbolon.db\"\n\
                 [[audiences]]\nname = \"api\"\n{lines}"
            );
            let config = Config::from_text("advised", &text);
            assert!(config.is_ok(), "{preset:?}: {:?}", config.err());
        }
    }
}
