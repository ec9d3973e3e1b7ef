//! Where state lives: a file, or an engine on a server of its own.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;
use std::path::{Path, PathBuf};
use symbolon_store::{postgres, redis};
use symbolon_wire::SecretText;

/// What may be written, for those who wrote something else.
const EXPECTED: &str = "write sqlite:/path/to/file, postgres://user@host/database, \
     redis://host, redis+sentinel://host,host/service or redis+cluster://host,host";

/// Where state lives. It may hold a password, and is shown without one.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// Redis or Valkey: alone, behind Sentinel, or a cluster.
    Redis(redis::Address),
    /// PostgreSQL.
    Postgres(postgres::Address),
}

impl StoreUrl {
    /// Reads the URL of a store; a relative path is taken from `base`. `password`: what stands elsewhere, and
    /// not in the URL of an engine.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence; only the scheme is repeated, since a URL may hold
    /// a password.
    pub fn parse(text: &str, base: &Path, password: Option<&SecretText>) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(format!("is not the URL of a store; {EXPECTED}"));
        };
        match scheme {
            "sqlite" if password.is_some() => {
                Err("is a file, which has no password; leave the password out".to_owned())
            }
            "sqlite" => file(rest, base).map(Self::Sqlite),
            _ if is_redis(scheme) => {
                redis::Address::parse(&with_password(text, password)?).map(Self::Redis)
            }
            "postgres" | "postgresql" => {
                postgres::Address::parse(&with_password(text, password)?).map(Self::Postgres)
            }
            _ => Err(format!("there is no store of that scheme; {EXPECTED}")),
        }
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Redis(_) | Self::Postgres(_) => None,
        }
    }

    /// What kind of store it is, for sentences.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "a file",
            Self::Redis(_) => "Redis",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Redis(address) => address.fmt(f),
            Self::Postgres(address) => address.fmt(f),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_redis(scheme: &str) -> bool {
    let bare = scheme.split_once('+').map_or(scheme, |(bare, _)| bare);
    ["redis", "rediss"].contains(&bare)
}

fn file(rest: &str, base: &Path) -> Result<PathBuf, String> {
    const EXPECTED: &str = "write sqlite:/path/to/file, such as \
                            sqlite:/var/lib/symbolon/symbolon.db";
    if rest.starts_with(':') || rest.contains(['?', '#', '\0']) {
        return Err(format!("must be a file, and takes no parameters; {EXPECTED}"));
    }
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return Err(format!("names a host where a path should be; {EXPECTED}")),
        None => rest,
    };
    if path.is_empty() || path.ends_with('/') {
        return Err(format!("names no file; {EXPECTED}"));
    }
    Ok(base.join(path))
}

/// The URL with a password that stood elsewhere.
fn with_password(text: &str, password: Option<&SecretText>) -> Result<String, String> {
    let Some(password) = password else { return Ok(text.to_owned()) };
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("is not the URL of a store; {EXPECTED}"));
    };
    let authority = rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end]);
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') {
        return Err("has a password, and another is given beside it; keep one".to_owned());
    }
    let hosts = rest.strip_prefix(user).unwrap_or(rest);
    let hosts = hosts.strip_prefix('@').unwrap_or(hosts);
    let password = utf8_percent_encode(password.expose(), NON_ALPHANUMERIC);
    Ok(format!("{scheme}://{user}:{password}@{hosts}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, String> {
        let base = Path::new("/etc/symbolon");
        StoreUrl::parse(text, base, None).map(|store| store.to_string())
    }

    #[test]
    fn a_file_is_named_by_its_path() {
        for (text, path) in [
            ("sqlite:/a/b.db", "sqlite:/a/b.db"),
            ("sqlite:///a/b.db", "sqlite:/a/b.db"),
            ("sqlite:b.db", "sqlite:/etc/symbolon/b.db"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(path));
        }
        for bad in ["", "b.db", "sqlite:", "sqlite://a/b.db", "sqlite::memory:", "sqlite:a?mode=ro"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_shown_by_no_store_and_by_no_refusal() {
        for text in [
            "redis://u:hunter2@h",
            "rediss://:hunter2@h:6380/3",
            "redis+sentinel://u:hunter2@a:26379,b:26379/main",
            "redis+cluster://u:hunter2@a:7000,b:7001",
            "postgres://u:hunter2@h/d",
            "postgres://u:hunter2@h:99999/d",
            "postgres://u:hunter2@",
            "redis://u:hunter2@h/not-a-number",
            "mysql://u:hunter2@h/d",
            "sqlite://u:hunter2@h",
        ] {
            let shown = parse(text).unwrap_or_else(|why| why);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_password_that_stands_elsewhere_is_laid_into_the_url() {
        let password = SecretText::new("p@s/s:w".to_owned());
        let with = |text| with_password(text, Some(&password));
        assert_eq!(with("postgres://u@h/d").as_deref(), Ok("postgres://u:p%40s%2Fs%3Aw@h/d"));
        assert_eq!(with("redis://h:1,i:2").as_deref(), Ok("redis://:p%40s%2Fs%3Aw@h:1,i:2"));
        assert!(with("redis://u:hunter2@h").is_err_and(|why| !why.contains("hunter2")));
        let beside = StoreUrl::parse("sqlite:/a", Path::new("/"), Some(&password));
        assert!(beside.is_err());
    }
}
