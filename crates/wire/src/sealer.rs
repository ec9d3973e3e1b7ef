//! Secrets at rest: AES-256-GCM under a key that derives from the master key.

use crate::Malformed;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

/// Seals secrets for the store and opens them again.
pub struct Sealer(RandomizedNonceKey);

impl Sealer {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key);
        Self(key.expect("AES-256 takes any 32 bytes"))
    }

    /// Seals a secret; `context` is bound to it, and the same one is needed to open it.
    ///
    /// `None` if the library has no randomness for a nonce.
    pub fn seal(&self, secret: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let mut body = Vec::with_capacity(secret.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(secret);
        let nonce = self.0.seal_in_place_append_tag(Aad::from(context), &mut body).ok()?;
        Some([&[VERSION], &nonce.as_ref()[..], &body].concat())
    }

    /// Opens what was sealed under the same master key and context.
    ///
    /// # Errors
    /// Another key, another context, or a changed byte; nothing tells which.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
        let refused = Malformed::new("sealed key", "was not sealed under this master key");
        let Some((&[VERSION], rest)) = sealed.split_first_chunk() else {
            return Err(refused);
        };
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(refused.clone())?;
        let mut body = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(context), &mut body);
        let len = opened.map_err(|_| refused)?.len();
        body.truncate(len);
        Ok(body)
    }
}

/// The first byte of everything sealed, so that a later form can be told apart.
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_context_open_what_was_sealed() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal(b"secret", b"kid-1").unwrap();
        assert_eq!(sealer.open(&sealed, b"kid-1").unwrap().as_slice(), b"secret");
        assert!(sealer.open(&sealed, b"kid-2").is_err());
        assert!(Sealer::new(&[8; 32]).open(&sealed, b"kid-1").is_err());
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
    }

    #[test]
    fn no_changed_bit_and_no_lost_byte_goes_unnoticed() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal(b"secret", b"").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(sealer.open(&changed, b"").is_err(), "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert!(sealer.open(&sealed[..len], b"").is_err(), "{len} bytes");
        }
    }
}
