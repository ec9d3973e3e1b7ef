//! The text of a handle: an opaque access token, or the cookie of a gateway session.
//!
//! A prefix + base64url(key number, 2 ‖ sid, 16 ‖ session salt, 8 ‖ tag, 16), the number big-endian. The tag is
//! HMAC-SHA-256 over what stands before it, cut to 16 bytes, under a key of its kind: a cookie is no access token.
//! Nothing of it is stored: forged text dies here and never reaches a store.

use crate::master_key::Derived;
use crate::secret::{SecretText, same_bytes};
use crate::{Malformed, base64url};
use aws_lc_rs::hmac;
use symbolon_core::{Handle, Salt, SessionId};

/// What a handle is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HandleKind {
    /// An opaque access token, shown to resource servers.
    AccessToken,
    /// The cookie of a gateway session, shown by a browser.
    Cookie,
}

impl HandleKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::AccessToken, Self::Cookie];

    /// What its text begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::AccessToken => "sym_at_",
            Self::Cookie => "sym_gs_",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "access token",
            Self::Cookie => "cookie",
        }
    }
}

/// The MAC keys of handles, by kind.
pub struct HandleKeys {
    access_token: hmac::Key,
    cookie: hmac::Key,
}

impl HandleKeys {
    pub(crate) fn new(root: &Derived) -> Self {
        let key = |kind: HandleKind| root.mac_key(kind.name().as_bytes());
        Self { access_token: key(HandleKind::AccessToken), cookie: key(HandleKind::Cookie) }
    }

    /// Writes the handle of a session; equal arguments give equal text.
    pub fn mint(&self, kind: HandleKind, sid: SessionId, salt: Salt) -> SecretText {
        let mut bytes = [0; TOKEN_BYTES];
        bytes[..2].copy_from_slice(&NUMBER.to_be_bytes());
        bytes[2..18].copy_from_slice(sid.as_bytes());
        bytes[18..BODY_BYTES].copy_from_slice(&salt.0);
        let tag = self.tag(kind, &bytes[..BODY_BYTES]);
        bytes[BODY_BYTES..].copy_from_slice(&tag);
        let mut text = String::with_capacity(HANDLE_BYTES);
        text.push_str(kind.prefix());
        base64url::append(&bytes, &mut text);
        SecretText::new(text)
    }

    /// Reads a handle of that kind; holding the answer is the proof that this authority wrote the text.
    ///
    /// # Errors
    /// Text that this authority did not write as a handle of that kind.
    pub fn open(&self, kind: HandleKind, text: &str) -> Result<Handle, Malformed> {
        let bytes = decode(kind, text)?;
        let (body, presented) = bytes.split_at(BODY_BYTES);
        if !same_bytes(&self.tag(kind, body), presented) || body[..2] != NUMBER.to_be_bytes() {
            return Err(FORGED);
        }
        let salt = Salt(body[18..].try_into().map_err(|_| FORGED)?);
        Ok(Handle::assume_genuine(sid(&bytes), salt))
    }

    fn tag(&self, kind: HandleKind, body: &[u8]) -> [u8; TAG_BYTES] {
        let key = match kind {
            HandleKind::AccessToken => &self.access_token,
            HandleKind::Cookie => &self.cookie,
        };
        let mut cut = [0; TAG_BYTES];
        cut.copy_from_slice(&hmac::sign(key, body).as_ref()[..TAG_BYTES]);
        cut
    }
}

/// The bytes of a text that has the form of a handle; whether the tag is right is not looked at.
pub(crate) fn decode(kind: HandleKind, text: &str) -> Result<[u8; TOKEN_BYTES], Malformed> {
    let encoded = text.strip_prefix(kind.prefix()).ok_or(FORGED)?;
    base64url::decode_exact(encoded, "handle").map_err(|_| FORGED)
}

/// The session that they name.
pub(crate) fn sid(bytes: &[u8; TOKEN_BYTES]) -> SessionId {
    let mut sid = [0; 16];
    sid.copy_from_slice(&bytes[2..18]);
    SessionId::from_bytes(sid)
}

/// How long a handle is, in bytes.
pub const HANDLE_BYTES: usize = 7 + base64url::encoded_len(TOKEN_BYTES);

/// The number of the key; there is one so far.
const NUMBER: u16 = 0;
const BODY_BYTES: usize = 26;
const TAG_BYTES: usize = 16;
const TOKEN_BYTES: usize = BODY_BYTES + TAG_BYTES;

/// One answer to every text that is not ours: what is wrong with it would help a forger alone.
const FORGED: Malformed = Malformed::new("handle", "is not a handle of this authority");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MasterKey;
    use proptest::prelude::*;

    fn keys() -> HandleKeys {
        let master = MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU");
        master.ok().unwrap().handle_keys()
    }

    fn handle(kind: HandleKind) -> String {
        keys().mint(kind, SessionId::from_bytes([3; 16]), Salt([4; 8])).expose().to_owned()
    }

    #[test]
    fn a_handle_is_63_characters_and_stays_the_same() {
        for kind in HandleKind::ALL {
            assert_eq!(handle(kind).len(), HANDLE_BYTES);
            assert_eq!(handle(kind), handle(kind));
        }
        assert_eq!(HANDLE_BYTES, 63);
    }

    #[test]
    fn a_handle_of_one_kind_is_none_of_the_other_under_either_prefix() {
        let (token, cookie) = (handle(HandleKind::AccessToken), handle(HandleKind::Cookie));
        assert!(keys().open(HandleKind::Cookie, &token).is_err());
        assert!(keys().open(HandleKind::AccessToken, &cookie).is_err());
        let dressed = token.replacen("sym_at_", "sym_gs_", 1);
        assert!(keys().open(HandleKind::Cookie, &dressed).is_err());
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let other = MasterKey::parse("w83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU").ok().unwrap();
        for kind in HandleKind::ALL {
            assert_eq!(other.handle_keys().open(kind, &handle(kind)).err(), Some(FORGED));
        }
    }

    #[test]
    fn no_changed_bit_and_no_changed_character_is_accepted() {
        let (kind, text) = (HandleKind::AccessToken, handle(HandleKind::AccessToken));
        let bytes: [u8; TOKEN_BYTES] = base64url::decode_exact(&text[7..], "handle").unwrap();
        for bit in 0..TOKEN_BYTES * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = format!("sym_at_{}", base64url::encode(&changed));
            assert!(keys().open(kind, &changed).is_err(), "bit {bit}");
        }
        for at in 0..text.len() {
            for other in ["A", "_", "=", " ", "\u{e9}", "", "AA"] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert!(changed == text || keys().open(kind, &changed).is_err(), "{changed}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_minted_opens_to_the_same_values(sid in any::<[u8; 16]>(), salt in any::<[u8; 8]>()) {
            for kind in HandleKind::ALL {
                let text = keys().mint(kind, SessionId::from_bytes(sid), Salt(salt));
                let handle = keys().open(kind, text.expose()).unwrap();
                prop_assert_eq!(handle.sid(), SessionId::from_bytes(sid));
                prop_assert!(handle.salt() == Salt(salt));
            }
        }

        #[test]
        fn random_text_is_refused(text in "(sym_[a-z]{2}_)?[A-Za-z0-9_=.-]{0,80}", any in ".{0,80}") {
            for kind in HandleKind::ALL {
                prop_assert!(keys().open(kind, &text).is_err());
                prop_assert!(keys().open(kind, &any).is_err());
            }
        }
    }
}
