//! Where a setting was given, and what was wrong with it.

use std::fmt;
use std::sync::Arc;

/// Where a setting was given.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// In the file, at a line and column (in characters) that count from 1.
    File {
        /// The file as it was named.
        name: Arc<str>,
        /// Counts from 1.
        line: usize,
        /// Counts from 1, in characters.
        column: usize,
    },
    /// Nowhere in particular: something is missing from the file as a whole.
    Whole(Arc<str>),
    /// In an environment variable of that name.
    Variable(Arc<str>),
    /// In a flag, such as `--set clients.web.refresh.grace`.
    Flag(Arc<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Whole(name) | Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong with a configuration.
///
/// It shows as one line, `symbolon.toml:9:1: clients.web.refresh: there is no setting …`, and never
/// repeats a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// Which setting is meant, as a path.
    pub path: String,
    /// What is wrong and what to do, as a sentence without a full stop.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "{}: {}", self.place, self.what),
            path => write!(f, "{}: {path}: {}", self.place, self.what),
        }
    }
}

/// All that is wrong so far; the reader goes on, so that one run finds everything.
#[derive(Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn add(&mut self, place: &Place, path: impl Into<String>, what: impl Into<String>) {
        self.0.push(Problem { place: place.clone(), path: path.into(), what: what.into() });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them in the order of the file, those of the environment and of flags last.
    pub(crate) fn into_sorted(mut self) -> Vec<Problem> {
        self.0.sort_by(|one, other| one.place.cmp(&other.place));
        self.0
    }
}

/// The known word that was probably meant: at most a third of it, and two letters, differ.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase().replace('-', "_");
    let distance = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let near = known.into_iter().map(|name| (distance(name), name));
    let (_, name) =
        near.filter(|(letters, name)| *letters <= 3 && letters * 3 <= name.len().max(3)).min()?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not_guessed() {
        let known = ["grace", "idle", "absolute", "replay", "client_id"];
        assert_eq!(nearest("grcae", known), Some("grace"));
        assert_eq!(nearest("absolut", known), Some("absolute"));
        assert_eq!(nearest("clientId", known), Some("client_id"));
        assert_eq!(nearest("client-id", known), Some("client_id"));
        assert_eq!(nearest("window", known), None);
        assert_eq!(nearest("x", known), None);
    }
}
