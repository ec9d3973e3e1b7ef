//! Everything that a test has seen and that nothing may keep in clear.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Secrets, and the bytes that they are the text of.
#[derive(Default)]
pub(crate) struct Secrets(BTreeSet<Vec<u8>>);

impl Secrets {
    /// Adds a secret.
    pub(crate) fn add(&mut self, secret: &str) {
        self.0.insert(secret.as_bytes().to_vec());
        // The text behind the prefix, or the signature: a tail cut anywhere else would be found by luck.
        let encoded = match secret.strip_prefix("sym_") {
            Some(_) => secret.get(7..).unwrap_or_default(),
            None => secret.rsplit('.').next().unwrap_or_default(),
        };
        assert!(16 <= encoded.len(), "too short to be a secret");
        self.0.insert(encoded.as_bytes().to_vec());
        if let Ok(bytes) = BASE64URL_NOPAD.decode(encoded.as_bytes()) {
            self.0.insert(bytes[bytes.len().saturating_sub(16)..].to_vec());
            self.0.insert(bytes);
        }
    }

    /// Adds every secret in an answer.
    pub(crate) fn add_all(&mut self, answer: &Value) {
        for name in [
            "access_token",
            "refresh_token",
            "api_key",
            "client_secret",
            "operation_token",
            "ticket",
        ] {
            if let Some(secret) = answer[name].as_str() {
                self.add(secret);
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Which file below a folder holds one of them, the master key's own file left out.
    pub(crate) fn found_below(&self, folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                found.extend(self.found_below(&path));
            } else if path.is_file() && path.file_name().is_some_and(|name| name != "master.key") {
                let bytes = std::fs::read(&path).unwrap();
                let holds = |secret: &&Vec<u8>| holds(&bytes, secret);
                let text = |secret: &Vec<u8>| String::from_utf8_lossy(secret).into_owned();
                let here = self.0.iter().filter(holds).map(text);
                found.extend(here.map(|secret| format!("{}: {secret}", path.display())));
            }
        }
        found
    }
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Words that look like a token, a key or a secret: a known prefix and enough behind it to be one.
pub(crate) fn suspicious(text: &str) -> Vec<&str> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.');
    let long = |word: &&str| {
        ["sym_rt_", "sym_at_", "sym_gs_", "sym_ak_", "sym_cs_", "sym_op_", "sym_tk_"]
            .iter()
            .any(|prefix| word.strip_prefix(prefix).is_some_and(|rest| 16 <= rest.len()))
            // A name that was drawn may begin like a JWT; it has 22 characters.
            || word.starts_with("eyJ") && 22 < word.len()
    };
    text.split(word).filter(long).collect()
}
