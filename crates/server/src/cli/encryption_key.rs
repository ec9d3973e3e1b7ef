//! `symbolon config encryption-key`: a key for tokens that are encrypted for one resource server.

use crate::cli::{Failure, out};
use clap::Args;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use symbolon_wire::{DecryptionKey, GeneratedKey, KeyManagement};

/// Which key to draw.
#[derive(Args)]
pub struct EncryptionKeyArgs {
    /// How the resource server gets at the key of a token: ECDH-ES+A256KW, A256KW or dir
    #[arg(long, value_name = "ALG", default_value = "ECDH-ES+A256KW", value_parser = algorithm)]
    alg: KeyManagement,
    /// The file for what the resource server keeps; one that is there stays as it is
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Draws a key, writes its secret half, and prints what the authority's configuration says of it.
///
/// # Errors
/// The file is there already or cannot be written; the library failed.
pub(super) fn run(args: &EncryptionKeyArgs) -> Result<(), Failure> {
    let could_not = |why: String| Failure::could_not("could not draw a key").because(why);
    let drawn = GeneratedKey::draw(args.alg).map_err(|why| could_not(why.to_string()))?;
    let key = DecryptionKey::from_jwk(drawn.private.expose());
    let kid = key.map_err(|why| could_not(why.to_string()))?.kid().to_owned();
    write(&args.out, drawn.private.expose())?;
    let (alg, file) = (args.alg.name(), args.out.display().to_string());
    if args.json {
        let jwk = drawn.public.as_deref();
        out::json(&json!({ "alg": alg, "kid": kid, "key_file": file, "jwk": jwk }));
        return Ok(());
    }
    out::line(format!("{file}: the key of the resource server; nobody else needs it"));
    out::line("for the authority's configuration, below its [[audiences]]:");
    out::line(match &drawn.public {
        Some(public) => format!("encrypt = {{ alg = \"{alg}\", jwk = '{public}' }}"),
        None => format!("encrypt = {{ alg = \"{alg}\", key_file = \"{file}\" }}"),
    });
    if drawn.public.is_none() {
        out::line("both sides hold this key: give the authority the same file");
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let could_not =
        |why| Failure::could_not(format!("could not write {}", path.display())).because(why);
    if path.exists() {
        return Err(Failure::refused(format!("{} is there already", path.display()))
            .next("name another file with --out: what was encrypted for a key is lost with it"));
    }
    let mut file = OpenOptions::new();
    let mut file = file.write(true).create_new(true).mode(0o600).open(path).map_err(could_not)?;
    writeln!(file, "{text}").and_then(|()| file.sync_all()).map_err(could_not)
}

fn algorithm(name: &str) -> Result<KeyManagement, String> {
    let names: Vec<_> = KeyManagement::ALL.iter().map(|alg| alg.name()).collect();
    KeyManagement::from_name(name).ok_or_else(|| format!("is none of {}", names.join(", ")))
}
