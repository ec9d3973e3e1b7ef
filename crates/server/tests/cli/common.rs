//! Runs the real binary in a directory of its own, with nothing of the caller's environment.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output, which must be one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| {
            panic!("{why}: {} {}", self.out, self.err);
        })
    }

    /// The same, and it must have worked.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{} {}", self.out, self.err);
        self
    }
}

/// Runs `symbolon` in `directory`.
pub(crate) fn symbolon(directory: &Path, arguments: &[&str]) -> Ran {
    symbolon_with(directory, arguments, &[])
}

/// Runs `symbolon` in `directory` with these variables.
pub(crate) fn symbolon_with(
    directory: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Ran {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_symbolon"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    Ran {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}
