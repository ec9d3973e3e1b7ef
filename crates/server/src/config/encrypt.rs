//! `[audiences.encrypt]`: for whom tokens are encrypted, and how.

use crate::config::build::{base_of, path, read};
use crate::config::check::Members;
use crate::config::place::Problems;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use symbolon_wire::{EncryptionKey, KeyManagement};

/// How the tokens for an audience are encrypted; always with A256GCM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Encrypt {
    /// `ECDH-ES+A256KW` for this public key, which was read once.
    Public(Arc<str>),
    /// By this algorithm under the secret in this file.
    Secret(KeyManagement, PathBuf),
}

impl Encrypt {
    /// How the audience gets at the key of a token.
    pub const fn alg(&self) -> KeyManagement {
        match self {
            Self::Public(_) => KeyManagement::EcdhEsA256Kw,
            Self::Secret(alg, _) => *alg,
        }
    }

    /// The file of the secret, if there is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Public(_) => None,
            Self::Secret(_, file) => Some(file),
        }
    }
}

/// Builds what stands under `encrypt`, if anything does.
pub(crate) fn encrypt(
    table: Option<&Members>,
    base: &Path,
    problems: &mut Problems,
) -> Option<Encrypt> {
    let table = table?;
    let alg = table.text("alg").and_then(KeyManagement::from_name);
    let alg = alg.unwrap_or(KeyManagement::EcdhEsA256Kw);
    let jwk = read(table, "jwk", problems, public_jwk);
    let base = base_of(table, "key_file", base);
    let file = read(table, "key_file", problems, |text| path(text, base));
    let (needed, other, why) = match alg.is_symmetric() {
        true => ("key_file", "jwk", "this algorithm has a secret that both sides know"),
        false => ("jwk", "key_file", "this algorithm needs the audience's public key alone"),
    };
    if !table.has(needed) && table.sound {
        let what = format!("is missing: {why}; `symbolon config encryption-key` draws one");
        problems.add(&table.place, table.path_of(needed), what);
    }
    if table.has(other) {
        let what = format!("is not for {:?}: {why}; leave it out", alg.name());
        problems.add(table.place_of(other), table.path_of(other), what);
    }
    match alg.is_symmetric() {
        true => file.map(|file| Encrypt::Secret(alg, file)),
        false => jwk.map(Encrypt::Public),
    }
}

/// Never repeats the text: it may be a private key.
fn public_jwk(text: &str) -> Result<Arc<str>, String> {
    let read = EncryptionKey::from_public_jwk(text).map(|_| text.into());
    read.map_err(|wrong| format!("is no public key to encrypt for: {wrong}"))
}
