//! Digests that travel as text.

use crate::{Malformed, base64url};
use symbolon_core::Digest;

/// The SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut digest = [0; 32];
    let made = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.copy_from_slice(made.as_ref());
    Digest(digest)
}

/// Reads the thumbprint of a device's key (`jkt`, RFC 9449 §6.1): 43 characters of base64url.
///
/// # Errors
/// Another length, or text that is not canonical.
pub fn parse_thumbprint(text: &str) -> Result<Digest, Malformed> {
    base64url::decode_exact(text, "jkt").map(Digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_exactly_32_bytes() {
        let text = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert!(parse_thumbprint(text).is_ok());
        assert!(parse_thumbprint(&text[1..]).is_err());
        assert!(parse_thumbprint(&format!("{text}A")).is_err());
    }

    #[test]
    fn the_digest_of_nothing_is_the_published_one() {
        assert_eq!(sha256(b"").0[..4], [0xe3, 0xb0, 0xc4, 0x42]);
    }
}
