//! A secret that an audience shares with us (HS256).

use crate::jwk::{HMAC_KEY_BYTES_MAX, HMAC_KEY_BYTES_MIN};
use crate::{Malformed, drawn};
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

/// Fewer different characters than this are no secret, however many there are.
const DISTINCT_MIN: usize = 6;

/// How often an encoding within another is looked into.
const DEPTH_MAX: usize = 3;

/// A secret that was probably drawn at random; holding one is the proof that it was looked at.
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// Takes the contents of a secret's file.
    ///
    /// # Errors
    /// Fewer than 32 bytes, or more than 512; or what nobody drew at random: who guesses it signs tokens for
    /// everybody.
    pub fn parse(secret: &[u8]) -> Result<Self, Malformed> {
        if !(HMAC_KEY_BYTES_MIN..=HMAC_KEY_BYTES_MAX).contains(&secret.len()) {
            let why = "must hold a secret of 32 to 512 bytes: openssl rand -base64 48 > FILE";
            return Err(Malformed::new("secret", why));
        }
        check(secret, DEPTH_MAX).map_err(|why| Malformed::new("secret", why))?;
        Ok(Self::assume_drawn(secret))
    }

    /// Takes bytes that the caller vouches for: those of a test vector.
    pub fn assume_drawn(secret: &[u8]) -> Self {
        Self(Zeroizing::new(secret.to_vec()))
    }

    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// Looks at a secret as it is, and at what it encodes, which is what was drawn.
fn check(secret: &[u8], depth: usize) -> Result<(), &'static str> {
    if drawn::is_published(secret) {
        return Err(drawn::PUBLISHED);
    }
    if drawn::distinct(secret) < DISTINCT_MIN || drawn::repeats(secret) {
        return Err(drawn::REPEATS);
    }
    if drawn::counts(secret) {
        return Err(drawn::COUNTS);
    }
    let Some(text) = str::from_utf8(secret).ok().filter(|_| drawn::is_typed(secret)) else {
        return Ok(());
    };
    if drawn::holds_published(text) {
        return Err(drawn::PUBLISHED);
    }
    if drawn::is_made_of_words(text) {
        return Err(drawn::TYPED);
    }
    match decoded(text.trim()).filter(|_| 0 < depth) {
        Some(inner) => check(&inner, depth - 1),
        None => Ok(()),
    }
}

/// What a text encodes, if it is written in an encoding that secrets are generated in.
fn decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let encodings = [&HEXLOWER_PERMISSIVE, &BASE64, &BASE64_NOPAD, &BASE64URL, &BASE64URL_NOPAD];
    let bytes = encodings.into_iter().find_map(|own| own.decode(text.as_bytes()).ok());
    bytes.map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::{SecureRandom, SystemRandom};

    fn why(secret: impl AsRef<[u8]>) -> &'static str {
        SharedSecret::parse(secret.as_ref()).err().map(|wrong| wrong.why()).unwrap_or_default()
    }

    #[test]
    fn a_secret_that_was_drawn_is_taken_however_it_is_written() {
        for _ in 0..2000 {
            let mut bytes = [0; 48];
            SystemRandom::new().fill(&mut bytes).unwrap();
            for secret in [
                BASE64.encode(&bytes),
                BASE64URL_NOPAD.encode(&bytes[..32]),
                HEXLOWER_PERMISSIVE.encode(&bytes[..32]),
                HEXLOWER_PERMISSIVE.encode(&bytes[..16]).to_uppercase(),
                BASE64.encode(HEXLOWER_PERMISSIVE.encode(&bytes[..16]).as_bytes()),
            ] {
                assert_eq!(why(&secret), "", "{secret}");
            }
            assert_eq!(why(&bytes[..32]), "", "{bytes:?}");
        }
        for secret in [
            "z9Xr2VtQmA7kLw0ePdYfUoBiNsHgCjTq",
            "correct horse battery staple, and the key of the garden",
            "prod-2024:Zx8!kQ2#vN5$wR7%tY9^uP3&mL6*",
        ] {
            assert_eq!(why(secret), "", "{secret}");
        }
    }

    #[test]
    fn a_secret_that_everybody_knows_is_refused_with_whatever_is_around_it() {
        for secret in [
            "your-256-bit-secret-your-256-bit-secret",
            "xx your-256-bit-secret 0123456789",
            "a-string-secret-at-least-256-bits-long",
            "SecretKey012345678901234567890123456789012345678901234567890123456789",
            "VGhpc0lzTXlDdXN0b21TZWNyZXRLZXkwMTIzNDU2Nzg=",
            "ThisIsMyCustomSecretKey012345678",
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
            "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
            "404e635266556a586e3272357538782f413f4428472b4b6250645367566b5970",
            "changeme-changeme-please-change-me-123",
            "my-super-secret-jwt-key-2024-!!!!!!",
            "password1234password5678password",
            "secretsecretsecretsecretsecret12",
            "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        ] {
            assert_ne!(why(secret), "", "{secret}");
            let wrapped = BASE64.encode(secret.as_bytes());
            assert_ne!(why(&wrapped), "", "{secret}, encoded");
        }
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        assert_eq!(why(BASE64URL_NOPAD.decode(key.as_bytes()).unwrap()), drawn::PUBLISHED);
    }

    #[test]
    fn a_secret_that_repeats_or_counts_is_refused() {
        assert_eq!(why([7; 32]), drawn::REPEATS);
        assert_eq!(why("0123456789".repeat(4)), drawn::REPEATS);
        assert_eq!(why("0123456789abcdef".repeat(3)), drawn::REPEATS);
        assert_eq!(why("ababcbcacabcbabacbcabacbcabcbacb"), drawn::REPEATS, "three letters");
        assert_eq!(why("abcdefghijklmnopqrstuvwxyz0123456789"), drawn::COUNTS);
        let counting: Vec<u8> = (0..32).collect();
        for text in [BASE64.encode(&counting), HEXLOWER_PERMISSIVE.encode(&counting)] {
            assert_eq!(why(text), drawn::COUNTS);
        }
        assert_eq!(why(HEXLOWER_PERMISSIVE.encode(&[0xab; 32])), drawn::REPEATS);
        assert!(why("short").contains("32 to 512 bytes"));
        assert!(why([1; 513]).contains("32 to 512 bytes"));
    }
}
