//! `symbolon sidecar`: the verifier as a process without a store.

use crate::authority::{hangups, keep_files_private, listen, stop_on_signals};
use crate::cli::net::parse_url;
use crate::cli::serve::local;
use crate::cli::show::printable;
use crate::cli::{Failure, config};
use crate::config::{LoadError, Shared, parse_duration};
use crate::log;
use crate::sidecar::{Secrets, Settings, SetupError, Sidecar, Unacceptable};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use clap::Args;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use symbolon_wire::{DecryptionKey, SecretText};
use tokio::net::TcpListener;
use tokio::signal::unix::Signal;

/// What a sidecar is told.
#[derive(Args, Clone)]
pub struct SidecarArgs {
    /// The authority's URL: https, or http on this machine
    #[arg(long, value_name = "URL", env = "SYMBOLON_URL", value_parser = url)]
    authority: String,
    /// An API key of scope revocations:read; better in the environment or in a file, where the list of processes does
    /// not show it
    #[arg(long, value_name = "KEY", env = "SYMBOLON_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// The file that holds the API key, such as a credential of systemd
    #[arg(long, value_name = "FILE", conflicts_with = "api_key")]
    api_key_file: Option<PathBuf>,
    /// Whose tokens are taken [default: `issuer` of the configuration, else the authority's URL]
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,
    /// Whom tokens must be for; may be repeated [default: the audiences of the configuration]
    #[arg(long = "audience", value_name = "NAME")]
    audiences: Vec<String>,
    /// The file with [gateway] and [[audiences]], as the authority reads them
    #[arg(long, value_name = "FILE", env = "SYMBOLON_CONFIG")]
    config: Option<PathBuf>,
    /// Where it answers; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8630")]
    listen: SocketAddr,
    /// Where /metrics answers; off for nowhere
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8631", value_parser = address_or_off)]
    metrics_listen: Listen,
    /// How old what it knows of revocations may be: 1s to 24h
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = staleness)]
    max_staleness: Duration,
    /// Who may introspect: lines of name:secret [default: whoever asks from this machine]
    #[arg(long, value_name = "FILE")]
    introspection_secret_file: Option<PathBuf>,
    /// A key that opens tokens which are encrypted for an audience here; may be repeated
    #[arg(long = "decrypt-key", value_name = "FILE")]
    decrypt_keys: Vec<PathBuf>,
    /// Refuse tokens that are not encrypted
    #[arg(long, requires = "decrypt_keys")]
    require_encrypted: bool,
    /// Tell the authority once a minute which sessions are used, so that those whose token cannot change stay alive
    #[arg(long)]
    report_activity: bool,
    /// Let a token in only once the authority has said that it is its own: each is asked about at its first use
    #[arg(long)]
    allowlist: bool,
    /// The name under which it reports what it applied [default: drawn at each start]
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
}

/// Where to listen, or nowhere.
#[derive(Clone, Copy)]
struct Listen(Option<SocketAddr>);

/// Runs until it is told to stop.
///
/// # Errors
/// It is told wrongly, an address is taken, or the authority refuses it.
pub async fn run(args: SidecarArgs) -> Result<(), Failure> {
    keep_files_private();
    let shared = load(&args)?;
    log::start(shared.log, shared.log_level);
    let settings = settings(&args, shared)?;
    let (stop, hangups) = (stop_on_signals()?, hangups()?);
    let api = listen(args.listen).await?;
    let metrics = match args.metrics_listen.0 {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let issuer = settings.issuer.clone();
    let sidecar = Sidecar::new(settings).map_err(refused)?;
    say_where(&issuer, &api, metrics.as_ref())?;
    tokio::spawn(reload(sidecar.clone(), args.clone(), hangups));
    // It answers before the authority does: whoever waits for /readyz is told the truth.
    let mut serving = std::pin::pin!(sidecar.clone().run(api, metrics, stop));
    let known = tokio::select! {
        () = &mut serving => return Ok(()),
        known = sidecar.introduce(&issuer) => known.map_err(|why| unacceptable(&args, &issuer, why))?,
    };
    if !known {
        let authority = &*args.authority;
        tracing::warn!(authority, "the authority does not answer; trying again until it does");
    }
    serving.await;
    tracing::info!("stopped");
    Ok(())
}

fn say_where(
    issuer: &str,
    api: &TcpListener,
    metrics: Option<&TcpListener>,
) -> Result<(), Failure> {
    let (address, metrics) = (local(api)?, metrics.map(local).transpose()?);
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "tokens and API keys come here in clear, from other machines too");
    }
    let metrics = metrics.map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(issuer, metrics, %address, "serving");
    Ok(())
}

fn load(args: &SidecarArgs) -> Result<Shared, Failure> {
    let loaded = Shared::load(args.config.as_deref(), &args.audiences);
    loaded.map_err(|why| config::refusal(&why))
}

fn settings(args: &SidecarArgs, shared: Shared) -> Result<Settings, Failure> {
    let secrets = args.introspection_secret_file.as_deref().map(secrets).transpose()?;
    let own = args.authority.trim_end_matches('/').to_owned();
    let configured = shared.issuer.as_deref().map(str::to_owned);
    Ok(Settings {
        name: name()?,
        authority: args.authority.clone(),
        issuer: args.issuer.clone().or(configured).unwrap_or(own),
        api_key: api_key(args)?,
        instance: args.instance.clone(),
        allowlist: args.allowlist || shared.gateway.allowlist,
        shared,
        max_staleness: args.max_staleness,
        report_activity: args.report_activity,
        secrets,
        decrypt: args
            .decrypt_keys
            .iter()
            .map(|path| decryption_key(path))
            .collect::<Result<_, _>>()?,
        require_encrypted: args.require_encrypted,
    })
}

fn decryption_key(path: &Path) -> Result<DecryptionKey, Failure> {
    let text = SecretText::new(text_of(path)?);
    DecryptionKey::from_jwk(text.expose()).map_err(|wrong| {
        Failure::refused(format!("{} holds no key that opens tokens", path.display()))
            .because(wrong)
            .next("draw one with `symbolon config encryption-key --out FILE`, or write it as a JWK")
    })
}

fn api_key(args: &SidecarArgs) -> Result<String, Failure> {
    let none = || {
        Failure::wrong_usage("no API key was given").next(
            "set SYMBOLON_API_KEY, or name a file with --api-key-file FILE; a key is made with \
                   `symbolon apikey create --name sidecar --scopes revocations:read`",
        )
    };
    match &args.api_key_file {
        Some(path) => Ok(text_of(path)?.trim().to_owned()),
        None => args.api_key.clone().ok_or_else(none),
    }
}

fn secrets(path: &Path) -> Result<Secrets, Failure> {
    Secrets::parse(&text_of(path)?).map_err(|wrong| {
        Failure::refused(format!("{} cannot be used", path.display()))
            .because(wrong)
            .next("write one line for each caller: its name, a colon, its secret")
    })
}

fn text_of(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|why| {
        Failure::could_not(format!("could not read {}", path.display())).because(why)
    })
}

/// What the requests of this process are named after.
fn name() -> Result<Arc<str>, Failure> {
    let mut bytes = [0; 4];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::could_not("the system has no randomness"))?;
    Ok(format!("{:08x}", u32::from_be_bytes(bytes)).into())
}

/// Reads the rules again when asked to; a wrong file is refused and the old one stays.
async fn reload(sidecar: Sidecar, args: SidecarArgs, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        match Shared::load(args.config.as_deref(), &args.audiences) {
            Ok(shared) if sidecar.reload(&shared) => tracing::info!("configuration reloaded"),
            Ok(_) => tracing::error!(
                "configuration not reloaded: the audiences are others than at the start; start anew"
            ),
            Err(LoadError::Refused(problems)) => {
                for problem in problems {
                    tracing::error!(%problem, "configuration not reloaded");
                }
            }
            Err(why) => tracing::error!(%why, "configuration not reloaded"),
        }
    }
}

fn refused(why: SetupError) -> Failure {
    let failure = Failure::wrong_usage(why.to_string());
    match why {
        SetupError::NoAudience => failure.next(
            "name one with --audience NAME, or a configuration that has [[audiences]] with --config FILE",
        ),
        SetupError::SharedSecret(_) => failure
            .because("a sidecar knows published keys alone")
            .next("name the others with --audience NAME, and let this one introspect at the authority"),
        SetupError::Verifier(_) => failure,
    }
}

fn unacceptable(args: &SidecarArgs, issuer: &str, why: Unacceptable) -> Failure {
    let authority = &args.authority;
    match why {
        Unacceptable::NoAuthority => {
            Failure::refused(format!("what answers at {authority} is no authority"))
                .because("its metadata names no issuer")
                .next("check --authority")
        }
        Unacceptable::Issuer(other) => {
            let other = printable(&other);
            Failure::refused(format!("the authority at {authority} is not {issuer}"))
                .because(format!("it calls itself {other}, and `iss` is compared byte by byte"))
                .next(format!("say --issuer {other}, if that is the one you mean"))
        }
        Unacceptable::Key(problem) => Failure::refused(format!(
            "the authority at {authority} does not take the API key"
        ))
        .because(printable(problem.detail()))
        .next("make one with `symbolon apikey create --name sidecar --scopes revocations:read`"),
    }
}

fn url(text: &str) -> Result<String, String> {
    parse_url(text).map(|_| text.to_owned())
}

fn address_or_off(text: &str) -> Result<Listen, String> {
    match text {
        "off" => Ok(Listen(None)),
        text => text.parse().map(|address| Listen(Some(address))).map_err(|_| {
            "is neither an address and a port, such as 127.0.0.1:8631, nor off".to_owned()
        }),
    }
}

fn staleness(text: &str) -> Result<Duration, String> {
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
    let given = parse_duration(text)?;
    match (least..=most).contains(&given) {
        true => Ok(given),
        false => Err("must be from 1s to 24h".to_owned()),
    }
}
