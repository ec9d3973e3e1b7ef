//! Who may introspect at a sidecar: names and secrets of a file.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use symbolon_wire::SecretHash;

/// How many callers may be named. Inclusive.
pub const SECRETS_MAX: usize = 100;

/// The shortest secret, in characters. Inclusive: a shorter one is guessed.
pub(super) const SECRET_CHARS_MIN: usize = 16;

/// Names, and what is kept of their secrets.
#[derive(Clone)]
pub struct Secrets(Arc<BTreeMap<String, SecretHash>>);

/// What is wrong with such a file; it repeats nothing of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongLine {
    /// Counts from 1; zero: the file as a whole.
    pub number: usize,
    /// The predicate of a sentence.
    pub why: &'static str,
}

impl fmt::Display for WrongLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => write!(f, "it {}", self.why),
            number => write!(f, "line {number} {}", self.why),
        }
    }
}

impl Secrets {
    /// Reads `name:secret`, one a line; empty lines and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, WrongLine> {
        let mut secrets = BTreeMap::new();
        let lines = text.lines().map(str::trim).enumerate();
        for (at, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let wrong = |why| WrongLine { number: at + 1, why };
            let (name, secret) = line.split_once(':').ok_or(wrong("is not name:secret"))?;
            if name.is_empty() {
                return Err(wrong("has no name before its colon"));
            }
            if secret.chars().count() < SECRET_CHARS_MIN {
                return Err(wrong("has a secret of fewer than 16 characters"));
            }
            if secrets.insert(name.to_owned(), SecretHash::of(secret)).is_some() {
                return Err(wrong("names somebody a second time"));
            }
        }
        match secrets.len() {
            0 => Err(WrongLine { number: 0, why: "names nobody" }),
            1..=SECRETS_MAX => Ok(Self(Arc::new(secrets))),
            _ => Err(WrongLine { number: 0, why: "names more than 100" }),
        }
    }

    /// Whether a secret is that of a name, compared in constant time.
    pub(super) fn is_right(&self, name: &str, secret: &str) -> bool {
        self.0.get(name).is_some_and(|hash| hash.is_of(secret))
    }

    /// Whether it is anybody's.
    pub(super) fn is_anybodys(&self, secret: &str) -> bool {
        self.0.values().fold(false, |found, hash| found | hash.is_of(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_secrets_are_read_and_a_secret_may_have_colons() {
        let text = "# who may ask\n\norders:one:two:three:four-five\n billing:0123456789abcdef \n";
        let secrets = Secrets::parse(text).ok().unwrap();
        assert!(secrets.is_right("orders", "one:two:three:four-five"));
        assert!(secrets.is_right("billing", "0123456789abcdef"));
        assert!(!secrets.is_right("orders", "0123456789abcdef"));
        assert!(secrets.is_anybodys("0123456789abcdef") && !secrets.is_anybodys("0123456789abcde"));
    }

    #[test]
    fn a_wrong_line_is_named_and_not_repeated() {
        let twice = "a:0123456789abcdef\na:0123456789abcdef";
        for (text, told) in [
            ("", "it names nobody"),
            ("# a:0123456789abcdef", "it names nobody"),
            ("a:0123456789abcdef\nb", "line 2 is not name:secret"),
            (":0123456789abcdef", "line 1 has no name before its colon"),
            ("a:0123456789abcde", "line 1 has a secret of fewer than 16 characters"),
            (twice, "line 2 names somebody a second time"),
        ] {
            assert_eq!(
                Secrets::parse(text).err().map(|wrong| wrong.to_string()).as_deref(),
                Some(told)
            );
        }
    }
}
