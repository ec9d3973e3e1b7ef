//! The token that a page of an old browser shows beside its cookie: a MAC over the session, so that nothing is kept
//! of it, and that of another session is worth nothing here.

use crate::base64url;
use crate::master_key::Derived;
use crate::secret::SecretText;
use aws_lc_rs::hmac;
use symbolon_core::{Salt, SessionId};

/// Makes the tokens; they are compared with [`SecretText::matches`].
pub struct CsrfKey(hmac::Key);

impl CsrfKey {
    pub(crate) fn new(root: &Derived) -> Self {
        Self(root.mac_key(&[]))
    }

    /// The token of a session: 22 characters of base64url.
    pub fn token(&self, sid: SessionId, salt: Salt) -> SecretText {
        let mut session = [0; 24];
        session[..16].copy_from_slice(sid.as_bytes());
        session[16..].copy_from_slice(&salt.0);
        let tag = hmac::sign(&self.0, &session);
        SecretText::new(base64url::encode(&tag.as_ref()[..TAG_BYTES]))
    }
}

const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MasterKey;

    fn token(master: &str, sid: u8, salt: u8) -> String {
        let master = MasterKey::parse(master).ok().unwrap();
        let key = master.csrf_key();
        key.token(SessionId::from_bytes([sid; 16]), Salt([salt; 8])).expose().to_owned()
    }

    #[test]
    fn every_session_has_a_token_of_its_own_and_always_the_same() {
        const ONE: &str = "q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU";
        const OTHER: &str = "w83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU";
        let own = token(ONE, 1, 2);
        assert_eq!((own.len(), &own), (22, &token(ONE, 1, 2)));
        for other in [token(ONE, 2, 2), token(ONE, 1, 1), token(OTHER, 1, 2)] {
            assert_ne!(own, other);
        }
    }
}
