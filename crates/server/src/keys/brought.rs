//! Keys that somebody brings: signing keys from files, and the secrets that HS256 audiences share with us.

use super::encrypted::{Sealing, sealing};
use super::{Keys, KeysUnavailable};
use crate::config::{Audience, Config, Encrypt, KeyFile};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use symbolon_core::KeyId;
use symbolon_wire::{KeySet, SharedSecret, SigningKey};
use zeroize::Zeroizing;

/// The largest file of a key or a secret, in bytes. Inclusive.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A signing key from a file.
pub(super) struct FromFile {
    /// The key.
    pub(super) key: SigningKey,
    /// Whether it signs; else it is published alone.
    pub(super) signs: bool,
}

/// What one HS256 audience and we know.
pub(super) struct Shared {
    /// The audience.
    pub(super) audience: Arc<str>,
    /// The secret, which signs.
    pub(super) key: SigningKey,
    /// The secret, which verifies.
    pub(super) verifying: KeySet,
}

/// Reads the signing keys of the configuration.
pub(super) fn from_files(files: &[KeyFile]) -> Result<Vec<FromFile>, KeysUnavailable> {
    let mut keys: Vec<FromFile> = Vec::new();
    for file in files {
        let key = pem_key(&file.path)?;
        let refused = |why| Err(KeysUnavailable::File(file.path.clone(), why));
        if keys.iter().any(|other| other.key.kid() == key.kid()) {
            return refused("holds the same key as another of `signing_keys`; keep one".to_owned());
        }
        let alg = key.algorithm();
        if file.signs && keys.iter().any(|other| other.signs && other.key.algorithm() == alg) {
            return refused(format!(
                "is another {} key that signs; give all but one `use = \"verify\"`",
                alg.name()
            ));
        }
        keys.push(FromFile { key, signs: file.signs });
    }
    Ok(keys)
}

impl Keys {
    /// What differs in the files that somebody brings, one a line; what they hold is not told.
    pub fn brought_otherwise(&self, new: &Self) -> Vec<String> {
        let kids = |keys: &Self| -> BTreeSet<KeyId> {
            keys.files.iter().map(|file| file.key.kid()).collect()
        };
        let changed = |own: &&Shared| {
            let before = self.shared.iter().find(|before| before.audience == own.audience);
            before.is_some_and(|before| before.key.kid() != own.key.kid())
        };
        let secrets = new.shared.iter().filter(changed);
        let mut lines: Vec<_> =
            secrets.map(|own| format!("audience {}: secret", own.audience)).collect();
        let other_key = |own: &&Sealing| {
            let before = self.sealing_for(&own.audience);
            before.is_some_and(|before| before.key.kid() != own.key.kid())
        };
        let sealing = new.sealing.iter().filter(other_key);
        lines.extend(sealing.map(|own| format!("audience {}: encryption key", own.audience)));
        if kids(self) != kids(new) {
            lines.push("signing_keys: other keys".to_owned());
        }
        lines
    }
}

/// Reads a private key: PKCS #8 in PEM.
///
/// # Errors
/// It cannot be read, or is another kind of thing.
pub fn pem_key(path: &Path) -> Result<SigningKey, KeysUnavailable> {
    let refused = |why: &str| KeysUnavailable::File(path.to_owned(), why.to_owned());
    let pem = read(path)?;
    let der = PrivatePkcs8KeyDer::from_pem_slice(&pem)
        .map_err(|_| refused("holds no PKCS #8 key in PEM (-----BEGIN PRIVATE KEY-----)"))?;
    SigningKey::from_pkcs8(der.secret_pkcs8_der())
        .map_err(|why| refused(&format!("holds what we cannot sign with: {why}")))
}

/// What is wrong with the keys and secrets that a configuration brings, as far as their files are on this
/// machine.
pub fn brought_wrong(config: &Config) -> Vec<String> {
    let files: Vec<_> =
        config.signing_keys.iter().filter(|own| own.path.exists()).cloned().collect();
    let own = from_files(&files).err();
    let here = |own: &&Audience| own.secret.as_ref().is_some_and(|path| path.exists());
    let audiences = config.audiences.iter().filter(here);
    let shared = audiences.filter_map(|own| secrets(std::slice::from_ref(own)).err());
    let here =
        |own: &&Audience| own.encrypt.as_ref().and_then(Encrypt::file).is_some_and(Path::exists);
    let sealed = config.audiences.iter().filter(here);
    let sealed = sealed.filter_map(|own| sealing(std::slice::from_ref(own)).err());
    own.into_iter().chain(shared).chain(sealed).map(|why| why.to_string()).collect()
}

/// Reads the secrets of the HS256 audiences.
pub(super) fn secrets(audiences: &[Audience]) -> Result<Vec<Shared>, KeysUnavailable> {
    let with_secret = |audience: &Audience| Some((audience.name.clone(), audience.secret.clone()?));
    audiences.iter().filter_map(with_secret).map(|(name, path)| secret(name, &path)).collect()
}

fn secret(audience: Arc<str>, path: &Path) -> Result<Shared, KeysUnavailable> {
    let text = read(path)?;
    // What an editor leaves at the end of a file is not part of a secret.
    let bytes = text.strip_suffix(b"\n").unwrap_or(&text);
    let secret = SharedSecret::parse(bytes)
        .map_err(|wrong| KeysUnavailable::File(path.to_owned(), wrong.why().to_owned()))?;
    let key = SigningKey::from_secret(secret);
    let verifying = KeySet::from_keys(vec![key.verifying_key()])?;
    Ok(Shared { audience, key, verifying })
}

pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeysUnavailable> {
    let refused = |why: String| KeysUnavailable::File(path.to_owned(), why);
    let size = std::fs::metadata(path).map(|file| file.len());
    match size.map_err(|why| refused(format!("could not be read: {why}")))? {
        0..=FILE_BYTES_MAX => {}
        _ => return Err(refused("is larger than 64 KiB".to_owned())),
    }
    let bytes = std::fs::read(path).map_err(|why| refused(format!("could not be read: {why}")))?;
    Ok(Zeroizing::new(bytes))
}
