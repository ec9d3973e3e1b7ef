//! `symbolon serve`: the authority, from a configuration.

use super::output::{Failure, say};
use super::{ServeArgs, load};
use crate::authority::{listen, open, run, stop_on_signals};
use crate::config::{Config, MasterKeySource};
use crate::log;
use std::path::Path;
use symbolon_wire::MasterKey;

/// Serves until told to stop.
///
/// # Errors
/// The configuration is wrong, no master key is given, the store is not usable, an address is taken.
pub async fn serve(args: ServeArgs) -> Result<(), Failure> {
    let config = load(&args.source)?;
    log::start(config.log, config.log_level);
    let master = master_key(&config)?;
    let stop = stop_on_signals()?;
    let api = listen(config.listen).await?;
    let metrics = match config.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let (issuer, address) = (config.issuer.clone(), config.listen);
    let app = open(config, &master).await?;
    tracing::info!(issuer = &*issuer, %address, "ready");
    run(app, api, metrics, stop).await;
    say("stopped");
    Ok(())
}

/// The master key of this configuration.
///
/// # Errors
/// None is given, or what is given is not one.
pub fn master_key(config: &Config) -> Result<MasterKey, Failure> {
    let text = match &config.master_key {
        MasterKeySource::None => {
            return Err(Failure::refused(
                "no master key is given: every token and every key at rest depends on it, so `serve` does \
                 not make one up. Set `master_key_file` (`symbolon config init` writes such a file), or \
                 SYMBOLON_MASTER_KEY, or a systemd credential named `master.key`.",
            ));
        }
        MasterKeySource::Env(text) => return parse(text.expose(), "SYMBOLON_MASTER_KEY"),
        MasterKeySource::File(path) | MasterKeySource::Credential(path) => path,
    };
    read(text)
}

/// The master key in a file.
///
/// # Errors
/// The file cannot be read, or holds no master key.
pub fn read(path: &Path) -> Result<MasterKey, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|why| Failure::could_not(format!("could not read the master key {name}: {why}")))?;
    parse(&text, &name)
}

fn parse(text: &str, place: &str) -> Result<MasterKey, Failure> {
    MasterKey::parse(text).map_err(|why| Failure::refused(format!("the master key in {place} {why}")))
}
