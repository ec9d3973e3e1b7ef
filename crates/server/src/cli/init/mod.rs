//! `symbolon config init`: a configuration and a master key to start from.

mod template;
mod verifier;

use crate::cli::{Failure, out};
use crate::config::{Config, Sources};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use symbolon_wire::{MasterKey, SecretHash, SecretText, client_secret};
use template::Template;
use verifier::{Verifier, common};

/// What the new configuration says. Without flags, and at a terminal, it asks.
#[derive(Args)]
pub struct InitArgs {
    /// The file to write; the master key goes beside it
    #[arg(long, value_name = "FILE", default_value = "symbolon.toml")]
    out: PathBuf,
    /// Replace the file if it is there; a master key is never replaced
    #[arg(long)]
    force: bool,
    /// Who verifies tokens, separated by commas; decides alg and typ [default: symbolon]
    #[arg(long, value_enum, value_delimiter = ',')]
    verifiers: Vec<Verifier>,
    /// The authority's public URL [default: http://127.0.0.1:8620]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Where state lives
    #[arg(long, value_name = "URL", default_value = "sqlite:symbolon.db")]
    store: String,
    /// The name of the first resource server
    #[arg(long, value_name = "NAME", default_value = "api")]
    audience: String,
    /// The name of the first client
    #[arg(long, value_name = "ID", default_value = "web")]
    client_id: String,
    /// A web origin whose pages may call; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,
    /// Add a confidential client for service-to-service calls, and print its secret, this once
    #[arg(long, value_name = "ID")]
    service: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Writes a configuration.
///
/// # Errors
/// A flag is wrong, the file is there already, or it could not be written.
pub fn run(mut args: InitArgs) -> Result<(), Failure> {
    let silent = args.verifiers.is_empty() && args.issuer.is_none() && !args.json;
    if silent && std::io::stdin().is_terminal() {
        ask(&mut args)?;
    }
    let rng = SystemRandom::new();
    let secret = args.service.as_ref().map(|_| draw_secret(&rng)).transpose()?;
    let key_path = args.out.with_file_name("master.key");
    let text = text(&args, secret.as_ref());
    prove(&args, &text)?;
    refuse_to_replace(&args)?;
    let new_key = write_master_key(&key_path, &rng)?;
    write(&args.out, &text, 0o644, args.force)?;
    report(&args, &key_path, new_key, secret);
    Ok(())
}

fn text(args: &InitArgs, secret: Option<&SecretText>) -> String {
    let (alg, typ) = common(&args.verifiers);
    let hash = secret.map(|secret| SecretHash::of(secret.expose()));
    let template = Template {
        issuer: args.issuer.as_deref().unwrap_or("http://127.0.0.1:8620"),
        store: &args.store,
        master_key_file: "master.key",
        audience: &args.audience,
        alg,
        typ,
        client: &args.client_id,
        origins: &args.origin,
        service: args.service.as_deref().zip(hash.as_ref()),
    };
    template.text()
}

/// Nothing is written that `config check` would refuse.
fn prove(args: &InitArgs, text: &str) -> Result<(), Failure> {
    let name = args.out.display().to_string();
    let base = args.out.parent().unwrap_or(Path::new(""));
    let sources = Sources { name: &name, text, base, variables: &[], flags: &[] };
    Config::read(&sources).map(|_| ()).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(|p| format!("{}: {}", p.path, p.what)).collect();
        Failure::wrong_usage(lines.join("\n")).next("nothing was written; change the flags")
    })
}

fn refuse_to_replace(args: &InitArgs) -> Result<(), Failure> {
    match args.out.exists() && !args.force {
        true => Err(Failure::refused(format!("{} is there already", args.out.display()))
            .next("name another file with --out, or replace this one with --force")),
        false => Ok(()),
    }
}

/// Draws a secret for a confidential client.
///
/// # Errors
/// The system has no randomness.
pub fn draw_secret(rng: &SystemRandom) -> Result<SecretText, Failure> {
    let mut random = [0; 32];
    let filled = rng.fill(&mut random);
    filled.map(|()| client_secret(&random)).map_err(|_| no_randomness())
}

fn no_randomness() -> Failure {
    Failure::could_not("the system has no randomness")
}

/// Whether a new key was written: an old one stays, since everything made so far depends on it.
fn write_master_key(path: &Path, rng: &SystemRandom) -> Result<bool, Failure> {
    if path.exists() {
        return Ok(false);
    }
    let (_, text) = MasterKey::generate(rng).ok_or_else(no_randomness)?;
    write(path, text.expose(), 0o600, false).map(|()| true)
}

fn write(path: &Path, text: &str, mode: u32, replace: bool) -> Result<(), Failure> {
    let could_not =
        |why| Failure::could_not(format!("could not write {}", path.display())).because(why);
    let mut options = OpenOptions::new();
    options.write(true).mode(mode);
    match replace {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    let mut file = options.open(path).map_err(could_not)?;
    writeln!(file, "{}", text.trim_end()).and_then(|()| file.sync_all()).map_err(could_not)
}

fn report(args: &InitArgs, key_path: &Path, new_key: bool, secret: Option<SecretText>) {
    let (file, key) = (args.out.display().to_string(), key_path.display().to_string());
    if args.json {
        let mut answer =
            json!({ "config": file, "master_key_file": key, "master_key_created": new_key });
        if let (Some(id), Some(secret)) = (&args.service, &secret) {
            answer["service"] = json!({ "client_id": id, "client_secret": secret.expose() });
        }
        out::json(&answer);
        return;
    }
    out::line(format!("wrote {file}"));
    match new_key {
        true => out::line(format!("wrote {key} (mode 0600): keep a copy apart from the store's")),
        false => out::line(format!("kept {key}, which was there already")),
    }
    if let (Some(id), Some(secret)) = (&args.service, &secret) {
        out::line(format!("client_secret of {id:?}, shown this once:\n  {}", secret.expose()));
    }
    out::line("next:");
    out::line(format!("  symbolon config check --config {file}"));
    out::line(format!(
        "  symbolon apikey create --config {file} --name backend \
         --scopes sessions:start,sessions:read,sessions:end,revocations:read"
    ));
    out::line(format!("  symbolon serve --config {file}"));
}

fn ask(args: &mut InitArgs) -> Result<(), Failure> {
    out::note("Who verifies access tokens? Several are separated by commas.");
    for verifier in Verifier::value_variants() {
        let value = verifier.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help()).map(ToString::to_string);
        let name = value.as_ref().map_or("", |value| value.get_name()).to_owned();
        out::note(format!("  {name:<9} {}", help.unwrap_or_default()));
    }
    args.verifiers = answer("verifiers [symbolon]:", "symbolon", |text| {
        text.split(',').map(|name| Verifier::from_str(name.trim(), true)).collect()
    })?;
    let text = |text: &str| Ok(text.to_owned());
    let issuer = "http://127.0.0.1:8620";
    args.issuer = Some(answer(&format!("issuer [{issuer}]:"), issuer, text)?);
    let audience = args.audience.clone();
    args.audience = answer(&format!("first resource server [{audience}]:"), &audience, text)?;
    let client = args.client_id.clone();
    args.client_id = answer(&format!("first client [{client}]:"), &client, text)?;
    args.origin = answer("web origins of its pages, separated by commas []:", "", |text| {
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        Ok(origins.map(str::to_owned).collect())
    })?;
    Ok(())
}

/// Asks until the answer can be read; an empty one is the default.
fn answer<T>(
    question: &str,
    default: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Failure> {
    loop {
        out::ask(question);
        let mut line = String::new();
        let bytes = std::io::stdin().read_line(&mut line);
        if bytes.map_err(|why| Failure::could_not("no answer").because(why))? == 0 {
            return Err(Failure::refused("no answer").next("give flags: symbolon config init -h"));
        }
        let text = line.trim();
        match read(if text.is_empty() { default } else { text }) {
            Ok(value) => return Ok(value),
            Err(why) => out::note(why),
        }
    }
}
