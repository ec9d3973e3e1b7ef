//! Where a PostgreSQL store is, and how to reach it.

use core::fmt;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How long one address may take to accept a connection: three that are away leave time for a fourth.
const CONNECT_BOUND: Duration = Duration::from_millis(400);

/// How long an idle connection waits before it asks whether the other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The longest name of a schema, in bytes. Inclusive; its channel's name must fit into 63.
const SCHEMA_MAX: usize = 40;

const FORM: &str = "write postgres://user:password@host:5432/database?schema=symbolon";

const PARAMETERS: &str = "schema, sslmode, sslrootcert, pgbouncer, host, application_name, \
    target_session_attrs";

/// The URL of a PostgreSQL store, understood. Has no `Debug`: it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) config: Config,
    pub(super) schema: String,
    /// Whether a pgbouncer in transaction mode stands between: nothing may be kept on a connection then.
    pub(super) pooled: bool,
    pub(super) tls: Tls,
}

/// Whether the way is encrypted, and who vouches for the server.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Tls {
    Off,
    /// The certificate names the host and one of these authorities signed it.
    Full(Roots),
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// Those that browsers know.
    Public,
    /// Those in this PEM file.
    File(PathBuf),
}

/// What the parameters say.
#[derive(Default)]
struct Parameters {
    schema: Option<String>,
    sslmode: Option<String>,
    sslrootcert: Option<String>,
    pooled: bool,
}

impl Address {
    /// Reads `postgres://user:password@host:port,host:port/database?parameters`.
    ///
    /// # Errors
    /// What to write instead; the password is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let scheme = ["postgres://", "postgresql://"].iter().any(|begin| base.starts_with(begin));
        if !scheme || text.contains('#') {
            return Err(format!("this is no URL of PostgreSQL: {FORM}"));
        }
        let config = Config::from_str(base);
        let mut config = config.map_err(|_| format!("the URL cannot be read: {FORM}"))?;
        config.application_name("symbolon");
        let mut said = Parameters::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| "a parameter is not UTF-8: percent-encode it")?;
            said.take(&mut config, name, &value)?;
        }
        said.address(config)
    }

    /// The same with this password, for those who keep it in a file of its own.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// Whether it says with which password to come.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }
}

impl Parameters {
    fn take(&mut self, config: &mut Config, name: &str, value: &str) -> Result<(), String> {
        match name {
            "schema" => self.schema = Some(schema(value)?),
            "sslmode" => self.sslmode = Some(value.to_owned()),
            "sslrootcert" => self.sslrootcert = Some(value.to_owned()),
            "pgbouncer" => self.pooled = flag(value)?,
            "host" => drop(config.host(value)),
            "application_name" => drop(config.application_name(value)),
            "target_session_attrs" if value == "read-write" => {}
            "target_session_attrs" => {
                return Err("a store is written to: target_session_attrs is read-write, or left \
                     away, which means the same"
                    .into());
            }
            "password" => return Err(format!("a password stands before the host: {FORM}")),
            _ => return Err(format!("a parameter is unknown; there are: {PARAMETERS}")),
        }
        Ok(())
    }

    fn address(self, mut config: Config) -> Result<Address, String> {
        if config.get_hosts().is_empty() {
            return Err(format!("the URL names no host: {FORM}"));
        }
        if config.get_user().is_none() || config.get_dbname().is_none() {
            return Err(format!("the URL names no user or no database: {FORM}"));
        }
        let tls = self.tls(config.get_hosts())?;
        let mode = if tls == Tls::Off { SslMode::Disable } else { SslMode::Require };
        config.ssl_mode(mode).target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(CONNECT_BOUND).keepalives_idle(KEEPALIVE);
        let schema = self.schema.unwrap_or_else(|| "symbolon".into());
        Ok(Address { config, schema, pooled: self.pooled, tls })
    }

    /// Encryption without a check of who answers keeps nobody out who stands between, so it is not offered.
    fn tls(&self, hosts: &[Host]) -> Result<Tls, String> {
        let roots = self.sslrootcert.as_deref().map(|path| match path {
            "system" => Roots::Public,
            path => Roots::File(path.into()),
        });
        match (self.sslmode.as_deref(), roots) {
            (Some("disable"), None) => Ok(Tls::Off),
            (None, None) if hosts.iter().all(is_here) => Ok(Tls::Off),
            (Some("verify-full") | None, Some(roots)) => Ok(Tls::Full(roots)),
            (Some("disable"), Some(_)) => {
                Err("sslrootcert has no use with sslmode=disable: leave one of them away".into())
            }
            (Some("verify-full"), None) => {
                Err("sslmode=verify-full needs to know whom to believe: \
                 add sslrootcert=/path/to/ca.pem, or sslrootcert=system for the public authorities"
                    .into())
            }
            (None, None) => Err("the server is on another machine: add \
                 sslmode=verify-full&sslrootcert=/path/to/ca.pem (or sslrootcert=system), or \
                 sslmode=disable if nobody else is on that network"
                .into()),
            (Some(_), _) => Err("only sslmode=verify-full and sslmode=disable are known: \
                 encryption that checks nobody stops nobody who stands between"
                .into()),
        }
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let address = std::net::IpAddr::from_str(name);
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
    }
}

fn flag(value: &str) -> Result<bool, String> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("pgbouncer is true or false".into()),
    }
}

/// A name that needs no quotes, so that it is the same in every tool.
fn schema(value: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = value.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    let reserved = value.starts_with("pg_") || value == "information_schema";
    match begins && value.len() <= SCHEMA_MAX && value.bytes().all(plain) && !reserved {
        true => Ok(value.to_owned()),
        false => Err(format!(
            "a schema's name has a to z, digits and _, at most {SCHEMA_MAX} of them, begins with no \
             digit and not with pg_"
        )),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", self.config.get_user().unwrap_or_default())?;
        let ports = self.config.get_ports();
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let comma = if at == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                Host::Unix(path) => write!(f, "{comma}{}:{port}", path.display())?,
            }
        }
        write!(f, "/{}?schema={}", self.config.get_dbname().unwrap_or_default(), self.schema)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Address::parse(text).err().unwrap_or_else(|| panic!("{text} was taken"))
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        let text = "postgres://u:geheim%21@localhost:5433,127.0.0.1:5434/db?schema=s1";
        let address = Address::parse(text).unwrap();
        assert_eq!(address.to_string(), "postgres://u@localhost:5433,127.0.0.1:5434/db?schema=s1");
        assert!(address.has_password());
        assert!(address == Address::parse(text).unwrap());
        let other = address.clone().with_password("other");
        assert!(other != address);
    }

    #[test]
    fn a_refused_url_never_repeats_its_password() {
        for text in [
            "postgres://u:geheim@localhost:port/db",
            "postgres://u:geheim@localhost/db?geheim=geheim",
            "postgres://u:geheim@localhost/db?sslmode=geheim",
            "postgres://u:geheim@localhost/db?schema=Geheim geheim",
            "postgres://u:geheim@localhost/db?pgbouncer=geheim",
            "postgres://u@localhost/db?password=geheim",
            "postgres://u:geheim@db.example/db",
            "postgres://u:geheim@/",
            "mysql://u:geheim@localhost/db",
        ] {
            assert!(!refused(text).contains("geheim"), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn a_server_elsewhere_is_checked_or_said_to_need_no_check() {
        assert!(refused("postgres://u@db.example/db").contains("sslmode=verify-full"));
        assert!(refused("postgres://u@db.example/db?sslmode=require").contains("verify-full"));
        assert!(refused("postgres://u@db.example/db?sslmode=verify-full").contains("sslrootcert="));
        let public = "postgres://u@db.example/db?sslmode=verify-full&sslrootcert=system";
        assert!(Address::parse(public).unwrap().tls == Tls::Full(Roots::Public));
        let file = Address::parse("postgres://u@db.example/db?sslrootcert=/ca.pem").unwrap();
        assert!(file.tls == Tls::Full(Roots::File("/ca.pem".into())));
        let off = Address::parse("postgres://u@db.example/db?sslmode=disable").unwrap();
        assert!(off.tls == Tls::Off);
    }

    #[test]
    fn a_schema_is_a_plain_name() {
        for name in ["", "1a", "a-b", "A", "pg_x", "information_schema", "a\"b", "a.b"] {
            refused(&format!("postgres://u@localhost/db?schema={name}"));
        }
        let address = Address::parse("postgres://u@localhost/db").unwrap();
        assert_eq!(address.schema, "symbolon");
    }
}
