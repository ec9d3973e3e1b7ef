//! Refresh tokens of other systems: under which names a store knows them.
//!
//! Who moves here hands over the SHA-256 of each token, never the token. Kept is an HMAC-SHA-256 of that
//! under a key of its own: whoever has a copy of the store, and even the other system's table of
//! digests, cannot tell which rows belong together without the master key.

use crate::digest::sha256;
use crate::master_key::Derived;
use crate::refresh_token::PREFIX;
use aws_lc_rs::hmac;
use symbolon_core::{Digest, SessionId, Shard};

/// The longest refresh token of another system, in bytes. Inclusive; longer text is nobody's.
pub const IMPORTED_TOKEN_BYTES_MAX: usize = 4096;

/// Finds the sessions of tokens that other systems issued.
pub struct ImportedTokens {
    digests: hmac::Key,
    names: hmac::Key,
}

impl ImportedTokens {
    pub(crate) fn new(root: &Derived) -> Self {
        Self { digests: root.mac_key(b"digest"), names: root.mac_key(b"name") }
    }

    /// Under what a store knows a token whose SHA-256 this is.
    pub fn digest(&self, sha256: &Digest) -> Digest {
        Digest(mac(&self.digests, sha256))
    }

    /// Under what a store would know this text; `None` if it cannot be another system's token: it is
    /// empty, too long, or begins as our own do.
    pub fn of_text(&self, text: &str) -> Option<Digest> {
        let foreign = !text.is_empty() && !text.starts_with(PREFIX);
        let short = text.len() <= IMPORTED_TOKEN_BYTES_MAX;
        (foreign && short).then(|| self.digest(&sha256(text.as_bytes())))
    }

    /// The name of the session that a token becomes: the same whenever it is brought in.
    pub fn session_id(&self, shard: Shard, sha256: &Digest) -> SessionId {
        let mut name = [0; 14];
        name.copy_from_slice(&mac(&self.names, sha256)[..14]);
        SessionId::new(shard, name)
    }
}

fn mac(key: &hmac::Key, sha256: &Digest) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hmac::sign(key, &sha256.0).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MasterKey;

    fn tokens(master: &str) -> ImportedTokens {
        MasterKey::parse(master).ok().unwrap().imported_tokens()
    }

    const ONE: &str = "q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU";
    const OTHER: &str = "q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKQ";

    #[test]
    fn a_token_is_found_by_the_digest_that_was_handed_over() {
        let tokens = tokens(ONE);
        let handed_over = sha256(b"eyJhbGciOiJIUzI1NiJ9.e30.c2ln");
        assert_eq!(
            tokens.of_text("eyJhbGciOiJIUzI1NiJ9.e30.c2ln"),
            Some(tokens.digest(&handed_over))
        );
        assert_ne!(tokens.of_text("another"), Some(tokens.digest(&handed_over)));
    }

    #[test]
    fn what_is_kept_is_neither_the_digest_nor_the_name_and_needs_the_master_key() {
        let (handed_over, shard) = (sha256(b"old"), Shard([1, 2]));
        let kept = tokens(ONE).digest(&handed_over);
        assert_ne!(kept, handed_over);
        assert_ne!(kept, tokens(OTHER).digest(&handed_over));
        let sid = tokens(ONE).session_id(shard, &handed_over);
        assert_eq!((sid.shard(), sid), (shard, tokens(ONE).session_id(shard, &handed_over)));
        assert_ne!(sid.as_bytes()[2..], kept.0[..14]);
        assert_ne!(sid, tokens(OTHER).session_id(shard, &handed_over));
    }

    #[test]
    fn text_that_cannot_be_another_systems_token_has_no_digest() {
        let tokens = tokens(ONE);
        assert!(tokens.of_text("").is_none());
        assert!(tokens.of_text("sym_rt_forged").is_none());
        assert!(tokens.of_text(&"a".repeat(IMPORTED_TOKEN_BYTES_MAX)).is_some());
        assert!(tokens.of_text(&"a".repeat(IMPORTED_TOKEN_BYTES_MAX + 1)).is_none());
    }
}
