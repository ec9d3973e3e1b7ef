//! The configuration that `dev` runs with: made from its flags, or read from a file.

use super::directory::Directory;
use crate::cli::config::load;
use crate::cli::{ConfigArgs, DevArgs, Failure};
use crate::config::{Config, LoadError, MasterKeySource, Preset, Problem, duration_text};
use crate::task::reload::Read;
use std::net::SocketAddr;
use std::time::Duration;
use symbolon_core::{ClientId, ClientPolicy};
use symbolon_wire::SecretText;

/// How long an access token of the playground lives, unless another life is asked for.
const PLAYGROUND_TTL: Duration = Duration::from_secs(30);

/// How long its replaced refresh tokens still earn their successors.
const PLAYGROUND_GRACE: Duration = Duration::from_secs(5);

/// Where `dev` listens.
pub struct Ports {
    /// The authority.
    pub api: SocketAddr,
    /// The demo API.
    pub demo: SocketAddr,
    /// The second demo API.
    pub second_demo: SocketAddr,
    /// The playground.
    pub playground: SocketAddr,
    /// The counters.
    pub metrics: SocketAddr,
}

/// What `dev` runs with.
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// The secret of client `service`, if there is such a client.
    pub service_secret: Option<SecretText>,
}

impl Setup {
    /// Makes the configuration.
    ///
    /// # Errors
    /// The flags, or the file that they name, are refused.
    pub fn new(args: &DevArgs, directory: &Directory, ports: &Ports) -> Result<Self, Failure> {
        let mut setup = match &args.config {
            Some(file) => {
                let file = ConfigArgs { file: Some(file.clone()), set: set(args) };
                let mut config = load(&file)?;
                let lives = config.override_lives(args.access_token_ttl, args.grace);
                lives.map_err(|problems| refused(&problems))?;
                Self { config, service_secret: None }
            }
            None => Self::of_flags(args, directory, ports)?,
        };
        setup.config.listen = ports.api;
        // It listens to this machine alone, and says `http` when it is ready.
        setup.config.tls = None;
        setup.config.metrics_listen = Some(ports.metrics);
        setup.config.master_key = MasterKeySource::File(directory.master_key());
        Ok(setup)
    }

    /// The same made again, for a reload: the file of `--config` as it is by then, and where `dev` listens and
    /// keeps its key as it is now. Without `--config` there is nothing that could change.
    pub fn read_again(&self, args: &DevArgs) -> Read {
        let (now, args) = (self.config.clone(), args.clone());
        Box::new(move || {
            let Some(file) = &args.config else { return Ok(now.clone()) };
            let mut config = Config::load(Some(file), &set(&args))?;
            let lives = config.override_lives(args.access_token_ttl, args.grace);
            lives.map_err(LoadError::Refused)?;
            let (listen, metrics_listen) = (now.listen, now.metrics_listen);
            let (tls, master_key) = (now.tls.clone(), now.master_key.clone());
            Ok(Config { listen, metrics_listen, tls, master_key, ..config })
        })
    }

    fn of_flags(args: &DevArgs, directory: &Directory, ports: &Ports) -> Result<Self, Failure> {
        let (secret, hashes) = directory.new_service_secret()?;
        let newest = hashes.first().map(symbolon_wire::SecretHash::to_text).unwrap_or_default();
        let text = file(args, directory, ports, &newest);
        let config = Config::from_text("the flags of `dev`", &text);
        let mut config = config.map_err(|problems| refused(&problems))?;
        let service = ClientId::parse("service").ok();
        if let Some(client) = service.and_then(|id| config.clients.get_mut(&id)) {
            client.secret_hashes = hashes;
        }
        Ok(Self { config, service_secret: Some(secret) })
    }
}

/// What the flags say of a file's settings.
fn set(args: &DevArgs) -> Vec<String> {
    args.store.iter().map(|store| format!("store={store}")).collect()
}

/// The configuration of `dev` without flags, for commands that explain and start nothing.
///
/// # Errors
/// There is no place for a directory.
pub fn usual() -> Result<Config, Failure> {
    let args = DevArgs::default();
    let directory = Directory::open(None)?;
    let local = |port| SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port));
    let ports = Ports {
        api: local(8620),
        demo: local(8621),
        second_demo: local(8622),
        playground: local(8623),
        metrics: local(8629),
    };
    Setup::of_flags(&args, &directory, &ports).map(|setup| setup.config)
}

/// A configuration file that says what the flags ask for.
fn file(args: &DevArgs, directory: &Directory, ports: &Ports, secret_hash: &str) -> String {
    let Ports { api, demo, second_demo, metrics, .. } = ports;
    let issuer = authority_url(*api);
    let database = format!("sqlite:{}", directory.database().display());
    let store = args.store.clone().unwrap_or(database);
    let ttl = args.access_token_ttl.unwrap_or(ClientPolicy::default().access_ttl);
    let origins = origins(&[api.port(), demo.port(), second_demo.port(), 5173, 3000]);
    let web = web(args, ttl, &origins, secret_hash);
    let app = grace(args, ttl, Duration::from_secs(120));
    let playground = playground(args, ports.playground);
    let (ttl, store) = (duration_text(ttl), quoted(&store));
    format!(
        r#"
issuer = "{issuer}"
listen = "{api}"
metrics_listen = "{metrics}"
store = {store}

[[audiences]]
name = "demo-api"
alg = "EdDSA"
typ = "at+jwt"

[[clients]]
client_id = "web"
audience = ["demo-api"]
scope = "orders:read"
{web}
[[clients]]
client_id = "app"
preset = "dual-token"
audience = ["demo-api"]
scope = "orders:read"
access_token = {{ ttl = "{ttl}" }}
refresh = {{ grace = "{app}" }}

[[clients]]
client_id = "service"
preset = "service"
secret_hash = "{secret_hash}"
audience = ["demo-api"]
scope = "orders:read"
access_token = {{ ttl = "{ttl}" }}

[[clients]]
client_id = "playground"
audience = ["demo-api"]
scope = "orders:read"
{playground}
[gateway]
trusted_proxies = ["127.0.0.0/8", "::1"]

[[gateway.rules]]
name = "public"
prefix = "/public"
public = true

[[gateway.rules]]
name = "orders"
prefix = "/orders"
scopes = ["orders:read"]

[[gateway.rules]]
name = "everything"
prefix = "/"
"#
    )
}

/// The preset of `web`, and what the flags say of it. As a service it has the secret of client `service`.
fn web(args: &DevArgs, ttl: Duration, origins: &str, secret_hash: &str) -> String {
    let preset = args.preset.unwrap_or(Preset::DualToken);
    let (name, life) = (preset.as_str(), duration_text(ttl));
    let lives = match preset.has_refresh_tokens() {
        true => format!(
            "access_token = {{ ttl = \"{life}\" }}\nrefresh = {{ grace = \"{}\" }}\n",
            grace(args, ttl, Duration::from_secs(10))
        ),
        // Of its own, if none is asked for.
        false if args.access_token_ttl.is_some() => {
            format!("access_token = {{ ttl = \"{life}\" }}\n")
        }
        false => String::new(),
    };
    let known_by = match preset.has_sessions() {
        true => format!("origins = [{origins}]"),
        false => format!("secret_hash = \"{secret_hash}\""),
    };
    format!("preset = \"{name}\"\n{known_by}\n{lives}")
}

/// Lives that are short enough to be watched, and a limit that a second browser reaches.
fn playground(args: &DevArgs, at: SocketAddr) -> String {
    let ttl = args.access_token_ttl.unwrap_or(PLAYGROUND_TTL);
    // A window that was asked for is for clients with longer lives.
    let grace = args.grace.unwrap_or(PLAYGROUND_GRACE).min(ttl / 2);
    let (life, grace) = (duration_text(ttl), duration_text(grace));
    let origin = crate::playground::origin(at);
    format!(
        "preset = \"dual-token\"\norigins = [\"{origin}\"]\naccess_token = {{ ttl = \"{life}\" }}\n\
         refresh = {{ grace = \"{grace}\" }}\ndevices = {{ per_class = {{ web = 1 }} }}\n"
    )
}

/// A window that was asked for is taken at its word; the usual one shrinks with a short token.
fn grace(args: &DevArgs, ttl: Duration, usual: Duration) -> String {
    duration_text(args.grace.unwrap_or(usual.min(ttl / 2)))
}

fn origins(ports: &[u16]) -> String {
    let both = |port: &u16| {
        [format!("\"http://127.0.0.1:{port}\""), format!("\"http://localhost:{port}\"")]
    };
    let mut all: Vec<_> = ports.iter().flat_map(both).collect();
    all.sort_unstable();
    all.dedup();
    all.join(", ")
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The URL under which this machine reaches an address.
pub fn authority_url(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("http://127.0.0.1:{}", address.port()),
        false => format!("http://{address}"),
    }
}

fn refused(problems: &[Problem]) -> Failure {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Failure::wrong_usage(lines.join("\n"))
}
