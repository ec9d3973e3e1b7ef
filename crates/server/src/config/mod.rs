//! Configuration: a TOML file, the environment over it, `--set` over both.
//!
//! `settings.rs` is the table of everything that may be set; `tree.rs` reads a file with the places of
//! its values, `overlay.rs` lays environment and flags over it, `check.rs` holds the result against
//! the table, and `build.rs` and `client.rs` turn what passed into a [`Config`]. Each step goes on
//! after a mistake, so that one run reports them all.

mod build;
pub mod change;
mod check;
mod client;
mod duration;
mod encrypt;
mod environment;
mod gateway;
mod hook;
mod master_key;
mod network;
mod overlay;
mod place;
mod schedules;
mod schema;
mod settings;
mod shared;
mod store;
mod tokens;
mod tree;
mod url;

pub use duration::{duration_text, parse_duration};
pub use encrypt::Encrypt;
pub use gateway::Gateway;
pub use hook::{Hook, OnFailure};
pub use network::Network;
pub use place::{Place, Problem};
pub use schedules::when_text;
pub use schema::schema;
pub use settings::{DEVICES_MAX, setting_paths};
pub use shared::Shared;
pub use store::StoreUrl;
pub use url::is_loopback;

use crate::tls::TlsFiles;
use place::Problems;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use symbolon_core::schedule::Schedule;
use symbolon_core::time::Duration;
use symbolon_core::{ClientId, ClientPolicy, KeyPlan, Policies};
use symbolon_wire::{Algorithm, SecretHash, SecretText, Type};

/// The file that is read when none is named, if it is there.
pub const DEFAULT_FILE: &str = "symbolon.toml";

/// The largest configuration file, in bytes. Inclusive.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// The most bytes that roles and claims may take as JSON where a token says them. Inclusive. So much fits, under every
/// algorithm, into an access token of 4 KiB beside what every token says; base64 adds a third.
pub const PROFILE_BYTES_MAX: usize = 2304;

/// The most where no token says them. Inclusive.
pub const LEFT_OUT_BYTES_MAX: usize = 32 * 1024;

/// A whole configuration; holding one is the proof that it was checked.
#[derive(Clone)]
pub struct Config {
    /// The authority's public URL: `iss` of every token.
    pub issuer: Arc<str>,
    /// Where the authority answers.
    pub listen: SocketAddr,
    /// Where `/metrics` answers; `None` for nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// The certificate of the authority's own TLS; `None`: it speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Where state lives.
    pub store: StoreUrl,
    /// The file of the store's password, where it stands in one.
    pub store_password_file: Option<PathBuf>,
    /// The directory of the admin socket; `None`: that of the store, where it is a file.
    pub data: Option<PathBuf>,
    /// Where the master key comes from.
    pub master_key: MasterKeySource,
    /// When the authority's own signing keys turn.
    pub keys: KeyPlan,
    /// Signing keys that somebody brings.
    pub signing_keys: Vec<KeyFile>,
    /// The resource servers that access tokens are for, in the order of the file.
    pub audiences: Vec<Audience>,
    /// The applications that ask for tokens.
    pub clients: BTreeMap<ClientId, Client>,
    /// What proxies are told about requests.
    pub gateway: Arc<Gateway>,
    /// Sessions that end because it is time, in the order of the file.
    pub schedules: Vec<Schedule>,
    /// How log lines look.
    pub log: LogFormat,
    /// The least important lines that are still written.
    pub log_level: LogLevel,
}

/// Where the master key comes from.
#[derive(Clone)]
pub enum MasterKeySource {
    /// A file that holds it.
    File(PathBuf),
    /// It stood in `SYMBOLON_MASTER_KEY`.
    Env(SecretText),
    /// A systemd credential, which is a file as well.
    Credential(PathBuf),
    /// From nowhere: `dev` makes one, `serve` refuses to start.
    None,
}

/// A resource server, or several that share a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audience {
    /// `aud` of the tokens for it.
    pub name: Arc<str>,
    /// How tokens for it are signed.
    pub alg: Algorithm,
    /// What they declare themselves to be.
    pub typ: Type,
    /// The file of the secret that it shares with us: if, and only if, `alg` is HS256.
    pub secret: Option<PathBuf>,
    /// How they are encrypted; `None`: they are signed alone.
    pub encrypt: Option<Encrypt>,
    /// What else they may be signed with, where a client says so.
    pub accepts: Vec<Algorithm>,
    /// Whether each lets in once.
    pub one_use: bool,
}

impl Audience {
    /// One of which nothing but the name is said.
    pub fn by_default(name: &str) -> Self {
        let (alg, typ) = (Algorithm::EdDsa, Type::AccessTokenJwt);
        Self {
            name: name.into(),
            alg,
            typ,
            secret: None,
            encrypt: None,
            accepts: Vec::new(),
            one_use: false,
        }
    }

    /// Everything that tokens for it may be signed with.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        std::iter::once(self.alg).chain(self.accepts.iter().copied())
    }
}

/// A signing key that somebody brings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyFile {
    /// PKCS #8 in PEM.
    pub path: PathBuf,
    /// Whether it signs; else it is published alone, before its time or after it.
    pub signs: bool,
}

/// An application that asks for tokens.
#[derive(Clone)]
pub struct Client {
    /// Its name.
    pub id: ClientId,
    /// How its sessions are renewed.
    pub preset: Preset,
    /// What is kept of its secrets: none for a public client, two while a secret is being changed.
    pub secret_hashes: Vec<SecretHash>,
    /// Web origins whose pages may call, exactly as browsers send them.
    pub origins: Vec<Arc<str>>,
    /// How its refresh tokens travel.
    pub delivery: Delivery,
    /// The audiences its tokens are for; at least one, all of one `alg` and one `typ`.
    pub audience: Vec<Arc<str>>,
    /// Those of them that are meant where nobody asks for one; empty: all.
    pub usual_audience: Vec<Arc<str>>,
    /// How its tokens are signed; `None`: as its audiences say.
    pub alg: Option<Algorithm>,
    /// Whether its access tokens leave out roles and claims, which services then ask for once.
    pub thin: bool,
    /// Whom to ask before a session is renewed; `None`: nobody.
    pub hook: Option<Hook>,
    /// The rules that its sessions live under.
    pub policy: ClientPolicy,
}

impl Client {
    /// Whether it must show a secret.
    pub const fn is_confidential(&self) -> bool {
        !self.secret_hashes.is_empty()
    }

    /// Whether a presented text is a secret of its, compared in constant time; a public client has none.
    pub fn has_secret(&self, presented: &str) -> bool {
        self.secret_hashes.iter().fold(false, |found, hash| found | hash.is_of(presented))
    }
}

/// How a client's sessions are renewed. DESIGN.md §4.8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preset {
    /// A short JWT, and a refresh token that rotates.
    DualToken,
    /// A cookie that never changes outside, short JWTs inside.
    GatewaySession,
    /// One long JWT that never changes; its session slides.
    SlidingSession,
    /// One opaque token that never changes; its session slides.
    OpaqueSession,
    /// Client credentials; no refresh token.
    Service,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::DualToken,
        Self::GatewaySession,
        Self::SlidingSession,
        Self::OpaqueSession,
        Self::Service,
    ];

    /// The word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DualToken => "dual-token",
            Self::GatewaySession => "gateway-session",
            Self::SlidingSession => "sliding-session",
            Self::OpaqueSession => "opaque-session",
            Self::Service => "service",
        }
    }

    /// What a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == word)
    }

    /// Whether people have sessions through it.
    pub const fn has_sessions(self) -> bool {
        match self {
            Self::DualToken | Self::GatewaySession | Self::SlidingSession | Self::OpaqueSession => {
                true
            }
            Self::Service => false,
        }
    }

    /// Whether its sessions have refresh tokens.
    pub const fn has_refresh_tokens(self) -> bool {
        match self {
            Self::DualToken => true,
            Self::GatewaySession | Self::SlidingSession | Self::OpaqueSession | Self::Service => {
                false
            }
        }
    }

    /// Whether an access token lasts as long as its session, so that nobody renews it.
    pub const fn tokens_last(self) -> bool {
        match self {
            Self::SlidingSession | Self::OpaqueSession => true,
            Self::DualToken | Self::GatewaySession | Self::Service => false,
        }
    }

    /// What the access tokens are that it gives out.
    pub const fn format(self) -> Format {
        match self {
            Self::OpaqueSession => Format::Opaque,
            Self::DualToken | Self::GatewaySession | Self::SlidingSession | Self::Service => {
                Format::Jwt
            }
        }
    }

    /// The rules that its sessions live under where the configuration says nothing.
    pub fn policy(self) -> ClientPolicy {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        let usual = ClientPolicy::default();
        match self {
            Self::DualToken => usual,
            Self::GatewaySession | Self::Service => ClientPolicy { grace: Duration::ZERO, ..usual },
            Self::SlidingSession => ClientPolicy {
                access_ttl: 24 * HOUR,
                idle: 2 * HOUR,
                absolute: 24 * HOUR,
                grace: Duration::ZERO,
                ..usual
            },
            Self::OpaqueSession => {
                ClientPolicy { idle: 2 * HOUR, absolute: 24 * HOUR, grace: Duration::ZERO, ..usual }
            }
        }
    }
}

/// How refresh tokens travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Delivery {
    /// In the body of answers and requests; the client keeps them.
    #[default]
    Body,
    /// In a cookie that no script can read.
    Cookie,
    /// In `X-Refresh-Token` of requests and answers; the client keeps them.
    Headers,
}

impl Delivery {
    /// The word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Cookie => "cookie",
            Self::Headers => "headers",
        }
    }

    /// What a word names.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Body, Self::Cookie, Self::Headers];
        all.into_iter().find(|delivery| delivery.as_str() == word)
    }
}

/// What an access token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One that whoever has the keys can read (RFC 9068).
    Jwt,
    /// A handle, which only the authority can read (RFC 7662).
    Opaque,
}

impl Format {
    /// The word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Opaque => "opaque",
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// The least important log lines that are still written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogLevel {
    /// What somebody must look at.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// How it happened.
    Debug,
    /// Every step.
    Trace,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum LoadError {
    /// It is wrong; every mistake, in the order of the file.
    Refused(Vec<Problem>),
    /// The file could not be read.
    Unreadable(PathBuf, std::io::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problems) => {
                let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Unreadable(path, why) => write!(f, "could not read {}: {why}", path.display()),
        }
    }
}

impl std::error::Error for LoadError {}

impl Config {
    /// Reads the configuration that a command finds when none is named: that of the environment, or of the
    /// working directory.
    ///
    /// # Errors
    /// There is none, or it is wrong.
    pub fn found() -> Result<Self, LoadError> {
        Self::load(environment::configuration_file().as_deref(), &[])
    }

    /// Reads `file` (or [`DEFAULT_FILE`] where there is one), the environment and `--set` flags.
    ///
    /// # Errors
    /// The file could not be read, or something in it, the environment or the flags is wrong.
    pub fn load(file: Option<&Path>, set: &[String]) -> Result<Self, LoadError> {
        Self::load_exactly(file.or_else(file_here), set)
    }

    /// The same without looking for a file: `None` reads none.
    ///
    /// # Errors
    /// As [`Self::load`]'s.
    pub fn load_exactly(path: Option<&Path>, set: &[String]) -> Result<Self, LoadError> {
        let text = path.map(read).transpose()?.unwrap_or_default();
        let base = path.and_then(Path::parent).unwrap_or(Path::new(""));
        let name = path.map_or("configuration".into(), |path| path.display().to_string());
        let variables = environment::settings();
        let sources = Sources { name: &name, text: &text, base, variables: &variables, flags: set };
        Self::read(&sources).map_err(LoadError::Refused)
    }

    /// Reads a text alone, as if it were a file of that name in the working directory.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn from_text(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let base = Path::new("");
        Self::read(&Sources { name, text, base, variables: &[], flags: &[] })
    }

    /// Reads everything that may say something.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(sources: &Sources<'_>) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let config = read_sources(sources, &mut problems);
        match config.filter(|_| problems.is_empty()) {
            Some(config) => Ok(config),
            None => Err(problems.into_sorted()),
        }
    }

    /// The rules of every client, for the rules.
    pub fn policies(&self) -> Policies {
        let policy = |client: &Client| (client.id.clone(), client.policy.clone());
        Policies(self.clients.values().map(policy).collect())
    }

    /// The files of keys and secrets that somebody brings.
    pub fn brought_files(&self) -> impl Iterator<Item = &Path> {
        let secrets = self.audiences.iter().filter_map(|audience| audience.secret.as_deref());
        let sealing = self.audiences.iter().filter_map(|own| own.encrypt.as_ref()?.file());
        self.signing_keys.iter().map(|key| &*key.path).chain(secrets).chain(sealing)
    }

    /// The directory that the admin socket lies in; `None`: there is none.
    pub fn data_directory(&self) -> Option<PathBuf> {
        let of_store = || match self.store.file()?.parent() {
            Some(parent) if parent != Path::new("") => Some(parent.to_owned()),
            Some(_) | None => Some(PathBuf::from(".")),
        };
        self.data.clone().or_else(of_store)
    }

    /// The audience of that name.
    pub fn audience(&self, name: &str) -> Option<&Audience> {
        self.audiences.iter().find(|audience| &*audience.name == name)
    }

    /// The most bytes that somebody's roles and claims may take as JSON: so much fits, under every client, into an
    /// access token that says it, or is told to whoever asks if none of them does. Inclusive.
    pub fn profile_bytes_max(&self) -> usize {
        let mut of_people = self.clients.values().filter(|client| client.preset.has_sessions());
        if of_people.all(|client| client.thin) { LEFT_OUT_BYTES_MAX } else { PROFILE_BYTES_MAX }
    }

    /// Whether any client has sessions that live in a cookie.
    pub fn has_gateway_sessions(&self) -> bool {
        self.clients.values().any(|client| client.preset == Preset::GatewaySession)
    }

    /// Gives every client this life of access tokens and this grace window, as `dev`'s flags ask.
    ///
    /// # Errors
    /// A client whose settings no longer fit together.
    pub fn override_lives(
        &mut self,
        ttl: Option<Duration>,
        grace: Option<Duration>,
    ) -> Result<(), Vec<Problem>> {
        let mut problems = Problems::default();
        for client in self.clients.values_mut() {
            client.policy.access_ttl = ttl.unwrap_or(client.policy.access_ttl);
            if client.preset == Preset::SlidingSession {
                client.policy.absolute = client.policy.access_ttl.min(client.policy.absolute);
                client.policy.idle = client.policy.idle.min(client.policy.absolute);
            }
            if client.preset.has_refresh_tokens() {
                client.policy.grace = grace.unwrap_or(client.policy.grace);
            }
            client::check_flags(client, &mut problems);
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.into_sorted()) }
    }
}

/// The file that is read when none is named: [`DEFAULT_FILE`], where there is one.
pub fn file_here<'a>() -> Option<&'a Path> {
    let default = Path::new(DEFAULT_FILE);
    default.exists().then_some(default)
}

/// Everything that may say something about a configuration.
pub struct Sources<'a> {
    /// What the file is called in messages.
    pub name: &'a str,
    /// The file's text.
    pub text: &'a str,
    /// From where relative paths of the file are taken.
    pub base: &'a Path,
    /// `SYMBOLON_…` variables; they go before the file.
    pub variables: &'a [(String, String)],
    /// `path=value`; they go before the environment.
    pub flags: &'a [String],
}

fn read_sources(sources: &Sources<'_>, problems: &mut Problems) -> Option<Config> {
    let name: Arc<str> = sources.name.into();
    let mut tree = tree::read_file(&name, sources.text, problems)?;
    overlay::lay_environment(&mut tree, sources.variables, problems);
    overlay::lay_flags(&mut tree, sources.flags, problems);
    let members = check::check(tree, Place::Whole(name), problems);
    build::config(&members, sources.base, problems)
}

fn read(path: &Path) -> Result<String, LoadError> {
    let unreadable = |why| LoadError::Unreadable(path.to_owned(), why);
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(unreadable(std::io::Error::other("it is larger than 1 MiB")));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}
