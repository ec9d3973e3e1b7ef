//! Where a Redis store is, as its URL says.

use core::fmt;
use percent_encoding::percent_decode_str;

/// The most servers that a URL names. Inclusive.
const SERVERS_MAX: usize = 64;

/// What keys begin with where nothing else is said.
const PREFIX: &str = "symbolon";

/// The longest prefix of keys, in bytes. Inclusive.
const PREFIX_MAX: usize = 32;

const FORMS: &str = "write redis://[user:password@]host:6379/0, redis+sentinel://host:26379,host:26379/master-name \
     or redis+cluster://host:6379,host:6379 (rediss:// and the like with TLS)";

/// A parsed URL of a Redis or Valkey store. Has no `Debug`: it holds a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) form: Form,
    pub(super) tls: bool,
    /// Each a host and a port; at least one.
    pub(super) servers: Vec<(String, u16)>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) sentinel_password: Option<String>,
    pub(super) database: u32,
    pub(super) prefix: String,
    /// How many replicas must have a revocation before it is answered.
    pub(super) min_replicas: u32,
    /// Whether it must be on disk as well (`WAITAOF`).
    pub(super) fsync: bool,
    /// A file with the certificates that are trusted; `None`: the well-known ones.
    pub(super) ca: Option<String>,
}

/// How the servers belong together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// One server.
    Single,
    /// Sentinels say which server is the primary of this name.
    Sentinel(String),
    /// A Redis Cluster.
    Cluster,
}

impl Address {
    /// Parses a URL.
    ///
    /// # Errors
    /// It is none of the known forms: what to write instead. The password is never repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| FORMS.to_owned())?;
        let (kind, tls) = scheme_of(scheme)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (Some(login), rest),
            None => (None, rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, password) = login.map_or(Ok((None, None)), login_of)?;
        let mut address = Self {
            form: Form::Single,
            tls,
            servers: servers_of(hosts, if kind == Kind::Sentinel { 26_379 } else { 6379 })?,
            user,
            password,
            sentinel_password: None,
            database: 0,
            prefix: PREFIX.into(),
            min_replicas: 0,
            fsync: false,
            ca: None,
        };
        address.take_path(kind, path)?;
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            address.take(name, &decoded(value)?)?;
        }
        Ok(address)
    }

    fn take_path(&mut self, kind: Kind, path: &str) -> Result<(), String> {
        match kind {
            Kind::Single if self.servers.len() != 1 => {
                Err("redis:// names one server: write redis+cluster:// or redis+sentinel:// for \
                     several"
                    .into())
            }
            Kind::Single => self.take_database(path),
            Kind::Cluster if path.is_empty() || path == "0" => {
                self.form = Form::Cluster;
                Ok(())
            }
            Kind::Cluster => {
                Err("a Redis Cluster has database 0 alone: leave the number out".into())
            }
            Kind::Sentinel => {
                let (name, database) = path.split_once('/').unwrap_or((path, ""));
                if name.is_empty() {
                    return Err("a URL of sentinels names the primary: write \
                                redis+sentinel://host:26379/mymaster"
                        .into());
                }
                self.form = Form::Sentinel(decoded(name)?);
                self.take_database(database)
            }
        }
    }

    fn take_database(&mut self, number: &str) -> Result<(), String> {
        if number.is_empty() {
            return Ok(());
        }
        let wrong = |_| "a database is a number: write redis://host:6379/0".to_owned();
        self.database = number.parse().map_err(wrong)?;
        Ok(())
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "prefix" => {
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
                if value.is_empty() || PREFIX_MAX < value.len() || !value.bytes().all(fits) {
                    return Err(format!(
                        "prefix is 1 to {PREFIX_MAX} letters, digits, `_`, `-` or `.`"
                    ));
                }
                self.prefix = value.into();
            }
            "min_replicas" => {
                let wrong = |_| "min_replicas is a number: write min_replicas=1".to_owned();
                self.min_replicas = value.parse().map_err(wrong)?;
            }
            "fsync" => match value {
                "true" => self.fsync = true,
                "false" => self.fsync = false,
                _ => return Err("fsync is true or false".into()),
            },
            "ca" => self.ca = Some(value.into()),
            "sentinel_password" => self.sentinel_password = Some(value.into()),
            _ => {
                return Err(format!(
                    "unknown parameter {name}: there are prefix, min_replicas, fsync, ca and \
                     sentinel_password"
                ));
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Single,
    Sentinel,
    Cluster,
}

fn scheme_of(scheme: &str) -> Result<(Kind, bool), String> {
    match scheme {
        "redis" => Ok((Kind::Single, false)),
        "rediss" => Ok((Kind::Single, true)),
        "redis+sentinel" => Ok((Kind::Sentinel, false)),
        "rediss+sentinel" => Ok((Kind::Sentinel, true)),
        "redis+cluster" => Ok((Kind::Cluster, false)),
        "rediss+cluster" => Ok((Kind::Cluster, true)),
        _ => Err(FORMS.to_owned()),
    }
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| "the URL has bytes that are no UTF-8".to_owned())
}

type Login = (Option<String>, Option<String>);

fn login_of(login: &str) -> Result<Login, String> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let some = |text: String| (!text.is_empty()).then_some(text);
    Ok((some(decoded(user)?), some(decoded(password)?)))
}

fn servers_of(hosts: &str, port: u16) -> Result<Vec<(String, u16)>, String> {
    let all: Result<Vec<_>, _> = hosts.split(',').map(|host| server_of(host, port)).collect();
    let all = all?;
    if SERVERS_MAX < all.len() {
        return Err(format!(
            "at most {SERVERS_MAX} servers are named: the others are found by these"
        ));
    }
    Ok(all)
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
pub(super) fn server_of(text: &str, port: u16) -> Result<(String, u16), String> {
    let (host, own) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, own)) => (host, Some(own)),
            None => (text, None),
        },
    };
    let port = own.map_or(Ok(port), str::parse).map_err(|_| FORMS.to_owned())?;
    if host.is_empty() { Err(FORMS.to_owned()) } else { Ok((host.to_owned(), port)) }
}

/// A server as a URL names it.
pub(super) struct Server<'a>(pub(super) &'a (String, u16));

impl fmt::Display for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = self.0;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// The URL without user, password and parameters.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss" } else { "redis" })?;
        f.write_str(match self.form {
            Form::Single => "://",
            Form::Sentinel(_) => "+sentinel://",
            Form::Cluster => "+cluster://",
        })?;
        for (number, server) in self.servers.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { "," })?;
            Server(server).fmt(f)?;
        }
        match &self.form {
            Form::Single => write!(f, "/{}", self.database),
            Form::Sentinel(name) => write!(f, "/{name}"),
            Form::Cluster => Ok(()),
        }?;
        match self.prefix == PREFIX {
            true => Ok(()),
            // Another prefix is another store.
            false => write!(f, "?prefix={}", self.prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Address {
        Address::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn every_form_is_parsed_and_shown_without_its_password() {
        let one = parse("redis://ann:p%40ss@db:6380/3?prefix=mine&min_replicas=1&fsync=true");
        assert_eq!((one.user.as_deref(), one.password.as_deref()), (Some("ann"), Some("p@ss")));
        assert_eq!((one.database, &*one.prefix, one.min_replicas, one.fsync), (3, "mine", 1, true));
        assert_eq!(one.to_string(), "redis://db:6380/3?prefix=mine");
        let watched = parse("rediss+sentinel://:secret@a,[::1]:7/main/2?sentinel_password=other");
        assert_eq!(watched.servers, [("a".into(), 26_379), ("::1".into(), 7)]);
        assert_eq!((watched.form.clone(), watched.database), (Form::Sentinel("main".into()), 2));
        assert_eq!(watched.to_string(), "rediss+sentinel://a:26379,[::1]:7/main");
        let cluster = parse("redis+cluster://a,b:7000");
        assert_eq!(cluster.to_string(), "redis+cluster://a:6379,b:7000");
        assert!(cluster == parse("redis+cluster://a:6379,b:7000"));
    }

    #[test]
    fn what_is_no_url_of_a_store_says_what_to_write_and_repeats_no_password() {
        for (text, expected) in [
            ("db:6379", "write redis://"),
            ("http://:secret@db", "write redis://"),
            ("redis://:secret@a,b", "redis+cluster://"),
            ("redis://:secret@db/x", "a database is a number"),
            ("redis://:secret@db:port", "write redis://"),
            ("redis://:secret@", "write redis://"),
            ("redis+cluster://:secret@db/1", "database 0 alone"),
            ("redis+sentinel://:secret@db", "names the primary"),
            ("redis://:secret@db?prefix=a{b}", "prefix is"),
            ("redis://:secret@db?prefix=", "prefix is"),
            ("redis://:secret@db?fsync=1", "true or false"),
            ("redis://:secret@db?min_replicas=many", "is a number"),
            ("redis://:secret@db?password=secret", "unknown parameter password"),
        ] {
            let Err(why) = Address::parse(text) else { panic!("{text} was taken") };
            assert!(why.contains(expected), "{text}: {why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
