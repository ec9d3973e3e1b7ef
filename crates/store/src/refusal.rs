//! Why a store was not opened.

use core::fmt;
use std::path::{Path, PathBuf};

/// A store that was not opened: what happened, why, and what to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A newer version of this program wrote it.
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
    /// It is not what was written.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// It is some other program's.
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another process serves from it.
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// There is none.
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Something is there that would have to be overwritten.
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The log of what was ended since a copy was made is not there, or is of no use.
    NoEndsLog {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Nobody answers at this address, or not as it should.
    Unreachable {
        /// The address, without its password.
        at: String,
        /// What was said.
        what: String,
    },
    /// The server knows us not, or lets us not do what is needed.
    Rights {
        /// The address, without its password.
        at: String,
        /// What the server said.
        what: String,
    },
    /// The server is older than what is needed.
    TooOld {
        /// The address, without its password.
        at: String,
        /// Its version.
        found: String,
        /// The oldest that will do.
        needed: &'static str,
    },
    /// The server is set up so that nothing may be kept there.
    Setting {
        /// The address, without its password.
        at: String,
        /// What it is.
        what: String,
        /// What to do.
        instead: String,
    },
    /// Some other program keeps its data there.
    AnotherProgram {
        /// The address, without its password.
        at: String,
    },
    /// A newer version of this program wrote what is there.
    NewerSchema {
        /// The address, without its password.
        at: String,
        /// Its version.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
    /// What is there is not what was written.
    NotAsWritten {
        /// The address, without its password.
        at: String,
        /// What is wrong with it.
        what: String,
    },
    /// The system would not let us.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        what: String,
    },
}

impl Refusal {
    pub(crate) fn io(path: &Path, error: &dyn fmt::Display) -> Self {
        Self::Io { path: path.into(), what: error.to_string() }
    }

    /// The same, of the file that was meant rather than the one that was read.
    pub(crate) fn about(mut self, meant: &Path) -> Self {
        match &mut self {
            Self::Newer { path, .. }
            | Self::Damaged { path, .. }
            | Self::Foreign { path }
            | Self::InUse { path }
            | Self::Missing { path }
            | Self::Exists { path }
            | Self::NoEndsLog { path, .. }
            | Self::Io { path, .. } => *path = meant.into(),
            // Not of a file.
            Self::Unreachable { .. }
            | Self::Rights { .. }
            | Self::TooOld { .. }
            | Self::Setting { .. }
            | Self::AnotherProgram { .. }
            | Self::NewerSchema { .. }
            | Self::NotAsWritten { .. } => {}
        }
        self
    }

    /// What a database's error at opening means.
    pub(crate) fn unreadable(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let what = error.to_string();
        let damaged = match error.sqlite_error_code() {
            Some(code) => [DatabaseCorrupt, NotADatabase].contains(&code) || missing(&what),
            None => true,
        };
        let path = path.into();
        if damaged { Self::Damaged { path, what } } else { Self::Io { path, what } }
    }
}

/// Whether a table or column that must be there is not.
fn missing(what: &str) -> bool {
    what.contains("no such") || what.contains("malformed")
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::InUse { .. }
            | Self::Missing { .. }
            | Self::Exists { .. }
            | Self::NoEndsLog { .. }
            | Self::Io { .. } => self.of_file(f),
            Self::Unreachable { .. }
            | Self::Rights { .. }
            | Self::TooOld { .. }
            | Self::Setting { .. }
            | Self::AnotherProgram { .. }
            | Self::NewerSchema { .. }
            | Self::NotAsWritten { .. } => self.of_server(f),
        }
    }
}

impl Refusal {
    fn of_server(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { at, what } => write!(
                f,
                "{at} cannot be reached ({what}): check that the server runs, that host and port are \
                 right and that this machine may connect to it"
            ),
            Self::Rights { at, what } => write!(
                f,
                "{at} lets us not in, or not do what is needed ({what}): check user, password and \
                 database, and what the user may do there"
            ),
            Self::TooOld { at, found, needed } => {
                write!(f, "{at} has version {found}, and {needed} is needed: upgrade the server")
            }
            Self::Setting { at, what, instead } => {
                write!(f, "{at} cannot be used ({what}): {instead}")
            }
            Self::AnotherProgram { at } => {
                write!(f, "{at} holds data of another program: name another place there")
            }
            Self::NewerSchema { at, found, known } => write!(
                f,
                "{at} was written by a newer version (schema {found}, this program knows {known}): \
                 run that version, or restore a backup made before the upgrade"
            ),
            Self::NotAsWritten { at, what } => write!(
                f,
                "{at} is not what was written ({what}), so nothing is served from it: restore a backup"
            ),
            Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::InUse { .. }
            | Self::Missing { .. }
            | Self::Exists { .. }
            | Self::NoEndsLog { .. }
            | Self::Io { .. } => Ok(()),
        }
    }

    fn of_file(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { path, found, known } => write!(
                f,
                "{} was written by a newer version (schema {found}, this program knows {known}): \
                 run that version, or restore a backup made before the upgrade",
                path.display()
            ),
            Self::Damaged { path, what } => write!(
                f,
                "{} is damaged ({what}), so nothing is served from it: move it away and restore a \
                 backup; the ends log beside it keeps what was ended since",
                path.display()
            ),
            Self::Foreign { path } => {
                write!(f, "{} is a database of another program: name another file", path.display())
            }
            Self::InUse { path } => write!(
                f,
                "{} is in use by another serving process: stop that one first, or give this one a \
                 file of its own",
                path.display()
            ),
            Self::Missing { path } => {
                write!(f, "there is no database at {}: name another file", path.display())
            }
            Self::Exists { path } => write!(
                f,
                "{} exists, and nothing is overwritten: name another file, or move it away",
                path.display()
            ),
            Self::NoEndsLog { path, what } => write!(
                f,
                "there is no ends log at {} ({what}), and only it knows who was ended and banned \
                 since the copy: put it there",
                path.display()
            ),
            Self::Io { path, what } => write!(
                f,
                "{} could not be opened ({what}): check that the directory exists, is writable by \
                 this user and has space",
                path.display()
            ),
            Self::Unreachable { .. }
            | Self::Rights { .. }
            | Self::TooOld { .. }
            | Self::Setting { .. }
            | Self::AnotherProgram { .. }
            | Self::NewerSchema { .. }
            | Self::NotAsWritten { .. } => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}
