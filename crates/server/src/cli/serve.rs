//! `symbolon serve`: the authority, from a configuration.

use crate::authority::{
    Doors, StartError, hangups, keep_files_private, listen, open, open_admin_socket,
    run as run_authority, stop_on_signals,
};
use crate::cli::config::load;
use crate::cli::{Failure, ServeArgs};
use crate::config::{Config, MasterKeySource, file_here};
use crate::log;
use crate::task::reload::Reload;
use std::net::SocketAddr;
use std::path::Path;
use symbolon_wire::MasterKey;
use tokio::net::TcpListener;

/// Runs until it is told to stop.
///
/// # Errors
/// The configuration is refused, no master key is given, the store cannot be used, an address is taken.
pub async fn run(args: ServeArgs) -> Result<(), Failure> {
    keep_files_private();
    // The file that is found now is the one that a reload reads: without it every client would be a stranger.
    let file = args.config.file.clone().or_else(|| file_here().map(Path::to_owned));
    let config = load(&args.config)?;
    log::start(config.log, config.log_level);
    if let Some(warning) = config.master_key.warning() {
        tracing::warn!("{warning}");
    }
    let master = master_key(&config)?;
    let (stop, hangups) = (stop_on_signals()?, hangups()?);
    let api = listen(config.listen).await?;
    let metrics = match config.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let (issuer, address) = (config.issuer.clone(), local(&api)?);
    let data = config.data_directory();
    let live = open(config, master).await?;
    let admin = data.as_deref().and_then(open_admin_socket);
    tracing::info!(issuer = &*issuer, %address, "ready");
    let read = Box::new(move || Config::load_exactly(file.as_deref(), &args.config.set));
    let reload = Reload { live: live.clone(), read };
    tokio::spawn(reload.run(hangups, stop.clone()));
    run_authority(live, Doors { api, metrics, admin }, stop).await;
    tracing::info!("stopped");
    Ok(())
}

/// The master key that a configuration names.
///
/// # Errors
/// None is given, or it cannot be read.
pub fn master_key(config: &Config) -> Result<MasterKey, Failure> {
    match &config.master_key {
        MasterKeySource::File(path) | MasterKeySource::Credential(path) => read_master_key(path),
        MasterKeySource::Env(text) => parse(text.expose(), "SYMBOLON_MASTER_KEY"),
        MasterKeySource::None => Err(Failure::refused("no master key is given")
            .because("every token, and every key at rest, depends on it, so none is made up")
            .next(
                "set `master_key_file` (`symbolon config init` writes such a file), \
                 SYMBOLON_MASTER_KEY, or a systemd credential named master.key",
            )),
    }
}

/// Where a listener listens: the port that it got, if any would do.
///
/// # Errors
/// The system does not say.
pub fn local(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|why| Failure::could_not("could not start").because(why))
}

/// The master key in a file.
///
/// # Errors
/// The file cannot be read, or holds no master key.
pub fn read_master_key(path: &Path) -> Result<MasterKey, Failure> {
    let place = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|why| Failure::could_not(format!("could not read {place}")).because(why))?;
    parse(&text, &place)
}

fn parse(text: &str, place: &str) -> Result<MasterKey, Failure> {
    MasterKey::parse(text.trim()).map_err(|why| {
        Failure::could_not(format!("{place} holds no usable master key"))
            .because(why)
            .next("make one with `symbolon config init`, or `openssl rand -base64 32`")
    })
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Tls(_) | StartError::Unfinished => Self::refused(error.to_string()),
            StartError::Store(_)
            | StartError::Keys(_)
            | StartError::Fault(_)
            | StartError::Listen(..)
            | StartError::Signals(_) => Self::could_not(error.to_string()),
        }
    }
}
