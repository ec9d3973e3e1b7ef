//! `symbolon config`: write, check and describe configurations.

use crate::cli::encryption_key::{self, EncryptionKeyArgs};
use crate::cli::init::{self, InitArgs};
use crate::cli::{ConfigArgs, Failure, out};
use crate::config::{
    self, Config, DEFAULT_FILE, LoadError, MasterKeySource, Preset, duration_text,
};
use crate::keys::brought_wrong;
use aws_lc_rs::rand::SystemRandom;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::Path;
use symbolon_wire::SecretHash;

/// What may be done with a configuration.
#[derive(Subcommand)]
pub enum Command {
    /// Write a configuration and a master key, and say what to do next
    Init(InitArgs),
    /// Check a configuration, with the environment and --set over it, and show what holds
    Check(CheckArgs),
    /// Print every setting as a JSON Schema
    Schema,
    /// Draw a client secret, and print it, this once, with what the configuration keeps of it
    Secret(SecretArgs),
    /// Draw a key for a resource server whose tokens are to be encrypted
    EncryptionKey(EncryptionKeyArgs),
}

/// Which configuration to check.
#[derive(Args)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How to print a secret.
#[derive(Args)]
pub struct SecretArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs one of them.
///
/// # Errors
/// The configuration is refused, or a file could not be read or written.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Init(args) => init::run(args),
        Command::Check(args) => check(&args),
        Command::Secret(args) => secret(&args),
        Command::EncryptionKey(args) => encryption_key::run(&args),
        Command::Schema => {
            out::line(format!("{:#}", config::schema()));
            Ok(())
        }
    }
}

/// Loads a configuration for a command; every mistake in it is said, one a line.
///
/// # Errors
/// It is refused, or could not be read.
pub fn load(args: &ConfigArgs) -> Result<Config, Failure> {
    let loaded = Config::load(args.file.as_deref(), &args.set);
    if let Err(why) = &loaded {
        say(why);
    }
    let nowhere = args.file.is_none() && !Path::new(DEFAULT_FILE).exists();
    loaded.map_err(|why| match nowhere {
        true => failure(&why).next(format!(
            "there is no {DEFAULT_FILE} here: write one with `symbolon config init`, or name yours \
             with --config FILE"
        )),
        false => failure(&why),
    })
}

/// What ends a command whose configuration cannot be used; every mistake in it is said, one a line.
pub fn refusal(error: &LoadError) -> Failure {
    say(error);
    failure(error)
}

fn say(error: &LoadError) {
    if let LoadError::Refused(problems) = error {
        problems.iter().for_each(|problem| out::note(problem.to_string()));
    }
}

fn failure(error: &LoadError) -> Failure {
    match error {
        LoadError::Refused(problems) => mistakes(problems.len()),
        LoadError::Unreadable(..) => Failure::could_not(error.to_string())
            .next("name the file with --config FILE, or write one with `symbolon config init`"),
    }
}

fn mistakes(count: usize) -> Failure {
    Failure::refused(match count {
        1 => "the configuration is refused: 1 mistake".to_owned(),
        n => format!("the configuration is refused: {n} mistakes"),
    })
}

fn refused(wrong: &[String]) -> Result<(), Failure> {
    if wrong.is_empty() { Ok(()) } else { Err(mistakes(wrong.len())) }
}

fn check(args: &CheckArgs) -> Result<(), Failure> {
    if !args.json {
        let config = load(&args.config)?;
        let wrong = brought_wrong(&config);
        wrong.iter().for_each(out::note);
        refused(&wrong)?;
        say_ok(&config);
        return Ok(());
    }
    let loaded = Config::load(args.config.file.as_deref(), &args.config.set);
    match &loaded {
        Ok(config) => {
            let wrong = brought_wrong(config);
            if !wrong.is_empty() {
                out::json(&json!({ "ok": false, "problems": wrong }));
            } else {
                out::json(&json!({ "ok": true, "notes": notes(config) }));
            }
            refused(&wrong)?;
        }
        Err(LoadError::Refused(problems)) => {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            out::json(&json!({ "ok": false, "problems": lines }));
        }
        Err(LoadError::Unreadable(..)) => {}
    }
    loaded.map(|_| ()).map_err(|why| failure(&why))
}

fn secret(args: &SecretArgs) -> Result<(), Failure> {
    let secret = init::draw_secret(&SystemRandom::new())?;
    let hash = SecretHash::of(secret.expose()).to_text();
    if args.json {
        out::json(&json!({ "client_secret": secret.expose(), "secret_hash": hash }));
        return Ok(());
    }
    out::line(format!("client_secret, shown this once:\n  {}", secret.expose()));
    out::line(format!("for the configuration:\n  {hash:?}"));
    Ok(())
}

fn say_ok(config: &Config) {
    out::line(format!("ok: {}", config.issuer));
    out::line(format!("  listens on  {}", config.listen));
    let metrics = config.metrics_listen.map_or("off".to_owned(), |at| at.to_string());
    out::line(format!("  metrics on  {metrics}"));
    out::line(format!("  store       {}", config.store));
    for audience in &config.audiences {
        let algorithms: Vec<_> = audience.algorithms().map(|alg| alg.name()).collect();
        let (alg, typ) = (algorithms.join(" or "), audience.typ.name());
        let sealed = audience.encrypt.as_ref().map(|own| format!(", {}", own.alg().name()));
        let sealed = sealed.unwrap_or_default();
        let once = if audience.one_use { ", each token once" } else { "" };
        out::line(format!("  audience    {}: {alg}, {typ}{sealed}{once}", audience.name));
    }
    for client in config.clients.values() {
        let kind = if client.is_confidential() { "confidential" } else { "public" };
        let id = client.id.as_str();
        out::line(format!(
            "  client      {id}: {}, {kind}, {}",
            client.preset.as_str(),
            lives(client)
        ));
    }
    for note in notes(config) {
        out::line(format!("  note        {note}"));
    }
}

fn lives(client: &config::Client) -> String {
    let policy = &client.policy;
    let ttl = duration_text(policy.access_ttl);
    let (idle, absolute) = (duration_text(policy.idle), duration_text(policy.absolute));
    match client.preset {
        Preset::Service => format!("access tokens {ttl}"),
        Preset::DualToken => format!(
            "access tokens {ttl}, idle {idle}, absolute {absolute}, grace {}",
            duration_text(policy.grace)
        ),
        Preset::SlidingSession => format!("one token for {ttl}, idle {idle}, absolute {absolute}"),
        Preset::GatewaySession => {
            format!("a cookie, access tokens {ttl} inside, idle {idle}, absolute {absolute}")
        }
        Preset::OpaqueSession => format!("one opaque token, idle {idle}, absolute {absolute}"),
    }
}

/// What is right, and yet will surprise somebody.
fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    match &config.master_key {
        MasterKeySource::None => notes.push(
            "no master key is given: `serve` refuses to start; \
             set master_key_file, master_key_credential or SYMBOLON_MASTER_KEY"
                .to_owned(),
        ),
        MasterKeySource::File(path) | MasterKeySource::Credential(path) if !path.exists() => {
            notes.push(format!("there is no master key at {} on this machine", path.display()));
        }
        MasterKeySource::File(_) | MasterKeySource::Credential(_) | MasterKeySource::Env(_) => {}
    }
    notes.extend(config.master_key.warning());
    for path in config.brought_files().filter(|path| !path.exists()) {
        notes.push(format!("there is no {} on this machine", path.display()));
    }
    if config.clients.is_empty() {
        notes.push("there are no [[clients]]: nobody can be signed in".to_owned());
    }
    for client in config.clients.values() {
        let policy = &client.policy;
        if client.preset.has_sessions() && policy.absolute < policy.idle {
            notes.push(format!(
                "client {:?}: sessions end after {} at the latest, so idle = {} never takes effect",
                client.id.as_str(),
                duration_text(policy.absolute),
                duration_text(policy.idle)
            ));
        }
    }
    notes
}
