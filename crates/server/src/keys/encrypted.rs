//! Tokens that are encrypted for their audience.

use super::brought::read;
use super::{Keys, KeysUnavailable, Recipients};
use crate::config::{Audience, Encrypt};
use std::path::Path;
use std::sync::Arc;
use symbolon_wire::access_token::ISSUED_BYTES_MAX;
use symbolon_wire::{
    DecryptionKeys, EncryptionKey, IssueError, Issued, KeyManagement, SecretKeyPair, SecretText,
    is_encrypted,
};

/// What tokens for one audience are encrypted with.
pub(super) struct Sealing {
    /// The audience.
    pub(super) audience: Arc<str>,
    /// What seals.
    pub(super) key: EncryptionKey,
    /// What opens, where both sides know the key.
    opens: Option<DecryptionKeys>,
}

/// Reads the keys of all audiences whose tokens are encrypted.
pub(super) fn sealing(audiences: &[Audience]) -> Result<Vec<Sealing>, KeysUnavailable> {
    let with_key = |own: &Audience| Some((Arc::clone(&own.name), own.encrypt.clone()?));
    audiences.iter().filter_map(with_key).map(|(name, how)| one(name, &how)).collect()
}

fn one(audience: Arc<str>, how: &Encrypt) -> Result<Sealing, KeysUnavailable> {
    let (key, opens) = match how {
        Encrypt::Public(jwk) => (EncryptionKey::from_public_jwk(jwk)?, None),
        Encrypt::Secret(alg, file) => {
            let pair = secret(*alg, file)?;
            (pair.seals, Some(DecryptionKeys::new(vec![pair.opens])?))
        }
    };
    Ok(Sealing { audience, key, opens })
}

fn secret(alg: KeyManagement, file: &Path) -> Result<SecretKeyPair, KeysUnavailable> {
    let refused = |why: String| KeysUnavailable::File(file.to_owned(), why);
    let bytes = read(file)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| refused("is not text".to_owned()))?;
    SecretKeyPair::parse(alg, text)
        .map_err(|wrong| refused(format!("holds no key of {}: {wrong}", alg.name())))
}

impl Keys {
    /// The token as it is handed over: encrypted, if its audience wants it so.
    pub(super) fn handed_over(
        &self,
        issued: Issued,
        recipients: &Recipients,
    ) -> Result<Issued, IssueError> {
        let own = recipients.names.first().and_then(|name| self.sealing_for(name));
        let Some(Sealing { key, .. }) = own else { return Ok(issued) };
        let bytes = key.sealed_bytes(recipients.typ, issued.token.expose().len());
        if ISSUED_BYTES_MAX < bytes {
            return Err(IssueError::TooLong { bytes });
        }
        let token = key.seal(&self.token_sealing, recipients.typ, issued.token.expose())?;
        Ok(Issued { token, jti: issued.jti })
    }

    /// What is in a token that was encrypted under a secret which an audience shares with us; what was sealed for
    /// somebody's own key, nobody else opens.
    pub(super) fn opened(&self, text: &str) -> Option<SecretText> {
        if !is_encrypted(text) {
            return None;
        }
        let mut shared = self.sealing.iter().filter_map(|own| own.opens.as_ref());
        shared.find_map(|keys| keys.open(text).ok())
    }

    pub(super) fn sealing_for(&self, audience: &str) -> Option<&Sealing> {
        self.sealing.iter().find(|own| *own.audience == *audience)
    }
}
